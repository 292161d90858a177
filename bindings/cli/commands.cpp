#include "commands.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

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

bool trusts_file = false;  // of the command line

bool warned_while_opening = false;

void log_opening(void*, tl_log_level level, tl_reason, const char* message) {
  if (level < TL_LOG_WARNING) return;
  warned_while_opening = true;
  complain(message);
}

// Looks the file through, unless that was done before and nothing was to be said of it.
tracelite::Store open(const std::string& database, tl_options options) {
  const SignalsHeldBack held;
  const VerifiedFiles verified;
  const auto state = VerifiedFiles::state_of(database);
  if (!state || trusts_file || verified.contains(*state)) {
    return tracelite::Store(database, options);
  }
  options.flags |= TL_OPEN_UNTRUSTED;
  if (options.log == nullptr) options.log = log_opening;
  try {
    tracelite::Store store(database, options);
    if (!warned_while_opening) verified.add(*state);
    return store;
  } catch (const tracelite::Error& error) {
    if (error.status() != TL_CORRUPT) throw;
    throw std::runtime_error(std::string(error.what()) +
                             "; take a backup instead, or bring out what can be read with: "
                             "tracelite salvage " +
                             database +
                             " NEW.tl; if you know where the file comes from, see all that is "
                             "wrong with: tracelite check --trust " +
                             database);
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

CLI::Option* add_json(CLI::App& command, bool& json, const std::string& description) {
  return command.add_flag("--json", json, description);
}

CLI::Option* add_as_stored(CLI::App& command, bool& as_stored) {
  return command.add_flag("--as-stored", as_stored,
                          "With --json: references in the place of media, as people see them");
}

tracelite::Store open_to_read(const std::string& database) {
  tl_options options = tracelite::Store::options();
  options.read_only = 1;
  try {
    return open(database, options);
  } catch (const tracelite::Error& error) {
    if (error.status() != TL_NOT_FOUND) throw;
    throw std::runtime_error("there is no file " + database +
                             "; give the name of one that exists, or make it with: tracelite "
                             "import " +
                             database + " EVENTS");
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

std::string not_found_message(const std::string& database, const std::string& kind,
                              const std::string& id) {
  return "there is no " + kind + " " + printable(id) + " in " + database +
         "; see what there is with: tracelite " + kind + "s " + database;
}

void complain(const std::string& message) {
  std::fprintf(stderr, "tracelite: %s\n", message.c_str());
}

}  // namespace cli
