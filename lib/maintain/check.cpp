// What must hold in a file, checked at one snapshot: LMDB's pages, checksums, records, payloads,
// look-ups by id, statistics, and the index against one that is built anew in memory.
#include <sqlite3.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "index/compare.hpp"
#include "index/memory_database.hpp"
#include "index/page_file.hpp"
#include "index/statement.hpp"
#include "maintain/build_index.hpp"
#include "payload/group_check.hpp"
#include "payload/media_check.hpp"
#include "record/directory.hpp"
#include "record/entity_store.hpp"
#include "store/page_verifier.hpp"

namespace tracelite::maintain {
namespace {

using model::Entity;
using record::EntityReader;
using record::RecordKey;
using record::RecordKind;
using store::KeySpace;

struct FindingCounts {
  std::uint64_t all = 0;
  std::uint64_t readable = 0;  // of these: such as hide nothing
  std::uint64_t damaged = 0;   // of the others: of pages and values
};

Status verdict(const FindingCounts& found) {
  if (found.all == 0) return {};
  const char* const advice =
      found.all == found.readable
          ? "all that is in it can be read, and compact makes a sound file of that"
          : "reindex mends an index that is damaged alone, and salvage brings out what can be read";
  return make_error(Code::corrupt, std::to_string(found.all) +
                                       (found.all == 1 ? " thing is" : " things are") +
                                       " wrong with the file; " + advice);
}

class Checker {
 public:
  // `found`: what has been found already; `finding` adds to it.
  Checker(store::ReadTransaction& transaction, const FindingFunction& finding,
          const FindingCounts& found)
      : transaction_(transaction), reader_(transaction), finding_(finding), found_(found) {}

  Status run();

 private:
  Status check_records();
  Status check_record(const RecordKey& key, const Entity& entity);
  Status check_payloads(const Entity& entity);
  Status check_orphans();
  Status check_index();
  Status check_sqlite(sqlite3* connection);

  void find(Bytes where, const std::string& message) { finding_(where, message); }
  // Damage is a finding; anything else ends the check.
  Status noted(Bytes where, const Status& status) {
    if (status) return {};
    if (status.error().code != Code::corrupt && status.error().code != Code::not_found) {
      return status;
    }
    find(where, status.error().message);
    return {};
  }

  store::ReadTransaction& transaction_;
  EntityReader reader_;
  const FindingFunction& finding_;  // counts
  const FindingCounts& found_;
  std::set<std::uint64_t> payloads_;  // that records refer to
  payload::MediaUses media_;          // the same
};

Status Checker::check_payloads(const Entity& entity) {
  const payload::PayloadReader payloads(transaction_);
  for (const model::Register& reg : entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    const model::PayloadValue value = model::PayloadValue::decode(reg.value);
    TL_TRY(noted("media", payload::check_media_of(transaction_, value, media_)));
    if (!value.is_stored || value.number == 0) continue;
    if (!payloads_.insert(value.number).second) {
      find("payload", "payload " + std::to_string(value.number) + " belongs to two records");
    }
    std::string bytes;
    for (std::uint64_t offset = 0; offset < value.stored_size_bytes; offset += bytes.size()) {
      bytes.clear();
      TL_TRY(payloads.read(value.number, offset, payload::kSliceSizeBytes, bytes));
      if (bytes.empty()) break;
    }
    TL_TRY_ASSIGN(size_bytes, payloads.size_bytes(value.number));
    if (size_bytes != value.stored_size_bytes) {
      find("payload", "payload " + std::to_string(value.number) + " of \"" + entity.id + "\" has " +
                          std::to_string(size_bytes) + " bytes, not " +
                          std::to_string(value.stored_size_bytes));
    }
  }
  return {};
}

Status Checker::check_record(const RecordKey& key, const Entity& entity) {
  TL_TRY(noted("payload", check_payloads(entity)));
  bool found = true;
  switch (key.kind) {
    case RecordKind::header: {
      const bool is_session = entity.kind == model::EntityKind::session;
      TL_TRY_ASSIGN(container,
                    is_session ? reader_.find_session(entity.id) : reader_.find_trace(entity.id));
      found = container == key.container;
      break;
    }
    case RecordKind::score: {
      TL_TRY_ASSIGN(score, reader_.find_score(entity.id));
      found = score && score->key == key;
      break;
    }
    case RecordKind::observation: {
      TL_TRY_ASSIGN(all, reader_.find_observations(entity.id));
      found = std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.key == key; });
      break;
    }
    case RecordKind::stray: {
      TL_TRY_ASSIGN(stray, reader_.find_stray(entity.id));
      found = stray && stray->key == key;
      break;
    }
  }
  if (!found) {
    find("directory",
         "\"" + entity.id + "\" is not found by its id; reindex rebuilds the directory");
  }
  return {};
}

Status Checker::check_records() {
  return for_each_record(transaction_, [&](const RecordKey& key, const Entity& entity) {
    return noted("record", check_record(key, entity));
  });
}

// Payloads that no record refers to, and that no writer has announced; media and their counts.
Status Checker::check_orphans() {
  std::set<std::uint64_t> pending;
  constexpr Bytes kPendingPrefix = "pending:";
  store::Cursor meta = transaction_.cursor(KeySpace::meta);
  TL_TRY_ASSIGN(more_meta, meta.seek(kPendingPrefix));
  while (more_meta && meta.key().starts_with(kPendingPrefix)) {
    pending.insert(read_big_endian(meta.key().substr(kPendingPrefix.size())));
    TL_TRY_ASSIGN(again, meta.next());
    more_meta = again;
  }
  store::Cursor cursor = transaction_.cursor(KeySpace::payload);
  std::string from;
  while (true) {
    TL_TRY_ASSIGN(more, cursor.seek(from));
    if (!more) break;
    const std::uint64_t number = read_big_endian(cursor.key().substr(0, 6));
    if (!payloads_.contains(number) && !pending.contains(number)) {
      find("payload", "payload " + std::to_string(number) + " belongs to no record");
    }
    from.clear();
    append_big_endian(from, number + 1, 6);
  }
  std::map<payload::GroupNumber, std::uint64_t> counts;
  for (const std::uint64_t number : payloads_) {
    if ((number & payload::kInGroup) != 0) ++counts[payload::group_position(number).group];
  }
  const payload::GroupFinding finding = [this](Bytes where, Bytes message) {
    find(where, std::string(message));
  };
  TL_TRY(payload::check_groups(transaction_, counts, finding));
  return payload::check_media(transaction_, std::move(media_), pending, finding);
}

Status Checker::check_sqlite(sqlite3* connection) {
  TL_TRY_ASSIGN(statement, index::Statement::prepare(connection, "PRAGMA integrity_check(10)"));
  while (true) {
    TL_TRY_ASSIGN(more, statement.step());
    if (!more) return {};
    if (auto failure = index::page_failure(connection)) return *std::move(failure);
    if (statement.bytes(0) != "ok") find("page", std::string(statement.bytes(0)));
  }
}

Status Checker::check_index() {
  TL_TRY_ASSIGN(pages, transaction_.statistics(KeySpace::page));
  TL_TRY_ASSIGN(records, transaction_.statistics(KeySpace::record));
  if (pages.entries == 0) {
    if (records.entries > 0) find("page", "the index is missing; reindex builds it");
    return {};
  }
  TL_TRY(check_index_is_ours(transaction_, true));
  TL_TRY_ASSIGN(memory, index::open_in_memory());
  TL_TRY_ASSIGN(expected, index::IndexWriter::open(memory.get()));
  TL_TRY_ASSIGN(counted, build_index(transaction_, *expected, {}));
  TL_TRY_ASSIGN(kept, record::read_statistics(transaction_));
  if (!(counted == kept)) find("meta", "the statistics disagree with the records");
  TL_TRY_ASSIGN(actual, index::Connection::open_reader(transaction_));
  TL_TRY(check_sqlite(actual->handle()));
  return index::compare_indexes(memory.get(), actual->handle(), [&](Bytes table, Bytes message) {
    find(table, std::string(message));
    return true;
  });
}

Status Checker::run() {
  TL_TRY(noted("record", check_records()));
  // Where values are damaged the rest would only repeat it.
  if (found_.damaged == 0) {
    TL_TRY(noted("payload", check_orphans()));
    Status checked = noted("page", check_index());
    const bool is_of_another_version = !checked && checked.error().code == Code::unsupported;
    // Which is no damage, but hides none either.
    if (!is_of_another_version || found_.all == 0) TL_TRY(std::move(checked));
  }
  return verdict(found_);
}

}  // namespace

Status check(const std::shared_ptr<store::Environment>& environment, const FindingFunction& finding,
             const ProgressFunction& progress) {
  FindingCounts found;
  // A damaged value is met again by the records that need it. Hashes take less than the messages of
  // a file that is damaged all over.
  std::set<std::size_t> told;
  const FindingFunction counting = [&](Bytes where, Bytes message) {
    const std::string all = std::string(where) + ": " + std::string(message);
    if (!told.insert(std::hash<std::string>{}(all)).second) return;
    ++found.all;
    if (finding) finding(where, message);
  };
  const FindingFunction of_pages = [&](Bytes where, Bytes message) {
    counting(where, message);
    ++(store::leaves_all_readable(where) ? found.readable : found.damaged);
  };
  TL_TRY_ASSIGN(transaction, store::begin_verified_read(environment, of_pages, progress));
  // Where a tree is none LMDB must not be let to it.
  if (!transaction) return verdict(found);
  return Checker(*transaction, counting, found).run();
}

}  // namespace tracelite::maintain
