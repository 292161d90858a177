// The writer thread: batches, transactions, and what to do when one fails.
#include "ingest/writer.hpp"

#include <utility>

#include "ingest/pending.hpp"
#include "model/out_of_memory.hpp"
#include "payload/json_scanner.hpp"
#include "payload/media_scan.hpp"
#include "payload/metadata_json.hpp"

namespace tracelite::ingest {

using model::Event;
using model::Field;
using model::Form;
using model::PayloadValue;
using model::Reason;
using model::Register;
using std::chrono::steady_clock;

namespace {

constexpr Bytes kFullyMasked = "<fully masked due to failed mask function>";

// Failures of a transaction that lie in the batch itself: trying again gives the same answer.
bool lies_in_the_batch(Code code) {
  return code == Code::invalid || code == Code::limit || code == Code::corrupt ||
         code == Code::internal || code == Code::not_found || code == Code::misuse;
}

// As the application's own null, which clears the field.
bool is_null(Field field, const Payload& masked) {
  return masked.form == Form::null || (field == Field::metadata && masked.form == Form::json &&
                                       payload::json_type(masked.bytes) == payload::JsonType::null);
}

}  // namespace

void Writer::run() {
  do_chores({});
  while (true) {
    Batch batch = recorder_.queue_.take(kBatchSizeBytesMax);
    if (batch.events.empty()) break;
    const auto began = steady_clock::now();
    std::vector<Event> events;
    if (!decode(batch, events)) break;
    const bool written = write(events);
    stored_in_parts_.clear();
    if (!written) break;
    recorder_.queue_.done(batch, std::move(dropped_error_));
    settled_count_ = 0;
    do_chores(steady_clock::now() - began);
  }
  if (!ended_well([&] { count_what_is_lost(); })) return;
  ended_well([&] { write_last_counters(); });
}

// So what deletes keeps up with what records, and no queue waits for more than one step else.
void Writer::do_chores(steady_clock::duration time_for_it) {
  const ChoreFunction& chore = recorder_.options().chore;
  if (!chore) return;
  const auto until = steady_clock::now() + time_for_it;
  bool more = !recorder_.queue_.is_closed();
  while (more) {
    more = chore() && !recorder_.queue_.is_closed() &&
           (steady_clock::now() < until || !recorder_.queue_.is_wanted());
  }
}

// What the caps give back may be what is missing. No longer than until the next try: who flushes is
// told of the failure after it.
void Writer::make_room_on_disk() {
  const ChoreFunction& chore = recorder_.options().chore;
  const auto until = steady_clock::now() + kRetryPause;
  bool more = static_cast<bool>(chore);
  while (more && !recorder_.queue_.is_closed()) more = chore() && steady_clock::now() < until;
}

// False: the batch is lost, because there was no memory until the queue was over.
bool Writer::decode(Batch& batch, std::vector<Event>& events) {
  while (!ended_well([&] { try_decode(batch, events); })) {
    if (!recorder_.queue_.wait_to_retry(no_memory())) return false;
  }
  Queue::release(batch);
  return true;
}

void Writer::try_decode(const Batch& batch, std::vector<Event>& events) {
  events.clear();
  events.reserve(batch.events.size());
  dropped_error_.reset();
  settled_count_ = 0;
  media_.clear();
  GivenChecker checker = recorder_.checker();
  for (const Bytes queued : batch.events) {
    auto event = model::assemble(queued, checker);
    if (!event) {
      drop(event.error());
      ++settled_count_;
      continue;
    }
    events.push_back(std::move(*event));
    media_.take_out(events.back());
    if (recorder_.options().mask) mask(events.back());
  }
}

void Writer::mask(Event& event) {
  for (Register& reg : event.entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    const PayloadValue value = PayloadValue::decode(reg.value);
    if (value.form == Form::withheld || value.form == Form::null) continue;
    std::optional<Payload> masked = recorder_.options().mask(reg.field, value.form, value.bytes);
    const bool checked =
        masked && (masked->form != Form::json || !payload::check_json(masked->bytes).has_value()) &&
        (masked->form != Form::text || payload::is_valid_utf8(masked->bytes));
    if (!checked) {
      masked = Payload{Form::text, std::string(kFullyMasked)};
      recorder_.count(Reason::mask_failed);
      recorder_.log(LogLevel::warning, Reason::mask_failed,
                    "the mask function failed: the value was masked fully");
    } else if (masked->form == value.form && masked->bytes == value.bytes) {
      continue;
    } else {
      recorder_.count(Reason::masked);
    }
    if (is_null(reg.field, *masked)) {
      reg.flags = Register::kCleared;
      reg.value.clear();
      continue;
    }
    if (reg.field == Field::metadata) {
      *masked = {Form::json, payload::metadata_object(masked->form, masked->bytes)};
    }
    // As if it had been given so.
    reg.flags = static_cast<std::uint8_t>(reg.flags & ~Register::kWeak);
    if (model::is_weak_payload(masked->form, masked->bytes)) reg.flags |= Register::kWeak;
    std::optional<payload::WithoutMedia> kept;
    if (value.has_media() && masked->form != Form::bytes) {
      kept = payload::keep_media(value, masked->bytes);
    }
    reg.value = kept ? PayloadValue::encode_inline(masked->form, kept->text, kept->places())
                     : PayloadValue::encode_inline(masked->form, masked->bytes);
  }
}

// ------------------------------------------------------------------------------ trying

bool Writer::write(std::vector<Event>& events) {
  while (true) {
    Status status = without_exceptions([&] { return try_write(events); });
    if (!status && store::is_map_full(status.error())) {
      status = without_exceptions([&] { return recorder_.environment_->grow(); });
      if (status) continue;
    }
    if (status) return true;
    // Whatever was being remembered of the file may be half done.
    last_transaction_id_ = 0;
    forget();
    if (has_begun_ && lies_in_the_batch(status.error().code)) {
      std::vector<Event> one;  // what each of them is moved to
      if (events.size() == 1) {
        drop(std::move(status).error());
        return true;
      }
      if (ended_well([&] { one.reserve(1); })) return write_one_by_one(events, one);
      status = no_memory();
    }
    log(Reason::none, "writing failed and is tried again: ", status.error());
    if (status.error().code == Code::disk_full) make_room_on_disk();
    if (!recorder_.queue_.wait_to_retry(std::move(status).error())) return false;
  }
}

bool Writer::write_one_by_one(std::vector<Event>& events, std::vector<Event>& one) {
  for (Event& event : events) {
    one.clear();
    one.push_back(std::move(event));
    if (!write(one)) return false;
    ++settled_count_;
  }
  return true;
}

void Writer::drop(Error error) {
  recorder_.count(Reason::write_failed);
  log(Reason::write_failed, "an event could not be written and was dropped: ", error);
  dropped_error_ = std::move(error);
}

// Where there is no memory for the message there is none.
void Writer::log(Reason reason, const char* what, const Error& why) {
  ended_well([&] { recorder_.log(LogLevel::error, reason, what + why.message); });
}

Status Writer::try_write(std::vector<Event>& events) {
  has_begun_ = false;
  while (true) {
    for (Event& event : events) TL_TRY(store_large_payloads(event));
    TL_TRY(store_large_media(events));
    TL_TRY_ASSIGN(written, write_in_transaction(events));
    if (written) return {};
  }
}

// ------------------------------------------------------------------------------ one transaction

void Writer::forget() {
  if (index_ != nullptr) index_->forget();
  if (applier_ != nullptr) applier_->forget();
  payloads_.forget();
}

// Makes the connection ready for this transaction; what is remembered of the file is dropped if
// anybody else has committed since.
Status Writer::prepare(store::WriteTransaction& transaction) {
  store::Packing packing = store::kQuickPacking;
  packing.level = recorder_.options().compression_level;
  packing.dictionary_size_bytes_max = recorder_.options().dictionary_size_bytes;
  store::PackedSpaces::of(transaction).set_packing(packing);
  if (transaction.id() != last_transaction_id_ + 1) forget();
  if (connection_ == nullptr) {
    TL_TRY_ASSIGN(connection, index::Connection::open_writer(transaction));
    connection_ = std::move(connection);
  }
  TL_TRY(connection_->begin(transaction));
  if (connection_->is_empty()) {
    applier_.reset();
    index_.reset();
  }
  if (index_ == nullptr) {
    TL_TRY_ASSIGN(index, index::IndexWriter::open(connection_->handle()));
    index_ = std::move(index);
    applier_ = std::make_unique<Applier>(payloads_, media_, *index_);
  }
  return {};
}

Result<store::WriteTransaction> Writer::begin_write() {
  has_begun_ = false;
  auto transaction = recorder_.environment_->begin_write(recorder_.options().durability);
  has_begun_ = transaction.ok();
  return transaction;
}

Result<store::ReadTransaction> Writer::begin_read() {
  has_begun_ = false;
  auto snapshot = recorder_.environment_->begin_read();
  has_begun_ = snapshot.ok();
  return snapshot;
}

Status Writer::has_disk_left() const {
  const std::uint64_t least = recorder_.options().free_disk_min_bytes;
  if (least == 0 || recorder_.making_room_.load() > 0) return {};
  TL_TRY_ASSIGN(left, recorder_.environment_->free_disk_bytes());
  if (left >= least) return {};
  return make_error(Code::disk_full,
                    "the disk that holds " + recorder_.environment_->path() + " has " +
                        std::to_string(left) + " bytes left, less than free_disk_min_bytes (" +
                        std::to_string(least) +
                        "): nothing is written until there is more; make room",
                    std::string(kFreeDiskMinField));
}

Result<bool> Writer::write_in_transaction(std::vector<Event>& events) {
  TL_TRY(has_disk_left());
  TL_TRY_ASSIGN(transaction, begin_write());
  TL_TRY_ASSIGN(complete, has_stored_payloads(transaction, events));
  if (!complete) return false;
  const std::uint64_t id = transaction.id();
  const record::Counters counted = recorder_.counters_.give_to(id);
  // What is open on the transaction must be closed before it goes, whatever happens.
  Status status = without_exceptions([&]() -> Status {
    TL_TRY(prepare(transaction));
    TL_TRY(applier_->apply(transaction, events));
    TL_TRY_ASSIGN(counters, record::read_counters(transaction));
    for (std::size_t i = 0; i < counted.size(); ++i) counters[i] += counted[i];
    TL_TRY(record::write_counters(transaction, counters));
    return connection_->commit();
  });
  if (!status) {
    recorder_.counters_.take_back();
    // The statements may be in any state: begin anew with the next transaction.
    if (connection_ != nullptr) connection_->rollback();
    applier_.reset();
    payloads_.forget();
    index_.reset();
    connection_.reset();
    last_transaction_id_ = 0;
    return std::move(status).error();
  }
  last_transaction_id_ = id;
  return true;
}

// What the deadline of close left over.
void Writer::count_what_is_lost() {
  const std::uint64_t lost = recorder_.queue_.waiting_count() - settled_count_;
  recorder_.lost_count_ = lost;
  if (lost == 0) return;
  recorder_.count(Reason::closed, lost);
  recorder_.log(LogLevel::warning, Reason::closed,
                std::to_string(lost) + " records were lost: closing took too long");
}

// Repairs and refusals that came after the last batch.
void Writer::write_last_counters() {
  if (!recorder_.counters_.any() || recorder_.environment_->forked()) return;
  std::vector<Event> none;
  // free_disk_min_bytes holds up what is recorded, not that it was dropped for want of room.
  const Recorder::MakingRoom making(recorder_.making_room_);
  const auto status = write_in_transaction(none);
  if (!status) {
    recorder_.log(LogLevel::warning, Reason::none,
                  "the last counters could not be written: " + status.error().message);
  }
}

// ------------------------------------------------------------------------------ large payloads

Status Writer::store_large_payloads(Event& event) {
  for (Register& reg : event.entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    // A piece of streamed text has to be here when it is put behind the others.
    if (reg.streamed()) continue;
    const PayloadValue value = PayloadValue::decode(reg.value);
    if (value.is_stored || value.bytes.size() <= kPayloadPartSizeBytes) continue;
    TL_TRY_ASSIGN(stored, store_in_parts(value.bytes, false));
    std::string in_file = PayloadValue::encode_stored(value.form, stored.number,
                                                      value.stored_size_bytes, value.media());
    StoredInParts& kept = stored_in_parts_[stored.number];
    kept = std::move(stored);
    kept.value = std::exchange(reg.value, std::move(in_file));
  }
  return {};
}

Status Writer::store_large_media(const std::vector<Event>& events) {
  for (MediaBatch::Brought* large : media_.too_large(events, kPayloadPartSizeBytes)) {
    {
      TL_TRY_ASSIGN(snapshot, begin_read());
      TL_TRY_ASSIGN(is_there, media_.is_in_file(snapshot, large->medium.hash));
      if (is_there) continue;
    }
    TL_TRY_ASSIGN(stored, store_in_parts(large->medium.bytes, true));
    large->number = stored.number;
    large->since = stored.since;
  }
  return {};
}

Result<Writer::StoredInParts> Writer::store_in_parts(Bytes bytes, bool is_medium) {
  StoredInParts stored;
  Bytes left = bytes;
  while (!left.empty()) {
    TL_TRY(has_disk_left());
    TL_TRY_ASSIGN(transaction, begin_write());
    if (transaction.id() != last_transaction_id_ + 1) forget();
    if (stored.number != 0) {
      TL_TRY_ASSIGN(there, is_pending(transaction, stored.number, stored.since));
      if (!there) {
        stored = {};
        left = bytes;
      }
    }
    if (stored.number == 0) {
      TL_TRY_ASSIGN(created, is_medium ? payloads_.create_medium(transaction)
                                       : payloads_.create(transaction));
      stored.number = created;
      stored.since = transaction.id();
      TL_TRY(add_pending(transaction, stored.number));
    }
    const Bytes part = left.substr(0, kPayloadPartSizeBytes);
    TL_TRY(payloads_.append(transaction, stored.number, part));
    const std::uint64_t id = transaction.id();
    TL_TRY(transaction.commit());
    last_transaction_id_ = id;
    left.remove_prefix(part.size());
  }
  return stored;
}

Result<bool> Writer::has_stored_payloads(const store::Transaction& transaction,
                                         std::vector<Event>& events) {
  if (stored_in_parts_.empty()) return true;
  bool all = true;
  for (Event& event : events) {
    for (Register& reg : event.entity.registers) {
      if (!model::is_payload(reg.field) || reg.cleared()) continue;
      const PayloadValue value = PayloadValue::decode(reg.value);
      const auto stored = stored_in_parts_.find(value.number);
      if (!value.is_stored || stored == stored_in_parts_.end()) continue;
      TL_TRY_ASSIGN(there, is_pending(transaction, value.number, stored->second.since));
      if (there) continue;
      reg.value = std::move(stored->second.value);
      stored_in_parts_.erase(stored);
      all = false;
    }
  }
  return all;
}

}  // namespace tracelite::ingest
