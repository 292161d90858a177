// A session as it happened: the begin and the end of everything, in the order of time.
//
// At equal times come first the ends of what was running before and has nothing below it that
// begins now; then the begins, parents first; then the other ends, children first. So an end is
// never before its begin, and a parent is around its children.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "index/index_value.hpp"
#include "query/forest.hpp"
#include "query/list.hpp"
#include "query/reader.hpp"
#include "query/rows.hpp"
#include "query/selection.hpp"

namespace tracelite::query {
namespace {

// A trace (depth 0) or one of its observations. All traces of the session follow each other in one
// pre-order.
struct Actor {
  Node node;
  std::uint32_t trace = 0;  // its number in Session::traces
};

struct SessionTrace {
  std::int64_t container = 0;
  std::string id;
};

struct Session {
  std::vector<SessionTrace> traces;
  std::vector<Actor> actors;
};

enum class Turn : std::uint8_t { early_end, begin, end };

struct Step {
  std::int64_t at_ns = 0;
  std::uint32_t actor = 0;
  Turn turn{};
};

// What a step is sorted by. Ends go against the pre-order.
auto rank(const Step& step) {
  const auto place = static_cast<std::int64_t>(step.actor);
  return std::tuple(step.at_ns, step.turn, step.turn == Turn::begin ? place : -place);
}

// The trace around its observations: from its timestamp or the earliest start to the last thing
// that happened in it. It has no end while nothing in it has one.
Node trace_node(std::int64_t time_ns, const std::vector<Node>& observations) {
  Node trace;
  trace.start_ns = trace.end_ns = time_ns;
  trace.has_end = observations.empty();
  trace.size = static_cast<std::uint32_t>(observations.size() + 1);
  for (const Node& node : observations) {
    trace.start_ns = std::min(trace.start_ns, node.start_ns);
    trace.end_ns = std::max(trace.end_ns, node.end_ns);
    trace.has_end = trace.has_end || node.has_end || node.is_event;
  }
  return trace;
}

struct Part {
  SessionTrace trace;
  Node node;
  std::vector<Node> observations;
};

Result<std::vector<Part>> read_parts(const Snapshot::Use& use, std::int64_t term) {
  TL_TRY_ASSIGN(rows, use.prepare("SELECT t.container, t.id, t.time_ns FROM member m "
                                  "CROSS JOIN trace t ON t.container = m.container "
                                  "WHERE m.term = ?1"));
  rows.bind(term);
  std::vector<Part> parts;
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    Part& part = parts.emplace_back();
    part.trace = {rows->integer(0), index::IndexId::from_column(*rows, 1)};
    TL_TRY_ASSIGN(observations, build_forest(use, part.trace.container));
    part.node = trace_node(rows->integer(2), observations);
    part.observations = std::move(observations);
  }
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::tie(a.node.start_ns, a.trace.id) < std::tie(b.node.start_ns, b.trace.id);
  });
  return parts;
}

Result<Session> read_session(const Snapshot::Use& use, std::int64_t term) {
  TL_TRY_ASSIGN(parts, read_parts(use, term));
  Session session;
  std::size_t count = 0;
  for (const Part& part : parts) count += part.observations.size() + 1;
  if (count >= UINT32_MAX) return make_error(Code::limit, "the session is too large for a replay");
  session.actors.reserve(count);
  for (Part& part : parts) {
    const auto number = static_cast<std::uint32_t>(session.traces.size());
    session.actors.push_back({part.node, number});
    for (const Node& node : part.observations) session.actors.push_back({node, number});
    session.traces.push_back(std::move(part.trace));
    part.observations = {};
  }
  return session;
}

// The ends among the steps of one moment that may go before its begins. `begins`: the places of
// those who begin at this moment, ascending.
void advance_ends(const std::vector<Actor>& actors, const std::vector<std::uint32_t>& begins,
                  std::vector<Step>::iterator first, std::vector<Step>::iterator last) {
  for (; first != last; ++first) {
    if (first->turn != Turn::end) continue;
    const auto below = std::lower_bound(begins.begin(), begins.end(), first->actor);
    const std::uint64_t beyond = std::uint64_t{first->actor} + actors[first->actor].node.size;
    if (below == begins.end() || *below >= beyond) first->turn = Turn::early_end;
  }
}

std::vector<Step> order_steps(const std::vector<Actor>& actors) {
  std::vector<Step> steps;
  steps.reserve(actors.size() * 2);
  for (std::uint32_t i = 0; i < actors.size(); ++i) {
    const Node& node = actors[i].node;
    steps.push_back({node.start_ns, i, Turn::begin});
    if (node.has_end && !node.is_event) steps.push_back({node.end_ns, i, Turn::end});
  }
  const auto by_rank = [](const Step& a, const Step& b) { return rank(a) < rank(b); };
  std::sort(steps.begin(), steps.end(), by_rank);
  std::vector<std::uint32_t> begins;
  for (auto first = steps.begin(); first != steps.end();) {
    auto last = first;
    begins.clear();
    for (; last != steps.end() && last->at_ns == first->at_ns; ++last) {
      if (last->turn == Turn::begin) begins.push_back(last->actor);
    }
    advance_ends(actors, begins, first, last);
    std::sort(first, last, by_rank);
    first = last;
  }
  return steps;
}

std::int64_t wait_before(std::int64_t gap_ns, const ReplayPace& pace) {
  std::int64_t wait_ns = gap_ns;
  if (pace.speed != 1) {
    const double wait = std::round(static_cast<double>(gap_ns) / pace.speed);
    const bool is_too_long = wait >= static_cast<double>(INT64_MAX);
    wait_ns = is_too_long ? INT64_MAX : static_cast<std::int64_t>(wait);
  }
  return pace.max_gap_ns > 0 ? std::min(wait_ns, pace.max_gap_ns) : wait_ns;
}

class ReplayCursor : public Cursor {
 public:
  ReplayCursor(std::shared_ptr<Snapshot> snapshot, Session session, const ReplayPace& pace)
      : Cursor(std::move(snapshot)),
        session_(std::move(session)),
        steps_(order_steps(session_.actors)),
        pace_(pace) {}

  Result<bool> next(Row& row) override;

 private:
  Result<bool> load(const Snapshot::Use& use, std::uint32_t actor, Row& row);
  Session session_;
  std::vector<Step> steps_;
  ReplayPace pace_;
  std::size_t next_ = 0;
  std::optional<std::int64_t> last_ns_;
  // Whom the row is about, and in which view.
  std::optional<std::uint32_t> loaded_;
  record::RecordKey loaded_key_;
  std::uint64_t loaded_generation_ = 0;
};

// False if it is gone, in a view that was renewed.
Result<bool> ReplayCursor::load(const Snapshot::Use& use, std::uint32_t actor, Row& row) {
  // Most ends follow their begin, and the row is there already.
  if (loaded_ == actor && loaded_generation_ == use.generation() && loaded_key_ == row.key &&
      !row.entity.id.empty()) {
    return true;
  }
  loaded_.reset();
  const Node& node = session_.actors[actor].node;
  const SessionTrace& trace = session_.traces[session_.actors[actor].trace];
  TL_TRY_ASSIGN(found, node.depth == 0
                           ? load_trace(use, trace.container, row)
                           : load_observation(use, trace.container, node.entity, row, &trace.id));
  if (!found) return false;
  loaded_ = actor;
  loaded_key_ = row.key;
  loaded_generation_ = use.generation();
  return true;
}

Result<bool> ReplayCursor::next(Row& row) {
  TL_TRY_ASSIGN(use, this->use());
  if (use.connection() == nullptr) return false;
  while (next_ < steps_.size()) {
    const Step& step = steps_[next_++];
    const Node& node = session_.actors[step.actor].node;
    TL_TRY_ASSIGN(found, load(use, step.actor, row));
    if (!found) continue;
    row.depth = node.depth;
    row.phase = step.turn != Turn::begin ? Phase::end : node.is_event ? Phase::point : Phase::begin;
    row.at_ns = step.at_ns;
    row.wait_ns = last_ns_ ? wait_before(subtract_saturated(step.at_ns, *last_ns_), pace_) : 0;
    last_ns_ = step.at_ns;
    return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Cursor>> replay(std::shared_ptr<Snapshot> snapshot, Bytes session_id,
                                       const ReplayPace& pace) {
  if (!(pace.speed > 0)) {
    return make_error(Code::invalid, "the speed of a replay must be greater than 0", "speed");
  }
  if (pace.max_gap_ns < 0) {
    return make_error(Code::invalid, "the longest gap must not be less than 0", "max_gap_ns");
  }
  const Error missing =
      make_error(Code::not_found, "there is no session " + std::string(session_id), "session_id");
  Session session;
  {
    TL_TRY_ASSIGN(use, snapshot->use());
    if (use.connection() == nullptr) return missing;
    TL_TRY_ASSIGN(term, find_term(use, index::TermKind::session, session_id));
    if (!term || term->uses <= 0) return missing;
    TL_TRY_ASSIGN(whole, read_session(use, term->number));
    session = std::move(whole);
  }
  return std::unique_ptr<Cursor>(
      std::make_unique<ReplayCursor>(std::move(snapshot), std::move(session), pace));
}

}  // namespace tracelite::query
