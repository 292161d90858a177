#include "crash/power_cut_work.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "api/handles.hpp"
#include "maintain/testing.hpp"
#include "store/testing.hpp"
#include "tracelite/tracelite.hpp"

namespace tracelite::crash::test {
namespace {

using cpp::Observation;
using cpp::Store;

constexpr std::uint32_t kFlushesOnlyMs = 600'000;
// Groups from these numbers on have inputs of another kind.
constexpr std::uint32_t kIncompressible = 1U << 20;
constexpr std::uint32_t kLarge = 1U << 21;   // too large for one commit
constexpr std::uint32_t kSecret = 1U << 22;  // bytes of all values

bool is_secret(std::uint32_t group) { return group >= kSecret; }

std::string letters(std::uint32_t seed, std::size_t size_bytes) {
  std::minstd_rand random(seed + 1);
  std::string text(size_bytes, '\0');
  for (char& letter : text) letter = static_cast<char>('!' + random() % 90);
  return text;
}

std::string random_bytes(std::uint32_t seed, std::size_t size_bytes) {
  std::mt19937 random(seed);
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// A store and the marks of what is done with it.
class Scene {
 public:
  Scene(std::string path, bool may_lose_last, std::uint64_t map_size_bytes = 0,
        std::uint64_t cap_size_bytes = 0)
      : path_(std::move(path)),
        may_lose_last_(may_lose_last),
        map_size_bytes_(map_size_bytes),
        cap_size_bytes_(cap_size_bytes) {
    open();
  }

  void reopen() {
    store_->close();
    open();
  }
  Store& store() { return *store_; }

  void put(std::uint32_t group) {
    recording::mark(kBegun, group);
    for (std::uint32_t i = 0; i < size_of_group(group); ++i) {
      const std::string trace = trace_of_group(group);
      const std::string id = trace + "-" + std::to_string(i);
      const std::string input = input_of(group, i);
      const std::string name = is_secret(group) ? traits_of(group).front() : "name";
      store_->put(Observation()
                      .id(id)
                      .trace_id(trace)
                      .name(name)
                      .start(static_cast<std::int64_t>(1'000'000'000ULL * (group % 1000 + 1) + i))
                      .input(is_secret(group) ? cpp::bytes(input) : cpp::plain(input)));
    }
    waiting_.push_back(group);
  }
  // What was put is durable, or only committed.
  void flush() {
    const std::uint64_t head = store_->flush();
    for (const std::uint32_t group : waiting_) recording::mark(kFlushed, group);
    note(head);
  }
  void commit() {
    if (!may_lose_last_) {
      flush();
      return;
    }
    const api::StoreState& state = *store_->get()->state;
    const Status written = state.recorder->wait_until_durable(std::nullopt);
    if (!written) throw std::runtime_error(written.error().message);
    note(state.environment->last_transaction_id());
  }
  void remove(std::uint32_t group) {
    const std::string trace = trace_of_group(group);
    tl_filter of = cpp::filter();
    of.trace_id = cpp::text(trace);
    recording::mark(kDeleteBegun, group);
    cpp::require(tl_delete(store_->get(), &of, nullptr, nullptr, nullptr));
    recording::mark(kDeleted, group);
    note_head();
  }
  // While a snapshot still sees it, which is closed when all that can be done before has been: then
  // the last zeros come behind the last commit.
  void remove_securely(std::uint32_t group) {
    const std::string trace = trace_of_group(group);
    tl_filter of = cpp::filter();
    of.trace_id = cpp::text(trace);
    tl_snapshot* snapshot = nullptr;
    cpp::require(tl_snapshot_open(store_->get(), &snapshot));
    const std::uint64_t before = maintain::testing::held_back_count;
    std::atomic<bool> has_ended{false};
    std::thread closing([&] {
      while (maintain::testing::held_back_count == before && !has_ended) std::this_thread::yield();
      tl_snapshot_close(snapshot);
    });
    recording::mark(kDeleteBegun, group);
    const tl_status status =
        tl_delete_securely(store_->get(), &of, UINT32_MAX, nullptr, nullptr, nullptr);
    has_ended = true;
    closing.join();
    cpp::require(status);
    if (maintain::testing::held_back_count == before) throw std::runtime_error("it did not wait");
    recording::mark(kDeleted, group);
    recording::mark(kErased, group);
    note_head();
  }
  void compact() {
    cpp::require(tl_compact(store_->get(), nullptr, nullptr));
    note_head();
  }
  void import(std::uint32_t first, std::uint32_t count) {
    std::string lines;
    for (std::uint32_t group = first; group < first + count; ++group) {
      recording::mark(kBegun, group);
      waiting_.push_back(group);
      for (std::uint32_t i = 0; i < size_of_group(group); ++i) {
        const std::string trace = trace_of_group(group);
        lines +=
            R"({"id":"e","timestamp":"2026-03-01T12:00:00Z","type":"span-create","body":{"id":")" +
            trace + "-" + std::to_string(i) + R"(","traceId":")" + trace +
            R"(","startTime":"2026-03-01T12:00:00Z","input":")" + input_of(group, i) + "\"}}\n";
      }
    }
    std::string_view rest = lines;
    tl_import_report report{};
    report.struct_size = sizeof report;
    cpp::require(tl_import(store_->get(), TL_FORMAT_LANGFUSE, read_some, &rest, nullptr, nullptr,
                           nullptr, nullptr, &report));
    if (report.failed_count != 0) throw std::runtime_error("an event was refused");
    flush();
  }
  void close() {
    store_->close();
    store_.reset();
  }

 private:
  static std::int64_t read_some(void* context, void* buffer, std::size_t capacity) {
    auto& rest = *static_cast<std::string_view*>(context);
    const std::size_t size = std::min(capacity, rest.size());
    if (size > 0) std::memcpy(buffer, rest.data(), size);
    rest.remove_prefix(size);
    return static_cast<std::int64_t>(size);
  }
  void open() {
    tl_options options = Store::options();
    options.commit_interval_ms = kFlushesOnlyMs;
    options.map_size_bytes = map_size_bytes_;
    options.retention_size_bytes = cap_size_bytes_;
    options.durability = may_lose_last_ ? TL_DURABILITY_LAST_COMMIT : TL_DURABILITY_SYNC;
    store_ = std::make_unique<Store>(path_, options);
  }
  void note(std::uint64_t head) {
    for (const std::uint32_t group : waiting_) recording::mark(kCommitted, group);
    waiting_.clear();
    recording::mark(kHead, head);
  }
  void note_head() { recording::mark(kHead, store_->statistics().commit_number); }

  std::string path_;
  bool may_lose_last_;
  std::uint64_t map_size_bytes_;
  std::uint64_t cap_size_bytes_;
  std::unique_ptr<Store> store_;
  std::vector<std::uint32_t> waiting_;  // groups that were put and not committed
};

void record_and_stream(Scene& scene) {
  constexpr std::uint32_t kRounds = 14;
  std::map<std::uint32_t, std::pair<cpp::Span, std::size_t>> live;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    scene.put(2 * round);
    scene.put(2 * round + 1);
    if (round == 11) scene.put(kLarge);
    if (round % 3 == 0) {
      const std::string id = "live-" + std::to_string(round);
      live.emplace(round,
                   std::make_pair(scene.store().begin(Observation().id(id).trace_id(kLiveTrace)),
                                  std::size_t{0}));
    }
    for (auto& [number, span] : live) {
      // Small pieces, and some that go into slices of their own.
      const std::size_t more = round % 4 == 1 ? 30'000 : 300;
      const std::string text = streamed_text(number, span.second + more);
      span.first.append(TL_FIELD_OUTPUT, std::string_view(text).substr(span.second));
      span.second += more;
    }
    if (round % 3 == 2) {
      scene.flush();
      for (const auto& [number, span] : live) {
        recording::mark(kStreamed, std::uint64_t{number} << 32 | span.second);
      }
      if (live.size() > 2) {
        live.begin()->second.first.end();
        live.erase(live.begin());
      }
    } else {
      scene.commit();
    }
    if (round == 8) {
      live.clear();  // ends them
      scene.reopen();
    }
  }
}

void delete_groups(Scene& scene) {
  constexpr std::uint32_t kGroups = 16;
  for (std::uint32_t group = 0; group < kGroups; ++group) scene.put(group);
  scene.flush();
  for (std::uint32_t group = 0; group < kGroups; group += 2) {
    scene.remove(group);
    if (group % 6 == 4) {
      scene.put(kGroups + group);
      scene.flush();
    }
  }
  scene.reopen();
  for (std::uint32_t group = 1; group < kGroups; group += 4) scene.remove(group);
}

// Each time by somebody who has nothing of it in memory afterwards.
void erase_groups(Scene& scene) {
  constexpr std::uint32_t kGroups = 4;
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    scene.put(group);
    scene.put(kSecret + group);
    scene.flush();
  }
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    scene.remove_securely(kSecret + group);
    scene.reopen();
    scene.put(kGroups + group);
    scene.flush();
  }
}

void compact_again_and_again(Scene& scene) {
  std::uint32_t group = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      scene.put(group++);
      if (i < 2) scene.commit();
    }
    scene.flush();
    scene.compact();
    scene.put(group++);
    scene.flush();
    if (round == 1) scene.reopen();
  }
}

void grow(Scene& scene) {
  for (std::uint32_t i = 0; i < 16; ++i) {
    scene.put(kIncompressible + i);
    scene.commit();
    if (i % 5 == 4) scene.remove(kIncompressible + i - 3);
    if (i == 9) scene.reopen();
  }
  scene.flush();
}

// The store deletes the oldest groups by itself and gives their pages back: of this cap the newest
// ones are a fraction.
void keep_a_cap(Scene& scene) {
  constexpr std::uint32_t kGroups = 20;
  constexpr std::uint32_t kStay = 3;
  for (std::uint32_t i = 0; i < kGroups; ++i) {
    if (i >= kStay) recording::mark(kDeleteBegun, kIncompressible + i - kStay);
    scene.put(kIncompressible + i);
    scene.flush();
    if (i == kGroups / 2) scene.reopen();
  }
}

}  // namespace

std::uint32_t size_of_group(std::uint32_t group) {
  return group >= kLarge && !is_secret(group) ? 1 : 2 + group % 4;
}
std::string trace_of_group(std::uint32_t group) { return "g" + std::to_string(group); }

std::string input_of(std::uint32_t group, std::uint32_t index) {
  const std::uint32_t seed = group * 16 + index;
  if (is_secret(group)) return random_bytes(seed, 700);
  std::string text = "input " + std::to_string(seed) + " ";
  if (group >= kIncompressible && group < kLarge) {
    std::string noise = letters(seed, 20'000 + seed % 50'000);
    std::ranges::replace(noise, '"', 'q');
    std::ranges::replace(noise, '\\', 'b');
    return text + noise;
  }
  if (group >= kLarge && index == 0) {
    for (std::uint32_t line = 0; text.size() < (std::size_t{9} << 19); ++line) {
      text.append(200, static_cast<char>('a' + line % 26)).append(std::to_string(line));
    }
    return text;
  }
  const std::size_t size = group % 7 == 3 ? 9'000 : 40 + seed * 37 % 900;
  while (text.size() < size) text += "word " + std::to_string(text.size() * seed % 1000) + ", ";
  return text;
}

std::vector<std::string> traits_of(std::uint32_t group) {
  std::vector<std::string> traits = {letters(group, 30)};  // the name
  constexpr std::size_t kSizeBytes = 24;
  for (std::uint32_t i = 0; i < size_of_group(group); ++i) {
    traits.push_back(input_of(group, i).substr(300, kSizeBytes));
  }
  return traits;
}

std::string streamed_text(std::uint32_t live, std::size_t size_bytes) {
  return letters(live, size_bytes);
}

void Expected::take(const recording::Entry& entry) {
  ++mark_count;
  const auto number = static_cast<std::uint32_t>(entry.offset);
  switch (entry.mark) {
    case kBegun:
      begun.insert(number);
      break;
    case kCommitted:
      committed.push_back(number);
      break;
    case kFlushed:
      flushed.insert(number);
      break;
    case kDeleteBegun:
      delete_begun.insert(number);
      break;
    case kDeleted:
      deleted.insert(number);
      break;
    case kErased:
      erased.insert(number);
      break;
    case kHead:
      head = entry.offset;
      break;
    case kStreamed:
      streamed[static_cast<std::uint32_t>(entry.offset >> 32)] = number;
      break;
    default:
      break;
  }
}

std::set<std::uint32_t> Expected::required() const {
  std::set<std::uint32_t> required = flushed;
  if (!may_lose_last) required.insert(committed.begin(), committed.end());
  for (const std::uint32_t group : delete_begun) required.erase(group);
  return required;
}

const char* name_of(Work work) {
  switch (work) {
    case Work::recording:
      return "recording";
    case Work::import:
      return "import";
    case Work::deleting:
      return "delete";
    case Work::erasing:
      return "secure delete";
    case Work::compacting:
      return "compact";
    case Work::growing:
      return "growth";
    case Work::retention:
      return "retention";
  }
  return "";
}

std::vector<recording::Entry> record(Work work, const std::string& folder, bool may_lose_last) {
  const std::string path = folder + "/a.tl";
  recording::start(folder);
  constexpr std::uint64_t kSmallMapSizeBytes = std::uint64_t{1} << 20;
  constexpr std::uint64_t kCapSizeBytes = std::uint64_t{1} << 20;
  store::testing::free_size_bytes_max = std::uint64_t{256} << 10;
  Scene scene(path, may_lose_last, work == Work::growing ? kSmallMapSizeBytes : 0,
              work == Work::retention ? kCapSizeBytes : 0);
  switch (work) {
    case Work::recording:
      record_and_stream(scene);
      break;
    case Work::import:
      for (std::uint32_t i = 0; i < 8; ++i) scene.import(i * 12, 12);
      break;
    case Work::deleting:
      delete_groups(scene);
      break;
    case Work::erasing:
      erase_groups(scene);
      break;
    case Work::compacting:
      compact_again_and_again(scene);
      break;
    case Work::growing:
      grow(scene);
      break;
    case Work::retention:
      keep_a_cap(scene);
      break;
  }
  scene.close();
  store::testing::free_size_bytes_max = 0;
  return recording::stop();
}

}  // namespace tracelite::crash::test
