// tl_import and tl_export.
#include "api/handles.hpp"
#include "api/values_in.hpp"
#include "exchange/export_file.hpp"
#include "exchange/langfuse_import.hpp"

namespace tracelite::api {
namespace {

Status check_format(tl_format format) {
  if (format == TL_FORMAT_LANGFUSE) return {};
  return make_error(Code::invalid, "the only format is TL_FORMAT_LANGFUSE", "format");
}

exchange::OutcomeFunction outcome_of(ingest::Recorder& recorder, tl_outcome_fn outcome_fn,
                                     void* context) {
  return [&recorder, outcome_fn, context](const exchange::Outcome& outcome) {
    if (outcome.http_status != 201) {
      recorder.refused(
          make_error(Code::invalid, std::string(outcome.message), std::string(outcome.field)));
    }
    if (outcome_fn == nullptr) return;
    tl_outcome own{};
    own.struct_size = sizeof own;
    own.line = outcome.line;
    own.index = outcome.index;
    own.event_id = outcome.event_id.empty() ? tl_text{} : to_text(outcome.event_id);
    own.http_status = outcome.http_status;
    own.is_warning = outcome.is_warning ? 1 : 0;
    own.reason = static_cast<tl_reason>(outcome.reason);
    own.field = outcome.field.empty() ? tl_text{} : to_text(outcome.field);
    own.message = to_text(outcome.message);
    outcome_fn(context, &own);
  };
}

struct ImportCall {
  tl_store* store;
  tl_format format;
  tl_read_fn read_fn;
  void* read_context;
  tl_outcome_fn outcome_fn;
  void* outcome_context;
  tl_progress_fn progress;
  void* progress_context;
  tl_import_report* report;
};

Status import_events(const ImportCall& call) {
  if (call.store == nullptr) return null_argument("store");
  if (call.read_fn == nullptr) return null_argument("read_fn");
  if (call.report != nullptr && call.report->struct_size < sizeof(std::uint32_t)) {
    return no_struct_size();
  }
  TL_TRY(check_format(call.format));
  TL_TRY(call.store->state->recordable());
  ingest::Recorder& recorder = *call.store->state->recorder;

  const exchange::ReadFunction read = [&](char* buffer, std::size_t capacity_bytes) {
    return call.read_fn(call.read_context, buffer, capacity_bytes);
  };
  const exchange::EventSink sink = [&](model::EventBuilder& sealed) {
    return recorder.keeps(sealed) ? recorder.record(sealed, ingest::WhenFull::wait) : Status();
  };
  exchange::ProgressFunction progress;
  if (call.progress != nullptr) {
    progress = [&](std::uint64_t done_bytes) {
      return call.progress(call.progress_context, done_bytes, 0) != 0;
    };
  }
  exchange::ImportReport imported;
  Status status = exchange::import_langfuse(
      read, sink, outcome_of(recorder, call.outcome_fn, call.outcome_context), progress, imported);
  // What was read before a cancel is kept: it is made durable too.
  Status flushed = call.store->state->flush(std::nullopt);
  if (call.report != nullptr) {
    tl_import_report own{};
    own.event_count = imported.event_count;
    own.succeeded_count = imported.succeeded_count;
    own.warned_count = imported.warned_count;
    own.failed_count = imported.failed_count;
    own.ignored_count = imported.ignored_count;
    copy_out(own, call.report);
  }
  return status ? std::move(flushed) : std::move(status);
}

Status export_events(tl_store* store, tl_snapshot* snapshot, const tl_filter* given,
                     tl_format format, tl_write_fn write_fn, void* write_context,
                     tl_progress_fn progress_fn, void* progress_context) {
  if (store == nullptr) return null_argument("store");
  if (write_fn == nullptr) return null_argument("write_fn");
  TL_TRY(check_format(format));
  TL_TRY_ASSIGN(view, snapshot_for(store, snapshot));
  TL_TRY_ASSIGN(filter, convert(given));
  exchange::ExportProgress progress;
  if (progress_fn != nullptr) {
    progress = [&](std::uint64_t done) { return progress_fn(progress_context, done, 0) != 0; };
  }
  return exchange::export_langfuse(
      view, filter,
      [&](Bytes bytes) { return write_fn(write_context, bytes.data(), bytes.size()) == 0; },
      progress);
}

}  // namespace
}  // namespace tracelite::api

namespace api = tracelite::api;

tl_status tl_import(tl_store* store, tl_format format, tl_read_fn read_fn, void* read_context,
                    tl_outcome_fn outcome_fn, void* outcome_context, tl_progress_fn progress,
                    void* progress_context, tl_import_report* report) {
  return api::guarded([&] {
    return api::import_events({store, format, read_fn, read_context, outcome_fn, outcome_context,
                               progress, progress_context, report});
  });
}

tl_status tl_export(tl_store* store, tl_snapshot* snapshot, const tl_filter* filter,
                    tl_format format, tl_write_fn write_fn, void* write_context,
                    tl_progress_fn progress, void* progress_context) {
  return api::guarded([&] {
    return api::export_events(store, snapshot, filter, format, write_fn, write_context, progress,
                              progress_context);
  });
}
