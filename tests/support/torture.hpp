// How long and how often tests torture: briefly in `./dev test`, at length in
// `./dev torture`, which reads the lines that report() prints.
#pragma once

#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "support/sanitizers.hpp"

namespace tracelite::test {

class Torture {
 public:
  explicit Torture(std::string kind) : kind_(std::move(kind)) {
    if (const char* given = std::getenv("TL_TORTURE_SECONDS"); given != nullptr) {
      duration_ = std::chrono::seconds(std::strtoul(given, nullptr, 10));
    }
  }

  // Whether it goes on for a time, and not for a number of cases.
  [[nodiscard]] bool is_long() const { return duration_.count() > 0; }
  // Whether another case is due: by time, or up to `usual` cases (or as many as the variable says).
  [[nodiscard]] bool wants_more(std::uint64_t cases, std::uint64_t usual) const {
    if (is_long()) return std::chrono::steady_clock::now() - began_ < duration_;
    return cases < usual;
  }
  [[nodiscard]] std::chrono::seconds duration() const { return duration_; }

  void report(std::uint64_t cases, std::uint64_t faults, std::uint64_t seed) const {
    std::cout << "torture:\t" << kind_ << '\t' << cases << '\t' << faults << '\t' << seed << '\n';
  }

 private:
  std::string kind_;
  std::chrono::seconds duration_{0};
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// Of the test that runs, so far.
inline std::uint64_t failures() {
  const auto test = boost::unit_test::framework::current_test_case_id();
  return boost::unit_test::results_collector.results(test).p_assertions_failed.get();
}

// The variable as a number, or another one.
inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

}  // namespace tracelite::test
