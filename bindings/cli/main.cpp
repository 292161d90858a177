// The program `tracelite`: the command line over the C API.
//
// Here are the names of the commands, the exit codes, and the way in which every error ends.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "human_text.hpp"
#include "terminal.hpp"

namespace {

constexpr const char* kFooter =
    "`tracelite COMMAND --help` tells the options of a command.\n"
    "\n"
    "A list is a table for people; with --json it is JSON Lines in the shapes of Langfuse's "
    "public\n"
    "API. What goes wrong is told on standard error. Colours: on a terminal, unless NO_COLOR is "
    "set.\n"
    "\n";

// Where no command was meant by the arguments, CLI11 says only that one is missing.
std::string reason(const CLI::App& app, const CLI::ParseError& error) {
  if (!app.get_subcommands().empty()) return error.what();
  const auto unknown = app.remaining();
  if (unknown.empty()) return "a command is required";
  const bool is_option = unknown.front().starts_with('-');
  return std::string(is_option ? "there is no option '" : "there is no command '") +
         unknown.front() + "'";
}

int parse(CLI::App& app, int argc, char** argv) {
  try {
    std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    cli::keep_media_id(arguments);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    app.parse(std::move(arguments));
    return -1;
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
    cli::complain(reason(app, error) + "; see: tracelite" + command + " --help");
    return cli::kExitUsage;
  }
}

int run(const cli::Action& action) {
  try {
    cli::Output output;
    const int code = action(output);
    output.flush();
    return code;
  } catch (const cli::Interrupted& interrupted) {
    cli::end_by(interrupted);
  } catch (const cli::WrongUse& error) {
    cli::complain(error.what());
    return cli::kExitUsage;
  } catch (const std::exception& error) {
    cli::complain(error.what());
    return cli::kExitFailure;
  }
}

}  // namespace

int main(int argc, char** argv) {
  cli::use_unicode_widths();
  cli::note_signals();
  CLI::App app("Records what an LLM application does into one file, and gives it back.",
               "tracelite");
  cli::Action action;
  app.set_version_flag("--version", "tracelite " + std::string(tl_version()));
  app.require_subcommand(1);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.footer(cli::kExitCodes);  // of every command; the program's own says more
  cli::add_import_and_export(app, action);
  cli::add_lists(app, action);
  cli::add_trace(app, action);
  cli::add_replay(app, action);
  cli::add_tail(app, action);
  cli::add_media(app, action);
  cli::add_flags(app, action);
  cli::add_delete(app, action);
  cli::add_keeping(app, action);
  cli::add_demo(app, action, argc > 0 ? argv[0] : "tracelite");
  app.footer(std::string(kFooter) + cli::kExitCodes);
  const int code = parse(app, argc, argv);
  return code >= 0 ? code : run(action);
}
