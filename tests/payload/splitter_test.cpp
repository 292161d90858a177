// Where bytes are cut: everywhere is in exactly one piece, pieces are bounded, and the same text is
// cut alike wherever it stands.
#include "payload/splitter.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <unordered_map>
#include <vector>

#include "payload/random_json.hpp"
#include "payload/store_fixture.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using namespace tracelite::test;

constexpr std::uint64_t kSeed = 42;

std::vector<Piece> pieces_of(Bytes bytes) {
  std::vector<Piece> pieces;
  split(bytes, kSeed, pieces);
  return pieces;
}

// Text of words, without anything that the splitter looks for.
std::string prose(RandomJson& random, std::size_t size) {
  static constexpr Bytes kWords[] = {"the ", "plane ", "leaves ", "at ",  "seven",  ", ",
                                     "a ",   "seat ",  "costs ",  "more", "today.", "\n"};
  std::string out;
  while (out.size() < size) {
    if (random.chance(3)) {
      out += std::to_string(random.below(10000)) + " ";
    } else {
      out += kWords[random.below(std::size(kWords))];
    }
  }
  return out;
}

// Escapes what must not stand in a JSON string.
std::string escaped(Bytes text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') out += '\\';
    if (byte == '\n') {
      out += "\\n";
    } else {
      out += byte;
    }
  }
  return out;
}

// Gapless, in order, bounded; hashes are of the piece's bytes.
void check_pieces(Bytes bytes, const std::vector<Piece>& pieces, std::uint64_t seed) {
  std::uint64_t at = 0;
  for (const Piece& piece : pieces) {
    BOOST_REQUIRE_MESSAGE(piece.offset == at, "seed " << seed);
    BOOST_REQUIRE_MESSAGE(piece.size_bytes > 0 && piece.size_bytes <= kPieceSizeBytesMax,
                          "seed " << seed << ": a piece of " << piece.size_bytes << " bytes");
    at = piece.end();
    BOOST_REQUIRE(at <= bytes.size());
    const std::uint64_t hash = piece.size_bytes < kPieceSizeBytesMin
                                   ? 0
                                   : hash_of(bytes.substr(piece.offset, piece.size_bytes), kSeed);
    BOOST_REQUIRE(piece.hash == hash);
  }
  BOOST_REQUIRE_MESSAGE(at == bytes.size(), "seed " << seed);
}

// How many bytes of `part`, which stands in both, are in pieces that both have.
std::size_t shared_size(Bytes one, Bytes other, Bytes part) {
  const std::size_t begin = other.find(part);
  BOOST_REQUIRE(begin != Bytes::npos);
  BOOST_REQUIRE(one.find(part) != Bytes::npos);
  std::unordered_map<std::uint64_t, std::uint32_t> known;
  for (const Piece& piece : pieces_of(one)) known.emplace(piece.hash, piece.offset);
  std::size_t sum = 0;
  for (const Piece& piece : pieces_of(other)) {
    if (piece.offset < begin || piece.end() > begin + part.size() || piece.hash == 0) continue;
    const auto same = known.find(piece.hash);
    if (same == known.end()) continue;
    BOOST_REQUIRE(one.substr(same->second, piece.size_bytes) ==
                  other.substr(piece.offset, piece.size_bytes));
    sum += piece.size_bytes;
  }
  return sum;
}

struct Seeded {
  std::uint64_t seed = random_seed();
  RandomJson random{seed};
};

BOOST_FIXTURE_TEST_SUITE(splitter, Seeded)

BOOST_AUTO_TEST_CASE(pieces_cover_the_bytes_without_gaps) {
  check_pieces("", pieces_of(""), seed);
  for (std::size_t i = 0; i < scaled(3000); ++i) {
    std::string bytes;
    switch (random.below(4)) {
      case 0:
        bytes = random_bytes(random.below(5000), random.below(1U << 30));
        break;
      case 1:
        bytes = prose(random, random.below(5000));
        break;
      default:
        while (random.below(20) != 0) bytes += random.mutated(random.value(4));
    }
    check_pieces(bytes, pieces_of(bytes), seed);
  }
}

BOOST_AUTO_TEST_CASE(pieces_are_bounded_whatever_the_bytes_repeat) {
  // One byte, and two in turn.
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(20000, static_cast<char>(byte));
    check_pieces(bytes, pieces_of(bytes), seed);
    for (const char other : {'"', '{', '}', 'a'}) {
      std::string pairs;
      for (int i = 0; i < 5000; ++i) pairs += {static_cast<char>(byte), other};
      check_pieces(pairs, pieces_of(pairs), seed);
    }
  }
  // A few bytes again and again, most of them quotes.
  for (std::size_t i = 0; i < scaled(2000); ++i) {
    std::string unit;
    for (std::size_t n = 1 + random.below(12); n > 0; --n) {
      unit += "\"\"\"\"\"\\,:{}a"[random.below(11)];
    }
    std::string bytes;
    while (bytes.size() < 5000) bytes += unit;
    check_pieces(bytes, pieces_of(bytes), seed);
  }
}

BOOST_AUTO_TEST_CASE(text_without_braces_or_quotes_is_cut_too) {
  for (const std::string& bytes :
       {prose(random, 100000), random_bytes(100000, seed), std::string(100000, 'a')}) {
    const auto pieces = pieces_of(bytes);
    check_pieces(bytes, pieces, seed);
    BOOST_TEST(pieces.size() >= bytes.size() / kPieceSizeBytesMax);
    BOOST_TEST(pieces.size() < bytes.size() / 50);  // random bytes have quotes and braces
  }
}

BOOST_AUTO_TEST_CASE(an_insertion_changes_only_pieces_near_it) {
  constexpr std::size_t kNear = 16384;
  for (int i = 0; i < 200; ++i) {
    std::string bytes;
    if (random.chance(2)) {
      bytes = prose(random, 60000);
    } else {
      while (bytes.size() < 60000) bytes += random.container(4, random.chance(2)) + ",";
    }
    const std::size_t at = 10000 + random.below(20000);
    const std::string inserted = random.chance(2) ? random.value(3) : prose(random, 500);
    std::string changed = bytes;
    changed.insert(at, inserted);

    std::unordered_map<std::uint32_t, std::uint32_t> sizes;
    for (const Piece& piece : pieces_of(bytes)) sizes[piece.offset] = piece.size_bytes;
    for (const Piece& piece : pieces_of(changed)) {
      std::uint32_t before = piece.offset;
      if (piece.offset + kNear > at && piece.offset < at + inserted.size() + kNear) continue;
      if (piece.offset > at) before -= static_cast<std::uint32_t>(inserted.size());
      const auto same = sizes.find(before);
      BOOST_REQUIRE_MESSAGE(
          same != sizes.end() && same->second == piece.size_bytes,
          "seed " << seed << ": the piece at " << piece.offset << " differs, inserted at " << at);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_output_is_cut_alike_in_the_next_history) {
  for (int i = 0; i < 200; ++i) {
    const std::string text = escaped(prose(random, 6000));
    const std::string message = R"({"role":"assistant","content":")" + text + R"("})";
    std::string history = R"({"model":"m","messages":[)";
    for (std::size_t n = random.below(30); n > 0; --n) history += random.container(2, true) + ",";
    history += message + R"(,{"role":"user","content":"more"}],"stream":true})";
    BOOST_TEST_REQUIRE(shared_size(message, history, message) + 100 >= message.size(),
                       "seed " << seed);
    // With other things around it.
    const std::string choice = R"({"id":"x","choices":[{"index":0,"message":)" + message + "}]}";
    BOOST_TEST_REQUIRE(shared_size(choice, history, message) + 100 >= message.size(),
                       "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(text_is_cut_alike_when_it_is_escaped_inside_a_string) {
  for (int i = 0; i < 200; ++i) {
    const std::string text = prose(random, 6000);
    const std::string inside = text.substr(0, text.find('\n', 3000));
    const std::string line = inside.substr(inside.rfind('\n') + 1);
    const std::string plain = R"([{"content":")" + line + R"("}])";
    const std::string nested = R"({"body":")" + escaped(plain) + R"("})";
    const std::string twice = R"({"log":")" + escaped(nested) + R"("})";
    const std::size_t expected = line.size() < 1500 ? 0 : line.size() - 1100;
    BOOST_TEST_REQUIRE(shared_size(plain, nested, line) >= expected, "seed " << seed);
    BOOST_TEST_REQUIRE(shared_size(nested, twice, line) >= expected, "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(an_escaped_history_is_cut_alike_behind_an_insertion) {
  for (int i = 0; i < 50; ++i) {
    std::string messages;
    while (messages.size() < 20000) messages += random.container(3, true) + ",";
    const std::string one = "\"[" + escaped(messages) + "]\"";
    const std::string other =
        "\"[" + escaped(random.container(3, true)) + "," + escaped(messages) + "]\"";
    std::size_t cut = 0;  // in pieces long enough to be looked for
    for (const Piece& piece : pieces_of(one)) cut += piece.hash != 0 ? piece.size_bytes : 0;
    BOOST_TEST_REQUIRE(shared_size(one, other, escaped(messages)) + 4096 >= cut, "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(other_files_have_other_hashes) {
  const std::string text = prose(random, 5000);
  std::vector<Piece> one;
  std::vector<Piece> other;
  split(text, 1, one);
  split(text, 2, other);
  BOOST_REQUIRE(one.size() == other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    BOOST_TEST(one[i].offset == other[i].offset);
    if (one[i].hash != 0) BOOST_TEST(one[i].hash != other[i].hash);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
