// The commands of the program. Each file command_*.cpp adds its own to the command line; what the
// user chose is called after all arguments were understood.
//
// This header knows what the commands share. Must not know what any of them does.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <stdexcept>
#include <string>

#include "terminal.hpp"
#include "tracelite/tracelite.hpp"

namespace cli {

inline constexpr int kExitOk = 0;
// An error, a refused event, a finding of check or salvage, a question answered with no.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 an error, an event that import refused, a damage that check found,\n"
    "            something that salvage left behind, or a deletion that was not confirmed;\n"
    "            2 a wrong command line, and no terminal to ask on without --yes.";

// Arguments that cannot be meant, which only the files they name tell; ends with kExitUsage.
class WrongUse : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A file that was refused because it is damaged; what() is the finding and what to do about it.
class Damaged : public std::runtime_error {
 public:
  Damaged(const std::string& finding, const std::string& advice)
      : std::runtime_error(finding + "; " + advice), finding_(finding), advice_(advice) {}
  [[nodiscard]] const std::string& finding() const { return finding_; }
  [[nodiscard]] const std::string& advice() const { return advice_; }

 private:
  std::string finding_;
  std::string advice_;
};

// What the chosen command does; gives the exit code.
using Action = std::function<int(Output&)>;

void add_import_and_export(CLI::App& app, Action& action);
void add_lists(CLI::App& app, Action& action);
void add_trace(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_tail(CLI::App& app, Action& action);
void add_media(CLI::App& app, Action& action);
// Of the words behind the program's name: sees to it that the id of a medium is not taken for
// options.
void keep_media_id(std::vector<std::string>& arguments);
void add_flags(CLI::App& app, Action& action);
void add_delete(CLI::App& app, Action& action);
void add_keeping(CLI::App& app, Action& action);
// program: what to call it in the commands that it proposes.
void add_demo(CLI::App& app, Action& action, const std::string& program);

// What demo shows with other commands.
void show_sessions(Output& output, const std::string& database);
void show_replay(Output& output, const std::string& database, const std::string& session);
void show_trace(Output& output, const std::string& database, const std::string& trace);

// The positional argument DB, and --trust.
CLI::Option* add_database(CLI::App& command, std::string& database);
// The same for commands that call open_to_read alone: --immutable as well.
CLI::Option* add_database_to_read(CLI::App& command, std::string& database);
CLI::Option* add_json(CLI::App& command, bool& json, const std::string& description);
CLI::Option* add_as_stored(CLI::App& command, bool& as_stored);

// Whether the descriptor is of the regular file at the path, by whatever name it was opened.
bool is_open_as(int descriptor, const std::string& path);
// Throws WrongUse if standard output is the file itself, and would go over what it holds. Whatever
// opens one asks this first.
void refuse_as_output(const std::string& database);
// Opens an existing file; nothing is ever created.
tracelite::Store open_to_read(const std::string& database);
tracelite::Store open_to_change(const std::string& database);
// Opens a file, or creates it.
tracelite::Store open_to_record(const std::string& database, int compression_level = 0,
                                tl_durability durability = TL_DURABILITY_SYNC);

// "--trust " for a proposed command if this one was told so, else nothing.
std::string trust_option();
// The same with "--immutable ", for one that reads.
std::string immutable_option();
// What can be done about a damaged file, whatever is damaged.
std::string advice_on_damage(const std::string& database);
// For an id of that kind, which the file does not have.
std::string not_found_message(const std::string& database, const std::string& kind,
                              const std::string& id);
// Calls read() and, where it does not find what it looks for, throws an error that names it and the
// command that lists what there is.
template <class Read>
auto look_up(const std::string& database, const std::string& kind, const std::string& id,
             const Read& read) {
  try {
    return read();
  } catch (const tracelite::Error& error) {
    if (error.status() != TL_NOT_FOUND) throw;
    throw std::runtime_error(not_found_message(database, kind, id));
  }
}

// Writes `tracelite: message` to standard error.
void complain(const std::string& message);

}  // namespace cli
