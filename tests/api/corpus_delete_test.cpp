// Recorded conversations, deleted trace by trace in random order and compacted: half of them leaves
// the other half as it was, all of them leaves an empty file. Under sanitizers of two sources only.
#include <xxhash.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "api/corpus.hpp"
#include "api/nothing_left.hpp"
#include "api/random_events.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

constexpr std::uint64_t kPageSizeBytes = 4096;

std::string sources() { return tracelite::test::kUnderSanitizer ? "moatless mtbench" : "all"; }

// What is exported of each trace, as a hash: all of it twice is much.
std::map<std::string, XXH64_hash_t> exports_of(const Store& store,
                                               const std::vector<std::string>& ids) {
  std::map<std::string, XXH64_hash_t> exports;
  for (const std::string& id : ids) {
    const tl_filter of = of_trace(id);
    const std::string text = store.export_all(nullptr, &of);
    BOOST_TEST(!text.empty());
    exports[id] = XXH3_64bits(text.data(), text.size());
  }
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

BOOST_AUTO_TEST_CASE(trace_by_trace_in_random_order_it_leaves_what_stays_and_in_the_end_nothing) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  store.import_all(corpus_events(sources()));
  Random random(seed());
  std::cout << "TL_SEED=" << seed() << '\n';
  std::vector<std::string> ids = traces_of(store, filter());
  BOOST_TEST(ids.size() > 100U);
  std::shuffle(ids.begin(), ids.end(), random);
  const auto half = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2);
  const std::vector<std::string> first(ids.begin(), half);
  const std::vector<std::string> second(half, ids.end());

  const auto before = exports_of(store, second);
  for (const std::string& id : first) BOOST_TEST(store.remove(of_trace(id)).trace_count == 1U);
  BOOST_TEST((exports_of(store, second) == before));
  const std::string left = store.export_all();
  store.check();
  compact(store);
  BOOST_TEST((exports_of(store, second) == before));
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
