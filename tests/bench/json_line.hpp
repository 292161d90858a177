// One result of a benchmark, as a line of JSON on standard output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

class JsonLine {
 public:
  // `kind` is the name of the first member: "bench", "note".
  JsonLine(std::string_view kind, std::string_view text) { add(kind, text); }

  JsonLine& add(std::string_view name, std::string_view text);
  JsonLine& add(std::string_view name, const char* text) {
    return add(name, std::string_view(text));
  }
  JsonLine& add(std::string_view name, double number);
  JsonLine& add(std::string_view name, std::uint64_t number);
  JsonLine& add(std::string_view name, bool flag);
  JsonLine& add_ratio(std::string_view name, double ratio);  // three decimals
  void print();

 private:
  void start(std::string_view name);

  std::string text_;
};

// A remark for whoever reads the output.
void print_note(const std::string& text);

}  // namespace bench
