#include "bench/tracelite_file.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace bench {

void import(tracelite::Store& store, const ReadBytes& read) {
  const auto call = [](void* context, void* buffer, std::size_t capacity_bytes) {
    const auto& read_bytes = *static_cast<const ReadBytes*>(context);
    return static_cast<std::int64_t>(read_bytes(static_cast<char*>(buffer), capacity_bytes));
  };
  tl_import_report report{};
  report.struct_size = sizeof report;
  tracelite::require(tl_import(store.get(), TL_FORMAT_LANGFUSE, call, const_cast<ReadBytes*>(&read),
                               nullptr, nullptr, nullptr, nullptr, &report));
  if (report.failed_count != 0) throw std::runtime_error("tracelite refused events");
}

void import(tracelite::Store& store, std::string_view lines) {
  import(store, [&](char* buffer, std::size_t capacity_bytes) {
    const std::size_t size_bytes = lines.copy(buffer, capacity_bytes);
  lines.remove_prefix(size_bytes);
  return size_bytes;
});
}  // namespace bench

void put(tracelite::Store& store, const Event& event) {
  tl_store* to = store.get();
  if (const auto* trace = std::get_if<tl_trace>(&event.entity)) {
    tracelite::require(tl_put_trace(to, trace));
  } else if (const auto* score = std::get_if<tl_score>(&event.entity)) {
    tracelite::require(tl_put_score(to, score));
  } else {
    tracelite::require(tl_put_observation(to, &std::get<tl_observation>(event.entity)));
  }
}

void compact(const std::string& path, Progress& progress) {
  tracelite::Store store(path);
  const auto show = [](void* context, std::uint64_t done, std::uint64_t total) {
    static_cast<Progress*>(context)->show(done, total);
    return std::int32_t{0};
  };
  tracelite::require(tl_compact(store.get(), show, &progress));
  store.close();
}

std::uint64_t file_size_bytes(const std::string& path) { return std::filesystem::file_size(path); }

}  // namespace bench
