// See zstd_contexts.hpp.
#include "store/zstd_contexts.hpp"

#include <zstd.h>

#include <array>
#include <atomic>
#include <cstddef>

namespace tracelite::store {
namespace {

constexpr std::size_t kKeptContextCount = 4;
// Those of high levels are larger, and wanted seldom.
constexpr std::size_t kKeptContextSizeBytesMax = std::size_t{2} << 20;

template <class Context>
class Shelf {
 public:
  Context* take() {
    for (std::atomic<Context*>& place : places_) {
      if (place.load(std::memory_order_relaxed) == nullptr) continue;
      if (Context* const found = place.exchange(nullptr, std::memory_order_acquire)) return found;
    }
    return nullptr;
  }
  // False if there is no place.
  bool put(Context* context) {
    for (std::atomic<Context*>& place : places_) {
      Context* none = nullptr;
      if (place.compare_exchange_strong(none, context, std::memory_order_release)) return true;
    }
    return false;
  }

 private:
  std::array<std::atomic<Context*>, kKeptContextCount> places_{};
};

// Never emptied: whoever compresses during exit may still come.
constinit Shelf<ZSTD_CCtx> compression_contexts;
constinit Shelf<ZSTD_DCtx> decompression_contexts;

}  // namespace

void GiveContextBack::operator()(ZSTD_CCtx_s* context) const {
  // Also lets go of the dictionary.
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  const bool is_kept =
      ZSTD_sizeof_CCtx(context) <= kKeptContextSizeBytesMax && compression_contexts.put(context);
  if (!is_kept) ZSTD_freeCCtx(context);
}

void GiveContextBack::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters);
  if (!decompression_contexts.put(context)) ZSTD_freeDCtx(context);
}

CompressionContext borrow_compression_context() {
  ZSTD_CCtx* const kept = compression_contexts.take();
  return CompressionContext(kept != nullptr ? kept : ZSTD_createCCtx());
}

DecompressionContext borrow_decompression_context() {
  ZSTD_DCtx* const kept = decompression_contexts.take();
  return DecompressionContext(kept != nullptr ? kept : ZSTD_createDCtx());
}

}  // namespace tracelite::store
