// A merge of two ordered row streams per table.
#include "index/compare.hpp"

#include <string>

#include "index/statement.hpp"

namespace tracelite::index {
namespace {

struct Table {
  const char* name;
  const char* rows;  // one column, the row as text, in an order both indexes share
};

#define TL_TERM(column) "(SELECT text FROM term WHERE term.id = " column ")"

constexpr Table kTables[] = {
    {"term",
     "SELECT kind || '|' || quote(text) || '|' || uses FROM term WHERE uses > 0 "
     "ORDER BY kind, text"},
    {"trace",
     "SELECT container || '|' || quote(id) || '|' || time_ns || '|' || "
     "quote(" TL_TERM("name") ") || '|' || quote(" TL_TERM(
         "environment") ") || '|' || "
                        "quote(" TL_TERM("release") ") || '|' || quote(" TL_TERM(
                            "version") ") || '|' || "
                                       "has_record || '|' || quote(root) || '|' || "
                                       "quote(root_rank) || '|' || "
                                       "quote(root_start_ns) || '|' || quote(sums) FROM "
                                       "trace ORDER BY container"},
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
     "SELECT container || '|' || term.kind || '|' || quote(term.text) || '|' || member.count "
     "FROM member JOIN term ON term.id = member.term ORDER BY container, term.kind, term.text"},
    {"attribute",
     "SELECT container || '|' || attribute.kind || '|' || entity || '|' || quote(term.text) || "
     "'|' || quote(value) FROM attribute JOIN term ON term.id = attribute.term "
     "ORDER BY container, attribute.kind, entity, term.text, value"},
};

#undef TL_TERM

Result<bool> next(Statement& statement, std::string& row) {
  TL_TRY_ASSIGN(more, statement.step());
  if (more) row = statement.bytes(0);
  return more;
}

Status compare_table(const Table& table, sqlite3* expected, sqlite3* actual,
                     const DifferenceFunction& differs) {
  TL_TRY_ASSIGN(left, Statement::prepare(expected, table.rows));
  TL_TRY_ASSIGN(right, Statement::prepare(actual, table.rows));
  std::string left_row;
  std::string right_row;
  while (true) {
    TL_TRY_ASSIGN(left_more, next(left, left_row));
    TL_TRY_ASSIGN(right_more, next(right, right_row));
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
