// How a store records.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/entity.hpp"
#include "model/field.hpp"
#include "store/packed_space.hpp"

namespace tracelite::ingest {

inline constexpr std::uint32_t kDefaultCommitIntervalMs = 50;
inline constexpr std::uint64_t kDefaultQueueSizeBytes = std::uint64_t{16} << 20;

// The field of the error that says that the disk has less room than the options ask for.
inline constexpr std::string_view kFreeDiskMinField = "free_disk_min_bytes";

enum class FullPolicy : std::uint8_t { wait = 0, drop = 1 };

struct Payload {
  model::Form form{};
  std::string bytes;
};
// The value to store instead; nullopt if the mask failed.
using MaskFunction =
    std::function<std::optional<Payload>(model::Field field, model::Form form, Bytes bytes)>;
enum class LogLevel : std::uint8_t { debug = 1, info = 2, warning = 3, error = 4 };
using LogFunction = std::function<void(LogLevel, model::Reason, const std::string& message)>;

// A small piece of work on the file that rides on commits: at most one transaction, on the writer's
// thread. True: there is more to do at once.
using ChoreFunction = std::function<bool()>;

struct Options {
  std::uint32_t commit_interval_ms = kDefaultCommitIntervalMs;
  std::uint64_t queue_size_bytes = kDefaultQueueSizeBytes;
  FullPolicy full_policy = FullPolicy::wait;
  std::uint32_t queue_wait_ms = 0;  // 0: without limit
  double sample_rate = 1;
  store::Durability durability = store::Durability::synced;
  MaskFunction mask;
  LogFunction log;
  int compression_level = store::kQuickPacking.level;
  std::size_t dictionary_size_bytes = store::kQuickPacking.dictionary_size_bytes_max;
  std::uint64_t free_disk_min_bytes = 0;  // with less nothing is written: kFreeDiskMinField
  ChoreFunction chore;                    // empty: none
  bool is_from_stranger = false;          // what is in the file may not be what it says
  std::string default_environment;        // empty: none
  std::string default_release;            // empty: none
};

}  // namespace tracelite::ingest
