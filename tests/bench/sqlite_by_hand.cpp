#include "bench/sqlite_by_hand.hpp"

#include <simdjson.h>

#include <optional>
#include <stdexcept>

#include "model/time.hpp"

namespace bench {

namespace ondemand = simdjson::ondemand;

namespace {

// Observations arrive before their traces, so there are no foreign keys.
constexpr const char* kSetUp = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = OFF;
PRAGMA cache_size = -65536;

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
  input, output, start_ns) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT(id) DO UPDATE SET
  name = coalesce(excluded.name, name), session_id = coalesce(excluded.session_id, session_id),
  user_id = coalesce(excluded.user_id, user_id),
  environment = coalesce(environment, excluded.environment),
  release = coalesce(excluded.release, release), version = coalesce(excluded.version, version),
  tags = coalesce(excluded.tags, tags), metadata = coalesce(excluded.metadata, metadata),
  input = coalesce(excluded.input, input), output = coalesce(excluded.output, output),
  start_ns = coalesce(start_ns, excluded.start_ns))sql";

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

void require(int code, sqlite3* db) {
  if (code != SQLITE_OK) throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(db));
}

std::string_view trimmed(std::string_view json) {
  while (!json.empty() && static_cast<unsigned char>(json.back()) <= ' ') json.remove_suffix(1);
  return json;
}

// The JSON text of a value, as it stands in the event.
std::string_view json_text(ondemand::value value) {
  const ondemand::json_type type = value.type();
  if (type == ondemand::json_type::object) return value.get_object().value().raw_json();
  if (type == ondemand::json_type::array) return value.get_array().value().raw_json();
  return trimmed(value.raw_json_token());
}

struct Usage {
  std::optional<std::int64_t> input;
  std::optional<std::int64_t> output;
  std::optional<std::int64_t> total;
};

class Importer {
 public:
  explicit Importer(sqlite3* db)
      : trace_(db, kUpsertTrace),
        observation_(db, kUpsertObservation),
        score_(db, kUpsertScore),
        tag_(db, kInsertTag) {}

  void put(std::string_view line) {
    ondemand::document event =
        parser_.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING);
    const std::string_view timestamp = event["timestamp"];
    const std::string_view type = event["type"];
    ondemand::object body = event["body"];
    const std::int64_t at_ns = time_of(timestamp);
    if (type == "trace-create") return put_trace(body, at_ns);
    if (type == "score-create") return put_score(body, at_ns);
    put_observation(body, type.substr(0, type.find('-')), at_ns);
  }

 private:
  static std::int64_t time_of(std::string_view text) {
    return tracelite::model::parse_time(text).value_or(0);
  }

  static void text(SqliteStatement& into, int index, ondemand::value value) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) into.bind(index, text);
  }

  void put_trace(ondemand::object& body, std::int64_t at_ns) {
    std::string_view id;
    tags_.clear();
    std::string_view tags;
    for (ondemand::field field : body) {
      const std::string_view key = field.unescaped_key();
      ondemand::value value = field.value();
      if (key == "id") {
        id = value.get_string();
        trace_.bind(1, id);
      } else if (key == "timestamp") {
        at_ns = time_of(value.get_string());
      } else if (key == "name") {
        text(trace_, 2, value);
      } else if (key == "sessionId") {
        text(trace_, 3, value);
      } else if (key == "userId") {
        text(trace_, 4, value);
      } else if (key == "environment") {
        text(trace_, 5, value);
      } else if (key == "release") {
        text(trace_, 6, value);
      } else if (key == "version") {
        text(trace_, 7, value);
      } else if (key == "tags") {
        ondemand::array array = value.get_array();
        for (std::string_view tag : array) tags_.push_back(tag);
        array.reset();
        trace_.bind(8, array.raw_json());
      } else if (key == "metadata") {
        trace_.bind(9, json_text(value));
      } else if (key == "input") {
        trace_.bind(10, json_text(value));
      } else if (key == "output") {
        trace_.bind(11, json_text(value));
      }
    }
    trace_.bind(12, at_ns);
    trace_.step();
    trace_.reset();
    for (const std::string_view tag : tags_) {
      tag_.bind(1, tag);
      tag_.bind(2, at_ns);
      tag_.bind(3, id);
      tag_.step();
      tag_.reset();
    }
  }

  void put_observation(ondemand::object& body, std::string_view event_type, std::int64_t at_ns) {
    std::string type(event_type);
    for (char& c : type) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    observation_.bind(4, type);
    Usage usage;
    for (ondemand::field field : body) {
      const std::string_view key = field.unescaped_key();
      ondemand::value value = field.value();
      if (key == "id") {
        text(observation_, 1, value);
      } else if (key == "traceId") {
        text(observation_, 2, value);
      } else if (key == "parentObservationId") {
        text(observation_, 3, value);
      } else if (key == "type") {
        text(observation_, 4, value);
      } else if (key == "name") {
        text(observation_, 5, value);
      } else if (key == "level") {
        text(observation_, 6, value);
      } else if (key == "statusMessage") {
        text(observation_, 7, value);
      } else if (key == "startTime") {
        at_ns = time_of(value.get_string());
      } else if (key == "endTime") {
        observation_.bind(9, time_of(value.get_string()));
      } else if (key == "model") {
        text(observation_, 10, value);
      } else if (key == "modelParameters") {
        observation_.bind(11, json_text(value));
      } else if (key == "input") {
        observation_.bind(12, json_text(value));
      } else if (key == "output") {
        observation_.bind(13, json_text(value));
      } else if (key == "metadata") {
        observation_.bind(14, json_text(value));
      } else if (key == "usageDetails") {
        usage = usage_of(value.get_object());
      } else if (key == "costDetails") {
        double cost_usd = 0;
        if (value["total"].get(cost_usd) == simdjson::SUCCESS) observation_.bind(18, cost_usd);
      }
    }
    observation_.bind(8, at_ns);
    if (usage.input) observation_.bind(15, *usage.input);
    if (usage.output) observation_.bind(16, *usage.output);
    if (usage.total) observation_.bind(17, *usage.total);
    observation_.step();
    observation_.reset();
  }

  static Usage usage_of(ondemand::object object) {
    Usage usage;
    for (ondemand::field field : object) {
      const std::string_view key = field.unescaped_key();
      const std::int64_t amount = field.value().get_int64();
      if (key == "input") usage.input = amount;
      if (key == "output") usage.output = amount;
      if (key == "total") usage.total = amount;
    }
    if (!usage.total && (usage.input || usage.output)) {
      usage.total = usage.input.value_or(0) + usage.output.value_or(0);
    }
    return usage;
  }

  void put_score(ondemand::object& body, std::int64_t at_ns) {
    for (ondemand::field field : body) {
      const std::string_view key = field.unescaped_key();
      ondemand::value value = field.value();
      if (key == "id") {
        text(score_, 1, value);
      } else if (key == "traceId") {
        text(score_, 2, value);
      } else if (key == "observationId") {
        text(score_, 3, value);
      } else if (key == "sessionId") {
        text(score_, 4, value);
      } else if (key == "name") {
        text(score_, 5, value);
      } else if (key == "value") {
        double number = 0;
        if (value.get(number) == simdjson::SUCCESS) {
          score_.bind(6, number);
        } else {
          text(score_, 7, value);
        }
      } else if (key == "source") {
        text(score_, 8, value);
      } else if (key == "comment") {
        text(score_, 9, value);
      } else if (key == "timestamp") {
        at_ns = time_of(value.get_string());
      }
    }
    score_.bind(10, at_ns);
    score_.step();
    score_.reset();
  }

  ondemand::parser parser_;
  SqliteStatement trace_;
  SqliteStatement observation_;
  SqliteStatement score_;
  SqliteStatement tag_;
  std::vector<std::string_view> tags_;
};

}  // namespace

SqliteStatement::SqliteStatement(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  require(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr), db);
  statement_.reset(statement);
}

void SqliteStatement::bind(int index, std::string_view text) {
  require(sqlite3_bind_text(statement_.get(), index, text.data(), static_cast<int>(text.size()),
                            SQLITE_STATIC),
          sqlite3_db_handle(statement_.get()));
}

void SqliteStatement::bind(int index, std::int64_t number) {
  require(sqlite3_bind_int64(statement_.get(), index, number), sqlite3_db_handle(statement_.get()));
}

void SqliteStatement::bind(int index, double number) {
  require(sqlite3_bind_double(statement_.get(), index, number),
          sqlite3_db_handle(statement_.get()));
}

void SqliteStatement::start(std::initializer_list<Parameter> parameters) {
  int index = 0;
  for (const Parameter& parameter : parameters) {
    ++index;
    std::visit([&](auto value) { bind(index, value); }, parameter);
  }
}

bool SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) require(code, sqlite3_db_handle(statement_.get()));
  return false;
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view SqliteStatement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const auto size_bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string_view() : std::string_view(data, size_bytes);
}

std::int64_t SqliteStatement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::int64_t SqliteStatement::read_all(std::initializer_list<Parameter> parameters) {
  start(parameters);
  std::int64_t row_count = 0;
  while (step()) {
    ++row_count;
    const int column_count = sqlite3_data_count(statement_.get());
    for (int column = 0; column < column_count; ++column) {
      switch (sqlite3_column_type(statement_.get(), column)) {
        case SQLITE_INTEGER:
          static_cast<void>(number(column));
          break;
        case SQLITE_TEXT:
          static_cast<void>(text(column));
          break;
        default:
          static_cast<void>(sqlite3_column_double(statement_.get(), column));
          break;
      }
    }
  }
  reset();
  return row_count;
}

SqliteByHand::SqliteByHand(const std::string& path) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open(path.c_str(), &db);
  db_.reset(db);
  require(code, db);
  run(kSetUp);
}

void SqliteByHand::run(const char* sql) {
  require(sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr), db_.get());
}

void SqliteByHand::import(const Events& events, std::uint64_t batch_size_bytes) {
  Importer importer(db_.get());
  std::uint64_t size_bytes = 0;
  for (const std::string_view line : events.lines()) {
    if (size_bytes > 0 && size_bytes + line.size() > batch_size_bytes) {
      run("COMMIT");
      ++commit_count_;
      size_bytes = 0;
    }
    if (size_bytes == 0) run("BEGIN IMMEDIATE");
    size_bytes += line.size();
    importer.put(line);
  }
  if (size_bytes == 0) return;
  run("COMMIT");
  ++commit_count_;
}

void SqliteByHand::checkpoint() { run("PRAGMA wal_checkpoint(TRUNCATE)"); }

}  // namespace bench
