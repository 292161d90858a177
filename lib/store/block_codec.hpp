// Blocks of packed key spaces: from entries' bytes to values and back.
//
// A block's value is
//     1 byte   coding: 0 raw, 1 zstd (one frame, with content size), 2 zstd with a dictionary (the
//              frame has a checksum as well, because a wrong dictionary decodes to wrong bytes)
//     varint   raw size
//     varint   number of the dictionary, if coding is 2
//     the body
#pragma once

#include <memory>
#include <string>

#include "store/dictionary.hpp"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace tracelite::store {

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
  // Valid until the next call. With a dictionary, its level counts. Errors: no_memory.
  Result<Bytes> encode(Bytes raw, int level, const Dictionary* dictionary, DictionaryNumber number);

 private:
  struct Deleter {
    void operator()(ZSTD_CCtx_s* context) const;
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Deleter> compressor_;
  std::unique_ptr<ZSTD_DCtx_s, Deleter> decompressor_;
  std::string value_;
};

}  // namespace tracelite::store
