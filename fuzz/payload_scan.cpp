// Aims at: lib/payload/json_scanner.cpp lib/payload/json_walker.cpp lib/payload/json_text.cpp
//
// The JSON scanner against RapidJSON, which by the flags below checks the same grammar: each takes
// what the other takes, and an error lies where the text can no longer become JSON. What the
// scanner takes is walked, converted and written anew.

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "fuzz/input.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::fuzz {
namespace {

// Iterative, so that nesting costs no stack; numbers as text, because large ones are refused else.
constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
                            rapidjson::kParseNumbersAsStringsFlag;
constexpr std::size_t kWalkedSizeBytesMax = std::size_t{1} << 16;

// nullopt: RapidJSON has rules of its own here, beyond the grammar.
std::optional<bool> oracle(Bytes text) {
  if (text.find('\0') != Bytes::npos) return false;  // its own sign of the end
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  rapidjson::BaseReaderHandler<> nothing;
  if (!reader.Parse<kFlags>(stream, nothing).IsError()) return true;
  switch (reader.GetParseErrorCode()) {
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
    case rapidjson::kParseErrorNumberTooBig:
      return std::nullopt;
    default:
      return false;
  }
}

// Not only an error, but the right one: what stands before it could have become JSON, and what
// stands up to it cannot.
void check_error(Bytes text, const payload::JsonError& error) {
  if (error.at_end) {
    require(error.offset == text.size(), "an error at the end lies at the end");
    return;
  }
  require(error.offset < text.size(), "an error lies in the text");
  const auto before = payload::check_json(text.substr(0, error.offset));
  require(!before || before->at_end, "the text before an error could become JSON");
  const auto with = payload::check_json(text.substr(0, error.offset + 1));
  require(with && !with->at_end, "the text up to an error cannot become JSON");
}

void check_string(Bytes text) {
  std::string written;
  payload::append_json_string(written, text);
  require(!payload::check_json(written), "a string that was written is JSON");
  const std::string read = payload::unescape_json(Bytes(written).substr(1, written.size() - 2));
  require(payload::is_valid_utf8(read), "a string that was read is UTF-8");
  if (payload::is_valid_utf8(text)) require(read == text, "a string comes back as it was");
}

void walk(Bytes checked) {
  std::vector<Bytes> waiting = {checked};
  for (std::size_t walked = 0; !waiting.empty() && walked < kWalkedSizeBytesMax;) {
    const Bytes value = waiting.back();
    waiting.pop_back();
    walked += value.size();
    const auto type = payload::json_type(value);
    require(type.has_value(), "a value has a type");
    if (type == payload::JsonType::string) {
      check_string(payload::unescape_json(value.substr(1, value.size() - 2)));
    }
    payload::JsonWalker walker(value);
    const char* last = value.data();
    while (walker.next()) {
      require(!payload::check_json(walker.value()), "what is in a container is JSON");
      require(walker.value().data() >= last, "what is in a container comes in order");
      last = walker.value().data() + walker.value().size();
      require(last <= value.data() + value.size(), "what is in a container lies in it");
      check_string(payload::unescape_json(walker.key()));
      waiting.push_back(walker.value());
    }
  }
}

void check_accepted(Bytes text) {
  require(payload::is_valid_utf8(text), "JSON is UTF-8");
  std::string line;
  payload::append_one_line(line, text);
  require(line.find_first_of("\r\n") == std::string::npos, "one line is one line");
  require(!payload::check_json(line), "one line stays JSON");

  const Bytes value = text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const std::size_t size_bytes = value.find_last_not_of(" \t\r\n") + 1;
  if (value.front() == '{' || value.front() == '[' || value.front() == '"') {
    require(payload::skim_value(value) == size_bytes, "a value that is skimmed ends where it ends");
  }
  walk(value.substr(0, size_bytes));
}

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite;
  using namespace tracelite::fuzz;
  const Bytes text = as_bytes(data, size_bytes);
  const auto error = payload::check_json(text);
  const auto expected = oracle(text);
  if (expected) require(!error == *expected, "the scanner and RapidJSON agree");
  if (error) {
    check_error(text, *error);
  } else {
    check_accepted(text);
  }
  check_string(text);
  const auto skimmed = payload::skim_value(text);
  require(!skimmed || *skimmed <= text.size(), "what is skimmed lies in the text");
  return 0;
}
