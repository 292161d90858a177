#include "bench/archive.hpp"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

namespace bench {
namespace {

std::size_t require(std::size_t result) {
  if (ZSTD_isError(result) != 0) throw std::runtime_error(ZSTD_getErrorName(result));
  return result;
}

struct FreeCompressor {
  void operator()(ZSTD_CCtx* compressor) const { ZSTD_freeCCtx(compressor); }
};

}  // namespace

std::uint64_t archive_size_bytes(std::string_view bytes, Progress& progress) {
  constexpr std::size_t kPieceSizeBytes = std::size_t{1} << 20;
  const std::unique_ptr<ZSTD_CCtx, FreeCompressor> compressor(ZSTD_createCCtx());
  require(ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_compressionLevel, kArchiveLevel));
  require(ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_enableLongDistanceMatching, 1));
  require(ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_windowLog, kArchiveWindowLog));
  require(ZSTD_CCtx_setPledgedSrcSize(compressor.get(), bytes.size()));

  std::vector<char> buffer(ZSTD_CStreamOutSize());
  std::uint64_t size_bytes = 0;
  std::size_t at = 0;
  for (bool is_done = false; !is_done;) {
    const std::size_t piece_bytes = std::min(kPieceSizeBytes, bytes.size() - at);
    const bool is_last = at + piece_bytes == bytes.size();
    ZSTD_inBuffer in{bytes.data() + at, piece_bytes, 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      left = require(ZSTD_compressStream2(compressor.get(), &out, &in,
                                          is_last ? ZSTD_e_end : ZSTD_e_continue));
      size_bytes += out.pos;
    } while (in.pos < in.size || (is_last && left > 0));
    at += piece_bytes;
    is_done = is_last;
    progress.show(at, bytes.size());
  }
  return size_bytes;
}

}  // namespace bench
