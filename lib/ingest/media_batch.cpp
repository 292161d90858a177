// From the events into the file.
#include "ingest/media_batch.hpp"

#include "ingest/pending.hpp"
#include "model/media.hpp"
#include "payload/media_scan.hpp"

namespace tracelite::ingest {

using model::PayloadValue;
using model::Register;

void MediaBatch::take_out(model::Event& event) {
  for (Register& reg : event.entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared() || reg.streamed()) continue;
    const PayloadValue value = PayloadValue::decode(reg.value);
    auto without = payload::take_out_media(value.form, value.bytes);
    if (!without) continue;
    reg.value = PayloadValue::encode_inline(value.form, without->text, without->places());
    for (payload::Medium& medium : without->media) {
      std::string hash = medium.hash;
      brought_.try_emplace(std::move(hash), Brought{std::move(medium)});
    }
  }
}

std::vector<MediaBatch::Brought*> MediaBatch::too_large(std::uint64_t size_bytes_max) {
  std::uint64_t size_bytes = 0;
  for (const auto& [hash, brought] : brought_) {
    if (brought.number == 0) size_bytes += brought.medium.bytes.size();
  }
  std::vector<Brought*> large;
  for (auto& [hash, brought] : brought_) {
    if (size_bytes <= size_bytes_max) break;
    if (brought.number != 0) continue;
    large.push_back(&brought);
    size_bytes -= brought.medium.bytes.size();
  }
  return large;
}

Status MediaBatch::put(store::WriteTransaction& transaction,
                       const std::vector<model::Event>& events) {
  put_.clear();
  if (brought_.empty()) return {};
  for (const model::Event& event : events) {
    for (const Register& reg : event.entity.registers) {
      if (!model::is_payload(reg.field) || reg.cleared()) continue;
      const PayloadValue value = PayloadValue::decode(reg.value);
      model::MediaWalker walker(value.media_list);
      while (walker.next()) {
        const auto brought = brought_.find(walker.use().hash);
        if (brought == brought_.end()) continue;
        TL_TRY(put_one(transaction, brought->second.medium, brought->second.number,
                       brought->second.since));
      }
    }
  }
  return {};
}

Status MediaBatch::put_one(store::WriteTransaction& transaction, const payload::Medium& medium,
                           payload::PayloadNumber number, std::uint64_t since) {
  TL_TRY_ASSIGN(head, payload::find_medium(transaction, medium.hash));
  if (head) return {};
  bool is_stored = false;
  if (number != 0) {
    // Once used, it is on the list no more, and gone if nobody uses it now.
    TL_TRY_ASSIGN(pending, is_pending(transaction, number, since));
    is_stored = pending;
  }
  put_.push_back({medium.hash, is_stored});
  if (is_stored) TL_TRY(claim_pending(transaction, number));
  if (!is_stored) return payload::put_medium(transaction, payloads_, medium);
  return payload::put_medium_head(transaction, medium.hash,
                                  {0, medium.bytes.size(), number, medium.mime});
}

Status MediaBatch::take_out(store::WriteTransaction& transaction, Register& reg) {
  const PayloadValue value = PayloadValue::decode(reg.value);
  if (value.is_stored || value.has_media()) return {};
  // A tree is not JSON, but holds JSON texts.
  const auto without =
      payload::take_out_media(reg.tree() ? model::Form::text : value.form, value.bytes);
  if (!without) return {};
  for (const payload::Medium& medium : without->media) TL_TRY(put_one(transaction, medium, 0, 0));
  reg.value = PayloadValue::encode_inline(value.form, without->text, without->places());
  return {};
}

Status MediaBatch::drop_unused(store::WriteTransaction& transaction) {
  for (const Put& put : put_) {
    TL_TRY_ASSIGN(head, payload::find_medium(transaction, put.hash));
    if (!head || head->use_count > 0) continue;
    TL_TRY(payload::erase_medium_head(transaction, put.hash));
    if (!put.was_pending) {
      TL_TRY(payloads_.erase(transaction, head->number));
      continue;
    }
    TL_TRY(add_pending(transaction, head->number));
    const auto brought = brought_.find(put.hash);
    if (brought != brought_.end()) brought->second.since = transaction.id();
  }
  put_.clear();
  return {};
}

}  // namespace tracelite::ingest
