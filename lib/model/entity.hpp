// An entity as the set of its events left it: registers, each with the order of its writer.
//
// join() is commutative, associative and idempotent, so an entity is a function of the set of its
// events whatever their order, repetition or batches. An event is simply an entity with one order.
// Streamed text is the exception: its pieces are joined in their order, each once, and only with
// each other before anything that sets the field comes between (ingest/joiner.hpp).
//
// Knows no I/O: a payload's bytes are either here (inline) or somewhere else (stored, by number).
//
// Record format, of an entry of key space `record`:
//
//   kind            1 byte     EntityKind
//   flags           1 byte     bit 0: an observation whose trace-less events are kept elsewhere
//   id              id coding  1 byte: 0 text, 8 or 16: that many bytes of lower-case hex;
//                              text: varint size, bytes
//   order count     varint     0 for the header of a trace or session without an event of its own
//   orders          ascending: event time (zigzag varint; from the second on: difference to the one
//                   before), is_update (1 byte), body time less event time (zigzag varint),
//                   digest (8 bytes big-endian)
//   register count  varint
//   registers       ascending by field: field (1 byte), flags (1 byte: Register::Flag),
//                   order (varint, an index into orders; only if there are several), value (varint
//                   size, bytes; absent if cleared)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/bytes.hpp"
#include "model/field.hpp"
#include "model/metadata_tree.hpp"
#include "model/order.hpp"
#include "model/result.hpp"

namespace tracelite::model {

enum class Form : std::uint8_t {
  absent = 0,
  null = 1,
  json = 2,
  text = 3,
  bytes = 4,
  withheld = 5
};

// The media of a payload: references stand in its bytes where they were taken out.
struct PayloadMedia {
  Bytes list;  // coded as media.hpp says; empty: none
  std::uint64_t given_size_bytes = 0;
};

// The value of a payload register: its form, and its bytes or where they are.
// Coding: form (1 byte), storage (1 byte: bit 0 stored instead of inline, bit 1 with media); with
// media: the size as it was given (varint) and the list (varint size, bytes); then inline: the
// bytes; stored: number and size as varints. A withheld payload is inline without bytes and holds
// its size as "stored" 0.
struct PayloadValue {
  Form form = Form::absent;
  bool is_stored = false;
  std::uint64_t number = 0;             // stored: its payload number
  std::uint64_t size_bytes = 0;         // as it was given
  std::uint64_t stored_size_bytes = 0;  // of what lies here: with references instead of media
  Bytes bytes;                          // inline: a view into the register
  Bytes media_list;                     // a view into the register; empty: none

  [[nodiscard]] bool has_media() const { return !media_list.empty(); }
  [[nodiscard]] PayloadMedia media() const { return {media_list, size_bytes}; }

  static PayloadValue decode(Bytes value);
  static std::string encode_inline(Form form, Bytes bytes, const PayloadMedia& media = {});
  static std::string encode_stored(Form form, std::uint64_t number, std::uint64_t stored_size_bytes,
                                   const PayloadMedia& media = {});
  friend bool operator==(const PayloadValue&, const PayloadValue&) = default;
};

struct Register {
  enum Flag : std::uint8_t {
    kCleared = 1,   // an explicit null
    kWeak = 2,      // counts only where nothing else was written: defaults, `{}`, implied types
    kStreamed = 4,  // a payload that was appended and grows so; joins by concatenation in a batch
    kTree = 8,      // metadata merged from several events: the payload is a coded MetadataTree
  };

  Field field{};
  std::uint8_t flags = 0;
  std::uint32_t order = 0;  // index into Entity::orders
  std::string value;        // coded by the field's type, see event.hpp

  [[nodiscard]] bool cleared() const { return (flags & kCleared) != 0; }
  [[nodiscard]] bool weak() const { return (flags & kWeak) != 0; }
  [[nodiscard]] bool streamed() const { return (flags & kStreamed) != 0; }
  [[nodiscard]] bool tree() const { return (flags & kTree) != 0; }
  friend bool operator==(const Register&, const Register&) = default;
};

struct Entity {
  EntityKind kind{};
  bool has_stray = false;
  std::string id;
  std::vector<Order> orders;        // ascending; the first and the last event are always among them
  std::vector<Register> registers;  // ascending by field

  [[nodiscard]] const Register* find(Field field) const;
  Register* find(Field field);
  [[nodiscard]] const Order& first_order() const { return orders.front(); }
  [[nodiscard]] const Order& last_order() const { return orders.back(); }
  [[nodiscard]] const Order& order_of(const Register& reg) const { return orders[reg.order]; }
  friend bool operator==(const Entity&, const Entity&) = default;
};

void encode(const Entity& entity, std::string& out);
// Errors: corrupt.
Result<Entity> decode(Bytes record);
// The same into an entity that is there already, whose memory is used again.
Status decode(Bytes record, Entity& entity);

// Ids in W3C form are kept as bytes: see "id" above.
void append_id(std::string& out, Bytes id);
std::string read_id(ByteReader& reader);

// Reads the metadata of a register that is not a tree yet as one; implemented where payloads are.
class MetadataSource {
 public:
  virtual ~MetadataSource() = default;
  virtual Result<MetadataTree> read(const Register& reg, const Order& order) = 0;
};

// The entity of both sets of events. `a` and `b` are of the same kind and id.
// Errors: those of the source.
Result<Entity> join(const Entity& a, const Entity& b, MetadataSource& source);

}  // namespace tracelite::model
