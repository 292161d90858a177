// Where no holes can be made in a file, or free pages not be looked for: what is told, and that it
// is as if nobody had tried.
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "maintain/retention.hpp"
#include "model/out_of_memory.hpp"
#include "store/free_pages.hpp"
#include "store/testing.hpp"
#include "support/fault_injector.hpp"

namespace tracelite::failure {
namespace {

using api::test::Store;
using api::test::text_of;
using faults::Kind;
using faults::Lasting;
using store::test::fast_folder;
using store::test::Folder;

constexpr const char* kSecret = "a-name-that-is-nowhere-else";

// The system fails from the nth hole on, or in that alone, until the end of the scope.
struct FailingHoles {
  explicit FailingHoles(const faults::Fault& fault) { faults::arm(fault); }
  ~FailingHoles() { faults::disarm(); }
  FailingHoles(const FailingHoles&) = delete;
  FailingHoles& operator=(const FailingHoles&) = delete;
};
struct FreePagesAreGivenBackAtOnce {
  FreePagesAreGivenBackAtOnce() { store::testing::free_size_bytes_max = 1; }
  ~FreePagesAreGivenBackAtOnce() { store::testing::free_size_bytes_max = 0; }
};

void record(const Store& store, const std::string& trace_id, const std::string& name, int count) {
  std::mt19937 random(std::hash<std::string>{}(trace_id));
  std::string input(3'000, ' ');
  for (int i = 0; i < count; ++i) {
    for (char& letter : input) letter = static_cast<char>('!' + random() % 90);
    tl_observation one{};
    one.struct_size = sizeof one;
    const std::string id = trace_id + "-" + std::to_string(i);
    one.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT);
    one.id = text_of(id);
    one.trace_id = text_of(trace_id);
    one.name = text_of(name);
    one.input = {TL_FORM_TEXT, text_of(input)};
    api::test::must(tl_put_observation(store.get(), &one));
  }
  store.flush();
}

// So that what is free after it lies in several places.
void record_in_turns(const Store& store) {
  for (int i = 1; i <= 4; ++i) {
    record(store, "other" + std::to_string(i), "n", 10 * i);
    record(store, "secret", kSecret, 40 * i);
  }
}

tl_filter of_secret() {
  tl_filter of = api::test::filter();
  of.trace_id = tl_str("secret");
  return of;
}

bool says_secret(const std::string& path) {
  return store::test::read_file(path).find(kSecret) != std::string::npos;
}

// By faults::kErrorNames. A file system that makes no holes is none that fails.
constexpr std::array kStatuses = {TL_IO, TL_DISK_FULL, TL_OK};

std::uint64_t taken_bytes(const std::string& path) {
  struct stat status = {};
  BOOST_REQUIRE(stat(path.c_str(), &status) == 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failing_holes)

BOOST_AUTO_TEST_CASE(a_secure_deletion_says_which_error_and_ends_when_called_again) {
  for (const Lasting lasting : {Lasting::once, Lasting::on}) {
    for (std::uint64_t nth = 1; nth <= 3; ++nth) {
      const Folder folder(fast_folder());
      const Store store(folder.file());
      record_in_turns(store);
      const tl_filter of = of_secret();
      const std::size_t error = nth % kStatuses.size();
      const tl_status wanted = kStatuses[error];
      {
        const FailingHoles failing({Kind::hole, nth, lasting, error});
        const tl_status status = tl_delete_securely(store.get(), &of, 0, nullptr, nullptr, nullptr);
        BOOST_REQUIRE(faults::call_count() >= nth);
        api::test::expect(status, wanted, wanted == TL_OK ? "" : "give free pages back");
      }
      if (wanted != TL_OK) {
        api::test::must(tl_delete_securely(store.get(), &of, 0, nullptr, nullptr, nullptr));
      }
      BOOST_TEST(!says_secret(folder.file()));
      record(store, "after", "n", 1);
      BOOST_TEST(api::test::count(store, TL_KIND_TRACE) == 5U);
      store.check();
    }
  }
}

BOOST_AUTO_TEST_CASE(what_keeps_the_caps_tells_it_once_and_gives_back_later) {
  const FreePagesAreGivenBackAtOnce at_once;
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {
    const Folder folder(fast_folder());
    const Store store(folder.file());
    record_in_turns(store);
    BOOST_TEST(store.remove(of_secret()).trace_count == 1U);
    record(store, "after", "n", 1);  // what it has given up is free now
    record(store, "after", "n", 2);
    const auto environment = store::test::open_file(folder.file());
    std::vector<std::string> warnings;
    const auto log = [&](bool is_warning, const std::string& message) {
      if (is_warning) warnings.push_back(message);
    };
    const maintain::RetentionRules rules{.size_bytes = std::uint64_t{1} << 30};
    maintain::Retention retention(environment, rules, log);
    const std::uint64_t taken_before_bytes = taken_bytes(folder.file());
    const std::size_t error = nth % kStatuses.size();
    const bool is_error = kStatuses[error] != TL_OK;
    {
      const FailingHoles failing({Kind::hole, nth, Lasting::on, error});
      while (retention.step()) {
      }
      BOOST_REQUIRE(faults::call_count() == nth);  // after the first that fails it is silent
    }
    BOOST_TEST(warnings.size() == (is_error ? 1U : 0U));
    if (is_error) BOOST_TEST(warnings.at(0).find("give free pages back") != std::string::npos);
    record(store, "after", "n", 3);
    BOOST_TEST(!retention.step());
    store.check();
    // As by the next one that opens the file.
    maintain::Retention next(environment, rules, log);
    while (next.step()) {
    }
    BOOST_TEST(warnings.size() == (is_error ? 1U : 0U));
    BOOST_TEST(taken_bytes(folder.file()) < taken_before_bytes);
    store.check();
  }
}

// Whether it can be told what others read, or not.
BOOST_AUTO_TEST_CASE(what_a_snapshot_reads_is_not_zeroed_whatever_call_of_lmdb_fails) {
  const Folder folder(fast_folder());
  std::string before;
  {
    const Store store(folder.file());
    record_in_turns(store);
    before = store.export_all();
  }
  const Store store(folder.file());  // which has read nothing yet, and remembers nothing
  tl_snapshot* snapshot = nullptr;
  api::test::must(tl_snapshot_open(store.get(), &snapshot));
  const tl_filter of = of_secret();
  BOOST_TEST(store.remove(of).trace_count == 1U);
  const auto erase = [&](std::uint64_t nth) {
    faults::arm({Kind::lmdb, nth, Lasting::once});
    const tl_status status = tl_delete_securely(store.get(), &of, 0, nullptr, nullptr, nullptr);
    faults::disarm();
    return status;
  };
  // Each time there are more pages to look at, so that it never comes to an end by itself.
  BOOST_REQUIRE(erase(UINT64_MAX) == TL_TIMEOUT);
  BOOST_REQUIRE(erase(UINT64_MAX) == TL_TIMEOUT);
  const std::uint64_t call_count = faults::call_count();
  for (std::uint64_t nth = 1; nth <= call_count; ++nth) {
    BOOST_REQUIRE(erase(UINT64_MAX) == TL_TIMEOUT);  // the next one goes on from here
    const tl_status status = erase(nth);
    BOOST_TEST(status != TL_OK, "call " << nth);
  }
  BOOST_TEST((store.export_all(snapshot) == before));
  tl_snapshot_close(snapshot);
  api::test::must(tl_delete_securely(store.get(), &of, 0, nullptr, nullptr, nullptr));
  BOOST_TEST(!says_secret(folder.file()));
  store.check();
}

// What was deleted before, so that it begins with the question what is to be done.
BOOST_AUTO_TEST_CASE(what_is_said_to_be_gone_is_gone_whatever_call_of_lmdb_fails) {
  bool is_reached = true;
  for (std::uint64_t nth = 1; nth <= 40 && is_reached; ++nth) {
    const Folder folder(fast_folder());
    const Store store(folder.file());
    record(store, "secret", kSecret, 1);
    record(store, "other", "n", 1);  // or there would be no index any more
    const tl_filter of = of_secret();
    BOOST_TEST(store.remove(of).trace_count == 1U);
    BOOST_REQUIRE(says_secret(folder.file()));
    faults::arm({Kind::lmdb, nth, Lasting::once});
    const tl_status status = tl_delete_securely(store.get(), &of, 0, nullptr, nullptr, nullptr);
    is_reached = faults::call_count() >= nth;
    faults::disarm();
    if (status == TL_OK) BOOST_TEST(!says_secret(folder.file()), "call " << nth);
    store.check();
  }
  BOOST_TEST(is_reached);
}

// LMDB's cursor, which looks for them, is no object that goes by itself.
BOOST_AUTO_TEST_CASE(looking_for_free_pages_without_memory_leaks_nothing) {
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    record_in_turns(store);
    BOOST_TEST(store.remove(of_secret()).trace_count == 1U);
  }
  const auto environment = store::test::open_file(folder.file());
  const auto look = [&] {
    return without_exceptions([&]() -> Status {
      TL_TRY(store::clear_free_pages(*environment, {}));
      return {};
    });
  };
  BOOST_REQUIRE(bool(look()));  // what it does for the first time only
  const std::uint64_t live_before = faults::live_allocation_count();
  std::uint64_t nth = 0;
  for (bool reached = true; reached;) {
    faults::arm({Kind::allocation, ++nth, Lasting::once});
    const bool is_done = bool(look());
    faults::disarm();
    reached = faults::call_count() >= nth;
    BOOST_TEST((is_done || reached));
    BOOST_TEST(faults::live_allocation_count() == live_before, "allocation " << nth << " leaks");
  }
  BOOST_TEST(nth > 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
