// tl_delete where there is much to delete, where something fails or is refused, and beside another
// process.
#include <lmdb.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "api/delete_support.hpp"
#include "store/testing.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using store::testing::Point;

std::string many_spans(const std::string& trace_id, int count) {
  std::string events;
  for (int i = 0; i < count; ++i) {
    events += span(trace_id, "o" + std::to_string(i),
                   ",\"name\":\"n\",\"input\":\"" + std::to_string(i) + std::string(300, 'x') +
                       "\",\"metadata\":{\"i\":" + std::to_string(i) + "}");
  }
  return events;
}

struct Steps {
  int left = 0;
  std::vector<std::uint64_t> done;
  static std::int32_t callback(void* context, std::uint64_t done, std::uint64_t /*total*/) {
    auto& self = *static_cast<Steps*>(context);
    self.done.push_back(done);
    return --self.left < 0 ? 1 : 0;
  }
};

// Its pieces have entries of their own, which a deletion erases.
std::string long_input() {
  std::string text = ",\"input\":\"";
  for (int i = 0; i < 10'000; ++i) text += std::to_string(i * i) + ' ';
  return text + "\"";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(deleting_in_adversity)

BOOST_AUTO_TEST_CASE(a_large_trace_goes_in_steps_that_each_leave_a_sound_file,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  const Scene scene(many_spans("large", 5000) + trace("other"));
  const tl_filter of = of_trace("large");
  std::uint64_t left = 5000;
  int calls = 0;
  for (;; ++calls) {
    Steps steps;
    tl_delete_report report{};
    report.struct_size = sizeof report;
    const tl_status status = tl_delete(scene.store.get(), &of, Steps::callback, &steps, &report);
    if (status != TL_OK) {
      expect(status, TL_CANCELLED, "stays deleted");
      BOOST_TEST(report.trace_count == 0U);
    }
    BOOST_TEST(report.observation_count > 0U);
    left -= report.observation_count;
    scene.store.check();
    BOOST_TEST(scene.number(TL_KIND_OBSERVATION) == left);
    if (status == TL_OK) break;
  }
  BOOST_TEST(calls > 0);
  BOOST_TEST(left == 0U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  (void)scene.remove(of_trace("other"));
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(cancelled_it_has_deleted_whole_traces,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  const Scene scene(many_spans("a", 3000) + many_spans("b", 3000) + many_spans("c", 3000) +
                    many_spans("d", 3000));
  Steps steps;
  const tl_filter all = all_times();
  tl_delete_report report{};
  report.struct_size = sizeof report;
  expect(tl_delete(scene.store.get(), &all, Steps::callback, &steps, &report), TL_CANCELLED,
         "stays deleted");
  BOOST_TEST(report.observation_count > 0U);
  BOOST_TEST(scene.number(TL_KIND_TRACE) == 4 - report.trace_count);
  BOOST_TEST(scene.number(TL_KIND_OBSERVATION) == 12'000 - report.observation_count);
  scene.store.check();
  (void)scene.remove(all);
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(a_full_map_grows_and_the_same_is_done_again) {
  for (const Point point : {Point::put, Point::erase, Point::commit}) {
    const Scene scene(trace("a") + span("a", "o", ",\"metadata\":{\"k\":1}" + long_input()) +
                      trace("other"));
    store::testing::fail(point, 1, MDB_MAP_FULL);
    const tl_delete_report report = scene.store.remove(of_trace("a"));
    store::testing::fail_nothing();
    BOOST_TEST(report.trace_count == 1U);
    BOOST_TEST(report.observation_count == 1U);
    BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
    scene.store.check();
  }
}

BOOST_AUTO_TEST_CASE(a_failure_leaves_everything_as_it_was) {
  for (const Point point : {Point::put, Point::erase, Point::commit}) {
    const Scene scene(trace("a", ",\"sessionId\":\"s\"") + span("a", "o", long_input()) +
                      trace("other"));
    const std::string before = scene.store.export_all();
    tl_delete_report report{};
    report.struct_size = sizeof report;
    const tl_filter of = of_trace("a");
    store::testing::fail(point, 1, EIO);
    expect(tl_delete(scene.store.get(), &of, nullptr, nullptr, &report), TL_IO, "");
    store::testing::fail_nothing();
    BOOST_TEST(report.trace_count == 0U);
    BOOST_TEST(scene.store.export_all() == before);
    scene.store.check();
    BOOST_TEST(scene.remove(of).trace_count == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_trace_stays_and_all_others_go) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  store.import_all(trace("bad", ",\"metadata\":{\"k\":\"" + std::string(3000, 'x') + "\"}", 10));
  for (int i = 0; i < 20; ++i) store.import_all(trace("t" + std::to_string(i), {}, i));
  {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_write());
    auto cursor = transaction.cursor(store::KeySpace::frame);
    BOOST_REQUIRE(store::test::must(cursor.seek({})));
    const std::string key(cursor.key());
    store::test::must(transaction.put(store::KeySpace::frame, key, "?"));
    store::test::must(transaction.commit());
  }
  tl_delete_report report{};
  report.struct_size = sizeof report;
  const tl_filter all = all_times();
  expect(tl_delete(store.get(), &all, nullptr, nullptr, &report), TL_CORRUPT, "1 trace is damaged");
  BOOST_TEST(report.trace_count == 20U);
  BOOST_TEST(traces_of(store, filter()) == Ids{"bad"}, boost::test_tools::per_element());
}

// ------------------------------------------------------------------------------ refusals

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const Scene scene(trace("other"));
  tl_delete_report report{};
  report.struct_size = sizeof report;
  tl_filter none = filter();
  expect(tl_delete(scene.store.get(), &none, nullptr, nullptr, &report), TL_INVALID,
         "without a condition", "filter");
  expect(tl_delete(scene.store.get(), nullptr, nullptr, nullptr, &report), TL_MISUSE, "filter");
  expect(tl_delete(nullptr, &none, nullptr, nullptr, &report), TL_MISUSE, "store");
  none = {};
  expect(tl_delete(scene.store.get(), &none, nullptr, nullptr, &report), TL_MISUSE, "struct_size");
  tl_filter lone = filter();
  lone.metadata_value = tl_str("x");
  expect(tl_delete(scene.store.get(), &lone, nullptr, nullptr, nullptr), TL_INVALID, "key");
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  tl_options options{};
  options.read_only = 1;
  const Store reader(scene.folder.file(), options);
  const tl_filter all = all_times();
  expect(tl_delete(reader.get(), &all, nullptr, nullptr, &report), TL_READ_ONLY, "");
}

BOOST_AUTO_TEST_CASE(an_empty_file_has_nothing_to_delete) {
  const Scene scene;
  BOOST_TEST(scene.store.remove(all_times()).trace_count == 0U);
}

// ------------------------------------------------------------------------------ two processes

// Each remembers what the other deletes, unless it notices.
BOOST_AUTO_TEST_CASE(another_process_deletes_what_this_one_records) {
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  store::test::Line to_child;
  store::test::Line to_parent;
  store::test::Child child([&] {
    to_child.close_writing();
    to_parent.close_reading();
    const Store store(path);
    while (to_child.receive() == 'd') {
      (void)store.remove(all_times());
      to_parent.send('k');
    }
    return 0;
  });
  to_child.close_reading();
  to_parent.close_writing();
  {
    const Store store(path);
    const std::string events =
        trace("t", ",\"sessionId\":\"s\",\"userId\":\"u\",\"tags\":[\"red\"],\"input\":\"" +
                       std::string(4000, 'x') + "\"") +
        span("t", "o", ",\"metadata\":{\"k\":1}") + span("", "p") +
        score("c", "\"sessionId\":\"s\"");
    store.import_all(events);
    const std::string expected = store.export_all();
    for (int round = 0; round < 5; ++round) {
      to_child.send('d');
      BOOST_REQUIRE(to_parent.receive() == 'k');
      BOOST_TEST(store.export_all().empty());
      store.check();
      store.import_all(events);
      BOOST_TEST(store.export_all() == expected);
      store.check();
    }
    to_child.send('q');
  }
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
