// SHA-256, compared with the examples of FIPS 180-2.
#include "payload/sha256.hpp"

#include <boost/test/unit_test.hpp>

#include "store/errors.hpp"

namespace tracelite::payload::test {

BOOST_AUTO_TEST_SUITE(hashing)

BOOST_AUTO_TEST_CASE(known_texts_have_their_known_hashes) {
  BOOST_TEST(store::hexadecimal(sha256("")) ==
             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(store::hexadecimal(sha256("abc")) ==
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string long_text(1'000'000, 'a');
  BOOST_TEST(store::hexadecimal(sha256(long_text)) ==
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(parts_make_the_hash_of_the_whole) {
  std::string text;
  for (int i = 0; i < 300; ++i) text.append(std::to_string(i));
  Sha256 hash;
  for (std::size_t at = 0, size = 0; at < text.size(); at += size++) {
    hash.add(Bytes(text).substr(at, size));
  }
  BOOST_TEST((hash.finish() == sha256(text)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::payload::test
