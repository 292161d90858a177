// See rewriter.hpp.
#include "maintain/rewriter.hpp"

#include <string>
#include <utility>
#include <vector>

#include "index/page_file.hpp"
#include "model/media.hpp"
#include "model/out_of_memory.hpp"
#include "payload/media_store.hpp"
#include "record/changes.hpp"
#include "record/session_group.hpp"
#include "store/sealed.hpp"

namespace tracelite::maintain {

using model::Entity;
using record::ContainerNumber;
using record::EntityReader;
using record::RecordKey;
using record::RecordKind;

namespace {

// Of records and payloads in one commit of the scratch file, and in one piece of a large payload.
constexpr std::uint64_t kCommitSizeBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kIndexCommitRecords = 4096;
// What one commit may dirty at most, where its keys are in no order.
constexpr std::uint64_t kRoomSizeBytes = std::uint64_t{256} << 20;
// Of one container that are brought into the order of time at once.
constexpr std::size_t kSortedRecordsMax = 65'536;
constexpr std::uint64_t kRecordsPerReport = 256;

struct Ordered {
  model::Order order;
  RecordKey key;
};

}  // namespace

// ------------------------------------------------------------------------------ commits

Status Rewriter::begin() {
  if (writing_) return {};
  TL_TRY(to_.make_room(kRoomSizeBytes));
  TL_TRY_ASSIGN(transaction, to_.begin_write());
  writing_.emplace(std::move(transaction));
  uncommitted_size_bytes_ = 0;
  return {};
}

Status Rewriter::commit() {
  if (!writing_) return {};
  TL_TRY(payloads_.flush(*writing_));
  Status committed = writing_->commit();
  writing_.reset();
  return committed;
}

// ------------------------------------------------------------------------------ records

Status Rewriter::run() {
  TL_TRY(begin());
  TL_TRY(copy_counters());
  TL_TRY(copy_records());
  // A file without records has neither a list of changes nor an index, as one that was just made.
  if (record_count_ > 0) {
    // Records keep their keys, and transactions go on beyond those of the old file.
    TL_TRY(begin());
    TL_TRY(record::copy_changes(from_, *writing_));
    TL_TRY(commit());
    TL_TRY(build_index());
  }
  if (indexed_count_ != record_count_) {
    return make_error(Code::internal, std::to_string(record_count_) + " records were written, " +
                                          std::to_string(indexed_count_) + " were found");
  }
  for (const store::KeySpace space : store::kSealableKeySpaces) TL_TRY(seal(space));
  return count_entries();
}

Status Rewriter::copy_counters() {
  TL_TRY_ASSIGN(counters, record::read_counters(from_));
  const bool counted = std::any_of(counters.begin(), counters.end(), [](auto n) { return n > 0; });
  if (counted) TL_TRY(record::write_counters(*writing_, counters));
  TL_TRY_ASSIGN(next, record::next_container(from_));
  return next > 1 ? record::set_next_container(*writing_, next) : Status();
}

Status Rewriter::copy_records() {
  record::RecordCursor cursor(from_);
  TL_TRY_ASSIGN(more, cursor.seek({}));
  while (more) {
    const ContainerNumber container = cursor.key().container;
    TL_TRY(copy_container(container));
    TL_TRY_ASSIGN(again, cursor.seek({container + 1, RecordKind::header, 0}));
    more = again;
  }
  TL_TRY(begin());
  TL_TRY(record::merge_directory(*writing_));
  return commit();
}

Status Rewriter::copy_container(ContainerNumber container) {
  const RecordKey key{container, RecordKind::header, 0};
  TL_TRY_ASSIGN(header, source_.load(key));
  if (!header) {
    return make_error(Code::corrupt, "a record has no trace or session that it belongs to");
  }
  record::RecordCursor cursor(from_);
  TL_TRY_ASSIGN(found, cursor.seek({container, RecordKind::header, 1}));
  const bool has_more = found && cursor.key().container == container;
  // One that only gave its name to what is gone; see ensure_header().
  if (header->orders.empty() && !has_more) return {};

  TL_TRY_ASSIGN(sharers, sharers_of(container, *header));
  TL_TRY(begin());
  TL_TRY_ASSIGN(there, EntityReader(*writing_).load(key));
  if (!there) {
    TL_TRY(add_to_directory(*writing_, key, *header));
    ++record_count_;
  }
  TL_TRY(copy_record(key, *header, sharers));
  for (const RecordKind kind : {RecordKind::observation, RecordKind::score, RecordKind::stray}) {
    if (has_more) TL_TRY(copy_kind(container, kind, sharers));
  }
  return {};
}

// What ingest chooses for what comes next: the session's container, if a trace names one.
Result<ContainerNumber> Rewriter::sharers_of(ContainerNumber container, const Entity& header) {
  if (header.kind != model::EntityKind::trace) return container;
  const auto session_id = model::view_trace(header).session_id;
  if (!session_id) return container;
  TL_TRY_ASSIGN(session, source_.find_session(*session_id));
  if (!session) return container;
  TL_TRY(ensure_header(*session));
  return *session;
}

// A session without an event of its own keeps its container while a trace names it: what is
// recorded later shares text with what is there.
Status Rewriter::ensure_header(ContainerNumber session) {
  const RecordKey key{session, RecordKind::header, 0};
  TL_TRY(begin());
  TL_TRY_ASSIGN(there, EntityReader(*writing_).load(key));
  if (there) return {};
  TL_TRY_ASSIGN(header, source_.load(key));
  if (!header) return make_error(Code::corrupt, "a session has no header record");
  Entity name;
  name.kind = header->kind;
  name.id = header->id;
  ++record_count_;
  TL_TRY(add_to_directory(*writing_, key, name));
  return record::save(*writing_, payloads_, key, nullptr, name);
}

// In the order of time, so that each call of an agent finds the one before it to compare its
// history with.
Status Rewriter::copy_kind(ContainerNumber container, RecordKind kind, ContainerNumber sharers) {
  record::RecordCursor cursor(from_);
  TL_TRY_ASSIGN(more, cursor.seek({container, kind, 0}));
  std::vector<Ordered> some;
  while (more) {
    some.clear();
    while (more && some.size() < kSortedRecordsMax && cursor.key().container == container &&
           cursor.key().kind == kind) {
      TL_TRY_ASSIGN(entity, model::decode(cursor.record()));
      if (entity.orders.empty()) return make_error(Code::corrupt, "a record is of no event");
      some.push_back({entity.first_order(), cursor.key()});
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    if (some.empty()) return {};
    std::sort(some.begin(), some.end(), [](const Ordered& a, const Ordered& b) {
      return a.order != b.order ? a.order < b.order : a.key < b.key;
    });
    for (const Ordered& one : some) {
      TL_TRY_ASSIGN(entity, source_.load(one.key));
      if (!entity) return make_error(Code::corrupt, "a record is gone");
      TL_TRY(begin());
      TL_TRY(add_to_directory(*writing_, one.key, *entity));
      ++record_count_;
      TL_TRY(copy_record(one.key, *entity, sharers));
    }
  }
  return {};
}

Status Rewriter::copy_record(const RecordKey& key, Entity& entity, ContainerNumber sharers) {
  if (record_count_ % kRecordsPerReport == 0) {
    TL_TRY(steps_.at(0, record_count_, std::max(record_count_, steps_.expected())));
  }
  std::uint64_t size_bytes = entity.id.size();
  for (model::Register& reg : entity.registers) {
    size_bytes += reg.value.size();
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    const std::string before = std::move(reg.value);
    const auto value = model::PayloadValue::decode(before);
    TL_TRY(copy_media(value));
    if (!value.is_stored || value.number == 0) {
      reg.value = before;
    } else if (value.stored_size_bytes > kCommitSizeBytes) {
      TL_TRY_ASSIGN(number, copy_pieces(value.number, value.stored_size_bytes, false));
      reg.value = model::PayloadValue::encode_stored(value.form, number, value.stored_size_bytes,
                                                     value.media());
    } else {
      TL_TRY_ASSIGN(bytes, read_payloads_.read_all(value.number));
      if (bytes.size() != value.stored_size_bytes) {
        return make_error(Code::corrupt, "a payload has not the size that its record says");
      }
      size_bytes += bytes.size();
      reg.value = model::PayloadValue::encode_inline(value.form, bytes, value.media());
    }
  }
  TL_TRY(begin());
  payload::GroupNumber group = sharers;
  if (sharers != key.container) {
    TL_TRY_ASSIGN(of_session, record::session_group(*writing_, payloads_, sharers, entity));
    group = of_session;
  }
  TL_TRY(record::save(*writing_, payloads_, key, nullptr, entity, group));
  uncommitted_size_bytes_ += size_bytes;
  return uncommitted_size_bytes_ < kCommitSizeBytes ? Status() : commit();
}

// The bytes of media that the new file does not have yet; record::save counts who uses them.
Status Rewriter::copy_media(const model::PayloadValue& value) {
  model::MediaWalker walker(value.media_list);
  while (walker.next()) {
    const std::string hash(walker.use().hash);
    TL_TRY(begin());
    TL_TRY_ASSIGN(there, payload::find_medium(*writing_, hash));
    if (there) continue;
    TL_TRY_ASSIGN(head, payload::find_medium(from_, hash));
    if (!head) return make_error(Code::corrupt, "a medium that a payload refers to is missing");
    TL_TRY_ASSIGN(number, copy_pieces(head->number, head->size_bytes, true));
    TL_TRY(begin());
    TL_TRY(payload::put_medium_head(*writing_, hash, {0, head->size_bytes, number, head->mime}));
  }
  return {};
}

Result<payload::PayloadNumber> Rewriter::copy_pieces(payload::PayloadNumber from,
                                                     std::uint64_t size_bytes, bool is_medium) {
  payload::PayloadNumber number = 0;
  std::string piece;
  for (std::uint64_t offset = 0; offset < size_bytes || number == 0; offset += piece.size()) {
    TL_TRY(steps_.at(0, record_count_, std::max(record_count_, steps_.expected())));
    piece.clear();
    TL_TRY(read_payloads_.read(from, offset, kCommitSizeBytes, piece));
    if (piece.empty() && size_bytes > 0) {
      return make_error(Code::corrupt, "a payload is shorter than its record says");
    }
    TL_TRY(begin());
    if (number == 0) {
      TL_TRY_ASSIGN(created,
                    is_medium ? payloads_.create_medium(*writing_) : payloads_.create(*writing_));
      number = created;
    }
    TL_TRY(payloads_.append(*writing_, number, piece));
    uncommitted_size_bytes_ += piece.size();
    if (uncommitted_size_bytes_ >= kCommitSizeBytes) TL_TRY(commit());
  }
  return number;
}

// ------------------------------------------------------------------------------ index

Status Rewriter::build_index() {
  std::unique_ptr<index::Connection> connection;
  std::unique_ptr<index::IndexWriter> index;  // gone before its connection
  std::optional<IndexBuilder> builder;
  RecordKey next;
  for (bool more = true; more;) {
    TL_TRY(to_.make_room(kRoomSizeBytes));
    TL_TRY_ASSIGN(transaction, to_.begin_write());
    if (!connection) {
      TL_TRY_ASSIGN(opened, index::Connection::open_writer(transaction));
      connection = std::move(opened);
    }
    TL_TRY(connection->begin(transaction));
    Status built = without_exceptions([&]() -> Status {
      if (!index) {
        TL_TRY_ASSIGN(opened, index::IndexWriter::open(connection->handle()));
        index = std::move(opened);
        builder.emplace(*index);
      }
      record::RecordCursor records(transaction);
      TL_TRY_ASSIGN(again, index_some(records, *builder, transaction, next));
      more = again;
      if (more) TL_TRY(builder->flush());
      if (!more) {
        TL_TRY_ASSIGN(statistics, builder->finish());
        TL_TRY(record::write_statistics(transaction, statistics));
      }
      return connection->commit();
    });
    if (!built) {
      connection->rollback();
      return built;
    }
  }
  return {};
}

// True if there is more.
Result<bool> Rewriter::index_some(record::RecordCursor& records, IndexBuilder& builder,
                                  store::WriteTransaction& transaction, RecordKey& next) {
  TL_TRY_ASSIGN(more, records.seek(next));
  for (std::uint64_t count = 0; more && count < kIndexCommitRecords; ++count) {
    if (indexed_count_ % kRecordsPerReport == 0) {
      TL_TRY(steps_.at(1, indexed_count_, record_count_));
    }
    TL_TRY_ASSIGN(entity, model::decode(records.record()));
    TL_TRY(builder.add(transaction, records.key(), entity));
    ++indexed_count_;
    TL_TRY_ASSIGN(again, records.next());
    more = again;
    if (more) next = records.key();
  }
  return more;
}

Status Rewriter::seal(store::KeySpace space) {
  std::string second_page;
  append_big_endian(second_page, std::uint32_t{2});
  // Everybody who attaches to the index reads its first page, and every commit writes it.
  std::optional<std::string> from = space == store::KeySpace::page ? second_page : std::string();
  while (from) {
    TL_TRY(begin());
    TL_TRY_ASSIGN(next, store::seal(*writing_, space, *from, kCommitSizeBytes));
    TL_TRY(commit());
    from = std::move(next);
  }
  return {};
}

Status Rewriter::count_entries() {
  TL_TRY_ASSIGN(transaction, to_.begin_read());
  for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
    TL_TRY_ASSIGN(space, transaction.statistics(static_cast<store::KeySpace>(i)));
    entry_count_ += space.entries;
  }
  return {};
}

}  // namespace tracelite::maintain
