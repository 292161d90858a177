// zstd's contexts, kept in the process for whoever compresses next: each takes a megabyte or less
// and some ten microseconds to make.
//
// Nobody waits here, and nothing is made on first use, so that the child of a fork may use it at
// any time.
#pragma once

#include <memory>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace tracelite::store {

struct GiveContextBack {
  void operator()(ZSTD_CCtx_s* context) const;
  void operator()(ZSTD_DCtx_s* context) const;
};
using CompressionContext = std::unique_ptr<ZSTD_CCtx_s, GiveContextBack>;
using DecompressionContext = std::unique_ptr<ZSTD_DCtx_s, GiveContextBack>;

// With parameters as in a new one. Null: there is no memory.
CompressionContext borrow_compression_context();
DecompressionContext borrow_decompression_context();

}  // namespace tracelite::store
