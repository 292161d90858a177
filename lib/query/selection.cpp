// Conditions, and the choice of what drives a query.
#include "query/selection.hpp"

#include <algorithm>

#include "index/index_writer.hpp"
#include "model/event.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {
namespace {

using index::TermKind;
using record::RecordKind;

// A session, user or tag with fewer traces than this is where a query starts; otherwise it goes by
// time and asks of each row whether it belongs.
constexpr std::int64_t kDrivingMembersMax = 2000;
constexpr Bytes kDefaultEnvironment = "default";

Error refuse(std::string field, std::string message) {
  return make_error(Code::invalid, std::move(message), std::move(field));
}

// The texts of a filter as numbers of the index.
struct Resolved {
  std::optional<record::ContainerNumber> trace;
  std::vector<std::int64_t> members;  // session, user and tags that the trace must have
  std::optional<std::int64_t> session, name, release, version, model, metadata_key;
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
  // The member with the fewest traces, if these are few enough to start from.
  Result<std::optional<std::int64_t>> driver() const;
  // Where a list of scores starts: the traces of the driver, and the session itself.
  Result<Sql> score_driver(std::int64_t term) const;
  [[nodiscard]] const Resolved& resolved() const { return to_; }

 private:
  Result<bool> resolve_one(TermKind kind, const std::optional<std::string>& text,
                           std::optional<std::int64_t>& term) const;
  static void equals(Sql& where, Bytes column, const std::optional<std::int64_t>& term);
  static void is_member(Sql& where, std::int64_t term, Bytes container);
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
};

Result<bool> Conditions::resolve_one(TermKind kind, const std::optional<std::string>& text,
                                     std::optional<std::int64_t>& term) const {
  if (!text) return true;
  TL_TRY_ASSIGN(found, find_term(use_, kind, *text));
  term = found;
  return found.has_value();
}

Result<bool> Conditions::resolve() {
  if (filter_.trace_id) {
    TL_TRY_ASSIGN(container,
                  record::EntityReader(use_.transaction()).find_trace(*filter_.trace_id));
    if (!container) return false;
    to_.trace = container;
  }
  std::optional<std::int64_t> user;
  const struct {
    TermKind kind;
    const std::optional<std::string>& text;
    std::optional<std::int64_t>& term;
  } all[] = {
      {TermKind::session, filter_.session_id, to_.session},
      {TermKind::user, filter_.user_id, user},
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
  if (user) to_.members.push_back(*user);
  for (const std::string& tag : filter_.tags) {
    TL_TRY_ASSIGN(term, find_term(use_, TermKind::tag, tag));
    if (!term) return false;
    to_.members.push_back(*term);
  }
  return true;
}

void Conditions::equals(Sql& where, Bytes column, const std::optional<std::int64_t>& term) {
  if (term) where.add(" AND ").add(column).add(" = ").bind(Value::of(*term));
}

void Conditions::is_member(Sql& where, std::int64_t term, Bytes container) {
  where.add(" AND EXISTS(SELECT 1 FROM member m WHERE m.term = ").bind(Value::of(term));
  where.add(" AND m.container = ").add(container).add(")");
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
  }
  if (filter_.type) equals(where, column(".type"), static_cast<std::int64_t>(*filter_.type));
  equals(where, column(".model"), to_.model);
}

void Conditions::of_traces(Sql& where) const {
  if (to_.trace) equals(where, "t.container", static_cast<std::int64_t>(*to_.trace));
  if (to_.session) is_member(where, *to_.session, "t.container");
  for (const std::int64_t term : to_.members) is_member(where, term, "t.container");
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
  if (to_.session) is_member(where, *to_.session, "o.container");
  for (const std::int64_t term : to_.members) is_member(where, term, "o.container");
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
  if (to_.session) {
    where.add(" AND (s.session = ").bind(Value::of(*to_.session));
    where.add(" OR (1");
    is_member(where, *to_.session, "s.container");
    where.add("))");
  }
  for (const std::int64_t term : to_.members) is_member(where, term, "s.container");
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

Result<std::optional<std::int64_t>> Conditions::driver() const {
  std::optional<std::int64_t> best;
  if (to_.trace) return best;  // nothing is fewer than one trace
  std::vector<std::int64_t> terms = to_.members;
  if (to_.session) terms.push_back(*to_.session);
  std::int64_t fewest = kDrivingMembersMax;
  for (const std::int64_t term : terms) {
    TL_TRY_ASSIGN(count, use_.prepare("SELECT count(*) FROM (SELECT 1 FROM member WHERE term = ?1 "
                                      "LIMIT ?2)"));
    count->bind(1, term);
    count->bind(2, fewest);
    TL_TRY_ASSIGN(row, count->step());
    if (!row || count->integer(0) >= fewest) continue;
    fewest = count->integer(0);
    best = term;
  }
  return best;
}

// A score of a session lies with the session, not with one of its traces.
Result<Sql> Conditions::score_driver(std::int64_t term) const {
  Sql sql;
  sql.add("(SELECT container FROM member WHERE term = ").bind(Value::of(term));
  if (to_.session == term) {
    const record::EntityReader entities(use_.transaction());
    TL_TRY_ASSIGN(container, entities.find_session(*filter_.session_id));
    if (container) {
      sql.add(" UNION SELECT ").bind(Value::of(static_cast<std::int64_t>(*container)));
    }
  }
  sql.add(") d CROSS JOIN score s");
  return sql;
}

}  // namespace

Result<Filter> normalised(Filter filter) {
  if (filter.metadata_value && !filter.metadata_key) {
    return refuse("metadata_value", "a metadata value is looked for under a key: give it as well");
  }
  if (filter.environment) {
    filter.environment = model::repair_environment(*filter.environment).first;
  }
  std::sort(filter.tags.begin(), filter.tags.end());
  filter.tags.erase(std::unique(filter.tags.begin(), filter.tags.end()), filter.tags.end());
  return filter;
}

bool is_empty(const Filter& filter) { return filter == Filter(); }

Result<std::optional<Selection>> select_rows(const Snapshot::Use& use, Kind kind,
                                             const Filter& filter) {
  Conditions conditions(use, filter);
  TL_TRY_ASSIGN(possible, conditions.resolve());
  if (!possible) return std::optional<Selection>();
  TL_TRY_ASSIGN(driver, conditions.driver());
  Selection selection;
  Bytes container;
  // CROSS JOIN is how SQLite is told to go from left to right.
  switch (kind) {
    case Kind::trace:
      container = "t.container";
      selection.from.add(driver ? "member d CROSS JOIN trace t" : "trace t");
      conditions.of_traces(selection.where);
      break;
    case Kind::observation:
      container = "o.container";
      selection.from.add(driver ? "member d CROSS JOIN observation o" : "observation o");
      selection.from.add(" CROSS JOIN trace t");
      selection.where.add(" AND t.container = o.container");
      conditions.of_observations(selection.where);
      break;
    default:
      container = "s.container";
      if (driver) {
        TL_TRY_ASSIGN(from, conditions.score_driver(*driver));
        selection.from.add(from);
      } else {
        selection.from.add("score s");
      }
      selection.from.add(" LEFT JOIN trace t ON t.container = s.container");
      conditions.of_scores(selection.where);
      break;
  }
  if (driver) {
    if (kind != Kind::score) selection.where.add(" AND d.term = ").bind(Value::of(*driver));
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

Result<std::optional<std::int64_t>> find_term(const Snapshot::Use& use, TermKind kind, Bytes text) {
  TL_TRY_ASSIGN(find, use.prepare("SELECT id FROM term WHERE kind = ?1 AND text = ?2"));
  find->bind(1, static_cast<std::int64_t>(kind));
  find->bind_text(2, text);
  TL_TRY_ASSIGN(row, find->step());
  return row ? std::optional(find->integer(0)) : std::nullopt;
}

}  // namespace tracelite::query
