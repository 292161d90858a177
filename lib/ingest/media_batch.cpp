// From the events into the file.
#include "ingest/media_batch.hpp"

#include "ingest/pending.hpp"
#include "model/media.hpp"
#include "payload/media_check.hpp"
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

MediaBatch::OfEvents MediaBatch::brought_by(const std::vector<model::Event>& events) {
  OfEvents found;
  if (brought_.empty()) return found;
  for (const model::Event& event : events) {
    for (const Register& reg : event.entity.registers) {
      if (!model::is_payload(reg.field) || reg.cleared()) continue;
      model::MediaWalker walker(PayloadValue::decode(reg.value).media_list);
      while (walker.next()) {
        const auto brought = brought_.find(walker.use().hash);
        if (brought != brought_.end()) found.emplace(brought->first, &brought->second);
      }
    }
  }
  return found;
}

std::vector<MediaBatch::Brought*> MediaBatch::too_large(const std::vector<model::Event>& events,
                                                        std::uint64_t size_bytes_max) {
  const OfEvents all = brought_by(events);
  std::uint64_t size_bytes = 0;
  for (const auto& [hash, brought] : all) {
    if (brought->number == 0) size_bytes += brought->medium.bytes.size();
  }
  std::vector<Brought*> large;
  for (const auto& [hash, brought] : all) {
    if (size_bytes <= size_bytes_max) break;
    if (brought->number != 0) continue;
    large.push_back(brought);
    size_bytes -= brought->medium.bytes.size();
  }
  return large;
}

Status MediaBatch::put(store::WriteTransaction& transaction,
                       const std::vector<model::Event>& events) {
  // What was held in a transaction that failed went with it.
  held_.clear();
  of_events_ = brought_by(events);
  for (const auto& [hash, brought] : of_events_) {
    TL_TRY(put_one(transaction, brought->medium, brought->number, brought->since));
  }
  return {};
}

Result<bool> MediaBatch::is_in_file(const store::Transaction& transaction, Bytes hash) {
  TL_TRY_ASSIGN(head, payload::find_medium(transaction, hash));
  if (!head) return false;
  // What this transaction has put may not stay.
  if (!is_from_stranger_ || held_.contains(hash) || checked_.contains(hash)) return true;
  const Status sound = payload::check_bytes_of_medium(transaction, hash);
  if (!sound && sound.error().code != Code::corrupt) return sound.error();
  if (!sound) return false;
  if (checked_.size() >= kCheckedCountMax) checked_.clear();
  checked_.emplace(hash);
  return true;
}

Status MediaBatch::put_one(store::WriteTransaction& transaction, const payload::Medium& medium,
                           payload::PayloadNumber number, std::uint64_t since) {
  TL_TRY_ASSIGN(is_there, is_in_file(transaction, medium.hash));
  if (is_there && held_.contains(medium.hash)) return {};
  if (!is_there) TL_TRY(store_one(transaction, medium, number, since));
  held_.emplace(medium.hash);
  payload::MediaCountChanges held;
  held.add(medium.hash);
  return held.apply(transaction, payloads_);
}

Status MediaBatch::store_one(store::WriteTransaction& transaction, const payload::Medium& medium,
                             payload::PayloadNumber number, std::uint64_t since) {
  // A head whose bytes are others keeps its uses, and the bytes stay: whose they are nobody knows.
  TL_TRY_ASSIGN(head, payload::find_medium(transaction, medium.hash));
  const std::uint64_t use_count = head ? head->use_count : 0;
  if (number != 0) {
    // Once used, it is on the list no more, and gone if nobody uses it now.
    TL_TRY_ASSIGN(is_stored, is_pending(transaction, number, since));
    if (is_stored) {
      TL_TRY(claim_pending(transaction, number));
      return payload::put_medium_head(transaction, medium.hash,
                                      {use_count, medium.bytes.size(), number, medium.mime});
    }
  }
  return payload::put_medium(transaction, payloads_, medium, use_count);
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
  payload::MediaCountChanges let_go;
  for (const std::string& hash : held_) let_go.drop(hash);
  TL_TRY(let_go.apply(transaction, payloads_));
  // The file had them already, or got them from somebody else meanwhile.
  for (const auto& [hash, brought] : of_events_) {
    if (brought->number == 0) continue;
    TL_TRY_ASSIGN(is_left, is_pending(transaction, brought->number, brought->since));
    if (is_left) TL_TRY(drop_pending(transaction, payloads_, brought->number));
  }
  held_.clear();
  of_events_.clear();
  return {};
}

}  // namespace tracelite::ingest
