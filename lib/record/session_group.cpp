// See session_group.hpp.
#include "record/session_group.hpp"

#include <algorithm>
#include <string>

#include "record/entity_store.hpp"

namespace tracelite::record {
namespace {

using store::KeySpace;

std::string group_key(ContainerNumber session) {
  std::string key = "group:";
  append_big_endian(key, session, kContainerSizeBytes);
  return key;
}

std::uint64_t largest_size_bytes(const model::Entity& entity) {
  std::uint64_t largest = 0;
  for (const model::Register& reg : entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    const auto value = model::PayloadValue::decode(reg.value);
    if (!value.is_stored) largest = std::max<std::uint64_t>(largest, value.bytes.size());
  }
  return largest;
}

}  // namespace

Result<payload::GroupNumber> session_group(store::WriteTransaction& transaction,
                                           payload::PayloadWriter& payloads,
                                           ContainerNumber session, const model::Entity& entity) {
  const std::uint64_t largest = largest_size_bytes(entity);
  if (largest <= kInlinePayloadSizeBytesMax) return session;  // nothing will be put there
  const std::string key = group_key(session);
  TL_TRY_ASSIGN(known, transaction.get(KeySpace::meta, key));
  const payload::GroupNumber group = known ? read_big_endian(*known) : session;
  TL_TRY_ASSIGN(kept_bytes, payloads.kept_size_bytes(transaction, group));
  const std::uint64_t wanted = testing::session_log_size_bytes_max;
  const std::uint64_t most =
      std::max(wanted != 0 ? wanted : kSessionLogSizeBytesMax, kSessionLogPayloadsMin * largest);
  if (kept_bytes < most) return group;
  TL_TRY_ASSIGN(next, next_container(transaction));
  if (next > kContainerNumberMax) return group;
  TL_TRY(set_next_container(transaction, next + 1));
  std::string value;
  append_big_endian(value, next);
  TL_TRY(transaction.put(KeySpace::meta, key, value));
  return next;
}

Status forget_session_group(store::WriteTransaction& transaction, ContainerNumber session) {
  auto erased = transaction.erase(KeySpace::meta, group_key(session));
  return erased ? Status() : Status(std::move(erased).error());
}

}  // namespace tracelite::record
