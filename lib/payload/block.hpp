// Blocks: a bounded run of bytes, compressed by itself, as values that fill pages of LMDB well.
//
// Knows zstd and store/. Must not know what the bytes are: slices of a payload.
//
// A block lies under a key prefix of its owner; the keys are
//     the prefix
//     2 bytes  piece number, big-endian: 0, 1, 2, ...
// and the values of its pieces, joined, are
//     1 byte      bits 0..6: coding of the body: 0 raw; 1 zstd (one frame, with content size, no
//                 checksum: store/ has one on each piece). Bit 7: a mark of the owner
//     1..3 bytes  raw size, varint: at most kBlockSizeBytesMax
//     1..3 bytes  stored size of the body, varint: equal to the raw size if raw, smaller if zstd
//     the body
// The first piece holds at least this header. Where the cuts are is the writer's business alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace tracelite::payload {

inline constexpr std::size_t kBlockSizeBytesMax = std::size_t{256} << 10;
inline constexpr std::size_t kMinimumCompressedSizeBytes = 256;  // shorter blocks are stored raw

enum class BlockCoding : std::uint8_t { raw = 0, zstd = 1 };

// The first piece of a block, checked; a view into the transaction.
struct Block {
  BlockCoding coding = BlockCoding::raw;
  bool marked = false;
  std::size_t raw_size_bytes = 0;
  std::size_t stored_size_bytes = 0;
  Bytes body_start;  // what of the body is in the first piece
};

// nullopt: there is none. Errors: corrupt, io.
Result<std::optional<Block>> find_block(const store::Transaction& transaction,
                                        store::KeySpace space, Bytes prefix);
// Removes all pieces, damaged or not; true if there was one.
Result<bool> erase_block(store::WriteTransaction& transaction, store::KeySpace space, Bytes prefix);
// The key of one piece.
std::string piece_key(Bytes prefix, std::uint64_t piece);

// Holds the decompression context and buffers; belongs to one thread.
class BlockReader {
 public:
  BlockReader();
  ~BlockReader();
  BlockReader(BlockReader&&) noexcept;
  BlockReader& operator=(BlockReader&&) = delete;

  // Writes the block's raw_size_bytes at `out`. Errors: corrupt, io, no_memory.
  Status read(const store::Transaction& transaction, store::KeySpace space, Bytes prefix,
              const Block& block, char* out);

 private:
  Result<Bytes> body(const store::Transaction& transaction, store::KeySpace space, Bytes prefix,
                     const Block& block);

  struct Deleter {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, Deleter> context_;
  std::string joined_;  // the body of a block that has several pieces
};

// Holds the compression context; belongs to one thread.
class BlockWriter {
 public:
  BlockWriter();
  ~BlockWriter();
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

  // Replaces nothing: the prefix must be free. `raw` has at most kBlockSizeBytesMax bytes. Errors:
  // no_memory, and those of WriteTransaction::put.
  Status put(store::WriteTransaction& transaction, store::KeySpace space, Bytes prefix, Bytes raw,
             bool marked = false);
  // The same without trying to compress.
  static Status put_raw(store::WriteTransaction& transaction, store::KeySpace space, Bytes prefix,
                        Bytes raw, bool marked = false);
  // False for bytes that are compressed already: whether compressing `sample` pays. At most
  // kBlockSizeBytesMax bytes. Errors: no_memory.
  Result<bool> is_compressible(Bytes sample);

 private:
  Result<Bytes> compress(Bytes raw);

  struct Deleter {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Deleter> context_;
  std::string compressed_;  // one block; never shrinks
};

}  // namespace tracelite::payload
