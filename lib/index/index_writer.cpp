// Upserts of index rows: each function says what an entity was and what it is, and changes only
// what differs.
#include "index/index_writer.hpp"

#include <xxhash.h>

#include <algorithm>

#include "index/index_value.hpp"
#include "index/terms.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::index {
namespace {

using model::Entity;
using model::ObservationView;
using model::TraceView;
using record::RecordKind;

struct Statements {
  Statement find_trace, put_trace, put_sums, erase_trace;
  Statement put_observation, erase_observation, figures, root, count_scores;
  Statement put_score, erase_score;
  Statement find_member, put_member, erase_member;
  Statement put_attribute, erase_attribute;
};

// A row of `trace`, as it is read, changed and written back.
struct TraceRow {
  bool exists = false;
  std::int64_t time_ns = 0;
  std::optional<TermNumber> name, environment, release, version;
  bool has_record = false;
  std::optional<std::int64_t> root;
  std::int64_t root_rank = 0;
  std::int64_t root_start_ns = 0;
  TraceSums sums;

  friend bool operator==(const TraceRow&, const TraceRow&) = default;
};

// Lower is nearer to being the root: without a parent first, then the earliest, then by key.
struct RootRank {
  std::int64_t has_parent = 0;
  std::int64_t start_ns = 0;
  std::uint64_t entity = 0;
  friend auto operator<=>(const RootRank&, const RootRank&) = default;
};

// The members of a trace that one entity names.
struct Members {
  std::optional<Bytes> session, user;
  std::vector<Bytes> tags;
};

std::optional<std::int64_t> optional_integer(const Statement& statement, int at) {
  return statement.is_null(at) ? std::nullopt : std::optional(statement.integer(at));
}

// An observation, before or after.
struct Observed {
  explicit Observed(const Entity& entity)
      : view(model::view_observation(entity)),
        figures{view.start_ns,
                view.end_ns,
                view.type == model::ObservationType::event,
                static_cast<std::int64_t>(view.level),
                to_token_count(view.input_tokens()),
                to_token_count(view.output_tokens()),
                to_token_count(view.total_tokens()),
                view.total_cost()} {}

  ObservationView view;
  Figures figures;
};

bool trace_is_visible(const TraceView& view) {
  return view.has_record || view.is_public || view.is_bookmarked;
}

}  // namespace

struct IndexWriter::State {
  sqlite3* connection = nullptr;
  Terms terms;
  Statements sql;
  CountChanges counts;

  Status change_member(TermKind kind, Bytes text, record::ContainerNumber container,
                       int difference);
  Status change_members(const Members& before, const Members& after,
                        record::ContainerNumber container);
  Status change_attributes(const Change& change);
  Status use_session(Bytes session, int difference);
  Result<TraceRow> read_trace(record::ContainerNumber container);
  Status write_trace(record::ContainerNumber container, Bytes id, const TraceRow& row);
  // Of a row that is there.
  Status write_sums(record::ContainerNumber container, const TraceRow& row);
  Status sum_up(record::ContainerNumber container, TraceSums& sums);
  Status rebuild_root(record::ContainerNumber container, TraceRow& row);
  Status count_in_trace(const Change& change, const Observed* before, const Observed* after);
  Status count_score(record::ContainerNumber container, bool is_more);
};

// ------------------------------------------------------------------------------ opening

namespace {

Status create_schema(sqlite3* connection) {
  TL_TRY_ASSIGN(find,
                Statement::prepare(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'term'"));
  TL_TRY_ASSIGN(exists, find.step());
  find.reset();
  if (exists) return {};
  const int code = sqlite3_exec(connection, kSchema, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection, code, "creating the index");
  return {};
}

Status prepare_all(sqlite3* connection, Statements& sql) {
  const std::pair<Statement*, const char*> all[] = {
      {&sql.find_trace,
       "SELECT time_ns, name, environment, release, version, has_record, root, root_rank, "
       "root_start_ns, sums FROM trace WHERE container = ?1"},
      {&sql.put_trace,
       "INSERT OR REPLACE INTO trace(container, id, time_ns, name, environment, release, version, "
       "has_record, root, root_rank, root_start_ns, sums) "
       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"},
      {&sql.put_sums, "UPDATE trace SET sums = ?2 WHERE container = ?1"},
      {&sql.erase_trace, "DELETE FROM trace WHERE container = ?1"},
      {&sql.put_observation,
       "INSERT OR REPLACE INTO observation(container, entity, start_ns, end_ns, name, model, "
       "environment, version, type, level, has_parent, input_tokens, output_tokens, total_tokens, "
       "cost) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"},
      {&sql.erase_observation, "DELETE FROM observation WHERE container = ?1 AND entity = ?2"},
      {&sql.figures,
       "SELECT start_ns, end_ns, type, level, input_tokens, output_tokens, total_tokens, cost "
       "FROM observation WHERE container = ?1"},
      {&sql.count_scores, "SELECT count(*) FROM score WHERE container = ?1"},
      // Entity keys are unsigned: the sign bit is flipped to order them.
      {&sql.root,
       "SELECT entity, has_parent, start_ns, name, environment FROM observation "
       "WHERE container = ?1 ORDER BY has_parent, start_ns, (entity < 0), entity LIMIT 1"},
      {&sql.put_score,
       "INSERT OR REPLACE INTO score(container, entity, time_ns, id, name, environment, "
       "observation) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&sql.erase_score, "DELETE FROM score WHERE container = ?1 AND entity = ?2"},
      {&sql.find_member, "SELECT count FROM member WHERE term = ?1 AND container = ?2"},
      {&sql.put_member, "INSERT OR REPLACE INTO member(term, container, count) VALUES(?1, ?2, ?3)"},
      {&sql.erase_member, "DELETE FROM member WHERE term = ?1 AND container = ?2"},
      {&sql.put_attribute,
       "INSERT OR REPLACE INTO attribute(term, value, kind, container, entity) "
       "VALUES(?1, ?2, ?3, ?4, ?5)"},
      {&sql.erase_attribute,
       "DELETE FROM attribute WHERE term = ?1 AND value = ?2 AND kind = ?3 AND container = ?4 "
       "AND entity = ?5"},
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
  TL_TRY(prepare_all(connection, state->sql));
  return std::unique_ptr<IndexWriter>(new IndexWriter(std::move(state)));
}

void IndexWriter::forget() { state_->terms.forget(); }

CountChanges IndexWriter::take_counts() { return std::exchange(state_->counts, {}); }

// ------------------------------------------------------------------------------ members

Status IndexWriter::State::use_session(Bytes session, int difference) {
  TL_TRY_ASSIGN(term, terms.number(TermKind::session, session));
  TL_TRY_ASSIGN(change, terms.use(term, difference));
  counts.sessions += change;
  return {};
}

Status IndexWriter::State::change_member(TermKind kind, Bytes text,
                                         record::ContainerNumber container, int difference) {
  TL_TRY_ASSIGN(term, terms.number(kind, text));
  std::int64_t count = 0;
  {
    sql.find_member.bind(1, term);
    sql.find_member.bind(2, to_integer(container));
    const ResetGuard guard(sql.find_member);
    TL_TRY_ASSIGN(row, sql.find_member.step());
    if (row) count = sql.find_member.integer(0);
  }
  const std::int64_t now = count + difference;
  Statement& change = now > 0 ? sql.put_member : sql.erase_member;
  change.bind(1, term);
  change.bind(2, to_integer(container));
  if (now > 0) change.bind(3, now);
  TL_TRY(change.run());
  const bool appeared = count == 0 && now > 0;
  const bool vanished = count > 0 && now <= 0;
  if (!appeared && !vanished) return {};
  if (kind == TermKind::session) return use_session(text, appeared ? 1 : -1);
  TL_TRY_ASSIGN(existence, terms.use(term, appeared ? 1 : -1));
  if (kind == TermKind::user) counts.users += existence;
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
  const auto missing_from = [](const std::vector<Bytes>& tags, Bytes tag) {
    return std::find(tags.begin(), tags.end(), tag) == tags.end();
  };
  for (const Bytes tag : after.tags) {
    if (missing_from(before.tags, tag)) TL_TRY(change_member(TermKind::tag, tag, container, 1));
  }
  for (const Bytes tag : before.tags) {
    if (missing_from(after.tags, tag)) TL_TRY(change_member(TermKind::tag, tag, container, -1));
  }
  return {};
}

// ------------------------------------------------------------------------------ attributes

Attributes attributes_of(Bytes metadata_json_object) {
  Attributes attributes;
  if (payload::json_type(metadata_json_object) != payload::JsonType::object) return attributes;
  payload::JsonWalker walker(metadata_json_object);
  while (walker.next()) {
    std::string key = payload::unescape_json(walker.key());
    std::erase_if(attributes, [&](const auto& attribute) { return attribute.first == key; });
    const Bytes value = walker.value();
    const auto type = payload::json_type(value);
    std::optional<std::string> scalar;
    if (type == payload::JsonType::string) {
      scalar = payload::unescape_json(value.substr(1, value.size() - 2));
    } else if (type != payload::JsonType::object && type != payload::JsonType::array) {
      scalar = std::string(value);
    }
    attributes.emplace_back(std::move(key), std::move(scalar));
  }
  return attributes;
}

std::string attribute_hash(Bytes long_value) {
  const XXH128_hash_t hash = XXH3_128bits(long_value.data(), long_value.size());
  std::string bytes;
  append_big_endian(bytes, hash.high64);
  append_big_endian(bytes, hash.low64);
  return bytes;
}

Status IndexWriter::State::change_attributes(const Change& change) {
  const auto apply = [&](Statement& statement, const Attributes& all,
                         const Attributes& others) -> Status {
    for (const auto& attribute : all) {
      if (std::find(others.begin(), others.end(), attribute) != others.end()) continue;
      TL_TRY_ASSIGN(term, terms.number(TermKind::metadata_key, attribute.first));
      const std::optional<std::string>& value = attribute.second;
      const bool is_long = value && value->size() > kAttributeValueSizeBytesMax;
      const std::string hash = is_long ? attribute_hash(*value) : std::string();
      statement.bind(1, term);
      if (value && !is_long) {
        statement.bind_text(2, *value);
      } else {
        statement.bind_blob(2, hash);
      }
      statement.bind(3, static_cast<std::int64_t>(change.key.kind == RecordKind::stray
                                                      ? RecordKind::observation
                                                      : change.key.kind));
      statement.bind(4, to_integer(change.key.container));
      statement.bind(5, to_integer(change.key.entity));
      TL_TRY(statement.run());
    }
    return {};
  };
  TL_TRY(apply(sql.erase_attribute, change.attributes_before, change.attributes_after));
  return apply(sql.put_attribute, change.attributes_after, change.attributes_before);
}

// ------------------------------------------------------------------------------ traces

Result<TraceRow> IndexWriter::State::read_trace(record::ContainerNumber container) {
  TraceRow row;
  Statement& find = sql.find_trace;
  find.bind(1, to_integer(container));
  const ResetGuard guard(find);
  TL_TRY_ASSIGN(found, find.step());
  if (!found) return row;
  row.exists = true;
  row.time_ns = find.integer(0);
  row.name = optional_integer(find, 1);
  row.environment = optional_integer(find, 2);
  row.release = optional_integer(find, 3);
  row.version = optional_integer(find, 4);
  row.has_record = find.integer(5) != 0;
  row.root = optional_integer(find, 6);
  row.root_rank = find.integer(7);
  row.root_start_ns = find.integer(8);
  row.sums = TraceSums::decode(find.bytes(9), row.time_ns);
  return row;
}

Status IndexWriter::State::write_trace(record::ContainerNumber container, Bytes id,
                                       const TraceRow& row) {
  const IndexId index_id(id);
  Statement& put = sql.put_trace;
  put.bind(1, to_integer(container));
  index_id.bind(put, 2);
  put.bind(3, row.time_ns);
  put.bind(4, row.name);
  put.bind(5, row.environment);
  put.bind(6, row.release);
  put.bind(7, row.version);
  put.bind(8, std::int64_t{row.has_record});
  put.bind(9, row.root);
  put.bind(10, row.root ? std::optional(row.root_rank) : std::nullopt);
  put.bind(11, row.root ? std::optional(row.root_start_ns) : std::nullopt);
  std::string sums;
  row.sums.encode(row.time_ns, sums);
  put.bind_blob(12, sums);
  TL_TRY(put.run());
  if (!row.exists) ++counts.traces;
  return {};
}

Status IndexWriter::State::write_sums(record::ContainerNumber container, const TraceRow& row) {
  std::string sums;
  row.sums.encode(row.time_ns, sums);
  sql.put_sums.bind(1, to_integer(container));
  sql.put_sums.bind_blob(2, sums);
  return sql.put_sums.run();
}

// From the rows: only where it cannot be told from the one that changed.
Status IndexWriter::State::sum_up(record::ContainerNumber container, TraceSums& sums) {
  sums = {};
  sql.figures.bind(1, to_integer(container));
  const ResetGuard figures_guard(sql.figures);
  for (;;) {
    TL_TRY_ASSIGN(found, sql.figures.step());
    if (!found) break;
    sums.add(read_figures(sql.figures, 0));
  }
  sql.count_scores.bind(1, to_integer(container));
  const ResetGuard count_guard(sql.count_scores);
  TL_TRY_ASSIGN(counted, sql.count_scores.step());
  if (counted) sums.score_count = static_cast<std::uint64_t>(sql.count_scores.integer(0));
  return {};
}

// Finds the root among all observations: only where it cannot be told from the one that changed.
Status IndexWriter::State::rebuild_root(record::ContainerNumber container, TraceRow& row) {
  row.root.reset();
  sql.root.bind(1, to_integer(container));
  const ResetGuard guard(sql.root);
  TL_TRY_ASSIGN(found, sql.root.step());
  if (!found) return {};
  row.root = sql.root.integer(0);
  row.root_rank = sql.root.integer(1);
  row.root_start_ns = sql.root.integer(2);
  row.name = optional_integer(sql.root, 3);
  row.environment = optional_integer(sql.root, 4);
  return {};
}

Status IndexWriter::trace_changed(const Change& change) {
  State& state = *state_;
  const Entity none{model::EntityKind::trace, false, std::string(change.id), {}, {}};
  const TraceView before = model::view_trace(change.before == nullptr ? none : *change.before);
  const TraceView after = model::view_trace(change.after == nullptr ? none : *change.after);
  TL_TRY(state.change_members({before.session_id, before.user_id, before.tags},
                              {after.session_id, after.user_id, after.tags}, change.key.container));
  TL_TRY(state.change_attributes(change));

  TL_TRY_ASSIGN(row, state.read_trace(change.key.container));
  if (!trace_is_visible(after) && row.sums.observation_count() == 0) {
    if (!row.exists) return {};
    --state.counts.traces;
    state.sql.erase_trace.bind(1, to_integer(change.key.container));
    return state.sql.erase_trace.run();
  }
  TraceRow now;
  now.exists = row.exists;
  now.sums = row.sums;
  if (!row.exists) TL_TRY(state.sum_up(change.key.container, now.sums));
  now.has_record = after.has_record;
  now.time_ns = after.timestamp_ns.value_or(after.first_event_ns);
  if (after.has_record) {
    TL_TRY_ASSIGN(name, state.terms.optional_number(TermKind::name, after.name));
    TL_TRY_ASSIGN(environment, state.terms.number(TermKind::environment, after.environment));
    TL_TRY_ASSIGN(release, state.terms.optional_number(TermKind::release, after.release));
    TL_TRY_ASSIGN(version, state.terms.optional_number(TermKind::version, after.version));
    now.name = name;
    now.environment = environment;
    now.release = release;
    now.version = version;
  } else {
    TL_TRY(state.rebuild_root(change.key.container, now));
    if (now.root) now.time_ns = now.sums.earliest_start_ns;
  }
  return state.write_trace(change.key.container, change.id, now);
}

// ------------------------------------------------------------------------------ observations

// The trace's row after one of its observations came, changed or went.
Status IndexWriter::State::count_in_trace(const Change& change, const Observed* before,
                                          const Observed* after) {
  TL_TRY_ASSIGN(row, read_trace(change.key.container));
  TraceRow now = row;
  if (!row.exists || !now.sums.change(before == nullptr ? nullptr : &before->figures,
                                      after == nullptr ? nullptr : &after->figures)) {
    TL_TRY(sum_up(change.key.container, now.sums));
  }
  if (now.has_record) {
    if (now.sums == row.sums) return {};
    return row.exists ? write_sums(change.key.container, now)
                      : write_trace(change.key.container, change.id, now);
  }
  if (now.sums.observation_count() == 0 && row.exists) {
    // Only its two flags may keep a trace without observations in sight: trace_changed decides.
    --counts.traces;
    sql.erase_trace.bind(1, to_integer(change.key.container));
    return sql.erase_trace.run();
  }
  const RootRank current{row.root_rank, row.root_start_ns,
                         row.root ? from_integer(*row.root) : UINT64_MAX};
  const bool was_root = row.root && from_integer(*row.root) == change.key.entity;
  bool rebuild = !row.root || after == nullptr;
  if (after != nullptr && row.root) {
    const RootRank own{after->view.parent_id ? 1 : 0, after->view.start_ns, change.key.entity};
    rebuild = was_root || own < current;
  }
  if (rebuild) TL_TRY(rebuild_root(change.key.container, now));
  now.time_ns = now.sums.earliest_start_ns;
  if (row.exists && now == row) return {};
  return write_trace(change.key.container, change.id, now);
}

Status IndexWriter::observation_changed(const Change& change) {
  State& state = *state_;
  std::optional<Observed> before;
  std::optional<Observed> after;
  if (change.before != nullptr) before.emplace(*change.before);
  if (change.after != nullptr) after.emplace(*change.after);
  Members members_before;
  Members members_after;
  if (before) members_before = {before->view.session_id, before->view.user_id, {}};
  if (after) members_after = {after->view.session_id, after->view.user_id, {}};
  TL_TRY(state.change_members(members_before, members_after, change.key.container));
  TL_TRY(state.change_attributes(change));
  state.counts.observations += (after ? 1 : 0) - (before ? 1 : 0);

  if (after) {
    const ObservationView& view = after->view;
    const Figures& figures = after->figures;
    TL_TRY_ASSIGN(name, state.terms.optional_number(TermKind::name, view.name));
    TL_TRY_ASSIGN(model, state.terms.optional_number(TermKind::model, view.model));
    TL_TRY_ASSIGN(environment, state.terms.number(TermKind::environment, view.environment));
    TL_TRY_ASSIGN(version, state.terms.optional_number(TermKind::version, view.version));
    std::string cost_text;
    Statement& put = state.sql.put_observation;
    put.bind(1, to_integer(change.key.container));
    put.bind(2, to_integer(change.key.entity));
    put.bind(3, figures.start_ns);
    put.bind(4, figures.end_ns);
    put.bind(5, name);
    put.bind(6, model);
    put.bind(7, environment);
    put.bind(8, version);
    put.bind(9, static_cast<std::int64_t>(view.type));
    put.bind(10, figures.level);
    put.bind(11, std::int64_t{view.parent_id.has_value()});
    put.bind(12, figures.input_tokens);
    put.bind(13, figures.output_tokens);
    put.bind(14, figures.total_tokens);
    bind_cost(put, 15, figures.cost, cost_text);
    TL_TRY(put.run());
  } else {
    state.sql.erase_observation.bind(1, to_integer(change.key.container));
    state.sql.erase_observation.bind(2, to_integer(change.key.entity));
    TL_TRY(state.sql.erase_observation.run());
  }
  return state.count_in_trace(change, before ? &*before : nullptr, after ? &*after : nullptr);
}

// ------------------------------------------------------------------------------ scores, sessions

Status IndexWriter::State::count_score(record::ContainerNumber container, bool is_more) {
  TL_TRY_ASSIGN(row, read_trace(container));
  if (!row.exists) return {};
  is_more ? ++row.sums.score_count : --row.sums.score_count;
  return write_sums(container, row);
}

Status IndexWriter::score_changed(const Change& change) {
  State& state = *state_;
  std::optional<model::ScoreView> before;
  std::optional<model::ScoreView> after;
  if (change.before != nullptr) before = model::view_score(*change.before);
  if (change.after != nullptr) after = model::view_score(*change.after);
  TL_TRY(state.change_attributes(change));
  state.counts.scores += (after ? 1 : 0) - (before ? 1 : 0);
  const auto session_of = [](const std::optional<model::ScoreView>& view) {
    const bool is_of_session = view && view->subject_kind == model::SubjectKind::session;
    return is_of_session ? std::optional(view->session_id) : std::nullopt;
  };
  TL_TRY(state.change_members({session_of(before), {}, {}}, {session_of(after), {}, {}},
                              change.key.container));
  if (after.has_value() != before.has_value()) {
    TL_TRY(state.count_score(change.key.container, after.has_value()));
  }
  if (!after) {
    state.sql.erase_score.bind(1, to_integer(change.key.container));
    state.sql.erase_score.bind(2, to_integer(change.key.entity));
    return state.sql.erase_score.run();
  }
  TL_TRY_ASSIGN(name, state.terms.number(TermKind::name, after->name));
  TL_TRY_ASSIGN(environment, state.terms.number(TermKind::environment, after->environment));
  const IndexId id(after->id);
  const IndexId observation(after->observation_id);
  Statement& put = state.sql.put_score;
  put.bind(1, to_integer(change.key.container));
  put.bind(2, to_integer(change.key.entity));
  put.bind(3, after->timestamp_ns);
  id.bind(put, 4);
  put.bind(5, name);
  put.bind(6, environment);
  if (after->subject_kind == model::SubjectKind::observation) observation.bind(put, 7);
  return put.run();
}

Status IndexWriter::session_changed(const Change& change) {
  const auto exists = [](const Entity* session) {
    return session != nullptr && !session->orders.empty();
  };
  const int difference = (exists(change.after) ? 1 : 0) - (exists(change.before) ? 1 : 0);
  return difference == 0 ? Status() : state_->use_session(change.id, difference);
}

}  // namespace tracelite::index
