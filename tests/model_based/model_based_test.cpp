// Random sequences of everything that the API does, by two processes with threads, which are killed
// and started anew, against a model kept in maps. TL_SEED repeats a run; a run that fails is made
// shorter as long as it goes on failing, and its steps are printed.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <iostream>
#include <optional>

#include "model_based/run.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

namespace tracelite::model_based {
namespace {

using store::test::fast_folder;
using store::test::Folder;

constexpr std::size_t kStepCount = 120;
constexpr std::uint64_t kUsualRunCount = test::kUnderSanitizer ? 5 : 12;
constexpr std::uint64_t kShorteningCountMax = 300;

// What went wrong, and at which step; nothing if all is well.
struct Finding {
  std::size_t step;
  std::string what;
};
std::optional<Finding> play(const std::vector<Step>& steps, Fault fault) {
  const Folder folder(fast_folder());
  Run run(folder.file("run.tl"), fault);
  std::size_t at = 0;
  try {
    for (; at < steps.size(); ++at) run.play(steps[at]);
    run.finish();
  } catch (const Broken& broken) {
    return Finding{at, broken.what() + run.diagnosis()};
  }
  return std::nullopt;
}

// Leaves out what it fails without, in smaller and smaller pieces.
std::vector<Step> shortened(std::vector<Step> steps, Finding& finding, Fault fault) {
  steps.resize(std::min(steps.size(), finding.step + 1));
  std::uint64_t tries = 0;
  for (std::size_t piece = steps.size() / 2; piece > 0; piece /= 2) {
    for (std::size_t from = 0; from < steps.size() && tries < kShorteningCountMax;) {
      std::vector<Step> fewer = steps;
      const std::size_t to = std::min(from + piece, steps.size());
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(from),
                  fewer.begin() + static_cast<std::ptrdiff_t>(to));
      ++tries;
      if (const auto still = play(fewer, fault)) {
        finding = *still;
        steps = std::move(fewer);
      } else {
        from += piece;
      }
    }
  }
  return steps;
}

std::string told(const std::vector<Step>& steps, const Finding& finding, std::uint64_t seed) {
  std::string text = "TL_SEED=" + std::to_string(seed) + ": " + finding.what + ", at step " +
                     std::to_string(finding.step + 1) + " of\n";
  for (const Step& step : steps) text += "  " + text_of(step) + "\n";
  return text;
}

struct WithoutBrokenPipes {
  WithoutBrokenPipes() { signal(SIGPIPE, SIG_IGN); }
  ~WithoutBrokenPipes() { signal(SIGPIPE, SIG_DFL); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(model_based, WithoutBrokenPipes,
                         *boost::unit_test::precondition(test::not_under_thread_sanitizer))

BOOST_AUTO_TEST_CASE(whatever_is_done_the_file_has_what_the_model_has) {
  const test::Torture torture("model");
  const std::uint64_t first_seed = store::test::random_seed();
  std::uint64_t cases = 0;
  while (torture.wants_more(cases, test::number_from("TL_RUNS", kUsualRunCount))) {
    const std::uint64_t seed = first_seed + cases++;
    const std::vector<Step> steps = random_steps(seed, kStepCount);
    auto finding = play(steps, Fault::none);
    if (!finding) continue;
    // Making it shorter may take minutes.
    std::cout << "TL_SEED=" << seed << ": " << finding->what << std::endl;
    const std::vector<Step> fewer = shortened(steps, *finding, Fault::none);
    BOOST_ERROR(told(fewer, *finding, seed));
    break;
  }
  torture.report(cases, test::failures(), first_seed);
}

// That it can find something.
BOOST_AUTO_TEST_CASE(a_change_that_is_lost_is_found_and_shown_in_a_few_steps) {
  for (const Fault fault : {Fault::forgets_a_change, Fault::erases_too_little}) {
    const std::uint64_t seed = store::test::random_seed();
    std::vector<Step> steps;
    std::optional<Finding> finding;
    for (std::uint64_t tries = 0; !finding && tries < 30; ++tries) {
      steps = random_steps(seed + tries, kStepCount);
      finding = play(steps, fault);
    }
    BOOST_REQUIRE(finding.has_value());
    const std::vector<Step> fewer = shortened(steps, *finding, fault);
    BOOST_TEST(fewer.size() <= 12U, told(fewer, *finding, seed));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::model_based
