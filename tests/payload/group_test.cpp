// Payloads that share text with their group, in a real file: what is put comes back, sizes stay in
// proportion, shared text is kept as long as anybody needs it.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "payload/group_fixture.hpp"
#include "payload/group_writer.hpp"
#include "payload/splitter.hpp"
#include "support/peak_memory.hpp"
#include "support/sanitizers.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using namespace tracelite::test;

constexpr std::size_t kMiB = std::size_t{1} << 20;

// Words that hardly repeat, so that they are stored about as they are.
std::string words(RandomJson& random, std::size_t size) {
  std::string out;
  while (out.size() < size) {
    for (std::size_t n = 2 + random.below(8); n > 0; --n) {
      out += static_cast<char>('a' + random.below(26));
    }
    out += ' ';
  }
  out.resize(size);
  return out;
}

std::string repeated(Bytes unit, std::size_t count) {
  std::string out;
  for (; count > 0; --count) out += unit;
  return out;
}

std::string pathological(RandomJson& random) {
  static constexpr Bytes kUnits[] = {
      "[", "{", "}", "\"", "a", "\\\"", "{\"a\":", "[{\"", "\"}", "{}", Bytes("\0", 1), "\"\"{"};
  std::string out = repeated(kUnits[random.below(std::size(kUnits))], random.below(20000));
  if (random.chance(2)) out += repeated(kUnits[random.below(std::size(kUnits))], out.size());
  return out;
}

// Inserts, deletes, replaces, moves, truncates or repeats a part.
std::string edited(RandomJson& random, std::string bytes, Bytes other) {
  for (std::size_t n = 1 + random.below(4); n > 0 && !bytes.empty(); --n) {
    const std::size_t at = random.below(bytes.size());
    const std::size_t size = random.below(random.chance(3) ? bytes.size() - at : 100) + 1;
    const std::size_t from = other.empty() ? 0 : random.below(other.size());
    switch (random.below(7)) {
      case 0:
        bytes.insert(at, other.substr(from, size));
        break;
      case 1:
        bytes.erase(at, size);
        break;
      case 2:
        bytes.replace(at, size, words(random, random.below(200)));
        break;
      case 3: {
        const std::string part = bytes.substr(at, size);
        bytes.erase(at, size);
        bytes.insert(random.below(bytes.size() + 1), part);
        break;
      }
      case 4:
        bytes.resize(at);
        break;
      case 5:
        bytes.insert(random.below(bytes.size()), bytes.substr(at, size));
        break;
      default:
        bytes += other.substr(from, size);
    }
  }
  if (bytes.size() > 50000) bytes.resize(50000);
  return bytes;
}

struct Seeded : GroupFixture {
  std::string any_payload(const std::vector<std::string>& earlier) {
    if (!earlier.empty() && !random.chance(3)) {
      const std::size_t back =
          random.chance(3) ? earlier.size() : std::min<std::size_t>(earlier.size(), 6);
      return edited(random, earlier[earlier.size() - 1 - random.below(back)],
                    earlier[random.below(earlier.size())]);
    }
    switch (random.below(8)) {
      case 0:
        return {};
      case 1:
        return random_bytes(random.below(random.chance(4) ? 20000 : 600), random.below(1U << 30));
      case 2:
        return pathological(random);
      case 3:
        return words(random, random.below(5000));
      default: {
        std::string out;
        for (std::size_t n = random.below(30); n > 0; --n) out += random.container(4, true) + ",";
        return out;
      }
    }
  }

  // As a whole and some ranges.
  void check_bytes(const PayloadReader& reader, PayloadNumber number, Bytes bytes) {
    BOOST_TEST_CONTEXT("seed " << seed << ", payload " << number) {
      BOOST_TEST_REQUIRE(need(reader.size_bytes(number)) == bytes.size());
      BOOST_REQUIRE(need(reader.read_all(number)) == bytes);
      for (int i = 0; i < 3; ++i) {
        const std::size_t offset = random.below(bytes.size() + 2);
        const std::size_t wanted = random.below(random.chance(3) ? bytes.size() + 10 : 100);
        std::string out = "before ";
        need(reader.read(number, offset, wanted, out));
        const Bytes part = offset < bytes.size() ? bytes.substr(offset, wanted) : Bytes{};
        BOOST_REQUIRE(out == "before " + std::string(part));
      }
    }
  }

  // Records random payloads in a few groups in many transactions, some of which are dropped; erases
  // some; forgets and reopens now and then; reads everything.
  void record(std::size_t count, std::size_t group_count) {
    std::vector<std::vector<std::string>> earlier(group_count);
    for (std::size_t done = 0; done < count;) {
      auto transaction = begin();
      const PayloadReader inside(transaction);
      std::map<PayloadNumber, std::string> added;
      for (std::size_t n = 1 + random.below(60); n > 0; --n) {
        const std::size_t group = random.below(group_count);
        const std::string bytes = any_payload(earlier[group]);
        const PayloadNumber number = need(writer.put(transaction, group + 1, bytes));
        BOOST_REQUIRE(group_position(number).group == group + 1);
        BOOST_REQUIRE(added.emplace(number, bytes).second);
        if (random.chance(4)) check_bytes(inside, number, bytes);
        earlier[group].push_back(bytes);
        if (earlier[group].size() > 40) earlier[group].erase(earlier[group].begin());
      }
      std::vector<PayloadNumber> erased;
      for (const auto& [number, bytes] : stored) {
        if (!random.chance(200)) continue;
        need(writer.erase(transaction, number));
        erased.push_back(number);
      }
      for (const auto& [number, bytes] : added) {
        if (random.chance(3)) check_bytes(inside, number, bytes);
      }
      if (random.chance(10)) {
        if (random.chance(2)) need(writer.flush(transaction));
        writer.forget();  // and the transaction is dropped
        continue;
      }
      need(writer.flush(transaction));
      if (random.chance(4)) {
        for (const auto& [number, bytes] : added) check_bytes(inside, number, bytes);
      }
      if (random.chance(20)) {  // more in the same transaction, behind a flush
        const std::string bytes = any_payload(earlier[0]);
        added.emplace(need(writer.put(transaction, 1, bytes)), bytes);
      }
      commit(transaction);
      done += added.size();
      for (const PayloadNumber number : erased) stored.erase(number);
      stored.merge(added);
      if (random.chance(8)) writer.forget();
      if (random.chance(30)) {
        close();
        open();
      }
      if (random.chance(20)) check_some();
    }
    close();
    open();
    const auto snapshot = need(environment->begin_read());
    const PayloadReader reader(snapshot);
    for (const auto& [number, bytes] : stored) check_bytes(reader, number, bytes);
    for (const std::string& found : findings()) BOOST_ERROR("seed " << seed << ": " << found);
  }
  void check_some() {
    const auto snapshot = need(environment->begin_read());
    const PayloadReader reader(snapshot);
    for (int i = 0; i < 20 && !stored.empty(); ++i) {
      const auto one =
          std::next(stored.begin(), static_cast<std::ptrdiff_t>(random.below(stored.size())));
      check_bytes(reader, one->first, one->second);
    }
  }
  void erase_everything() {
    std::vector<PayloadNumber> numbers;
    for (const auto& [number, bytes] : stored) numbers.push_back(number);
    erase_all(numbers);
    for (const store::KeySpace space : kGroupSpaces) BOOST_TEST(entries(space) == 0U);
  }

  std::uint64_t seed = random_seed();
  RandomJson random{seed};
};

BOOST_FIXTURE_TEST_SUITE(groups, Seeded)

BOOST_AUTO_TEST_CASE(random_payloads_of_interleaved_groups_come_back) {
  const std::size_t total = scaled(20000);
  const std::size_t round = 1500;
  for (std::size_t done = 0; done < total; done += round) {
    record(std::min(round, total - done), 1 + random.below(6));
    erase_everything();
  }
}

// Fewer bits than there are pieces: every look-up finds something else.
BOOST_AUTO_TEST_CASE(colliding_hashes_change_no_byte) {
  struct Mask {
    explicit Mask(std::uint64_t mask) { testing::hash_mask = mask; }
    ~Mask() { testing::hash_mask = UINT64_MAX; }
  };
  for (const std::uint64_t bits : {0, 1, 3, 6, 10}) {
    const Mask mask((std::uint64_t{1} << bits) - 1);
    record(scaled(400), 3);
    erase_everything();
  }
}

// With colliding hashes a place goes from one segment to another inside a transaction.
BOOST_AUTO_TEST_CASE(a_segment_that_takes_the_place_of_an_erased_one_is_read_anew) {
  struct Mask {
    Mask() { testing::hash_mask = 0; }
    ~Mask() { testing::hash_mask = UINT64_MAX; }
  } mask;
  const std::string one = words(random, 8000);
  const std::string other = words(random, 8000);
  const PayloadNumber number = put(1, one);
  auto transaction = begin();
  const PayloadReader reader(transaction);
  BOOST_REQUIRE(need(reader.read_all(number)) == one);
  need(writer.erase(transaction, number));
  const PayloadNumber next = need(writer.put(transaction, 2, other));
  BOOST_REQUIRE(need(reader.read_all(next)) == other);
  need(writer.flush(transaction));
  BOOST_REQUIRE(need(reader.read_all(next)) == other);
}

BOOST_AUTO_TEST_CASE(payloads_as_long_as_can_be_come_back) {
  const std::vector<std::string> units = {"\"", "{", "}", "a", "{\"a\":\"", ""};
  for (const std::size_t size : {kSharedPayloadSizeBytesMax, kSharedPayloadSizeBytesMax + 1}) {
    std::vector<PayloadNumber> numbers;
    for (const std::string& unit : units) {
      std::string bytes = unit.empty() ? text_bytes(size, seed) : repeated(unit, size);
      bytes.resize(size);
      const PayloadNumber number = put(1, bytes);
      BOOST_TEST((number & kInGroup) == (size > kSharedPayloadSizeBytesMax ? 0 : kInGroup));
      numbers.push_back(number);
      stored[number] = bytes;
      // The next one is nearly the same.
      bytes[size / 2] ^= 1;
      const PayloadNumber changed = put(1, bytes);
      stored[changed] = bytes;
      numbers.push_back(changed);
      check_stored();
      writer.forget();
    }
    BOOST_TEST(findings().empty());
    if (size == kSharedPayloadSizeBytesMax) {
      // What differs in one byte costs next to nothing.
      BOOST_TEST(stored_size() < 4 * kMiB);
    }
    erase_everything();
  }
}

BOOST_AUTO_TEST_CASE(one_transaction_may_write_to_any_number_of_groups,
                     *boost::unit_test::precondition(tracelite::test::not_under_sanitizers)) {
  constexpr std::size_t kGroupCount = 150;
  const auto bytes_of = [this](std::size_t i) { return text_bytes(600'000, seed + i); };
  for (std::size_t i = 1; i <= kGroupCount; ++i) stored[put(i, bytes_of(i))] = bytes_of(i);
  writer.forget();
  const long before_kib = tracelite::test::peak_memory_kib();
  auto transaction = begin();
  std::vector<PayloadNumber> numbers;
  for (std::size_t i = 1; i <= kGroupCount; ++i) {
    numbers.push_back(need(writer.put(transaction, i, bytes_of(i) + " and more")));
  }
  need(writer.flush(transaction));
  need(transaction.commit());
  BOOST_TEST(tracelite::test::peak_memory_kib() - before_kib < 60 * 1024);
  for (std::size_t i = 1; i <= kGroupCount; ++i) stored[numbers[i - 1]] = bytes_of(i) + " and more";
  check_stored();
}

BOOST_AUTO_TEST_CASE(what_cannot_be_in_a_group_is_stored_by_itself) {
  for (const GroupNumber group : {GroupNumber{0}, kGroupNumberMax + 1, UINT64_MAX}) {
    const PayloadNumber number = put(group, "by itself");
    BOOST_TEST((number & kInGroup) == 0U);
    BOOST_TEST(need(read_all(number)) == "by itself");
  }
  const PayloadNumber number = put(kGroupNumberMax, "the last group");
  BOOST_TEST(group_position(number).group == kGroupNumberMax);
  BOOST_TEST(need(read_all(number)) == "the last group");
  stored[number] = "the last group";
  BOOST_TEST(findings().empty());
}

BOOST_AUTO_TEST_CASE(what_is_not_in_a_group_is_not_found) {
  const PayloadNumber number = put(1, "there");
  BOOST_TEST((code_of(read_all(payload_number({2, 0}))) == Code::not_found));
  BOOST_TEST((code_of(read_all(number + 1000)) == Code::corrupt));
  BOOST_TEST((code_of(read_all(number + kChunkSizeBytes)) == Code::corrupt));
  BOOST_TEST((code_of(read_all(UINT64_MAX)) == Code::not_found));
  need(erase(payload_number({2, 0})));
  need(erase(UINT64_MAX));
  BOOST_TEST(need(read_all(number)) == "there");
  need(erase(number));
  BOOST_TEST((code_of(read_all(number)) == Code::not_found));
  BOOST_TEST(entries(kFrame) == 0U);
}

// Recipes of as many operations as there are items, built on one another.
BOOST_AUTO_TEST_CASE(lists_in_another_order_come_back_soon) {
  std::vector<std::string> items;
  for (std::size_t i = 0; i < scaled(60000); ++i) items.push_back("{" + words(random, 60) + "}");
  for (int i = 0; i < 6; ++i) {
    std::string bytes;
    for (const std::string& item : items) bytes += item;
    put_all(1, {bytes});
    for (std::size_t n = 0; n < items.size(); ++n) {
      std::swap(items[n], items[random.below(items.size())]);
    }
    if (i % 2 == 0) writer.forget();
  }
  check_stored();
  BOOST_TEST(findings().empty());
}

// More references than a recipe may have: the payload is written without a base.
BOOST_AUTO_TEST_CASE(a_list_of_too_many_items_in_another_order_comes_back) {
  std::vector<std::string> items;
  for (std::size_t i = 0; i < 90000; ++i) items.push_back("{" + words(random, 42) + "}");
  std::string last;
  for (int i = 0; i < 3; ++i) {
    last.clear();
    for (const std::string& item : items) last += item;
    const PayloadNumber number = put_all(1, {last})[0];
    const auto snapshot = need(environment->begin_read());
    const Recipe recipe = need(GroupReader::of(snapshot).recipe(group_position(number)));
    BOOST_TEST(recipe.operations.size() <= kOperationCountMax);
    BOOST_TEST(recipe.chain_index == 0U);
    for (std::size_t n = 0; n < items.size(); ++n) {
      std::swap(items[n], items[random.below(items.size())]);
    }
  }
  // What comes next may be built on it.
  last.insert(last.size() / 2, "and more");
  const std::size_t before = stored_size();
  put_all(1, {last});
  BOOST_TEST(stored_size() < before + 1000);
  check_stored();
  writer.forget();
  put_all(1, {last + "!"});
  check_stored();
  BOOST_TEST(findings().empty());
  erase_everything();
}

// Everything a reader can ask for around the ends.
BOOST_AUTO_TEST_CASE(reading_at_and_beyond_the_end_of_a_shared_payload) {
  const std::string first = words(random, 5000);
  put(1, first);
  const std::string bytes = first + "0123456789";
  const PayloadNumber number = put(1, bytes);
  const auto snapshot = need(environment->begin_read());
  const PayloadReader reader(snapshot);
  const auto part = [&](std::uint64_t offset, std::uint64_t wanted) {
    std::string out;
    need(reader.read(number, offset, wanted, out));
    return out;
  };
  BOOST_TEST(part(0, 0) == "");
  BOOST_TEST(part(5009, 5) == "9");
  BOOST_TEST(part(5010, 5) == "");
  BOOST_TEST(part(UINT64_MAX, UINT64_MAX) == "");
  BOOST_TEST(part(5003, UINT64_MAX) == "3456789");
  BOOST_TEST((part(4990, 12) == first.substr(4990) + "01"));
}

// ------------------------------------------------------------------------------ transactions

BOOST_AUTO_TEST_CASE(nothing_is_left_of_a_dropped_transaction) {
  const std::string text = words(random, 20000);
  put_all(1, {text, text + "more"});
  std::vector<Entries> before;
  for (const store::KeySpace space : kGroupSpaces) before.push_back(content(space));
  for (const bool flushed : {false, true}) {
    {
      auto transaction = begin();
      need(writer.put(transaction, 1, text + words(random, 9000)));
      need(writer.put(transaction, 2, text + words(random, 9000)));
      if (flushed) need(writer.flush(transaction));
    }
    writer.forget();
    for (std::size_t i = 0; i < std::size(kGroupSpaces); ++i) {
      BOOST_TEST((content(kGroupSpaces[i]) == before[i]));
    }
    BOOST_TEST((code_of(read_all(payload_number({2, 0}))) == Code::not_found));
  }
  put_all(1, {text + "still more"});
  put_all(2, {text});
  check_stored();
  BOOST_TEST(findings().empty());
  BOOST_TEST(stored_size() < 30000U);
}

BOOST_AUTO_TEST_CASE(another_writer_in_between_loses_nothing) {
  PayloadWriter other;
  std::string history = "[";
  for (int i = 0; i < 60; ++i) {
    PayloadWriter& one = i % 3 == 0 ? other : writer;
    auto transaction = begin();
    one.forget();
    for (const GroupNumber group : {1, 2}) {
      history += R"({"role":"user","content":")" + words(random, 300) + "\"},";
      const PayloadNumber number = need(one.put(transaction, group, history + "]"));
      BOOST_REQUIRE(stored.emplace(number, history + "]").second);
    }
    need(one.flush(transaction));
    need(transaction.commit());
  }
  check_stored();
  BOOST_TEST(findings().empty());
  BOOST_TEST(stored_size() < 3 * history.size());
}

// However little a commit adds: the last chunk grows until it is full.
BOOST_AUTO_TEST_CASE(many_commits_leave_full_chunks_one_after_the_other) {
  std::string history = "[";
  for (int i = 0; i < 200; ++i) {
    history += "{\"content\":\"" + words(random, 100) + "\"},";
    const PayloadNumber number = put(1, history + "]");
    stored[number] = history + "]";
    std::vector<Chunk> chunks;
    const Entries all = content(kFrame);
    for (const auto& [key, value] : all) {
      const GroupKey decoded = decode_group_key(key).value();
      if (decoded.part == GroupPart::log) chunks.push_back({decoded.at, value});
    }
    std::uint64_t end = 0;
    for (const Chunk& chunk : chunks) {
      BOOST_TEST_REQUIRE(chunk.start == end);
      end += chunk.bytes.size();
      BOOST_TEST_REQUIRE(chunk.bytes.size() <= kChunkSizeBytes);
      const bool is_last = &chunk == &chunks.back();
      BOOST_TEST_REQUIRE((is_last || chunk.bytes.size() == kChunkSizeBytes));
    }
    BOOST_TEST_REQUIRE(need(read_head(need(environment->begin_read()), 1)).value().size_bytes ==
                       end);
    if (i % 7 == 0) writer.forget();
  }
  BOOST_TEST(content(kFrame).size() > 5U);
  check_stored();
  BOOST_TEST(findings().empty());
}

BOOST_AUTO_TEST_CASE(a_log_longer_than_the_window_is_read_and_shared) {
  // Short payloads that do not compress: all of them is in the log.
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < 3000; ++i) payloads.push_back(random_bytes(900, seed + i));
  const std::string shared = words(random, 900);
  payloads.push_back(shared);
  const auto numbers = put_all(1, payloads);
  BOOST_TEST(group_position(numbers.back()).position > 2 * kLogWindowSizeBytesMax);
  check_stored();
  // The writer's memory as it is, and as it is loaded.
  for (int i = 0; i < 2; ++i) {
    const std::size_t before = stored_size();
    put_all(1, {shared + "!", "?" + shared, payloads[2900] + "!"});
    BOOST_TEST(stored_size() < before + 400);
    // Older text is found no more, but that is all.
    put_all(1, {payloads[0] + std::to_string(i)});
    check_stored();
    writer.forget();
  }
  BOOST_TEST(findings().empty());
  erase_everything();
}

// A recipe's head and its operations, on both sides of the end of a chunk.
BOOST_AUTO_TEST_CASE(heads_of_recipes_may_cross_the_end_of_a_chunk) {
  const std::string text = words(random, 3000);
  const std::string other = words(random, 700);
  for (std::uint64_t short_of = 0; short_of < 60; ++short_of) {
    const GroupNumber group = 1 + short_of;
    auto transaction = begin();
    const auto add = [&](const std::string& bytes) {
      const PayloadNumber number = need(writer.put(transaction, group, bytes));
      stored[number] = bytes;
      return group_position(number).position;
    };
    add(text);
    add(other);
    // Up to the boundary: a payload of 128 bytes or more that is one literal takes five more.
    const std::uint64_t target = 4 * kChunkSizeBytes - short_of;
    std::uint64_t end = add("") + 2;
    while (end < target) {
      const std::size_t rest = target - end;
      const std::string filling = random_bytes((rest > 700 ? 495 : rest) - 5, seed + end);
      BOOST_REQUIRE(add(filling) == end);
      end += filling.size() + 5;
    }
    BOOST_REQUIRE(end == target);
    // Base, literals, pieces of the log and of segments.
    add(text + "1");
    add(text.substr(0, 1500) + random_bytes(100, 1) + text.substr(1500) + other);
    add(other + text.substr(40) + "2");
    commit(transaction);
  }
  writer.forget();
  check_stored();
  BOOST_TEST(findings().empty());
  put_all(1, {text + "after"});
  check_stored();
}

// ------------------------------------------------------------------------------ sizes

using MakeHistory = std::function<std::string(std::size_t call)>;

struct Histories : Seeded {
  std::string message(std::size_t index) {
    while (messages.size() <= index) {
      const std::size_t at = messages.size();
      const std::size_t size = at % 20 == 7 ? 1500 : 40 + 37 * at % 200;
      messages.push_back(R"({"role":")" + std::string(at % 2 == 0 ? "user" : "tool") +
                         R"(","content":")" + words(random, size) + "\"");
    }
    return messages[index];
  }
  std::string list(std::size_t from, std::size_t to, std::size_t marked = SIZE_MAX) {
    std::string out;
    for (std::size_t i = from; i < to; ++i) {
      if (i > from) out += ',';
      out += message(i);
      if (i == marked) out += R"(,"cache_control":{"type":"ephemeral"})";
      out += '}';
    }
    return out;
  }

  // Bytes a call in a new group, ten calls a commit.
  double bytes_per_call(std::size_t calls, const MakeHistory& make) {
    const GroupNumber group = ++last_group;
    const std::size_t before = stored_size();
    std::vector<std::pair<PayloadNumber, std::size_t>> numbers;
    for (std::size_t call = 0; call < calls;) {
      auto transaction = begin();
      for (int i = 0; i < 10 && call < calls; ++i, ++call) {
        numbers.emplace_back(need(writer.put(transaction, group, make(call))), call);
      }
      commit(transaction);
    }
    const auto snapshot = need(environment->begin_read());
    const PayloadReader reader(snapshot);
    for (std::size_t i = 0; i < numbers.size(); i += 1 + numbers.size() / 50) {
      BOOST_REQUIRE(need(reader.read_all(numbers[i].first)) == make(numbers[i].second));
    }
    return static_cast<double>(stored_size() - before) / static_cast<double>(calls);
  }
  void check_linear(const char* name, const std::function<MakeHistory(std::size_t)>& make) {
    const std::size_t many = std::getenv("TL_TEST_SCALE") != nullptr ? 3000 : 1000;
    messages.clear();
    const double few_bytes = bytes_per_call(100, make(100));
    writer.forget();
    messages.clear();
    const double many_bytes = bytes_per_call(many, make(many));
    writer.forget();
    std::cout << name << ": " << few_bytes << " bytes a call of 100, " << many_bytes << " of "
              << many << '\n';
    BOOST_TEST(many_bytes <= 1.5 * few_bytes);
  }

  std::vector<std::string> messages;
  GroupNumber last_group = 0;
};

BOOST_FIXTURE_TEST_CASE(a_history_that_grows_costs_its_new_messages, Histories) {
  check_linear("append", [this](std::size_t) {
    return [this](std::size_t call) {
      return R"({"model":"m","messages":[)" + list(0, 2 * call + 1) + R"(],"stream":true})";
    };
  });
}

BOOST_FIXTURE_TEST_CASE(a_marker_that_moves_along_costs_little, Histories) {
  check_linear("marker", [this](std::size_t) {
    return [this](std::size_t call) {
      return R"({"model":"m","messages":[)" + list(0, 2 * call + 1, 2 * call) + R"(],"n":1})";
    };
  });
}

BOOST_FIXTURE_TEST_CASE(a_history_that_is_compacted_half_way_goes_on, Histories) {
  check_linear("compacted", [this](std::size_t calls) {
    return [this, calls](std::size_t call) {
      const bool compacted = call >= calls / 2;
      return R"({"messages":[)" +
             (compacted ? R"({"role":"system","content":"what was before"},)" : std::string()) +
             list(compacted ? calls - 10 : 0, 2 * call + 1) + "]}";
    };
  });
}

BOOST_FIXTURE_TEST_CASE(a_first_message_that_grows_costs_what_it_grows_by, Histories) {
  check_linear("first grows", [this](std::size_t) {
    return [this](std::size_t call) {
      std::string notes;
      for (std::size_t i = 0; i < call; ++i) notes += "note " + std::to_string(i * 7919) + "; ";
      return R"({"messages":[{"role":"system","content":")" + notes + "\"}," +
             list(0, 2 * call + 1) + "]}";
    };
  });
}

BOOST_FIXTURE_TEST_CASE(a_history_in_an_escaped_string_costs_its_new_messages, Histories) {
  check_linear("escaped", [this](std::size_t) {
    return [this](std::size_t call) {
      std::string out = R"({"body":"{\"messages\":[)";
      for (const char byte : list(0, 2 * call + 1, 2 * call)) {
        if (byte == '"') out += '\\';
        out += byte;
      }
      return out + R"(]}","id":)" + std::to_string(call) + "}";
    };
  });
}

// ------------------------------------------------------------------------------ sharing

BOOST_AUTO_TEST_CASE(two_groups_store_a_long_text_once) {
  const std::string text = words(random, 40000);
  const auto first = put_all(1, {text});
  const std::size_t alone = stored_size();
  const auto second = put_all(2, {text, text});
  BOOST_TEST(stored_size() < alone + 1500);  // what is left is shorter than a segment
  const Entries segments = content(kSegment);
  BOOST_TEST(!segments.empty());
  for (const auto& [key, value] : segments) {
    const auto snapshot = need(environment->begin_read());
    BOOST_TEST(need(segment_use(snapshot, read_big_endian(key))).value().count == 2U);
  }
  BOOST_TEST(findings().empty());

  erase_all(first);
  check_stored();
  BOOST_TEST(findings().empty());
  erase_all({second[0]});
  check_stored();
  BOOST_TEST(findings().empty());
  erase_all({second[1]});
  for (const store::KeySpace space : kGroupSpaces) BOOST_TEST(entries(space) == 0U);
  BOOST_TEST(findings().empty());
}

BOOST_AUTO_TEST_CASE(a_group_that_was_erased_begins_anew_in_the_same_transaction) {
  const std::string text = words(random, 9000);
  const auto numbers = put_all(1, {text, text + "x"});
  put_all(2, {text + "y"});
  auto transaction = begin();
  for (const PayloadNumber number : numbers) {
    need(writer.erase(transaction, number));
    stored.erase(number);
  }
  BOOST_TEST((code_of(PayloadReader(transaction).read_all(numbers[1])) == Code::not_found));
  const std::string other = words(random, 9000);
  const PayloadNumber number = need(writer.put(transaction, 1, other));
  stored[number] = other;
  BOOST_REQUIRE(need(PayloadReader(transaction).read_all(number)) == other);
  commit(transaction);
  check_stored();
  BOOST_TEST(findings().empty());
  erase_everything();
}

BOOST_AUTO_TEST_CASE(a_payload_put_and_erased_in_one_transaction_leaves_nothing) {
  auto transaction = begin();
  for (const std::size_t size : {0U, 100U, 5000U, 200000U}) {
    need(writer.erase(transaction, need(writer.put(transaction, 1, words(random, size)))));
  }
  commit(transaction);
  for (const store::KeySpace space : kGroupSpaces) BOOST_TEST(entries(space) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
