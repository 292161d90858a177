// A merge of two ordered row streams per table.
#include "index/compare.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "index/statement.hpp"
#include "index/trace_members.hpp"

namespace tracelite::index {
namespace {

struct Table {
  const char* name;
  const char* rows;  // the row as text, in an order both indexes share; of a trace also its members
};

#define TL_TERM(column) "(SELECT text FROM term WHERE term.id = " column ")"

constexpr Table kTables[] = {
    {"term",
     "SELECT kind || '|' || quote(text) || '|' || uses FROM term WHERE uses > 0 "
     "ORDER BY kind, text"},
    {"term_hash",
     "SELECT kind || '|' || quote(text) || '|' || hash FROM term_hash h JOIN term ON term.id = "
     "h.id "
     "WHERE uses > 0 ORDER BY kind, text"},
    {"trace",
     "SELECT container || '|' || quote(id) || '|' || time_ns || '|' || "
     "quote(" TL_TERM("name") ") || '|' || quote(" TL_TERM(
         "environment") ") || '|' || "
                        "quote(" TL_TERM("release") ") || '|' || quote(" TL_TERM(
                            "version") ") || '|' || "
                                       "has_record || '|' || quote(root) || '|' || "
                                       "quote(root_rank) || '|' || "
                                       "quote(root_start_ns) || '|' || quote(sums), members "
                                       "FROM trace ORDER BY container"},
    {"observation",
     "SELECT container || '|' || entity || '|' || start_ns || '|' || quote(duration_ns) || '|' || "
     "quote(" TL_TERM("name") ") || '|' || quote(" TL_TERM(
         "model") ") || '|' || "
                  "quote(" TL_TERM("environment") ") || '|' || quote(" TL_TERM(
                      "version") ") || '|' || "
                                 "type || '|' || level || '|' || has_parent || '|' || input_tokens "
                                 "|| '|' || "
                                 "output_tokens || '|' || quote(total_tokens) || '|' || "
                                 "quote(cost) "
                                 "FROM observation ORDER BY container, entity"},
    {"score",
     "SELECT container || '|' || entity || '|' || time_ns || '|' || quote(id) || '|' || "
     "quote(" TL_TERM("name") ") || '|' || quote(" TL_TERM(
         "environment") ") || '|' || "
                        "quote(observation) FROM score ORDER BY container, entity"},
    {"member",
     "SELECT container || '|' || term.kind || '|' || quote(term.text) || '|' || moment "
     "FROM member JOIN term ON term.id = member.term "
     "ORDER BY container, term.kind, term.text, moment"},
    {"group_sums",  // lead and span may be larger than they must
     "SELECT g.kind || '|' || term.kind || '|' || quote(term.text) || '|' || activity || '|' || "
     "cost || '|' || quote(sums) FROM group_sums g JOIN term ON term.id = g.term "
     "ORDER BY term.kind, term.text"},
    {"day",
     "SELECT day || '|' || quote(" TL_TERM("model") ") || '|' || quote(sums) AS row FROM day "
                                                    "ORDER BY row"},
    {"attribute",
     "SELECT container || '|' || a.kind || '|' || entity || '|' || quote(term.text) || '|' || "
     "quote(value) FROM (SELECT term, value, kind, container, entity FROM attribute UNION ALL "
     "SELECT term, value, kind, container, entity FROM recent_attribute) a "
     "JOIN term ON term.id = a.term ORDER BY container, a.kind, entity, term.text, value"},
};

#undef TL_TERM

// The rows of a table in one of the indexes.
class Rows {
 public:
  static Result<Rows> open(sqlite3* connection, const Table& table) {
    Rows rows;
    TL_TRY_ASSIGN(all, Statement::prepare(connection, table.rows));
    TL_TRY_ASSIGN(term,
                  Statement::prepare(connection,
                                     "SELECT kind || '|' || quote(text) FROM term WHERE id = ?1"));
    rows.rows_ = std::move(all);
    rows.term_ = std::move(term);
    return rows;
  }

  Result<bool> next(std::string& row) {
    TL_TRY_ASSIGN(more, rows_.step());
    if (!more) return false;
    row = rows_.bytes(0);
    if (sqlite3_column_count(rows_.get()) > 1) TL_TRY(add_members(rows_.bytes(1), row));
    return true;
  }

 private:
  // Numbers of terms differ between the indexes, and with them the order.
  Status add_members(Bytes coded, std::string& row) {
    std::vector<std::string> texts;
    const TraceMembers members = TraceMembers::decode(coded);
    for (const TraceMembers::Member& member : members.all()) {
      term_.bind(1, member.term);
      const ResetGuard guard(term_);
      TL_TRY_ASSIGN(found, term_.step());
      texts.push_back("|" + (found ? std::string(term_.bytes(0)) : "no such term") + "|" +
                      std::to_string(member.count));
    }
    std::sort(texts.begin(), texts.end());
    for (const std::string& text : texts) row += text;
    return {};
  }

  Statement rows_, term_;
};

Status compare_table(const Table& table, sqlite3* expected, sqlite3* actual,
                     const DifferenceFunction& differs) {
  TL_TRY_ASSIGN(left, Rows::open(expected, table));
  TL_TRY_ASSIGN(right, Rows::open(actual, table));
  std::string left_row;
  std::string right_row;
  while (true) {
    TL_TRY_ASSIGN(left_more, left.next(left_row));
    TL_TRY_ASSIGN(right_more, right.next(right_row));
    if (!left_more && !right_more) return {};
    if (left_more && right_more && left_row == right_row) continue;
    // One difference a table is enough: what follows it is shifted.
    std::string message = "the index disagrees with the records";
    if (left_more) message += "; expected " + left_row;
    if (right_more) message += "; found " + right_row;
    message += "; reindex rebuilds it";
    differs(table.name, message);
    return {};
  }
}

}  // namespace

Status compare_indexes(sqlite3* expected, sqlite3* actual, const DifferenceFunction& differs) {
  for (const Table& table : kTables) TL_TRY(compare_table(table, expected, actual, differs));
  return {};
}

}  // namespace tracelite::index
