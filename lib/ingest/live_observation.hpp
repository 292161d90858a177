// A live observation: begun, and not yet ended. Turns calls into events of one entity, stamped in
// the order they were made.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <string>

#include "ingest/recorder.hpp"
#include "model/event.hpp"

namespace tracelite::ingest {

// Text that is appended at once is recorded in events of at most this size, cut between characters:
// each is copied a few times on its way, and several fit into a batch.
inline constexpr std::size_t kAppendPieceSizeBytesMax = std::size_t{512} << 10;

class LiveObservation {
 public:
  LiveObservation(std::shared_ptr<Recorder> recorder, std::string trace_id, std::string id);

  // Adds the ids and records; `builder` holds the other fields. Errors: invalid, queue_full,
  // misuse.
  Status record(model::EventBuilder& builder);
  // Text behind what the field holds. After an error other than invalid a begin of it may have been
  // recorded. With a mask set it is held back until end(): only its size is recorded meanwhile.
  Status append(model::Field field, Bytes text);
  // Adds what was held back to the last event.
  void add_held_back(model::EventBuilder& builder);
  // A builder for the next event of this observation.
  [[nodiscard]] model::EventBuilder update() const;

  // Whether the sample rate keeps the next event of this observation: asked before it is built, by
  // whoever builds it. False is counted.
  bool keeps_next();

  // An event has replaced or cleared what append() has held back of a field: it is forgotten. Not
  // to be called for an event that was not recorded, because no other has the text.
  void field_was_set(model::Field field);

  [[nodiscard]] const std::string& trace_id() const { return trace_id_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] Recorder& recorder() const { return *recorder_; }

 private:
  // Records what adds to a field as text does.
  Status record_appended(model::Field field, model::EventBuilder& builder);

  std::shared_ptr<Recorder> recorder_;
  const std::string trace_id_;
  const std::string id_;
  const bool is_kept_;
  std::int64_t last_stamp_ns_ = 0;
  bool has_appended_ = false;
  std::string held_input_, held_output_;
};

// Random ids in W3C form: 16 and 8 bytes as lower-case hex, never all zero.
std::string random_trace_id();
std::string random_observation_id();

}  // namespace tracelite::ingest
