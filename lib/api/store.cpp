// tl_open, tl_flush, tl_wait, tl_drop_when_full, tl_close.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "api/drain.hpp"
#include "api/handles.hpp"
#include "ingest/pending.hpp"
#include "ingest/queue.hpp"
#include "maintain/maintain.hpp"
#include "maintain/retention.hpp"
#include "model/limits.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::optional<milliseconds> timeout_of(std::uint32_t timeout_ms) {
  if (timeout_ms == UINT32_MAX) return std::nullopt;
  return milliseconds(timeout_ms);
}

// The first of the variables that is set and not empty.
std::string from_environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

ingest::MaskFunction mask_of(const tl_options& options) {
  if (options.mask == nullptr) return {};
  return [mask = options.mask, context = options.mask_context](
             model::Field field, model::Form form, Bytes bytes) -> std::optional<ingest::Payload> {
    const tl_payload value = {static_cast<tl_form>(form), to_text(bytes)};
    tl_payload masked = value;
    if (mask(context, static_cast<tl_field>(field), &value, &masked) != 0) return std::nullopt;
    if (masked.form < TL_FORM_NULL || masked.form > TL_FORM_BYTES) return std::nullopt;
    return ingest::Payload{static_cast<model::Form>(masked.form),
                           std::string(from_text(masked.text))};
  };
}

ingest::LogFunction log_of(const tl_options& options) {
  if (options.log == nullptr) return {};
  return [log = options.log, context = options.log_context](
             ingest::LogLevel level, model::Reason reason, const std::string& message) {
    log(context, static_cast<tl_log_level>(level), static_cast<tl_reason>(reason), message.c_str());
  };
}

// What is wrong with a default is said here, once, and not of every record.
Status set_defaults(const tl_options& options, ingest::Options& own) {
  const auto warn = [&own](model::Reason reason, const std::string& message) {
    if (own.log) own.log(ingest::LogLevel::warning, reason, message);
  };
  const bool names_environment = options.default_environment.data != nullptr;
  const std::string environment = names_environment
                                      ? std::string(from_text(options.default_environment))
                                      : from_environment({"LANGFUSE_TRACING_ENVIRONMENT"});
  if (!environment.empty()) {
    auto [name, is_repaired] = model::repair_environment(environment);
    if (is_repaired) {
      warn(model::Reason::environment,
           "the default environment is \"" + name +
               "\", and not what was given: it may have up to 40 of a-z, 0-9, - and _");
    }
    own.default_environment = std::move(name);
  }
  const bool names_release = options.default_release.data != nullptr;
  // The CI variables that Langfuse's clients look at, in their order.
  own.default_release =
      names_release
          ? std::string(from_text(options.default_release))
          : from_environment({"LANGFUSE_RELEASE", "VERCEL_GIT_COMMIT_SHA",
                              "NEXT_PUBLIC_VERCEL_GIT_COMMIT_SHA", "GITHUB_SHA", "CIRCLE_SHA1",
                              "CI_COMMIT_SHA", "TRAVIS_COMMIT", "BITBUCKET_COMMIT",
                              "BUILD_SOURCEVERSION", "RENDER_GIT_COMMIT", "SOURCE_VERSION",
                              "HEROKU_SLUG_COMMIT", "TRACELITE_RELEASE"});
  if (payload::is_valid_utf8(own.default_release)) return {};
  if (names_release) {
    return make_error(Code::invalid, "the text is not valid UTF-8", "default_release");
  }
  own.default_release.clear();
  warn(model::Reason::none,
       "the release that an environment variable names is not valid UTF-8: there is none");
  return {};
}

Result<ingest::Options> convert(const tl_options& options) {
  ingest::Options own;
  if (options.commit_interval_ms != 0) own.commit_interval_ms = options.commit_interval_ms;
  if (options.queue_size_bytes > model::kQueueSizeBytesMax) {
    return make_error(Code::invalid, "queue_size_bytes is at most 64 GiB", "queue_size_bytes");
  }
  if (options.queue_size_bytes != 0) own.queue_size_bytes = options.queue_size_bytes;
  if (options.full_policy != TL_FULL_WAIT && options.full_policy != TL_FULL_DROP) {
    return make_error(Code::invalid, "full_policy is TL_FULL_WAIT or TL_FULL_DROP", "full_policy");
  }
  own.full_policy = static_cast<ingest::FullPolicy>(options.full_policy);
  own.queue_wait_ms = options.queue_wait_ms;
  if (options.durability != TL_DURABILITY_SYNC && options.durability != TL_DURABILITY_LAST_COMMIT) {
    return make_error(Code::invalid,
                      "durability is TL_DURABILITY_SYNC or TL_DURABILITY_LAST_COMMIT",
                      "durability");
  }
  own.durability = static_cast<store::Durability>(options.durability);
  if (options.sample_rate_set != 0) {
    if (!(options.sample_rate >= 0 && options.sample_rate <= 1)) {
      return make_error(Code::invalid, "sample_rate is a number from 0 to 1", "sample_rate");
    }
    own.sample_rate = options.sample_rate;
  }
  if (options.compression_level < 0 || options.compression_level > model::kCompressionLevelMax) {
    return make_error(Code::invalid, "compression_level is a number from 1 to 19, or 0",
                      "compression_level");
  }
  if (options.compression_level != 0) own.compression_level = options.compression_level;
  if (options.dictionary_size_bytes > model::kDictionarySizeBytesMax) {
    return make_error(Code::invalid, "dictionary_size_bytes is at most 1 MiB",
                      "dictionary_size_bytes");
  }
  if (options.dictionary_size_bytes != 0) {
    own.dictionary_size_bytes = options.dictionary_size_bytes;
  }
  own.free_disk_min_bytes = options.free_disk_min_bytes;
  own.mask = mask_of(options);
  own.log = log_of(options);
  TL_TRY(set_defaults(options, own));
  return own;
}

constexpr std::uint32_t kRetentionFlags = TL_RETENTION_KEEP_BOOKMARKED;

Result<maintain::RetentionRules> retention_of(const tl_options& options) {
  if ((options.retention_flags & ~kRetentionFlags) != 0) {
    return make_error(Code::invalid, "retention_flags may be TL_RETENTION_KEEP_BOOKMARKED",
                      "retention_flags");
  }
  if (options.retention_size_bytes != 0 &&
      options.retention_size_bytes < model::kRetentionSizeBytesMin) {
    return make_error(Code::invalid, "retention_size_bytes is at least 1 MiB, or 0 for no limit",
                      "retention_size_bytes");
  }
  maintain::RetentionRules rules;
  rules.age_ms = options.retention_age_ms;
  rules.size_bytes = options.retention_size_bytes;
  rules.keeps_bookmarked = (options.retention_flags & TL_RETENTION_KEEP_BOOKMARKED) != 0;
  rules.durability = static_cast<store::Durability>(options.durability);
  return rules;
}

ingest::ChoreFunction chore_of(const maintain::RetentionRules& rules,
                               const std::shared_ptr<store::Environment>& environment,
                               const ingest::LogFunction& log) {
  if (rules.age_ms == 0 && rules.size_bytes == 0) return {};
  maintain::Retention::LogFunction tell;
  if (log) {
    tell = [log](bool is_warning, const std::string& message) {
      log(is_warning ? ingest::LogLevel::warning : ingest::LogLevel::info,
          is_warning ? model::Reason::none : model::Reason::retention, message);
    };
  }
  const auto retention = std::make_shared<maintain::Retention>(environment, rules, tell);
  return [retention] { return retention->step(); };
}

// Where the index is not ours: anew in the file, or in memory where nothing may be written.
Status provide_index(StoreState& state, const store::OpenOptions& options,
                     const ingest::LogFunction& log) {
  const auto tell = [&log](ingest::LogLevel level, const std::string& message) {
    if (log) log(level, model::Reason::none, message);
  };
  const bool from_stranger = options.untrusted;
  if (!options.read_only) {
    return maintain::renew_index(state.environment, from_stranger, [&tell](Bytes why) {
      tell(ingest::LogLevel::info, std::string(why));
    });
  }
  TL_TRY_ASSIGN(transaction, state.environment->begin_read());
  Status ours = maintain::check_index_is_ours(transaction, from_stranger);
  if (ours || ours.error().code == Code::no_memory) return ours;
  tell(ingest::LogLevel::warning,
       ours.error().message + "; until then one is made in memory, whenever the file has changed");
  state.readers = std::make_shared<query::ReaderPool>([from_stranger](store::ReadTransaction& of) {
    return maintain::index_in_memory(of, from_stranger);
  });
  return {};
}

Status open_store(const char* path, const tl_options* given, tl_store** store) {
  if (store == nullptr) return null_argument("store");
  *store = nullptr;
  if (path == nullptr || *path == '\0') {
    return make_error(Code::misuse, "a path is needed", "path");
  }
  tl_options options{};
  if (given != nullptr && !copy_in(given, options)) return no_struct_size();
  TL_TRY_ASSIGN(recording, convert(options));
  TL_TRY_ASSIGN(retention, retention_of(options));

  store::OpenOptions open_options;
  open_options.read_only = options.read_only != 0;
  if ((options.flags & ~std::uint32_t{TL_OPEN_UNTRUSTED | TL_OPEN_IMMUTABLE}) != 0) {
    return make_error(Code::invalid, "flags may be TL_OPEN_UNTRUSTED and TL_OPEN_IMMUTABLE",
                      "flags");
  }
  open_options.untrusted = (options.flags & TL_OPEN_UNTRUSTED) != 0;
  open_options.immutable = (options.flags & TL_OPEN_IMMUTABLE) != 0;
  if (open_options.immutable && !open_options.read_only) {
    return make_error(Code::invalid, "TL_OPEN_IMMUTABLE is for reading: set read_only as well",
                      "flags");
  }
  if (options.map_size_bytes != 0) open_options.map_size_bytes = options.map_size_bytes;
  const std::shared_ptr<StoreState> state(new StoreState, DropStoreState());
  TL_TRY_ASSIGN(environment, store::Environment::open(path, open_options));
  state->environment = std::move(environment);
  if (!open_options.read_only) {
    if (!state->environment->writable()) {
      return make_error(Code::permission, "the file " + state->environment->path() +
                                              " cannot be written; open it read-only, or change "
                                              "its permissions");
    }
  }
  TL_TRY(provide_index(*state, open_options, recording.log));
  if (!open_options.read_only) {
    // It can wait for the next time: on a full disk, say, the file must still open.
    const Status reclaimed = ingest::reclaim_pending(*state->environment);
    if (!reclaimed && recording.log) {
      recording.log(ingest::LogLevel::warning, model::Reason::none,
                    "what a crash left behind could not be removed: " + reclaimed.error().message);
    }
    recording.is_from_stranger = open_options.untrusted;
    recording.chore = chore_of(retention, state->environment, recording.log);
    TL_TRY_ASSIGN(recorder, ingest::Recorder::start(state->environment, std::move(recording)));
    state->recorder = std::move(recorder);
    if (options.drain_on_sigterm_ms != 0) {
      TL_TRY(drain_at_the_end(state, milliseconds(options.drain_on_sigterm_ms)));
    }
  }
  *store = new tl_store{state};
  return {};
}

Status flush_store(tl_store* store, std::uint32_t timeout_ms, std::uint64_t* position) {
  if (store == nullptr) return null_argument("store");
  TL_TRY(store->state->usable());
  if (store->state->recorder == nullptr) {
    if (position != nullptr) *position = store->state->environment->last_transaction_id();
    return {};
  }
  TL_TRY(store->state->flush(timeout_of(timeout_ms)));
  if (position != nullptr) *position = store->state->environment->last_transaction_id();
  return {};
}

Status wait_for_commit(tl_store* store, std::uint64_t position, std::uint32_t timeout_ms,
                       std::uint64_t* newest) {
  if (store == nullptr) return null_argument("store");
  if (newest == nullptr) return null_argument("newest");
  *newest = position;
  const std::shared_ptr<StoreState> state = store->state;  // tl_close frees the store meanwhile
  TL_TRY(state->usable());
  TL_TRY_ASSIGN(found, state->watch.wait(state->environment, position, timeout_of(timeout_ms)));
  *newest = found;
  return {};
}

Status close_store(tl_store* store, std::uint32_t timeout_ms, tl_close_report* report) {
  if (store == nullptr) return null_argument("store");
  if (report != nullptr && report->struct_size < sizeof(report->struct_size)) {
    return no_struct_size();
  }
  const std::unique_ptr<tl_store> owned(store);
  StoreState& state = *owned->state;
  tl_close_report own{};
  own.open_span_count = state.open_span_count.load();
  Status status;
  if (state.environment->forked()) {
    status = state.usable();
  } else if (state.recorder != nullptr) {
    // A writer that cannot write is given the time that there is, and where that has no limit,
    // once.
    const auto timeout = timeout_of(timeout_ms);
    status = timeout ? state.wait_until_durable_despite_errors(steady_clock::now() + *timeout)
                     : state.wait_until_durable(timeout);
    do_not_drain(state);
    state.closed.store(true);
    // What is left over gets no more time.
    const auto left = status ? std::optional<milliseconds>() : milliseconds(0);
    own.dropped_count = state.recorder->close(left).dropped_count;
    if (status) status = state.recorder->tell_dropped();
  }
  state.closed.store(true);
  if (!state.environment->forked()) state.watch.close();
  if (report != nullptr) copy_out(own, report);
  if (own.dropped_count > 0 && !status) {
    Error error = std::move(status).error();
    error.message += "; " + std::to_string(own.dropped_count) + " records were lost";
    return error;
  }
  return status;
}

}  // namespace

Status StoreState::wait_until_durable_despite_errors(steady_clock::time_point deadline) const {
  for (;;) {
    const auto now = steady_clock::now();
    const auto left = std::chrono::ceil<milliseconds>(deadline - now);
    Status status = wait_until_durable(std::max(left, milliseconds(0)));
    if (status || now >= deadline) return status;
    std::this_thread::sleep_until(
        std::min(deadline, steady_clock::now() + milliseconds(ingest::kRetryPause)));
  }
}

void DropStoreState::operator()(StoreState* state) const {
  if (state->environment != nullptr && state->environment->forked()) return;
  // It may never have been opened to the end, or closing may have run out of memory.
  if (state->recorder != nullptr) do_not_drain(*state);
  delete state;
}

}  // namespace tracelite::api

tl_status tl_open(const char* path, const tl_options* options, tl_store** store) {
  return tracelite::api::guarded([&] { return tracelite::api::open_store(path, options, store); });
}

tl_status tl_flush(tl_store* store, uint32_t timeout_ms, uint64_t* position) {
  return tracelite::api::guarded(
      [&] { return tracelite::api::flush_store(store, timeout_ms, position); });
}

tl_status tl_wait(tl_store* store, uint64_t position, uint32_t timeout_ms, uint64_t* newest) {
  return tracelite::api::guarded(
      [&] { return tracelite::api::wait_for_commit(store, position, timeout_ms, newest); });
}

void tl_drop_when_full(int32_t drops) { tracelite::ingest::thread_drops() = drops != 0; }

tl_status tl_close(tl_store* store, uint32_t timeout_ms, tl_close_report* report) {
  return tracelite::api::guarded(
      [&] { return tracelite::api::close_store(store, timeout_ms, report); });
}
