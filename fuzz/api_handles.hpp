// What api_calls.cpp has open, and what a call with it must come to: a store that may be closed,
// and spans, snapshots and cursors that may be of a store of before, with structs of other sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "fuzz/api_model.hpp"
#include "fuzz/api_store.hpp"
#include "fuzz/input.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {

inline constexpr std::size_t kHandleCount = 3;
inline constexpr std::array<Bytes, 10> kIds = {
    "a", "b", "c", "0123456789abcdef0123456789abcdef", "0123456789abcdef", "\xe4\xbd\xa0", "a b",
    "d", "",  "\n"};  // the last two are refused

struct Span {
  tl_span* handle = nullptr;
  std::string trace_id, id;
};
struct Snapshot {
  tl_snapshot* handle = nullptr;
  Model seen;
};
struct Cursor {
  tl_cursor* handle = nullptr;
  bool has_row = false;
};

class Handles {
 public:
  Handles(std::string path, Bytes bytes) : path_(std::move(path)), input_(bytes) {}
  ~Handles() {
    for (Span& span : spans_) tl_end(span.handle, nullptr);
    for (Snapshot& snapshot : snapshots_) tl_snapshot_close(snapshot.handle);
    for (Cursor& cursor : cursors_) tl_cursor_close(cursor.handle);
    tl_close(store_, UINT32_MAX, nullptr);
    std::filesystem::remove(path_);
  }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

 protected:
  void open() {
    tl_options options{};
    options.struct_size = sizeof options;
    options.map_size_bytes = std::uint64_t{1} << 28;
    options.default_environment = tl_str("default");
    options.commit_interval_ms = 1000;
    expect(tl_open(path_.c_str(), &options, &store_), TL_OK, "open");
  }
  void close() {
    expect(tl_close(store_, UINT32_MAX, nullptr), status_of(true), "close");
    store_ = nullptr;
    // Handles of before are good for nothing but to be freed.
    const auto orphan_all = [&](const auto& all) {
      for (const auto& one : all) {
        if (one.handle != nullptr) orphans_.insert(one.handle);
      }
    };
    orphan_all(spans_);
    orphan_all(snapshots_);
    orphan_all(cursors_);
  }
  template <class Handle>
  void forget(Handle& one) {
    orphans_.erase(one.handle);
    one = {};
  }
  void flush() {
    if (store_ != nullptr) expect(tl_flush(store_, UINT32_MAX, nullptr), TL_OK, "flush");
  }

  // What a call with the store comes to, if its arguments are good.
  [[nodiscard]] tl_status status_of(bool is_good) const {
    return store_ == nullptr ? TL_MISUSE : is_good ? TL_OK : TL_INVALID;
  }
  [[nodiscard]] tl_status status_of(const void* handle) const {
    return handle == nullptr || orphans_.contains(handle) ? TL_MISUSE : TL_OK;
  }
  [[nodiscard]] bool is_orphan(const void* handle) const { return orphans_.contains(handle); }

  Bytes id() { return kIds[input_.below(kIds.size())]; }
  Bytes good_id() { return kIds[input_.below(kIds.size() - 2)]; }
  static bool is_good(Bytes id) { return !id.empty() && id != "\n"; }
  tl_payload payload() {
    tl_payload given{};
    given.form = static_cast<tl_form>(input_.below(5));
    given.text = text_of(input_.take(input_.byte()));
    if (given.text.data == nullptr) given.text.data = "";
    return given;
  }
  Span& span() { return spans_[input_.below(kHandleCount)]; }
  Snapshot& any_snapshot() { return snapshots_[input_.below(kHandleCount)]; }
  Cursor& cursor() { return cursors_[input_.below(kHandleCount)]; }

  // Calls with a struct, sometimes of another size: then it may be refused, but what is taken
  // counts. True if it was taken; the struct is what the library saw of it then.
  template <class Struct, class Call>
  bool call_with(Struct& value, tl_status wanted, const char* what, const Call& call) {
    const std::uint8_t size = input_.byte();
    value.struct_size = sizeof(Struct);
    if (size >= 224) value.struct_size = static_cast<std::uint32_t>(size - 224) * 8;
    if (size == 223) value.struct_size = sizeof(Struct) + 64;
    // What has an id and names no trace lies in one of its own until something does.
    if constexpr (std::is_same_v<Struct, tl_observation>) {
      const bool has_id = value.struct_size >= offsetof(Struct, id) + sizeof value.id;
      const bool has_trace =
          value.struct_size >= offsetof(Struct, trace_id) + sizeof value.trace_id;
      if (has_id && !has_trace) value.struct_size = sizeof(Struct);
    }
    // Exactly so many bytes, so that the address sanitizer sees their end.
    std::vector<char> given(std::max<std::size_t>(value.struct_size, sizeof value.struct_size));
    const std::size_t seen_size_bytes = std::min(given.size(), sizeof(Struct));
    std::memcpy(given.data(), &value, seen_size_bytes);
    const tl_status status = call(reinterpret_cast<Struct*>(given.data()));
    if (value.struct_size >= sizeof(Struct)) expect(status, wanted, what);
    value = {};
    std::memcpy(&value, given.data(), seen_size_bytes);
    return status == TL_OK;
  }

  std::string path_;
  Input input_;
  tl_store* store_ = nullptr;
  std::array<Span, kHandleCount> spans_;
  std::array<Snapshot, kHandleCount> snapshots_;
  std::array<Cursor, kHandleCount> cursors_;
  std::set<const void*> orphans_;  // of a store that is closed
};

}  // namespace tracelite::fuzz
