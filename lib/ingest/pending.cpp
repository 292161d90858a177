// The list of payloads without an owner yet.
#include "ingest/pending.hpp"

#include <string>
#include <vector>

namespace tracelite::ingest {
namespace {

using store::KeySpace;

constexpr Bytes kPrefix = "pending:";

std::string pending_key(payload::PayloadNumber number) {
  std::string key(kPrefix);
  append_big_endian(key, number);
  return key;
}

Result<std::vector<payload::PayloadNumber>> list_orphans(const store::Transaction& transaction,
                                                         std::uint64_t opened_at) {
  std::vector<payload::PayloadNumber> numbers;
  store::Cursor cursor = transaction.cursor(KeySpace::meta);
  TL_TRY_ASSIGN(more, cursor.seek(kPrefix));
  while (more && cursor.key().starts_with(kPrefix)) {
    if (read_big_endian(cursor.value()) <= opened_at) {
      numbers.push_back(read_big_endian(cursor.key().substr(kPrefix.size())));
    }
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return numbers;
}

}  // namespace

Status add_pending(store::WriteTransaction& transaction, payload::PayloadNumber number) {
  std::string since;
  append_big_endian(since, transaction.id());
  return transaction.put(KeySpace::meta, pending_key(number), since);
}

Status claim_pending(store::WriteTransaction& transaction, payload::PayloadNumber number) {
  auto erased = transaction.erase(KeySpace::meta, pending_key(number));
  return erased ? Status() : Status(std::move(erased).error());
}

Result<bool> is_pending(const store::Transaction& transaction, payload::PayloadNumber number,
                        std::uint64_t since) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, pending_key(number)));
  return value && read_big_endian(*value) == since;
}

Status claim_pending(store::WriteTransaction& transaction, const model::Entity& entity) {
  for (const model::Register& reg : entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    const model::PayloadValue value = model::PayloadValue::decode(reg.value);
    if (!value.is_stored || value.number == 0) continue;
    TL_TRY(claim_pending(transaction, value.number));
  }
  return {};
}

Status drop_pending(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                    payload::PayloadNumber number) {
  TL_TRY_ASSIGN(was_there, transaction.erase(KeySpace::meta, pending_key(number)));
  return was_there ? payloads.erase(transaction, number) : Status();
}

Status reclaim_pending(store::Environment& environment) {
  if (!environment.opened_alone()) return {};
  const std::uint64_t opened_at = environment.opened_at_transaction_id();
  {
    TL_TRY_ASSIGN(snapshot, environment.begin_read());
    TL_TRY_ASSIGN(orphans, list_orphans(snapshot, opened_at));
    if (orphans.empty()) return {};
  }
  TL_TRY_ASSIGN(transaction, environment.begin_write());
  TL_TRY_ASSIGN(orphans, list_orphans(transaction, opened_at));
  payload::PayloadWriter payloads;
  for (const payload::PayloadNumber number : orphans) {
    TL_TRY(drop_pending(transaction, payloads, number));
  }
  return transaction.commit();
}

}  // namespace tracelite::ingest
