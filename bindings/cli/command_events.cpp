// import and export: Langfuse ingestion events in and out.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "arguments.hpp"
#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"
#include "selection.hpp"

namespace cli {

using tracelite::view;

namespace {

constexpr std::uint64_t kWarningsShownMax = 20;

struct ImportRequest {
  std::string database;
  std::string file;
  bool json = false;
  bool all_warnings = false;
  int compression_level = 0;  // the default
  tl_durability durability = TL_DURABILITY_SYNC;
};

// An open file that is read from its beginning to its end.
class Input {
 public:
  explicit Input(const std::string& file)
      : name_(file), descriptor_(file == "-" ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY)) {
    struct stat found {};
    if (descriptor_ < 0 || fstat(descriptor_, &found) != 0) fail(errno);
    if (S_ISDIR(found.st_mode)) fail(EISDIR);
    if (S_ISREG(found.st_mode)) size_bytes_ = static_cast<std::uint64_t>(found.st_size);
  }
  ~Input() {
    if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }  // 0: not known
  [[nodiscard]] bool is_file(const std::string& path) const {
    return is_open_as(descriptor_, path);
  }
  // A tl_read_fn, with an Input as its context.
  static std::int64_t read(void* context, void* buffer, std::size_t capacity_bytes) {
    auto& self = *static_cast<Input*>(context);
    while (!is_interrupted()) {
      const ssize_t got = ::read(self.descriptor_, buffer, capacity_bytes);
      if (got >= 0) return got;
      if (errno == EINTR) continue;
      self.error_ = errno;
      break;
    }
    return -1;
  }
  // Throws what read() met, if anything.
  void rethrow() const {
    if (error_ != 0) fail(error_);
  }

 private:
  [[noreturn]] void fail(int code) const {
    throw std::system_error(code, std::generic_category(), "cannot read " + name_);
  }
  std::string name_;
  int descriptor_;
  int error_ = 0;
  std::uint64_t size_bytes_ = 0;
};

// ---------------------------------------------------------------------------------------- import

// Tells what became of the events that did not simply succeed.
class Outcomes {
 public:
  Outcomes(Output& output, ProgressLine& progress, const ImportRequest& request)
      : json_(output), progress_(progress), request_(request) {}

  // A tl_outcome_fn, with Outcomes as its context.
  static void callback(void* context, const tl_outcome* outcome) {
    auto& self = *static_cast<Outcomes*>(context);
    if (self.thrown_ != nullptr) return;
    try {
      if (outcome->http_status >= 300 || outcome->is_warning != 0) self.tell(*outcome);
    } catch (...) {
      self.thrown_ = std::current_exception();  // must not pass through C
    }
  }
  void finish(const tl_import_report& report, Output& output) {
    if (request_.json) {
      json_.begin_object();
      json_.key("events").count(report.event_count);
      json_.key("succeeded").count(report.succeeded_count);
      json_.key("warned").count(report.warned_count);
      json_.key("failed").count(report.failed_count);
      json_.key("ignored").count(report.ignored_count);
      json_.end_object().end_line();
      return;
    }
    for (const auto& [reason, count] : untold_) {
      complain(plural(count, "more warning") + " (" + reason + "); list them with --all-warnings");
    }
    output.write(plural(report.event_count, "event") + ": " + format_count(report.succeeded_count) +
                 " succeeded, " + format_count(report.warned_count) + " of them with warnings, " +
                 format_count(report.failed_count) + " failed");
    if (report.ignored_count > 0) {
      output.write(", " + format_count(report.ignored_count) + " ignored");
    }
    output.write("\n");
  }
  void rethrow() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  }

 private:
  void tell(const tl_outcome& outcome) {
    const char* reason = tl_reason_name(outcome.reason);
    const std::string reason_name = reason == nullptr ? "unknown" : reason;
    if (request_.json) return write_json(outcome, reason_name);
    const bool is_warning = outcome.is_warning != 0;
    if (is_warning && !request_.all_warnings && ++warnings_told_ > kWarningsShownMax) {
      ++untold_[reason_name];
      return;
    }
    progress_.erase();
    std::string line = is_warning ? "warning: " : "failed: ";
    line += "line " + std::to_string(outcome.line);
    if (outcome.event_id.data != nullptr) line += ", event " + printable(view(outcome.event_id));
    if (outcome.field.data != nullptr && outcome.field.size_bytes > 0) {
      line += ", " + printable(view(outcome.field));
    }
    std::fprintf(stderr, "%s: %s\n", line.c_str(), printable(view(outcome.message)).c_str());
  }

  void write_json(const tl_outcome& outcome, const std::string& reason_name) {
    const auto text = [&](tl_text value) {
      value.data == nullptr ? json_.null() : json_.text(view(value));
    };
    json_.begin_object();
    json_.key("id");
    text(outcome.event_id);
    json_.key("status").count(static_cast<std::uint64_t>(outcome.http_status));
    json_.key("warning").boolean(outcome.is_warning != 0);
    json_.key("line").count(outcome.line);
    json_.key("index").count(outcome.index);
    json_.key("field");
    text(outcome.field);
    json_.key("reason").text(reason_name);
    json_.key("message");
    text(outcome.message);
    json_.end_object().end_line();
  }

  JsonWriter json_;
  ProgressLine& progress_;
  const ImportRequest& request_;
  std::exception_ptr thrown_;
  std::uint64_t warnings_told_ = 0;
  std::map<std::string, std::uint64_t> untold_;  // by reason
};

int run_import(Output& output, const ImportRequest& request) {
  Input input(request.file);
  if (input.is_file(request.database)) {
    throw WrongUse("the events and the tracelite file are the same: " + request.database);
  }
  tracelite::Store store =
      open_to_record(request.database, request.compression_level, request.durability);
  ProgressLine progress("importing", "bytes");
  progress.set_total(input.size_bytes());
  Outcomes outcomes(output, progress, request);
  tl_import_report report{};
  report.struct_size = sizeof report;
  const tl_status status =
      tl_import(store.get(), TL_FORMAT_LANGFUSE, Input::read, &input, Outcomes::callback, &outcomes,
                ProgressLine::callback, &progress, &report);
  progress.erase();
  // What is told next would take the place of the reason.
  std::exception_ptr failure;
  if (status != TL_OK && status != TL_CANCELLED) {
    failure = std::make_exception_ptr(tracelite::Error(status, *tl_error()));
  }
  outcomes.rethrow();
  outcomes.finish(report, output);
  output.flush();
  if (failure != nullptr) std::rethrow_exception(failure);
  input.rethrow();
  if (status == TL_CANCELLED) complain("interrupted; what was read before is in the file");
  store.close();
  stop_if_interrupted();
  return report.failed_count == 0 ? kExitOk : kExitFailure;
}

// ---------------------------------------------------------------------------------------- export

struct ExportRequest {
  std::string database;
  Selection selection;
  bool json = false;
};

struct ExportTarget {
  Output& output;
  std::exception_ptr thrown;
  // A tl_write_fn, with an ExportTarget as its context.
  static std::int32_t write(void* context, const void* data, std::size_t size_bytes) {
    auto& self = *static_cast<ExportTarget*>(context);
    try {
      self.output.write({static_cast<const char*>(data), size_bytes});
      return 0;
    } catch (...) {
      self.thrown = std::current_exception();  // must not pass through C
      return 1;
    }
  }
};

int run_export(Output& output, ExportRequest& request) {
  const tracelite::Store store = open_to_read(request.database);
  ProgressLine progress("exporting", "traces");
  ExportTarget target{output, nullptr};
  const tl_filter filter = request.selection.filter();
  // On a terminal the events themselves show how far it is.
  const tl_status status =
      tl_export(store.get(), nullptr, &filter, TL_FORMAT_LANGFUSE, ExportTarget::write, &target,
                ProgressLine::callback, &progress);
  progress.erase();
  if (target.thrown != nullptr) std::rethrow_exception(target.thrown);
  stop_if_interrupted();
  tracelite::require(status);
  return kExitOk;
}

}  // namespace

void add_import_and_export(CLI::App& app, Action& action) {
  auto import_request = std::make_shared<ImportRequest>();
  CLI::App& import_command =
      *app.add_subcommand("import", "Record a stream of Langfuse ingestion events")
           ->group("Recording");
  add_database(import_command, import_request->database)
      ->description("The tracelite file; made where there is none");
  import_command
      .add_option("FILE", import_request->file,
                  "The events: a batch object, an array, one event, or JSON Lines of these; "
                  "- reads standard input")
      ->required()
      ->type_name("");
  import_command
      .add_option("--compression-level", import_request->compression_level,
                  "1 to 19, zstd's: higher is smaller and slower (default: 3)")
      ->type_name("LEVEL")
      ->check(CLI::Range(1, 19));
  const Words durabilities = {{"sync", TL_DURABILITY_SYNC},
                              {"last-commit", TL_DURABILITY_LAST_COMMIT}};
  import_command
      .add_option("--durability", import_request->durability,
                  "sync (default): every commit is synced; last-commit: half as many syncs, and a "
                  "power cut before the end may take the last commit")
      ->transform(one_of(durabilities))
      ->type_name("WORD");
  import_command.add_flag(
      "--all-warnings", import_request->all_warnings,
      "List every warning, not only the first " + std::to_string(kWarningsShownMax));
  add_json(import_command, import_request->json,
           "JSON Lines: each failure and warning, then the counts");
  import_command.footer(
      "Each event succeeds or fails by itself. Failures and warnings are listed on standard "
      "error,\n"
      "each with its line, event id and field.\n\n" +
      std::string(kExitCodes));
  import_command.callback([import_request, &action] {
    action = [import_request](Output& output) { return run_import(output, *import_request); };
  });

  auto export_request = std::make_shared<ExportRequest>();
  CLI::App& export_command =
      *app.add_subcommand("export", "Write events, of everything or of a selection of traces")
           ->group("Reading");
  add_database_to_read(export_command, export_request->database);
  add_json(export_command, export_request->json, "Accepted: an export is always JSON Lines");
  export_request->selection.add_options(export_command);
  export_command.callback([export_request, &action] {
    action = [export_request](Output& output) { return run_export(output, *export_request); };
  });
}

}  // namespace cli
