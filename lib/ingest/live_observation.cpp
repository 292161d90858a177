// Events of a live observation, and random ids.
#include "ingest/live_observation.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <random>

#include "model/time.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::ingest {
namespace {

using model::EntityKind;
using model::EventBuilder;
using model::Field;

// From the system each time: a generator in this process has locks, or a state, that a forked child
// inherits.
std::string random_hex(std::size_t size_bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::array<unsigned char, 16> bytes{};
  if (getentropy(bytes.data(), size_bytes) != 0) {
    std::random_device device;
    for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(device());
  }
  bytes[0] |= 1;  // an id of zeros is no id in W3C's form
  std::string hex;
  for (std::size_t i = 0; i < size_bytes; ++i) {
    hex.push_back(kHex[bytes[i] >> 4]);
    hex.push_back(kHex[bytes[i] & 15]);
  }
  return hex;
}

// What one event takes of a valid text: up to the begin of a character.
Bytes first_piece(Bytes text) {
  std::size_t size_bytes = std::min(text.size(), kAppendPieceSizeBytesMax);
  const auto is_inside_character = [&] {
    return (static_cast<unsigned char>(text[size_bytes]) & 0xc0) == 0x80;
  };
  while (size_bytes < text.size() && is_inside_character()) --size_bytes;
  return text.substr(0, size_bytes);
}

}  // namespace

LiveObservation::LiveObservation(std::shared_ptr<Recorder> recorder, std::string trace_id,
                                 std::string id)
    : recorder_(std::move(recorder)),
      trace_id_(std::move(trace_id)),
      id_(std::move(id)),
      is_kept_(is_sampled(trace_id_, recorder_->options().sample_rate)) {}

bool LiveObservation::keeps_next() {
  if (!is_kept_) recorder_->count(model::Reason::sampled_out);
  return is_kept_;
}

EventBuilder LiveObservation::update() const { return {EntityKind::observation, true}; }

Status LiveObservation::record(EventBuilder& builder) {
  Status sealed = [&]() -> Status {
    TL_TRY(builder.id(id_));
    TL_TRY(builder.trace_id(trace_id_));
    last_stamp_ns_ = std::max(recorder_->next_stamp_ns(), last_stamp_ns_ + 1);
    return builder.seal(last_stamp_ns_);
  }();
  if (sealed) return recorder_->record(builder);
  recorder_->refused(sealed.error());
  return sealed;
}

Status LiveObservation::append(Field field, Bytes text) {
  if (!payload::is_valid_utf8(text)) {
    Error refused = make_error(Code::invalid, "appended text must be valid UTF-8",
                               std::string(model::field_name(field)));
    recorder_->refused(refused);
    return refused;
  }
  if (recorder_->options().mask) {
    std::string& held = field == Field::input ? held_input_ : held_output_;
    held.append(text);
    EventBuilder builder = update();
    builder.withheld(field, held.size());
    return record_appended(field, builder);
  }
  while (!text.empty()) {
    const Bytes piece = first_piece(text);
    EventBuilder builder = update();
    builder.streamed(field, piece);
    TL_TRY(record_appended(field, builder));
    text.remove_prefix(piece.size());
  }
  return {};
}

Status LiveObservation::record_appended(Field field, EventBuilder& builder) {
  if (has_appended_ || field != Field::output) return record(builder);
  builder.time(Field::completion_start_time, model::now_ns(), true);
  TL_TRY(record(builder));
  has_appended_ = true;
  return {};
}

void LiveObservation::field_was_set(Field field) {
  if (field == Field::input) held_input_.clear();
  if (field == Field::output) held_output_.clear();
}

void LiveObservation::add_held_back(EventBuilder& builder) {
  if (!held_input_.empty()) builder.payload(Field::input, model::Form::text, held_input_);
  if (!held_output_.empty()) builder.payload(Field::output, model::Form::text, held_output_);
}

std::string random_trace_id() { return random_hex(16); }
std::string random_observation_id() { return random_hex(8); }

}  // namespace tracelite::ingest
