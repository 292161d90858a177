// The bytes of a payload register, wherever they lie, in either of two modes: as given, with its
// media back in their places, byte for byte; or as stored, with references instead.
//
// This is the one place that puts media back. Never decodes more of a medium than what is read of
// it (but for base64 with escaped slashes, which is short: media_scan.hpp).
#pragma once

#include <span>
#include <string>

#include "model/entity.hpp"
#include "payload/payload_store.hpp"

namespace tracelite::payload {

enum class ReadMode : std::uint8_t { as_given = 0, as_stored = 1 };  // the numbers of tl_read_mode

class ValueReader {
 public:
  explicit ValueReader(const store::Transaction& transaction)
      : transaction_(transaction), payloads_(transaction) {}

  static std::uint64_t size_bytes(const model::PayloadValue& value, ReadMode mode) {
    return mode == ReadMode::as_given ? value.size_bytes : value.stored_size_bytes;
  }
  // Fills `out` from offset on, as far as there are bytes; how many. After an error `out` may hold
  // anything. Errors: not_found, corrupt, io, no_memory.
  Result<std::size_t> read_into(const model::PayloadValue& value, ReadMode mode,
                                std::uint64_t offset, std::span<char> out) const;
  // Also corrupt: there are more than size_bytes_max.
  Result<std::string> read_all(const model::PayloadValue& value, ReadMode mode,
                               std::uint64_t size_bytes_max = UINT64_MAX) const;

 private:
  Result<std::string> read_all_as_given(const model::PayloadValue& value) const;
  Result<std::size_t> read_stored(const model::PayloadValue& value, std::uint64_t offset,
                                  std::span<char> out) const;

  const store::Transaction& transaction_;
  PayloadReader payloads_;
};

}  // namespace tracelite::payload
