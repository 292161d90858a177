// Reads payloads out of the logs of groups.
//
// Knows recipes, chunks of logs and segments. Must not know how they came to be.
//
// What is decoded is kept with the transaction, so that the next payload of the same session costs
// little more than copying: recipes, segments, and the last payloads that were read as a whole,
// which are what the next ones are built on.
#pragma once

#include <array>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "payload/group_format.hpp"
#include "payload/recipe.hpp"

namespace tracelite::payload {

inline constexpr std::size_t kSlotCacheEntriesMax = 16'384;
inline constexpr std::size_t kOperationCacheEntriesMax = 65'536;  // looked at before each read
inline constexpr std::size_t kKeptPayloadCount = 8;
inline constexpr std::size_t kKeptPayloadSizeBytesMin = std::size_t{4} << 10;
inline constexpr std::size_t kKeptPayloadSizeBytesMax = std::size_t{512} << 10;

// What the writer of this transaction has not written yet, for readers in the same transaction.
class UnwrittenLogs {
 public:
  virtual ~UnwrittenLogs() = default;
  // What memory has of the group's log from this position on; nullopt: look into the file.
  [[nodiscard]] virtual std::optional<Bytes> unwritten_log(GroupNumber group,
                                                           std::uint64_t position) const = 0;
  [[nodiscard]] virtual std::optional<SegmentNumber> unwritten_slot(GroupNumber group,
                                                                    std::uint64_t slot) const = 0;
};

class GroupReader : public store::Companion {
 public:
  // The one of a transaction, made when it is first asked for.
  static GroupReader& of(const store::Transaction& transaction);

  void set_unwritten(const UnwrittenLogs* unwritten) { unwritten_ = unwritten; }
  // What was decoded may have changed: the writer has written or removed groups.
  void forget();

  // Errors of all: corrupt, not_found, io, no_memory.
  Result<std::uint64_t> size_bytes(GroupPosition at);
  // As PayloadReader::read_into.
  Result<std::size_t> read(GroupPosition at, std::uint64_t offset, std::span<char> out);
  Result<Recipe> recipe(GroupPosition at);

 private:
  struct Task {
    Operation operation;              // base: `at` is the offset in the payload at base_position
    std::uint64_t base_position = 0;  // base
    std::size_t depth = 0;
  };
  Result<RecipeHead> recipe_head(GroupPosition at);
  struct Decoded {
    RecipeHead head;
    std::vector<Operation> operations;  // as far as anybody needed them
    std::vector<std::uint64_t> starts;  // of each in the payload
    std::uint64_t position = 0;         // of the next operation
    std::uint64_t size_bytes = 0;       // of what the operations make
  };
  // A recipe with the operations that make its payload up to `to`. Valid until the next read.
  Result<const Decoded*> decode(GroupPosition at, std::uint64_t to);
  // Both write as many bytes as the operation has.
  Status expand(GroupNumber group, const Task& task, char*& out);
  Status copy(GroupNumber group, const Operation& operation, char*& out);
  // Contiguous bytes of the log from the position on: at least one, at most to the chunk's end.
  // Valid until the next call.
  Result<Bytes> log(GroupNumber group, std::uint64_t position);
  // Up to size_bytes bytes from the position on, joined where a chunk ends; fewer at the log's end.
  Result<Bytes> window(GroupNumber group, std::uint64_t position, std::size_t size_bytes);
  Result<SegmentNumber> slot(GroupNumber group, std::uint64_t slot);
  struct Kept {
    PayloadNumber number = 0;
    std::string bytes;
  };
  [[nodiscard]] Kept* kept(GroupPosition at);
  void keep(GroupPosition at, Bytes bytes);

  const store::Transaction* transaction_ = nullptr;  // whose companion it is; it may have moved
  const UnwrittenLogs* unwritten_ = nullptr;
  SegmentCache segments_;
  std::unordered_map<std::uint64_t, SegmentNumber> slots_;  // by group and slot
  std::unordered_map<PayloadNumber, Decoded> recipes_;
  std::size_t operation_count_ = 0;  // in recipes_
  std::string joined_;
  // The chunk that was read last, while nothing has changed.
  GroupNumber chunk_group_ = 0;
  Chunk chunk_;
  std::uint64_t chunk_changes_ = 0;
  std::array<Kept, kKeptPayloadCount> kept_;
  std::size_t next_kept_ = 0;
  char* begin_ = nullptr;  // of the payload at work
  // What it begins with: so many bytes of one that is kept. Null: of none.
  Kept* begun_with_ = nullptr;
  std::size_t begun_size_bytes_ = 0;
  std::vector<Task> tasks_;  // of the payload at work
  std::vector<Operation> operations_;
};

}  // namespace tracelite::payload
