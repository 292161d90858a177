#include "bench/query_bench.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/measure.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

using tracelite::Cursor;
using tracelite::filter;
using tracelite::text;

constexpr std::uint64_t kPageRowCount = 50;

// A row of a trace list has the sums of its observations; so the page is joined with them.
#define TL_TRACE_COLUMNS \
  "t.id, t.name, t.session_id, t.user_id, t.environment, t.release, t.version, t.tags, t.start_ns"
#define TL_OBSERVATION_SUMS                                                                 \
  "count(o.id), sum(o.level = 'DEBUG'), sum(o.level = 'WARNING'), sum(o.level = 'ERROR'), " \
  "sum(o.id IS NOT NULL AND o.end_ns IS NULL), sum(o.input_tokens), sum(o.output_tokens), " \
  "sum(o.total_tokens), sum(o.cost_usd), min(o.start_ns), max(coalesce(o.end_ns, o.start_ns))"
#define TL_OBSERVATION_COLUMNS                                                               \
  "o.id, o.trace_id, o.parent_id, o.type, o.name, o.level, o.status_message, o.start_ns, "   \
  "o.end_ns, o.model, o.model_parameters, o.input_tokens, o.output_tokens, o.total_tokens, " \
  "o.cost_usd"

std::string page_of_traces(const std::string& from_where) {
  return "SELECT " TL_TRACE_COLUMNS " " + from_where + " LIMIT 50";
}

std::string page_of_traces_with_sums(const std::string& from_where) {
  return "WITH t AS (" + page_of_traces(from_where) +
         ") SELECT " TL_TRACE_COLUMNS
         ", (SELECT count(*) FROM scores s WHERE s.trace_id = t.id), " TL_OBSERVATION_SUMS
         " FROM t LEFT JOIN observations o ON o.trace_id = t.id GROUP BY t.id "
         "ORDER BY t.start_ns DESC";
}

// What to ask for, found in the file itself.
struct Subjects {
  std::string session;  // with the most traces
  std::string user;     // with the most traces
  std::string tag;
  std::string environment;
  std::string model;
  std::string trace;  // of median size
  std::string large_trace;
  std::string scored_session;
};

std::string one_text(sqlite3* db, const char* sql) {
  SqliteStatement statement(db, sql);
  return statement.step() ? std::string(statement.text(0)) : std::string();
}

Subjects find_subjects(sqlite3* db) {
  Subjects found;
  found.session = one_text(db,
                           "SELECT session_id FROM traces WHERE session_id IS NOT NULL "
                           "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1");
  found.user = one_text(db,
                        "SELECT user_id FROM traces WHERE user_id IS NOT NULL "
                        "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1");
  found.tag = one_text(db, "SELECT tag FROM trace_tags GROUP BY 1 ORDER BY count(*) DESC, 1");
  found.environment =
      one_text(db, "SELECT environment FROM traces GROUP BY 1 ORDER BY count(*) DESC, 1");
  found.model = one_text(db,
                         "SELECT model FROM observations WHERE model IS NOT NULL "
                         "GROUP BY 1 ORDER BY count(*) DESC, 1");
  found.large_trace =
      one_text(db, "SELECT trace_id FROM observations GROUP BY 1 ORDER BY count(*) DESC, 1");
  found.trace = one_text(db,
                         "SELECT trace_id FROM observations GROUP BY 1 ORDER BY count(*) DESC, 1 "
                         "LIMIT 1 OFFSET (SELECT count(*) / 2 FROM traces)");
  found.scored_session =
      one_text(db, "SELECT session_id FROM scores WHERE session_id IS NOT NULL LIMIT 1");
  return found;
}

std::int64_t read_all(Cursor cursor) {
  std::int64_t row_count = 0;
  while (cursor.next() != nullptr) ++row_count;
  return row_count;
}

// ------------------------------------------------------------------------------ replay, tree

struct Bytes {
  std::vector<char> buffer = std::vector<char>(std::size_t{4} << 20);
  std::uint64_t size_bytes = 0;

  void take(std::string_view value) {
    std::copy_n(value.data(), std::min(value.size(), buffer.size()), buffer.data());
    size_bytes += value.size();
  }
  void take(Cursor& cursor, std::uint64_t set_mask) {
    for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_OUTPUT, TL_FIELD_METADATA}) {
      if ((set_mask & TL_BIT(field)) == 0) continue;
      std::uint64_t offset = 0;
      std::size_t read_bytes = 0;
      do {
        tracelite::require(tl_payload_read(cursor.get(), field, TL_READ_AS_GIVEN, offset,
                                           buffer.data(), buffer.size(), &read_bytes));
        offset += read_bytes;
      } while (read_bytes == buffer.size());
      size_bytes += offset;
    }
  }
};

// Every payload once, at its entity's begin.
std::int64_t replay(Cursor cursor, Bytes& bytes) {
  std::int64_t row_count = 0;
  while (const tl_row* row = cursor.next()) {
    ++row_count;
    if (row->phase == TL_PHASE_END) continue;
    bytes.take(cursor, row->trace != nullptr ? row->trace->set_mask : row->observation->set_mask);
  }
  return row_count;
}

class SqliteReplay {
 public:
  explicit SqliteReplay(sqlite3* db)
      : traces_(db, "SELECT " TL_TRACE_COLUMNS
                    ", t.input, t.output, t.metadata FROM traces t WHERE t.session_id = ? "
                    "ORDER BY t.start_ns"),
        observations_(db, "SELECT " TL_OBSERVATION_COLUMNS
                          ", o.input, o.output, o.metadata FROM traces t "
                          "JOIN observations o ON o.trace_id = t.id WHERE t.session_id = ? "
                          "ORDER BY t.start_ns, o.start_ns") {}

  std::int64_t run(std::string_view session, Bytes& bytes) {
    std::vector<std::pair<std::int64_t, std::string>> steps;
    std::unordered_map<std::string, std::int64_t> trace_ends;
    traces_.start({session});
    while (traces_.step()) {
      std::string id(traces_.text(0));
      trace_ends[id] = traces_.number(8);
      steps.emplace_back(traces_.number(8), std::move(id));
      for (const int column : {9, 10, 11}) bytes.take(traces_.text(column));
    }
    traces_.reset();
    observations_.start({session});
    while (observations_.step()) {
      const std::string id(observations_.text(0));
      const std::int64_t end_ns = std::max(observations_.number(7), observations_.number(8));
      std::int64_t& trace_end_ns = trace_ends[std::string(observations_.text(1))];
      trace_end_ns = std::max(trace_end_ns, end_ns);
      steps.emplace_back(observations_.number(7), id);
      steps.emplace_back(end_ns, id);
      for (const int column : {15, 16, 17}) bytes.take(observations_.text(column));
    }
    observations_.reset();
    for (auto& [id, end_ns] : trace_ends) steps.emplace_back(end_ns, id);
    std::stable_sort(steps.begin(), steps.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    return static_cast<std::int64_t>(steps.size());
  }

 private:
  SqliteStatement traces_;
  SqliteStatement observations_;
};

class SqliteTree {
 public:
  explicit SqliteTree(sqlite3* db)
      : trace_(db, page_of_traces_with_sums("FROM traces t WHERE t.id = ?").c_str()),
        observations_(db, "SELECT " TL_OBSERVATION_COLUMNS
                          " FROM observations o WHERE o.trace_id = ? ORDER BY o.start_ns, o.id") {}

  std::int64_t run(std::string_view trace) {
    std::int64_t row_count = trace_.read_all({trace});
    std::vector<std::string> ids;
    std::vector<std::string> parents;
    observations_.start({trace});
    while (observations_.step()) {
      ids.emplace_back(observations_.text(0));
      parents.emplace_back(observations_.text(2));
      for (int column = 3; column < 15; ++column) static_cast<void>(observations_.text(column));
    }
    observations_.reset();
    std::unordered_map<std::string_view, std::vector<std::size_t>> children;
    for (std::size_t i = ids.size(); i-- > 0;) children[parents[i]].push_back(i);
    std::vector<std::size_t> open = children[{}];
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      ++row_count;
      if (const auto found = children.find(ids[at]); found != children.end()) {
        open.insert(open.end(), found->second.begin(), found->second.end());
      }
    }
    return row_count;
  }

 private:
  SqliteStatement trace_;
  SqliteStatement observations_;
};

// ------------------------------------------------------------------------------ asking both

class Questions {
 public:
  Questions(const Files& files, std::string source)
      : store_(files.tracelite), db_(files.sqlite), source_(std::move(source)) {
    subjects_ = find_subjects(db_.handle());
  }

  void ask_all() {
    ask_trace_lists();
    ask_other_lists();
    ask_trees_and_replays();
  }

 private:
  using Question = std::function<std::int64_t()>;

  // Both sides in turns, warm, until there are enough repetitions; both give as many rows.
  void ask(const std::string& name, const Question& tracelite, const Question& sqlite) {
    constexpr int kWarmUpCount = 5;
    constexpr std::size_t kRepetitionCountMin = 21;
    constexpr std::size_t kRepetitionCountMax = 1001;
    constexpr double kTimeMax_s = 2;
    const std::int64_t row_count = tracelite();
    if (sqlite() != row_count) throw std::runtime_error("the answers differ: " + name);
    for (int i = 0; i < kWarmUpCount; ++i) {
      tracelite();
      sqlite();
    }
    Samples samples;
    double spent_s = 0;
    while (samples.tracelite.size() < kRepetitionCountMin ||
           (samples.tracelite.size() < kRepetitionCountMax && spent_s < kTimeMax_s)) {
      samples.tracelite.push_back(measure(tracelite).wall_s);
      samples.sqlite.push_back(measure(sqlite).wall_s);
      spent_s += samples.tracelite.back() + samples.sqlite.back();
    }
    print({"query " + source_ + ": " + name, "us", 1e6, row_count}, samples);
  }

  void ask_traces(const std::string& name, const tl_filter& where, const std::string& from_where,
                  std::initializer_list<SqliteStatement::Parameter> parameters) {
    const bool of_tag = from_where.find("trace_tags g") != std::string::npos;
    const std::string order =
        from_where + " ORDER BY " + (of_tag ? "g.start_ns" : "t.start_ns") + " DESC";
    SqliteStatement with_sums(db_.handle(), page_of_traces_with_sums(order).c_str());
    SqliteStatement bare(db_.handle(), page_of_traces(order).c_str());
    const Question own = [&] { return page(TL_KIND_TRACE, where); };
    ask(name, own, [&] { return with_sums.read_all(parameters); });
    ask(name + " (SQLite without sums)", own, [&] { return bare.read_all(parameters); });
  }

  std::int64_t page(tl_kind kind, const tl_filter& where, std::uint64_t limit = kPageRowCount) {
    tl_cursor* cursor = nullptr;
    tracelite::require(
        tl_list(store_.get(), nullptr, kind, &where, TL_ORDER_TIME, tl_text{}, limit, &cursor));
    return read_all(Cursor(cursor));
  }

  void ask_trace_lists() {
    ask_traces("newest 50 traces", filter(), "FROM traces t", {});

    tl_filter where = filter();
    where.session_id = text(subjects_.session);
    ask_traces("50 traces of a session", where, "FROM traces t WHERE t.session_id = ?",
               {subjects_.session});

    where = filter();
    where.user_id = text(subjects_.user);
    ask_traces("50 traces of a user", where, "FROM traces t WHERE t.user_id = ?", {subjects_.user});

    where = filter();
    const tl_text tag = text(subjects_.tag);
    where.tags = &tag;
    where.tag_count = 1;
    const std::string of_tag =
        "FROM trace_tags g JOIN traces t ON t.id = g.trace_id WHERE g.tag = ?1";
    ask_traces("50 traces of a tag", where, of_tag, {subjects_.tag});

    where.environment = text(subjects_.environment);
    ask_traces("50 traces of a tag and an environment", where, of_tag + " AND t.environment = ?2",
               {subjects_.tag, subjects_.environment});
  }

  void ask_other_lists() {
    tl_filter where = filter();
    where.level = TL_LEVEL_ERROR;
    SqliteStatement errors(db_.handle(), "SELECT " TL_OBSERVATION_COLUMNS
                                         " FROM observations o WHERE o.level = 'ERROR' "
                                         "ORDER BY o.start_ns DESC LIMIT 50");
    ask(
        "50 errors", [&] { return page(TL_KIND_OBSERVATION, where); },
        [&] { return errors.read_all({}); });

    where.model = text(subjects_.model);
    SqliteStatement of_model(db_.handle(),
                             "SELECT " TL_OBSERVATION_COLUMNS
                             " FROM observations o WHERE o.model = ? AND o.level = 'ERROR' "
                             "ORDER BY o.start_ns DESC LIMIT 50");
    ask(
        "50 errors of a model", [&] { return page(TL_KIND_OBSERVATION, where); },
        [&] { return of_model.read_all({subjects_.model}); });

    SqliteStatement sessions(
        db_.handle(),
        "SELECT t.session_id, count(DISTINCT t.id), " TL_OBSERVATION_SUMS
        " FROM traces t LEFT JOIN observations o ON o.trace_id = t.id "
        "WHERE t.session_id IS NOT NULL GROUP BY t.session_id "
        "ORDER BY max(t.start_ns, coalesce(max(coalesce(o.end_ns, o.start_ns)), 0)) DESC "
        "LIMIT 50");
    ask(
        "50 sessions with their sums", [&] { return page(TL_KIND_SESSION, filter()); },
        [&] { return sessions.read_all({}); });

    where = filter();
    where.session_id = text(subjects_.scored_session);
    SqliteStatement scores(db_.handle(),
                           "SELECT id, trace_id, observation_id, session_id, name, value, "
                           "string_value, source, comment, ts_ns FROM scores "
                           "WHERE session_id = ? ORDER BY ts_ns DESC");
    ask(
        "scores of a session", [&] { return page(TL_KIND_SCORE, where, 0); },
        [&] { return scores.read_all({subjects_.scored_session}); });
  }

  void ask_trees_and_replays() {
    const auto own_get = [&] {
      tl_cursor* cursor = nullptr;
      tracelite::require(
          tl_get(store_.get(), nullptr, TL_KIND_TRACE, tl_text{}, text(subjects_.trace), &cursor));
      return read_all(Cursor(cursor));
    };
    const std::string by_id = "FROM traces t WHERE t.id = ?";
    SqliteStatement with_sums(db_.handle(), page_of_traces_with_sums(by_id).c_str());
    SqliteStatement bare(db_.handle(), page_of_traces(by_id).c_str());
    ask("a trace by its id", own_get, [&] { return with_sums.read_all({subjects_.trace}); });
    ask("a trace by its id (SQLite without sums)", own_get,
        [&] { return bare.read_all({subjects_.trace}); });

    SqliteTree tree(db_.handle());
    ask(
        "tree of a trace", [&] { return read_all(store_.tree(subjects_.trace)); },
        [&] { return tree.run(subjects_.trace); });
    ask(
        "tree of the largest trace", [&] { return read_all(store_.tree(subjects_.large_trace)); },
        [&] { return tree.run(subjects_.large_trace); });

    SqliteReplay by_hand(db_.handle());
    Bytes own_bytes;
    Bytes other_bytes;
    replay(store_.replay(subjects_.session), own_bytes);
    by_hand.run(subjects_.session, other_bytes);
    print_note("payload bytes of the replay: tracelite " + std::to_string(own_bytes.size_bytes) +
               ", sqlite " + std::to_string(other_bytes.size_bytes));
    ask(
        "replay of a session with all payloads",
        [&] { return replay(store_.replay(subjects_.session), own_bytes); },
        [&] { return by_hand.run(subjects_.session, other_bytes); });
  }

  tracelite::Store store_;
  SqliteByHand db_;
  std::string source_;
  Subjects subjects_;
};

}  // namespace

void bench_queries(const Files& files, const std::string& source) {
  Questions(files, source).ask_all();
}

}  // namespace bench
