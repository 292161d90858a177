// Media are stored once, counted, and go with the last that refers to them.
#include "payload/media_store.hpp"

#include "model/media.hpp"
#include "payload/block.hpp"
#include "payload/store_fixture.hpp"

namespace tracelite::test {
namespace {

using model::Form;
using model::PayloadValue;
using payload::MediaCountChanges;
using payload::Medium;

std::string random_bytes(std::size_t size_bytes) {
  std::mt19937 random(7);
  std::string bytes;
  for (std::size_t i = 0; i < size_bytes; ++i) bytes.push_back(static_cast<char>(random()));
  return bytes;
}

Medium medium_of(const std::string& bytes) {
  return {payload::media_hash(bytes), "image/png", bytes};
}

// A register's value with one use of each of these.
std::string value_with(const std::vector<Medium>& media) {
  model::MediaListBuilder list;
  std::string text;
  for (const Medium& medium : media) {
    model::MediaUse use;
    use.offset = text.size();
    use.given_size_bytes = 400;
    use.hash = medium.hash;
    use.mime = medium.mime;
    text += use.reference();
    list.add(use);
  }
  return PayloadValue::encode_inline(Form::text, text,
                                     {list.finish(), list.given_size_bytes(text.size())});
}

class MediaStore : public StoreFixture {
 public:
  Status change(const std::vector<Medium>& used, const std::vector<Medium>& dropped) {
    auto transaction = begin();
    for (const Medium& medium : used) {
      if (!need(payload::find_medium(transaction, medium.hash))) {
        need(put_medium(transaction, writer, medium));
      }
    }
    MediaCountChanges changes;
    const std::string now = value_with(used);
    const std::string before = value_with(dropped);
    if (!used.empty()) changes.add(PayloadValue::decode(now));
    if (!dropped.empty()) changes.drop(PayloadValue::decode(before));
    TL_TRY(changes.apply(transaction, writer));
    return transaction.commit();
  }
  std::uint64_t use_count(const Medium& medium) {
    const auto snapshot = need(environment->begin_read());
    const auto head = need(payload::find_medium(snapshot, medium.hash));
    return head ? head->use_count : 0;
  }
  std::uint64_t entries() {
    const auto snapshot = need(environment->begin_read());
    return need(snapshot.statistics(store::KeySpace::media)).entries;
  }
  std::string read(const Medium& medium) {
    const auto snapshot = need(environment->begin_read());
    const auto head = need(payload::find_medium_by_id(snapshot, model::media_id(medium.hash)));
    BOOST_REQUIRE(head.has_value());
    BOOST_TEST(head->size_bytes == medium.bytes.size());
    BOOST_TEST(head->mime == medium.mime);
    return need(PayloadReader(snapshot).read_all(head->number));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(media_store, MediaStore)

BOOST_AUTO_TEST_CASE(a_medium_comes_back_and_goes_with_its_last_use) {
  const Medium large = medium_of(random_bytes(600'000));
  const Medium small = medium_of("small");
  need(change({large, small}, {}));
  need(change({large}, {}));
  BOOST_TEST(use_count(large) == 2U);
  BOOST_TEST(use_count(small) == 1U);
  BOOST_TEST((read(large) == large.bytes));
  BOOST_TEST(read(small) == small.bytes);
  need(change({}, {large}));
  BOOST_TEST((read(large) == large.bytes));
  need(change({}, {large, small}));
  BOOST_TEST(entries() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_dropped_and_used_at_once_stays) {
  const Medium medium = medium_of(random_bytes(1000));
  need(change({medium}, {}));
  need(change({medium}, {medium}));
  BOOST_TEST(use_count(medium) == 1U);
  BOOST_TEST((read(medium) == medium.bytes));
}

BOOST_AUTO_TEST_CASE(several_uses_of_one_payload_count_each) {
  const Medium medium = medium_of(random_bytes(1000));
  need(change({medium, medium, medium}, {}));
  BOOST_TEST(use_count(medium) == 3U);
  need(change({}, {medium, medium, medium}));
  BOOST_TEST(entries() == 0U);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_compressed_already_are_stored_raw) {
  const auto coding_of = [&](const Medium& medium) {
    need(change({medium}, {}));
    const auto snapshot = need(environment->begin_read());
    const auto head = need(payload::find_medium(snapshot, medium.hash));
    const std::string key = key_of(head->number & ~payload::kInMedia, 0, 0);
    const auto block = need(payload::find_block(snapshot, store::KeySpace::media,
                                                Bytes(key).substr(0, key.size() - 2)));
    BOOST_REQUIRE(block.has_value());
    return block->coding;
  };
  BOOST_TEST((coding_of(medium_of(random_bytes(50'000))) == payload::BlockCoding::raw));
  BOOST_TEST((coding_of(medium_of(std::string(50'000, 'w'))) == payload::BlockCoding::zstd));
  // A text in front of what is compressed changes nothing.
  BOOST_TEST((coding_of(medium_of(std::string(9000, ' ') + random_bytes(90'000))) ==
              payload::BlockCoding::raw));
}

BOOST_AUTO_TEST_CASE(a_use_of_a_medium_that_is_missing_is_refused_and_a_drop_is_not) {
  const Medium medium = medium_of("gone");
  auto transaction = begin();
  const std::string value = value_with({medium});
  MediaCountChanges used;
  used.add(PayloadValue::decode(value));
  BOOST_TEST((code_of(used.apply(transaction, writer)) == Code::corrupt));
  MediaCountChanges dropped;
  dropped.drop(PayloadValue::decode(value));
  need(dropped.apply(transaction, writer));
}

BOOST_AUTO_TEST_CASE(an_id_that_nobody_has_is_not_found) {
  need(change({medium_of("a")}, {}));
  const auto snapshot = need(environment->begin_read());
  for (const char* id : {"", "AAAAAAAAAAAAAAAAAAAAAA", "_____________________w", "no id"}) {
    BOOST_TEST(!need(payload::find_medium_by_id(snapshot, id)).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::test
