#include "bench/scale_questions.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "bench/reading.hpp"
#include "bench/scale_data.hpp"

namespace bench {
namespace {

using tracelite::Cursor;
using tracelite::filter;
using tracelite::text;
using tracelite::view;

constexpr const char* kSessionLimit = " LIMIT 50";
// The last trace of each session, the newest first: a walk along one index with a look-up in
// another for each. (Traces do not overlap: the last that began is the last activity.)
constexpr const char* kSessionsBefore =
    "SELECT t.session_id, t.start_ns FROM traces t WHERE t.session_id IS NOT NULL "
    "AND t.start_ns < ?1 AND NOT EXISTS (SELECT 1 FROM traces u WHERE u.session_id = t.session_id "
    "AND u.start_ns > t.start_ns) ORDER BY t.start_ns DESC";

// Days are asked for where the library lists them; where it does not yet, models, and the
// question's name says so.
template <class Aggregate>
constexpr bool has_days() {
  return requires(const Aggregate& aggregate) { aggregate.model; };
}
constexpr bool kHasDays = has_days<tl_aggregate>();
constexpr tl_kind kDailyKind = kHasDays ? TL_KIND_MODEL + 1 : TL_KIND_MODEL;

// A day's key, with its model.
template <class Aggregate>
std::string group_key_of(const Aggregate& aggregate, tl_kind kind) {
  std::string key(view(aggregate.key));
  if constexpr (has_days<Aggregate>()) {
    if (kind == kDailyKind) key.append(" ").append(view(aggregate.model));
  }
  return key;
}

double number_of(tl_text decimal) {
  double number = 0;
  std::from_chars(decimal.data, decimal.data + decimal.size_bytes, number);
  return number;
}

// The id of the row's entity, or the key of its group.
std::string key_of(const tl_row& row) {
  if (row.trace != nullptr) return std::string(view(row.trace->id));
  if (row.observation != nullptr) return std::string(view(row.observation->id));
  if (row.session != nullptr) return std::string(view(row.session->id));
  return group_key_of(*row.aggregate, row.kind);
}

void read(Cursor cursor, Answer* answer) {
  while (const tl_row* row = cursor.next()) {
    if (answer != nullptr) answer->keys.push_back(key_of(*row));
  }
}

// Keys with their tokens and cost.
void read_sums(Cursor cursor, Answer* answer) {
  while (const tl_row* row = cursor.next()) {
    if (answer == nullptr) continue;
    answer->keys.push_back(key_of(*row));
    answer->numbers.push_back(static_cast<double>(row->aggregate->total_tokens));
    answer->numbers.push_back(number_of(row->aggregate->total_cost));
  }
}

void read(SqliteStatement& statement, const std::vector<SqliteStatement::Parameter>& parameters,
          Answer* answer, int number_count = 0) {
  int index = 0;
  for (const auto& parameter : parameters) {
    ++index;
    std::visit([&](auto value) { statement.bind(index, value); }, parameter);
  }
  if (answer == nullptr) {
    statement.read_all({});
    return;
  }
  while (statement.step()) {
    answer->keys.emplace_back(statement.text(0));
    for (int column = 1; column <= number_count; ++column) {
      answer->numbers.push_back(statement.real(column));
    }
  }
  statement.reset();
}

std::vector<SqliteStatement::Parameter> views(const std::vector<std::string>& texts) {
  std::vector<SqliteStatement::Parameter> all;
  for (const std::string& one : texts) all.emplace_back(std::string_view(one));
  return all;
}

}  // namespace

void require_same(const std::string& question, const Answer& a, const Answer& b) {
  const auto differ = [&](const std::string& how) {
    throw std::runtime_error("the answers differ: " + question + ": " + how);
  };
  if (a.keys.size() != b.keys.size()) {
    differ(std::to_string(a.keys.size()) + " and " + std::to_string(b.keys.size()) + " rows");
  }
  for (std::size_t i = 0; i < a.keys.size(); ++i) {
    if (a.keys[i] != b.keys[i]) {
      differ("row " + std::to_string(i) + " is " + a.keys[i] + " and " + b.keys[i]);
    }
  }
  if (a.numbers.size() != b.numbers.size()) differ("other numbers of sums");
  for (std::size_t i = 0; i < a.numbers.size(); ++i) {
    if (std::abs(a.numbers[i] - b.numbers[i]) > 1e-9 * std::max(1.0, std::abs(a.numbers[i]))) {
      differ("sum " + std::to_string(i) + " is " + std::to_string(a.numbers[i]) + " and " +
             std::to_string(b.numbers[i]));
    }
  }
}

ScaleQuestions::ScaleQuestions(const ScaleFiles& files)
    : files_(files),
      store_(files.tracelite.path),
      db_(SqliteByHand::ForReading(), files.sqlite.path) {
  add_trace_lists();
  add_observation_list();
  add_session_lists();
  add_costliest_sessions();
  add_daily_sums();
  add_single_things();
}

std::shared_ptr<SqliteStatement> ScaleQuestions::prepare(const std::string& sql) {
  return std::make_shared<SqliteStatement>(db_.handle(), sql.c_str());
}

std::uint64_t ScaleQuestions::matching(const ScaleQuestion& question) {
  if (question.matching.empty()) return 0;
  const auto count = prepare(question.matching);
  return count->step() ? static_cast<std::uint64_t>(count->number(0)) : 0;
}

void ScaleQuestions::add_traces(const std::string& name, const tl_filter& where,
                                const std::string& from_where,
                                const std::vector<std::string>& parameters,
                                ScaleQuestion::Kind kind) {
  const bool of_tag = from_where.find("trace_tags g") != std::string::npos;
  const std::string ordered =
      from_where + " ORDER BY " + (of_tag ? "g.start_ns" : "t.start_ns") + " DESC";
  const auto bare = prepare(page_of_traces(ordered));
  const auto with_sums = prepare(page_of_traces_with_sums(ordered));
  ScaleQuestion question{name, kind, {}, {}, {}, {}};
  // The filter's texts are constants, its tags live as long as the questions.
  question.tracelite = [this, where](std::size_t, Answer* answer) {
    read(store_.list(TL_KIND_TRACE, where, TL_ORDER_TIME, {}, kPageRowCount), answer);
  };
  question.sqlite = [bare, parameters](std::size_t, Answer* answer) {
    read(*bare, views(parameters), answer);
  };
  question.sqlite_with_sums = [with_sums, parameters](std::size_t, Answer* answer) {
    read(*with_sums, views(parameters), answer);
  };
  if (!parameters.empty()) {
    question.matching = "SELECT count(*) " + from_where;
    for (std::size_t i = parameters.size(); i > 0; --i) {
      const std::string mark = "?" + std::to_string(i);
      const std::size_t at = question.matching.find(mark);
      question.matching.replace(at, mark.size(), "'" + parameters[i - 1] + "'");
    }
  }
  questions_.push_back(std::move(question));
}

void ScaleQuestions::add_trace_lists() {
  add_traces("newest 50 traces", filter(), "FROM traces t", {});

  tl_filter where = filter();
  where.session_id = text(ScaleData::kSession);
  add_traces("50 traces of a session", where, "FROM traces t WHERE t.session_id = ?1",
             {ScaleData::kSession});

  where = filter();
  where.user_id = text(ScaleData::kUser);
  add_traces("50 traces of a user", where, "FROM traces t WHERE t.user_id = ?1",
             {ScaleData::kUser});

  // The rarer tag first, the other looked up in the same order.
  const std::string of_tags =
      "FROM trace_tags g JOIN trace_tags h ON h.tag = ?2 AND h.start_ns = g.start_ns "
      "AND h.trace_id = g.trace_id JOIN traces t ON t.id = g.trace_id WHERE g.tag = ?1";
  static const tl_text kTags[] = {text(ScaleData::kTag), text(ScaleData::kOtherTag)};
  where = filter();
  where.tags = kTags;
  where.tag_count = 2;
  where.environment = text(ScaleData::kEnvironment);
  add_traces("50 of two tags and an environment", where, of_tags + " AND t.environment = ?3",
             {ScaleData::kOtherTag, ScaleData::kTag, ScaleData::kEnvironment});

  where = filter();
  where.name = text(ScaleData::kName);
  where.from_ns = ScaleData::kBegin_ns + 60 * ScaleData::kDay_ns;
  where.to_ns = ScaleData::kBegin_ns + 120 * ScaleData::kDay_ns;
  add_traces("50 of a name in two months", where,
             "FROM traces t WHERE t.name = ?1 AND t.start_ns >= " + std::to_string(where.from_ns) +
                 " AND t.start_ns < " + std::to_string(where.to_ns),
             {ScaleData::kName});

  static const tl_text kSides[] = {text(ScaleData::kLeftTag), text(ScaleData::kRightTag)};
  where = filter();
  where.tags = kSides;
  where.tag_count = 2;
  add_traces("two frequent tags that never meet", where, of_tags,
             {ScaleData::kLeftTag, ScaleData::kRightTag}, ScaleQuestion::Kind::worst_case);
}

void ScaleQuestions::add_observation_list() {
  tl_filter where = filter();
  where.model = text(ScaleData::kModel);
  where.level = TL_LEVEL_ERROR;
  where.from_ns = ScaleData::kBusyBegin_ns;
  where.to_ns = ScaleData::kBusyEnd_ns;
  const std::string errors =
      std::string(" FROM observations o WHERE o.model = '") + ScaleData::kModel +
      "' AND o.start_ns >= " + std::to_string(where.from_ns) + " AND o.start_ns < " +
      std::to_string(where.to_ns) + " AND o.level = 'ERROR'";
  const auto by_hand =
      prepare("SELECT " TL_OBSERVATION_COLUMNS + errors + " ORDER BY o.start_ns DESC LIMIT 50");
  ScaleQuestion question{
      "50 errors of a model in a week", ScaleQuestion::Kind::list, {}, {}, {}, {}};
  question.tracelite = [this, where](std::size_t, Answer* answer) {
    read(store_.list(TL_KIND_OBSERVATION, where, TL_ORDER_TIME, {}, kPageRowCount), answer);
  };
  question.sqlite = [by_hand](std::size_t, Answer* answer) { read(*by_hand, {}, answer); };
  question.matching = "SELECT count(DISTINCT o.trace_id)" + errors;
  questions_.push_back(std::move(question));
}

void ScaleQuestions::add_sessions_page(std::uint64_t page) {
  const std::uint64_t before_count = (page - 1) * kPageRowCount;
  std::int64_t before_ns = INT64_MAX;
  std::string position;
  if (before_count > 0) {
    const auto last = prepare(std::string(kSessionsBefore) + " LIMIT 1 OFFSET " +
                              std::to_string(before_count - 1));
    last->start({INT64_MAX});
    if (!last->step()) throw std::runtime_error("there are too few sessions");
    before_ns = last->number(1);
    Cursor cursor = store_.list(TL_KIND_SESSION, filter(), TL_ORDER_TIME, {}, before_count);
    for (std::uint64_t i = 0; i < before_count; ++i) cursor.next();
    position = cursor.position();
  }
  const auto bare = prepare(std::string(kSessionsBefore) + kSessionLimit);
  const auto with_sums =
      prepare("WITH s AS MATERIALIZED (" + std::string(kSessionsBefore) + kSessionLimit +
              ") SELECT s.session_id, count(DISTINCT t.id), " TL_OBSERVATION_SUMS
              " FROM s CROSS JOIN traces t ON t.session_id = s.session_id "
              "LEFT JOIN observations o ON o.trace_id = t.id "
              "GROUP BY s.session_id ORDER BY s.start_ns DESC");
  ScaleQuestion question{
      "sessions, page " + std::to_string(page), ScaleQuestion::Kind::list, {}, {}, {}, {}};
  question.tracelite = [this, position](std::size_t, Answer* answer) {
    read(store_.list(TL_KIND_SESSION, filter(), TL_ORDER_TIME, position, kPageRowCount), answer);
  };
  question.sqlite = [bare, before_ns](std::size_t, Answer* answer) {
    read(*bare, {before_ns}, answer);
  };
  question.sqlite_with_sums = [with_sums, before_ns](std::size_t, Answer* answer) {
    read(*with_sums, {before_ns}, answer);
  };
  questions_.push_back(std::move(question));
}

void ScaleQuestions::add_session_lists() {
  add_sessions_page(1);
  // The smallest size has some 5,000 sessions only.
  add_sessions_page(files_.trace_count >= 100'000 ? 1000 : files_.trace_count / 200);
}

void ScaleQuestions::add_costliest_sessions() {
  const auto by_hand = prepare(
      "SELECT t.session_id, sum(o.total_tokens), sum(o.cost_usd) FROM traces t "
      "JOIN observations o ON o.trace_id = t.id WHERE t.session_id IS NOT NULL "
      "GROUP BY t.session_id ORDER BY 3 DESC LIMIT 20");
  ScaleQuestion question{"20 costliest sessions", ScaleQuestion::Kind::aggregate, {}, {}, {}, {}};
  question.tracelite = [this](std::size_t, Answer* answer) {
    read_sums(store_.list(TL_KIND_SESSION, filter(), TL_ORDER_COST, {}, 20), answer);
  };
  question.sqlite = [by_hand](std::size_t, Answer* answer) { read(*by_hand, {}, answer, 2); };
  questions_.push_back(std::move(question));
}

void ScaleQuestions::add_daily_sums() {
  const auto by_hand = prepare(
      kHasDays
          ? "SELECT strftime('%Y-%m-%d', d * 86400, 'unixepoch') || ' ' || coalesce(m, ''), t, c "
            "FROM (SELECT o.start_ns / 86400000000000 d, o.model m, sum(o.total_tokens) t, "
            "sum(o.cost_usd) c FROM observations o GROUP BY 1, 2) ORDER BY 1"
          : "SELECT o.model, sum(o.total_tokens), sum(o.cost_usd) FROM observations o "
            "WHERE o.model IS NOT NULL GROUP BY 1 ORDER BY 1");
  ScaleQuestion question{
      kHasDays ? "tokens and cost a day and a model" : "tokens and cost a model (no days yet)",
      ScaleQuestion::Kind::aggregate,
      {},
      {},
      {},
      {}};
  question.tracelite = [this](std::size_t, Answer* answer) {
    read_sums(store_.list(kDailyKind, filter(), TL_ORDER_NAME | TL_ORDER_ASCENDING), answer);
  };
  question.sqlite = [by_hand](std::size_t, Answer* answer) { read(*by_hand, {}, answer, 2); };
  questions_.push_back(std::move(question));
}

std::vector<std::string> ScaleQuestions::spread_ids(const char* table, std::uint64_t row_count) {
  constexpr std::uint64_t kCount = 400;
  const auto find = prepare(std::string("SELECT id FROM ") + table + " WHERE rowid = ?");
  std::vector<std::string> ids;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    // In no order, so that one does not lie beside the one before.
    const std::uint64_t at = 1 + (i * 0x9e3779b97f4a7c15 >> 20) % row_count;
    find->start({static_cast<std::int64_t>(at)});
    if (find->step()) ids.emplace_back(find->text(0));
    find->reset();
  }
  return ids;
}

void ScaleQuestions::add_single_things() {
  const std::vector<std::string> traces = spread_ids("traces", files_.trace_count);
  const std::vector<std::string> observations =
      spread_ids("observations", files_.trace_count * ScaleTrace::kObservationCount);

  const auto tree = std::make_shared<SqliteTree>(db_.handle());
  const auto members = prepare("SELECT id FROM observations WHERE trace_id = ?");
  ScaleQuestion question{"the tree of a trace", ScaleQuestion::Kind::list, {}, {}, {}, {}};
  question.tracelite = [this, traces](std::size_t number, Answer* answer) {
    read(store_.tree(traces[number % traces.size()]), answer);
    if (answer != nullptr) std::sort(answer->keys.begin(), answer->keys.end());
  };
  question.sqlite = [tree, members, traces](std::size_t number, Answer* answer) {
    const std::string& id = traces[number % traces.size()];
    tree->run(id);
    if (answer == nullptr) return;
    read(*members, {std::string_view(id)}, answer);
    answer->keys.push_back(id);
    std::sort(answer->keys.begin(), answer->keys.end());
  };
  questions_.push_back(std::move(question));

  const auto get = [&](const char* name, tl_kind kind, const std::vector<std::string>& ids,
                       const std::string& sql, const std::string& sql_with_sums) {
    ScaleQuestion one{name, ScaleQuestion::Kind::list, {}, {}, {}, {}};
    one.tracelite = [this, kind, ids](std::size_t number, Answer* answer) {
      read(store_.get(kind, ids[number % ids.size()]), answer);
    };
    const auto ask = [&](const std::string& asked) {
      return [statement = prepare(asked), ids](std::size_t number, Answer* answer) {
        read(*statement, {std::string_view(ids[number % ids.size()])}, answer);
      };
    };
    one.sqlite = ask(sql);
    if (!sql_with_sums.empty()) one.sqlite_with_sums = ask(sql_with_sums);
    questions_.push_back(std::move(one));
  };
  const std::string by_id = "FROM traces t WHERE t.id = ?";
  get("a trace by its id", TL_KIND_TRACE, traces, page_of_traces(by_id),
      page_of_traces_with_sums(by_id));
  get("an observation by its id alone", TL_KIND_OBSERVATION, observations,
      "SELECT " TL_OBSERVATION_COLUMNS " FROM observations o WHERE o.id = ?", "");
}

}  // namespace bench
