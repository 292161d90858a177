// Groups in a file that is damaged or hostile: reading gives the bytes, other bytes of the declared
// size where hostile ones happen to decode, or `corrupt`; recording goes on; erasing does what it
// can; check_groups tells what is wrong.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "payload/group_fixture.hpp"
#include "payload/group_writer.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using namespace tracelite::test;

struct Damage : GroupFixture {
  Damage() { std::cout << "TL_SEED=" << seed << '\n'; }

  // Two groups with open and full frames, slots, chains of recipes and pieces in common.
  void fill() {
    const std::string shared = text_bytes(9000, seed);
    std::string history = "[" + shared;
    for (std::size_t i = 0; i < 30; ++i) {
      history += ",{\"content\":\"" + random_bytes(700, seed + i) + "\"}";
      put_all(1, {history + "]"});
    }
    for (std::size_t i = 0; i < 120; ++i) put_all(1, {random_bytes(600, seed + 100 + i)});
    put_all(2, {shared, "[" + shared + "," + text_bytes(5000, seed + 1) + "]", "", "short"});
    last_payload = shared.substr(0, 5000) + "something new" + history.substr(3000, 20000);
  }

  // Whatever was done to the file in this transaction, which is dropped afterwards.
  void check_harmless(store::WriteTransaction& transaction) {
    {
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
    PayloadWriter other;
    for (const GroupNumber group : {1, 2, 3}) {
      std::vector<PayloadNumber> added;
      for (const std::string& bytes : {last_payload, last_payload + "!"}) {
        added.push_back(need(other.put(transaction, group, bytes)));
        BOOST_REQUIRE(need(PayloadReader(transaction).read_all(added.back())) == bytes);
      }
      need(other.flush(transaction));
      other.forget();
      const PayloadReader reader(transaction);
      BOOST_REQUIRE(need(reader.read_all(added[0])) == last_payload);
      BOOST_REQUIRE(need(reader.read_all(added[1])) == last_payload + "!");
    }
    findings(transaction);
    for (const auto& [number, bytes] : stored) need(other.erase(transaction, number));
    need(other.flush(transaction));
  }
  static void check_code(const Error& error) {
    BOOST_REQUIRE_MESSAGE(error.code == Code::corrupt || error.code == Code::not_found,
                          error.message);
  }

  template <class Change>
  void check_changes_of_each_value(std::size_t times, const Change& change) {
    fill();
    for (const store::KeySpace space : {kFrame, kSegment}) {
      const Entries all = content(space);
      for (std::size_t n = 0; n < scaled(times); ++n) {
        // Small values (heads, counts) are few, and say most.
        std::size_t at = random.below(all.size());
        while (all[at].second.size() > 100 && !random.chance(3)) at = random.below(all.size());
        BOOST_TEST_CONTEXT("seed " << seed << ", space " << static_cast<int>(space) << ", value "
                                   << at) {
          auto transaction = begin();
          change(transaction, space, all, at);
          check_harmless(transaction);
        }
        writer.forget();
      }
    }
    check_stored();
    BOOST_TEST(findings().empty());
  }

  std::uint64_t seed = random_seed();
  RandomJson random{seed};
  std::string last_payload;
};

BOOST_FIXTURE_TEST_SUITE(group_damage, Damage)

BOOST_AUTO_TEST_CASE(a_missing_value_is_harmless) {
  check_changes_of_each_value(
      150, [](auto& transaction, auto space, const Entries& all, std::size_t at) {
        BOOST_REQUIRE(need(transaction.erase(space, all[at].first)));
      });
}

BOOST_AUTO_TEST_CASE(the_value_of_another_key_is_harmless) {
  check_changes_of_each_value(
      150, [this](auto& transaction, auto space, const Entries& all, std::size_t at) {
        need(transaction.put(space, all[at].first, all[random.below(all.size())].second));
      });
}

BOOST_AUTO_TEST_CASE(a_truncated_value_is_harmless) {
  check_changes_of_each_value(
      150, [this](auto& transaction, auto space, const Entries& all, std::size_t at) {
        const Bytes value = all[at].second;
        if (value.empty()) return;
        need(transaction.put(space, all[at].first, value.substr(0, random.below(value.size()))));
      });
}

BOOST_AUTO_TEST_CASE(random_bytes_in_place_of_a_value_are_harmless) {
  check_changes_of_each_value(
      150, [this](auto& transaction, auto space, const Entries& all, std::size_t at) {
        std::string value =
            random_bytes(random.below(all[at].second.size() + 20), random.below(1U << 30));
        for (char& byte : value) {  // small numbers parse more often
          if (random.chance(2)) byte = static_cast<char>(random.below(8));
        }
        need(transaction.put(space, all[at].first, value));
      });
}

BOOST_AUTO_TEST_CASE(a_few_changed_bytes_in_a_value_are_harmless) {
  check_changes_of_each_value(300, [this](auto& transaction, auto space, const Entries& all,
                                          std::size_t at) {
    std::string value = all[at].second;
    if (value.empty()) return;
    for (std::size_t n = 1 + random.below(3); n > 0; --n) {
      value[random.below(random.chance(2) ? std::min<std::size_t>(value.size(), 12)
                                          : value.size())] = static_cast<char>(random.below(256));
    }
    need(transaction.put(space, all[at].first, value));
  });
}

// The log itself, as somebody wrote it who knows the format: stored raw, so that every byte counts.
BOOST_AUTO_TEST_CASE(changed_bytes_in_a_log_are_harmless) {
  fill();
  GroupHead head;
  std::string log;
  {
    const auto snapshot = need(environment->begin_read());
    BlockReader reader;
    head = need(read_head(snapshot, 1)).value();
    for (std::uint64_t frame = 0; log.size() < head.size_bytes; ++frame) {
      log += need(read_frame(snapshot, reader, 1, frame));
    }
  }
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
    BlockWriter blocks;
    for (std::uint64_t frame = 0; frame * kFrameSizeBytes < changed.size(); ++frame) {
      for (std::uint64_t part = 0; part < 20; ++part) {
        need(erase_block(transaction, kFrame, part_prefix(1, frame, part)));
      }
      const Bytes bytes = Bytes(changed).substr(frame * kFrameSizeBytes, kFrameSizeBytes);
      need(blocks.put(transaction, kFrame, part_prefix(1, frame, 0), bytes, {},
                      bytes.size() == kFrameSizeBytes));
    }
    head.open_part_count = 1;
    need(transaction.put(kFrame, group_key(1), encode(head)));
    BOOST_TEST_CONTEXT("seed " << seed << ", time " << n) { check_harmless(transaction); }
    writer.forget();
  }
}

BOOST_AUTO_TEST_CASE(wrong_numbers_in_a_head_are_harmless) {
  fill();
  const GroupHead right = need(read_head(need(environment->begin_read()), 1)).value();
  std::vector<GroupHead> heads;
  const std::vector<std::uint64_t> numbers_to_try = {
      0, 1, 2, 15, 17, 255, 65535, 65536, kLogSizeBytesMax, kLogSizeBytesMax + 1, UINT64_MAX};
  for (const std::uint64_t number : numbers_to_try) {
    for (const auto member : {&GroupHead::size_bytes, &GroupHead::payload_count,
                              &GroupHead::open_part_count, &GroupHead::slot_count}) {
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
      need(transaction.put(kFrame, group_key(1), encode(heads[i])));
      check_harmless(transaction);
    }
    writer.forget();
  }
}

// ------------------------------------------------------------------------------ hostile logs

// A group whose log is these bytes.
void plant(store::WriteTransaction& transaction, GroupNumber group, Bytes log,
           std::vector<std::uint64_t> recent = {}) {
  BlockWriter blocks;
  GroupHead head{log.size(), 1, 0, 0, std::move(recent)};
  for (std::uint64_t frame = 0; frame * kFrameSizeBytes < log.size(); ++frame) {
    const Bytes bytes = log.substr(frame * kFrameSizeBytes, kFrameSizeBytes);
    const bool full = bytes.size() == kFrameSizeBytes;
    head.open_part_count = full ? 0 : 1;
    need(blocks.put(transaction, kFrame, part_prefix(group, frame, 0), bytes, {}, full));
  }
  need(transaction.put(kFrame, group_key(group), encode(head)));
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

// The log of a group that can take no more.
BOOST_AUTO_TEST_CASE(a_full_log_lets_payloads_be_stored_by_themselves) {
  // What the longest recipe could take is kept free.
  const std::size_t kept_free = kOperationCountMax * kOperationHeadSizeBytesMax;
  const GroupPosition near_end{
      7, kLogSizeBytesMax - (kept_free / kFrameSizeBytes + 3) * kFrameSizeBytes};
  auto transaction = begin();
  BlockWriter blocks;
  const std::string filling(kFrameSizeBytes, '\0');
  for (std::uint64_t frame = near_end.position / kFrameSizeBytes - 10;
       frame < near_end.position / kFrameSizeBytes; ++frame) {
    need(blocks.put(transaction, kFrame, part_prefix(7, frame, 0), filling, {}, true));
  }
  need(transaction.put(kFrame, group_key(7), encode({near_end.position, 1, 0, 0, {}})));
  bool full = false;
  for (std::size_t i = 0; i < 1000; ++i) {
    const std::string bytes = random_bytes(900, seed + i);
    const PayloadNumber number = need(writer.put(transaction, 7, bytes));
    const bool by_itself = (number & kInGroup) == 0;
    BOOST_REQUIRE(!full || by_itself);
    full = by_itself;
    stored[number] = bytes;
  }
  BOOST_TEST(full);
  commit(transaction);
  check_stored();
}

// ------------------------------------------------------------------------------ turned bits

// The file itself is damaged: the checksum of a value is wrong.
BOOST_AUTO_TEST_CASE(a_value_with_a_wrong_checksum_keeps_nobody_from_recording) {
  const std::string literal = random_bytes(600, seed);       // in the frame of group 1
  const std::string segment = random_bytes(3000, seed + 1);  // shared by groups 1 and 2
  const auto first = put_all(1, {literal, segment});
  const auto second = put_all(2, {segment, "kept"});
  for (const Bytes bytes : {Bytes(segment).substr(100, 50), Bytes(literal).substr(100, 50)}) {
    damage(bytes);
    writer.forget();
    BOOST_TEST((code_of(read_all(second[0])) == Code::corrupt));
    BOOST_TEST(need(read_all(second[1])) == "kept");
    for (const GroupNumber group : {1, 2, 3}) {
      const PayloadNumber number = put(group, segment);
      BOOST_TEST((need(read_all(number)) == segment));
      need(erase(number));
    }
    BOOST_TEST(!findings().empty());
  }
  BOOST_TEST((code_of(read_all(first[0])) == Code::corrupt));
  for (const PayloadNumber number : {first[0], first[1], second[0], second[1]}) need(erase(number));
  BOOST_TEST(entries(kFrame) == 0U);
  BOOST_TEST(entries(kSegment) == 0U);
}

BOOST_AUTO_TEST_CASE(a_damaged_count_of_a_segment_keeps_nobody_from_recording) {
  const std::string text = random_bytes(3000, seed);
  const auto numbers = put_all(1, {text});
  for (const auto& [key, value] : content(kSegment)) {
    if (key.size() == 8) put_raw(kSegment, key, "\xff");
  }
  BOOST_TEST(!findings().empty());
  BOOST_TEST(need(read_all(numbers[0])) == text);
  const PayloadNumber number = put(2, text);
  BOOST_TEST(need(read_all(number)) == text);
  need(erase(numbers[0]));
  need(erase(number));
  BOOST_TEST(entries(kFrame) == 0U);
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
  const SegmentId segment = need(read_slot(snapshot, 2, 0));
  std::string segment_key;
  append_big_endian(segment_key, segment);
  const auto put_head = [&](auto& transaction, const GroupHead& changed) {
    need(transaction.put(kFrame, group_key(1), encode(changed)));
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
              [&](auto& transaction) { need(transaction.erase(kFrame, group_key(1))); });
  check_found("a group that is missing", [&](auto& transaction) {
    PayloadWriter other;
    for (const auto& [number, bytes] : stored) {
      if (group_position(number).group == 2) need(other.erase(transaction, number));
    }
    need(other.flush(transaction));
  });
  check_found("a group that nobody refers to", [&](auto& transaction) {
    PayloadWriter other;
    need(other.put(transaction, 3, "somebody's"));
    need(other.flush(transaction));
  });
  for (const std::uint64_t frame : {0, 1}) {
    check_found("a missing frame", [&](auto& transaction) {
      need(erase_block(transaction, kFrame, part_prefix(1, frame, 0)));
    });
  }
  check_found("a frame beyond the end", [&](auto& transaction) {
    BlockWriter blocks;
    need(blocks.put(transaction, kFrame, part_prefix(1, 100, 0), "more"));
  });
  check_found("missing slots",
              [&](auto& transaction) { need(transaction.erase(kFrame, slots_key(1, 0))); });
  check_found("a missing segment", [&](auto& transaction) {
    need(transaction.erase(kSegment, segment_key));
    need(erase_block(transaction, kSegment, segment_key));
  });
  check_found("a segment without bytes",
              [&](auto& transaction) { need(erase_block(transaction, kSegment, segment_key)); });
  check_found("a segment without a count",
              [&](auto& transaction) { need(transaction.erase(kSegment, segment_key)); });
  check_found("a wrong count of uses",
              [&](auto& transaction) { need(SegmentWriter::add_use(transaction, segment)); });
  check_found("an orphan segment", [&](auto& transaction) {
    SegmentWriter segments;
    need(segments.intern(transaction, random_bytes(2000, 1), 12345));
  });
  check_found("bytes of a segment without a count", [&](auto& transaction) {
    BlockWriter blocks;
    need(blocks.put(transaction, kSegment, "abcdefgh", random_bytes(2000, 1)));
  });
  for (const Bytes key : {Bytes("a"), Bytes("\xff\xff\xff\xff\xff\xff"),
                          Bytes("\xff\xff\xff\xff\xff\xff\xff"), Bytes("\0\0\0\0\0\x01x", 7)}) {
    check_found("a strange key among frames",
                [&](auto& transaction) { need(transaction.put(kFrame, key, "value")); });
    check_found("a strange key among segments",
                [&](auto& transaction) { need(transaction.put(kSegment, key, "value")); });
  }
  // One group's damage does not hide another's.
  check_found("two missing frames", [&](auto& transaction) {
    need(erase_block(transaction, kFrame, part_prefix(1, 0, 0)));
    need(erase_block(transaction, kFrame, part_prefix(2, 0, 0)));
    const auto found = findings(transaction);
    for (const char* group : {"group 1", "group 2"}) {
      const bool named = std::any_of(found.begin(), found.end(), [&](const std::string& one) {
        return one.find(group) != std::string::npos;
      });
      BOOST_TEST(named, group);
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
