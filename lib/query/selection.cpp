// Conditions, and the choice of what drives a query.
#include "query/selection.hpp"

#include <algorithm>

#include "index/terms.hpp"
#include "model/event.hpp"
#include "query/metadata_condition.hpp"
#include "query/trace_window.hpp"
#include "record/entity_store.hpp"
#include "record/statistics.hpp"

namespace tracelite::query {
namespace {

using index::TermKind;

// A session, user or tag with so few traces is where any query starts.
constexpr std::int64_t kFewMembers = 32;
// How many of a member's traces are looked at to see how densely they lie in time.
constexpr const char* kProbeDepth = "16";
// From here on a level is rare, and has an index of its own: observation_problem.
constexpr model::Level kProblemLevel = model::Level::warning;
static_assert(static_cast<int>(kProblemLevel) == 3, "as the schema says");

Error refuse(std::string field, std::string message) {
  return make_error(Code::invalid, std::move(message), std::move(field));
}

// The texts of a filter as numbers of the index.
struct Resolved {
  std::optional<record::ContainerNumber> trace;
  std::vector<Term> members;            // session, user and tags that the trace must have
  std::optional<std::int64_t> session;  // the one among them
  std::optional<record::ContainerNumber> own_container;  // of the session: its own scores
  std::optional<std::int64_t> name, release, version, model, metadata_key;
  // Rows without an environment are in the default one; so it is found where it is no term.
  std::optional<std::int64_t> environment;
};

class Conditions {
 public:
  Conditions(const Snapshot::Use& use, Kind kind, const Filter& filter)
      : use_(use), kind_(kind), filter_(filter) {}

  // False if a text occurs nowhere.
  Result<bool> resolve();

  void of_traces(Sql& where) const;
  void of_observations(Sql& where) const;
  void of_scores(Sql& where) const;
  // Chooses the member or the metadata to start from, if that is shorter than to go by time and to
  // ask of each row whether it belongs.
  Status choose_driver(const Demand& demand);
  // Of one trace: leaves out times that a page does not reach, if that makes the index by time the
  // shorter way to it.
  Status narrow_times(const Demand& demand);
  // Whether the rows are found by time alone.
  [[nodiscard]] bool goes_by_time(const Demand& demand) const {
    return demand.by_time && !driver_ && (!starts_from_condition() || is_narrowed_);
  }
  [[nodiscard]] const std::optional<std::int64_t>& driver() const { return driver_; }
  // The table of a kind, with the index that gives its rows in the order of time, or only the
  // problems, where nothing else drives the query.
  [[nodiscard]] Sql table(bool by_time) const;
  // How the rows of that table, or of the driver, come.
  void read_in_order(bool by_time, Selection& selection) const;
  // Whether observation_problem has all the observations that are asked for.
  [[nodiscard]] bool is_of_problems() const {
    return kind_ == Kind::observation && !driver_ && !starts_from_condition() && filter_.level &&
           *filter_.level >= kProblemLevel;
  }
  // The rows of `member` of the driver, as `d`.
  [[nodiscard]] Sql driving_rows() const;
  // Whether the rows come from a condition, in no order.
  [[nodiscard]] bool starts_from_condition() const {
    return to_.trace.has_value() || starts_from_metadata_;
  }
  [[nodiscard]] bool asks_trace_of_score() const { return to_.release || to_.version; }

 private:
  Result<bool> resolve_one(TermKind kind, const std::optional<std::string>& text,
                           std::optional<std::int64_t>& term) const;
  static void equals(Sql& where, Bytes column, const std::optional<std::int64_t>& term);
  void is_member(Sql& where) const;
  void score_is_member(Sql& where) const;
  // Limits moments to those of the times asked for.
  void within_moments(Sql& where) const;
  Status choose_driver_of_traces(const Demand& demand);
  [[nodiscard]] const Term& fewest_member() const;
  // The moment up to which the first kProbeDepth traces of a term reach; none if it has fewer.
  Result<std::optional<std::int64_t>> probe(std::int64_t term, bool ascending) const;
  void environment(Sql& where, Bytes column) const;
  void within(Sql& where, Bytes column) const;
  void metadata(Sql& where, Bytes container, Bytes entity) const;
  [[nodiscard]] bool asks_observation() const {
    return filter_.level || filter_.type || filter_.model;
  }
  void observation_is(Sql& where, Bytes alias) const;

  const Snapshot::Use& use_;
  Kind kind_;
  Filter filter_;
  Resolved to_;
  std::optional<std::int64_t> driver_;
  std::optional<MetadataCondition> metadata_;
  bool starts_from_metadata_ = false;
  bool is_narrowed_ = false;
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
  if (to_.metadata_key) metadata_.emplace(kind_, *to_.metadata_key, filter_.metadata_value);
  std::vector<std::pair<TermKind, Bytes>> members;
  if (filter_.session_id) members.emplace_back(TermKind::session, *filter_.session_id);
  if (filter_.user_id) members.emplace_back(TermKind::user, *filter_.user_id);
  for (const std::string& tag : filter_.tags) members.emplace_back(TermKind::tag, tag);
  for (const auto& [kind, text] : members) {
    TL_TRY_ASSIGN(term, find_term(use_, kind, text));
    if (!term) return false;
    to_.members.push_back(*term);
    if (kind == TermKind::session) to_.session = term->number;
  }
  if (kind_ == Kind::score && to_.session) {
    TL_TRY_ASSIGN(own, record::EntityReader(use_.transaction()).find_session(*filter_.session_id));
    to_.own_container = own;
  }
  return true;
}

void Conditions::equals(Sql& where, Bytes column, const std::optional<std::int64_t>& term) {
  if (term) where.add(" AND ").add(column).add(" = ").bind(Value::of(*term));
}

// Where another member drives, a look at the place in `member` saves reading the trace's row.
void Conditions::is_member(Sql& where) const {
  for (const Term& term : to_.members) {
    if (term.number == driver_) continue;  // all rows are its
    if (driver_) {
      where.add(" AND EXISTS(SELECT 1 FROM member m WHERE m.term = ").bind(Value::of(term.number));
      where.add(" AND m.moment = d.moment AND m.container = d.container)");
    } else {
      where.add(" AND tl_names(t.members, ").bind(Value::of(term.number)).add(")");
    }
  }
}

// A score's trace need not be there, and a session has scores of its own.
void Conditions::score_is_member(Sql& where) const {
  for (const Term& term : to_.members) {
    if (term.number == driver_) continue;
    where.add(" AND (EXISTS(SELECT 1 FROM trace y WHERE y.container = s.container");
    where.add(" AND tl_names(y.members, ").bind(Value::of(term.number)).add("))");
    if (term.number == to_.session && to_.own_container) {
      where.add(" OR s.container = ");
      where.bind(Value::of(static_cast<std::int64_t>(*to_.own_container)));
    }
    where.add(")");
  }
}

void Conditions::within_moments(Sql& where) const {
  const auto add = [&](Bytes condition, std::int64_t time_ns) {
    where.add(condition).bind(Value::of(index::moment_of(time_ns)));
  };
  if (filter_.from_ns) add(" AND d.moment >= ", *filter_.from_ns);
  if (filter_.to_ns) add(" AND d.moment <= ", *filter_.to_ns);
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

void Conditions::metadata(Sql& where, Bytes container, Bytes entity) const {
  if (!metadata_) return;
  const bool gather = starts_from_metadata_ || !filter_.metadata_value;
  gather ? metadata_->gathered(where, container, entity)
         : metadata_->asked_for(where, container, entity);
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
  is_member(where);
  environment(where, "t.environment");
  equals(where, "t.name", to_.name);
  equals(where, "t.release", to_.release);
  equals(where, "t.version", to_.version);
  metadata(where, "t.container", "0");
  within(where, "t.time_ns");
  if (driver_) within_moments(where);
  if (!asks_observation()) return;
  where.add(" AND EXISTS(SELECT 1 FROM observation x WHERE x.container = t.container");
  observation_is(where, "x");
  where.add(")");
}

void Conditions::of_observations(Sql& where) const {
  if (to_.trace) equals(where, "o.container", static_cast<std::int64_t>(*to_.trace));
  is_member(where);
  environment(where, "o.environment");
  equals(where, "o.name", to_.name);
  equals(where, "t.release", to_.release);
  equals(where, "o.version", to_.version);
  metadata(where, "o.container", "o.entity");
  within(where, "o.start_ns");
  observation_is(where, "o");
}

void Conditions::of_scores(Sql& where) const {
  if (to_.trace) equals(where, "s.container", static_cast<std::int64_t>(*to_.trace));
  score_is_member(where);
  environment(where, "s.environment");
  equals(where, "s.name", to_.name);
  equals(where, "t.release", to_.release);
  equals(where, "t.version", to_.version);
  metadata(where, "s.container", "s.entity");
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

Status Conditions::choose_driver(const Demand& demand) {
  if (to_.trace) return {};
  if (metadata_) {
    TL_TRY_ASSIGN(is_rare, metadata_->is_rare(use_));
    starts_from_metadata_ = is_rare;
  }
  if (starts_from_metadata_ || to_.members.empty()) return {};
  if (kind_ == Kind::trace) return choose_driver_of_traces(demand);
  const Term& fewest = fewest_member();
  if (!demand.by_time || fewest.uses <= kFewMembers) {
    driver_ = fewest.number;
    return {};
  }
  // Starting there reads all its rows; going by time reads, if they are spread evenly, so many
  // times the rows wanted as there are traces for each of its own.
  TL_TRY_ASSIGN(statistics, record::read_statistics(use_.transaction()));
  const auto traces = static_cast<double>(std::max<std::uint64_t>(statistics.traces, 1));
  const std::uint64_t all_rows =
      kind_ == Kind::observation ? statistics.observations : statistics.scores;
  const auto uses = static_cast<double>(fewest.uses);
  const double own_rows = static_cast<double>(all_rows) * uses / traces;
  const double rows_by_time = static_cast<double>(demand.row_count) * traces / uses;
  if (own_rows <= rows_by_time) driver_ = fewest.number;
  return {};
}

Status Conditions::narrow_times(const Demand& demand) {
  if (kind_ != Kind::observation || !to_.trace || !demand.by_time) return {};
  Filter others = filter_;
  others.trace_id.reset();
  others.from_ns.reset();
  others.to_ns.reset();
  if (!is_empty(others)) return {};  // rows that are counted may not be selected
  TL_TRY_ASSIGN(narrowed,
                narrow_to_page(use_, *to_.trace, filter_, demand.ascending, demand.row_count));
  if (!narrowed) return {};
  filter_ = std::move(*narrowed);
  is_narrowed_ = true;
  return {};
}

// A member gives its traces in the order of time. Of several that one is walked whose traces lie
// least densely where the list begins, and the others are asked.
Status Conditions::choose_driver_of_traces(const Demand& demand) {
  driver_ = fewest_member().number;
  if (!demand.by_time || to_.members.size() == 1) return {};
  std::optional<std::int64_t> furthest;
  for (const Term& term : to_.members) {
    TL_TRY_ASSIGN(reached, probe(term.number, demand.ascending));
    if (reached && furthest && (demand.ascending ? *reached <= *furthest : *reached >= *furthest)) {
      continue;
    }
    driver_ = term.number;
    if (!reached) return {};
    furthest = reached;
  }
  return {};
}

Result<std::optional<std::int64_t>> Conditions::probe(std::int64_t term, bool ascending) const {
  Sql sql;
  sql.add("SELECT d.moment FROM member d WHERE d.term = ").bind(Value::of(term));
  within_moments(sql);
  sql.add(" ORDER BY d.moment ").add(ascending ? "ASC" : "DESC");
  sql.add(" LIMIT 1 OFFSET ").add(kProbeDepth);
  TL_TRY_ASSIGN(find, use_.prepare(sql.text));
  find.bind(sql.values);
  TL_TRY_ASSIGN(found, find->step());
  return found ? std::optional(find->integer(0)) : std::nullopt;
}

const Term& Conditions::fewest_member() const {
  return *std::min_element(to_.members.begin(), to_.members.end(),
                           [](const Term& a, const Term& b) { return a.uses < b.uses; });
}

void Conditions::read_in_order(bool by_time, Selection& selection) const {
  if (driver_ && kind_ != Kind::score) {
    selection.order = kind_ == Kind::trace ? ReadingOrder::moment : ReadingOrder::trace;
    selection.moment = "d.moment";
  } else if (by_time && (kind_ == Kind::score || is_of_problems())) {
    selection.order = ReadingOrder::time;
  } else if (by_time) {
    static_assert(index::kTimeShift == 20);
    selection.order = ReadingOrder::moment;
    selection.moment = kind_ == Kind::trace ? "t.time_ns >> 20" : "o.start_ns >> 20";
    // The index knows nothing of the time itself.
    const auto add = [&](Bytes comparison, std::int64_t time_ns) {
      selection.where.add(" AND ").add(selection.moment).add(comparison);
      selection.where.bind(Value::of(time_ns >> index::kTimeShift));
    };
    if (filter_.from_ns) add(" >= ", *filter_.from_ns);
    if (filter_.to_ns) add(" <= ", *filter_.to_ns);
  }
}

Sql Conditions::driving_rows() const {
  Sql sql;
  if (kind_ != Kind::score || driver_ != to_.session || !to_.own_container) {
    return std::move(sql.add("member d"));
  }
  sql.add("(SELECT term, moment, container FROM member WHERE term = ").bind(Value::of(*driver_));
  sql.add(" UNION ALL SELECT ").bind(Value::of(*driver_)).add(", 0, ");
  sql.bind(Value::of(static_cast<std::int64_t>(*to_.own_container)));
  return std::move(sql.add(") d"));
}

Sql Conditions::table(bool by_time) const {
  Sql sql;
  switch (kind_) {
    case Kind::trace:
      return std::move(sql.add(by_time ? "trace t INDEXED BY trace_time" : "trace t"));
    case Kind::observation: {
      sql.add("observation o");
      if (is_of_problems()) return std::move(sql.add(" INDEXED BY observation_problem"));
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
  Conditions conditions(use, kind, filter);
  TL_TRY_ASSIGN(possible, conditions.resolve());
  if (!possible) return std::optional<Selection>();
  TL_TRY(conditions.choose_driver(demand));
  TL_TRY(conditions.narrow_times(demand));
  const std::optional<std::int64_t> driver = conditions.driver();
  Selection selection;
  selection.where.reserve();
  const bool by_time = conditions.goes_by_time(demand);
  conditions.read_in_order(by_time, selection);
  // CROSS JOIN is how SQLite is told to go from left to right.
  if (driver) selection.from.add(conditions.driving_rows()).add(" CROSS JOIN ");
  selection.from.add(conditions.table(by_time));
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
  Conditions conditions(use, Kind::trace, filter);
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
  TL_TRY_ASSIGN(find, use.prepare("SELECT t.id, t.uses FROM term_hash h CROSS JOIN term t "
                                  "WHERE h.hash = ?3 AND t.id = h.id AND t.kind = ?1 "
                                  "AND t.text = ?2"));
  find->bind(1, static_cast<std::int64_t>(kind));
  find->bind_text(2, text);
  find->bind(3, index::Terms::hash(kind, text));
  TL_TRY_ASSIGN(row, find->step());
  if (!row) return std::optional<Term>();
  const Term term{find->integer(0), find->integer(1)};
  use.terms().add(kind, text, term);
  return std::optional(term);
}

}  // namespace tracelite::query
