// Conditions, and the choice of what drives a query.
#include "query/selection.hpp"

#include <algorithm>

#include "index/index_writer.hpp"
#include "model/event.hpp"
#include "record/entity_store.hpp"
#include "record/statistics.hpp"

namespace tracelite::query {
namespace {

using index::TermKind;
using record::RecordKind;

// A session, user or tag with so few traces is where any query starts.
constexpr std::int64_t kFewMembers = 32;
// From here on a level is rare, and has an index of its own: observation_problem.
constexpr model::Level kProblemLevel = model::Level::warning;
static_assert(static_cast<int>(kProblemLevel) == 3, "as the schema says");
constexpr Bytes kDefaultEnvironment = "default";

Error refuse(std::string field, std::string message) {
  return make_error(Code::invalid, std::move(message), std::move(field));
}

// The texts of a filter as numbers of the index.
struct Resolved {
  std::optional<record::ContainerNumber> trace;
  std::vector<Term> members;  // session, user and tags that the trace must have
  std::optional<std::int64_t> name, release, version, model, metadata_key;
  // Rows without an environment are in the default one; so it is found where it is no term.
  std::optional<std::int64_t> environment;
};

class Conditions {
 public:
  Conditions(const Snapshot::Use& use, const Filter& filter) : use_(use), filter_(filter) {}

  // False if a text occurs nowhere.
  Result<bool> resolve();

  void of_traces(Sql& where) const;
  void of_observations(Sql& where) const;
  void of_scores(Sql& where) const;
  // Chooses the member with the fewest traces as the driver, if it is shorter to start from these
  // than to go by time and to ask of each row whether it belongs.
  Status choose_driver(Kind kind, const Demand& demand);
  [[nodiscard]] const std::optional<std::int64_t>& driver() const { return driver_; }
  // The table of a kind, with the index that gives its rows in the order of time, or only the
  // problems, where nothing else drives the query.
  [[nodiscard]] Sql table(Kind kind, bool by_time) const;
  [[nodiscard]] bool has_trace() const { return to_.trace.has_value(); }
  [[nodiscard]] bool asks_trace_of_score() const { return to_.release || to_.version; }

 private:
  Result<bool> resolve_one(TermKind kind, const std::optional<std::string>& text,
                           std::optional<std::int64_t>& term) const;
  static void equals(Sql& where, Bytes column, const std::optional<std::int64_t>& term);
  void is_member(Sql& where, Bytes container) const;
  void environment(Sql& where, Bytes column) const;
  void within(Sql& where, Bytes column) const;
  void attribute(Sql& where, RecordKind kind, Bytes container, Bytes entity) const;
  [[nodiscard]] bool asks_observation() const {
    return filter_.level || filter_.type || filter_.model;
  }
  void observation_is(Sql& where, Bytes alias) const;

  const Snapshot::Use& use_;
  const Filter& filter_;
  Resolved to_;
  std::optional<std::int64_t> driver_;
};

Result<bool> Conditions::resolve_one(TermKind kind, const std::optional<std::string>& text,
                                     std::optional<std::int64_t>& term) const {
  if (!text) return true;
  TL_TRY_ASSIGN(found, find_term(use_, kind, *text));
  if (found) term = found->number;
  return found.has_value();
}

Result<bool> Conditions::resolve() {
  if (filter_.trace_id) {
    TL_TRY_ASSIGN(container,
                  record::EntityReader(use_.transaction()).find_trace(*filter_.trace_id));
    if (!container) return false;
    to_.trace = container;
  }
  const struct {
    TermKind kind;
    const std::optional<std::string>& text;
    std::optional<std::int64_t>& term;
  } all[] = {
      {TermKind::name, filter_.name, to_.name},
      {TermKind::release, filter_.release, to_.release},
      {TermKind::version, filter_.version, to_.version},
      {TermKind::model, filter_.model, to_.model},
      {TermKind::metadata_key, filter_.metadata_key, to_.metadata_key},
      {TermKind::environment, filter_.environment, to_.environment},
  };
  for (const auto& one : all) {
    TL_TRY_ASSIGN(found, resolve_one(one.kind, one.text, one.term));
    const bool may_be_null =
        one.kind == TermKind::environment && filter_.environment == kDefaultEnvironment;
    if (!found && !may_be_null) return false;
  }
  std::vector<std::pair<TermKind, Bytes>> members;
  if (filter_.session_id) members.emplace_back(TermKind::session, *filter_.session_id);
  if (filter_.user_id) members.emplace_back(TermKind::user, *filter_.user_id);
  for (const std::string& tag : filter_.tags) members.emplace_back(TermKind::tag, tag);
  for (const auto& [kind, text] : members) {
    TL_TRY_ASSIGN(term, find_term(use_, kind, text));
    if (!term) return false;
    to_.members.push_back(*term);
  }
  return true;
}

void Conditions::equals(Sql& where, Bytes column, const std::optional<std::int64_t>& term) {
  if (term) where.add(" AND ").add(column).add(" = ").bind(Value::of(*term));
}

void Conditions::is_member(Sql& where, Bytes container) const {
  for (const Term& term : to_.members) {
    if (term.number == driver_) continue;  // all rows are its
    where.add(" AND EXISTS(SELECT 1 FROM member m WHERE m.term = ").bind(Value::of(term.number));
    where.add(" AND m.container = ").add(container).add(")");
  }
}

void Conditions::environment(Sql& where, Bytes column) const {
  if (!filter_.environment) return;
  if (*filter_.environment != kDefaultEnvironment) return equals(where, column, to_.environment);
  where.add(" AND (").add(column).add(" IS NULL");
  if (to_.environment) where.add(" OR ").add(column).add(" = ").bind(Value::of(*to_.environment));
  where.add(")");
}

void Conditions::within(Sql& where, Bytes column) const {
  if (filter_.from_ns) where.add(" AND ").add(column).add(" >= ").bind(Value::of(*filter_.from_ns));
  if (filter_.to_ns) where.add(" AND ").add(column).add(" < ").bind(Value::of(*filter_.to_ns));
}

// The primary key starts with term, value and kind: with a value each row is one look-up; without,
// the rows that have the key are gathered once.
void Conditions::attribute(Sql& where, RecordKind kind, Bytes container, Bytes entity) const {
  if (!to_.metadata_key) return;
  const auto kind_number = static_cast<std::int64_t>(kind);
  if (!filter_.metadata_value) {
    where.add(" AND (").add(container).add(", ").add(entity);
    where.add(") IN (SELECT a.container, a.entity FROM attribute a WHERE a.term = ");
    where.bind(Value::of(*to_.metadata_key)).add(" AND a.kind = ").bind(Value::of(kind_number));
    where.add(")");
    return;
  }
  const std::string& value = *filter_.metadata_value;
  const bool is_long = value.size() > index::kAttributeValueSizeBytesMax;
  where.add(" AND EXISTS(SELECT 1 FROM attribute a WHERE a.term = ");
  where.bind(Value::of(*to_.metadata_key)).add(" AND a.value = ");
  where.bind(is_long ? Value::blob(index::attribute_hash(value)) : Value::text(value));
  where.add(" AND a.kind = ").bind(Value::of(kind_number));
  where.add(" AND a.container = ").add(container);
  where.add(" AND a.entity = ").add(entity).add(")");
}

void Conditions::observation_is(Sql& where, Bytes alias) const {
  const auto column = [&](Bytes name) { return std::string(alias).append(name); };
  if (filter_.level) {
    equals(where, column(".level"), static_cast<std::int64_t>(*filter_.level));
    // Said in so many words, so that SQLite sees that observation_problem has all of them.
    if (*filter_.level >= kProblemLevel) where.add(" AND ").add(alias).add(".level >= 3");
  }
  if (filter_.type) equals(where, column(".type"), static_cast<std::int64_t>(*filter_.type));
  equals(where, column(".model"), to_.model);
}

void Conditions::of_traces(Sql& where) const {
  if (to_.trace) equals(where, "t.container", static_cast<std::int64_t>(*to_.trace));
  is_member(where, "t.container");
  environment(where, "t.environment");
  equals(where, "t.name", to_.name);
  equals(where, "t.release", to_.release);
  equals(where, "t.version", to_.version);
  attribute(where, RecordKind::header, "t.container", "0");
  within(where, "t.time_ns");
  if (!asks_observation()) return;
  where.add(" AND EXISTS(SELECT 1 FROM observation x WHERE x.container = t.container");
  observation_is(where, "x");
  where.add(")");
}

void Conditions::of_observations(Sql& where) const {
  if (to_.trace) equals(where, "o.container", static_cast<std::int64_t>(*to_.trace));
  is_member(where, "o.container");
  environment(where, "o.environment");
  equals(where, "o.name", to_.name);
  equals(where, "t.release", to_.release);
  equals(where, "o.version", to_.version);
  attribute(where, RecordKind::observation, "o.container", "o.entity");
  within(where, "o.start_ns");
  observation_is(where, "o");
}

void Conditions::of_scores(Sql& where) const {
  if (to_.trace) equals(where, "s.container", static_cast<std::int64_t>(*to_.trace));
  is_member(where, "s.container");
  environment(where, "s.environment");
  equals(where, "s.name", to_.name);
  equals(where, "t.release", to_.release);
  equals(where, "t.version", to_.version);
  attribute(where, RecordKind::score, "s.container", "s.entity");
  within(where, "s.time_ns");
  if (!asks_observation()) return;
  where.add(" AND CASE WHEN s.observation IS NULL THEN");
  where.add(" EXISTS(SELECT 1 FROM observation x WHERE x.container = s.container");
  observation_is(where, "x");
  where.add(") ELSE EXISTS(SELECT 1 FROM observation x WHERE x.container = s.container");
  where.add(" AND x.entity = tl_observation(s.container, s.observation)");
  observation_is(where, "x");
  where.add(") END");
}

Status Conditions::choose_driver(Kind kind, const Demand& demand) {
  if (to_.trace || to_.members.empty()) return {};
  const Term& fewest =
      *std::min_element(to_.members.begin(), to_.members.end(),
                        [](const Term& a, const Term& b) { return a.uses < b.uses; });
  if (!demand.by_time || fewest.uses <= kFewMembers) {
    driver_ = fewest.number;
    return {};
  }
  // Starting there reads all its rows; going by time reads, if they are spread evenly, so many
  // times the rows wanted as there are traces for each of its own.
  TL_TRY_ASSIGN(statistics, record::read_statistics(use_.transaction()));
  const auto traces = static_cast<double>(std::max<std::uint64_t>(statistics.traces, 1));
  const std::uint64_t all_rows = kind == Kind::trace         ? statistics.traces
                                 : kind == Kind::observation ? statistics.observations
                                                             : statistics.scores;
  const auto uses = static_cast<double>(fewest.uses);
  const double own_rows = static_cast<double>(all_rows) * uses / traces;
  const double rows_by_time = static_cast<double>(demand.row_count) * traces / uses;
  if (own_rows <= rows_by_time) driver_ = fewest.number;
  return {};
}

Sql Conditions::table(Kind kind, bool by_time) const {
  Sql sql;
  switch (kind) {
    case Kind::trace:
      return std::move(sql.add(by_time ? "trace t INDEXED BY trace_time" : "trace t"));
    case Kind::observation: {
      sql.add("observation o");
      const bool of_problems = filter_.level && *filter_.level >= kProblemLevel;
      if (of_problems && !driver_ && !has_trace())
        return std::move(sql.add(" INDEXED BY observation_problem"));
      return std::move(by_time ? sql.add(" INDEXED BY observation_time") : sql);
    }
    default:
      return std::move(sql.add(by_time ? "score s INDEXED BY score_time" : "score s"));
  }
}

}  // namespace

Status normalise(Filter& filter) {
  if (filter.metadata_value && !filter.metadata_key) {
    return refuse("metadata_value", "a metadata value is looked for under a key: give it as well");
  }
  if (filter.environment) {
    filter.environment = model::repair_environment(*filter.environment).first;
  }
  std::sort(filter.tags.begin(), filter.tags.end());
  filter.tags.erase(std::unique(filter.tags.begin(), filter.tags.end()), filter.tags.end());
  return {};
}

bool is_empty(const Filter& filter) { return filter == Filter(); }

Result<std::optional<Selection>> select_rows(const Snapshot::Use& use, Kind kind,
                                             const Filter& filter, const Demand& demand) {
  Conditions conditions(use, filter);
  TL_TRY_ASSIGN(possible, conditions.resolve());
  if (!possible) return std::optional<Selection>();
  TL_TRY(conditions.choose_driver(kind, demand));
  const std::optional<std::int64_t> driver = conditions.driver();
  Selection selection;
  selection.where.reserve();
  selection.is_driven = driver.has_value();
  selection.is_in_time_order = demand.by_time && !driver && !conditions.has_trace();
  // CROSS JOIN is how SQLite is told to go from left to right.
  if (driver) selection.from.add("member d CROSS JOIN ");
  selection.from.add(conditions.table(kind, selection.is_in_time_order));
  Bytes container;
  switch (kind) {
    case Kind::trace:
      container = "t.container";
      conditions.of_traces(selection.where);
      break;
    case Kind::observation:
      container = "o.container";
      selection.from.add(" CROSS JOIN trace t");
      selection.where.add(" AND t.container = o.container");
      conditions.of_observations(selection.where);
      break;
    default:
      container = "s.container";
      if (conditions.asks_trace_of_score()) {
        selection.from.add(" CROSS JOIN trace t");
        selection.where.add(" AND t.container = s.container");
      }
      conditions.of_scores(selection.where);
      break;
  }
  if (driver) {
    selection.where.add(" AND d.term = ").bind(Value::of(*driver));
    selection.where.add(" AND ").add(container).add(" = d.container");
  }
  return std::optional<Selection>(std::move(selection));
}

Result<std::optional<Sql>> trace_conditions(const Snapshot::Use& use, const Filter& filter) {
  Conditions conditions(use, filter);
  TL_TRY_ASSIGN(possible, conditions.resolve());
  if (!possible) return std::optional<Sql>();
  Sql where;
  conditions.of_traces(where);
  return std::optional<Sql>(std::move(where));
}

Result<std::optional<Term>> find_term(const Snapshot::Use& use, TermKind kind, Bytes text) {
  if (const Term* known = use.terms().find(kind, text); known != nullptr) {
    return std::optional(*known);
  }
  TL_TRY_ASSIGN(find, use.prepare("SELECT id, uses FROM term WHERE kind = ?1 AND text = ?2"));
  find->bind(1, static_cast<std::int64_t>(kind));
  find->bind_text(2, text);
  TL_TRY_ASSIGN(row, find->step());
  if (!row) return std::optional<Term>();
  const Term term{find->integer(0), find->integer(1)};
  use.terms().add(kind, text, term);
  return std::optional(term);
}

}  // namespace tracelite::query
