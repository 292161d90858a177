// replay: what happened in a session, step by step, at the pace asked for.

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"
#include "model_text.hpp"

namespace cli {

using tracelite::has;

namespace {

constexpr std::size_t kClockWidth = 10;
constexpr std::size_t kDepthDrawnMax = 12;

struct ReplayRequest {
  std::string database;
  std::string session;
  double speed = 0;  // 0: without waiting
  double max_gap_seconds = 0;
  bool json = false;
  bool as_stored = false;
};

// -------------------------------------------------------------------------------------- people

struct Sign {
  const char* text;
  Style style;
};
Sign sign_of(const tl_row& row) {
  if (row.phase == TL_PHASE_POINT) return {"● ", Style::yellow};
  if (row.phase == TL_PHASE_END) return {"■ ", Style::dim};
  return {"▶ ", Style::green};
}

template <class Entity>
void show_payloads(Line& line, std::size_t column, const tl_row& row, const Entity& entity,
                   const tracelite::Cursor& cursor) {
  const auto show = [&](const char* label, tl_field field, const tl_payload& payload) {
    line.pad_to(column).add(label, Style::dim);
    const std::string text = preview(cursor, field, payload, line.room());
    if (text.empty()) {
      line.drop();
    } else {
      line.add(text).end();
    }
  };
  if (row.phase != TL_PHASE_END) show("in  ", TL_FIELD_INPUT, entity.input);
  const bool is_begin_only = row.phase == TL_PHASE_BEGIN && row.is_unfinished == 0;
  if (!is_begin_only) show("out ", TL_FIELD_OUTPUT, entity.output);
}

void show_step(Line& line, const tl_row& row, std::int64_t began_ns,
               const tracelite::Cursor& cursor) {
  const std::string clock = format_clock(row.at_ns - began_ns);
  const std::size_t depth = std::min<std::size_t>(row.depth, kDepthDrawnMax);
  const std::size_t column = kClockWidth + 2 + 2 * depth;
  if (row.kind == TL_KIND_TRACE && row.phase == TL_PHASE_BEGIN) line.end();
  line.pad_to(kClockWidth - std::min(kClockWidth, clock.size())).add(clock, Style::dim);
  line.pad_to(column);
  const Sign sign = sign_of(row);
  line.add(sign.text, sign.style);
  if (row.depth > kDepthDrawnMax) line.add(format_count(row.depth) + " deep ", Style::dim);
  if (row.kind == TL_KIND_TRACE) {
    const tl_trace& trace = *row.trace;
    line.add(has(trace, TL_FIELD_NAME) ? shown(trace.name) : "trace", Style::bold);
    line.add("  ").add(shown(trace.id), Style::dim).end();
    show_payloads(line, column + 2, row, trace, cursor);
    return;
  }
  add_title(line, *row.observation);
  if (row.phase != TL_PHASE_BEGIN || row.is_unfinished != 0) add_facts(line, row);
  line.end();
  show_payloads(line, column + 2, row, *row.observation, cursor);
}

void show_head(Line& line, const tracelite::Snapshot& snapshot, const std::string& session) {
  tracelite::Cursor cursor = snapshot.get(TL_KIND_SESSION, session);
  const tl_row* row = cursor.next();
  line.add("session " + printable(session), Style::bold).end();
  if (row != nullptr && row->aggregate != nullptr) {
    add_sums(line, *row->aggregate, row->aggregate->first_activity_ns);
    line.end();
  }
}

// ------------------------------------------------------------------------------------------ JSON

std::string_view phase_name(tl_phase phase) {
  if (phase == TL_PHASE_POINT) return "point";
  return phase == TL_PHASE_END ? "end" : "begin";
}

// Inputs come with the begin, outputs with the end or, where there is none, with the begin as well.
Payloads payloads_of(const tl_row& row) {
  if (row.phase == TL_PHASE_END) return Payloads::output;
  return row.phase == TL_PHASE_POINT || row.is_unfinished != 0 ? Payloads::all : Payloads::input;
}

void write_step(JsonWriter& json, const tl_row& row, const tracelite::Cursor& cursor) {
  json.begin_object();
  json.key("at").time(row.at_ns);
  json.key("phase").text(phase_name(row.phase));
  json.key("wait").seconds(row.wait_ns);
  json.key("depth").count(row.depth);
  json.key(row.kind == TL_KIND_TRACE ? "trace" : "observation");
  write_row(json, row, cursor, payloads_of(row));
  json.end_object();
  json.end_line();
}

// ------------------------------------------------------------------------------------------ walk

int run_replay(Output& output, const ReplayRequest& request) {
  constexpr double kNsPerSecond = 1e9;
  const tracelite::Store store = open_to_read(request.database);
  const double max_gap_ns = std::min(request.max_gap_seconds * kNsPerSecond, 9e18);
  const tracelite::Snapshot snapshot = store.snapshot();
  tracelite::Cursor cursor = look_up(request.database, "session", request.session, [&] {
    return snapshot.replay(request.session, request.speed > 0 ? request.speed : 1,
                           static_cast<std::int64_t>(max_gap_ns));
  });
  JsonWriter json(output, request.as_stored ? TL_READ_AS_STORED : TL_READ_AS_GIVEN);
  Line line(output, output.line_width());
  if (!request.json) show_head(line, snapshot, request.session);
  std::int64_t began_ns = std::numeric_limits<std::int64_t>::min();
  while (const tl_row* row = cursor.next()) {
    stop_if_interrupted();
    if (request.speed > 0 && row->wait_ns > 0) {
      output.flush();
      sleep_for(std::chrono::nanoseconds(row->wait_ns));
    }
    if (began_ns == std::numeric_limits<std::int64_t>::min()) began_ns = row->at_ns;
    if (request.json) {
      write_step(json, *row, cursor);
    } else {
      show_step(line, *row, began_ns, cursor);
    }
  }
  return kExitOk;
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  auto request = std::make_shared<ReplayRequest>();
  CLI::App& command = *app.add_subcommand("replay", "Show a session step by step, as it happened")
                           ->group("Reading");
  add_database_to_read(command, request->database);
  command.add_option("SESSION_ID", request->session, "The id of the session")
      ->required()
      ->type_name("");
  command
      .add_option("--speed", request->speed,
                  "Wait between the steps: 1 is the recorded pace, 10 ten times as fast; without "
                  "this option there is no waiting")
      ->type_name("X")
      ->check(number_above_zero());
  command.add_option("--max-gap", request->max_gap_seconds, "Shorten longer waits to this")
      ->type_name("SECONDS")
      ->check(number_above_zero());
  add_json(command, request->json,
           "JSON Lines: {at, phase, wait, depth, trace or observation}; inputs come with the "
           "begin, outputs with the end");
  add_as_stored(command, request->as_stored);
  command.callback([request, &action] {
    action = [request](Output& output) { return run_replay(output, *request); };
  });
}

void show_replay(Output& output, const std::string& database, const std::string& session) {
  ReplayRequest request;
  request.database = database;
  request.session = session;
  run_replay(output, request);
}

}  // namespace cli
