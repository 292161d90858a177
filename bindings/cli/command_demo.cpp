// demo: records a live agent session into a new file, and shows it with the other commands.

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "commands.hpp"
#include "demo_session.hpp"
#include "human_text.hpp"

namespace cli {
namespace {

struct DemoRequest {
  std::string program;
  std::string database;  // "": find a free name
};

bool exists(const std::string& path) {
  struct stat found {};
  return lstat(path.c_str(), &found) == 0;
}

std::string free_name() {
  const std::string stem = "tracelite-demo";
  std::string name = stem + ".tl";
  for (int number = 2; exists(name); ++number) name = stem + "-" + std::to_string(number) + ".tl";
  return name;
}

// Shows the conversation while it is recorded, piece by piece.
class Conversation {
 public:
  explicit Conversation(Output& output) : output_(output) {}
  void hear(std::string_view who, std::string_view piece) {
    constexpr std::size_t kNameWidth = 7;
    if (who != speaker_ || who == "user") {
      if (!speaker_.empty()) output_.write("\n");
      speaker_ = who;
      std::string name(who);
      name.resize(kNameWidth, ' ');
      output_.write("  " + output_.paint(Style::cyan, name));
    }
    output_.write(printable_piece(piece));
    if (output_.is_terminal()) output_.flush();
  }
  void end() {
    output_.write(output_.paint(Style::yellow, " … and the program stops here") + "\n");
  }

 private:
  // A piece keeps the space it begins with.
  static std::string printable_piece(std::string_view piece) {
    return (piece.substr(0, 1) == " " ? " " : "") + printable(piece);
  }
  Output& output_;
  std::string speaker_;
};

void show_command(Output& output, const std::string& command) {
  output.write("\n" + output.paint(Style::dim, "$ ") + output.paint(Style::bold, command) + "\n");
}

int run_demo(Output& output, const DemoRequest& request) {
  const std::string database = request.database.empty() ? free_name() : request.database;
  if (exists(database)) {
    throw std::runtime_error(database +
                             " exists already, and a demonstration goes into a new file: give "
                             "another name, or none");
  }
  output.write("Recording a live session of an agent into " + printable(database) + "\n\n");
  Conversation conversation(output);
  tracelite::Store store = open_to_record(database);
  const DemoSession recorded = record_demo_session(
      store, [&](std::string_view who, std::string_view piece) { conversation.hear(who, piece); });
  store.flush();
  store.close();
  conversation.end();

  const std::string file = quoted(database);
  show_command(output, "tracelite sessions " + file);
  show_sessions(output, database);
  show_command(output, "tracelite replay " + file + " " + recorded.session_id);
  show_replay(output, database, recorded.session_id);
  show_command(output, "tracelite trace " + file + " " + recorded.last_trace_id);
  show_trace(output, database, recorded.last_trace_id);

  const std::string program = quoted(request.program);
  output.write("\n" + output.paint(Style::bold, "Try next") + "\n");
  const auto propose = [&](const std::string& arguments, const std::string& why) {
    output.write("  " + program + " " + arguments + output.paint(Style::dim, "   # " + why) + "\n");
  };
  propose("replay " + file + " " + recorded.session_id + " --speed 4 --max-gap 1",
          "watch it happen");
  propose("observations " + file + " --level ERROR", "what went wrong");
  propose("export " + file, "all of it as Langfuse events");
  return kExitOk;
}

}  // namespace

void add_demo(CLI::App& app, Action& action, const std::string& program) {
  auto request = std::make_shared<DemoRequest>();
  request->program = program;
  CLI::App& command =
      *app.add_subcommand("demo", "Record a session of an agent into a new file, and show it")
           ->group("Recording");
  command
      .add_option("DB", request->database,
                  "The new file; without it tracelite-demo.tl, or the next free name like it")
      ->type_name("");
  command.callback([request, &action] {
    action = [request](Output& output) { return run_demo(output, *request); };
  });
}

}  // namespace cli
