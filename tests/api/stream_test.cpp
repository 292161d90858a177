// Text that is appended piece by piece goes into the file and comes out of it in memory that does
// not depend on how long it grows.
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "api/support.hpp"
#include "payload/base64.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using tracelite::test::not_under_sanitizers;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kStreamedSizeBytes = 300 * kMiB;
constexpr std::size_t kOnePieceSizeBytes = 200 * kMiB;
// As the header says: the queue and some 48 MiB.
constexpr std::size_t kMemorySizeBytesMax = (16 + 48) * kMiB;

std::size_t anonymous_size_bytes(const std::string& process) {
  std::ifstream status("/proc/" + process + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
  }
  return 0;  // it has ended
}

// Text that does not get smaller, made as fast as possible and never the same twice.
class Noise {
 public:
  void fill(std::string& text) {
    static constexpr char kLetters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    std::size_t at = 0;
    while (at < text.size()) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      for (std::uint64_t rest = state_; rest != 0 && at < text.size(); rest >>= 6) {
        text[at++] = kLetters[rest & 63];
      }
    }
  }

 private:
  std::uint64_t state_ = 88'172'645'463'325'252;
};

class Hash {
 public:
  Hash() : state_(XXH3_createState()) { XXH3_64bits_reset(state_); }
  ~Hash() { XXH3_freeState(state_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  void add(std::string_view bytes) { XXH3_64bits_update(state_, bytes.data(), bytes.size()); }
  [[nodiscard]] XXH64_hash_t value() const { return XXH3_64bits_digest(state_); }

 private:
  XXH3_state_t* state_;
};

tl_span* begin(const Store& store) {
  tl_observation begun{};
  begun.struct_size = sizeof begun;
  begun.id = tl_str("o");
  begun.trace_id = tl_str("t");
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, &begun, &span));
  return span;
}

void append(tl_span* span, std::string_view text) {
  must(tl_append(span, TL_FIELD_OUTPUT, text_of(text)));
}

// Appends so much in pieces, ends, and reads it back.
int record_and_read(const std::string& path, std::size_t size_bytes, std::size_t piece_size_bytes) {
  const Store store(path);
  tl_span* const span = begin(store);
  Hash given;
  {
    Noise noise;
    std::string piece(piece_size_bytes, ' ');
    for (std::size_t at = 0; at < size_bytes; at += piece.size()) {
      noise.fill(piece);
      given.add(piece);
      append(span, piece);
    }
  }
  must(tl_end(span, nullptr));
  store.flush();

  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  CHILD_CHECK(1, rows.next());
  CHILD_CHECK(2, rows.row().observation->output.text.size_bytes == size_bytes);
  Hash got;
  std::string buffer(4 * kMiB, '\0');
  std::size_t offset = 0;
  for (std::size_t read = buffer.size(); read == buffer.size(); offset += read) {
    must(tl_payload_read(rows.get(), TL_FIELD_OUTPUT, TL_READ_AS_GIVEN, offset, buffer.data(),
                         buffer.size(), &read));
    got.add(std::string_view(buffer).substr(0, read));
  }
  CHILD_CHECK(3, offset == size_bytes);
  CHILD_CHECK(4, got.value() == given.value());
  return 0;
}

// The most anonymous memory that a child had while it ran, less what it began with: the map of the
// file is not ours.
std::size_t peak_size_bytes(const std::function<int()>& body) {
  const store::test::Line go;
  store::test::Child child([&] {
    (void)go.receive();
    return body();
  });
  const std::string process = std::to_string(child.id());
  const std::size_t before = anonymous_size_bytes(process);
  go.send('g');
  std::size_t peak = before;
  while (!child.has_ended()) {
    peak = std::max(peak, anonymous_size_bytes(process));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  BOOST_TEST(child.wait() == 0);
  return peak - before;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE(a_long_text_streams_in_and_out_in_bounded_memory,
                     *boost::unit_test::precondition(not_under_sanitizers)) {
  const Folder folder(store::test::fast_folder());
  const std::size_t peak =
      peak_size_bytes([&] { return record_and_read(folder.file(), kStreamedSizeBytes, kMiB); });
  BOOST_TEST_MESSAGE("peak of anonymous memory: " << peak / kMiB << " MiB");
  BOOST_TEST(peak <= kMemorySizeBytesMax);
  Store(folder.file()).check();
}

// The caller has it once; the library has a piece at a time.
BOOST_AUTO_TEST_CASE(one_long_append_takes_no_second_copy_of_it,
                     *boost::unit_test::precondition(not_under_sanitizers)) {
  const Folder folder(store::test::fast_folder());
  const std::size_t peak = peak_size_bytes(
      [&] { return record_and_read(folder.file(), kOnePieceSizeBytes, kOnePieceSizeBytes); });
  BOOST_TEST_MESSAGE("peak of anonymous memory: " << peak / kMiB << " MiB");
  BOOST_TEST(peak <= kOnePieceSizeBytes + kMemorySizeBytesMax);
}

// As the header says: up to 4 MiB they are taken out at the end.
BOOST_AUTO_TEST_CASE(media_of_a_long_stream_stay_in_its_text) {
  std::string medium = "data:image/png;base64,";
  payload::append_base64(medium, std::string(3'000, 'm'));
  for (const std::size_t rest_size_bytes : {4 * kMiB - medium.size(), 4 * kMiB}) {
    const Folder folder(store::test::fast_folder());
    const Store store(folder.file());
    std::string rest(rest_size_bytes, ' ');
    Noise().fill(rest);
    rest.front() = ' ';  // the base64 ends here
    tl_span* const span = begin(store);
    append(span, medium);
    append(span, rest);
    must(tl_end(span, nullptr));
    store.flush();
    Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
    BOOST_REQUIRE(rows.next());
    BOOST_TEST((rows.payload(TL_FIELD_OUTPUT) == medium + rest));
    std::uint64_t as_stored = 0;
    must(tl_payload_size(rows.get(), TL_FIELD_OUTPUT, TL_READ_AS_STORED, &as_stored));
    const bool is_long = medium.size() + rest.size() > 4 * kMiB;
    BOOST_TEST((as_stored == medium.size() + rest.size()) == is_long);
    store.check();
  }
}

// What was recorded before is a text, too.
BOOST_AUTO_TEST_CASE(a_full_queue_drops_the_rest_of_a_long_append_at_the_begin_of_a_character) {
  const Folder folder(store::test::fast_folder());
  tl_options options{};
  options.full_policy = TL_FULL_DROP;
  options.queue_size_bytes = kMiB;
  const Store store(folder.file(), options);
  std::string text;
  while (text.size() < 64 * kMiB) text += "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac";
  tl_span* const span = begin(store);
  expect(tl_append(span, TL_FIELD_OUTPUT, text_of(text)), TL_QUEUE_FULL, "queue is full");
  store.flush();
  must(tl_end(span, nullptr));
  store.flush();
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  const std::string kept = rows.payload(TL_FIELD_OUTPUT);
  BOOST_TEST(!kept.empty());
  BOOST_TEST(kept.size() % 3 == 0U);
  BOOST_TEST((kept == text.substr(0, kept.size())));
}

// By then the queue was full.
BOOST_AUTO_TEST_CASE(the_first_append_that_is_recorded_starts_the_completion) {
  const Folder folder(store::test::fast_folder());
  tl_options options{};
  options.full_policy = TL_FULL_DROP;
  options.queue_size_bytes = kMiB;
  const Store store(folder.file(), options);
  tl_span* const span = begin(store);
  store.flush();
  {
    const auto environment = store::test::open_file(folder.file());
    const auto others_turn = store::test::must(environment->begin_write());
    const std::string text(kMiB / 4, 'x');
    while (tl_append(span, TL_FIELD_INPUT, text_of(text)) == TL_OK) continue;
    expect(tl_append(span, TL_FIELD_OUTPUT, text_of(text)), TL_QUEUE_FULL, "queue is full");
  }
  store.flush();
  append(span, "y");
  must(tl_end(span, nullptr));
  store.flush();
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(rows.payload(TL_FIELD_OUTPUT) == "y");
  BOOST_TEST((rows.row().observation->set_mask & TL_BIT(TL_FIELD_COMPLETION_START_TIME)) != 0U);
}

BOOST_AUTO_TEST_CASE(what_a_span_refuses_is_counted) {
  const Folder folder;
  const Store store(folder.file());
  tl_observation begin{};
  begin.struct_size = sizeof begin;
  begin.id = tl_str("\x01");
  tl_span* span = nullptr;
  expect(tl_begin(store.get(), nullptr, &begin, &span), TL_INVALID, "control characters", "id");
  must(tl_begin(store.get(), nullptr, nullptr, &span));
  expect(tl_append(span, TL_FIELD_OUTPUT, tl_str("\xff")), TL_INVALID, "UTF-8", "output");
  must(tl_end(span, nullptr));
  BOOST_TEST(store.counter(TL_REASON_EVENT_REFUSED) == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
