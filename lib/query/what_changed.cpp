// What the newest commits changed, as rows: see query.hpp and record/changes.hpp.
#include "record/changes.hpp"

#include <algorithm>
#include <tuple>

#include "query/rows.hpp"
#include "query/selection.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {
namespace {

using record::RecordKey;
using record::RecordKind;

std::int64_t as_integer(std::uint64_t number) { return static_cast<std::int64_t>(number); }

Result<bool> load_changed(const Snapshot::Use& use, const RecordKey& key, Row& row) {
  switch (key.kind) {
    case RecordKind::header:
      return load_trace(use, as_integer(key.container), row);  // false for a session
    case RecordKind::score:
      return load_score(use, as_integer(key.container), as_integer(key.entity), row);
    default:
      return load_observation(use, as_integer(key.container), as_integer(key.entity), row);
  }
}

std::int64_t time_of_row(const Row& row) {
  if (row.kind == Kind::trace) return row.time_ns;
  if (row.kind == Kind::score) return model::view_score(row.entity).timestamp_ns;
  return model::view_observation(row.entity).start_ns;
}

template <class Text>
bool is_wanted(const std::optional<std::string>& wanted, const Text& found) {
  return !wanted || (found && *found == *wanted);
}

// Whether a filter holds for a row, by what the row and its trace say.
class RowMatcher {
 public:
  RowMatcher(const Snapshot::Use& use, const Filter& filter) : use_(use), filter_(filter) {}

  Result<bool> matches(const Row& row) {
    if (is_empty(filter_)) return true;
    const std::int64_t time_ns = time_of_row(row);
    if (filter_.from_ns && time_ns < *filter_.from_ns) return false;
    if (filter_.to_ns && time_ns >= *filter_.to_ns) return false;
    TL_TRY_ASSIGN(in_trace, is_in_trace(row));
    if (!in_trace) return false;
    if (row.kind != Kind::observation && (filter_.level || filter_.type || filter_.model)) {
      return false;
    }
    if (row.kind == Kind::trace) return matches_trace(row.trace(), {}, {});
    if (row.kind == Kind::score) return matches_score(row);
    const model::ObservationView view = model::view_observation(row.entity);
    if (filter_.level && view.level != *filter_.level) return false;
    if (filter_.type && view.type != *filter_.type) return false;
    if (!is_wanted(filter_.model, view.model) || !is_wanted(filter_.name, view.name) ||
        !is_wanted(filter_.version, view.version) || !environment_is(view.environment)) {
      return false;
    }
    return matches_trace_of(row, view.session_id, view.user_id);
  }

 private:
  // By what it is kept in, because an observation that names no trace is shown in one as well.
  Result<bool> is_in_trace(const Row& row) {
    if (!filter_.trace_id) return true;
    if (!trace_) {
      TL_TRY_ASSIGN(found, record::EntityReader(use_.transaction()).find_trace(*filter_.trace_id));
      trace_ = found.value_or(record::ContainerNumber{0});
    }
    return row.key.container == *trace_;
  }

  [[nodiscard]] bool environment_is(Bytes environment) const {
    return !filter_.environment || environment == *filter_.environment;
  }

  Result<bool> matches_score(const Row& row) {
    const model::ScoreView view = model::view_score(row.entity);
    if (filter_.name && view.name != *filter_.name) return false;
    if (!environment_is(view.environment)) return false;
    model::OptionalText session;
    if (view.subject_kind == model::SubjectKind::session) session = view.session_id;
    return matches_trace_of(row, session, {});
  }

  // Session, user, tags and release are of the trace of an observation or score, and the version of
  // that of a score.
  Result<bool> matches_trace_of(const Row& row, model::OptionalText session,
                                model::OptionalText user) {
    const bool asks_version = filter_.version && row.kind == Kind::score;
    if (!filter_.session_id && !filter_.user_id && !filter_.release && filter_.tags.empty() &&
        !asks_version) {
      return true;
    }
    TL_TRY_ASSIGN(
        header,
        record::EntityReader(use_.transaction()).load({row.key.container, RecordKind::header, 0}));
    model::TraceView trace;
    if (header && header->kind == model::EntityKind::trace) trace = model::view_trace(*header);
    return in_session_and_user(trace, session, user) && is_wanted(filter_.release, trace.release) &&
           (!asks_version || is_wanted(filter_.version, trace.version)) && has_tags(trace);
  }

  [[nodiscard]] bool in_session_and_user(const model::TraceView& trace,
                                         const model::OptionalText& session,
                                         const model::OptionalText& user) const {
    const bool in_session = is_wanted(filter_.session_id, trace.session_id) ||
                            (session && *session == *filter_.session_id);
    return in_session &&
           (is_wanted(filter_.user_id, trace.user_id) || (user && *user == *filter_.user_id));
  }

  [[nodiscard]] bool has_tags(const model::TraceView& trace) const {
    return std::all_of(filter_.tags.begin(), filter_.tags.end(), [&](const std::string& tag) {
      return std::find(trace.tags.begin(), trace.tags.end(), tag) != trace.tags.end();
    });
  }

  [[nodiscard]] bool matches_trace(const model::TraceView& trace,
                                   const model::OptionalText& session,
                                   const model::OptionalText& user) const {
    return is_wanted(filter_.name, trace.name) && is_wanted(filter_.version, trace.version) &&
           is_wanted(filter_.release, trace.release) && environment_is(trace.environment) &&
           in_session_and_user(trace, session, user) && has_tags(trace);
  }

  const Snapshot::Use& use_;
  const Filter& filter_;
  std::optional<record::ContainerNumber> trace_;  // that the filter names; 0: there is none
};

// Keeps keys, in the order of time; a row is read when it is its turn.
class ChangesCursor : public Cursor {
 public:
  ChangesCursor(std::shared_ptr<Snapshot> snapshot, std::vector<RecordKey> keys)
      : Cursor(std::move(snapshot)), keys_(std::move(keys)) {}

  Result<bool> next(Row& row) override {
    while (next_ < keys_.size()) {
      TL_TRY_ASSIGN(view, use());
      if (view.connection() == nullptr) return false;
      TL_TRY_ASSIGN(found, load_changed(view, keys_[next_++], row));
      if (found) return true;  // else it was deleted, and the view was renewed
    }
    return false;
  }

 private:
  std::vector<RecordKey> keys_;
  std::size_t next_ = 0;
};

struct TimedKey {
  std::int64_t time_ns;
  RecordKey key;
};

Result<std::vector<RecordKey>> select_changed(const Snapshot::Use& use,
                                              const std::vector<RecordKey>& all,
                                              const Filter& filter) {
  std::vector<TimedKey> found;
  RowMatcher matcher(use, filter);
  Row row;
  for (const RecordKey& key : all) {
    TL_TRY_ASSIGN(is_there, load_changed(use, key, row));
    if (!is_there) continue;
    TL_TRY_ASSIGN(matches, matcher.matches(row));
    if (matches) found.push_back({time_of_row(row), key});
  }
  std::sort(found.begin(), found.end(), [](const TimedKey& a, const TimedKey& b) {
    return std::tie(a.time_ns, a.key) < std::tie(b.time_ns, b.key);
  });
  std::vector<RecordKey> keys;
  keys.reserve(found.size());
  for (const TimedKey& timed : found) keys.push_back(timed.key);
  return keys;
}

}  // namespace

Result<std::unique_ptr<Cursor>> changes(std::shared_ptr<Snapshot> snapshot, std::uint64_t behind,
                                        Filter filter, std::uint64_t& newest) {
  if (filter.metadata_key || filter.metadata_value) {
    return make_error(Code::invalid, "changes cannot be filtered by metadata", "metadata_key");
  }
  TL_TRY(normalise(filter));
  std::vector<RecordKey> keys;
  {
    TL_TRY_ASSIGN(use, snapshot->use());
    newest = use.transaction().id();
    TL_TRY_ASSIGN(changed, record::read_changes(use.transaction(), behind));
    if (!changed) {
      return make_error(Code::expired,
                        "what changed since position " + std::to_string(behind) +
                            " is not known any more: list anew, and go on from " +
                            std::to_string(newest),
                        "position");
    }
    if (use.connection() != nullptr) {
      TL_TRY_ASSIGN(selected, select_changed(use, *changed, filter));
      keys = std::move(selected);
    }
  }
  return std::unique_ptr<Cursor>(
      std::make_unique<ChangesCursor>(std::move(snapshot), std::move(keys)));
}

}  // namespace tracelite::query
