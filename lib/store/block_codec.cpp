// Compressing and decompressing with one context each, which is kept.
#include "store/block_codec.hpp"

#include <zstd.h>

namespace tracelite::store {
namespace {

constexpr std::uint8_t kRaw = 0;
constexpr std::uint8_t kZstd = 1;
constexpr std::uint8_t kZstdWithDictionary = 2;
// Nothing that is recorded comes near; a hostile size must not be believed.
constexpr std::uint64_t kRawSizeBytesMax = std::uint64_t{64} << 20;

Error damage(const char* what) {
  return make_error(Code::corrupt, std::string("a block of packed entries: ") + what);
}

Error no_memory() { return make_error(Code::no_memory, "there is no memory to compress with"); }

}  // namespace

void BlockCodec::Deleter::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
void BlockCodec::Deleter::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

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
  const std::uint64_t held = block.coding == kRaw
                                 ? block.body.size()
                                 : ZSTD_getFrameContentSize(block.body.data(), block.body.size());
  if (held != size_bytes) return damage("its size is wrong");
  return block;
}

Result<std::string> BlockCodec::decode(const CodedBlock& block, const Dictionary* dictionary) {
  if (block.coding == kRaw) return std::string(block.body);
  if (!decompressor_) decompressor_.reset(ZSTD_createDCtx());
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
  if (!compressor_) {
    compressor_.reset(ZSTD_createCCtx());
    if (!compressor_) return no_memory();
    ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_dictIDFlag, 0);
  }
  value_.assign(1, static_cast<char>(dictionary == nullptr ? kZstd : kZstdWithDictionary));
  append_varint(value_, raw.size());
  const std::size_t raw_head = value_.size();
  if (dictionary != nullptr) append_varint(value_, number);
  const std::size_t head = value_.size();
  value_.resize(head + ZSTD_compressBound(raw.size()));
  ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(compressor_.get(), ZSTD_c_checksumFlag, dictionary == nullptr ? 0 : 1);
  ZSTD_CCtx_refCDict(compressor_.get(),
                     dictionary == nullptr ? nullptr : dictionary->for_compression());
  const std::size_t size = ZSTD_compress2(compressor_.get(), value_.data() + head,
                                          value_.size() - head, raw.data(), raw.size());
  if (ZSTD_isError(size) == 0 && size < raw.size()) {
    value_.resize(head + size);
    return Bytes(value_);
  }
  value_[0] = static_cast<char>(kRaw);
  value_.resize(raw_head);
  value_.append(raw);
  return Bytes(value_);
}

}  // namespace tracelite::store
