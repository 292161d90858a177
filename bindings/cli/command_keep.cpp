// bookmark, unbookmark, publish, unpublish; stats, check, reindex, compact, backup, salvage,
// version.

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"

namespace cli {

using tracelite::view;

namespace {

// ----------------------------------------------------------------------------------------- flags

struct Flag {
  const char* command;
  const char* description;
  const char* done;
  const char* json_name;
  tl_field field;
  bool value;
};
constexpr std::array<Flag, 4> kFlags = {{
    {"bookmark", "Bookmark a session or trace", "bookmarked", "bookmarked", TL_FIELD_BOOKMARKED,
     true},
    {"unbookmark", "Take the bookmark away", "no longer bookmarked", "bookmarked",
     TL_FIELD_BOOKMARKED, false},
    {"publish", "Make a session or trace public", "public", "public", TL_FIELD_PUBLIC, true},
    {"unpublish", "Make it private again", "private", "public", TL_FIELD_PUBLIC, false},
}};

struct FlagRequest {
  Flag flag;
  std::string database;
  std::string kind;
  std::string id;
  bool json = false;
};

int run_flag(Output& output, const FlagRequest& request) {
  const Flag& flag = request.flag;
  const bool is_session = request.kind == "session";
  tracelite::Store store = open_to_change(request.database);
  // A put would make what does not exist.
  look_up(request.database, request.kind, request.id, [&] {
    return store.Reader::get(is_session ? TL_KIND_SESSION : TL_KIND_TRACE, request.id);
  });
  if (is_session) {
    tl_session session{};
    session.struct_size = sizeof session;
    session.id = tracelite::text(request.id);
    session.set_mask = TL_BIT(flag.field);
    session.is_public = session.is_bookmarked = flag.value ? 1 : 0;
    store.put(session);
  } else {
    tracelite::Trace trace(request.id);
    flag.field == TL_FIELD_PUBLIC ? trace.is_public(flag.value) : trace.bookmarked(flag.value);
    store.put(trace);
  }
  store.flush();
  store.close();
  if (request.json) {
    JsonWriter json(output);
    json.begin_object().key("id").text(request.id).key(flag.json_name).boolean(flag.value);
    json.end_object().end_line();
  } else {
    output.write(request.kind + " " + printable(request.id) + " is " + flag.done + "\n");
  }
  return kExitOk;
}

void add_flag(CLI::App& app, Action& action, const Flag& flag) {
  auto request = std::make_shared<FlagRequest>();
  request->flag = flag;
  CLI::App& command = *app.add_subcommand(flag.command, flag.description)->group("Recording");
  add_database(command, request->database);
  command.add_option("KIND", request->kind, "session or trace")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"session", "trace"}).description(""));
  command.add_option("ID", request->id, "Its id")->required()->type_name("");
  add_json(command, request->json, "One JSON object");
  command.callback([request, &action] {
    action = [request](Output& output) { return run_flag(output, *request); };
  });
}

// ---------------------------------------------------------------------------------------- stats

struct KeepRequest {
  std::string database;
  bool json = false;
  bool space = false;       // stats alone
  std::string destination;  // backup and salvage alone
};

std::vector<std::pair<std::string, std::uint64_t>> counters_of(const tracelite::Store& store) {
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  for (tl_reason reason = TL_REASON_NONE + 1; reason < TL_REASON_COUNT; ++reason) {
    const char* name = tl_reason_name(reason);
    if (name != nullptr) counters.emplace_back(name, store.counter(reason));
  }
  return counters;
}

struct SpaceLine {
  std::string key_space, table;
  std::uint64_t size_bytes = 0;

  // A tl_space_fn, with a vector of lines as its context.
  static void add(void* context, tl_text key_space, tl_text table, std::uint64_t size_bytes) {
    static_cast<std::vector<SpaceLine>*>(context)->push_back(
        {std::string(view(key_space)), std::string(view(table)), size_bytes});
  }
};

int run_space(Output& output, const tracelite::Store& store, bool as_json) {
  std::vector<SpaceLine> lines;
  tracelite::require(tl_space(store.get(), SpaceLine::add, &lines));
  std::uint64_t sum = 0;
  for (const SpaceLine& line : lines) sum += line.size_bytes;
  if (as_json) {
    for (const SpaceLine& line : lines) {
      JsonWriter json(output);
      json.begin_object().key("keySpace").text(line.key_space);
      if (!line.table.empty()) json.key("table").text(line.table);
      json.key("bytes").count(line.size_bytes).end_object().end_line();
    }
    return kExitOk;
  }
  const auto show = [&](const std::string& name, std::uint64_t size_bytes) {
    constexpr std::size_t kNameWidth = 36;
    constexpr std::size_t kCountWidth = 16;
    const std::string count = format_count(size_bytes);
    char share[16];
    std::snprintf(share, sizeof share, "%5.1f %%",
                  100.0 * static_cast<double>(size_bytes) / static_cast<double>(sum));
    output.write(name + std::string(kNameWidth - std::min(kNameWidth, name.size()), ' ') +
                 std::string(kCountWidth - std::min(kCountWidth, count.size()), ' ') + count +
                 "  " + share + "\n");
  };
  for (const SpaceLine& line : lines) {
    if (line.size_bytes == 0) continue;
    show(line.table.empty() ? line.key_space : line.key_space + ": " + printable(line.table),
         line.size_bytes);
  }
  show("the file", sum);
  return kExitOk;
}

int run_stats(Output& output, const KeepRequest& request) {
  const tracelite::Store store = open_to_read(request.database);
  if (request.space) return run_space(output, store, request.json);
  const tl_statistics statistics = store.statistics();
  const auto counters = counters_of(store);
  if (request.json) {
    JsonWriter json(output);
    json.begin_object();
    json.key("traces").count(statistics.trace_count);
    json.key("observations").count(statistics.observation_count);
    json.key("scores").count(statistics.score_count);
    json.key("sessions").count(statistics.session_count);
    json.key("users").count(statistics.user_count);
    json.key("payloadBytes").count(statistics.payload_size_bytes);
    json.key("fileBytes").count(statistics.file_size_bytes);
    json.key("formatVersion").count(statistics.format_version);
    json.key("commit").count(statistics.commit_number);
    json.key("oldestReaderLag").count(statistics.oldest_reader_lag);
    json.key("counters").begin_object();
    for (const auto& [name, count] : counters) json.key(name).count(count);
    json.end_object().end_object().end_line();
    return kExitOk;
  }
  const auto show = [&](std::string_view label, const std::string& value) {
    constexpr std::size_t kLabelWidth = 22;
    const std::size_t width = display_width(label);
    output.write(std::string(label) + std::string(kLabelWidth - std::min(kLabelWidth, width), ' ') +
                 value + "\n");
  };
  show("traces", format_count(statistics.trace_count));
  show("observations", format_count(statistics.observation_count));
  show("scores", format_count(statistics.score_count));
  show("sessions", format_count(statistics.session_count));
  show("users", format_count(statistics.user_count));
  show("payloads", format_size(statistics.payload_size_bytes));
  show("file", format_size(statistics.file_size_bytes));
  show("commit", format_count(statistics.commit_number));
  for (const auto& [name, count] : counters) {
    if (count > 0) show("counted: " + name, format_count(count));
  }
  return kExitOk;
}

// ---------------------------------------------------------------------------------------- check

struct Findings {
  Output& output;
  ProgressLine& progress;
  JsonWriter json;
  bool as_json;
  std::uint64_t count = 0;
  std::exception_ptr thrown = nullptr;

  // A tl_finding_fn, with Findings as its context.
  static void callback(void* context, tl_text where, tl_text message) {
    auto& self = *static_cast<Findings*>(context);
    try {
      self.tell(view(where), view(message));
    } catch (...) {
      self.thrown = std::current_exception();  // must not pass through C
    }
  }
  void tell(std::string_view where, std::string_view message) {
    ++count;
    progress.erase();
    if (as_json) {
      json.begin_object().key("where").text(where).key("message").text(message).end_object();
      json.end_line();
    } else {
      output.write(printable(where) + ": " + printable(message) + "\n");
    }
  }
};

// Gives what can be done about what was found.
std::string check_all(const KeepRequest& request, Findings& findings) {
  try {
    const tracelite::Store store = open_to_read(request.database);
    const tl_status status = tl_check(store.get(), Findings::callback, &findings,
                                      ProgressLine::callback, &findings.progress);
    findings.progress.erase();
    if (findings.thrown != nullptr) std::rethrow_exception(findings.thrown);
    stop_if_interrupted();
    if (status == TL_CORRUPT && findings.count == 0) findings.tell("file", tl_error()->message);
    if (status != TL_CORRUPT) tracelite::require(status);
  } catch (const Damaged& damaged) {
    findings.tell("file", damaged.finding());
    return damaged.advice();
  }
  return "if only the index is named, mend it with: tracelite reindex " + trust_option() +
         quoted(request.database) + "; else " + advice_on_damage(request.database);
}

int run_check(Output& output, const KeepRequest& request) {
  ProgressLine progress("checking", "pages");
  Findings findings{output, progress, JsonWriter(output), request.json};
  const std::string advice = check_all(request, findings);
  if (request.json) {
    findings.json.begin_object().key("ok").boolean(findings.count == 0);
    findings.json.key("findings").count(findings.count).end_object().end_line();
  } else if (findings.count == 0) {
    output.write("ok\n");
  }
  output.flush();
  if (findings.count == 0) return kExitOk;
  complain(request.database + " is damaged: " + plural(findings.count, "finding") + "; " + advice);
  return kExitFailure;
}

int run_reindex(Output& output, const KeepRequest& request) {
  tracelite::Store store = open_to_change(request.database);
  ProgressLine progress("reindexing", "records");
  const tl_status status = tl_reindex(store.get(), ProgressLine::callback, &progress);
  progress.erase();
  stop_if_interrupted();
  tracelite::require(status);
  store.close();
  if (request.json) {
    JsonWriter json(output);
    json.begin_object().key("ok").boolean(true).end_object().end_line();
  } else {
    output.write("the index is built anew\n");
  }
  return kExitOk;
}

int run_compact(Output& output, const KeepRequest& request) {
  tracelite::Store store = open_to_change(request.database);
  const std::uint64_t before = store.statistics().file_size_bytes;
  ProgressLine progress("compacting", "steps");
  const tl_status status = tl_compact(store.get(), ProgressLine::callback, &progress);
  progress.erase();
  stop_if_interrupted();
  tracelite::require(status);
  const std::uint64_t after = store.statistics().file_size_bytes;
  store.close();
  if (request.json) {
    JsonWriter json(output);
    json.begin_object().key("ok").boolean(true).key("fileBytesBefore").count(before);
    json.key("fileBytes").count(after).end_object().end_line();
  } else {
    output.write(format_size(before) + " -> " + format_size(after) + "\n");
  }
  return kExitOk;
}

int run_backup(Output& output, const KeepRequest& request) {
  const tracelite::Store store = open_to_read(request.database);
  ProgressLine progress("copying", "entries");
  const tl_status status =
      tl_backup(store.get(), request.destination.c_str(), ProgressLine::callback, &progress);
  progress.erase();
  stop_if_interrupted();
  tracelite::require(status);
  if (request.json) {
    JsonWriter json(output);
    json.begin_object().key("ok").boolean(true).key("path").text(request.destination);
    json.end_object().end_line();
  } else {
    output.write("copied to " + printable(request.destination) + "\n");
  }
  return kExitOk;
}

void show_salvaged(Output& output, const tl_salvage_report& report) {
  output.write("brought out: " + plural(report.trace_count, "trace") + ", " +
               plural(report.observation_count, "observation") + ", " +
               plural(report.score_count, "score") + ", " +
               plural(report.session_count, "session") + ", " +
               plural(report.payload_count, "payload") + ", " + format_count(report.medium_count) +
               " media\n");
  output.write("left behind: " + plural(report.lost_record_count, "record") + ", " +
               plural(report.lost_payload_count, "payload") + ", " +
               plural(report.lost_value_count, "stored value") + ", " +
               plural(report.lost_page_count, "page") + "\n");
  if (report.doubtful_count == 0) return;
  output.write("perhaps older than it was: " + plural(report.doubtful_count, "stored value") +
               "\n");
}

void show_salvaged_as_json(Output& output, const tl_salvage_report& report, bool is_all) {
  JsonWriter json(output);
  json.begin_object().key("ok").boolean(is_all);
  json.key("traces").count(report.trace_count);
  json.key("observations").count(report.observation_count);
  json.key("scores").count(report.score_count);
  json.key("sessions").count(report.session_count);
  json.key("payloads").count(report.payload_count);
  json.key("media").count(report.medium_count);
  json.key("lostRecords").count(report.lost_record_count);
  json.key("lostPayloads").count(report.lost_payload_count);
  json.key("lostValues").count(report.lost_value_count);
  json.key("lostPages").count(report.lost_page_count);
  json.key("doubtful").count(report.doubtful_count);
  json.end_object().end_line();
}

// The library never opens the damaged file, so there is nothing to trust.
int run_salvage(Output& output, const KeepRequest& request) {
  refuse_as_output(request.database);
  ProgressLine progress("salvaging", "steps");
  Findings findings{output, progress, JsonWriter(output), request.json};
  tl_salvage_report report{};
  report.struct_size = sizeof report;
  const tl_status status =
      tl_salvage(request.database.c_str(), request.destination.c_str(), Findings::callback,
                 &findings, ProgressLine::callback, &progress, &report);
  progress.erase();
  if (findings.thrown != nullptr) std::rethrow_exception(findings.thrown);
  stop_if_interrupted();
  tracelite::require(status);
  const bool is_all = report.lost_record_count + report.lost_payload_count +
                          report.lost_value_count + report.lost_page_count +
                          report.doubtful_count ==
                      0;
  if (request.json) {
    show_salvaged_as_json(output, report, is_all);
  } else {
    show_salvaged(output, report);
  }
  output.flush();
  if (is_all) return kExitOk;
  complain("not everything could be brought out of " + request.database + "; what could is in " +
           request.destination + "; keep the damaged file until you need nothing more of it");
  return kExitFailure;
}

using AddDatabase = CLI::Option*(CLI::App& command, std::string& database);

std::shared_ptr<KeepRequest> add_keep(CLI::App& app, Action& action, const char* name,
                                      const char* description,
                                      int (*run)(Output&, const KeepRequest&),
                                      AddDatabase* add_file = add_database) {
  auto request = std::make_shared<KeepRequest>();
  CLI::App& command = *app.add_subcommand(name, description)->group("Keeping");
  add_file(command, request->database);
  add_json(command, request->json, "JSON");
  command.callback([request, run, &action] {
    action = [request, run](Output& output) { return run(output, *request); };
  });
  return request;
}

int run_version(Output& output, bool as_json) {
  if (as_json) {
    JsonWriter json(output);
    json.begin_object().key("version").text(tl_version()).end_object().end_line();
  } else {
    output.write("tracelite " + std::string(tl_version()) + "\n");
  }
  return kExitOk;
}

}  // namespace

void add_flags(CLI::App& app, Action& action) {
  for (const Flag& flag : kFlags) add_flag(app, action, flag);
}

void add_keeping(CLI::App& app, Action& action) {
  const auto stats = add_keep(app, action, "stats", "Show how much is in the file", run_stats,
                              add_database_to_read);
  app.get_subcommand("stats")->add_flag("--space", stats->space,
                                        "Where the bytes of the file are, by key space and table");
  add_keep(app, action, "check",
           "Check the whole file; says ok, or what is wrong (with --trust: all of it)", run_check,
           add_database_to_read);
  add_keep(app, action, "reindex", "Rebuild the index from the records", run_reindex);
  add_keep(app, action, "compact", "Write the file anew, as small as it can be; others may use it",
           run_compact);
  const auto backup = add_keep(app, action, "backup", "Copy the file while others use it",
                               run_backup, add_database_to_read);
  app.get_subcommand("backup")
      ->add_option("OUT", backup->destination, "The file to make; it must not exist")
      ->required()
      ->type_name("");
  const auto salvage =
      add_keep(app, action, "salvage",
               "Bring what can still be read of a damaged file into a new one", run_salvage);
  app.get_subcommand("salvage")
      ->add_option("OUT", salvage->destination, "The file to make; it must not exist")
      ->required()
      ->type_name("");
  auto as_json = std::make_shared<bool>(false);
  CLI::App& command = *app.add_subcommand("version", "Show the version")->group("Keeping");
  add_json(command, *as_json, "JSON");
  command.callback([as_json, &action] {
    action = [as_json](Output& output) { return run_version(output, *as_json); };
  });
}

}  // namespace cli
