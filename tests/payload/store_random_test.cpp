// Payloads of every kind through the real store: put, flushed, committed, and read back whole and
// from random offsets, at once, inside the transaction and after later ones. The bytes are equal.
// TL_SEED repeats a run; TL_TEST_SCALE makes it longer.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "payload/corpus.hpp"
#include "payload/group_fixture.hpp"
#include "payload/json_scanner.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::test {
namespace {

constexpr std::size_t kCaseCount = 100'000;
constexpr std::size_t kMutatedCorpusCaseCount = 5'000;
constexpr std::size_t kRoundCaseCount = 5'000;  // after so many everything is erased
constexpr std::size_t kGroupCount = 6;
// What payloads are made of grows by being put together; longer ones are not used again.
constexpr std::size_t kSourceSizeBytesMax = std::size_t{16} << 10;
constexpr std::size_t kRecordedSizeBytesMax = std::size_t{64} << 10;

// Where the program is slow, a tenth.
std::size_t case_count(std::size_t count) {
  if (kUnderSanitizer) count /= 10;
  const char* scale = std::getenv("TL_TEST_SCALE");
  return scale == nullptr
             ? count
             : static_cast<std::size_t>(static_cast<double>(count) * std::strtod(scale, nullptr));
}

class RandomStore : public GroupFixture {
 public:
  // Puts payloads that `make` gives; there are `count` cases in all.
  template <class Make>
  void run(std::size_t count, const Make& make) {
    std::size_t done = 0;
    while (done < count) {
      const std::size_t round = std::min(kRoundCaseCount, count - done);
      for (std::size_t put_count = 0; put_count < round;) {
        put_count +=
            put_some(std::min<std::size_t>(1 + random.below(200), round - put_count), make);
      }
      check_at_the_end();
      done += round;
    }
    std::cout << done << " payloads came back\n";
  }

  std::string any() {
    switch (random.below(8)) {
      case 0:
        return random_bytes(random.chance(200) ? random.below(600'000) : random.below(3'000),
                            random.below(SIZE_MAX));
      case 1:
        return random.mutated(random.container(4, random.chance(2)));
      case 2:
        return nested();
      case 3:
        return random.chance(20) ? at_a_boundary() : random.value(4);
      case 4:
      case 5:
        return changed(earlier());
      default:
        return random.space() + random.container(4, random.chance(2)) + random.space();
    }
  }

  // As an application sends what it has sent before: longer, shorter, edited, in another order.
  std::string changed(std::string text) {
    switch (random.below(6)) {
      case 0:
        return text + "," + random.container(3, true);
      case 1:
        return text.substr(0, random.below(text.size() + 1));
      case 2:
        return text.substr(random.below(text.size() + 1));
      case 3: {
        const std::string other = earlier();
        return other.substr(random.below(other.size() + 1)) + text;
      }
      case 4:
        return text.insert(random.below(text.size() + 1), random.value(2));
      default:
        return random.mutated(std::move(text));
    }
  }

 private:
  const std::string& earlier() {
    static const std::string kNone = "[]";
    return sources_.empty() ? kNone : sources_[random.below(sources_.size())];
  }

  // Brackets as deep as nobody writes them, closed, half closed or not at all.
  std::string nested() {
    static constexpr Bytes kOpen[] = {
        "[", "{\"a\":", "[{\"\":", "[[],", "\"[{\\\"", "{\"a\":[\"]\","};
    static constexpr Bytes kClose[] = {"]", "}", "}]", "]", "}]\"", "]}"};
    const std::size_t kind = random.below(std::size(kOpen));
    const std::size_t depth =
        random.chance(500) ? 100'000 : random.below(random.chance(20) ? 10'000 : 300);
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += kOpen[kind];
    if (random.chance(2)) text += random.scalar();
    const std::size_t closed = random.chance(3) ? random.below(depth + 2) : depth;
    for (std::size_t i = 0; i < closed; ++i) text += kClose[kind];
    return random.chance(3) ? random.mutated(std::move(text)) : text;
  }

  // A byte less or more than what something in the file holds.
  std::string at_a_boundary() {
    static constexpr std::size_t kSizes[] = {
        0, 256, 1'024, 2'048, 4'080, 16 << 10, payload::kSliceSizeBytes};
    const std::size_t size = kSizes[random.below(std::size(kSizes))] + random.below(3);
    const std::size_t wanted = size == 0 ? 0 : size - 1;
    return random.chance(2) ? random_bytes(wanted, random.below(SIZE_MAX))
                            : text_bytes(wanted, random.below(SIZE_MAX));
  }

  void check_bytes(const PayloadReader& reader, PayloadNumber number, const std::string& bytes) {
    BOOST_REQUIRE_MESSAGE(need(reader.size_bytes(number)) == bytes.size(), "seed " << seed);
    BOOST_REQUIRE_MESSAGE(need(reader.read_all(number)) == bytes, "seed " << seed);
    check_window(reader, number, bytes);
  }
  // Also where there is nothing any more.
  void check_window(const PayloadReader& reader, PayloadNumber number, const std::string& bytes) {
    const std::size_t offset = random.below(bytes.size() + 3);
    std::string window(random.below(random.chance(3) ? 20'000 : 200), '\0');
    const std::size_t read = need(reader.read_into(number, offset, window));
    const Bytes expected =
        offset < bytes.size() ? Bytes(bytes).substr(offset, window.size()) : Bytes();
    BOOST_REQUIRE_MESSAGE(Bytes(window).substr(0, read) == expected,
                          "seed " << seed << ", offset " << offset);
  }

  // In a group, by itself, or piece by piece.
  PayloadNumber put_one(store::WriteTransaction& transaction, const std::string& bytes) {
    if (!random.chance(10)) {
      return need(writer.put(transaction, 1 + random.below(kGroupCount), bytes));
    }
    if (random.chance(2)) return need(writer.put(transaction, bytes));
    const PayloadNumber number = need(writer.create(transaction));
    Bytes rest = bytes;
    do {
      const Bytes piece = rest.substr(0, 1 + random.below(rest.size() + 1));
      need(writer.append(transaction, number, piece));
      rest.remove_prefix(piece.size());
    } while (!rest.empty());
    return number;
  }

  template <class Make>
  std::size_t put_some(std::size_t count, const Make& make) {
    std::vector<PayloadNumber> fresh;
    auto transaction = begin();
    {
      const PayloadReader inside(transaction);
      for (std::size_t i = 0; i < count; ++i) {
        std::string bytes = make();
        const PayloadNumber number = put_one(transaction, bytes);
        if (random.chance(10)) check_bytes(inside, number, bytes);
        remember(bytes);
        BOOST_REQUIRE(stored.emplace(number, std::move(bytes)).second);
        fresh.push_back(number);
      }
    }
    commit(transaction);
    if (random.chance(20)) writer.forget();
    if (random.chance(100)) {
      close();
      open();
      writer.forget();
    }
    const auto snapshot = need(environment->begin_read());
    const PayloadReader reader(snapshot);
    for (const PayloadNumber number : fresh) check_bytes(reader, number, stored.at(number));
    for (int i = 0; i < 10; ++i) {  // and some that are older
      const auto one = stored.lower_bound(fresh[random.below(fresh.size())] - random.below(5'000));
      if (one != stored.end()) check_bytes(reader, one->first, one->second);
    }
    return count;
  }

  void remember(const std::string& bytes) {
    if (bytes.size() > kSourceSizeBytesMax) return;
    if (sources_.size() < 100) {
      sources_.push_back(bytes);
    } else {
      sources_[random.below(sources_.size())] = bytes;
    }
  }

  // All of them once more, behind everything that came later; then nothing may be left of them.
  void check_at_the_end() {
    check_stored();
    {
      const auto snapshot = need(environment->begin_read());
      const PayloadReader reader(snapshot);
      for (const auto& [number, bytes] : stored) check_window(reader, number, bytes);
    }
    for (const std::string& found : findings()) BOOST_ERROR("seed " << seed << ": " << found);
    std::vector<PayloadNumber> numbers;
    for (const auto& [number, bytes] : stored) numbers.push_back(number);
    erase_all(numbers);
    for (const store::KeySpace space : kGroupSpaces) BOOST_TEST(entries(space) == 0U);
    BOOST_TEST(entries() == 0U);
  }

  std::vector<std::string> sources_;  // of what is put later

 protected:
  std::uint64_t seed = random_seed();
  RandomJson random{seed};
};

// Values of the corpus that may be payloads: each text, and what is in it at the first depths.
void collect(Bytes value, int depth, std::vector<std::string>& payloads) {
  constexpr std::size_t kSizeBytesMin = 200;
  if (value.size() < kSizeBytesMin) return;
  if (value.size() <= kRecordedSizeBytesMax) payloads.emplace_back(value);
  if (depth == 0) return;
  for (payload::JsonWalker walker(value); walker.next();) {
    collect(walker.value(), depth - 1, payloads);
  }
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(payloads_at_random, RandomStore)

BOOST_AUTO_TEST_CASE(every_payload_comes_back_byte_for_byte) {
  run(case_count(kCaseCount), [this] { return any(); });
}

BOOST_AUTO_TEST_CASE(mutated_recorded_payloads_come_back_byte_for_byte,
                     *boost::unit_test::precondition(corpus_is_there)) {
  std::vector<std::string> payloads;
  for (const std::string& text : corpus_texts()) collect(text, 4, payloads);
  BOOST_TEST(payloads.size() > 1'000U);
  std::size_t next = 0;
  run(case_count(kMutatedCorpusCaseCount), [&] {
    // Neighbours have text in common.
    next = random.chance(20) ? random.below(payloads.size()) : (next + 1) % payloads.size();
    std::string text = payloads[next];
    return random.chance(5) ? text : random.chance(3) ? changed(text) : random.mutated(text);
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::test
