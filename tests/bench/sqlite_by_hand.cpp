#include "bench/sqlite_by_hand.hpp"

#include <zstd.h>

#include <array>
#include <charconv>
#include <memory_resource>
#include <stdexcept>
#include <vector>

namespace bench {

namespace {

// Observations arrive before their traces, so there are no foreign keys.
constexpr const char* kPragmas = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = OFF;
PRAGMA cache_size = -65536;
)sql";

constexpr const char* kTables = R"sql(
CREATE TABLE IF NOT EXISTS traces (
  id TEXT PRIMARY KEY, name TEXT, session_id TEXT, user_id TEXT, environment TEXT, release TEXT,
  version TEXT, tags TEXT, metadata TEXT, input TEXT, output TEXT, start_ns INTEGER,
  end_ns INTEGER);
CREATE TABLE IF NOT EXISTS observations (
  id TEXT PRIMARY KEY, trace_id TEXT NOT NULL, parent_id TEXT, type TEXT NOT NULL, name TEXT,
  level TEXT, status_message TEXT, start_ns INTEGER NOT NULL, end_ns INTEGER, model TEXT,
  model_parameters TEXT, input TEXT, output TEXT, metadata TEXT, input_tokens INTEGER,
  output_tokens INTEGER, total_tokens INTEGER, cost_usd REAL);
CREATE TABLE IF NOT EXISTS scores (
  id TEXT PRIMARY KEY, trace_id TEXT, observation_id TEXT, session_id TEXT, name TEXT NOT NULL,
  value REAL, string_value TEXT, source TEXT, comment TEXT, ts_ns INTEGER);
CREATE TABLE IF NOT EXISTS trace_tags (
  tag TEXT, start_ns INTEGER, trace_id TEXT,
  PRIMARY KEY (tag, start_ns, trace_id)) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS traces_start       ON traces (start_ns);
CREATE INDEX IF NOT EXISTS traces_session     ON traces (session_id, start_ns);
CREATE INDEX IF NOT EXISTS traces_user        ON traces (user_id, start_ns);
CREATE INDEX IF NOT EXISTS traces_name        ON traces (name, start_ns);
CREATE INDEX IF NOT EXISTS traces_environment ON traces (environment, start_ns);
CREATE INDEX IF NOT EXISTS observations_trace ON observations (trace_id, start_ns);
CREATE INDEX IF NOT EXISTS observations_start ON observations (start_ns);
CREATE INDEX IF NOT EXISTS observations_model ON observations (model, start_ns);
CREATE INDEX IF NOT EXISTS scores_trace       ON scores (trace_id);
CREATE INDEX IF NOT EXISTS scores_session     ON scores (session_id);
)sql";

constexpr const char* kUpsertTrace = R"sql(
INSERT INTO traces(id, name, session_id, user_id, environment, release, version, tags, metadata,
  input, output, start_ns, end_ns) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT(id) DO UPDATE SET
  name = coalesce(excluded.name, name), session_id = coalesce(excluded.session_id, session_id),
  user_id = coalesce(excluded.user_id, user_id),
  environment = coalesce(environment, excluded.environment),
  release = coalesce(excluded.release, release), version = coalesce(excluded.version, version),
  tags = coalesce(excluded.tags, tags), metadata = coalesce(excluded.metadata, metadata),
  input = coalesce(excluded.input, input), output = coalesce(excluded.output, output),
  start_ns = coalesce(start_ns, excluded.start_ns),
  end_ns = coalesce(excluded.end_ns, end_ns))sql";

constexpr const char* kUpsertObservation = R"sql(
INSERT INTO observations(id, trace_id, parent_id, type, name, level, status_message, start_ns,
  end_ns, model, model_parameters, input, output, metadata, input_tokens, output_tokens,
  total_tokens, cost_usd) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT(id) DO UPDATE SET
  parent_id = coalesce(excluded.parent_id, parent_id), name = coalesce(excluded.name, name),
  level = coalesce(excluded.level, level),
  status_message = coalesce(excluded.status_message, status_message),
  end_ns = coalesce(excluded.end_ns, end_ns), model = coalesce(excluded.model, model),
  model_parameters = coalesce(excluded.model_parameters, model_parameters),
  input = coalesce(excluded.input, input), output = coalesce(excluded.output, output),
  metadata = coalesce(excluded.metadata, metadata),
  input_tokens = coalesce(excluded.input_tokens, input_tokens),
  output_tokens = coalesce(excluded.output_tokens, output_tokens),
  total_tokens = coalesce(excluded.total_tokens, total_tokens),
  cost_usd = coalesce(excluded.cost_usd, cost_usd))sql";

constexpr const char* kUpsertScore = R"sql(
INSERT INTO scores(id, trace_id, observation_id, session_id, name, value, string_value, source,
  comment, ts_ns) VALUES(?,?,?,?,?,?,?,?,?,?)
ON CONFLICT(id) DO UPDATE SET
  name = excluded.name, value = coalesce(excluded.value, value),
  string_value = coalesce(excluded.string_value, string_value),
  comment = coalesce(excluded.comment, comment))sql";

constexpr const char* kInsertTag = "INSERT OR IGNORE INTO trace_tags VALUES(?,?,?)";

std::string_view view_of(tl_text text) { return {text.data, text.size_bytes}; }

}  // namespace

// Prepared upserts, and the payloads' way into their columns.
class SqliteByHand::Writer {
 public:
  Writer(sqlite3* db, Payloads payloads)
      : payloads_(payloads),
        trace_(db, kUpsertTrace),
        observation_(db, kUpsertObservation),
        score_(db, kUpsertScore),
        tag_(db, kInsertTag) {}

  void put(const Event& event) {
    used_frame_count_ = 0;
    if (const auto* trace = std::get_if<tl_trace>(&event.entity)) return put(*trace, event);
    if (const auto* score = std::get_if<tl_score>(&event.entity)) return put(*score, event);
    put(std::get<tl_observation>(event.entity), event);
  }

 private:
  static void bind(SqliteStatement& into, int index, tl_text text) {
    if (text.data != nullptr) into.bind(index, view_of(text));
  }

  void bind(SqliteStatement& into, int index, const tl_payload& payload) {
    if (payload.form == TL_FORM_ABSENT) return;
    if (payloads_ == Payloads::text) return into.bind(index, view_of(payload.text));
    into.bind_blob(index, frame_of(payload.text));
  }

  // Valid until the statement is reset: one event has three payloads at most.
  std::string_view frame_of(tl_text text) {
    std::vector<char>& frame = frames_.at(used_frame_count_++);
    frame.resize(ZSTD_compressBound(text.size_bytes));
    const std::size_t size_bytes = ZSTD_compressCCtx(compressor_.get(), frame.data(), frame.size(),
                                                     text.data, text.size_bytes, kZstdLevel);
    if (ZSTD_isError(size_bytes) != 0) throw std::runtime_error(ZSTD_getErrorName(size_bytes));
    return {frame.data(), size_bytes};
  }

  static void run(SqliteStatement& statement) {
    statement.step();
    statement.reset();
  }

  void put(const tl_trace& trace, const Event& event) {
    bind(trace_, 1, trace.id);
    bind(trace_, 2, trace.name);
    bind(trace_, 3, trace.session_id);
    bind(trace_, 4, trace.user_id);
    bind(trace_, 5, trace.environment);
    bind(trace_, 6, trace.release);
    bind(trace_, 7, trace.version);
    bind(trace_, 8, event.tags_json);
    bind(trace_, 9, trace.metadata);
    bind(trace_, 10, trace.input);
    bind(trace_, 11, trace.output);
    trace_.bind(12, trace.timestamp_ns);
    if (event.end_ns != 0) trace_.bind(13, event.end_ns);
    run(trace_);
    for (std::size_t i = 0; i < trace.tag_count; ++i) {
      bind(tag_, 1, trace.tags[i]);
      tag_.bind(2, trace.timestamp_ns);
      bind(tag_, 3, trace.id);
      run(tag_);
    }
  }

  void put(const tl_observation& observation, const Event& event) {
    bind(observation_, 1, observation.id);
    bind(observation_, 2, observation.trace_id);
    bind(observation_, 3, observation.parent_observation_id);
    bind(observation_, 4, event.type_name);
    bind(observation_, 5, observation.name);
    bind(observation_, 6, event.level_name);
    bind(observation_, 7, observation.status_message);
    observation_.bind(8, observation.start_time_ns);
    if ((observation.set_mask & TL_BIT(TL_FIELD_END_TIME)) != 0) {
      observation_.bind(9, observation.end_time_ns);
    }
    bind(observation_, 10, observation.model);
    bind(observation_, 11, observation.model_parameters);
    bind(observation_, 12, observation.input);
    bind(observation_, 13, observation.output);
    bind(observation_, 14, observation.metadata);
    bind_usage(observation);
    bind_cost(observation);
    run(observation_);
  }

  void bind_usage(const tl_observation& observation) {
    std::int64_t sum = 0;
    bool is_total_given = false;
    for (std::size_t i = 0; i < observation.usage_count; ++i) {
      const std::string_view name = view_of(observation.usage_details[i].name);
      const auto amount = static_cast<std::int64_t>(observation.usage_details[i].amount);
      if (name == "input" || name == "output") {
        observation_.bind(name == "input" ? 15 : 16, amount);
        sum += amount;
      } else if (name == "total") {
        observation_.bind(17, amount);
        is_total_given = true;
      }
    }
    if (!is_total_given && observation.usage_count > 0) observation_.bind(17, sum);
  }

  void bind_cost(const tl_observation& observation) {
    for (std::size_t i = 0; i < observation.cost_count; ++i) {
      const tl_cost& cost = observation.cost_details[i];
      if (view_of(cost.name) != "total") continue;
      double cost_usd = 0;
      std::from_chars(cost.amount.data, cost.amount.data + cost.amount.size_bytes, cost_usd);
      observation_.bind(18, cost_usd);
    }
  }

  void put(const tl_score& score, const Event& event) {
    bind(score_, 1, score.id);
    bind(score_, 2, score.trace_id);
    bind(score_, 3, score.observation_id);
    bind(score_, 4, score.session_id);
    bind(score_, 5, score.name);
    if ((score.set_mask & TL_BIT(TL_FIELD_VALUE)) != 0) score_.bind(6, score.value);
    bind(score_, 7, score.string_value);
    bind(score_, 8, event.source_name);
    bind(score_, 9, score.comment);
    score_.bind(10, score.timestamp_ns);
    run(score_);
  }

  struct FreeCompressor {
    void operator()(ZSTD_CCtx* compressor) const { ZSTD_freeCCtx(compressor); }
  };

  const Payloads payloads_;
  SqliteStatement trace_;
  SqliteStatement observation_;
  SqliteStatement score_;
  SqliteStatement tag_;
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> compressor_{ZSTD_createCCtx()};
  std::array<std::vector<char>, 3> frames_;
  std::size_t used_frame_count_ = 0;
};

SqliteByHand::SqliteByHand(const std::string& path, Payloads payloads) {
  open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  run(kPragmas);
  run(kTables);
  writer_ = std::make_unique<Writer>(db_.get(), payloads);
}

SqliteByHand::SqliteByHand(ForReading, const std::string& path) {
  open(path, SQLITE_OPEN_READONLY);
  run("PRAGMA cache_size = -65536");
}

SqliteByHand::~SqliteByHand() = default;

void SqliteByHand::open(const std::string& path, int flags) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  db_.reset(db);
  require_sqlite(code, db);
}

void SqliteByHand::run(const char* sql) {
  require_sqlite(sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr), db_.get());
}

void SqliteByHand::put(const Event& event) {
  if (!is_in_transaction_) run("BEGIN IMMEDIATE");
  is_in_transaction_ = true;
  writer_->put(event);
}

void SqliteByHand::commit() {
  if (!is_in_transaction_) return;
  run("COMMIT");
  is_in_transaction_ = false;
  ++commit_count_;
}

void SqliteByHand::import(const Events& events, std::uint64_t batch_size_bytes) {
  std::pmr::monotonic_buffer_resource memory(std::size_t{64} << 10);
  EventParser parser(memory);
  std::uint64_t size_bytes = 0;
  for (const std::string_view line : events.lines()) {
    if (size_bytes > 0 && size_bytes + line.size() > batch_size_bytes) {
      commit();
      size_bytes = 0;
    }
    size_bytes += line.size();
    put(parser.parse(line));
    memory.release();
  }
  commit();
}

void SqliteByHand::checkpoint() { run("PRAGMA wal_checkpoint(TRUNCATE)"); }

}  // namespace bench
