// See copy.hpp.
#include "store/copy.hpp"

#include <algorithm>

#include "store/environment_state.hpp"
#include "store/replacement_note.hpp"

namespace tracelite::store {
namespace {

// A commit holds so much, and dirties a few times that where its keys are in no order.
constexpr std::uint64_t kCommitSizeBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kRoomSizeBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kProgressEntries = 1024;

class Copier {
 public:
  Copier(const Transaction& from, Environment& to, const CopyProgress& progress,
         const std::optional<Packing>& packing)
      : from_(from), to_(to), progress_(progress), packing_(packing) {}

  Status run() {
    for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
      const auto space = static_cast<KeySpace>(i);
      // These belong to blocks that are not copied.
      if (packing_ && (space == KeySpace::dictionary || space == KeySpace::patch)) continue;
      TL_TRY(packing_ && is_packed(space) ? pack(space) : copy(space));
    }
    return commit();
  }

 private:
  Status copy(KeySpace space) {
    Cursor cursor = from_.cursor(space);
    TL_TRY_ASSIGN(first, cursor.seek({}));
    for (bool more = first; more;) {
      TL_TRY(begin(cursor.key().size() + cursor.value().size()));
      // The note is that file's own business, and the new one has its own sums.
      if (space != KeySpace::meta || (cursor.key() != kNoteKey && cursor.key() != kSumsKey)) {
        TL_TRY(writing_->put(space, cursor.key(), cursor.value()));
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    return {};
  }

  Status pack(KeySpace space) {
    PackedCursor cursor(from_, space);
    TL_TRY_ASSIGN(first, cursor.seek({}));
    for (bool more = first; more;) {
      TL_TRY(begin(cursor.key().size() + cursor.value().size()));
      TL_TRY(PackedSpace::of(*writing_, space).put(cursor.key(), cursor.value()));
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    return {};
  }

  // For an entry of so many bytes.
  Status begin(std::size_t size_bytes) {
    if (entry_count_ % kProgressEntries == 0 && progress_ && progress_(entry_count_)) {
      return make_error(Code::cancelled, "cancelled");
    }
    ++entry_count_;
    if (writing_size_bytes_ >= kCommitSizeBytes) TL_TRY(commit());
    writing_size_bytes_ += size_bytes;
    if (writing_) return {};
    TL_TRY(to_.make_room(kRoomSizeBytes));
    TL_TRY_ASSIGN(begun, to_.begin_write());
    writing_.emplace(std::move(begun));
    if (packing_) PackedSpaces::of(*writing_).set_packing(*packing_);
    return {};
  }

  Status commit() {
    if (!writing_) return {};
    Status done = writing_->commit();
    writing_.reset();
    writing_size_bytes_ = 0;
    return done;
  }

  const Transaction& from_;
  Environment& to_;
  const CopyProgress& progress_;
  const std::optional<Packing>& packing_;
  std::optional<WriteTransaction> writing_;
  std::uint64_t writing_size_bytes_ = 0;  // of what is copied in it
  std::uint64_t entry_count_ = 0;
};

}  // namespace

Status copy_in_order(const Transaction& from, Environment& to, const CopyProgress& progress,
                     const std::optional<Packing>& packing) {
  return Copier(from, to, progress, packing).run();
}

}  // namespace tracelite::store
