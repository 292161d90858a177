// Makes the index of a file one that another version of the library has made.
#pragma once

#include <cstdint>
#include <string>

#include "store/helpers.hpp"

namespace tracelite::api::test {

inline void write_index_version(const std::string& path, std::uint32_t version) {
  constexpr std::size_t kVersionOffset = 60;  // SQLite's user_version in page 1
  std::string first_page;
  append_big_endian(first_page, std::uint32_t{1});
  const auto environment = store::test::open_file(path);
  auto transaction = store::test::must(environment->begin_write());
  const auto found = store::test::must(transaction.get(store::KeySpace::page, first_page));
  BOOST_REQUIRE(found);
  std::string page(*found);
  std::string bytes;
  append_big_endian(bytes, version);
  page.replace(kVersionOffset, bytes.size(), bytes);
  store::test::must(transaction.put(store::KeySpace::page, first_page, page));
  store::test::must(transaction.commit());
}

}  // namespace tracelite::api::test
