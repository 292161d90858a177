// Groups in a file that is damaged or hostile: reading gives the bytes, other bytes of the declared
// size where hostile ones happen to decode, or `corrupt`; recording goes on; erasing does what it
// can; check_groups tells what is wrong.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "payload/group_fixture.hpp"
#include "payload/group_reader.hpp"
#include "payload/group_writer.hpp"
#include "store/block_codec.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using namespace tracelite::test;

// In place of what is there.
void put_log(store::WriteTransaction& transaction, GroupNumber group, Bytes log) {
  for (std::uint64_t start = 0; start < log.size(); start += kChunkSizeBytes) {
    put_entry(transaction, kFrame, chunk_key(group, start), log.substr(start, kChunkSizeBytes));
  }
}

struct Damage : GroupFixture {
  // Two groups with full chunks and one that grows, slots, chains of recipes and pieces in common;
  // several blocks in each packed key space.
  void fill() {
    const std::string shared = text_bytes(9000, seed);
    std::string history = "[" + shared;
    for (std::size_t i = 0; i < 30; ++i) {
      history += ",{\"content\":\"" + random_bytes(700, seed + i) + "\"}";
      put_all(1, {history + "]"});
    }
    for (std::size_t i = 0; i < 120; ++i) put_all(1, {random_bytes(600, seed + 100 + i)});
    put_all(2, {shared, "[" + shared + "," + text_bytes(5000, seed + 1) + "]", "", "short"});
    put_all(2, {random_bytes(20000, seed + 300)});
    for (const store::KeySpace space : kPackedSpaces) BOOST_REQUIRE(entries(space) > 4U);
    last_payload = shared.substr(0, 5000) + "something new" + history.substr(3000, 20000);
  }

  // Whatever was done to the file in this transaction, which is dropped afterwards.
  void check_harmless(store::WriteTransaction& transaction) {
    check_reads(transaction);
    check_added(transaction, record(transaction));
    findings(transaction);
    erase_stored(transaction);
  }
  // The same, but everything is committed, so that blocks are written and decoded anew. In the end
  // the file is as it was.
  template <class Change>
  void check_harmless_in_file(const Change& change) {
    const std::string copy = copy_of_file();
    in_transaction(change);
    in_transaction([&](store::WriteTransaction& transaction) { check_reads(transaction); });
    Added added;
    for (int i = 0; i < 2; ++i) {
      in_transaction([&](store::WriteTransaction& transaction) {
        check_added(transaction, added);
        added.merge(record(transaction));
      });
      check_added(need(environment->begin_read()), added);
    }
    findings();
    // Where counts were changed, it may take away too much.
    in_transaction([&](store::WriteTransaction& transaction) { erase_stored(transaction); });
    in_transaction([&](store::WriteTransaction& transaction) { record(transaction); });
    restore_file(copy);
  }
  template <class Change>
  void in_transaction(const Change& change) {
    auto transaction = begin();
    change(transaction);
    need(transaction.commit());
  }

  void check_reads(const store::Transaction& transaction) {
    const PayloadReader reader(transaction);
    for (const auto& [number, bytes] : stored) {
      const auto size = reader.size_bytes(number);
      const auto read = reader.read_all(number);
      if (read) {
        BOOST_REQUIRE(size);
        BOOST_REQUIRE(read->size() == *size);
      } else {
        check_code(read.error());
      }
      std::string out = "kept";
      if (!reader.read(number, random.below(bytes.size() + 1), random.below(10000), out)) {
        BOOST_REQUIRE(out == "kept");
      }
    }
  }
  using Added = std::map<PayloadNumber, std::string>;
  Added record(store::WriteTransaction& transaction) {
    other.forget();
    Added added;
    for (const GroupNumber group : {1, 2, 3}) {
      for (const std::string& bytes : {last_payload, last_payload + "!"}) {
        const PayloadNumber number = need(other.put(transaction, group, bytes));
        BOOST_REQUIRE(added.emplace(number, bytes).second);
        BOOST_REQUIRE(need(PayloadReader(transaction).read_all(number)) == bytes);
      }
      need(other.flush(transaction));
      other.forget();
      check_added(transaction, added);
    }
    return added;
  }
  static void check_added(const store::Transaction& transaction, const Added& added) {
    const PayloadReader reader(transaction);
    for (const auto& [number, bytes] : added) BOOST_REQUIRE(need(reader.read_all(number)) == bytes);
  }
  void erase_stored(store::WriteTransaction& transaction) {
    other.forget();
    for (const auto& [number, bytes] : stored) need(other.erase(transaction, number));
    need(other.flush(transaction));
  }
  static void check_code(const Error& error) {
    BOOST_REQUIRE_MESSAGE(error.code == Code::corrupt || error.code == Code::not_found,
                          error.message);
  }

  // `change` gives what stands in place of a value, or nothing if it is gone.
  using Change = std::function<std::optional<std::string>(const Entries& all, std::size_t at)>;
  // Of entries, as somebody wrote them who knows the format, and of blocks of them.
  void check_changes_of_each_value(std::size_t times, const Change& change) {
    fill();
    for (const store::KeySpace space : kGroupSpaces) {
      check_changes(times, space, content(space), change,
                    [](auto&&... of) { of_entry(std::forward<decltype(of)>(of)...); });
      if (!is_packed(space)) continue;
      check_changes(times, space, values(space), change,
                    [](auto&&... of) { of_block(std::forward<decltype(of)>(of)...); });
    }
    check_stored();
    BOOST_TEST(findings().empty());
  }
  template <class Put>
  void check_changes(std::size_t times, store::KeySpace space, const Entries& all,
                     const Change& change, const Put& put) {
    for (std::size_t n = 0; n < scaled(times); ++n) {
      // Small values (heads, counts) are few, and say most.
      std::size_t at = random.below(all.size());
      for (int i = 0; i < 5 && all[at].second.size() > 100; ++i) at = random.below(all.size());
      BOOST_TEST_CONTEXT("seed " << seed << ", space " << static_cast<int>(space) << ", value "
                                 << at) {
        const auto value = change(all, at);
        const auto change_it = [&](store::WriteTransaction& transaction) {
          put(transaction, space, all[at].first, value);
        };
        if (random.chance(8)) {
          check_harmless_in_file(change_it);
        } else {
          auto transaction = begin();
          change_it(transaction);
          check_harmless(transaction);
        }
      }
      writer.forget();
    }
  }
  static void of_entry(store::WriteTransaction& transaction, store::KeySpace space, Bytes key,
                       const std::optional<std::string>& value) {
    if (value) {
      put_entry(transaction, space, key, *value);
    } else {
      erase_entry(transaction, space, key);
    }
  }
  // In a transaction that has decoded nothing yet.
  static void of_block(store::WriteTransaction& transaction, store::KeySpace space, Bytes key,
                       const std::optional<std::string>& value) {
    if (value) {
      need(transaction.put(space, key, *value));
    } else {
      BOOST_REQUIRE(need(transaction.erase(space, key)));
    }
  }

  std::uint64_t seed = random_seed();
  RandomJson random{seed};
  std::string last_payload;
  PayloadWriter other;  // outlives each transaction, whose readers ask it
};

BOOST_FIXTURE_TEST_SUITE(group_damage, Damage)

BOOST_AUTO_TEST_CASE(a_missing_value_is_harmless) {
  check_changes_of_each_value(150, [](const Entries&, std::size_t) { return std::nullopt; });
}

BOOST_AUTO_TEST_CASE(the_value_of_another_key_is_harmless) {
  check_changes_of_each_value(150, [this](const Entries& all, std::size_t) {
    return all[random.below(all.size())].second;
  });
}

BOOST_AUTO_TEST_CASE(a_truncated_value_is_harmless) {
  check_changes_of_each_value(150, [this](const Entries& all, std::size_t at) {
    const std::string& value = all[at].second;
    return value.substr(0, value.empty() ? 0 : random.below(value.size()));
  });
}

BOOST_AUTO_TEST_CASE(random_bytes_in_place_of_a_value_are_harmless) {
  check_changes_of_each_value(150, [this](const Entries& all, std::size_t at) {
    std::string value =
        random_bytes(random.below(all[at].second.size() + 20), random.below(1U << 30));
    for (char& byte : value) {  // small numbers parse more often
      if (random.chance(2)) byte = static_cast<char>(random.below(8));
    }
    return value;
  });
}

BOOST_AUTO_TEST_CASE(a_few_changed_bytes_in_a_value_are_harmless) {
  check_changes_of_each_value(300, [this](const Entries& all, std::size_t at) {
    std::string value = all[at].second;
    for (std::size_t n = value.empty() ? 0 : 1 + random.below(3); n > 0; --n) {
      value[random.below(random.chance(2) ? std::min<std::size_t>(value.size(), 12)
                                          : value.size())] = static_cast<char>(random.below(256));
    }
    return value;
  });
}

// Blocks as somebody wrote them who knows how they are coded: raw, so that every byte of keys,
// sizes and values counts.
BOOST_AUTO_TEST_CASE(changed_bytes_in_raw_blocks_are_harmless) {
  fill();
  const auto snapshot = need(environment->begin_read());
  for (const store::KeySpace space : kPackedSpaces) {
    Entries raw = values(snapshot, space);
    store::BlockCodec codec;
    for (auto& [key, value] : raw) {
      const auto block = need(store::parse_block(value));
      BOOST_REQUIRE(block.dictionary == 0U);
      const std::string bytes = need(codec.decode(block, nullptr));
      value.assign(1, '\0');  // raw
      append_varint(value, bytes.size());
      value += bytes;
    }
    check_changes(
        300, space, raw,
        [this](const Entries& all, std::size_t at) {
          std::string value = all[at].second;
          const std::size_t near_begin = std::min<std::size_t>(value.size(), 40);
          for (std::size_t n = 1 + random.below(4); n > 0; --n) {
            value[random.below(random.chance(2) ? near_begin : value.size())] =
                static_cast<char>(random.chance(2) ? random.below(256) : random.below(8));
          }
          return value;
        },
        [](auto&&... of) { of_block(std::forward<decltype(of)>(of)...); });
  }
}

// The log itself, as somebody wrote it who knows the format: so that every byte of a recipe counts.
BOOST_AUTO_TEST_CASE(changed_bytes_in_a_log_are_harmless) {
  fill();
  GroupHead head;
  std::string log;
  {
    const auto snapshot = need(environment->begin_read());
    head = need(read_head(snapshot, 1)).value();
    while (log.size() < head.size_bytes) log += need(read_chunk(snapshot, 1, log.size())).bytes;
  }
  BOOST_REQUIRE(log.size() == head.size_bytes);
  for (std::size_t n = 0; n < scaled(300); ++n) {
    auto transaction = begin();
    std::string changed = log;
    for (std::size_t i = 1 + random.below(200); i > 0; --i) {
      // Heads begin where payloads do.
      const auto one = std::next(stored.begin(), static_cast<std::ptrdiff_t>(random.below(30)));
      const GroupPosition at = group_position(one->first);
      if (at.group != 1) continue;
      const std::size_t place =
          std::min<std::size_t>(at.position + random.below(20), changed.size() - 1);
      changed[place] = static_cast<char>(random.chance(2) ? random.below(256) : random.below(8));
    }
    put_log(transaction, 1, changed);
    BOOST_TEST_CONTEXT("seed " << seed << ", time " << n) { check_harmless(transaction); }
    writer.forget();
  }
}

// A payload may be built on one that refers to any of them.
BOOST_AUTO_TEST_CASE(a_head_that_says_fewer_slots_than_there_are_is_harmless) {
  fill();
  for (const GroupNumber group : {1, 2}) {
    const GroupHead right = need(read_head(need(environment->begin_read()), group)).value();
    BOOST_REQUIRE(right.slot_count > 1U);
    for (std::uint64_t count = 0; count < right.slot_count; ++count) {
      GroupHead head = right;
      head.slot_count = count;
      BOOST_TEST_CONTEXT("group " << group << ", " << count << " of " << right.slot_count) {
        auto transaction = begin();
        put_entry(transaction, kFrame, head_key(group), encode(head));
        check_harmless(transaction);
      }
      writer.forget();
    }
  }
}

BOOST_AUTO_TEST_CASE(wrong_numbers_in_a_head_are_harmless) {
  fill();
  const GroupHead right = need(read_head(need(environment->begin_read()), 1)).value();
  std::vector<GroupHead> heads;
  const std::vector<std::uint64_t> numbers_to_try = {
      0, 1, 2, 15, 17, 255, 65535, 65536, kLogSizeBytesMax, kLogSizeBytesMax + 1, UINT64_MAX};
  for (const std::uint64_t number : numbers_to_try) {
    for (const auto member :
         {&GroupHead::size_bytes, &GroupHead::payload_count, &GroupHead::slot_count}) {
      heads.push_back(right);
      heads.back().*member = number;
    }
    heads.push_back(right);
    heads.back().recent = {number};
    heads.push_back(right);
    heads.back().recent.assign(4, number);
  }
  for (std::size_t i = 0; i < heads.size(); ++i) {
    BOOST_TEST_CONTEXT("head " << i) {
      auto transaction = begin();
      put_entry(transaction, kFrame, head_key(1), encode(heads[i]));
      check_harmless(transaction);
    }
    writer.forget();
  }
}

// ------------------------------------------------------------------------------ hostile logs

// A group whose log is these bytes.
void plant(store::WriteTransaction& transaction, GroupNumber group, Bytes log,
           std::vector<std::uint64_t> recent = {}) {
  put_log(transaction, group, log);
  put_entry(transaction, kFrame, head_key(group),
            encode(GroupHead{log.size(), 1, 0, std::move(recent)}));
}

void append_base(std::string& log, std::uint64_t size_bytes, std::uint64_t offset) {
  append_varint(log, size_bytes << 2 | static_cast<std::uint64_t>(Source::base));
  append_varint(log, offset);
}

BOOST_AUTO_TEST_CASE(recipes_that_double_with_every_step_are_bounded) {
  std::string log("\x40\0\x80\x02", 4);  // 64 bytes, no base, one literal
  log += std::string(64, 'x');
  std::uint64_t last = 0;
  std::uint64_t size = 64;
  std::vector<std::uint64_t> positions;
  for (unsigned i = 1; i < 40; ++i) {
    const std::uint64_t position = log.size();
    append_varint(log, 2 * size);
    append_varint(log, i);
    append_varint(log, position - last);
    if (size < UINT32_MAX) {
      append_base(log, size, 0);
      append_base(log, size, 0);
    }
    positions.push_back(position);
    last = position;
    size *= 2;
  }
  auto transaction = begin();
  plant(transaction, 7, log);
  const PayloadReader reader(transaction);
  std::size_t good = 0;
  for (const std::uint64_t position : positions) {
    const auto bytes = reader.read_all(payload_number({7, position}));
    if (bytes) {
      ++good;
      BOOST_TEST((*bytes == std::string(bytes->size(), 'x')));
      BOOST_TEST(bytes->size() <= kSharedPayloadSizeBytesMax);
    } else {
      BOOST_TEST((bytes.error().code == Code::corrupt));
    }
  }
  BOOST_TEST(good == 16U);  // 128 bytes to 4 MiB
  // Nor does the writer, which would compare with them, take memory for them: not even for one that
  // says to have more bytes than there are addresses.
  positions.push_back(log.size());
  append_varint(log, std::uint64_t{UINT32_MAX} * kOperationCountMax);
  append_varint(log, 1);
  append_varint(log, positions.back());  // built on the first
  for (std::size_t i = 0; i < kOperationCountMax; ++i) append_base(log, UINT32_MAX, 0);
  put_log(transaction, 7, log);
  for (const std::uint64_t position : positions) {
    put_entry(transaction, kFrame, head_key(7), encode(GroupHead{log.size(), 1, 0, {position}}));
    const PayloadNumber number = need(writer.put(transaction, 7, "more"));
    BOOST_TEST(need(PayloadReader(transaction).read_all(number)) == "more");
    writer.forget();
  }
}

// Each byte of a payload is a reference of its own into a payload that is made in the same way.
BOOST_AUTO_TEST_CASE(recipes_of_many_small_references_end) {
  const std::uint64_t size = 50000;
  std::string log;
  append_varint(log, size);
  append_varint(log, 0);
  append_varint(log, size << 2);
  log += std::string(size, 'x');
  std::uint64_t last = 0;
  for (unsigned i = 1; i < 12; ++i) {
    const std::uint64_t position = log.size();
    append_varint(log, size);
    append_varint(log, i);
    append_varint(log, position - last);
    for (std::uint64_t at = 0; at < size; ++at) append_base(log, 1, size - 1 - at);
    last = position;
  }
  auto transaction = begin();
  plant(transaction, 7, log, {last});
  BOOST_TEST((need(PayloadReader(transaction).read_all(payload_number({7, last}))) ==
              std::string(size, 'x')));
  check_harmless(transaction);
}

BOOST_AUTO_TEST_CASE(chains_with_wrong_indices_do_not_spoil_what_comes_next) {
  const std::string text = random_bytes(600, seed);
  for (const std::uint64_t index : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{7},
                                    std::uint64_t{UINT32_MAX} - 1, std::uint64_t{UINT32_MAX}}) {
    std::string log;
    append_varint(log, 600);
    append_varint(log, 0);
    append_varint(log, 600 << 2);
    log += text;
    std::uint64_t last = 0;
    for (unsigned i = 1; i < 63; ++i) {
      const std::uint64_t position = log.size();
      append_varint(log, 600);
      append_varint(log, index);
      append_varint(log, position - last);
      append_base(log, 600, 0);
      last = position;
    }
    auto transaction = begin();
    plant(transaction, 7, log, {last});
    for (int i = 0; i < 10; ++i) {
      const std::string bytes = text + std::string(static_cast<std::size_t>(i), '!');
      const PayloadNumber number = need(writer.put(transaction, 7, bytes));
      BOOST_REQUIRE(need(PayloadReader(transaction).read_all(number)) == bytes);
    }
    writer.forget();
  }
}

// An offset so large that the end of what it begins is a small number again: before the bytes of
// the base, wherever in memory these are.
BOOST_AUTO_TEST_CASE(offsets_that_wrap_around_refer_to_nothing) {
  const std::string base = random_bytes(8 << 10, seed);  // long enough to be kept
  for (const std::uint64_t before : {std::uint64_t{1}, std::uint64_t{64}, std::uint64_t{1} << 20}) {
    std::string log;
    append_varint(log, base.size());
    append_varint(log, 0);
    append_varint(log, base.size() << 2);
    log += base;
    const auto append_built_on_base = [&](std::uint64_t size_bytes, std::uint64_t offset) {
      const std::uint64_t position = log.size();
      append_varint(log, size_bytes);
      append_varint(log, 1);
      append_varint(log, position);
      append_base(log, size_bytes, offset);
      return payload_number({7, position});
    };
    const PayloadNumber sound = append_built_on_base(100, base.size() - 100);
    const std::vector<PayloadNumber> wrong = {
        append_built_on_base(before + 100, 0 - before), append_built_on_base(before, 0 - before),
        append_built_on_base(before + base.size(), 0 - before),
        append_built_on_base(100, UINT64_MAX - 50), append_built_on_base(101, base.size() - 100)};
    auto transaction = begin();
    plant(transaction, 7, log);
    for (const bool is_kept : {false, true}) {
      BOOST_TEST_CONTEXT(before << " before, " << (is_kept ? "kept" : "not kept")) {
        const PayloadReader reader(transaction);
        GroupReader::of(transaction).forget();
        for (const PayloadNumber number : wrong) {
          if (is_kept) {
            BOOST_TEST((need(reader.read_all(payload_number({7, 0}))) == base));
          }
          BOOST_TEST((code_of(reader.read_all(number)) == Code::corrupt));
        }
        BOOST_TEST((need(reader.read_all(sound)) == base.substr(base.size() - 100)));
      }
    }
    writer.forget();
  }
}

// The log of a group that can take no more.
BOOST_AUTO_TEST_CASE(a_full_log_lets_payloads_be_stored_by_themselves) {
  // What the longest recipe could take is kept free.
  const std::size_t kept_free = kOperationCountMax * kOperationHeadSizeBytesMax;
  const std::uint64_t near_end =
      kLogSizeBytesMax - (kept_free / kChunkSizeBytes + 3) * kChunkSizeBytes;
  auto transaction = begin();
  for (std::uint64_t start = near_end - kLogWindowSizeBytesMax; start < near_end;
       start += kChunkSizeBytes) {
    put_entry(transaction, kFrame, chunk_key(7, start), std::string(kChunkSizeBytes, '\0'));
  }
  put_entry(transaction, kFrame, head_key(7), encode(GroupHead{near_end, 1, 0, {}}));
  std::size_t in_group = 0;
  bool full = false;
  for (std::size_t i = 0; i < 1000; ++i) {
    const std::string bytes = random_bytes(900, seed + i);
    const PayloadNumber number = need(writer.put(transaction, 7, bytes));
    const bool by_itself = (number & kInGroup) == 0;
    if (!by_itself) ++in_group;
    BOOST_REQUIRE(!full || by_itself);
    full = by_itself;
    stored[number] = bytes;
  }
  BOOST_TEST(full);
  BOOST_TEST(in_group > 0U);
  commit(transaction);
  check_stored();
}

// ------------------------------------------------------------------------------ turned bits

// The file itself is damaged: the checksum of a block is wrong.
struct TurnedBits : Damage {
  TurnedBits() {
    // What is damaged is in the first block of group 1; the last one has groups 2 and 4 whole.
    first = put_all(1, {literal, segment});
    for (std::size_t i = 0; i < 20; ++i) put_all(1, {random_bytes(600, seed + 10 + i)});
    second = put_all(2, {segment, "kept"});
    put_all(4, {"kept as well"});
    BOOST_REQUIRE(entries(kFrame) > 3U);
  }
  void damage_and_forget(Bytes bytes) {
    damage(bytes.substr(100, 50));
    writer.forget();
  }
  void check_recording() {
    for (const GroupNumber group : {1, 2, 3, 5}) {
      const PayloadNumber number = put(group, segment);
      BOOST_TEST((need(read_all(number)) == segment));
      need(erase(number));
    }
    BOOST_TEST(!findings().empty());
  }
  // What a reader finds of a group, whatever its neighbours are like.
  bool has_entries(GroupNumber group) {
    const auto snapshot = need(environment->begin_read());
    store::PackedCursor cursor(snapshot, kFrame);
    return need(cursor.seek(group_prefix(group))) && cursor.key().starts_with(group_prefix(group));
  }

  const std::string literal = random_bytes(600, seed);        // in the log of group 1
  const std::string segment = random_bytes(20000, seed + 1);  // shared by groups 1 and 2
  std::vector<PayloadNumber> first, second;
};

BOOST_FIXTURE_TEST_CASE(damaged_bytes_of_a_segment_keep_nobody_from_recording, TurnedBits) {
  damage_and_forget(segment);
  BOOST_TEST((code_of(read_all(first[1])) == Code::corrupt));
  BOOST_TEST((code_of(read_all(second[0])) == Code::corrupt));
  BOOST_TEST((need(read_all(first[0])) == literal));
  BOOST_TEST(need(read_all(second[1])) == "kept");
  check_recording();
  // By its bytes it would be found, so it stays; the groups go, and the segments that can be read.
  for (const auto& [number, bytes] : std::map(stored)) need(erase(number));
  stored.clear();
  BOOST_TEST(entries(kFrame) == 0U);
  const auto snapshot = need(environment->begin_read());
  const Entries left = content(snapshot, kSegment);
  BOOST_TEST(!left.empty());
  for (const auto& [key, value] : left) {
    const auto use = need(segment_use(snapshot, read_big_endian(key))).value();
    BOOST_TEST((code_of(read_segment(snapshot, use.number)) == Code::corrupt));
  }
  BOOST_TEST(!findings().empty());
}

BOOST_FIXTURE_TEST_CASE(a_damaged_block_of_a_log_keeps_nobody_from_recording, TurnedBits) {
  const std::uint64_t before = entries(kFrame);
  damage_and_forget(literal);
  BOOST_TEST((code_of(read_all(first[0])) == Code::corrupt));
  for (const PayloadNumber number : second) {
    BOOST_TEST((need(read_all(number)) == stored.at(number)));
  }
  std::size_t readable = 0;
  for (const auto& [number, bytes] : stored) {
    const auto read = read_all(number);
    if (read) {
      ++readable;
      BOOST_TEST((*read == bytes));
    } else {
      BOOST_TEST((read.error().code == Code::corrupt));
    }
  }
  BOOST_TEST(readable > 12U);  // of 25: what is in other blocks of group 1
  check_recording();
  // The head of group 1 is lost, and so nobody can say when its last payload goes.
  for (const auto& [number, bytes] : std::map(stored)) need(erase(number));
  stored.clear();
  BOOST_TEST(entries(kFrame) <= before);
  BOOST_TEST(entries(kFrame) > 0U);
  for (const GroupNumber group : {2, 3, 4, 5}) BOOST_TEST(!has_entries(group));
  BOOST_TEST(!findings().empty());
}

// All groups to come belong behind it.
BOOST_FIXTURE_TEST_CASE(damage_to_the_last_block_keeps_nobody_from_recording, TurnedBits) {
  for (const store::KeySpace space : kPackedSpaces) {
    const Entries all = values(space);
    put_raw(space, all.back().first, all.back().second.substr(1));
  }
  for (int i = 0; i < 3; ++i) {
    std::map<PayloadNumber, std::string> added;
    for (GroupNumber group = 1; group < 8; ++group) {
      for (const std::size_t size : {10, 700, 4000, 30000}) {
        const std::string bytes = random_bytes(size, seed + size + group);
        added.emplace(put(group, bytes), bytes);
      }
    }
    writer.forget();
    for (const auto& [number, bytes] : added) BOOST_TEST((need(read_all(number)) == bytes));
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_dictionary_keeps_nobody_from_recording) {
  const auto record_some = [&](GroupNumber first, GroupNumber count) {
    std::map<PayloadNumber, std::string> added;
    auto transaction = begin();
    for (GroupNumber group = first; group < first + count; ++group) {
      const std::string bytes = text_bytes(900, seed + group);
      added.emplace(need(writer.put(transaction, group, bytes)), bytes);
    }
    commit(transaction);
    return added;
  };
  record_some(1, 3000);
  record_some(3001, 100);
  const Entries dictionaries = values(store::KeySpace::dictionary);
  BOOST_REQUIRE(!dictionaries.empty());
  for (const auto& [key, value] : dictionaries) put_raw(store::KeySpace::dictionary, key, "");
  // Groups whose blocks can be read, and new ones, which belong behind a block that cannot.
  for (const GroupNumber first : {5, 5000}) {
    for (const auto& [number, bytes] : record_some(first, 100)) {
      BOOST_TEST(((number & kInGroup) != 0) == (first == 5));
      BOOST_TEST((need(read_all(number)) == bytes));
    }
  }
  BOOST_TEST(!findings().empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_count_of_a_segment_keeps_nobody_from_recording) {
  const std::string text = random_bytes(3000, seed);
  const auto numbers = put_all(1, {text});
  for (const auto& [key, value] : content(kSegment)) put_raw(kSegment, key, "\xff");
  BOOST_TEST(!findings().empty());
  BOOST_TEST(need(read_all(numbers[0])) == text);
  const PayloadNumber number = put(2, text);
  BOOST_TEST(need(read_all(number)) == text);
  need(erase(numbers[0]));
  need(erase(number));
  stored.clear();
  BOOST_TEST(entries(kFrame) == 0U);
  BOOST_TEST(content(kSegmentBytes).size() == 2U);  // those that nothing counts
  BOOST_TEST(!findings().empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_counter_of_segments_keeps_nobody_from_recording) {
  const std::string text = random_bytes(3000, seed);
  for (const Bytes value : {Bytes(""), Bytes("1"), Bytes("\0\0\0\0\0\0\0\0", 8)}) {
    put_raw(store::KeySpace::meta, "next_segment", value);
    const PayloadNumber number = put(1, text);
    BOOST_TEST((number & kInGroup) != 0U);
    BOOST_TEST(need(read_all(number)) == text);
    need(erase(number));
  }
  BOOST_TEST(entries(kSegment) == 0U);
}

// ------------------------------------------------------------------------------ what check tells

BOOST_AUTO_TEST_CASE(each_planted_fault_is_found) {
  fill();
  BOOST_TEST(findings().empty());
  const auto check_found = [&](const char* what, const auto& plant_fault) {
    BOOST_TEST_CONTEXT(what) {
      auto transaction = begin();
      plant_fault(transaction);
      const auto found = findings(transaction);
      BOOST_TEST(!found.empty());
      for (const std::string& one : found) BOOST_TEST_MESSAGE(what << ": " << one);
    }
  };
  const auto snapshot = need(environment->begin_read());
  const GroupHead head = need(read_head(snapshot, 1)).value();
  const SegmentNumber segment = need(read_slot(snapshot, 2, 0));
  SegmentUse use;  // of it
  for (const auto& [key, value] : content(kSegment)) {
    const SegmentUse one = need(segment_use(snapshot, read_big_endian(key))).value();
    if (one.number == segment) use = one;
  }
  BOOST_REQUIRE(use.count > 0U);
  std::string segment_key;
  append_big_endian(segment_key, use.hash);
  std::vector<std::string> part_keys;
  for (const auto& [key, value] : content(kSegmentBytes)) {
    if (read_big_endian(Bytes(key).substr(0, kSegmentNumberSizeBytes)) == segment) {
      part_keys.push_back(key);
    }
  }
  BOOST_REQUIRE(!part_keys.empty());
  const auto erase_parts = [&](auto& transaction) {
    for (const std::string& key : part_keys) erase_entry(transaction, kSegmentBytes, key);
  };
  const auto put_head = [&](auto& transaction, const GroupHead& changed) {
    put_entry(transaction, kFrame, head_key(1), encode(changed));
  };
  check_found("a wrong count of payloads", [&](auto& transaction) {
    GroupHead changed = head;
    --changed.payload_count;
    put_head(transaction, changed);
  });
  check_found("a log that should be longer", [&](auto& transaction) {
    GroupHead changed = head;
    ++changed.size_bytes;
    put_head(transaction, changed);
  });
  check_found("a log that should be shorter", [&](auto& transaction) {
    GroupHead changed = head;
    --changed.size_bytes;
    put_head(transaction, changed);
  });
  check_found("a group without a head",
              [&](auto& transaction) { erase_entry(transaction, kFrame, head_key(1)); });
  check_found("a group that is missing", [&](auto& transaction) {
    other.forget();
    for (const auto& [number, bytes] : stored) {
      if (group_position(number).group == 2) need(other.erase(transaction, number));
    }
    need(other.flush(transaction));
  });
  check_found("a group that nobody refers to", [&](auto& transaction) {
    other.forget();
    need(other.put(transaction, 3, "somebody's"));
    need(other.flush(transaction));
  });
  const std::uint64_t last_chunk = (head.size_bytes - 1) / kChunkSizeBytes * kChunkSizeBytes;
  for (const std::uint64_t start : {std::uint64_t{0}, std::uint64_t{kChunkSizeBytes}, last_chunk}) {
    check_found("a missing chunk",
                [&](auto& transaction) { erase_entry(transaction, kFrame, chunk_key(1, start)); });
    check_found("a chunk that is too short", [&](auto& transaction) {
      put_entry(transaction, kFrame, chunk_key(1, start), "short");
    });
    check_found("a chunk of nothing", [&](auto& transaction) {
      put_entry(transaction, kFrame, chunk_key(1, start), "");
    });
    check_found("a chunk that is too long", [&](auto& transaction) {
      put_entry(transaction, kFrame, chunk_key(1, start), std::string(kChunkSizeBytes + 1, 'x'));
    });
    check_found("a chunk inside another", [&](auto& transaction) {
      put_entry(transaction, kFrame, chunk_key(1, start + 1), "x");
    });
  }
  check_found("a chunk beyond the end", [&](auto& transaction) {
    put_entry(transaction, kFrame, chunk_key(1, head.size_bytes), "more");
  });
  check_found("a chunk far beyond the end", [&](auto& transaction) {
    put_entry(transaction, kFrame, chunk_key(1, 100 * head.size_bytes), "more");
  });
  check_found("missing slots",
              [&](auto& transaction) { erase_entry(transaction, kFrame, slots_key(1, 0)); });
  check_found("a missing segment", [&](auto& transaction) {
    need(transaction.erase(kSegment, segment_key));
    erase_parts(transaction);
  });
  check_found("a segment without bytes", [&](auto& transaction) { erase_parts(transaction); });
  for (const std::string& key : part_keys) {
    check_found("a missing part of a segment",
                [&](auto& transaction) { erase_entry(transaction, kSegmentBytes, key); });
    check_found("a changed part of a segment",
                [&](auto& transaction) { put_entry(transaction, kSegmentBytes, key, "changed"); });
  }
  check_found("a segment without a count",
              [&](auto& transaction) { need(transaction.erase(kSegment, segment_key)); });
  check_found("a wrong count of uses",
              [&](auto& transaction) { need(SegmentWriter::add_use(transaction, use)); });
  check_found("a segment that is counted twice", [&](auto& transaction) {
    std::string key;
    append_big_endian(key, use.hash - 1);
    need(transaction.put(kSegment, key, *need(transaction.get(kSegment, segment_key))));
  });
  check_found("an orphan segment", [&](auto& transaction) {
    SegmentWriter segments;
    need(segments.intern(transaction, random_bytes(2000, 1), 12345));
  });
  check_found("bytes of a segment without a count", [&](auto& transaction) {
    put_entry(transaction, kSegmentBytes, std::string("\0\0\1\0\0\0\0", 7), "bytes");
  });
  for (const Bytes key : {Bytes("a"), Bytes("\xff\xff\xff\xff\xff\xff"),
                          Bytes("\xff\xff\xff\xff\xff\xff\xff"), Bytes("\0\0\0\0\0\x01x", 7)}) {
    check_found("a strange key among frames",
                [&](auto& transaction) { put_entry(transaction, kFrame, key, "value"); });
    check_found("a strange key among segments",
                [&](auto& transaction) { put_entry(transaction, kSegment, key, "value"); });
    check_found("a strange key among bytes of segments",
                [&](auto& transaction) { put_entry(transaction, kSegmentBytes, key, "value"); });
  }
  // One group's damage does not hide another's.
  check_found("two missing chunks", [&](auto& transaction) {
    for (const GroupNumber group : {1, 2}) {
      erase_entry(transaction, kFrame, chunk_key(group, 0));
    }
    const auto found = findings(transaction);
    for (const char* group : {"group 1", "group 2"}) {
      const bool named = std::any_of(found.begin(), found.end(), [&](const std::string& one) {
        return one.find(group) != std::string::npos;
      });
      BOOST_TEST(named, group);
    }
  });
}

BOOST_AUTO_TEST_CASE(each_damaged_block_is_found) {
  fill();
  for (const store::KeySpace space : kPackedSpaces) {
    for (const auto& [key, value] : values(space)) {
      const std::vector<std::optional<std::string>> changes = {
          std::nullopt, "", value.substr(1), value.substr(0, value.size() - 1), value + "x"};
      for (std::size_t i = 0; i < changes.size(); ++i) {
        BOOST_TEST_CONTEXT("space " << static_cast<int>(space) << ", change " << i) {
          auto transaction = begin();
          of_block(transaction, space, key, changes[i]);
          BOOST_TEST(!findings(transaction).empty());
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
