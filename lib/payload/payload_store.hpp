// Payload bytes <-> stored bytes. A payload has a number; the rooms above see nothing else.
//
// Knows bytes and store/. Must not know what a trace is.
//
// There are three ways to lie in the file. Payloads of a group (what one session or trace records)
// share text: group_writer.hpp. Payloads stored by themselves are slices in key space `payload`:
// those that grow by appending, come in parts, or are read back by whoever writes. The bytes of
// media are slices, too, in key space `media`. The number says which: group_format.hpp, kInMedia.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::payload {

using PayloadNumber = std::uint64_t;  // at least 1
// What shares pieces of text: the number of a session's or a trace's container; 0 is no group.
using GroupNumber = std::uint64_t;

// Beside the highest bit, which is group_format.hpp's: the bytes of a medium, see media_store.hpp.
inline constexpr PayloadNumber kInMedia = PayloadNumber{1} << 62;
inline bool is_in_media(PayloadNumber number) { return number >> 62 == 1; }

// Raw bytes that one slice holds at most: what reading one byte costs at most to decode.
inline constexpr std::size_t kSliceSizeBytes = std::size_t{256} << 10;
// Longer payloads are stored by themselves.
inline constexpr std::size_t kSharedPayloadSizeBytesMax = std::size_t{4} << 20;

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
  // As read, into memory of the caller's, which after an error may hold anything; how many bytes.
  Result<std::size_t> read_into(PayloadNumber number, std::uint64_t offset,
                                std::span<char> out) const;

 private:
  struct State;
  const store::Transaction& transaction_;
  std::unique_ptr<State> state_;
};

class PayloadWriter {
 public:
  // What it remembers of the file holds only while its own transactions are consecutive: forget()
  // after another writer's commit, and after a failed transaction. One writer belongs to one
  // thread.
  PayloadWriter();
  ~PayloadWriter();
  PayloadWriter(const PayloadWriter&) = delete;
  PayloadWriter& operator=(const PayloadWriter&) = delete;

  // Takes the next payload number (a counter under `meta`). The payload exists from its first
  // append on, which may be of no bytes. Errors as of WriteTransaction::put, and corrupt.
  Result<PayloadNumber> create(store::WriteTransaction& transaction);
  // The same for the bytes of a medium, which are not compressed if they are already. What is
  // appended to it, up to the last time, is a multiple of kSliceSizeBytes.
  Result<PayloadNumber> create_medium(store::WriteTransaction& transaction);
  // Adds bytes at the end: a streamed text grows this way, a large payload comes in parts. Short
  // slices of appends before are put together with it, so that many small appends leave few slices;
  // each byte is written anew some ten times then, so few large ones cost less.
  Status append(store::WriteTransaction& transaction, PayloadNumber number, Bytes bytes);
  // create and append in one.
  Result<PayloadNumber> put(store::WriteTransaction& transaction, Bytes bytes);
  // Stores a payload that shares text with others of its group, if it may; by itself if not. Only
  // flush() writes all of it; until then readers of this same transaction find it in memory.
  Result<PayloadNumber> put(store::WriteTransaction& transaction, GroupNumber group, Bytes bytes);
  // About what the file keeps for a group until its last payload goes: its log, and the long pieces
  // that it has in common with others or not. 0: there is none. Errors: corrupt, io.
  Result<std::uint64_t> kept_size_bytes(store::WriteTransaction& transaction,
                                        GroupNumber group) const;
  // To be called before a commit that follows a put with a group.
  Status flush(store::WriteTransaction& transaction);
  void forget();
  // Removes the payload, damaged or not; ok if there is none. In a group, its bytes stay until the
  // group's last payload goes.
  Status erase(store::WriteTransaction& transaction, PayloadNumber number);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tracelite::payload
