// media: the bytes of one medium.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "human_text.hpp"
#include "json_rows.hpp"

namespace cli {

namespace {

constexpr std::size_t kPieceSizeBytes = std::size_t{1} << 20;

struct MediaRequest {
  std::string database;
  std::string id;
  bool json = false;
};

int run_media(Output& output, const MediaRequest& request) {
  const tracelite::Store store = open_to_read(request.database);
  const tracelite::Snapshot snapshot = store.snapshot();
  tl_medium medium{};
  try {
    medium = snapshot.medium(request.id);
  } catch (const tracelite::Error& error) {
    if (error.status() != TL_NOT_FOUND) throw;
    throw std::runtime_error("there is no medium " + printable(request.id) + " in " +
                             request.database +
                             "; give an id or a reference as trace and replay show them");
  }
  if (request.json) {
    JsonWriter json(output);
    json.begin_object().key("mime").text(tracelite::view(medium.mime));
    json.key("bytes").count(medium.size_bytes).key("uses").count(medium.use_count);
    json.end_object().end_line();
    return kExitOk;
  }
  for (std::uint64_t offset = 0; offset < medium.size_bytes; offset += kPieceSizeBytes) {
    stop_if_interrupted();
    output.write(snapshot.media(request.id, offset, kPieceSizeBytes));
  }
  return kExitOk;
}

}  // namespace

// One id in seventy begins with '-', as options do.
void keep_media_id(std::vector<std::string>& arguments) {
  constexpr std::size_t kIdSize = 22;
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  if (arguments.empty() || arguments.front() != "media") return;
  if (std::find(arguments.begin(), arguments.end(), "--") != arguments.end()) return;
  const auto id = std::find_if(arguments.begin(), arguments.end(), [&](const std::string& word) {
    return word.size() == kIdSize && word.front() == '-' &&
           word.find_first_not_of(kLetters) == std::string::npos;
  });
  if (id == arguments.end()) return;
  std::rotate(id, id + 1, arguments.end());
  arguments.insert(arguments.end() - 1, "--");
}

void add_media(CLI::App& app, Action& action) {
  auto request = std::make_shared<MediaRequest>();
  CLI::App& command = *app.add_subcommand("media", "Write the bytes of a medium, such as an image")
                           ->group("Reading");
  add_database_to_read(command, request->database);
  command.add_option("MEDIA_ID", request->id, "Its id, or a reference to it")
      ->required()
      ->type_name("");
  add_json(command, request->json, "One JSON object: its MIME type, size, and number of uses");
  command.callback([request, &action] {
    action = [request](Output& output) { return run_media(output, *request); };
  });
}

}  // namespace cli
