// Compacting after a deletion: what is gone is gone from the file, and its room is given back.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <string>

#include "api/delete_support.hpp"
#include "api/support.hpp"
#include "store/dictionary.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

const std::string kMarker = "markerQZX";

std::string marked_events(const std::string& marker) {
  const std::string text = "\"" + marker + std::string(3'000, 'z') + "\"";
  const std::string names = ",\"name\":\"" + marker + "\",\"version\":\"" + marker +
                            "\",\"metadata\":{\"" + marker + "\":\"" + marker + "\"}";
  const std::string body = names + ",\"userId\":\"" + marker + "\",\"sessionId\":\"" + marker +
                           "\",\"release\":\"" + marker + "\",\"environment\":\"" +
                           (marker == kMarker ? "markerqzx" : "env") + "\",\"tags\":[\"" + marker +
                           "\"],\"input\":" + text;
  return trace(marker, body) +
         span(marker, marker + "-span",
              names + ",\"input\":" + text + ",\"output\":\"" + marker + "\"") +
         event("generation-create", "\"id\":\"" + marker + "-call\",\"traceId\":\"" + marker +
                                        "\",\"model\":\"" + marker + "\"" + names) +
         event("score-create", "\"id\":\"" + marker + "-score\",\"traceId\":\"" + marker +
                                   "\",\"name\":\"" + marker + "\",\"comment\":\"" + marker +
                                   "\",\"value\":1");
}

bool has_marker(const Scene& scene) {
  const std::string bytes = store::test::read_file(scene.folder.file());
  return bytes.find(kMarker) != std::string::npos || bytes.find("markerqzx") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(compacting_deleted)

BOOST_AUTO_TEST_CASE(a_deleted_marker_is_nowhere_in_the_file) {
  const Scene scene(marked_events(kMarker) + marked_events("other"));
  scene.store.flush();
  BOOST_TEST(has_marker(scene));
  tl_filter marked = filter();
  marked.trace_id = text_of(kMarker);
  BOOST_TEST(scene.store.remove(marked).trace_count == 1U);
  const std::string before = scene.store.export_all();
  must(tl_compact(scene.store.get(), nullptr, nullptr));
  BOOST_TEST(!has_marker(scene));
  BOOST_TEST((scene.store.export_all() == before));
  BOOST_TEST(!before.empty());
  scene.store.check();
}

BOOST_AUTO_TEST_CASE(a_file_of_which_everything_was_deleted_becomes_as_small_as_an_empty_one) {
  const Folder folder;
  { const Store empty(folder.file()); }
  const std::uint64_t empty_size_bytes = std::filesystem::file_size(folder.file());
  std::string events;
  for (int i = 0; i < 50; ++i) events += marked_events("trace" + std::to_string(i));
  const Scene scene(events);
  scene.store.flush();
  BOOST_TEST(scene.store.remove(all_times()).trace_count == 50U);
  must(tl_compact(scene.store.get(), nullptr, nullptr));
  BOOST_TEST(std::filesystem::file_size(scene.folder.file()) <= empty_size_bytes);
  scene.nothing_is_left();
  scene.store.import_all(marked_events("again"));
  scene.store.check();
}

// Their writers remember an index that is no more, whoever has compacted the file.
BOOST_AUTO_TEST_CASE(what_comes_after_everything_was_deleted_is_recorded) {
  const Scene scene(marked_events("first"));
  const Store other(scene.folder.file());
  other.import_all(marked_events("second"));
  for (const Store* compacting : {&scene.store, &other}) {
    scene.store.flush();
    BOOST_TEST(scene.store.remove(all_times()).trace_count == 2U);
    must(tl_compact(compacting->get(), nullptr, nullptr));
    for (const Store* store : {&scene.store, &other}) {
      tl_trace one{};
      one.struct_size = sizeof one;
      one.id = tl_str(store == &other ? "second" : "first");
      must(tl_put_trace(store->get(), &one));
      store->flush();
    }
  }
  BOOST_TEST(scene.store.remove(all_times()).trace_count == 2U);
  scene.store.check();
}

// So many that what is sealed has a dictionary, without which it could not be taken away.
BOOST_AUTO_TEST_CASE(everything_can_be_deleted_once_a_large_file_was_compacted,
                     *boost::unit_test::precondition(tracelite::test::not_under_sanitizers)) {
  std::string events;
  for (int i = 0; i < 30'000; ++i) {
    const std::string id = "trace" + std::to_string(i);
    events += trace(id, ",\"userId\":\"user" + std::to_string(i % 999) + "\"") +
              span(id, id + "-span", ",\"metadata\":{\"key\":\"" + id + "\"}");
  }
  const Scene scene(events);
  must(tl_compact(scene.store.get(), nullptr, nullptr));
  {
    const auto environment = store::test::open_file(scene.folder.file());
    const auto transaction = store::test::must(environment->begin_read());
    const auto dictionary = store::newest_dictionary(transaction, store::KeySpace::sealed);
    BOOST_TEST(store::test::must(dictionary).has_value());
  }
  BOOST_TEST(scene.store.remove(all_times()).trace_count == 30'000U);
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
