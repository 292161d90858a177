// Media: what payloads held as base64, each stored once in the file as its bytes, and counted.
//
// Knows key space `media`. Must not know where media come from (media_scan.hpp), nor which payloads
// refer to them: it counts what it is told.
//
// Key space `media`:
//     32 bytes (SHA-256 of the bytes)     the head:
//                                           varint  how often payloads refer to it; the last one to
//                                                   go takes the medium with it
//                                           varint  size of the bytes
//                                           varint  number of the bytes
//                                           text    MIME type, of whoever brought it first: varint
//                                                   size, bytes
//     6 bytes (number), 4 bytes (slice),  the bytes: slices of a payload with this number, see
//         2 bytes (piece)                 payload_store.cpp; raw if a sample says that compressing
//                                         does not pay
#pragma once

#include <map>
#include <optional>
#include <string>

#include "model/entity.hpp"
#include "payload/payload_store.hpp"

namespace tracelite::payload {

struct Medium {
  std::string hash;  // SHA-256 of the bytes
  std::string mime;
  std::string bytes;
};

struct MediumHead {
  std::uint64_t use_count = 0;
  std::uint64_t size_bytes = 0;
  PayloadNumber number = 0;  // what PayloadReader reads the bytes by
  std::string mime;
};

std::string media_hash(Bytes bytes);

// nullopt: there is no such medium. Errors: corrupt, io.
Result<std::optional<MediumHead>> find_medium(const store::Transaction& transaction, Bytes hash);
// By the id that references name it by. Errors: corrupt, io.
Result<std::optional<MediumHead>> find_medium_by_id(const store::Transaction& transaction,
                                                    Bytes id);

// The bytes must be there already.
Status put_medium_head(store::WriteTransaction& transaction, Bytes hash, const MediumHead& head);
// Bytes and head of a medium. One that nobody uses yet has no uses.
Status put_medium(store::WriteTransaction& transaction, PayloadWriter& payloads,
                  const Medium& medium, std::uint64_t use_count = 0);
// Removes the head alone.
Status erase_medium_head(store::WriteTransaction& transaction, Bytes hash);

// What changes in the counts when registers are written and others freed. Nothing is written before
// apply(), so a medium that goes and comes back stays.
class MediaCountChanges {
 public:
  // `value`: of a payload register.
  void add(const model::PayloadValue& value) { change(value, 1); }
  void drop(const model::PayloadValue& value) { change(value, -1); }
  // One use that no payload has.
  void add(Bytes hash) { ++differences_[std::string(hash)]; }
  void drop(Bytes hash) { --differences_[std::string(hash)]; }
  // Errors: corrupt (a medium that is to be used is missing), and those of put. What is to be
  // dropped and is missing or damaged is let go.
  Status apply(store::WriteTransaction& transaction, PayloadWriter& payloads) const;

 private:
  void change(const model::PayloadValue& value, std::int64_t difference);

  std::map<std::string, std::int64_t> differences_;
};

}  // namespace tracelite::payload
