// Contexts that are lent again and again, to threads and to the child of a fork.
#include <zstd.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <thread>
#include <vector>

#include "store/block_codec.hpp"
#include "store/helpers.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using store::test::Child;

std::string compressed(ZSTD_CCtx* context) {
  const std::string raw(1'000, 'x');
  std::string out(ZSTD_compressBound(raw.size()), ' ');
  out.resize(ZSTD_compress2(context, out.data(), out.size(), raw.data(), raw.size()));
  return out;
}

// False if bytes do not come back as they were.
bool round_trip(const std::string& raw) {
  BlockCodec codec;
  const auto value = codec.encode(raw, 3, nullptr, 0);
  if (!value) return false;
  const auto coded = parse_block(*value);
  if (!coded) return false;
  const auto decoded = codec.decode(*coded, nullptr);
  return decoded.ok() && *decoded == raw;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(zstd_contexts)

BOOST_AUTO_TEST_CASE(what_is_given_back_is_lent_again_without_its_parameters) {
  const std::string fresh = compressed(CompressionContext(ZSTD_createCCtx()).get());
  CompressionContext lent = borrow_compression_context();
  const ZSTD_CCtx* const given_back = lent.get();
  ZSTD_CCtx_setParameter(lent.get(), ZSTD_c_checksumFlag, 1);
  BOOST_TEST((compressed(lent.get()) != fresh));
  lent.reset();
  // There may be others on the shelf.
  std::vector<CompressionContext> all;
  bool is_found = false;
  for (int i = 0; i < 8; ++i) {
    all.push_back(borrow_compression_context());
    is_found = is_found || all.back().get() == given_back;
    BOOST_TEST((compressed(all.back().get()) == fresh));
  }
  BOOST_TEST(is_found);
}

BOOST_AUTO_TEST_CASE(no_context_is_lent_to_two_at_once) {
  const std::string raw(20'000, 'x');
  std::vector<std::thread> threads;
  std::vector<char> is_sound(8, 1);
  for (char& sound : is_sound) {
    threads.emplace_back([&raw, &sound] {
      for (int i = 0; i < 200; ++i) sound = round_trip(raw) && sound != 0 ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const char sound : is_sound) BOOST_TEST(sound == 1);
}

BOOST_AUTO_TEST_CASE(the_child_of_a_fork_compresses_while_contexts_of_the_parent_are_lent) {
  const CompressionContext lent = borrow_compression_context();
  Child child([] {
    CHILD_CHECK(1, round_trip(std::string(20'000, 'x')));
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
