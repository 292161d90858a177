// Deleting from random histories: what is left is untouched, the file is sound after each step,
// what is recorded again is as if it had never been deleted, and in the end nothing is left.
// TL_SEED repeats a run; TL_TEST_SCALE makes it longer.
#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "api/nothing_left.hpp"
#include "api/random_events.hpp"
#include "api/support.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using Exports = std::map<std::string, std::string>;  // by trace id

std::vector<std::string> all_traces(const Store& store) { return traces_of(store, filter()); }

Exports exports_of(const Store& store) {
  Exports exports;
  for (const std::string& id : all_traces(store)) {
    const tl_filter of = of_trace(id);
    exports[id] = store.export_all(nullptr, &of);
  }
  return exports;
}

// What is there is what there was, but for the traces deleted.
void check_the_others(const Store& store, const Exports& before,
                      const std::vector<std::string>& deleted) {
  Exports expected = before;
  for (const std::string& id : deleted) expected.erase(id);
  const Exports after = exports_of(store);
  std::set<std::string> ids;
  for (const auto& [id, text] : expected) ids.insert(id);
  for (const auto& [id, text] : after) ids.insert(id);
  for (const std::string& id : ids) {
    BOOST_TEST(after.contains(id) == expected.contains(id), "trace " << id);
    if (!after.contains(id) || !expected.contains(id)) continue;
    BOOST_TEST(after.at(id) == expected.at(id));
  }
}

std::string joined(const Events& events) {
  std::string text;
  for (const std::string& event : events) text += event + "\n";
  return text;
}

tl_filter random_filter(Random& random, std::string& text) {
  tl_filter filter = test::filter();
  static tl_text tag;
  const auto choose = [&](const char* prefix, std::uint64_t count) {
    text = prefix + std::to_string(random() % count);
    return text_of(text);
  };
  switch (random() % 9) {
    case 0:
      filter.trace_id = choose("t", 6);
      break;
    case 1:
      filter.trace_id = choose("o", 9);  // a placeholder
      break;
    case 2:
      filter.session_id = choose("s", 6);
      break;
    case 3:
      filter.user_id = choose("u", 9);
      break;
    case 4:
      tag = choose("tag", 3);
      filter.tags = &tag;
      filter.tag_count = 1;
      break;
    case 5:
      filter.environment = choose("env", 3);
      break;
    case 6:
      filter.level = TL_LEVEL_ERROR;
      break;
    case 7:
      filter.name = choose("n", 3);
      break;
    default:
      // 2026-11-21T00:00:00Z and the three seconds after it
      filter.to_ns =
          1'795'219'200'000'000'000 + static_cast<std::int64_t>(random() % 4) * 1'000'000'000;
  }
  return filter;
}

void check_whole(const Store& store) {
  store.check();
  const std::string before = store.export_all();
  store.reindex();
  store.check();
  BOOST_TEST(store.export_all() == before);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(deleting_at_random)

BOOST_AUTO_TEST_CASE(a_filter_takes_what_it_lists_and_leaves_the_rest_as_it_was,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  Random random(seed());
  for (int round = 0; round < 30 * test_scale(); ++round) {
    const Folder folder(store::test::fast_folder());
    const Store store(folder.file());
    const std::string events = joined(random_events(random, 20 + random() % 100, 3));
    store.import_all(events);
    const std::string original = store.export_all();
    for (int step = 0; step < 4; ++step) {
      std::string text;
      const tl_filter filter = random_filter(random, text);
      const Exports before = exports_of(store);
      const std::vector<std::string> selected = traces_of(store, filter);
      BOOST_TEST_CONTEXT("TL_SEED=" << seed() << " round " << round << " step " << step << " \""
                                    << text << "\"") {
        const tl_statistics had = store.statistics();
        const tl_delete_report report = store.remove(filter);
        const tl_statistics has = store.statistics();
        BOOST_TEST(report.trace_count == selected.size());
        BOOST_TEST(report.trace_count == had.trace_count - has.trace_count);
        BOOST_TEST(report.observation_count == had.observation_count - has.observation_count);
        BOOST_TEST(report.score_count == had.score_count - has.score_count);
        BOOST_TEST(report.session_count == had.session_count - has.session_count);
        BOOST_TEST(traces_of(store, filter).empty());
        check_the_others(store, before, selected);
        check_whole(store);
      }
    }
    BOOST_TEST_CONTEXT("TL_SEED=" << seed() << " round " << round) {
      store.import_all(events);
      BOOST_TEST(store.export_all() == original);
      store.check();
    }
  }
}

BOOST_AUTO_TEST_CASE(trace_by_trace_in_random_order_until_nothing_is_left,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  Random random(seed() + 1);
  for (int round = 0; round < 20 * test_scale(); ++round) {
    const Folder folder(store::test::fast_folder());
    const Store store(folder.file());
    const std::string events = joined(random_events(random, 20 + random() % 200, 3));
    store.import_all(events);
    const std::string original = store.export_all();
    std::vector<std::string> ids = all_traces(store);
    std::shuffle(ids.begin(), ids.end(), random);
    BOOST_TEST_CONTEXT("TL_SEED=" << seed() + 1 << " round " << round) {
      for (const std::string& id : ids) {
        BOOST_TEST(store.remove(of_trace(id)).trace_count == 1U);
        if (random() % 4 == 0) store.check();
      }
      BOOST_TEST(count(store, TL_KIND_TRACE) == 0U);
      BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 0U);
      // Scores of traces that never came, and sessions that nobody has named.
      (void)store.remove(all_times());
      check_nothing_left(store, folder.file());
      check_whole(store);
      store.import_all(events);
      BOOST_TEST(store.export_all() == original);
      store.check();
    }
  }
}

// Each writer goes on remembering nothing of what the other has deleted.
BOOST_AUTO_TEST_CASE(two_stores_delete_and_record_in_turns) {
  Random random(seed() + 2);
  for (int round = 0; round < 10 * test_scale(); ++round) {
    const Folder folder(store::test::fast_folder());
    const Store one(folder.file());
    const Store two(folder.file());
    const Events events = random_events(random, 100, 3);
    BOOST_TEST_CONTEXT("TL_SEED=" << seed() + 2 << " round " << round) {
      for (std::size_t i = 0; i < events.size(); i += 5) {
        const Store& writer = random() % 2 == 0 ? one : two;
        writer.import_all(joined({events.begin() + static_cast<std::ptrdiff_t>(i),
                                  events.begin() + static_cast<std::ptrdiff_t>(i) + 5}));
        std::string text;
        if (random() % 3 == 0)
          (void)(random() % 2 == 0 ? one : two).remove(random_filter(random, text));
        one.check();
      }
      check_whole(two);
      (void)one.remove(all_times());
      check_nothing_left(two, folder.file());
      two.import_all(joined(events));
      const std::string got = two.export_all();
      const Store fresh(folder.file("fresh.tl"));
      fresh.import_all(joined(events));
      BOOST_TEST(got == fresh.export_all());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
