// delete: takes a selection of traces out of the file, after asking.

#include <unistd.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "arguments.hpp"
#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"
#include "selection.hpp"

namespace cli {
namespace {

struct DeleteRequest {
  std::string database;
  Selection selection;
  bool all = false;
  bool yes = false;
  bool json = false;
  bool secure = false;
  double timeout_s = 10;

  tl_filter filter() {
    tl_filter filter = selection.filter();
    if (all) filter.from_ns = INT64_MIN;  // a time that covers everything
    return filter;
  }
};

std::uint64_t count_traces(const tracelite::Store& store, const tl_filter& filter) {
  std::uint64_t count = 0;
  for ([[maybe_unused]] const tl_row& row : store.list(TL_KIND_TRACE, filter)) {
    stop_if_interrupted();
    ++count;
  }
  return count;
}

// What it is about, for the question: lists show the same traces.
std::string description(const tracelite::Store& store, const tl_filter& filter,
                        const DeleteRequest& request) {
  if (request.all) return "everything in " + request.database;
  return plural(count_traces(store, filter), "trace") + " in " + request.database;
}

void tell(Output& output, const tl_delete_report& report, bool as_json, bool is_secure) {
  if (as_json) {
    JsonWriter json(output);
    json.begin_object();
    json.key("traces").count(report.trace_count);
    json.key("observations").count(report.observation_count);
    json.key("scores").count(report.score_count);
    json.key("sessions").count(report.session_count);
    if (is_secure) {
      json.key("zeroedBytes").count(report.zeroed_size_bytes);
      json.key("remainingBytes").count(report.remaining_size_bytes);
    }
    json.end_object().end_line();
    return;
  }
  output.write("deleted " + plural(report.trace_count, "trace") + ", " +
               plural(report.observation_count, "observation") + ", " +
               plural(report.score_count, "score") + ", " +
               plural(report.session_count, "session") + "\n");
  if (is_secure) {
    output.write("overwritten: " + plural(report.zeroed_size_bytes, "byte") +
                 ", remaining: " + plural(report.remaining_size_bytes, "byte") + "\n");
  }
}

// A try that went on where an earlier one had stopped may have deleted nothing itself.
bool says_anything(const tl_delete_report& report) {
  return report.trace_count + report.observation_count + report.score_count + report.session_count +
             report.zeroed_size_bytes + report.remaining_size_bytes >
         0;
}

int run_delete(Output& output, DeleteRequest& request) {
  tracelite::Store store = open_to_change(request.database);
  const tl_filter filter = request.filter();
  if (!request.yes) {
    if (isatty(STDIN_FILENO) == 0) {
      complain("there is no terminal to ask on; give --yes to delete without a question");
      return kExitUsage;
    }
    if (!ask("delete " + description(store, filter, request) + "?")) {
      complain("nothing was deleted");
      return kExitFailure;
    }
  }
  ProgressLine progress("deleting", "traces");
  tl_delete_report report{};
  report.struct_size = sizeof report;
  const auto timeout_ms = static_cast<std::uint32_t>(request.timeout_s * 1'000);
  const tl_status status =
      request.secure ? tl_delete_securely(store.get(), &filter, timeout_ms, ProgressLine::callback,
                                          &progress, &report)
                     : tl_delete(store.get(), &filter, ProgressLine::callback, &progress, &report);
  progress.erase();
  if (status != TL_OK && says_anything(report)) {
    // What is told next would take the place of the reason.
    const auto failure = std::make_exception_ptr(tracelite::Error(status, *tl_error()));
    tell(output, report, request.json, request.secure);
    output.flush();
    stop_if_interrupted();
    std::rethrow_exception(failure);
  }
  stop_if_interrupted();
  tracelite::require(status);
  store.close();
  tell(output, report, request.json, request.secure);
  return kExitOk;
}

}  // namespace

void add_delete(CLI::App& app, Action& action) {
  auto request = std::make_shared<DeleteRequest>();
  CLI::App& command =
      *app.add_subcommand("delete", "Delete a selection of traces, with all that they have")
           ->group("Keeping");
  add_database(command, request->database);
  command.add_flag("--all", request->all, "Everything");
  command.add_flag("--yes", request->yes, "Do not ask");
  command.add_flag("--secure", request->secure,
                   "Overwrite what is free in the file, so that nothing is left of it there");
  constexpr double kTimeoutMaxS = 86'400;
  command
      .add_option("--timeout", request->timeout_s,
                  "Seconds that --secure waits for readers that can still see it (10)")
      ->type_name("SECONDS")
      ->check(number_from_zero_to(kTimeoutMaxS));
  add_json(command, request->json, "One JSON object");
  request->selection.add_options(command);
  command.footer(
      "Deletes the traces that `tracelite traces` lists with the same options, each with its\n"
      "observations and scores; a session goes with its last trace. What was deleted before an\n"
      "interruption stays deleted. The room is used again, the file does not get smaller. With\n"
      "--secure the index is made anew and free room is overwritten; text that other traces share\n"
      "and dictionaries go with `tracelite compact`.\n\n" +
      std::string(kExitCodes));
  command.callback([request, &action] {
    const bool selects = !request->selection.is_empty();
    if (selects == request->all) {
      throw CLI::ValidationError(selects ? "--all leaves nothing to select"
                                         : "say what to delete, such as --trace ID or --before "
                                           "TIME; --all deletes everything");
    }
    action = [request](Output& output) { return run_delete(output, *request); };
  });
}

}  // namespace cli
