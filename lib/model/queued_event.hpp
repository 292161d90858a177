// An event as it waits between the thread that records and the one that writes: what was given,
// copied once. What takes time is left to assemble(): looking through payloads, sorting fields, the
// digest of the order.
//
// Coding, in memory only and so in the machine's own byte order: a head, then parts in any order,
// each a PartHead and its bytes. Of a field given twice the last counts.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "model/bytes.hpp"
#include "model/entity.hpp"
#include "model/result.hpp"

namespace tracelite::model {

struct Event;

struct QueuedHead {
  EntityKind kind{};
  bool is_update = false;
  std::int64_t event_time_ns = 0;
};

struct PartHead {
  static constexpr std::uint8_t kId = 0xfe, kTraceId = 0xff;  // in the place of a field
  enum Flag : std::uint8_t {                                  // beside those of Register
    kNumber = 0x20,     // the bytes are an int64 that a register holds as zigzag varint
    kGiven = 0x40,      // the bytes are those of a payload, not the coded value of a register
    kUnchecked = 0x80,  // nobody has looked whether they are what their form says
  };
  std::uint8_t field = 0;
  std::uint8_t flags = 0;
  Form form = Form::absent;  // of a payload that was given
  std::uint64_t size_bytes = 0;
};

// A part whose bytes lie elsewhere until it is written.
struct GivenPayload {
  PartHead head;
  Bytes given;
  std::string own;  // instead, where there is nothing that stays
  [[nodiscard]] Bytes bytes() const { return own.empty() ? given : Bytes(own); }
};

// The small parts of an event as they are collected: on the stack, unless they are many.
class Parts {
 public:
  void append(PartHead head, Bytes bytes) {
    head.size_bytes = bytes.size();
    char* end = grow(sizeof head + bytes.size());
    std::memcpy(end, &head, sizeof head);
    if (!bytes.empty()) std::memcpy(end + sizeof head, bytes.data(), bytes.size());
  }
  [[nodiscard]] Bytes bytes() const {
    return {larger_.empty() ? own_ : larger_.data(), size_bytes_};
  }

 private:
  // Room behind what there is.
  char* grow(std::size_t size_bytes) {
    const std::size_t before = size_bytes_;
    size_bytes_ += size_bytes;
    if (size_bytes_ > kOwnSizeBytes) {
      if (larger_.empty()) larger_.assign(own_, before);
      larger_.resize(size_bytes_);
      return larger_.data() + before;
    }
    return own_ + before;
  }

  static constexpr std::size_t kOwnSizeBytes = 512;
  std::size_t size_bytes_ = 0;
  std::string larger_;  // instead of own_, once that is full
  char own_[kOwnSizeBytes];
};

std::size_t queued_size_bytes(Bytes parts, std::span<const GivenPayload> payloads);
// Writes as many bytes as that.
void write_queued(const QueuedHead& head, Bytes parts, std::span<const GivenPayload> payloads,
                  char* out);

struct Part {
  PartHead head;
  Bytes bytes;
};
// Takes the first part off; `parts` must not be empty.
Part take_part(Bytes& parts);

// Looks at payloads that were given unchecked, where JSON can be read.
class PayloadChecker {
 public:
  virtual ~PayloadChecker() = default;
  // Sets form and bytes to what is stored; bytes that are new are put into `own`, and lie there.
  virtual void check(Field field, Form& form, Bytes& bytes, std::string& own) = 0;
};

// Errors: corrupt, if the bytes were not written by write_queued.
Result<Event> assemble(Bytes queued, PayloadChecker& checker);

}  // namespace tracelite::model
