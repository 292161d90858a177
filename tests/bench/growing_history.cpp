#include "bench/growing_history.hpp"

#include "model/time.hpp"
#include "payload/json_scanner.hpp"

namespace bench {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kWordCount = 4000;
constexpr std::int64_t kStart_ns = 1'735'689'600'000'000'000;  // 2025-01-01
constexpr std::int64_t kCall_ns = 10'000'000'000;

std::string quoted(std::string_view text) {
  std::string json;
  tracelite::payload::append_json_string(json, text);
  return json;
}

// The inside of a JSON string.
std::string escaped(std::string_view text) {
  const std::string json = quoted(text);
  return json.substr(1, json.size() - 2);
}

}  // namespace

std::string_view name_of(Growth growth) {
  switch (growth) {
    case Growth::plain:
      return "plain";
    case Growth::cache_control:
      return "moving cache_control";
    case Growth::compacted:
      return "compacted half way";
    case Growth::growing_first:
      return "growing first message";
    case Growth::escaped:
      return "escaped JSON";
  }
  return "";
}

GrowingHistory::GrowingHistory(Growth growth, std::uint32_t call_count)
    : growth_(growth), call_count_(call_count), random_(kSeed) {
  for (std::size_t i = 0; i < kWordCount; ++i) {
    std::string word;
    for (std::size_t length = 2 + random_() % 8; length > 0; --length) {
      word += static_cast<char>('a' + random_() % 26);
    }
    words_.push_back(word);
  }
  first_text_ = new_text(100, 100);
}

std::string GrowingHistory::new_text(std::size_t word_count_min, std::size_t word_count_max) {
  std::string text;
  std::size_t count = word_count_min + random_() % (word_count_max - word_count_min + 1);
  for (; count > 0; --count) {
    text += words_[random_() % words_.size()];
    const std::uint64_t behind = random_() % 32;
    text += behind == 0 ? ".\n" : behind == 1 ? " \"so\" " : " ";
  }
  new_text_size_bytes_ += text.size();
  return text;
}

std::string GrowingHistory::message(std::string_view role, const std::string& text,
                                    bool is_marked) const {
  std::string json = R"({"role":")" + std::string(role) + R"(","content":)";
  if (growth_ != Growth::cache_control) return json + quoted(text) + '}';
  json += R"([{"type":"text","text":)" + quoted(text);
  if (is_marked) json += R"(,"cache_control":{"type":"ephemeral"})";
  return json + "}]}";
}

void GrowingHistory::append(std::string& history, std::string_view role,
                            const std::string& text) const {
  const std::string json = "," + message(role, text);
  history += growth_ == Growth::escaped ? escaped(json) : json;
}

std::string GrowingHistory::input(const std::string& question) const {
  const std::string begin = R"({"messages":[)" + message("system", first_text_);
  const std::string end = "," + message("user", question, true) + "]}";
  if (growth_ != Growth::escaped) return begin + history_ + end;
  return R"({"body":")" + escaped(begin) + history_ + escaped(end) + "\"}";
}

void GrowingHistory::make_call() {
  const std::uint32_t call = made_count_++;
  if (growth_ == Growth::compacted && call == call_count_ / 2) {
    history_.clear();
    append(history_, "assistant", new_text(150, 150));
  }
  if (growth_ == Growth::growing_first) first_text_ += new_text(6, 12);
  const std::string question = new_text(5, 12);
  const std::string answer = new_text(10, 40);

  const std::string id = std::to_string(call);
  const std::int64_t start_ns = kStart_ns + call * kCall_ns;
  const std::string start = tracelite::model::format_time(start_ns);
  const std::string end = tracelite::model::format_time(start_ns + kCall_ns / 2);
  const std::string head = R"(","timestamp":")" + start + R"(","type":")";
  lines_ = R"({"id":"t-)" + id + head + R"(trace-create","body":{"id":"turn-)" + id +
           R"(","timestamp":")" + start + R"(","name":"turn","sessionId":"session"}})" + "\n";
  lines_ += R"({"id":"g-)" + id + head + R"(generation-create","body":{"id":"call-)" + id +
            R"(","traceId":"turn-)" + id + R"(","name":"agent","startTime":")" + start +
            R"(","endTime":")" + end + R"(","model":"model","input":)" + input(question) +
            R"(,"output":)" + message("assistant", answer) + "}}\n";
  append(history_, "user", question);
  append(history_, "assistant", answer);
  raw_size_bytes_ += lines_.size();
}

std::size_t GrowingHistory::read(char* buffer, std::size_t capacity_bytes) {
  if (read_bytes_ == lines_.size()) {
    if (made_count_ == call_count_) return 0;
    make_call();
    read_bytes_ = 0;
  }
  const std::size_t size_bytes = lines_.copy(buffer, capacity_bytes, read_bytes_);
  read_bytes_ += size_bytes;
  return size_bytes;
}

}  // namespace bench
