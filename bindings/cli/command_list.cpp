// traces, observations, scores, sessions, users, tags, environments, names, models,
// days.

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"
#include "model_text.hpp"
#include "selection.hpp"
#include "table.hpp"

namespace cli {

using tracelite::has;
using tracelite::view;

namespace {

struct ListKind {
  tl_kind kind;
  const char* command;
  const char* title;  // of a group's first column
  const char* description;
};
constexpr std::array<ListKind, 10> kListKinds = {{
    {TL_KIND_TRACE, "traces", "", "List traces"},
    {TL_KIND_OBSERVATION, "observations", "", "List observations: spans, generations, tools, ..."},
    {TL_KIND_SCORE, "scores", "", "List scores"},
    {TL_KIND_SESSION, "sessions", "", "List sessions"},
    {TL_KIND_USER, "users", "USER", "List users"},
    {TL_KIND_TAG, "tags", "TAG", "List tags"},
    {TL_KIND_ENVIRONMENT, "environments", "ENVIRONMENT", "List environments"},
    {TL_KIND_NAME, "names", "NAME", "List the names of observations"},
    {TL_KIND_MODEL, "models", "MODEL", "List models"},
    {TL_KIND_DAY, "days", "DAY", "List days (UTC) with what each model was used for"},
}};

struct ListRequest {
  ListKind what;
  std::string database;
  Selection selection;
  tl_order order = TL_ORDER_TIME;
  std::uint64_t limit = 0;
  std::string after;
  bool json = false;
  bool with_payloads = false;
  bool with_previews = false;
};

// -------------------------------------------------------------------------------------- columns

// An id is only of use whole; those of the usual forms are never cut.
constexpr std::size_t kIdWidth = 36;

std::vector<Column> columns_of(const ListKind& what) {
  using enum Align;
  switch (what.kind) {
    case TL_KIND_TRACE:
      return {{"TIME", left, 0, 1},    {"NAME", left, 12},        {"SESSION", left, 12, 3},
              {"USER", left, 8, 5},    {"DURATION", right, 0, 2}, {"OBS", right, 0, 6},
              {"TOKENS", right, 0, 4}, {"COST", right, 0, 4},     {"NOTES", left, 8, 1},
              {"ID", left, kIdWidth}};
    case TL_KIND_OBSERVATION:
      return {{"TIME", left, 0, 1},      {"TYPE"},
              {"NAME", left, 12},        {"MODEL", left, 8, 4},
              {"DURATION", right, 0, 3}, {"TOKENS", right, 0, 5},
              {"COST", right, 0, 5},     {"NOTES", left, 8, 2},
              {"ID", left, kIdWidth, 1}, {"TRACE", left, kIdWidth, 6}};
    case TL_KIND_SCORE:
      return {{"TIME", left, 0, 1},    {"NAME", left, 8},        {"VALUE", left, 6},
              {"TYPE", left, 0, 5},    {"SOURCE", left, 0, 4},   {"OF", left, 12, 1},
              {"COMMENT", left, 8, 2}, {"ID", left, kIdWidth, 3}};
    case TL_KIND_SESSION:
      return {
          {"LAST ACTIVITY", left, 0, 1}, {"SESSION", left, kIdWidth}, {"ENVIRONMENT", left, 8, 6},
          {"DURATION", right, 0, 4},     {"TRACES", right},           {"OBS", right, 0, 5},
          {"TOKENS", right, 0, 3},       {"COST", right, 0, 2},       {"NOTES", left, 8, 1}};
    case TL_KIND_DAY:
      return {{what.title, left},     {"MODEL", left, 12},     {"OBS", right, 0, 3},
              {"INPUT", right, 0, 4}, {"OUTPUT", right, 0, 5}, {"TOKENS", right, 0, 2},
              {"COST", right, 0, 1},  {"NOTES", left, 8, 6}};
    default:
      return {{"LAST ACTIVITY", left, 0, 1}, {what.title, left, 12},  {"TRACES", right},
              {"OBS", right, 0, 3},          {"TOKENS", right, 0, 2}, {"COST", right, 0, 2},
              {"NOTES", left, 8, 4}};
  }
}

std::string count_or_nothing(std::uint64_t count) { return count == 0 ? "" : format_count(count); }

// What deserves a look: the worst first, in its colour.
Cell notes(std::uint64_t errors, std::uint64_t warnings, std::uint64_t unfinished, bool bookmarked,
           bool is_public) {
  std::string text;
  const auto add = [&](const std::string& note) { text += (text.empty() ? "" : ", ") + note; };
  if (errors > 0) add(plural(errors, "error"));
  if (unfinished > 0) add(format_count(unfinished) + " unfinished");
  if (warnings > 0) add(plural(warnings, "warning"));
  if (bookmarked) add("bookmarked");
  if (is_public) add("public");
  const bool is_odd = unfinished > 0 || warnings > 0;
  return {text, errors > 0 ? Style::red : is_odd ? Style::yellow : Style::plain};
}

std::vector<Cell> trace_cells(const tl_row& row) {
  const tl_trace& trace = *row.trace;
  const tl_aggregate& sums = *row.aggregate;
  return {{format_time(trace.timestamp_ns), Style::dim},
          {shown(trace.name), Style::bold},
          {shown(trace.session_id)},
          {shown(trace.user_id)},
          {sums.latency_ns == 0 ? "" : format_duration(sums.latency_ns)},
          {count_or_nothing(sums.observation_count)},
          {count_or_nothing(sums.total_tokens)},
          {format_cost(view(sums.total_cost))},
          notes(sums.error_count, sums.warning_count, sums.unfinished_count,
                trace.is_bookmarked != 0, trace.is_public != 0),
          {shown(trace.id), Style::dim}};
}

std::vector<Cell> observation_cells(const tl_row& row) {
  const tl_observation& observation = *row.observation;
  std::string text = row.is_unfinished != 0 ? "unfinished" : "";
  const bool is_default = observation.level == TL_LEVEL_DEFAULT;
  if (!is_default) text += (text.empty() ? "" : ", ") + std::string(level_name(observation.level));
  if (has(observation, TL_FIELD_STATUS_MESSAGE)) {
    text += (text.empty() ? "" : ": ") + shown(observation.status_message);
  }
  return {{format_time(observation.start_time_ns), Style::dim},
          {std::string(type_name(observation.type)), style_of_type(observation.type)},
          {shown(observation.name), Style::bold},
          {shown(observation.model)},
          {duration_text(observation)},
          {count_or_nothing(total_tokens(observation))},
          {cost_text(observation)},
          {text, is_default ? Style::yellow : style_of_level(observation.level)},
          {shown(observation.id), Style::dim},
          {shown(observation.trace_id), Style::dim}};
}

std::string subject_of(const tl_score& score) {
  if (has(score, TL_FIELD_OBSERVATION_ID)) return "observation " + shown(score.observation_id);
  if (has(score, TL_FIELD_TRACE_ID)) return "trace " + shown(score.trace_id);
  return "session " + shown(score.session_id);
}

std::vector<Cell> score_cells(const tl_row& row) {
  const tl_score& score = *row.score;
  return {{format_time(score.timestamp_ns), Style::dim},
          {shown(score.name), Style::bold},
          {score_value(score)},
          {std::string(name_of(kDataTypes, score.data_type, "NUMERIC"))},
          {std::string(name_of(kSources, score.source, "API"))},
          {subject_of(score)},
          {shown(score.comment)},
          {shown(score.id), Style::dim}};
}

std::vector<Cell> group_cells(const tl_row& row) {
  const tl_aggregate& sums = *row.aggregate;
  return {{format_time(sums.last_activity_ns), Style::dim},
          {shown(sums.key), Style::bold},
          {format_count(sums.trace_count)},
          {format_count(sums.observation_count)},
          {count_or_nothing(sums.total_tokens)},
          {format_cost(view(sums.total_cost))},
          notes(sums.error_count, sums.warning_count, sums.unfinished_count, false, false)};
}

std::vector<Cell> day_cells(const tl_row& row) {
  const tl_aggregate& sums = *row.aggregate;
  return {{shown(sums.key), Style::bold},
          {shown(sums.model)},
          {format_count(sums.observation_count)},
          {count_or_nothing(sums.input_tokens)},
          {count_or_nothing(sums.output_tokens)},
          {count_or_nothing(sums.total_tokens)},
          {format_cost(view(sums.total_cost))},
          notes(sums.error_count, sums.warning_count, sums.unfinished_count, false, false)};
}

std::vector<Cell> session_cells(const tl_row& row) {
  const tl_session& session = *row.session;
  const tl_aggregate& sums = *row.aggregate;
  return {{format_time(sums.last_activity_ns), Style::dim},
          {shown(session.id), Style::bold},
          {shown(session.environment)},
          {sums.latency_ns == 0 ? "" : format_duration(sums.latency_ns)},
          {format_count(sums.trace_count)},
          {format_count(sums.observation_count)},
          {count_or_nothing(sums.total_tokens)},
          {format_cost(view(sums.total_cost))},
          notes(sums.error_count, sums.warning_count, sums.unfinished_count,
                session.is_bookmarked != 0, session.is_public != 0)};
}

std::vector<Cell> cells_of(const tl_row& row) {
  switch (row.kind) {
    case TL_KIND_TRACE:
      return trace_cells(row);
    case TL_KIND_OBSERVATION:
      return observation_cells(row);
    case TL_KIND_SCORE:
      return score_cells(row);
    case TL_KIND_SESSION:
      return session_cells(row);
    case TL_KIND_DAY:
      return day_cells(row);
    default:
      return group_cells(row);
  }
}

// ---------------------------------------------------------------------------------------- walk

// Calls show(row, cursor) for each row. Gives the position to go on from if the limit cut the list,
// else nothing.
template <class Show>
std::string walk(ListRequest& request, const Show& show) {
  const tracelite::Store store = open_to_read(request.database);
  // One row more than asked for, to know whether the limit cuts.
  const bool is_limited = request.limit != 0 && request.limit != UINT64_MAX;
  tracelite::Cursor cursor =
      store.list(request.what.kind, request.selection.filter(), request.order, request.after,
                 is_limited ? request.limit + 1 : 0);
  std::string position;
  std::uint64_t shown_rows = 0;
  while (const tl_row* row = cursor.next()) {
    stop_if_interrupted();
    if (is_limited && shown_rows == request.limit) return position;
    show(*row, cursor);
    ++shown_rows;
    if (shown_rows == request.limit) position = cursor.position();
  }
  return "";
}

int run_list(Output& output, ListRequest& request) {
  std::string position;
  if (request.json) {
    const Payloads payloads = request.with_payloads   ? Payloads::all
                              : request.with_previews ? Payloads::previews
                                                      : Payloads::none;
    JsonWriter json(output);
    position = walk(request, [&](const tl_row& row, const tracelite::Cursor& cursor) {
      write_row(json, row, cursor, payloads);
      json.end_line();
    });
  } else {
    Table table(output, columns_of(request.what));
    position = walk(request,
                    [&](const tl_row& row, const tracelite::Cursor&) { table.add(cells_of(row)); });
    table.finish();
    if (table.row_count() == 0 && output.is_terminal()) {
      output.write("no " + std::string(request.what.command) + "\n");
    }
  }
  output.flush();
  if (!position.empty()) std::fprintf(stderr, "more rows: --after %s\n", position.c_str());
  return kExitOk;
}

Words order_words() {
  Words words;
  const std::pair<const char*, tl_order> names[] = {{"time", TL_ORDER_TIME},
                                                    {"name", TL_ORDER_NAME},
                                                    {"latency", TL_ORDER_LATENCY},
                                                    {"tokens", TL_ORDER_TOKENS},
                                                    {"cost", TL_ORDER_COST}};
  for (const auto& [name, order] : names) {
    words.emplace_back(name, order);
    words.emplace_back(std::string(name) + ".desc", order);
    words.emplace_back(std::string(name) + ".asc", order | TL_ORDER_ASCENDING);
  }
  return words;
}

void add_list(CLI::App& app, Action& action, const ListKind& what) {
  auto request = std::make_shared<ListRequest>();
  request->what = what;
  CLI::App& command = *app.add_subcommand(what.command, what.description)->group("Reading");
  add_database_to_read(command, request->database);
  command
      .add_option("--order", request->order,
                  "By time (default), name, latency, tokens or cost, the largest first; "
                  "with .asc the smallest first, as in cost.asc")
      ->type_name("FIELD")
      ->transform(one_of(order_words()));
  command.add_option("--limit", request->limit, "At most so many rows (default: all)")
      ->type_name("N")
      ->check(count_of_one_or_more());
  command
      .add_option("--after", request->after,
                  "Go on after this position, which an earlier list with the same selection and "
                  "order has told on standard error")
      ->type_name("POSITION");
  add_json(command, request->json, "JSON Lines in the shapes of Langfuse's public API");
  if (what.kind == TL_KIND_TRACE || what.kind == TL_KIND_OBSERVATION ||
      what.kind == TL_KIND_SCORE) {
    command
        .add_flag("--io", request->with_payloads,
                  "With --json: read input, output and metadata as well, which lists do not")
        ->needs("--json");
  }
  if (what.kind == TL_KIND_TRACE || what.kind == TL_KIND_OBSERVATION) {
    command
        .add_flag("--previews", request->with_previews,
                  "With --json: the first 200 characters of input and output")
        ->needs("--json")
        ->excludes("--io");
  }
  request->selection.add_options(command);
  command.callback([request, &action] {
    action = [request](Output& output) { return run_list(output, *request); };
  });
}

}  // namespace

void add_lists(CLI::App& app, Action& action) {
  for (const ListKind& what : kListKinds) add_list(app, action, what);
}

void show_sessions(Output& output, const std::string& database) {
  ListRequest request;
  request.what = kListKinds[3];
  request.database = database;
  run_list(output, request);
}

}  // namespace cli
