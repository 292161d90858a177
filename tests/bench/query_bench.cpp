#include "bench/query_bench.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/reading.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

using tracelite::Cursor;
using tracelite::filter;
using tracelite::text;

constexpr std::uint64_t kPageRowCount = 50;

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
    PayloadBuffer own;
    PayloadBuffer other;
    read_all(store_.replay(subjects_.session), own);
    by_hand.run(subjects_.session, other);
    print_note("payload bytes of the replay: tracelite " + std::to_string(own.size_bytes()) +
               ", sqlite " + std::to_string(other.size_bytes()));
    ask(
        "replay of a session with all payloads",
        [&] { return read_all(store_.replay(subjects_.session), own); },
        [&] { return by_hand.run(subjects_.session, other); });
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
