// Payload bytes <-> stored bytes, the simplest way that keeps the promises: a payload has a number,
// its bytes are cut into slices, each slice is compressed by itself and stored in one-page pieces.
//
// Knows bytes and store/. Must not know what a trace is, nor whether bytes are JSON.
//
// The rooms above see only numbers, so that sharing, frames and dictionaries can come in here
// without their notice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::payload {

using PayloadNumber = std::uint64_t;  // at least 1; 48 bits in the file

// Raw bytes that one slice holds at most: what reading one byte costs at most to decode.
inline constexpr std::size_t kSliceSizeBytes = std::size_t{256} << 10;
inline constexpr std::size_t kMinimumCompressedSizeBytes = 256;  // shorter slices are stored raw

// Belongs to the transaction and, like it, to one thread at a time. Keep one for many reads: it
// holds the decompression context.
class PayloadReader {
 public:
  explicit PayloadReader(const store::Transaction& transaction);
  ~PayloadReader();
  PayloadReader(PayloadReader&&) noexcept;
  PayloadReader& operator=(PayloadReader&&) = delete;

  // Errors: not_found, corrupt, no_memory.
  Result<std::uint64_t> size_bytes(PayloadNumber number) const;
  Result<std::string> read_all(PayloadNumber number) const;
  // Appends up to size_bytes bytes from offset to out; fewer at the end of the payload, none beyond
  // it. After an error, out is as it was.
  Status read(PayloadNumber number, std::uint64_t offset, std::uint64_t size_bytes,
              std::string& out) const;

 private:
  struct State;
  const store::Transaction& transaction_;
  std::unique_ptr<State> state_;
};

class PayloadWriter {
 public:
  // Compression contexts are kept between transactions; one writer belongs to one thread.
  PayloadWriter();
  ~PayloadWriter();
  PayloadWriter(const PayloadWriter&) = delete;
  PayloadWriter& operator=(const PayloadWriter&) = delete;

  // Takes the next payload number (a counter under `meta`). The payload exists from its first
  // append on, which may be of no bytes. Errors as of WriteTransaction::put, and corrupt.
  Result<PayloadNumber> create(store::WriteTransaction& transaction);
  // Adds bytes at the end: a streamed text grows this way, a large payload comes in parts. Each
  // append makes slices of its own, so many small ones cost much more than one large.
  Status append(store::WriteTransaction& transaction, PayloadNumber number, Bytes bytes);
  // create and append in one.
  Result<PayloadNumber> put(store::WriteTransaction& transaction, Bytes bytes);
  // Removes the payload, damaged or not; ok if there is none.
  Status erase(store::WriteTransaction& transaction, PayloadNumber number);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tracelite::payload
