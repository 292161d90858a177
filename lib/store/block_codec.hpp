// Blocks of packed key spaces: from entries' bytes to values and back.
//
// A block's value is
//     1 byte   coding: 0 raw, 1 zstd (one frame), 2 zstd with a dictionary (the frame has a
//     checksum
//              as well, because a wrong dictionary decodes to wrong bytes)
//     varint   raw size
//     varint   number of the dictionary, if coding is 2
//     the body
#pragma once

#include <string>

#include "store/dictionary.hpp"
#include "store/zstd_contexts.hpp"

namespace tracelite::store {

// Of a block's entries. A hostile size must not be believed.
inline constexpr std::uint64_t kRawSizeBytesMax = std::uint64_t{64} << 20;

struct CodedBlock {
  std::uint8_t coding = 0;
  std::size_t raw_size_bytes = 0;
  DictionaryNumber dictionary = 0;
  Bytes body;
};
// Errors: corrupt.
Result<CodedBlock> parse_block(Bytes value);

// Belongs to one thread at a time.
class BlockCodec {
 public:
  // `dictionary` is the one that the block names. Errors: corrupt, no_memory.
  Result<std::string> decode(const CodedBlock& block, const Dictionary* dictionary);
  // With a dictionary, its level counts. Errors of all that encode: no_memory.
  Result<Bytes> encode(Bytes raw, int level, const Dictionary* dictionary, DictionaryNumber number);

  // The same by and by, for whoever wants to see how large the value becomes: each call gets all
  // of the raw bytes so far. `size_bytes_expected`: of them all, about.
  Status begin(int level, const Dictionary* dictionary, DictionaryNumber number,
               std::size_t size_bytes_expected);
  Result<std::size_t> add(Bytes raw);  // gives the size of the value, about
  Result<Bytes> finish(Bytes raw);     // valid until the next call
  // Gives back what it has borrowed, until it is needed again.
  void rest();
  // Raw bytes that were compressed, also for what nobody finished.
  [[nodiscard]] std::uint64_t encoded_size_bytes() const { return encoded_size_bytes_; }

 private:
  // What has not been compressed yet.
  Status compress(Bytes raw, bool is_all);

  CompressionContext compressor_;
  DecompressionContext decompressor_;
  // Of the value at work: room for its head, the body, and bytes of earlier ones.
  std::string value_;
  std::size_t value_size_bytes_ = 0;
  std::size_t compressed_size_bytes_ = 0;  // of the raw bytes
  DictionaryNumber dictionary_number_ = 0;
  std::uint64_t encoded_size_bytes_ = 0;
};

}  // namespace tracelite::store
