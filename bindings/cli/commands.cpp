#include "commands.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "human_text.hpp"
#include "verified_files.hpp"

namespace cli {
namespace {

// Signals go to the main thread, which notes them; the library's threads inherit this mask.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t held{};
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  ~SignalsHeldBack() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_{};
};

// Of the command line.
bool trusts_file = false;
bool reads_immutable = false;

bool looks_through = false;
bool warned_while_opening = false;

void log_opening(void*, tl_log_level level, tl_reason, const char* message) {
  if (level < TL_LOG_WARNING) return;
  warned_while_opening = true;
  complain(message);
}

// Looks the file through, unless that was done before and nothing was to be said of it. What is
// remembered is the file that was opened, as it was before and after.
tracelite::Store look_through_and_open(const std::string& database, tl_options options) {
  const VerifiedFiles verified;
  const auto state = VerifiedFiles::state_of(database);
  if (!state || trusts_file) return tracelite::Store(database, options);
  if (verified.contains(*state)) {
    tracelite::Store store(database, options);
    if (VerifiedFiles::state_if_open(*state)) return store;
  }
  looks_through = true;
  options.flags |= TL_OPEN_UNTRUSTED;
  if (options.log == nullptr) options.log = log_opening;
  tracelite::Store store(database, options);
  const auto opened = VerifiedFiles::state_if_open(*state);
  if (!warned_while_opening && opened && opened->line == state->line) verified.add(*state);
  return store;
}

std::string salvage_command(const std::string& database) {
  return "tracelite salvage " + quoted(database) + " NEW.tl";
}

// Throws what is to be said where a file cannot be opened, if that is more than the library says.
void explain(const tracelite::Error& error, const std::string& database) {
  std::string message = error.what();
  if (error.status() == TL_CORRUPT) {
    std::string advice = advice_on_damage(database);
    // What is wrong with its heads and its size is so whether or not the file is trusted.
    const bool would_go_on = looks_through && error.field().empty();
    if (would_go_on) {
      advice +=
          "; if you know where the file comes from, see all that is wrong with: "
          "tracelite check --trust " +
          immutable_option() + quoted(database);
    }
    throw Damaged(message, advice);
  }
  if (error.status() == TL_NOT_TRACELITE) {
    std::error_code ignored;
    if (std::filesystem::file_size(database, ignored) == 0) return;
    throw std::runtime_error(
        message + "; if it was one, bring out what can be read with: " + salvage_command(database));
  }
  constexpr std::string_view kFlag = "TL_OPEN_IMMUTABLE";
  const std::size_t flag = message.find(kFlag);
  if (flag != std::string::npos) {
    throw std::runtime_error(message.replace(flag, kFlag.size(), "--immutable"));
  }
}

tracelite::Store open(const std::string& database, const tl_options& options) {
  refuse_as_output(database);
  const SignalsHeldBack held;
  try {
    return look_through_and_open(database, options);
  } catch (const tracelite::Error& error) {
    explain(error, database);
    throw;
  }
}

// Errors that no call returns, such as those of a writer that keeps trying.
void log(void*, tl_log_level level, tl_reason, const char* message) {
  if (level >= TL_LOG_ERROR) complain(message);
}

}  // namespace

CLI::Option* add_database(CLI::App& command, std::string& database) {
  command.add_flag("--trust", trusts_file,
                   "Use the file without looking it through, which is done before its first use "
                   "in each state; one that was made to do harm can do it then");
  return command.add_option("DB", database, "The tracelite file")->required()->type_name("");
}

CLI::Option* add_database_to_read(CLI::App& command, std::string& database) {
  CLI::Option* option = add_database(command, database);
  command.add_flag("--immutable", reads_immutable,
                   "Nobody writes the file meanwhile, and it is read without a lock file: for one "
                   "in a folder that may not be written");
  return option;
}

CLI::Option* add_json(CLI::App& command, bool& json, const std::string& description) {
  return command.add_flag("--json", json, description);
}

CLI::Option* add_as_stored(CLI::App& command, bool& as_stored) {
  return command.add_flag("--as-stored", as_stored,
                          "With --json: references in the place of media, as people see them");
}

bool is_open_as(int descriptor, const std::string& path) {
  struct stat here {};
  struct stat there {};
  return fstat(descriptor, &here) == 0 && stat(path.c_str(), &there) == 0 &&
         S_ISREG(there.st_mode) && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

void refuse_as_output(const std::string& database) {
  if (!is_open_as(STDOUT_FILENO, database)) return;
  throw WrongUse("what is written here would go over " + database +
                 " itself; send standard output to another file");
}

tracelite::Store open_to_read(const std::string& database) {
  tl_options options = tracelite::Store::options();
  options.read_only = 1;
  if (reads_immutable) options.flags |= TL_OPEN_IMMUTABLE;
  try {
    return open(database, options);
  } catch (const tracelite::Error& error) {
    if (error.status() != TL_NOT_FOUND) throw;
    const std::filesystem::path folder = std::filesystem::absolute(database).parent_path();
    std::error_code ignored;
    throw std::runtime_error(
        std::filesystem::is_directory(folder, ignored)
            ? "there is no file " + database +
                  "; give the name of one that exists, or make it with: tracelite import " +
                  quoted(database) + " EVENTS"
            : "there is no file " + database + ", and no folder " + folder.string() +
                  "; give the name of a file that exists");
  }
}

tracelite::Store open_to_change(const std::string& database) {
  struct stat found {};
  if (stat(database.c_str(), &found) != 0 && errno == ENOENT) {
    return open_to_read(database);  // for its error
  }
  return open_to_record(database);
}

tracelite::Store open_to_record(const std::string& database, int compression_level,
                                tl_durability durability) {
  tl_options options = tracelite::Store::options();
  options.compression_level = compression_level;
  options.durability = durability;
  options.log = log;
  return open(database, options);
}

std::string trust_option() { return trusts_file ? "--trust " : ""; }
std::string immutable_option() { return reads_immutable ? "--immutable " : ""; }

std::string advice_on_damage(const std::string& database) {
  return "use a backup that you have, or bring out what can be read with: " +
         salvage_command(database);
}

std::string not_found_message(const std::string& database, const std::string& kind,
                              const std::string& id) {
  return "there is no " + kind + " " + printable(id) + " in " + database +
         "; see what there is with: tracelite " + kind + "s " + trust_option() +
         immutable_option() + quoted(database);
}

void complain(const std::string& message) {
  std::fprintf(stderr, "tracelite: %s\n", message.c_str());
}

}  // namespace cli
