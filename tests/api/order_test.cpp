// The order of arrival never matters: random histories of events, in every permutation of small
// sets and many shuffles of large ones, split into batches over reopened files and two processes,
// give one export, byte for byte. TL_SEED repeats a run; TL_TEST_SCALE makes it longer.
#include <boost/test/unit_test.hpp>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "api/random_events.hpp"
#include "api/support.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

std::vector<std::size_t> in_order(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

void remove(const std::string& path) { std::filesystem::remove(path); }

// Imports in this order, in random batches, with some reopening in between; gives the export.
std::string export_of(const std::string& path, const Events& events,
                      const std::vector<std::size_t>& order, Random& random) {
  remove(path);
  auto store = std::make_unique<Store>(path);
  for (std::size_t from = 0; from < order.size();) {
    const std::size_t to = from + 1 + random() % (order.size() - from);
    store->import_all(joined(events, order, from, to));
    from = to;
    if (from < order.size() && random() % 4 == 0) {
      store.reset();
      store = std::make_unique<Store>(path);
    }
  }
  return store->export_all();
}

std::string shown(const Events& events, const std::vector<std::size_t>& order) {
  return joined(events, order, 0, order.size());
}

// The file is sound, its index can be made anew, and what it exports is a fixed point.
void check_whole(const Folder& folder, const std::string& path, const std::string& expected) {
  {
    const Store store(path);
    store.check();
    store.reindex();
    BOOST_TEST(store.export_all() == expected);
    store.check();
  }
  const std::string again = folder.file("again.tl");
  remove(again);
  const Store store(again);
  store.import_all(expected);
  BOOST_TEST(store.export_all() == expected);
  store.check();
}

// What is wrong with the file after an import in this order; empty: nothing.
std::string findings_of(const std::string& path) {
  const Store store(path);
  std::string findings;
  const auto add = [](void* context, tl_text where, tl_text message) {
    static_cast<std::string*>(context)->append(string_of(where) + ": " + string_of(message) + "\n");
  };
  if (tl_check(store.get(), add, &findings, nullptr, nullptr) == TL_OK) return {};
  return findings;
}

std::string problem_with(const std::string& path, const Events& events,
                         const std::vector<std::size_t>& order, const std::string& expected,
                         Random& random) {
  const std::string got = export_of(path, events, order, random);
  if (got != expected) {
    return "the export is\n" + got + "but in the first order it is\n" + expected;
  }
  return findings_of(path);
}

// Leaves out events as long as some order of the others still goes wrong, so that the failure can
// be read.
std::string shrunk(const std::string& path, Events events, Random& random) {
  std::string message = "(it did not happen again)";
  const auto fails = [&](const Events& some) {
    std::vector<std::size_t> order = in_order(some.size());
    const std::string expected = export_of(path, some, order, random);
    for (int i = 0; i < 60; ++i) {
      const std::string problem = problem_with(path, some, order, expected, random);
      if (!problem.empty()) {
        message = "imported in this order\n" + shown(some, order) + problem;
        return true;
      }
      std::shuffle(order.begin(), order.end(), random);
    }
    return false;
  };
  for (std::size_t i = events.size(); i-- > 0;) {
    Events fewer = events;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    if (!fewer.empty() && fails(fewer)) events = fewer;
  }
  return message;
}

void require_same(const std::string& path, const Events& events,
                  const std::vector<std::size_t>& order, const std::string& expected,
                  Random& random) {
  const std::string problem = problem_with(path, events, order, expected, random);
  if (problem.empty()) return;
  BOOST_FAIL("TL_SEED=" << seed() << ": imported in this order\n"
                        << shown(events, order) << problem
                        << "\nor shorter: " << shrunk(path, events, random));
}

void try_permutations(const Folder& folder, const Events& events, Random& random) {
  const std::string path = folder.file();
  std::vector<std::size_t> order = in_order(events.size());
  const std::string expected = export_of(path, events, order, random);
  do {
    require_same(path, events, order, expected, random);
  } while (std::next_permutation(order.begin(), order.end()));
  check_whole(folder, path, expected);
}

void try_shuffles(const Folder& folder, const Events& events, int shuffles, Random& random) {
  const std::string path = folder.file();
  std::vector<std::size_t> order = in_order(events.size());
  const std::string expected = export_of(path, events, order, random);
  for (int i = 0; i < shuffles; ++i) {
    require_same(path, events, order, expected, random);
    std::shuffle(order.begin(), order.end(), random);
  }
  check_whole(folder, path, expected);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(order_of_arrival)

BOOST_AUTO_TEST_CASE(every_permutation_of_a_few_events_exports_the_same,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  const Folder folder(store::test::fast_folder());
  Random random(seed());
  for (int round = 0; round < 12 * test_scale(); ++round) {
    for (const std::size_t size : {2U, 3U, 4U}) {
      try_permutations(folder, random_events(random, size), random);
    }
  }
  for (int round = 0; round < test_scale(); ++round) {
    try_permutations(folder, random_events(random, 5), random);
  }
  if (test_scale() > 1) try_permutations(folder, random_events(random, 6), random);
}

BOOST_AUTO_TEST_CASE(shuffles_of_long_histories_export_the_same,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  const Folder folder(store::test::fast_folder());
  Random random(seed() + 1);
  for (int round = 0; round < 10 * test_scale(); ++round) {
    try_shuffles(folder, random_events(random, 10 + random() % 60), 6, random);
  }
}

// Each process keeps its store open while the other one writes.
BOOST_AUTO_TEST_CASE(two_processes_in_turns_export_the_same) {
  const Folder folder(store::test::fast_folder());
  Random random(seed() + 2);
  for (int round = 0; round < 10 * test_scale(); ++round) {
    const Events events = random_events(random, 20 + random() % 40);
    const std::string path = folder.file();
    std::vector<std::size_t> order = in_order(events.size());
    const std::string expected = export_of(path, events, order, random);
    std::shuffle(order.begin(), order.end(), random);
    remove(path);
    const std::size_t step = 1 + random() % 5;
    const auto turn = [&](const Store& store, std::size_t from) {
      store.import_all(joined(events, order, from, std::min(from + step, order.size())));
    };
    store::test::Line to_child;
    store::test::Line to_parent;
    store::test::Child child([&] {
      to_child.close_writing();
      to_parent.close_reading();
      const Store store(path);
      for (std::size_t from = step; from < order.size(); from += 2 * step) {
        if (to_child.receive() != 'g') return 1;
        turn(store, from);
        to_parent.send('d');
      }
      return 0;
    });
    to_child.close_reading();
    to_parent.close_writing();
    {
      const Store store(path);
      for (std::size_t from = 0; from < order.size(); from += 2 * step) {
        turn(store, from);
        if (from + step >= order.size()) continue;
        to_child.send('g');
        BOOST_REQUIRE(to_parent.receive() == 'd');
      }
      BOOST_TEST(child.wait() == 0);
      BOOST_TEST_INFO("TL_SEED=" << seed());
      BOOST_TEST(store.export_all() == expected);
      store.check();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
