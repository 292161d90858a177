// Compressing and decompressing with one context each, borrowed for the life of a transaction.
#include "store/block_codec.hpp"

// For ZSTD_c_srcSizeHint, which is as old as the stable parameters and only missing from their
// list.
#define ZSTD_STATIC_LINKING_ONLY  // NOLINT(readability-identifier-naming)
#include <zstd.h>

#include <algorithm>

namespace tracelite::store {
namespace {

constexpr std::uint8_t kRaw = 0;
constexpr std::uint8_t kZstd = 1;
constexpr std::uint8_t kZstdWithDictionary = 2;
// The coding, and two numbers.
constexpr std::size_t kHeadSizeBytesMax = 1 + 10 + 5;

Error damage(const char* what) {
  return make_error(Code::corrupt, std::string("a block of packed entries: ") + what);
}

Error no_memory() { return make_error(Code::no_memory, "there is no memory to compress with"); }

}  // namespace

Result<CodedBlock> parse_block(Bytes value) {
  ByteReader reader(value);
  CodedBlock block;
  block.coding = reader.byte();
  const std::uint64_t size_bytes = reader.varint();
  const std::uint64_t number = block.coding == kZstdWithDictionary ? reader.varint() : 0;
  block.body = reader.rest();
  if (reader.failed() || block.coding > kZstdWithDictionary || size_bytes > kRawSizeBytesMax ||
      number > UINT32_MAX || (number == 0 && block.coding == kZstdWithDictionary)) {
    return damage("its header is wrong");
  }
  block.raw_size_bytes = static_cast<std::size_t>(size_bytes);
  block.dictionary = static_cast<DictionaryNumber>(number);
  if (block.coding == kRaw && block.body.size() != size_bytes) return damage("its size is wrong");
  return block;
}

Result<std::string> BlockCodec::decode(const CodedBlock& block, const Dictionary* dictionary) {
  if (block.coding == kRaw) return std::string(block.body);
  if (!decompressor_) decompressor_ = borrow_decompression_context();
  if (!decompressor_) return no_memory();
  ZSTD_DCtx_refDDict(decompressor_.get(),
                     dictionary == nullptr ? nullptr : dictionary->for_decompression());
  std::string raw(block.raw_size_bytes, '\0');
  const std::size_t size = ZSTD_decompressDCtx(decompressor_.get(), raw.data(), raw.size(),
                                               block.body.data(), block.body.size());
  if (ZSTD_isError(size) != 0 || size != raw.size()) return damage("it does not decompress");
  return raw;
}

Result<Bytes> BlockCodec::encode(Bytes raw, int level, const Dictionary* dictionary,
                                 DictionaryNumber number) {
  TL_TRY(begin(level, dictionary, number, raw.size()));
  return finish(raw);
}

Status BlockCodec::begin(int level, const Dictionary* dictionary, DictionaryNumber number,
                         std::size_t size_bytes_expected) {
  if (!compressor_) compressor_ = borrow_compression_context();
  if (!compressor_) return no_memory();
  ZSTD_CCtx_s* const to = compressor_.get();
  ZSTD_CCtx_reset(to, ZSTD_reset_session_only);
  ZSTD_CCtx_setParameter(to, ZSTD_c_dictIDFlag, 0);
  ZSTD_CCtx_setParameter(to, ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(to, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(to, ZSTD_c_checksumFlag, dictionary == nullptr ? 0 : 1);
  ZSTD_CCtx_setParameter(to, ZSTD_c_srcSizeHint, static_cast<int>(size_bytes_expected));
  ZSTD_CCtx_refCDict(to, dictionary == nullptr ? nullptr : dictionary->for_compression());
  dictionary_number_ = dictionary == nullptr ? 0 : number;
  value_size_bytes_ = kHeadSizeBytesMax;
  compressed_size_bytes_ = 0;
  return {};
}

Status BlockCodec::compress(Bytes raw, bool is_all) {
  const Bytes fresh = raw.substr(compressed_size_bytes_);
  const std::size_t most = value_size_bytes_ + ZSTD_compressBound(fresh.size());
  if (value_.size() < most) value_.resize(most);
  ZSTD_inBuffer in{fresh.data(), fresh.size(), 0};
  for (;;) {
    ZSTD_outBuffer out{value_.data(), value_.size(), value_size_bytes_};
    const std::size_t left =
        ZSTD_compressStream2(compressor_.get(), &out, &in, is_all ? ZSTD_e_end : ZSTD_e_flush);
    if (ZSTD_isError(left) != 0) return no_memory();
    value_size_bytes_ = out.pos;
    if (left == 0) break;
    value_.resize(value_.size() + left);
  }
  compressed_size_bytes_ = raw.size();
  encoded_size_bytes_ += fresh.size();
  return {};
}

void BlockCodec::rest() {
  compressor_.reset();
  decompressor_.reset();
  value_ = {};
}

Result<std::size_t> BlockCodec::add(Bytes raw) {
  TL_TRY(compress(raw, false));
  return std::min(value_size_bytes_ - kHeadSizeBytesMax, raw.size()) + kHeadSizeBytesMax;
}

Result<Bytes> BlockCodec::finish(Bytes raw) {
  TL_TRY(compress(raw, true));
  const bool is_raw = value_size_bytes_ - kHeadSizeBytesMax >= raw.size();
  std::string head(1, static_cast<char>(is_raw                    ? kRaw
                                        : dictionary_number_ == 0 ? kZstd
                                                                  : kZstdWithDictionary));
  append_varint(head, raw.size());
  if (is_raw) {
    value_.assign(head);
    value_.append(raw);
    return Bytes(value_);
  }
  if (dictionary_number_ != 0) append_varint(head, dictionary_number_);
  const std::size_t begin = kHeadSizeBytesMax - head.size();
  std::ranges::copy(head, value_.begin() + static_cast<std::ptrdiff_t>(begin));
  return Bytes(value_).substr(begin, value_size_bytes_ - begin);
}

}  // namespace tracelite::store
