// What a crash leaves of a large payload goes away with the next open, which nothing of it can
// prevent.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <mutex>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "store/testing.hpp"

namespace tracelite::api::test {
namespace {

using store::testing::Point;

constexpr std::size_t kTwoPartsSizeBytes = (4 << 20) + 1;
constexpr int kPartCount = 2;

struct Log {
  std::mutex mutex;
  std::vector<std::string> warnings;
  bool breaks = false;  // the commit that is tried again fails again

  static void take(void* context, tl_log_level level, tl_reason /*reason*/, const char* message) {
    auto& log = *static_cast<Log*>(context);
    const std::scoped_lock lock(log.mutex);
    if (level == TL_LOG_WARNING) log.warnings.emplace_back(message);
    if (level == TL_LOG_ERROR && log.breaks) store::testing::fail(Point::commit, 1, EIO);
  }
  tl_options options() {
    tl_options options{};
    options.commit_interval_ms = 3'600'000;
    options.log = take;
    options.log_context = this;
    return options;
  }
};

tl_status put_large(tl_store* store) {
  const std::string text(kTwoPartsSizeBytes, 'p');
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = tl_str("o");
  observation.trace_id = tl_str("t");
  observation.set_mask = TL_BIT(TL_FIELD_INPUT);
  observation.input = {TL_FORM_TEXT, text_of(text)};
  return tl_put_observation(store, &observation);
}

// Leaves the parts of a payload in the file, without their record.
void leave_parts(const std::string& path) {
  Log log;
  log.breaks = true;
  tl_options options = log.options();
  options.struct_size = sizeof options;
  tl_store* store = nullptr;
  must(tl_open(path.c_str(), &options, &store));
  store::testing::fail(Point::commit, kPartCount + 1, EIO);
  must(put_large(store));
  expect(tl_flush(store, UINT32_MAX, nullptr), TL_IO, "");
  expect(tl_close(store, 0, nullptr), TL_IO, "1 records were lost");
  store::testing::fail_nothing();
}

int pending_count(const std::string& path) {
  const auto environment = store::test::open_file(path);
  const auto transaction = store::test::must(environment->begin_read());
  auto cursor = transaction.cursor(store::KeySpace::meta);
  int count = 0;
  for (bool more = store::test::must(cursor.seek("pending:"));
       more && cursor.key().starts_with("pending:"); more = store::test::must(cursor.next())) {
    ++count;
  }
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reclaim)

BOOST_AUTO_TEST_CASE(opening_takes_back_what_a_crash_left) {
  const Folder folder;
  leave_parts(folder.file());
  BOOST_TEST(pending_count(folder.file()) == 1);
  { const Store store(folder.file()); }
  BOOST_TEST(pending_count(folder.file()) == 0);
  const Store store(folder.file());
  must(put_large(store.get()));
  store.flush();
  store.check();
}

BOOST_AUTO_TEST_CASE(a_file_opens_even_if_nothing_can_be_taken_back) {
  const Folder folder;
  leave_parts(folder.file());
  Log log;
  store::testing::fail(Point::commit, 1, ENOSPC);
  {
    const Store store(folder.file(), log.options());
    store.check();
  }
  BOOST_REQUIRE(log.warnings.size() == 1U);
  BOOST_TEST(log.warnings.front().find("could not be removed") != std::string::npos);
  BOOST_TEST(pending_count(folder.file()) == 1);
  { const Store store(folder.file()); }
  BOOST_TEST(pending_count(folder.file()) == 0);
}

// Where two stores of a process have one file open, the second comes while the first is writing.
BOOST_AUTO_TEST_CASE(a_second_store_leaves_alone_what_the_first_is_writing) {
  const Folder folder;
  Log log;
  log.breaks = true;
  const Store first(folder.file(), log.options());
  store::testing::fail(Point::commit, kPartCount + 1, EIO);
  must(put_large(first.get()));
  expect(tl_flush(first.get(), UINT32_MAX, nullptr), TL_IO, "");
  {
    const std::scoped_lock lock(log.mutex);
    log.breaks = false;
  }
  store::testing::fail_nothing();
  const Store second(folder.file());
  if (tl_flush(first.get(), UINT32_MAX, nullptr) != TL_OK) first.flush();
  Rows rows(get(second, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST((rows.payload(TL_FIELD_INPUT) == std::string(kTwoPartsSizeBytes, 'p')));
  second.check();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
