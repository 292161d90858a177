// Ids whose hashes are the same keep their rows apart.
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>

#include "api/support.hpp"
#include "record/entity_store.hpp"

namespace tracelite::api::test {
namespace {

using store::test::fast_folder;
using store::test::Folder;

// Two of them that a record's key does not tell apart. Of 2^31 hashes some ten thousands are tried.
std::pair<std::string, std::string> ids_of_one_hash() {
  std::mt19937_64 random(store::test::random_seed());
  std::unordered_map<record::EntityKey, std::string> seen;
  while (true) {
    std::string id = "o" + std::to_string(random());
    const auto [known, is_new] = seen.emplace(record::natural_key(id), id);
    if (!is_new && known->second != id) return {known->second, std::move(id)};
  }
}

void put(const Store& store, const std::string& trace, const std::string& id,
         const std::string& name) {
  if (trace.empty()) {
    return store.import_all(R"({"id":"e","timestamp":"2026-01-01T00:00:00Z","type":"span-create",)"
                            R"("body":{"id":")" +
                            id + R"(","name":")" + name + "\"}}\n");
  }
  tl_observation given{};
  given.struct_size = sizeof given;
  given.id = text_of(id);
  given.trace_id = text_of(trace);
  given.set_mask = TL_BIT(TL_FIELD_NAME);
  given.name = text_of(name);
  must(tl_put_observation(store.get(), &given));
  store.flush();
}

std::string name_of(const Store& store, const std::string& trace, const std::string& id) {
  Rows rows(get(store, TL_KIND_OBSERVATION, trace, id));
  BOOST_REQUIRE(rows.next());
  return string_of(rows.row().observation->name);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(same_hash)

// What names no trace is kept in the trace that has its id, as records of another kind.
BOOST_AUTO_TEST_CASE(an_observation_without_a_trace_and_one_beside_it_are_two) {
  const auto [stray, other] = ids_of_one_hash();
  for (const bool is_turned : {false, true}) {
    const Folder folder(fast_folder());
    const Store store(folder.file());
    if (is_turned) put(store, stray, other, "other");
    put(store, {}, stray, "stray");
    if (!is_turned) put(store, stray, other, "other");
    BOOST_TEST(store.statistics().observation_count == 2U);
    BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 2U);
    BOOST_TEST(name_of(store, stray, stray) == "stray");
    BOOST_TEST(name_of(store, stray, other) == "other");
    store.check();
    // It is named in the trace that showed it, and stays one.
    put(store, stray, stray, "named");
    BOOST_TEST(store.statistics().observation_count == 2U);
    BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 2U);
    BOOST_TEST(name_of(store, stray, stray) == "named");
    store.check();
    must(tl_reindex(store.get(), nullptr, nullptr));
    BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 2U);
    tl_filter of = filter();
    of.trace_id = text_of(stray);
    must(tl_delete(store.get(), &of, nullptr, nullptr, nullptr));
    BOOST_TEST(store.statistics().observation_count == 0U);
    BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 0U);
    store.check();
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
