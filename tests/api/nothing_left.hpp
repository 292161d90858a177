// That a file from which everything was deleted holds nothing of it.
#pragma once

#include <string>

#include "api/support.hpp"
#include "store/helpers.hpp"

namespace tracelite::api::test {

inline std::uint64_t entries(const std::string& path, store::KeySpace space) {
  const auto environment = store::test::open_file(path);
  const auto transaction = store::test::must(environment->begin_read());
  return store::test::must(transaction.statistics(space)).entries;
}

inline void check_nothing_left(const Store& store, const std::string& path) {
  const tl_statistics statistics = store.statistics();
  BOOST_TEST(statistics.trace_count == 0U);
  BOOST_TEST(statistics.observation_count == 0U);
  BOOST_TEST(statistics.score_count == 0U);
  BOOST_TEST(statistics.session_count == 0U);
  BOOST_TEST(statistics.user_count == 0U);
  BOOST_TEST(statistics.payload_size_bytes == 0U);
  BOOST_TEST(store.export_all().empty());
  for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
    const auto space = static_cast<store::KeySpace>(i);
    if (space == store::KeySpace::meta || space == store::KeySpace::page) continue;
    BOOST_TEST(entries(path, space) == 0U,
               "key space " << store::kKeySpaceNames[i] << " is not empty");
  }
}

}  // namespace tracelite::api::test
