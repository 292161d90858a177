// Compacting beside other processes that read and write the same file, to its end and killed at
// every step: nothing that was flushed is lost, nothing old is read, and the file always opens.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "api/support.hpp"
#include "store/testing.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using store::test::Line;
using store::testing::Point;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRounds = 1;
#else
constexpr int kRounds = 3;
#endif
constexpr int kPipeSizeBytes = 4096;  // the writer waits when it is far ahead of the test

std::string input_of(std::uint32_t number) {
  return std::string(50 + number * 37 % 3000, static_cast<char>('a' + number % 26));
}

bool put(tl_store* store, std::uint32_t number) {
  const std::string id = std::to_string(number);
  const std::string input = input_of(number);
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = text_of(id);
  observation.trace_id = tl_str("trace");
  observation.set_mask = TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_START_TIME);
  observation.start_time_ns = 1'000'000'000 + number;
  observation.input = {TL_FORM_TEXT, text_of(input)};
  return tl_put_observation(store, &observation) == TL_OK;
}

// Puts a few, flushes, and says so with the number of the last.
class WritingProcess {
 public:
  explicit WritingProcess(const std::string& path)
      : child_([this, path] {
          stop_.close_writing();
          fcntl(stop_.reading(), F_SETFL, O_NONBLOCK);
          fcntl(flushed_.writing(), F_SETPIPE_SZ, kPipeSizeBytes);
          tl_store* store = nullptr;
          CHILD_CHECK(1, tl_open(path.c_str(), nullptr, &store) == TL_OK);
          char byte = 0;
          for (std::uint32_t number = 0; read(stop_.reading(), &byte, 1) != 0; ++number) {
            CHILD_CHECK(2, put(store, number));
            if (number % 3 != 0) continue;
            CHILD_CHECK(3, tl_flush(store, UINT32_MAX, nullptr) == TL_OK);
            CHILD_CHECK(4, write(flushed_.writing(), &number, sizeof number) == sizeof number);
          }
          CHILD_CHECK(5, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
          return 0;
        }) {
    stop_.close_reading();
    flushed_.close_writing();
    fcntl(flushed_.reading(), F_SETFL, O_NONBLOCK);
  }

  // Everything up to here is flushed.
  std::uint32_t last() {
    std::uint32_t number = 0;
    while (read(flushed_.reading(), &number, sizeof number) == sizeof number) last_ = number;
    return last_;
  }
  // Waits until it has flushed something that it began after this call.
  void go_on() {
    (void)last();
    for (int i = 0; i < 2; ++i) {
      pollfd waited{flushed_.reading(), POLLIN, 0};
      BOOST_REQUIRE(poll(&waited, 1, 60'000) == 1);
      std::uint32_t number = 0;
      BOOST_REQUIRE(read(flushed_.reading(), &number, sizeof number) == sizeof number);
      last_ = number;
    }
  }
  // To be called when no other child lives that may have inherited the lines.
  int stop() {
    stop_.close_writing();
    fcntl(flushed_.reading(), F_SETFL, 0);
    (void)last();  // to the end, so that it does not wait for room
    return child_.wait();
  }

 private:
  Line stop_;
  Line flushed_;
  std::uint32_t last_ = 0;
  Child child_;
};

// Looks again and again: what it has seen it must see again.
class ReadingProcess {
 public:
  explicit ReadingProcess(const std::string& path)
      : child_([this, path] {
          stop_.close_writing();
          fcntl(stop_.reading(), F_SETFL, O_NONBLOCK);
          tl_options options{};
          options.struct_size = sizeof options;
          options.read_only = 1;
          tl_store* store = nullptr;
          CHILD_CHECK(1, tl_open(path.c_str(), &options, &store) == TL_OK);
          std::uint64_t seen = 0;
          char byte = 0;
          while (read(stop_.reading(), &byte, 1) != 0) {
            tl_statistics now{};
            now.struct_size = sizeof now;
            CHILD_CHECK(2, tl_stats(store, &now) == TL_OK);
            CHILD_CHECK(3, now.observation_count >= seen);
            seen = now.observation_count;
            if (seen < 2) continue;
            const auto number = static_cast<std::uint32_t>(seen / 2);
            tl_cursor* cursor = nullptr;
            const std::string id = std::to_string(number);
            CHILD_CHECK(4, tl_get(store, nullptr, TL_KIND_OBSERVATION, tl_str("trace"), text_of(id),
                                  &cursor) == TL_OK);
            Rows rows(cursor);
            CHILD_CHECK(5, rows.next());
            CHILD_CHECK(6, rows.payload(TL_FIELD_INPUT) == input_of(number));
          }
          CHILD_CHECK(7, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
          return 0;
        }) {
    stop_.close_reading();
  }
  int stop() {
    stop_.close_writing();
    return child_.wait();
  }

 private:
  Line stop_;
  Child child_;
};

// That the file has all that was flushed before it was opened, or copied.
void check_everything(const std::string& path, std::uint32_t flushed) {
  const Store store(path);
  std::uint32_t expected = 0;
  for (Rows rows(list(store, TL_KIND_OBSERVATION)); rows.next(); ++expected) {
    BOOST_REQUIRE(string_of(rows.row().observation->id) == std::to_string(expected));
    if (expected % 16 == 0) BOOST_REQUIRE(rows.payload(TL_FIELD_INPUT) == input_of(expected));
  }
  BOOST_TEST(expected > flushed);
  store.check();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(compacting)

BOOST_AUTO_TEST_CASE(others_read_and_write_while_it_is_done_again_and_again) {
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  { const Store create(path); }
  WritingProcess writer(path);
  writer.go_on();
  ReadingProcess reader(path);
  {
    const Store store(path);
    for (int round = 0; round < 15; ++round) {
      must(tl_compact(store.get(), nullptr, nullptr));
      writer.go_on();
      const std::string backup = folder.file("backup-" + std::to_string(round));
      const std::uint32_t flushed = writer.last();
      must(tl_backup(store.get(), backup.c_str(), nullptr, nullptr));
      if (round % 5 == 0) check_everything(backup, flushed);
    }
  }
  check_everything(path, writer.last());
  BOOST_TEST(reader.stop() == 0);
  BOOST_TEST(writer.stop() == 0);
  check_everything(path, writer.last());
}

BOOST_AUTO_TEST_CASE(killed_at_every_step_beside_a_reader_and_a_writer) {
  const Point points[] = {Point::put,
                          Point::replacement_written,
                          Point::replacement_announced,
                          Point::replacement_renamed,
                          Point::replacement_unlocked,
                          Point::replacement_synced};
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  { const Store create(path); }
  WritingProcess writer(path);
  writer.go_on();
  ReadingProcess reader(path);
  for (int round = 0; round < kRounds; ++round) {
    for (const Point point : points) {
      BOOST_TEST_CONTEXT("round " << round << ", point " << static_cast<int>(point)) {
        Child compactor([&] {
          tl_store* store = nullptr;
          CHILD_CHECK(1, tl_open(path.c_str(), nullptr, &store) == TL_OK);
          store::testing::fail(point, point == Point::put ? 5 : 1, store::testing::kKillHere);
          CHILD_CHECK(2, tl_compact(store, nullptr, nullptr) == TL_OK);
          return 0;
        });
        BOOST_TEST(compactor.wait() == -SIGKILL);
        writer.go_on();
        check_everything(path, writer.last());
      }
    }
  }
  BOOST_TEST(reader.stop() == 0);
  BOOST_TEST(writer.stop() == 0);
  check_everything(path, writer.last());
  BOOST_TEST(folder.names() == store::test::kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
