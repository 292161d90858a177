// Puts payloads into the logs of groups, and writes what the logs have grown by.
//
// Keeps the memory of groups between transactions, at most about kWriterCacheSizeBytesMax, and
// twice that within one; it is right only while nobody else commits: forget() otherwise. Belongs to
// one thread.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "payload/encoder.hpp"
#include "payload/group.hpp"
#include "payload/group_reader.hpp"

namespace tracelite::payload {

// Of groups that nobody changes at the moment. Half as much again makes tau2 no smaller.
inline constexpr std::size_t kWriterCacheSizeBytesMax = std::size_t{8} << 20;

class GroupWriter : public UnwrittenLogs {
 public:
  // nullopt: it does not fit into the group's log. Errors: as PayloadWriter::put, and corrupt.
  Result<std::optional<PayloadNumber>> put(store::WriteTransaction& transaction, GroupNumber number,
                                           Bytes bytes);
  Status erase(store::WriteTransaction& transaction, GroupPosition at);
  // As PayloadWriter::kept_size_bytes.
  Result<std::uint64_t> kept_size_bytes(store::WriteTransaction& transaction,
                                        GroupNumber number) const;
  Status flush(store::WriteTransaction& transaction);
  void forget();

  [[nodiscard]] std::optional<Bytes> unwritten_log(GroupNumber number,
                                                   std::uint64_t position) const override;
  [[nodiscard]] std::optional<SegmentNumber> unwritten_slot(GroupNumber number,
                                                            std::uint64_t slot) const override;

 private:
  Result<Group*> open(store::WriteTransaction& transaction, GroupNumber number);
  Status load(store::WriteTransaction& transaction, const GroupHead& head, Group& group);
  static Status load_recent(store::WriteTransaction& transaction, const GroupHead& head,
                            Group& group);
  static Status load_log(store::WriteTransaction& transaction, const GroupHead& head, Group& group);
  Status load_slots(store::WriteTransaction& transaction, const GroupHead& head, Group& group);
  // All that is in the file of a group.
  Status remove(store::WriteTransaction& transaction, GroupNumber number,
                const std::vector<SegmentNumber>& slots);
  Status erase_in_file(store::WriteTransaction& transaction, GroupNumber number);
  Status write(store::WriteTransaction& transaction, Group& group);
  static Status write_log(store::WriteTransaction& transaction, Group& group);
  static Status write_slots(store::WriteTransaction& transaction, Group& group);
  static void trim(Group& group);
  Status make_room(store::WriteTransaction& transaction);
  void evict();

  std::unordered_map<GroupNumber, std::unique_ptr<Group>> groups_;
  std::uint64_t clock_ = 0;
  std::size_t loaded_size_bytes_ = 0;  // since evict()
  std::uint64_t seed_ = 0;             // 0: not read yet
  SegmentWriter segments_;
  std::vector<Piece> pieces_;  // of the payload at work
};

}  // namespace tracelite::payload
