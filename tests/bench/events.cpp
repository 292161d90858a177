#include "bench/events.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "bench/json_line.hpp"

namespace bench {
namespace {

std::string output_of(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string text;
  std::array<char, 1 << 16> buffer{};
  std::size_t size_bytes = 0;
  while ((size_bytes = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    text.append(buffer.data(), size_bytes);
  }
  if (pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return text;
}

std::string minute_second(int second) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d", second / 60 % 60, second % 60);
  return text.data();
}

// Sessions of ten turns; each turn is a trace with one generation that sends the whole history.
std::string synthetic_stream() {
  constexpr int kSessionCount = 40;
  constexpr int kTurnCount = 10;
  std::string text;
  for (int session = 0; session < kSessionCount; ++session) {
    const std::string session_id = "session-" + std::to_string(session);
    std::string history;
    for (int turn = 0; turn < kTurnCount; ++turn) {
      const std::string id = session_id + "-" + std::to_string(turn);
      const std::string at = "2025-01-01T" + std::string(session < 20 ? "1" : "2") +
                             std::to_string(session % 3) + ":" +
                             minute_second(session * 60 + turn) + "Z";
      if (!history.empty()) history += ',';
      history += R"({"role":"user","content":"question )" + id + " " +
                 std::string(static_cast<std::size_t>(100 + turn * 50), 'q') + "\"}";
      const std::string head = "\",\"timestamp\":\"" + at + "\",\"type\":\"";
      text +=
          "{\"id\":\"g-" + id + head + R"(generation-create","body":{"id":"o-)" + id +
          R"(","traceId":")" + id + R"(","name":"agent","startTime":")" + at + R"(","endTime":")" +
          at + R"(","environment":"test","model":"model-)" + std::to_string(session % 3) +
          R"(","level":")" + (turn % 5 == 4 ? "ERROR" : "DEFAULT") + R"(","input":{"messages":[)" +
          history + R"(]},"output":{"content":"answer )" + id +
          R"("},"usageDetails":{"input":100,"output":20},"costDetails":{"total":0.01}}})" + "\n";
      text += "{\"id\":\"t-" + id + head + R"(trace-create","body":{"id":")" + id +
              R"(","timestamp":")" + at + R"(","name":"turn","userId":"user-)" +
              std::to_string(session % 10) + R"(","sessionId":")" + session_id +
              R"(","tags":["tag-)" + std::to_string(session % 4) +
              R"("],"environment":"test","input":"question","output":"answer"}})" + "\n";
    }
    text += "{\"id\":\"s-" + session_id + R"(","timestamp":"2025-01-02T00:00:00Z",)" +
            R"("type":"score-create","body":{"id":"score-)" + session_id +
            R"(","name":"reward","value":1,"sessionId":")" + session_id + "\"}}\n";
  }
  return text;
}

}  // namespace

Events::Events(std::string name, std::string text)
    : name_(std::move(name)), bytes_(std::move(text)), size_bytes_(bytes_.size()) {
  bytes_.append(kPaddingSizeBytes, '\0');
  std::string_view rest = this->text();
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (const std::string_view line = rest.substr(0, end); !line.empty()) lines_.push_back(line);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

Events Events::of_source(const std::string& source) {
  const std::string script = TL_SOURCE_DIR "/../shared/corpus/make_events.py";
  if (!std::filesystem::exists(script)) {
    print_note("no corpus beside the checkout: a small synthetic stream instead of " + source);
    return {"synthetic", synthetic_stream()};
  }
  return {source, output_of("python3 '" + script + "' '" + source + "'")};
}

Events Events::of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {"events", std::string(std::istreambuf_iterator<char>(file), {})};
}

}  // namespace bench
