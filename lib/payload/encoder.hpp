// Finds what of a payload its group, or the file, has already, and writes the rest into the log.
//
// Works on the memory of one group; knows segments, must not know frames or keys.
#pragma once

#include <optional>
#include <vector>

#include "payload/group.hpp"
#include "payload/splitter.hpp"

namespace tracelite::payload {

class Encoder {
 public:
  Encoder(store::WriteTransaction& transaction, SegmentWriter& segments, std::uint64_t seed,
          std::vector<Piece>& pieces, Group& group, Bytes payload)
      : transaction_(transaction),
        segments_(segments),
        seed_(seed),
        pieces_(pieces),
        group_(group),
        payload_(payload) {}

  // Appends the payload's recipe to the group's log; its position there. Errors: as put's.
  Result<std::uint64_t> run();

 private:
  struct Match {  // bytes of the payload that are somewhere already
    Operation operation;
    std::uint32_t begin = 0;  // in the payload
  };

  void choose_base();
  // As a payload that has nothing in common with anything but segments.
  Status start_anew();
  Status encode_middle();
  // Bytes that nobody has: long ones become segments, short ones literals.
  Status add_new(std::uint32_t from, std::uint32_t to);
  Status add_segment(std::uint32_t from, std::uint32_t to);
  void add(Source source, std::uint32_t size_bytes, std::uint64_t at, std::uint32_t slot = 0);
  Result<std::optional<Match>> find(const Piece& piece, std::uint32_t not_before);
  std::optional<Match> find_in_base(Bytes bytes, const Piece& piece, std::uint32_t not_before);
  // Where `here` and `there` agree around a piece at `offset` of `there`: as far as they do.
  Match extend(const Piece& piece, std::uint32_t not_before, Bytes there, std::size_t offset) const;
  void learn_literals(const Recipe& recipe);
  void remember(Recipe recipe);

  store::WriteTransaction& transaction_;
  SegmentWriter& segments_;
  std::uint64_t seed_;
  std::vector<Piece>& pieces_;  // of the middle, offsets in the payload
  Group& group_;
  Bytes payload_;

  RecentPayload* base_ = nullptr;
  std::uint32_t prefix_ = 0;    // what the payload and the base have in common at the begin ...
  std::uint32_t suffix_ = 0;    // ... and at the end
  std::size_t next_piece_ = 0;  // the first that add_new has not gone past
  Recipe recipe_;
};

}  // namespace tracelite::payload
