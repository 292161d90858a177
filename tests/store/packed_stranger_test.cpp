// What a stranger may have put into packed key spaces: what no writer makes is refused, and what
// can be is read with memory and work that its bytes in the file account for.
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "model/limits.hpp"
#include "store/block_codec.hpp"
#include "store/helpers.hpp"
#include "store/packed_space.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using store::test::Folder;
using store::test::must;

constexpr KeySpace kSpace = KeySpace::record;

std::string key_of(std::uint64_t number, int size_bytes = 3) {
  std::string key;
  append_big_endian(key, number, size_bytes);
  return key;
}

// Entries in the raw form of a block, whatever their keys.
class RawEntries {
 public:
  RawEntries& add(Bytes key, Bytes value) {
    append_key(key);
    append_text(raw_, value);
    return *this;
  }
  // As a patch has them; nullopt: erased.
  RawEntries& patch(Bytes key, std::optional<Bytes> value) {
    append_key(key);
    append_varint(raw_, value ? value->size() + 1 : 0);
    if (value) raw_.append(*value);
    return *this;
  }
  [[nodiscard]] const std::string& raw() const { return raw_; }

 private:
  void append_key(Bytes key) {
    std::size_t shared = 0;
    while (shared < std::min(last_.size(), key.size()) && last_[shared] == key[shared]) ++shared;
    append_varint(raw_, shared);
    append_text(raw_, key.substr(shared));
    last_ = key;
  }
  std::string raw_, last_;
};

std::string coded(Bytes raw) {
  BlockCodec codec;
  return std::string(must(codec.encode(raw, 1, nullptr, 0)));
}

class File {
 public:
  File() : environment_(must(Environment::open(folder_.file(), {}))) {}

  void put(const std::vector<std::pair<std::string, std::string>>& values,
           KeySpace space = kSpace) const {
    auto transaction = must(environment_->begin_write());
    for (const auto& [key, value] : values) must(transaction.put(space, key, value));
    must(transaction.commit());
  }
  void put_patch(Bytes block_key, Bytes raw) const {
    put({{std::string(1, static_cast<char>(kSpace)).append(block_key), coded(raw)}},
        KeySpace::patch);
  }
  [[nodiscard]] ReadTransaction read() const { return must(environment_->begin_read()); }
  [[nodiscard]] bool is_refused(Bytes key) const {
    const ReadTransaction transaction = read();
    const auto found = PackedSpace::of(transaction, kSpace).get(key);
    if (!found) BOOST_TEST((found.error().code == Code::corrupt), found.error().message);
    return !found;
  }

 private:
  Folder folder_{store::test::fast_folder()};
  std::shared_ptr<Environment> environment_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(packed_from_strangers)

BOOST_AUTO_TEST_CASE(keys_that_do_not_ascend_are_refused) {
  const File file;
  file.put({{key_of(1), coded(RawEntries().add(key_of(1), "a").add(key_of(2), "b").raw())},
            {key_of(5), coded(RawEntries().add(key_of(5), "a").add(key_of(5), "b").raw())},
            {key_of(9), coded(RawEntries().add(key_of(11), "a").add(key_of(10), "b").raw())}});
  BOOST_TEST(!file.is_refused(key_of(1)));
  BOOST_TEST(file.is_refused(key_of(5)));
  BOOST_TEST(file.is_refused(key_of(9)));
}

BOOST_AUTO_TEST_CASE(a_patch_whose_keys_do_not_ascend_is_refused) {
  const File file;
  file.put({{key_of(1), coded(RawEntries().add(key_of(1), "a").add(key_of(2), "b").raw())}});
  file.put_patch(key_of(1), RawEntries().patch(key_of(2), "c").patch(key_of(3), "d").raw());
  BOOST_TEST(!file.is_refused(key_of(1)));
  file.put_patch(key_of(1), RawEntries().patch(key_of(3), "c").patch(key_of(2), "d").raw());
  BOOST_TEST(file.is_refused(key_of(1)));
  file.put_patch(key_of(1), RawEntries().patch(key_of(3), "c").patch(key_of(3), "d").raw());
  BOOST_TEST(file.is_refused(key_of(1)));
}

BOOST_AUTO_TEST_CASE(a_patch_larger_than_writers_make_is_refused) {
  const File file;
  file.put({{key_of(1), coded(RawEntries().add(key_of(1), "a").raw())}});
  // A byte of the key, its size, how many it shares, and the size of the value.
  const std::string value(kPatchRawSizeBytesMax - (1 + 1 + 3 + 3), 'v');
  file.put_patch(key_of(1), RawEntries().patch(key_of(2), value).raw());
  BOOST_TEST(!file.is_refused(key_of(1)));
  file.put_patch(key_of(1), RawEntries().patch(key_of(2), value + 'v').raw());
  BOOST_TEST(file.is_refused(key_of(1)));
}

BOOST_AUTO_TEST_CASE(a_patch_of_nothing_changes_nothing) {
  const File file;
  file.put({{key_of(1), coded(RawEntries().add(key_of(1), "a").add(key_of(2), "b").raw())}});
  file.put_patch(key_of(1), {});
  const ReadTransaction transaction = file.read();
  BOOST_TEST((must(PackedSpace::of(transaction, kSpace).get(key_of(2))) == "b"));
}

// Each change of one moves what is behind it.
BOOST_AUTO_TEST_CASE(a_block_with_more_entries_than_writers_make_is_refused) {
  const auto block = [](std::size_t count, std::size_t patched_count) {
    PackedBlock made;
    made.begin = key_of(1);
    RawEntries entries, patch;
    for (std::size_t n = 1; n <= count; ++n) entries.add(key_of(n), "");
    for (std::size_t n = 1; n <= patched_count; ++n) patch.patch(key_of(count + n), "");
    return made.parse(entries.raw()) && made.apply_patch(patch.raw());
  };
  BOOST_TEST(block(kBlockEntriesMax, 0));
  BOOST_TEST(block(kBlockEntriesMax - 1, 1));
  BOOST_TEST(!block(kBlockEntriesMax + 1, 0));
  BOOST_TEST(!block(kBlockEntriesMax, 1));
}

BOOST_AUTO_TEST_CASE(no_more_dictionaries_are_held_than_files_have) {
  const File file;
  constexpr std::size_t kCount = 4 * kPackedDictionariesMax;
  std::vector<std::pair<std::string, std::string>> blocks, dictionaries;
  for (std::uint64_t n = 1; n <= kCount; ++n) {
    const std::string bytes = "word" + key_of(n, 4);
    const auto dictionary = must(Dictionary::digest(bytes, 1));
    BlockCodec codec;
    const std::string raw = RawEntries().add(key_of(n), std::string(999, 'v') + bytes).raw();
    blocks.emplace_back(
        key_of(n),
        std::string(must(codec.encode(raw, 1, dictionary.get(), static_cast<unsigned>(n)))));
    std::string stored;
    append_varint(stored, 1);
    dictionaries.emplace_back(std::string(1, static_cast<char>(kSpace)) + key_of(n, 4),
                              stored + bytes);
  }
  file.put(blocks);
  file.put(dictionaries, KeySpace::dictionary);
  const ReadTransaction transaction = file.read();
  PackedSpace& space = PackedSpace::of(transaction, kSpace);
  const PackedSpaces& all = PackedSpaces::of(transaction);
  for (std::uint64_t n = 1; n <= kCount; ++n) {
    // The first one is used all the time, and stays.
    for (const std::uint64_t number : {std::uint64_t{1}, n}) {
      const auto found = must(space.get(key_of(number)));
      BOOST_TEST_REQUIRE((found && found->ends_with(key_of(number))));
    }
    BOOST_TEST_REQUIRE(all.dictionary_count(kSpace) <= kPackedDictionariesMax);
  }
  BOOST_TEST(all.dictionary_count(kSpace) == kPackedDictionariesMax);
}

BOOST_AUTO_TEST_CASE(a_dictionary_larger_than_any_is_refused) {
  const File file;
  for (const bool is_refused : {false, true}) {
    std::string bytes(model::kDictionarySizeBytesMax + (is_refused ? 1 : 0), 'd');
    const auto dictionary = must(Dictionary::digest(bytes, 1));
    BlockCodec codec;
    const std::string raw = RawEntries().add(key_of(1), std::string(999, 'v')).raw();
    file.put({{key_of(1), std::string(must(codec.encode(raw, 1, dictionary.get(), 1)))}});
    file.put({{std::string(1, static_cast<char>(kSpace)) + key_of(1, 4), '\1' + bytes}},
             KeySpace::dictionary);
    BOOST_TEST(file.is_refused(key_of(1)) == is_refused);
  }
}

// Keys that share what they begin with take a few bytes in the file and hundreds in memory.
BOOST_AUTO_TEST_CASE(what_is_cached_is_counted_with_its_keys) {
  const File file;
  constexpr std::uint64_t kBlocks = 100, kEntries = 200;
  const std::string prefix(400, 'k');
  const auto key = [&](std::uint64_t block, std::uint64_t n) {
    return key_of(block) + prefix + key_of(n);
  };
  std::vector<std::pair<std::string, std::string>> blocks;
  for (std::uint64_t block = 1; block <= kBlocks; ++block) {
    RawEntries entries;
    for (std::uint64_t n = 0; n < kEntries; ++n) entries.add(key(block, n), "");
    blocks.emplace_back(key(block, 0), coded(entries.raw()));
  }
  file.put(blocks);
  const ReadTransaction transaction = file.read();
  constexpr std::size_t kOneSizeBytes = kEntries * (400 + 64);
  static_assert(kBlocks * kEntries * 400 > 2 * kPackedCacheSizeBytesMax);
  for (std::uint64_t block = 1; block <= kBlocks; ++block) {
    BOOST_TEST_REQUIRE(must(PackedSpace::of(transaction, kSpace).get(key(block, 7))).has_value());
    BOOST_TEST_REQUIRE(PackedSpaces::of(transaction).held_size_bytes(kSpace) <
                       kPackedCacheSizeBytesMax + kOneSizeBytes);
  }
}

BOOST_AUTO_TEST_SUITE_END()
