#include "bench/json_line.hpp"

#include <array>
#include <cstdio>

#include "payload/json_scanner.hpp"

namespace bench {
namespace {

std::string formatted(const char* format, double number) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

}  // namespace

void JsonLine::start(std::string_view name) {
  text_ += text_.empty() ? '{' : ',';
  tracelite::payload::append_json_string(text_, name);
  text_ += ':';
}

JsonLine& JsonLine::add(std::string_view name, std::string_view text) {
  start(name);
  tracelite::payload::append_json_string(text_, text);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, double number) {
  start(name);
  text_ += formatted("%.10g", number);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, std::uint64_t number) {
  start(name);
  text_ += std::to_string(number);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, bool flag) {
  start(name);
  text_ += flag ? "true" : "false";
  return *this;
}

JsonLine& JsonLine::add_ratio(std::string_view name, double ratio) {
  start(name);
  text_ += formatted("%.3f", ratio);
  return *this;
}

void JsonLine::print() {
  std::printf("%s}\n", text_.c_str());
  std::fflush(stdout);
}

void print_note(const std::string& text) { JsonLine("note", text).print(); }

}  // namespace bench
