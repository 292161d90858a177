// How a block lies in the file, and how hard it is compressed.
#include "payload/block.hpp"

#include <zstd.h>
#include <zstd_errors.h>

#include <array>
#include <span>

namespace tracelite::payload {
namespace {

using store::KeySpace;

constexpr std::uint8_t kMark = 0x80;  // beside the coding
constexpr std::size_t kHeaderSizeBytesMax = 1 + 3 + 3;
constexpr std::uint64_t kPieceNumberMax = (std::uint64_t{1} << 16) - 1;
static_assert(kBlockSizeBytesMax < (std::size_t{1} << 21), "three varint bytes");

// Where to cut. A value of more than 2,010 bytes takes whole pages of LMDB, so full pages come
// first; what is left over goes into pieces of which four share a page, unless it nearly fills a
// page of its own. Measured on recorded payloads (39.1 MB when compressed): 43.0 MB of pages this
// way, 43.7 MB if the rest is one piece, 44.6 MB if it is cut into pieces of 2,010 bytes at most
// (LMDB leaves too much free where two share a page), 50 MB if blocks are not cut at all.
constexpr std::size_t kSharedPieceSizeBytes = 990;
constexpr std::size_t kOwnPageSizeBytes = 3600;
static_assert(kBlockSizeBytesMax / kSharedPieceSizeBytes < kPieceNumberMax,
              "piece numbers have two bytes");
static_assert(kHeaderSizeBytesMax < kSharedPieceSizeBytes, "the first piece has the header");

std::size_t piece_size(std::size_t rest) {
  if (rest >= store::kOnePageValueSizeBytes) return store::kOnePageValueSizeBytes;
  if (rest > kOwnPageSizeBytes || rest <= kSharedPieceSizeBytes) return rest;
  const std::size_t pieces = (rest + kSharedPieceSizeBytes - 1) / kSharedPieceSizeBytes;
  return (rest + pieces - 1) / pieces;
}

// How hard to compress. Measured on recorded payloads, microseconds for one block -> ratio:
//     bytes          level -1       level 1        level 3
//     64..255        1.7 -> 1.0     5.7 -> 1.1     5.8 -> 1.1    so not at all
//     256..511       2.7 -> 1.2     6.7 -> 1.5     8.0 -> 1.5
//     512..1,023     4.3 -> 1.4     8.8 -> 1.7      11 -> 1.7
//     1,024..2,047   7.5 -> 1.9      11 -> 2.4      14 -> 2.4
//     16,384..       78 -> 2.5       91 -> 3.0     108 -> 3.1
// In short blocks, level 1 takes twice the time of level -1, most of it for tables of its own; in
// long ones it costs a sixth and saves a fifth of the bytes.
constexpr std::size_t kShortBlockSizeBytes = 2048;
constexpr int kShortBlockLevel = -1;
constexpr int kLevel = 1;

// Compressed only if it saves at least a sixteenth.
bool pays(std::size_t compressed, std::size_t raw) { return compressed <= raw - raw / 16; }

Error damage(const char* what) {
  return make_error(Code::corrupt, std::string("a block of payload bytes: ") + what);
}

// nullopt unless the header keeps to what the writer promises: nothing is allocated before.
std::optional<Block> parse(Bytes first_piece) {
  ByteReader reader(first_piece);
  const std::uint8_t first = reader.byte();
  const std::uint64_t raw = reader.varint();
  const std::uint64_t stored = reader.varint();
  const Bytes body_start = reader.rest();
  const auto coding = static_cast<BlockCoding>(first & ~kMark);
  const bool sizes_agree = coding == BlockCoding::raw ? stored == raw : stored < raw;
  if (reader.failed() || coding > BlockCoding::zstd || raw > kBlockSizeBytesMax || !sizes_agree ||
      body_start.size() > stored) {
    return std::nullopt;
  }
  return Block{coding, (first & kMark) != 0, static_cast<std::size_t>(raw),
               static_cast<std::size_t>(stored), body_start};
}

std::string header_of(BlockCoding coding, bool marked, Bytes raw, Bytes body) {
  std::string header;
  header.push_back(static_cast<char>(static_cast<unsigned>(coding) | (marked ? kMark : 0U)));
  append_varint(header, raw.size());
  append_varint(header, body.size());
  return header;
}

Status put_pieces(store::WriteTransaction& transaction, KeySpace space, Bytes prefix, Bytes header,
                  Bytes body) {
  std::uint64_t piece = 0;
  Bytes start = header;
  do {
    const std::size_t from_body = piece_size(start.size() + body.size()) - start.size();
    const std::array<Bytes, 2> parts = {start, body.substr(0, from_body)};
    TL_TRY(transaction.put(space, piece_key(prefix, piece), std::span<const Bytes>(parts)));
    body.remove_prefix(from_body);
    start = {};
    ++piece;
  } while (!body.empty());
  return {};
}

}  // namespace

std::string piece_key(Bytes prefix, std::uint64_t piece) {
  std::string key(prefix);
  append_big_endian(key, piece, 2);
  return key;
}

Result<std::optional<Block>> find_block(const store::Transaction& transaction, KeySpace space,
                                        Bytes prefix) {
  TL_TRY_ASSIGN(value, transaction.get(space, piece_key(prefix, 0)));
  if (!value) return std::optional<Block>();
  const auto block = parse(*value);
  if (!block) return damage("its header is wrong");
  return block;
}

Result<bool> erase_block(store::WriteTransaction& transaction, KeySpace space, Bytes prefix) {
  for (std::uint64_t piece = 0; piece <= kPieceNumberMax; ++piece) {
    TL_TRY_ASSIGN(erased, transaction.erase(space, piece_key(prefix, piece)));
    if (!erased) return piece > 0;
  }
  return true;
}

// ---------------------------------------------------------------------------------------- reading

void BlockReader::Deleter::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }
BlockReader::BlockReader() = default;
BlockReader::~BlockReader() = default;
BlockReader::BlockReader(BlockReader&&) noexcept = default;

// In place if the block has one piece, else joined.
Result<Bytes> BlockReader::body(const store::Transaction& transaction, KeySpace space, Bytes prefix,
                                const Block& block) {
  if (block.body_start.size() == block.stored_size_bytes) return block.body_start;
  joined_.assign(block.body_start);
  store::Cursor cursor = transaction.cursor(space);
  for (std::uint64_t piece = 1; joined_.size() < block.stored_size_bytes; ++piece) {
    const std::string key = piece_key(prefix, piece);
    TL_TRY_ASSIGN(found, piece == 1 ? cursor.seek(key) : cursor.next());
    if (!found || cursor.key() != key) return damage("a piece is missing");
    const Bytes value = cursor.value();
    if (value.empty() || value.size() > block.stored_size_bytes - joined_.size()) {
      return damage("a piece has the wrong size");
    }
    joined_.append(value);
  }
  return Bytes(joined_);
}

Status BlockReader::read(const store::Transaction& transaction, KeySpace space, Bytes prefix,
                         const Block& block, char* out) {
  TL_TRY_ASSIGN(stored, body(transaction, space, prefix, block));
  if (block.coding == BlockCoding::raw) {
    std::memcpy(out, stored.data(), stored.size());
    return {};
  }
  if (!context_) context_.reset(ZSTD_createDCtx());
  if (!context_) return make_error(Code::no_memory, "there is no memory to decompress a payload");
  const std::size_t size =
      ZSTD_decompressDCtx(context_.get(), out, block.raw_size_bytes, stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != block.raw_size_bytes) {
    return damage("its bytes do not decompress to the size in its header");
  }
  return {};
}

// ---------------------------------------------------------------------------------------- writing

void BlockWriter::Deleter::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
BlockWriter::BlockWriter() = default;
BlockWriter::~BlockWriter() = default;

// What zstd makes of the block, valid until the next call.
Result<Bytes> BlockWriter::compress(Bytes raw) {
  if (!context_) {
    context_.reset(ZSTD_createCCtx());
    if (!context_) return make_error(Code::no_memory, "there is no memory to compress a payload");
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_contentSizeFlag, 1);
  }
  const bool is_short = raw.size() < kShortBlockSizeBytes;
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel,
                         is_short ? kShortBlockLevel : kLevel);
  if (compressed_.empty()) compressed_.resize(ZSTD_compressBound(kBlockSizeBytesMax));
  const std::size_t size = ZSTD_compress2(context_.get(), compressed_.data(), compressed_.size(),
                                          raw.data(), raw.size());
  if (ZSTD_isError(size) != 0) {
    return make_error(Code::no_memory, std::string("zstd: ") + ZSTD_getErrorName(size), {},
                      static_cast<int>(ZSTD_getErrorCode(size)));
  }
  return Bytes(compressed_).substr(0, size);
}

Status BlockWriter::put(store::WriteTransaction& transaction, KeySpace space, Bytes prefix,
                        Bytes raw, bool marked) {
  BlockCoding coding = BlockCoding::raw;
  Bytes body = raw;
  if (raw.size() >= kMinimumCompressedSizeBytes) {
    TL_TRY_ASSIGN(smaller, compress(raw));
    if (pays(smaller.size(), raw.size())) {
      coding = BlockCoding::zstd;
      body = smaller;
    }
  }
  return put_pieces(transaction, space, prefix, header_of(coding, marked, raw, body), body);
}

Status BlockWriter::put_raw(store::WriteTransaction& transaction, KeySpace space, Bytes prefix,
                            Bytes raw, bool marked) {
  return put_pieces(transaction, space, prefix, header_of(BlockCoding::raw, marked, raw, raw), raw);
}

Result<bool> BlockWriter::is_compressible(Bytes sample) {
  if (sample.size() < kMinimumCompressedSizeBytes) return false;
  TL_TRY_ASSIGN(smaller, compress(sample));
  return pays(smaller.size(), sample.size());
}

}  // namespace tracelite::payload
