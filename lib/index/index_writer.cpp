// Upserts of index rows: each function says what an entity was and what it is, and changes only
// what differs.
#include "index/index_writer.hpp"

#include <algorithm>
#include <cassert>

#include "index/index_writer_state.hpp"
#include "index/schema_check.hpp"

namespace tracelite::index {

using model::Entity;
using model::ObservationView;
using model::TraceView;
using record::RecordKind;

// ------------------------------------------------------------------------------ opening

namespace {

Status create_schema(sqlite3* connection) {
  TL_TRY_ASSIGN(find,
                Statement::prepare(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'term'"));
  TL_TRY_ASSIGN(exists, find.step());
  find.reset();
  if (exists) return {};
  const std::string schema = schema_without_comments();
  const int code = sqlite3_exec(connection, schema.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection, code, "creating the index");
  return {};
}

Status prepare_all(sqlite3* connection, Statements& sql) {
  const std::pair<Statement*, const char*> all[] = {
      {&sql.find_trace,
       "SELECT time_ns, name, environment, release, version, has_record, root, root_rank, "
       "root_start_ns, sums, members FROM trace WHERE container = ?1"},
      {&sql.put_trace,
       "INSERT OR REPLACE INTO trace(container, id, time_ns, name, environment, release, version, "
       "has_record, root, root_rank, root_start_ns, sums, members) "
       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"},
      {&sql.put_sums, "UPDATE trace SET sums = ?2, members = ?3 WHERE container = ?1"},
      {&sql.erase_trace, "DELETE FROM trace WHERE container = ?1"},
      {&sql.put_observation,
       "INSERT OR REPLACE INTO observation(container, entity, start_ns, duration_ns, name, model, "
       "environment, version, type, level, has_parent, input_tokens, output_tokens, total_tokens, "
       "cost) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"},
      {&sql.erase_observation, "DELETE FROM observation WHERE container = ?1 AND entity = ?2"},
      {&sql.figures,
       "SELECT start_ns, duration_ns, type, level, input_tokens, output_tokens, total_tokens, cost "
       "FROM observation WHERE container = ?1"},
      {&sql.count_scores, "SELECT count(*) FROM score WHERE container = ?1"},
      {&sql.root,
       "SELECT entity, has_parent, start_ns, name, environment FROM observation "
       "WHERE container = ?1 ORDER BY has_parent, start_ns, (entity & 4294967295), entity LIMIT 1"},
      {&sql.put_score,
       "INSERT OR REPLACE INTO score(container, entity, time_ns, id, name, environment, "
       "observation) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&sql.erase_score, "DELETE FROM score WHERE container = ?1 AND entity = ?2"},
      {&sql.add_member,
       "INSERT OR REPLACE INTO member(term, moment, container) VALUES(?1, ?2, ?3)"},
      {&sql.erase_member, "DELETE FROM member WHERE term = ?1 AND moment = ?2 AND container = ?3"},
      {&sql.find_member, "SELECT 1 FROM member WHERE term = ?1 LIMIT 1"},
      {&sql.find_group, "SELECT kind, lead, span, sums FROM group_sums WHERE term = ?1"},
      {&sql.put_group,
       "INSERT OR REPLACE INTO group_sums(term, kind, activity, cost, lead, span, sums) "
       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&sql.put_group_sums, "UPDATE group_sums SET sums = ?2 WHERE term = ?1"},
      {&sql.erase_group, "DELETE FROM group_sums WHERE term = ?1"},
      {&sql.group_traces,
       "SELECT m.moment, t.time_ns, t.sums FROM member m CROSS JOIN trace t "
       "ON t.container = m.container WHERE m.term = ?1 ORDER BY m.moment"},
      {&sql.group_traces_back,
       "SELECT m.moment, t.time_ns, t.sums FROM member m CROSS JOIN trace t "
       "ON t.container = m.container WHERE m.term = ?1 ORDER BY m.moment DESC"},
      {&sql.find_day, "SELECT sums FROM day WHERE day = ?1 AND model = ?2"},
      {&sql.put_day, "INSERT OR REPLACE INTO day(day, model, sums) VALUES(?1, ?2, ?3)"},
      {&sql.erase_day, "DELETE FROM day WHERE day = ?1 AND model = ?2"},
  };
  for (const auto& [statement, text] : all) {
    TL_TRY_ASSIGN(prepared, Statement::prepare(connection, text));
    *statement = std::move(prepared);
  }
  return {};
}

}  // namespace

IndexWriter::IndexWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
IndexWriter::~IndexWriter() = default;

Result<std::unique_ptr<IndexWriter>> IndexWriter::open(sqlite3* connection) {
  TL_TRY(create_schema(connection));
  auto state = std::make_unique<State>();
  state->connection = connection;
  TL_TRY_ASSIGN(terms, Terms::open(connection));
  state->terms = std::move(terms);
  TL_TRY_ASSIGN(attributes, AttributeTable::open(connection));
  state->attributes = std::move(attributes);
  TL_TRY(prepare_all(connection, state->sql));
  return std::unique_ptr<IndexWriter>(new IndexWriter(std::move(state)));
}

void IndexWriter::forget() {
  state_->terms.forget();
  state_->attributes.forget();
  state_->latest_trace.reset();
  state_->groups.clear();
  state_->days.clear();
  state_->counts = {};
}

Status IndexWriter::flush() {
  TL_TRY(state_->write_latest_trace());
  TL_TRY(state_->write_groups());
  TL_TRY(state_->write_days());
  TL_TRY(state_->attributes.write());
  return state_->terms.write_uses();
}

Status IndexWriter::merge_recent() { return state_->attributes.merge(); }

CountChanges IndexWriter::take_counts() {
  assert(!state_->latest_trace && state_->groups.empty() && state_->days.empty() &&
         !state_->attributes.has_unwritten() && !state_->terms.has_unwritten());
  return std::exchange(state_->counts, {});
}

// ------------------------------------------------------------------------------ members

Status IndexWriter::State::use_session(Bytes session, int difference) {
  TL_TRY_ASSIGN(existence, use_group(TermKind::session, session, difference));
  counts.sessions += existence;
  return {};
}

Status IndexWriter::State::change_member(TermKind kind, Bytes text,
                                         record::ContainerNumber container, int difference) {
  TL_TRY_ASSIGN(term, terms.number(kind, text));
  TL_TRY(load_trace(container));
  const int change = latest_trace->members.change(term, true, difference);
  latest_trace->change_sums();
  if (change == 0) return {};
  if (kind == TermKind::session) return use_session(text, change);
  TL_TRY_ASSIGN(existence, use_group(kind, text, change));
  counts.users += existence;
  return {};
}

Status IndexWriter::State::change_members(const Members& before, const Members& after,
                                          record::ContainerNumber container) {
  const auto change_one = [&](TermKind kind, const std::optional<Bytes>& old_text,
                              const std::optional<Bytes>& new_text) -> Status {
    if (old_text == new_text) return {};
    if (new_text) TL_TRY(change_member(kind, *new_text, container, 1));
    if (old_text) TL_TRY(change_member(kind, *old_text, container, -1));
    return {};
  };
  TL_TRY(change_one(TermKind::session, before.session, after.session));
  TL_TRY(change_one(TermKind::user, before.user, after.user));
  return change_tags(before.tags, after.tags, container);
}

// All at once: there may be very many.
Status IndexWriter::State::change_tags(const std::vector<Bytes>& before,
                                       const std::vector<Bytes>& after,
                                       record::ContainerNumber container) {
  std::vector<Bytes> removed;
  std::vector<Bytes> added;
  std::ranges::set_difference(before, after, std::back_inserter(removed));
  std::ranges::set_difference(after, before, std::back_inserter(added));
  if (removed.empty() && added.empty()) return {};
  std::vector<TraceMembers::Change> changes;
  std::map<TermNumber, Bytes> texts;
  for (const auto& [tags, difference] : {std::pair(&added, 1), std::pair(&removed, -1)}) {
    for (const Bytes tag : *tags) {
      TL_TRY_ASSIGN(term, terms.number(TermKind::tag, tag));
      changes.push_back({term, false, difference});
      texts.emplace(term, tag);
    }
  }
  std::ranges::sort(changes, {}, &TraceMembers::Change::term);
  TL_TRY(load_trace(container));
  latest_trace->members.change_all(changes);
  latest_trace->change_sums();
  for (const TraceMembers::Change& change : changes) {
    if (change.existence == 0) continue;
    TL_TRY_ASSIGN(existence, terms.use(change.term, change.existence));
    if (existence < 0) {
      TL_TRY(terms.remove(TermKind::tag, texts.at(change.term), change.term));
    }
  }
  return {};
}

// ------------------------------------------------------------------------------ counts

void add(record::Statistics& statistics, const CountChanges& changes) {
  const auto add_to = [](std::uint64_t& number, std::int64_t change) {
    number += static_cast<std::uint64_t>(change);
  };
  add_to(statistics.traces, changes.traces);
  add_to(statistics.observations, changes.observations);
  add_to(statistics.scores, changes.scores);
  add_to(statistics.sessions, changes.sessions);
  add_to(statistics.users, changes.users);
}

// ------------------------------------------------------------------------------ attributes

Status IndexWriter::State::change_attributes(const Change& change) {
  const auto apply = [&](bool is_there, const Attributes& all, const Attributes& others) -> Status {
    std::vector<const Attributes::value_type*> sorted;
    sorted.reserve(others.size());
    for (const auto& other : others) sorted.push_back(&other);
    const auto is_less = [](const auto* a, const auto* b) { return *a < *b; };
    std::sort(sorted.begin(), sorted.end(), is_less);
    for (const auto& attribute : all) {
      if (std::binary_search(sorted.begin(), sorted.end(), &attribute, is_less)) continue;
      TL_TRY_ASSIGN(term, terms.number(TermKind::metadata_key, attribute.first));
      const RecordKind kind =
          change.key.kind == RecordKind::stray ? RecordKind::observation : change.key.kind;
      TL_TRY(attributes.change(
          {term, AttributeValue::of(attribute.second), static_cast<std::int64_t>(kind),
           to_integer(change.key.container), to_integer(change.key.entity)},
          is_there));
    }
    return {};
  };
  TL_TRY(apply(false, change.attributes_before, change.attributes_after));
  return apply(true, change.attributes_after, change.attributes_before);
}

// ------------------------------------------------------------------------------ days

Status IndexWriter::State::change_day(const Observed* before, const Observed* after) {
  const auto sums_of = [this](const Observed& observed) -> Result<DaySums*> {
    TL_TRY_ASSIGN(model, terms.optional_number(TermKind::model, observed.view.model));
    if (days.size() >= kUnwrittenDaysMax) TL_TRY(write_days());
    return &days[{day_of(observed.figures.start_ns), model.value_or(0)}];
  };
  if (before != nullptr) {
    TL_TRY_ASSIGN(sums, sums_of(*before));
    sums->take_off(before->figures);
  }
  if (after != nullptr) {
    TL_TRY_ASSIGN(sums, sums_of(*after));
    sums->add(after->figures);
  }
  return {};
}

Status IndexWriter::State::write_days() {
  for (const auto& [key, change] : days) {
    if (change.is_empty()) continue;
    DaySums sums = change;
    sql.find_day.bind(1, key.first);
    sql.find_day.bind(2, key.second);
    {
      const ResetGuard guard(sql.find_day);
      TL_TRY_ASSIGN(found, sql.find_day.step());
      if (found) sums.add(DaySums::decode(sql.find_day.bytes(0)));
    }
    Statement& write = sums.is_empty() ? sql.erase_day : sql.put_day;
    std::string coded;
    sums.encode(coded);
    write.bind(1, key.first);
    write.bind(2, key.second);
    if (!sums.is_empty()) write.bind_blob(3, coded);
    TL_TRY(write.run());
  }
  days.clear();
  return {};
}

// ------------------------------------------------------------------------------ observations

Status IndexWriter::State::change_observation(const Change& change, const Observed* before,
                                              const Observed* after) {
  Members members_before;
  Members members_after;
  if (before != nullptr) members_before = {before->view.session_id, before->view.user_id, {}};
  if (after != nullptr) members_after = {after->view.session_id, after->view.user_id, {}};
  TL_TRY(change_members(members_before, members_after, change.key.container));
  TL_TRY(change_attributes(change));
  TL_TRY(change_day(before, after));
  counts.observations += (after != nullptr ? 1 : 0) - (before != nullptr ? 1 : 0);
  if (after == nullptr) {
    sql.erase_observation.bind(1, to_integer(change.key.container));
    sql.erase_observation.bind(2, to_integer(change.key.entity));
    return sql.erase_observation.run();
  }
  const ObservationView& view = after->view;
  const Figures& figures = after->figures;
  TL_TRY_ASSIGN(name, terms.optional_number(TermKind::name, view.name));
  TL_TRY_ASSIGN(model, terms.optional_number(TermKind::model, view.model));
  TL_TRY_ASSIGN(environment, terms.number(TermKind::environment, view.environment));
  TL_TRY_ASSIGN(version, terms.optional_number(TermKind::version, view.version));
  std::string cost_text;
  Statement& put = sql.put_observation;
  put.bind(1, to_integer(change.key.container));
  put.bind(2, to_integer(change.key.entity));
  put.bind(3, figures.start_ns);
  put.bind(4, duration_to_store(figures));
  put.bind(5, name);
  put.bind(6, model);
  put.bind(7, environment);
  put.bind(8, version);
  put.bind(9, static_cast<std::int64_t>(view.type));
  put.bind(10, figures.level);
  put.bind(11, std::int64_t{view.parent_id.has_value()});
  put.bind(12, figures.input_tokens);
  put.bind(13, figures.output_tokens);
  put.bind(14, total_tokens_to_store(figures));
  bind_cost(put, 15, figures.cost, cost_text);
  return put.run();
}

Status IndexWriter::observation_changed(const Change& change) {
  std::optional<Observed> before;
  std::optional<Observed> after;
  if (change.before != nullptr) before.emplace(*change.before);
  if (change.after != nullptr) after.emplace(*change.after);
  const Observed* const was = before ? &*before : nullptr;
  const Observed* const is = after ? &*after : nullptr;
  TL_TRY(state_->change_observation(change, was, is));
  return state_->count_in_trace(change, was, is);
}

// ------------------------------------------------------------------------------ scores, sessions

Status IndexWriter::State::change_score(const Change& change) {
  std::optional<model::ScoreView> before;
  std::optional<model::ScoreView> after;
  if (change.before != nullptr) before = model::view_score(*change.before);
  if (change.after != nullptr) after = model::view_score(*change.after);
  TL_TRY(change_attributes(change));
  counts.scores += (after ? 1 : 0) - (before ? 1 : 0);
  const auto session_of = [](const std::optional<model::ScoreView>& view) {
    const bool is_of_session = view && view->subject_kind == model::SubjectKind::session;
    return is_of_session ? std::optional(view->session_id) : std::nullopt;
  };
  if (session_of(before) != session_of(after)) {
    if (session_of(after)) TL_TRY(use_session(*session_of(after), 1));
    if (session_of(before)) TL_TRY(use_session(*session_of(before), -1));
  }
  if (!after) {
    sql.erase_score.bind(1, to_integer(change.key.container));
    sql.erase_score.bind(2, to_integer(change.key.entity));
    return sql.erase_score.run();
  }
  TL_TRY_ASSIGN(name, terms.number(TermKind::name, after->name));
  TL_TRY_ASSIGN(environment, terms.number(TermKind::environment, after->environment));
  const IndexId id(after->id);
  const IndexId observation(after->observation_id);
  Statement& put = sql.put_score;
  put.bind(1, to_integer(change.key.container));
  put.bind(2, to_integer(change.key.entity));
  put.bind(3, after->timestamp_ns);
  id.bind(put, 4);
  put.bind(5, name);
  put.bind(6, environment);
  if (after->subject_kind == model::SubjectKind::observation) observation.bind(put, 7);
  return put.run();
}

Status IndexWriter::score_changed(const Change& change) {
  TL_TRY(state_->change_score(change));
  const bool is_more = change.after != nullptr;
  if (is_more == (change.before != nullptr)) return {};
  return state_->count_score(change.key.container, is_more);
}

Status IndexWriter::session_changed(const Change& change) {
  const auto exists = [](const Entity* session) {
    return session != nullptr && !session->orders.empty();
  };
  const int difference = (exists(change.after) ? 1 : 0) - (exists(change.before) ? 1 : 0);
  return difference == 0 ? Status() : state_->use_session(change.id, difference);
}

// ------------------------------------------------------------------------------ deleting

Status IndexWriter::erase(const Change& change) {
  const Entity& before = *change.before;
  switch (change.key.kind) {
    case RecordKind::header: {
      if (before.kind == model::EntityKind::session) return session_changed(change);
      const TraceView view = model::view_trace(before);
      TL_TRY(state_->change_members({view.session_id, view.user_id, view.tags}, {},
                                    change.key.container));
      return state_->change_attributes(change);
    }
    case RecordKind::observation:
    case RecordKind::stray: {
      const Observed observed(before);
      return state_->change_observation(change, &observed, nullptr);
    }
    case RecordKind::score:
      return state_->change_score(change);
  }
  return make_error(Code::internal, "a record of an unknown kind");
}

Result<bool> IndexWriter::has_traces(Bytes session_id) {
  TL_TRY(state_->write_latest_trace());
  TL_TRY_ASSIGN(term, state_->terms.find(TermKind::session, session_id));
  if (!term) return false;
  Statement& find = state_->sql.find_member;
  find.bind(1, *term);
  const ResetGuard guard(find);
  return find.step();
}

}  // namespace tracelite::index
