// tail: what is recorded into a file, as it comes.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"
#include "model_text.hpp"
#include "selection.hpp"

namespace cli {

using tracelite::has;

namespace {

// A signal may come right before the wait that it should end.
constexpr std::uint32_t kWaitMs = 1000;
using Clock = std::chrono::steady_clock;

struct TailRequest {
  std::string database;
  Selection selection;
  bool json = false;
  std::optional<double> timeout_s;
};

void write_observation_line(Output& output, const tl_row& row) {
  const tl_observation& observation = *row.observation;
  const bool has_ended = row.is_unfinished == 0;
  Line line(output, output.line_width());
  line.add(
          format_time(has_ended && has(observation, TL_FIELD_END_TIME) ? observation.end_time_ns
                                                                       : observation.start_time_ns),
          Style::dim)
      .add(has_ended ? "  end    " : "  begin  ", has_ended ? Style::plain : Style::yellow)
      .add(type_name(observation.type), style_of_type(observation.type))
      .add(" ")
      .add(shown(observation.name), Style::bold);
  if (has_ended) line.add("  " + duration_text(observation));
  if (observation.level != TL_LEVEL_DEFAULT) {
    line.add("  " + std::string(level_name(observation.level)), style_of_level(observation.level));
  }
  if (has(observation, TL_FIELD_STATUS_MESSAGE)) {
    line.add(": " + shown(observation.status_message));
  }
  line.add("  " + shown(observation.trace_id) + " " + shown(observation.id), Style::dim).end();
}

void write_line(Output& output, const tl_row& row) {
  if (row.observation != nullptr) return write_observation_line(output, row);
  Line line(output, output.line_width());
  if (row.trace != nullptr) {
    line.add(format_time(row.trace->timestamp_ns), Style::dim)
        .add("  trace  ")
        .add(shown(row.trace->name), Style::bold)
        .add("  " + shown(row.trace->id), Style::dim);
  } else {
    line.add(format_time(row.score->timestamp_ns), Style::dim)
        .add("  score  ")
        .add(shown(row.score->name), Style::bold)
        .add(" " + score_value(*row.score))
        .add("  " + shown(row.score->id), Style::dim);
  }
  line.end();
}

void show(Output& output, tracelite::Cursor& cursor, bool as_json) {
  JsonWriter json(output);
  while (const tl_row* row = cursor.next()) {
    if (as_json) {
      write_row(json, *row, cursor, Payloads::none);
      json.end_line();
    } else {
      write_line(output, *row);
    }
  }
  output.flush();
}

int follow(Output& output, TailRequest& request) {
  const tracelite::Store store = open_to_read(request.database);
  std::uint64_t position = store.statistics().commit_number;
  auto last_change = Clock::now();
  while (!is_interrupted()) {
    double wait_ms = kWaitMs;
    if (request.timeout_s) {
      const std::chrono::duration<double> idle = Clock::now() - last_change;
      wait_ms = std::clamp((*request.timeout_s - idle.count()) * 1000, 0.0, wait_ms);
    }
    if (!store.wait(position, static_cast<std::uint32_t>(wait_ms))) {
      if (wait_ms == 0) break;
      continue;
    }
    last_change = Clock::now();
    auto cursor = store.changes(position, request.selection.filter());
    if (cursor) {
      show(output, *cursor, request.json);
    } else {
      complain("too much was recorded at once to tell all of it; going on from now");
    }
  }
  return kExitOk;
}

}  // namespace

void add_tail(CLI::App& app, Action& action) {
  auto request = std::make_shared<TailRequest>();
  CLI::App& command = *app.add_subcommand("tail", "Show what is recorded as it comes, until Ctrl-C")
                           ->group("Reading");
  add_database(command, request->database);
  add_json(command, request->json, "JSON Lines in the shapes of Langfuse's public API");
  command
      .add_option("--timeout", request->timeout_s,
                  "End when nothing was recorded for so long (default: never)")
      ->type_name("SECONDS")
      ->check(number_from_zero());
  request->selection.add_options(command);
  command.remove_option(command.get_option("--metadata"));  // tl_changes knows no such filter
  command.callback([request, &action] {
    action = [request](Output& output) {
      try {
        return follow(output, *request);
      } catch (const Interrupted& interrupted) {
        if (interrupted.signal == SIGPIPE) throw;
        output.drop();  // Ctrl-C is how it ends, also in the middle of a line
        return kExitOk;
      }
    };
  });
}

}  // namespace cli
