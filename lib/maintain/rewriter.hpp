// A logical rewrite of everything that records need, from which nothing that was deleted can come
// along: no free page, no text of a log that is not referred to, no name in the index.
//
// Records go first, container by container, with their payloads put anew (and the directory); then
// the index is built from them. Both go into a scratch file in commits of bounded size, so that
// memory stays bounded whatever the size of the file; its pages are full of holes, and the caller
// copies them into the new file in order.
//
// Containers keep their numbers, and records their keys: positions in lists that an application has
// kept stay right. Payloads that have no record yet, because their writer is still at it, are left
// behind; it notices and stores them again (ingest/pending.hpp).
#pragma once

#include <algorithm>
#include <optional>

#include "maintain/build_index.hpp"
#include "maintain/maintain.hpp"
#include "record/entity_store.hpp"
#include "record/records.hpp"

namespace tracelite::maintain {

// Parts of about the same length: those of the caller's own, then records, index, and the copy in
// order.
class Steps {
 public:
  Steps(const ProgressFunction& progress, std::uint64_t expected, std::uint64_t own_parts = 0)
      : progress_(progress),
        expected_(std::max<std::uint64_t>(expected, 1)),
        own_parts_(own_parts) {}

  // Of the parts of a rewrite, from 0; own parts are before them.
  Status at(std::uint64_t part, std::uint64_t done, std::uint64_t of) const {
    if (cancels(part, done, of)) return make_error(Code::cancelled, "cancelled");
    return {};
  }
  [[nodiscard]] bool cancels(std::uint64_t part, std::uint64_t done, std::uint64_t of) const {
    return cancels_at(own_parts_ + part, done, of);
  }
  [[nodiscard]] bool cancels_own(std::uint64_t part, std::uint64_t done, std::uint64_t of) const {
    return cancels_at(part, done, of);
  }
  void end() const {
    if (progress_) progress_(total(), total());
  }
  [[nodiscard]] std::uint64_t expected() const { return expected_; }

 private:
  [[nodiscard]] std::uint64_t total() const { return (own_parts_ + kRewriteParts) * expected_; }
  [[nodiscard]] bool cancels_at(std::uint64_t part, std::uint64_t done, std::uint64_t of) const {
    if (!progress_) return false;
    const std::uint64_t most = std::max<std::uint64_t>(of, 1);
    return progress_(part * expected_ + expected_ * std::min(done, most) / most, total());
  }

  static constexpr std::uint64_t kRewriteParts = 3;
  const ProgressFunction& progress_;
  std::uint64_t expected_;  // records
  std::uint64_t own_parts_;
};

class Rewriter {
 public:
  Rewriter(const store::Transaction& from, store::Environment& to, const Steps& steps)
      : from_(from), source_(from), read_payloads_(from), to_(to), steps_(steps) {}

  // Errors: cancelled, corrupt (of `from`), disk_full, io.
  Status run();
  // Entries in the scratch file.
  [[nodiscard]] std::uint64_t entry_count() const { return entry_count_; }

 private:
  Status begin();
  Status commit();
  Status copy_counters();
  Status copy_records();
  Status copy_container(record::ContainerNumber container);
  Status copy_kind(record::ContainerNumber container, record::RecordKind kind,
                   record::ContainerNumber sharers);
  Status copy_record(const record::RecordKey& key, model::Entity& entity,
                     record::ContainerNumber sharers);
  Status copy_media(const model::PayloadValue& value);
  Result<payload::PayloadNumber> copy_pieces(payload::PayloadNumber from, std::uint64_t size_bytes,
                                             bool is_medium);
  // Whose log the payloads of a container lie in: its session's, or its own.
  Result<record::ContainerNumber> sharers_of(record::ContainerNumber container,
                                             const model::Entity& header);
  Status ensure_header(record::ContainerNumber session);
  Status build_index();
  Result<bool> index_some(record::RecordCursor& records, IndexBuilder& builder,
                          store::WriteTransaction& transaction, record::RecordKey& next);
  Status seal(store::KeySpace space);
  Status count_entries();

  const store::Transaction& from_;
  record::EntityReader source_;
  payload::PayloadReader read_payloads_;
  store::Environment& to_;
  const Steps& steps_;
  std::optional<store::WriteTransaction> writing_;
  // What holds for the new file as a whole (how hard to compress, say) belongs here.
  payload::PayloadWriter payloads_;
  std::uint64_t uncommitted_size_bytes_ = 0;
  std::uint64_t record_count_ = 0;
  std::uint64_t indexed_count_ = 0;
  std::uint64_t entry_count_ = 0;
};

}  // namespace tracelite::maintain
