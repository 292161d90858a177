// Random JSON text that looks like what is recorded, and mutations that break it now and then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/random_seed.hpp"

namespace tracelite::test {

class RandomJson {
 public:
  explicit RandomJson(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }
  bool chance(std::size_t in) { return below(in) == 0; }

  std::string space() {
    static constexpr std::string_view kSpaces[] = {"", "", "", " ", "  ", "\n", "\r\n", "\t"};
    return std::string(kSpaces[below(std::size(kSpaces))]);
  }

  // What stands between the quotes.
  std::string string_inside() {
    static constexpr std::string_view kParts[] = {"a",
                                                  "the ",
                                                  "0",
                                                  "customer",
                                                  "[",
                                                  "]",
                                                  "{",
                                                  "}",
                                                  ",",
                                                  ":",
                                                  "/",
                                                  " ",
                                                  "\\\"",
                                                  "\\\\",
                                                  "\\n",
                                                  "\\/",
                                                  "\\t",
                                                  "\\u00e9",
                                                  "\\uD83D\\uDE00",
                                                  "\xc3\xa9",
                                                  "\xe4\xbd\xa0",
                                                  "\xf0\x9f\x98\x80",
                                                  "\xed\x9f\xbf",
                                                  "reservation_id",
                                                  "I would like to book a flight from "};
    std::string out;
    for (std::size_t n = below(chance(8) ? 60 : 8); n > 0; --n) {
      out += kParts[below(std::size(kParts))];
    }
    return out;
  }

  std::string scalar() {
    static constexpr std::string_view kScalars[] = {"null", "true", "false", "0",     "-1",
                                                    "17",   "1.5",  "-0.25", "1e5",   "2E-3",
                                                    "0.0",  "1e+2", "1000",  "-1.0e1"};
    if (chance(2)) return "\"" + string_inside() + "\"";
    return std::string(kScalars[below(std::size(kScalars))]);
  }

  struct Member {
    std::string key;  // between the quotes; empty in an array
    std::string value;
  };

  // One container and what is in it.
  std::string container(std::size_t depth, bool object, std::vector<Member>* members = nullptr) {
    std::string out = object ? "{" : "[";
    const std::size_t count = below(5);
    for (std::size_t i = 0; i < count; ++i) {
      Member member;
      out += (i == 0 ? "" : ",") + space();
      if (object) {
        member.key = string_inside();
        out += "\"" + member.key + "\"" + space() + ":" + space();
      }
      member.value = value(depth);
      out += member.value + space();
      if (members != nullptr) members->push_back(member);
    }
    return out + space() + (object ? "}" : "]");
  }

  std::string value(std::size_t depth) {
    if (depth == 0 || chance(3)) return scalar();
    return container(depth - 1, chance(2));
  }

  // Changes, removes, doubles or inserts some bytes.
  std::string mutated(std::string text) {
    static constexpr std::string_view kBytes =
        "\"\"\"\\\\{}[]::,,,0123456789.eE+-tfnu "
        "\n\t\r\x01\x1f\x7f\x80\xbf\xc0\xc3\xe0\xed\xf0\xf4\xff/'ad";
    for (std::size_t n = 1 + below(3); n > 0 && !text.empty(); --n) {
      const std::size_t at = below(text.size());
      const char byte = kBytes[below(kBytes.size())];
      switch (below(5)) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.erase(at, 1 + below(4));
          break;
        case 2:
          text.insert(at, 1, byte);
          break;
        case 3:
          text.insert(at, text.substr(at, 1 + below(6)));
          break;
        default:
          text.resize(at);
      }
    }
    return text;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace tracelite::test
