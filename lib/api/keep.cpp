// Statistics, counters, space, deleting, check, reindex, compacting, backup and salvage.
#include "api/handles.hpp"
#include "api/values_in.hpp"
#include "maintain/maintain.hpp"
#include "query/containers.hpp"
#include "record/statistics.hpp"

namespace tracelite::api {
namespace {

maintain::ProgressFunction progress_of(tl_progress_fn progress, void* context) {
  if (progress == nullptr) return {};
  return [progress, context](std::uint64_t done, std::uint64_t total) {
    return progress(context, done, total) != 0;
  };
}

Status stats(tl_store* store, tl_statistics* given) {
  if (store == nullptr) return null_argument("store");
  if (given == nullptr) return null_argument("statistics");
  if (given->struct_size < sizeof(given->struct_size)) return no_struct_size();
  TL_TRY(store->state->usable());
  const store::Environment& environment = *store->state->environment;
  TL_TRY_ASSIGN(transaction, store->state->environment->begin_read());
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  TL_TRY_ASSIGN(file_size_bytes, environment.file_size_bytes());
  tl_statistics own{};
  own.format_version = store::kFormatVersion;
  own.trace_count = statistics.traces;
  own.observation_count = statistics.observations;
  own.score_count = statistics.scores;
  own.session_count = statistics.sessions;
  own.user_count = statistics.users;
  own.payload_size_bytes = statistics.payload_size_bytes;
  own.file_size_bytes = file_size_bytes;
  own.commit_number = transaction.id();
  own.oldest_reader_lag = environment.oldest_reader_lag();
  if (store->state->recorder != nullptr) {
    own.queued_size_bytes = store->state->recorder->queued_size_bytes();
  }
  copy_out(own, given);
  return {};
}

Result<record::Counters> counters_of(const StoreState& state) {
  if (state.recorder != nullptr) return state.recorder->counters();
  TL_TRY_ASSIGN(transaction, state.environment->begin_read());
  return record::read_counters(transaction);
}

Status counter(tl_store* store, tl_reason reason, std::uint64_t* count) {
  if (store == nullptr) return null_argument("store");
  if (count == nullptr) return null_argument("count");
  *count = 0;
  if (reason < 0 || reason >= TL_REASON_COUNT) {
    return make_error(Code::invalid, "no such reason", "reason");
  }
  TL_TRY(store->state->usable());
  TL_TRY_ASSIGN(counters, counters_of(*store->state));
  *count = counters[static_cast<std::size_t>(reason)];
  return {};
}

Status space(tl_store* store, tl_space_fn line, void* context) {
  if (store == nullptr) return null_argument("store");
  if (line == nullptr) return null_argument("line");
  TL_TRY(store->state->usable());
  return maintain::space(store->state->environment,
                         [&](Bytes key_space, Bytes table, std::uint64_t size_bytes) {
                           line(context, to_text(key_space), to_text(table), size_bytes);
                         });
}

// The containers that the filter means now; the view is closed again, so that what goes makes room.
Result<std::vector<record::ContainerNumber>> select(const StoreState& state, query::Filter filter) {
  TL_TRY_ASSIGN(view, query::Snapshot::open(state.environment, state.readers));
  return query::select_containers(*view, std::move(filter));
}

// `erase` deletes containers of a file, and says in the two reports what it did.
template <class Erase>
Status delete_selected(tl_store* store, const tl_filter* given, tl_delete_report* report,
                       const Erase& erase) {
  if (store == nullptr) return null_argument("store");
  if (given == nullptr) return null_argument("filter");
  if (report != nullptr && report->struct_size < sizeof(report->struct_size)) {
    return no_struct_size();
  }
  maintain::DeleteReport deleted;
  maintain::SecureReport secure;
  Status status = [&]() -> Status {
    TL_TRY(store->state->recordable());
    TL_TRY_ASSIGN(filter, convert(given));
    TL_TRY(store->state->wait_until_durable_to_make_room());
    TL_TRY_ASSIGN(containers, select(*store->state, std::move(filter)));
    return erase(store->state->environment, containers, deleted, secure);
  }();
  if (report != nullptr) {
    tl_delete_report own{};
    own.trace_count = deleted.traces;
    own.observation_count = deleted.observations;
    own.score_count = deleted.scores;
    own.session_count = deleted.sessions;
    own.zeroed_size_bytes = secure.zeroed_bytes;
    own.remaining_size_bytes = secure.remaining_bytes;
    copy_out(own, report);
  }
  return status;
}

Status erase(tl_store* store, const tl_filter* filter, tl_progress_fn progress,
             void* progress_context, tl_delete_report* report) {
  return delete_selected(
      store, filter, report,
      [&](const auto& file, const auto& containers, auto& deleted, auto& /*secure*/) {
        return maintain::delete_containers(file, containers,
                                           progress_of(progress, progress_context), deleted);
      });
}

Status erase_securely(tl_store* store, const tl_filter* filter, std::uint32_t timeout_ms,
                      tl_progress_fn progress, void* progress_context, tl_delete_report* report) {
  std::optional<std::chrono::milliseconds> within;
  if (timeout_ms != UINT32_MAX) within = std::chrono::milliseconds(timeout_ms);
  return delete_selected(
      store, filter, report,
      [&](const auto& file, const auto& containers, auto& deleted, auto& secure) {
        auto& waits_at_commit = store->state->deletion_waits_at_commit;
        secure.waits_at_commit = waits_at_commit.exchange(0);
        Status status = maintain::delete_securely(
            file, containers, within, progress_of(progress, progress_context), deleted, secure);
        waits_at_commit = secure.waits_at_commit;
        return status;
      });
}

Status check(tl_store* store, tl_finding_fn finding, void* finding_context, tl_progress_fn progress,
             void* progress_context) {
  if (store == nullptr) return null_argument("store");
  TL_TRY(store->state->usable());
  const auto found = [&](Bytes where, Bytes message) {
    if (finding != nullptr) finding(finding_context, to_text(where), to_text(message));
  };
  return maintain::check(store->state->environment, found, progress_of(progress, progress_context));
}

// What cannot be written because another version has made the index is written behind it; a try
// that was under way meanwhile may still fail for that.
template <class Wait, class Work>
Status with_all_written(const Wait& wait_until_written, const Work& make_index_anew) {
  const auto is_other_index = [](const Status& written) {
    return !written && written.error().code == Code::unsupported;
  };
  Status written = wait_until_written();
  if (!written && !is_other_index(written)) return written;
  TL_TRY(make_index_anew());
  for (int tries = 0; is_other_index(written) && tries < 2; ++tries) written = wait_until_written();
  return written;
}

Status reindex(tl_store* store, tl_progress_fn progress, void* progress_context) {
  if (store == nullptr) return null_argument("store");
  const StoreState& state = *store->state;
  TL_TRY(state.recordable());
  return with_all_written([&] { return state.wait_until_durable(std::nullopt); },
                          [&] {
                            return maintain::reindex(state.environment,
                                                     progress_of(progress, progress_context));
                          });
}

Status compact(tl_store* store, tl_progress_fn progress, void* progress_context) {
  if (store == nullptr) return null_argument("store");
  const StoreState& state = *store->state;
  TL_TRY(state.recordable());
  return with_all_written([&] { return state.wait_until_durable_to_make_room(); },
                          [&] {
                            return maintain::compact(state.environment,
                                                     progress_of(progress, progress_context));
                          });
}

Status backup(tl_store* store, const char* path, tl_progress_fn progress, void* progress_context) {
  if (store == nullptr) return null_argument("store");
  if (path == nullptr || *path == '\0') {
    return make_error(Code::misuse, "a path is needed", "path");
  }
  TL_TRY(store->state->usable());
  if (store->state->recorder != nullptr) TL_TRY(store->state->wait_until_durable(std::nullopt));
  return maintain::backup(store->state->environment, path, progress_of(progress, progress_context));
}

Status salvage(const char* path, const char* new_path, tl_finding_fn finding, void* finding_context,
               tl_progress_fn progress, void* progress_context, tl_salvage_report* report) {
  if (path == nullptr || *path == '\0') return make_error(Code::misuse, "a path is needed", "path");
  if (new_path == nullptr || *new_path == '\0') {
    return make_error(Code::misuse, "a path for the new file is needed", "new_path");
  }
  if (report != nullptr && report->struct_size < sizeof(report->struct_size)) {
    return no_struct_size();
  }
  const auto found = [&](Bytes where, Bytes message) {
    if (finding != nullptr) finding(finding_context, to_text(where), to_text(message));
  };
  TL_TRY_ASSIGN(salvaged,
                maintain::salvage(path, new_path, found, progress_of(progress, progress_context)));
  tl_salvage_report own{};
  own.trace_count = salvaged.traces;
  own.observation_count = salvaged.observations;
  own.score_count = salvaged.scores;
  own.session_count = salvaged.sessions;
  own.medium_count = salvaged.media;
  own.payload_count = salvaged.payloads;
  own.lost_page_count = salvaged.lost_pages;
  own.lost_value_count = salvaged.lost_values;
  own.lost_record_count = salvaged.lost_records;
  own.lost_payload_count = salvaged.lost_payloads;
  own.doubtful_count = salvaged.doubtful_values;
  if (report != nullptr) copy_out(own, report);
  return {};
}

}  // namespace
}  // namespace tracelite::api

namespace api = tracelite::api;

tl_status tl_stats(tl_store* store, tl_statistics* statistics) {
  return api::guarded([&] { return api::stats(store, statistics); });
}
tl_status tl_counter(tl_store* store, tl_reason reason, uint64_t* count) {
  return api::guarded([&] { return api::counter(store, reason, count); });
}
tl_status tl_space(tl_store* store, tl_space_fn line, void* context) {
  return api::guarded([&] { return api::space(store, line, context); });
}

tl_status tl_delete(tl_store* store, const tl_filter* filter, tl_progress_fn progress,
                    void* progress_context, tl_delete_report* report) {
  return api::guarded(
      [&] { return api::erase(store, filter, progress, progress_context, report); });
}

tl_status tl_delete_securely(tl_store* store, const tl_filter* filter, uint32_t timeout_ms,
                             tl_progress_fn progress, void* progress_context,
                             tl_delete_report* report) {
  return api::guarded([&] {
    return api::erase_securely(store, filter, timeout_ms, progress, progress_context, report);
  });
}

tl_status tl_check(tl_store* store, tl_finding_fn finding, void* finding_context,
                   tl_progress_fn progress, void* progress_context) {
  return api::guarded(
      [&] { return api::check(store, finding, finding_context, progress, progress_context); });
}
tl_status tl_reindex(tl_store* store, tl_progress_fn progress, void* progress_context) {
  return api::guarded([&] { return api::reindex(store, progress, progress_context); });
}
tl_status tl_compact(tl_store* store, tl_progress_fn progress, void* progress_context) {
  return api::guarded([&] { return api::compact(store, progress, progress_context); });
}
tl_status tl_backup(tl_store* store, const char* path, tl_progress_fn progress,
                    void* progress_context) {
  return api::guarded([&] { return api::backup(store, path, progress, progress_context); });
}
tl_status tl_salvage(const char* path, const char* new_path, tl_finding_fn finding,
                     void* finding_context, tl_progress_fn progress, void* progress_context,
                     tl_salvage_report* report) {
  return api::guarded([&] {
    return api::salvage(path, new_path, finding, finding_context, progress, progress_context,
                        report);
  });
}
