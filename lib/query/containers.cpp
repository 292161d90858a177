// Traces by the index; what has no trace by its scores, or by when it was put.
#include "query/containers.hpp"

#include "index/schema.hpp"
#include "query/selection.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {
namespace {

using record::ContainerNumber;
using record::EntityReader;
using Containers = std::vector<ContainerNumber>;

ContainerNumber number_of(const index::Statement& row, int at) {
  return static_cast<ContainerNumber>(row.integer(at));
}

Filter only_times(const Filter& filter) {
  Filter rest;
  rest.from_ns = filter.from_ns;
  rest.to_ns = filter.to_ns;
  return rest;
}

// What a score without a trace can be asked for.
Filter only_of_bare_scores(const Filter& filter) {
  Filter rest = only_times(filter);
  rest.environment = filter.environment;
  rest.session_id = filter.session_id;
  rest.trace_id = filter.trace_id;
  return rest;
}

Filter by_trace(const Filter& filter) {
  Filter rest;
  rest.trace_id = filter.trace_id;
  return rest;
}

Filter by_session(const Filter& filter) {
  Filter rest;
  rest.session_id = filter.session_id;
  return rest;
}

// The numbers in the first column of what the statement gives.
Status add_numbers(const Snapshot::Use& use, const Sql& sql, Containers& found) {
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) return {};
    found.push_back(number_of(*rows, 0));
  }
}

Status add_traces(const Snapshot::Use& use, const Filter& filter, Containers& found) {
  TL_TRY_ASSIGN(selection, select_rows(use, Kind::trace, filter));
  if (!selection) return {};
  Sql sql;
  sql.add("SELECT t.container FROM ").add(selection->from).add(" WHERE 1").add(selection->where);
  return add_numbers(use, sql, found);
}

// Containers without a trace that can be seen, all of whose scores are selected.
Status add_bare_scores(const Snapshot::Use& use, const Filter& filter, Containers& found) {
  TL_TRY_ASSIGN(selection, select_rows(use, Kind::score, filter));
  if (!selection) return {};
  Sql sql;
  sql.add("SELECT s.container, count(*) AS selected FROM ").add(selection->from);
  sql.add(" WHERE 1").add(selection->where);
  sql.add(" AND NOT EXISTS(SELECT 1 FROM trace y WHERE y.container = s.container)");
  sql.add(" GROUP BY s.container HAVING selected =");
  sql.add(" (SELECT count(*) FROM score y WHERE y.container = s.container)");
  return add_numbers(use, sql, found);
}

// Sessions that have neither traces nor scores: somebody has put their flags.
Status add_bare_sessions(const Snapshot::Use& use, const Filter& filter, Containers& found) {
  TL_TRY_ASSIGN(rows, use.prepare("SELECT text FROM term t WHERE kind = ?1 AND uses > 0 AND "
                                  "NOT EXISTS(SELECT 1 FROM member m WHERE m.term = t.id)"));
  TL_TRY_ASSIGN(find_score, use.prepare("SELECT 1 FROM score WHERE container = ?1 LIMIT 1"));
  rows->bind(1, static_cast<std::int64_t>(index::TermKind::session));
  const EntityReader reader(use.transaction());
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) return {};
    TL_TRY_ASSIGN(container, reader.find_session(rows->bytes(0)));
    if (!container) continue;
    find_score.bind(static_cast<std::int64_t>(*container));
    TL_TRY_ASSIGN(has_score, find_score->step());
    if (has_score) continue;
    TL_TRY_ASSIGN(header, reader.load({*container, record::RecordKind::header, 0}));
    if (!header || header->orders.empty()) continue;
    const std::int64_t put_ns = header->last_order().event_time_ns;
    if (filter.from_ns && put_ns < *filter.from_ns) continue;
    if (filter.to_ns && put_ns >= *filter.to_ns) continue;
    found.push_back(*container);
  }
}

}  // namespace

Result<Containers> select_containers(Snapshot& snapshot, Filter filter) {
  if (is_empty(filter)) {
    return make_error(Code::invalid,
                      "a filter without a condition means everything; to delete everything give a "
                      "time that covers it, such as from_ns = INT64_MIN",
                      "filter");
  }
  TL_TRY(normalise(filter));
  Containers found;
  TL_TRY_ASSIGN(use, snapshot.use());
  if (use.connection() == nullptr) return found;
  const EntityReader reader(use.transaction());
  if (filter.trace_id && filter == by_trace(filter)) {
    TL_TRY_ASSIGN(container, reader.find_trace(*filter.trace_id));
    if (container) found.push_back(*container);
    return found;
  }
  TL_TRY(add_traces(use, filter, found));
  if (filter.session_id && filter == by_session(filter)) {
    TL_TRY_ASSIGN(container, reader.find_session(*filter.session_id));
    if (container) found.push_back(*container);
    return found;
  }
  if (filter == only_of_bare_scores(filter)) TL_TRY(add_bare_scores(use, filter, found));
  if (filter == only_times(filter)) TL_TRY(add_bare_sessions(use, filter, found));
  return found;
}

}  // namespace tracelite::query
