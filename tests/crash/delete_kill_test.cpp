// A process is killed while it deletes, again and again: each trace is there whole or not at all,
// what it had said to be deleted is gone, and the file is sound.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "api/nothing_left.hpp"
#include "api/support.hpp"
#include "support/random_seed.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using store::test::Line;

constexpr int kTraceCount = 120;

std::string events_of(int trace) {
  const std::string id = "t" + std::to_string(trace);
  const std::string session = "s" + std::to_string(trace / 3);
  std::string events =
      R"({"id":"e","timestamp":"2026-03-01T12:00:00Z","type":"trace-create","body":{"id":")" + id +
      R"(","sessionId":")" + session + R"("}})" + "\n";
  for (int i = 0; i < 5; ++i) {
    events +=
        R"({"id":"e","timestamp":"2026-03-01T12:00:01Z","type":"span-create","body":{"id":"o)" +
        std::to_string(i) + R"(","traceId":")" + id + R"(","metadata":{"n":)" +
        std::to_string(trace) + R"(},"input":")" +
        std::string(2000, static_cast<char>('a' + trace % 26)) + R"("}})" + "\n";
  }
  return events;
}

std::map<std::string, std::string> exports_of(const Store& store) {
  std::map<std::string, std::string> exports;
  for (const std::string& id : traces_of(store, filter())) {
    const tl_filter of = of_trace(id);
    exports[id] = store.export_all(nullptr, &of);
  }
  return exports;
}

// Says 'd' for each trace that is deleted.
int delete_all(const std::string& path, const std::vector<std::string>& ids, Line& deleted) {
  deleted.close_reading();
  const Store store(path);
  for (const std::string& id : ids) {
    (void)store.remove(of_trace(id));
    deleted.send('d');
  }
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(killed_while_deleting)

BOOST_AUTO_TEST_CASE(every_trace_is_there_whole_or_not_at_all) {
  std::mt19937 random(tracelite::test::short_random_seed());
  const Folder folder(store::test::fast_folder());
  std::map<std::string, std::string> expected;
  {
    const Store store(folder.file());
    for (int trace = 0; trace < kTraceCount; ++trace) store.import_all(events_of(trace));
    expected = exports_of(store);
  }
  while (!expected.empty()) {
    std::vector<std::string> ids;
    for (const auto& [id, text] : expected) ids.push_back(id);
    std::shuffle(ids.begin(), ids.end(), random);
    const std::size_t enough = std::min<std::size_t>(random() % 8, ids.size());
    std::size_t count = 0;
    {
      Line deleted;
      Child child([&] { return delete_all(folder.file(), ids, deleted); });
      deleted.close_writing();
      for (; count < enough; ++count) BOOST_REQUIRE(deleted.receive() == 'd');
      child.kill();
    }
    const Store store(folder.file());
    store.check();
    const auto left = exports_of(store);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool is_there = left.contains(ids[i]);
      if (i < count) BOOST_TEST(!is_there, ids[i] << " came back");
      if (is_there) BOOST_TEST(left.at(ids[i]) == expected.at(ids[i]));
    }
    BOOST_REQUIRE(left.size() <= expected.size() - count);
    expected = left;
  }
  const Store store(folder.file());
  (void)store.remove(all_times());  // what the last one could not sweep
  check_nothing_left(store, folder.file());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
