// Langfuse ingestion events in: bytes of a stream -> checked model events, each with its outcome.
//
// Knows the wire format, the model and the payload scanner. Must not know what becomes of an event:
// it is handed to a sink.
//
// The stream is JSON Lines of events, of arrays of events and of batch objects {"batch":[...]}, or
// one of these as a document that spans lines. Lines stream: memory is bounded by the largest line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "model/event.hpp"
#include "model/limits.hpp"
#include "model/result.hpp"

namespace tracelite::exchange {

// Gives the next bytes: how many were put into the buffer, 0 at the end, less than 0 to fail.
using ReadFunction = std::function<std::int64_t(char* buffer, std::size_t capacity_bytes)>;
// Takes a sealed event with its warnings; an error stops the import (queue closed, read-only, ...).
using EventSink = std::function<Status(model::EventBuilder& sealed)>;
// Bytes read so far; returns true to cancel.
using ProgressFunction = std::function<bool(std::uint64_t done_bytes)>;

struct Outcome {
  std::uint64_t line = 0;   // where the event starts, from 1
  std::uint64_t index = 0;  // of the event in the input, from 0
  Bytes event_id;           // empty if none was found
  int http_status = 201;    // 201 or 400
  bool is_warning = false;
  model::Reason reason{};
  Bytes field;
  Bytes message;
};
using OutcomeFunction = std::function<void(const Outcome&)>;

struct ImportReport {
  std::uint64_t event_count = 0;
  std::uint64_t succeeded_count = 0;  // those with warnings included
  std::uint64_t warned_count = 0;     // events with at least one warning
  std::uint64_t failed_count = 0;
  std::uint64_t ignored_count = 0;  // sdk-log
};

// Reads to the end. One outcome a failed event; of any other, its warnings and then its success.
// `outcome` and `progress` may be empty; `report` is of what was taken so far in case of an error,
// too. Errors: cancelled (by read or progress), limit (a document that spans lines is too large),
// and those of the sink.
Status import_langfuse(const ReadFunction& read, const EventSink& sink,
                       const OutcomeFunction& outcome, const ProgressFunction& progress,
                       ImportReport& report,
                       std::size_t document_size_bytes_max = model::kDocumentSizeBytesMax);

}  // namespace tracelite::exchange
