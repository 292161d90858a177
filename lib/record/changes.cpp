// The list as it grows, falls out at its end, and is read.
#include "record/changes.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "record/records.hpp"

namespace tracelite::record {
namespace {

using store::KeySpace;

constexpr Bytes kChangesKey = "changes";
constexpr std::uint64_t kKinds = 4;  // what a container's difference is multiplied by

struct List {
  std::uint64_t begins_behind = 0;
  std::uint64_t last = 0;
  std::string newest;
};

Error changes_damaged() {
  return make_error(Code::corrupt, "the list of the newest changes is damaged");
}

Result<std::optional<List>> read_list(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, kChangesKey));
  if (!value) return std::optional<List>();
  ByteReader reader(*value);
  List list;
  list.begins_behind = reader.big_endian(8);
  list.last = reader.big_endian(8);
  if (reader.failed()) return changes_damaged();
  list.newest = value->substr(16);
  return std::optional(std::move(list));
}

Status write_list(store::WriteTransaction& transaction, const List& list) {
  std::string value;
  append_big_endian(value, list.begins_behind);
  append_big_endian(value, list.last);
  value.append(list.newest);
  return transaction.put(KeySpace::meta, kChangesKey, value);
}

std::string chunk_key(std::uint64_t transaction) {
  std::string key;
  append_big_endian(key, transaction);
  return key;
}

std::uint64_t transaction_of(Bytes chunk_key) { return read_big_endian(chunk_key); }

// Of the first chunk; nullopt: there is none.
Result<std::optional<std::string>> first_chunk(const store::Transaction& transaction) {
  store::Cursor cursor = transaction.key_cursor(KeySpace::change);
  TL_TRY_ASSIGN(found, cursor.seek({}));
  return found ? std::optional(std::string(cursor.key())) : std::nullopt;
}

Status erase_chunks(store::WriteTransaction& transaction) {
  while (true) {
    TL_TRY_ASSIGN(key, first_chunk(transaction));
    if (!key) return {};
    TL_TRY(transaction.erase(KeySpace::change, *key));
  }
}

// The newest commits become a chunk; the oldest chunk goes if there are too many.
Status move_newest(store::WriteTransaction& transaction, List& list) {
  ByteReader reader(list.newest);
  const std::uint64_t first = reader.varint();
  TL_TRY(transaction.put(KeySpace::change, chunk_key(first), list.newest));
  list.newest.clear();
  TL_TRY_ASSIGN(use, transaction.statistics(KeySpace::change));
  if (use.entries <= kChangeChunkCountMax) return {};
  TL_TRY_ASSIGN(oldest, first_chunk(transaction));
  if (oldest) TL_TRY(transaction.erase(KeySpace::change, *oldest));
  TL_TRY_ASSIGN(next, first_chunk(transaction));
  if (next) list.begins_behind = transaction_of(*next) - 1;
  return {};
}

RecordKind listed_kind(RecordKind kind) {
  return kind == RecordKind::stray ? RecordKind::observation : kind;
}

void append_commit(std::string& out, std::uint64_t transaction,
                   const std::vector<RecordKey>& keys) {
  append_varint(out, transaction);
  append_varint(out, keys.size());
  ContainerNumber last = 0;
  for (const RecordKey& key : keys) {
    append_varint(out, (key.container - last) * kKinds + static_cast<std::uint64_t>(key.kind));
    if (key.kind != RecordKind::header) append_big_endian(out, key.entity, kEntitySizeBytes);
    last = key.container;
  }
}

// Calls visit(transaction, keys) of each commit.
template <class Visit>
Status for_each_commit(Bytes commits, const Visit& visit) {
  ByteReader reader(commits);
  while (!reader.at_end()) {
    const std::uint64_t transaction = reader.varint();
    const std::uint64_t count = reader.varint();
    std::vector<RecordKey> keys;
    ContainerNumber container = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t coded = reader.varint();
      container += coded / kKinds;
      const auto kind = static_cast<RecordKind>(coded % kKinds);
      const EntityKey entity = kind == RecordKind::header ? 0 : reader.big_endian(kEntitySizeBytes);
      if (reader.failed() || container > kContainerNumberMax || kind == RecordKind::stray) {
        return changes_damaged();
      }
      keys.push_back({container, kind, entity});
    }
    if (reader.failed()) return changes_damaged();
    TL_TRY(visit(transaction, keys));
  }
  return {};
}

Status read_commits(Bytes commits, std::uint64_t behind, std::vector<RecordKey>& keys) {
  return for_each_commit(commits,
                         [&](std::uint64_t transaction, const std::vector<RecordKey>& changed) {
                           if (transaction <= behind) return Status();
                           keys.insert(keys.end(), changed.begin(), changed.end());
                           return Status();
                         });
}

Result<bool> is_there(const store::Transaction& transaction, RecordKey key) {
  TL_TRY_ASSIGN(record, records(transaction).get(encode(key)));
  if (record || key.kind != RecordKind::observation) return record.has_value();
  key.kind = RecordKind::stray;
  TL_TRY_ASSIGN(stray, records(transaction).get(encode(key)));
  return stray.has_value();
}

// The same commits without what was deleted since.
Result<std::string> without_deleted(const store::Transaction& transaction, Bytes commits) {
  std::string kept;
  TL_TRY(for_each_commit(
      commits, [&](std::uint64_t number, const std::vector<RecordKey>& changed) -> Status {
        std::vector<RecordKey> keys;
        for (const RecordKey& key : changed) {
          TL_TRY_ASSIGN(there, is_there(transaction, key));
          if (there) keys.push_back(key);
        }
        append_commit(kept, number, keys);
        return {};
      }));
  return kept;
}

}  // namespace

Status add_changes(store::WriteTransaction& transaction, std::vector<RecordKey> keys) {
  if (keys.empty()) return {};
  auto read = read_list(transaction);
  // Damage to it must not keep anybody from recording more.
  if (!read && read.error().code != Code::corrupt) return std::move(read).error();
  std::optional<List> list = read ? std::move(*read) : std::nullopt;
  // A copy numbers its transactions anew.
  if (list && list->last >= transaction.id()) list.reset();
  const bool is_listed = keys.size() <= kListedOfCommitMax;
  if (!list || !is_listed) {
    TL_TRY(erase_chunks(transaction));
    list.emplace();
    list->begins_behind = is_listed ? transaction.id() - 1 : transaction.id();
  }
  list->last = transaction.id();
  if (!is_listed) return write_list(transaction, *list);
  for (RecordKey& key : keys) key.kind = listed_kind(key.kind);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  append_commit(list->newest, transaction.id(), keys);
  if (list->newest.size() > kNewestChangesSizeBytesMax) TL_TRY(move_newest(transaction, *list));
  return write_list(transaction, *list);
}

Result<std::optional<std::vector<RecordKey>>> read_changes(const store::Transaction& transaction,
                                                           std::uint64_t behind) {
  using Keys = std::optional<std::vector<RecordKey>>;
  std::vector<RecordKey> keys;
  if (behind == transaction.id()) return Keys(std::move(keys));
  TL_TRY_ASSIGN(list, read_list(transaction));
  if (!list || behind > transaction.id() || list->last > transaction.id() ||
      behind < list->begins_behind) {
    return Keys();
  }
  store::Cursor cursor = transaction.cursor(KeySpace::change);
  TL_TRY_ASSIGN(first, cursor.seek({}));
  for (bool more = first; more;) {
    TL_TRY(read_commits(cursor.value(), behind, keys));
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  TL_TRY(read_commits(list->newest, behind, keys));
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return Keys(std::move(keys));
}

Status copy_changes(const store::Transaction& from, store::WriteTransaction& to) {
  TL_TRY_ASSIGN(list, read_list(from));
  if (!list) return {};
  TL_TRY_ASSIGN(newest, without_deleted(from, list->newest));
  list->newest = std::move(newest);
  TL_TRY(write_list(to, *list));
  store::Cursor cursor = from.cursor(KeySpace::change);
  TL_TRY_ASSIGN(first, cursor.seek({}));
  for (bool more = first; more;) {
    TL_TRY_ASSIGN(commits, without_deleted(from, cursor.value()));
    TL_TRY(to.put(KeySpace::change, cursor.key(), commits));
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return {};
}

Status forget_changes(store::WriteTransaction& transaction) {
  TL_TRY(erase_chunks(transaction));
  auto erased = transaction.erase(KeySpace::meta, kChangesKey);
  return erased ? Status() : Status(std::move(erased).error());
}

}  // namespace tracelite::record
