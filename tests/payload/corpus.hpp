// Recorded conversations beside the checkout, where they are at hand.
#pragma once

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tracelite::test {

inline std::filesystem::path corpus() {
  return std::filesystem::path(TL_TESTS_DIR) / "../../shared/corpus";
}

// A precondition.
inline boost::test_tools::assertion_result corpus_is_there(
    boost::unit_test::test_unit_id /*unit*/) {
  boost::test_tools::assertion_result found(std::filesystem::is_directory(corpus()));
  found.message() << "no recorded conversations beside the project";
  return found;
}

// The content of each JSON file, and each line of JSON Lines.
inline std::vector<std::string> corpus_texts() {
  std::vector<std::string> texts;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus())) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".json" && extension != ".jsonl") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    if (extension == ".json") {
      texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    } else {
      for (std::string line; std::getline(file, line);) texts.push_back(line);
    }
  }
  return texts;
}

}  // namespace tracelite::test
