// Days with their models: from the table that is kept, or from the observations that a filter
// selects.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "index/day_sums.hpp"
#include "index/index_value.hpp"
#include "model/time.hpp"
#include "query/accumulator.hpp"
#include "query/collector.hpp"
#include "query/selection.hpp"

namespace tracelite::query {

using index::TermKind;

namespace {

// Between a day and a model in the key that days are ordered by: less than any other character.
constexpr char kBetween = '\0';

// By day and model. Observations without a model, and those whose model is empty, are one row.
using Days = std::map<std::pair<std::int64_t, std::string>, index::DaySums>;

std::int64_t saturated(model::Int128 time_ns) {
  return static_cast<std::int64_t>(std::clamp<model::Int128>(time_ns, INT64_MIN, INT64_MAX));
}

void add_day(std::int64_t day, Bytes model, const index::DaySums& sums, Collector& collector) {
  Accumulator accumulator;
  accumulator.add(sums.saturated());
  Aggregate aggregate = accumulator.finish();
  const model::Int128 start_ns = model::Int128{day} * index::kDayNs;
  aggregate.first_activity_ns = saturated(start_ns);
  aggregate.last_activity_ns = saturated(start_ns + index::kDayNs - 1);
  std::string key = model::format_time(aggregate.first_activity_ns).substr(0, 10);
  key.push_back(kBetween);
  collector.add(kNoTerm, key.append(model), std::move(aggregate));
}

// Whether the table `day` can answer it.
bool is_of_whole_days(const Filter& filter) {
  const auto is_whole = [](const std::optional<std::int64_t>& time_ns) {
    return !time_ns || *time_ns % index::kDayNs == 0;
  };
  Filter rest = filter;
  rest.model.reset();
  rest.from_ns.reset();
  rest.to_ns.reset();
  return is_empty(rest) && is_whole(filter.from_ns) && is_whole(filter.to_ns);
}

Status add_whole_days(const Snapshot::Use& use, const Filter& filter, Days& days) {
  Sql sql;
  sql.add("SELECT d.day, coalesce(m.text, ''), d.sums FROM day d LEFT JOIN term m ");
  sql.add("ON m.id = d.model WHERE 1");
  if (filter.from_ns) {
    sql.add(" AND d.day >= ").bind(Value::of(*filter.from_ns / index::kDayNs));
  }
  if (filter.to_ns) sql.add(" AND d.day < ").bind(Value::of(*filter.to_ns / index::kDayNs));
  if (filter.model) {
    TL_TRY_ASSIGN(term, find_term(use, TermKind::model, *filter.model));
    if (!term) return {};
    sql.add(" AND d.model = ").bind(Value::of(term->number));
  }
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) return {};
    days[{rows->integer(0), std::string(rows->bytes(1))}].add(
        index::DaySums::decode(rows->bytes(2)));
  }
}

Status add_selected(const Snapshot::Use& use, const Filter& filter, Days& days) {
  TL_TRY_ASSIGN(selection, select_rows(use, Kind::observation, filter));
  if (!selection) return {};
  Sql sql;
  sql.add("SELECT coalesce(o.model, 0), ").add(Accumulator::kColumns);
  sql.add(" FROM ").add(selection->from).add(" WHERE 1").add(selection->where);
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  std::map<std::pair<std::int64_t, std::int64_t>, index::DaySums> by_number;
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    const index::Figures figures = index::read_figures(*rows, 1);
    by_number[{index::day_of(figures.start_ns), rows->integer(0)}].add(figures);
  }
  TL_TRY_ASSIGN(find, use.prepare("SELECT text FROM term WHERE id = ?1"));
  for (const auto& [key, sums] : by_number) {
    find.bind(key.second);
    TL_TRY_ASSIGN(found, find->step());
    days[{key.first, std::string(found ? find->bytes(0) : Bytes())}].add(sums);
  }
  return {};
}

}  // namespace

void split_day(Aggregate& sums) {
  const std::size_t at = sums.key.find(kBetween);
  sums.model = sums.key.substr(at + 1);
  sums.key.erase(at);
}

Status collect_days(const Snapshot::Use& use, const Filter& filter, Collector& collector) {
  Days days;
  TL_TRY(is_of_whole_days(filter) ? add_whole_days(use, filter, days)
                                  : add_selected(use, filter, days));
  for (const auto& [of, sums] : days) add_day(of.first, of.second, sums, collector);
  return {};
}

}  // namespace tracelite::query
