#include "model_based/looker.hpp"

#include <algorithm>
#include <vector>

#include "model_based/calls.hpp"

namespace tracelite::model_based {
namespace {

std::string read_payload(tl_cursor* cursor, tl_field field, const tl_payload& payload) {
  std::string bytes = payload.form == TL_FORM_JSON ? "J" : payload.form == TL_FORM_TEXT ? "T" : "?";
  std::string part(std::size_t{64} << 10, '\0');
  std::uint64_t offset = 0;
  for (std::size_t size = part.size(); size == part.size(); offset += size) {
    must(tl_payload_read(cursor, field, TL_READ_AS_GIVEN, offset, part.data(), part.size(), &size),
         "payload_read");
    bytes.append(part, 0, size);
  }
  return bytes;
}

void read_trace(tl_cursor* cursor, const tl_row& row, World& into) {
  const tl_trace& trace = *row.trace;
  Fields& fields = into[{TL_KIND_TRACE, "", string_of(trace.id)}];
  if (row.is_derived != 0) {
    fields["derived"] = "";
    return;
  }
  const auto has = [&](tl_field field) { return (trace.set_mask & TL_BIT(field)) != 0; };
  if (has(TL_FIELD_TIMESTAMP)) fields["time"] = std::to_string(trace.timestamp_ns);
  if (has(TL_FIELD_NAME)) fields["name"] = string_of(trace.name);
  if (has(TL_FIELD_USER_ID)) fields["user"] = string_of(trace.user_id);
  if (has(TL_FIELD_SESSION_ID)) fields["session"] = string_of(trace.session_id);
  for (std::size_t i = 0; i < trace.tag_count; ++i) fields["tag:" + string_of(trace.tags[i])] = "";
  if (has(TL_FIELD_INPUT)) fields["input"] = read_payload(cursor, TL_FIELD_INPUT, trace.input);
  if (has(TL_FIELD_OUTPUT)) fields["output"] = read_payload(cursor, TL_FIELD_OUTPUT, trace.output);
}

void read_observation(tl_cursor* cursor, const tl_observation& one, World& into) {
  Fields& fields = into[{TL_KIND_OBSERVATION, string_of(one.trace_id), string_of(one.id)}];
  const auto has = [&](tl_field field) { return (one.set_mask & TL_BIT(field)) != 0; };
  if (has(TL_FIELD_TYPE)) fields["type"] = one.type == TL_TYPE_SPAN ? "SPAN" : "GENERATION";
  if (has(TL_FIELD_START_TIME)) fields["start"] = std::to_string(one.start_time_ns);
  if (has(TL_FIELD_END_TIME)) fields["end"] = std::to_string(one.end_time_ns);
  if (has(TL_FIELD_NAME)) fields["name"] = string_of(one.name);
  if (has(TL_FIELD_LEVEL) && one.level != TL_LEVEL_DEFAULT) {
    fields["level"] = one.level == TL_LEVEL_ERROR ? "ERROR" : "DEBUG";
  }
  if (has(TL_FIELD_MODEL)) fields["model"] = string_of(one.model);
  if (has(TL_FIELD_STATUS_MESSAGE)) fields["status"] = string_of(one.status_message);
  if (has(TL_FIELD_PARENT_OBSERVATION_ID)) fields["parent"] = string_of(one.parent_observation_id);
  if (has(TL_FIELD_INPUT)) fields["input"] = read_payload(cursor, TL_FIELD_INPUT, one.input);
  if (has(TL_FIELD_OUTPUT)) fields["output"] = read_payload(cursor, TL_FIELD_OUTPUT, one.output);
}

void read_row(tl_cursor* cursor, const tl_row& row, World& into) {
  if (row.trace != nullptr) return read_trace(cursor, row, into);
  if (row.observation != nullptr) return read_observation(cursor, *row.observation, into);
  if (row.score != nullptr) {
    const Key key{TL_KIND_SCORE, string_of(row.score->trace_id), string_of(row.score->id)};
    into[key] = {{"name", string_of(row.score->name)},
                 {"value", std::to_string(static_cast<int>(row.score->value))}};
    return;
  }
  into[{TL_KIND_SESSION, "", string_of(row.session->id)}] = {
      {"bookmarked", std::to_string(row.session->is_bookmarked)}};
}

std::set<std::string> ids_of(const World& world, tl_kind kind, const std::string& trace_id) {
  std::set<std::string> ids;
  for (const auto& [key, fields] : world) {
    if (key.kind == kind && (trace_id.empty() || key.trace_id == trace_id)) ids.insert(key.id);
  }
  return ids;
}
std::string some_trace(const World& seen, std::uint32_t number) {
  const std::set<std::string> ids = ids_of(seen, TL_KIND_TRACE, "");
  if (ids.empty()) return {};
  return *std::next(ids.begin(), number % ids.size());
}

void each_row(tl_cursor* cursor, const std::function<void(const tl_row&)>& row) {
  tl_row next{};
  next.struct_size = sizeof next;
  tl_status status = TL_OK;
  try {
    while ((status = tl_next(cursor, &next)) == TL_OK) row(next);
    if (status != TL_DONE) must(status, "next");
  } catch (...) {
    tl_cursor_close(cursor);
    throw;
  }
  tl_cursor_close(cursor);
}

}  // namespace

World read_all(tl_store* store, tl_snapshot* snapshot) {
  World world;
  for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE, TL_KIND_SESSION}) {
    tl_cursor* cursor = nullptr;
    must(tl_list(store, snapshot, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor), "list");
    each_row(cursor, [&](const tl_row& row) { read_row(cursor, row, world); });
  }
  return world;
}

Looker::Looker(const std::string& path) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.read_only = 1;
  must(tl_open(path.c_str(), &options, &store_), "open for reading");
}
Looker::~Looker() { tl_close(store_, UINT32_MAX, nullptr); }

std::map<std::string, std::int64_t> Looker::times() const {
  std::map<std::string, std::int64_t> times;
  tl_cursor* cursor = nullptr;
  must(tl_list(store_, nullptr, TL_KIND_TRACE, nullptr, TL_ORDER_TIME, {}, 0, &cursor), "list");
  each_row(cursor,
           [&](const tl_row& row) { times[string_of(row.trace->id)] = row.trace->timestamp_ns; });
  return times;
}

bool Looker::has_dictionaries() const {
  bool has_some = false;
  const auto look = [](void* context, tl_text key_space, tl_text /*table*/, std::uint64_t size) {
    if (string_of(key_space) == "dictionary" && size > 0) *static_cast<bool*>(context) = true;
  };
  must(tl_space(store_, look, &has_some), "space");
  return has_some;
}

void Looker::check() const {
  std::string findings;
  const auto take = [](void* context, tl_text where, tl_text message) {
    *static_cast<std::string*>(context) += string_of(where) + ": " + string_of(message) + "; ";
  };
  const tl_status status = tl_check(store_, take, &findings, nullptr, nullptr);
  must(status, "check: " + findings);
}

void Looker::expect(const World& wanted, tl_snapshot* snapshot) const {
  const std::string wrong = difference(visible(wanted), read_all(snapshot));
  require(wrong.empty(), wrong);
}

void Looker::browse(const World& wanted, const Step& step) const {
  const Selection selection = selection_of(step);
  const std::set<std::string> expected = selected_traces(wanted, selection);
  tl_text tag{};
  const tl_filter filter = filter_of(selection, tag);
  constexpr std::array<tl_order, 2> kOrders = {TL_ORDER_TIME, TL_ORDER_TIME | TL_ORDER_ASCENDING};
  const tl_order order = kOrders[step.numbers[3] % kOrders.size()];
  // In pages.
  std::set<std::string> seen;
  std::vector<std::int64_t> times;
  std::string position;
  for (std::size_t page = step.numbers[3] % 3 + 1, got = page; got == page;) {
    got = 0;
    tl_cursor* cursor = nullptr;
    must(tl_list(store_, nullptr, TL_KIND_TRACE, &filter, order, text_of(position), page, &cursor),
         "list of a page");
    each_row(cursor, [&](const tl_row& row) {
      ++got;
      const std::string id = string_of(row.trace->id);
      require(seen.insert(id).second, "trace " + id + " is listed twice");
      times.push_back(row.trace->timestamp_ns);
      tl_text after{};
      must(tl_position(cursor, &after), "position");
      position = string_of(after);
    });
  }
  require(seen == expected, "a list by a filter has other traces than it should");
  if (order == TL_ORDER_TIME) std::ranges::reverse(times);
  require(std::ranges::is_sorted(times), "a list is not in the order of time");
}

void Looker::walk(const World& wanted, const Step& step) const {
  const World seen = visible(wanted);
  const std::string trace_id = some_trace(seen, step.numbers[0]);
  if (trace_id.empty()) return;
  const std::set<std::string> expected = ids_of(seen, TL_KIND_OBSERVATION, trace_id);
  std::map<std::string, std::uint32_t> depths;
  tl_cursor* cursor = nullptr;
  must(tl_tree(store_, nullptr, text_of(trace_id), &cursor), "tree");
  each_row(cursor, [&](const tl_row& row) {
    if (row.observation == nullptr) return;
    const std::string id = string_of(row.observation->id);
    require(depths.emplace(id, row.depth).second, id + " is in the tree twice");
    const std::string parent = string_of(row.observation->parent_observation_id);
    const std::uint32_t depth = expected.contains(parent) ? depths[parent] + 1 : 1;
    require(row.depth == depth, id + " does not come below its parent");
  });
  require(depths.size() == expected.size(), "a tree lacks observations");

  const auto trace = seen.find({TL_KIND_TRACE, "", trace_id});
  const auto session = trace->second.find("session");
  if (session == trace->second.end()) return;
  std::size_t wanted_count = 0;
  for (const std::string& id : selected_traces(wanted, {{}, session->second, {}, {}})) {
    wanted_count += 1 + ids_of(seen, TL_KIND_OBSERVATION, id).size();
  }
  std::size_t begin_count = 0;
  must(tl_replay(store_, nullptr, text_of(session->second), nullptr, &cursor), "replay");
  each_row(cursor, [&](const tl_row& row) {
    if (row.phase != TL_PHASE_END) ++begin_count;
  });
  require(begin_count == wanted_count, "a replay begins " + std::to_string(begin_count) +
                                           " things of " + std::to_string(wanted_count));
}

void Looker::get(const World& wanted, const Step& step) const {
  const World seen = visible(wanted);
  if (seen.empty()) return;
  const auto& [key, fields] = *std::next(seen.begin(), step.numbers[0] % seen.size());
  const bool is_there = step.numbers[1] % 4 != 0;
  const std::string id = is_there ? key.id : key.id + " of nobody";
  tl_cursor* cursor = nullptr;
  const tl_text trace_id = key.kind == TL_KIND_OBSERVATION ? text_of(key.trace_id) : tl_text{};
  const tl_status status = tl_get(store_, nullptr, key.kind, trace_id, text_of(id), &cursor);
  if (!is_there) {
    tl_cursor_close(cursor);
    return require(status == TL_NOT_FOUND, "something is found by an id of nobody");
  }
  must(status, "get of " + text_of(key));
  World got;
  each_row(cursor, [&](const tl_row& row) { read_row(cursor, row, got); });
  const std::string wrong = difference({{key, fields}}, got);
  require(wrong.empty(), wrong);
}

void Looker::count(const World& wanted) const {
  tl_statistics statistics{};
  statistics.struct_size = sizeof statistics;
  must(tl_stats(store_, &statistics), "stats");
  std::map<tl_kind, std::uint64_t> counts;
  for (const auto& [key, fields] : visible(wanted)) ++counts[key.kind];
  const auto expect = [&](const char* what, tl_kind kind, std::uint64_t got) {
    require(got == counts[kind], "there are " + std::to_string(counts[kind]) + ' ' + what +
                                     ", and statistics say " + std::to_string(got));
  };
  expect("traces", TL_KIND_TRACE, statistics.trace_count);
  expect("observations", TL_KIND_OBSERVATION, statistics.observation_count);
  expect("scores", TL_KIND_SCORE, statistics.score_count);
  expect("sessions", TL_KIND_SESSION, statistics.session_count);
}

std::uint64_t Looker::position() const {
  tl_statistics statistics{};
  statistics.struct_size = sizeof statistics;
  must(tl_stats(store_, &statistics), "stats");
  return statistics.commit_number;
}

void Looker::expect_changes(const World& wanted, const std::set<Key>& changed,
                            std::uint64_t& position) const {
  tl_cursor* cursor = nullptr;
  const tl_status status = tl_changes(store_, position, nullptr, &position, &cursor);
  if (status == TL_EXPIRED) return;
  must(status, "changes");
  World told;
  each_row(cursor, [&](const tl_row& row) { read_row(cursor, row, told); });
  const World seen = visible(wanted);
  for (const Key& key : changed) {
    // Deleted, or a trace that came back only because an observation names it.
    if (!seen.contains(key) || seen.at(key).contains("derived")) continue;
    if (key.kind == TL_KIND_SESSION) continue;
    require(told.contains(key), "the changes leave out " + text_of(key));
    const std::string wrong = difference({{key, seen.at(key)}}, {{key, told.at(key)}});
    require(wrong.empty(), "of the changes, " + wrong);
  }
}

}  // namespace tracelite::model_based
