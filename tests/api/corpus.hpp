// Recorded conversations as events, where they are at hand.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

namespace tracelite::api::test {

inline std::filesystem::path make_events() {
  return std::filesystem::path(TL_TESTS_DIR) / ".." / ".." / "shared" / "corpus" / "make_events.py";
}

// A precondition.
inline boost::test_tools::assertion_result corpus_is_here(boost::unit_test::test_unit_id /*unit*/) {
  if (std::filesystem::exists(make_events())) return true;
  boost::test_tools::assertion_result no(false);
  no.message() << "skipped: the corpus is not beside this checkout";
  return no;
}

// What make_events.py writes with these arguments.
inline std::string corpus_events(const std::string& arguments) {
  const std::string command = "python3 '" + make_events().string() + "' " + arguments;
  std::FILE* const pipe = popen(command.c_str(), "r");
  BOOST_REQUIRE(pipe != nullptr);
  std::string text;
  std::string buffer(std::size_t{1} << 16, '\0');
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer, 0, size);
  }
  BOOST_REQUIRE(pclose(pipe) == 0);
  return text;
}

}  // namespace tracelite::api::test
