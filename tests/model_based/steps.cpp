#include "model_based/steps.hpp"

namespace tracelite::model_based {
namespace {

struct Share {
  Verb verb;
  std::uint32_t share;
  const char* name;
};
constexpr std::array kShares = {
    Share{Verb::put_trace, 12, "put_trace"},
    Share{Verb::put_observation, 18, "put_observation"},
    Share{Verb::put_score, 6, "put_score"},
    Share{Verb::put_session, 3, "put_session"},
    Share{Verb::put_secret, 3, "put_secret"},
    Share{Verb::import, 4, "import"},
    Share{Verb::put_bare_session, 2, "put_bare_session"},
    Share{Verb::begin, 8, "begin"},
    Share{Verb::update, 6, "update"},
    Share{Verb::append, 8, "append"},
    Share{Verb::end, 6, "end"},
    Share{Verb::record_by_threads, 2, "record_by_threads"},
    Share{Verb::flush, 5, "flush"},
    Share{Verb::reopen, 2, "reopen"},
    Share{Verb::erase, 3, "erase"},
    Share{Verb::erase_securely, 2, "erase_securely"},
    Share{Verb::compact, 1, "compact"},
    Share{Verb::compact_while_other_records, 1, "compact_while_other_records"},
    Share{Verb::reindex, 1, "reindex"},
    Share{Verb::end_all, 0, "end_all"},
    Share{Verb::put_beside, 0, "put_beside"},
    Share{Verb::fill, 0, "fill"},
    Share{Verb::retain_by_age, 2, "retain_by_age"},
    Share{Verb::retain_by_size, 1, "retain_by_size"},
    Share{Verb::crash_recording, 2, "crash_recording"},
    Share{Verb::crash_working, 1, "crash_working"},
    Share{Verb::compare, 4, "compare"},
    Share{Verb::browse, 4, "browse"},
    Share{Verb::walk, 3, "walk"},
    Share{Verb::get, 3, "get"},
    Share{Verb::hold_snapshot, 2, "hold_snapshot"},
    Share{Verb::back_up, 1, "back_up"},
    Share{Verb::export_and_import, 1, "export_and_import"},
    Share{Verb::salvage, 1, "salvage"},
    Share{Verb::quit, 0, "quit"},
};
static_assert(kShares.size() == static_cast<std::size_t>(Verb::quit) + 1);

Step random_step(std::mt19937_64& random, std::size_t kind_count) {
  std::uint32_t all = 0;
  for (std::size_t i = 0; i < kind_count; ++i) all += kShares[i].share;
  auto place = static_cast<std::uint32_t>(random() % all);
  std::size_t kind = 0;
  while (place >= kShares[kind].share) place -= kShares[kind++].share;
  Step step{kShares[kind].verb, static_cast<std::uint32_t>(random() % 2), {}};
  for (std::uint32_t& number : step.numbers) number = static_cast<std::uint32_t>(random());
  return step;
}

}  // namespace

std::vector<Step> random_steps(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<Step> steps;
  while (steps.size() < count) steps.push_back(random_step(random, kShares.size()));
  return steps;
}

std::vector<Step> steps_before_crash(const Step& crash) {
  std::mt19937_64 random(crash.numbers[0]);
  std::vector<Step> steps;
  for (std::uint32_t count = crash.numbers[1] % 24; count > 0; --count) {
    steps.push_back(random_step(random, static_cast<std::size_t>(Verb::import)));
    steps.back().process = crash.process;
  }
  return steps;
}

std::string text_of(const Step& step) {
  std::string text = kShares[static_cast<std::size_t>(step.verb)].name;
  text += step.process == 0 ? " by A" : " by B";
  for (const std::uint32_t number : step.numbers) text += ' ' + std::to_string(number);
  return text;
}

}  // namespace tracelite::model_based
