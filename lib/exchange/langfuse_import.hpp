// Langfuse ingestion events in: bytes of a stream -> checked model events, each with its outcome.
//
// Knows the wire format, the model and the payload scanner. Must not know what becomes of an event:
// it is handed to a sink.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/event.hpp"
#include "model/result.hpp"

namespace tracelite::exchange {

// A document that spans lines (a pretty-printed batch) is held whole, up to this size.
inline constexpr std::size_t kDocumentSizeBytesMax = std::size_t{1} << 30;

// Gives the next bytes: how many were put into the buffer, 0 at the end, less than 0 to fail.
using ReadFunction = std::function<std::int64_t(char* buffer, std::size_t capacity_bytes)>;
// Takes an event with its warnings; an error stops the import (queue closed, read-only, ...).
using EventSink = std::function<Status(model::Event&& event,
                                       const std::vector<model::Warning>& warnings)>;
// Bytes read so far; returns true to cancel.
using ProgressFunction = std::function<bool(std::uint64_t done_bytes)>;

struct Outcome {
  std::uint64_t line = 0;   // from 1
  std::uint64_t index = 0;  // from 0
  Bytes event_id;
  int http_status = 201;  // 201 or 400
  bool is_warning = false;
  model::Reason reason{};
  Bytes field;
  Bytes message;
};
using OutcomeFunction = std::function<void(const Outcome&)>;

struct ImportReport {
  std::uint64_t event_count = 0;
  std::uint64_t succeeded_count = 0;
  std::uint64_t warned_count = 0;
  std::uint64_t failed_count = 0;
  std::uint64_t ignored_count = 0;
};

// Reads to the end. Errors: cancelled (by read, progress), and those of the sink.
Result<ImportReport> import_langfuse(const ReadFunction& read, const EventSink& sink,
                                     const OutcomeFunction& outcome,
                                     const ProgressFunction& progress);

// One event's JSON text -> a model event (none for sdk-log). Errors: invalid, naming the field.
struct ParsedEvent {
  std::string event_id;
  bool ignored = false;
  model::Event event;
  std::vector<model::Warning> warnings;
};
class EventParser {
 public:
  EventParser();
  ~EventParser();
  EventParser(const EventParser&) = delete;
  EventParser& operator=(const EventParser&) = delete;
  // On failure the id that was found, if any, is in `event_id`.
  Result<ParsedEvent> parse(Bytes json, std::string& event_id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tracelite::exchange
