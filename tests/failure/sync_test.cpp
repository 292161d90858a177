// A sync that fails is told once by the system, which may then take for written what it could not
// write. So nothing is believed to be durable, or overwritten, before it has been written again.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>

#include "store/environment.hpp"
#include "store/free_pages.hpp"
#include "store/helpers.hpp"
#include "store/replacement.hpp"
#include "store/unused_bytes.hpp"
#include "support/fault_injector.hpp"

namespace tracelite::failure {
namespace {

using faults::Kind;
using faults::Lasting;
using store::Durability;
using store::Environment;
using store::KeySpace;
using store::test::fast_folder;
using store::test::Folder;
using store::test::must;
using store::test::open_file;

constexpr std::uint64_t kNeverFails = std::uint64_t{1} << 60;

void commit(Environment& environment, Durability durability, const std::string& value = "value") {
  auto transaction = must(environment.begin_write(durability));
  must(transaction.put(KeySpace::meta, "key", value));
  must(transaction.commit());
}

// How many calls of a kind something makes.
template <class Work>
std::uint64_t count(Kind kind, const Work& work) {
  faults::arm({kind, kNeverFails, Lasting::once});
  work();
  faults::disarm();
  return faults::call_count();
}

// The code of what a fault of that kind makes of it.
template <class Work>
Code code_with(Kind kind, Lasting lasting, const Work& work) {
  faults::arm({kind, 1, lasting});
  const Status status = work();
  faults::disarm();
  return status ? Code::ok : status.error().code;
}

template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status() : Status(result.error());
}

// Leaves words in free pages, and in bytes of others that nothing lies in.
void leave_words(Environment& environment) {
  for (const std::size_t size_bytes : {100'000U, 50'000U, 10'000U, 100U, 10U}) {
    auto transaction = must(environment.begin_write());
    for (int i = 0; i < 8; ++i) {
      must(transaction.put(KeySpace::meta, "key" + std::to_string(i),
                           std::string(size_bytes, static_cast<char>('a' + i))));
    }
    must(transaction.commit());
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failing_syncs)

BOOST_AUTO_TEST_CASE(a_sync_is_repeated_with_what_it_may_have_lost) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  const auto sync = [&] { return environment->sync(); };
  commit(*environment, Durability::last_may_be_lost);
  BOOST_TEST((code_with(Kind::sync, Lasting::once, sync) == Code::io));
  BOOST_TEST((code_with(Kind::sync, Lasting::on, sync) == Code::io));
  BOOST_TEST((code_with(Kind::write, Lasting::on, sync) == Code::io));
  BOOST_TEST(count(Kind::write, [&] { must(sync()); }) > 0U);
  // It is durable, and nobody has to say so again.
  BOOST_TEST(count(Kind::sync, [&] { must(sync()); }) == 0U);
  BOOST_TEST(count(Kind::write, [&] { (void)must(environment->begin_write()); }) == 0U);
}

// The sync of a commit is that of the head before it, too.
BOOST_AUTO_TEST_CASE(a_commit_that_could_not_sync_writes_the_heads_again_before_the_next) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  for (const Durability durability : {Durability::last_may_be_lost, Durability::synced}) {
    commit(*environment, Durability::last_may_be_lost);
    {
      auto transaction = must(environment->begin_write(durability));
      must(transaction.put(KeySpace::meta, "key", "other"));
      BOOST_TEST(
          (code_with(Kind::sync, Lasting::once, [&] { return transaction.commit(); }) == Code::io));
    }
    faults::arm({Kind::sync, 1, Lasting::on});
    BOOST_TEST((environment->begin_write().error().code == Code::io));
    BOOST_TEST((environment->sync().error().code == Code::io));
    faults::disarm();
    BOOST_TEST(count(Kind::write, [&] { (void)must(environment->begin_write()); }) > 0U);
    BOOST_TEST(count(Kind::write, [&] { (void)must(environment->begin_write()); }) == 0U);
    BOOST_TEST(store::test::get_one(*environment, "key", KeySpace::meta).value() == "value");
  }
}

BOOST_AUTO_TEST_CASE(what_is_durable_is_not_believed_of_an_engine_that_is_lost) {
  const Folder folder(fast_folder());
  store::OpenOptions options;
  options.map_size_bytes = store::kMinimumMapSizeBytes;
  const auto environment = open_file(folder.file(), options);
  const std::string large(100'000, 'x');
  bool was_lost = false;
  for (std::uint64_t nth = 1; nth <= 12; ++nth) {
    commit(*environment, Durability::last_may_be_lost, large);
    faults::arm({Kind::lmdb, nth, Lasting::once});
    const Status grown = environment->make_room(environment->map_size_bytes());
    faults::disarm();
    was_lost = was_lost || environment->last_transaction_id() == 0;
    BOOST_TEST_CONTEXT("call " << nth << (grown ? "" : " that failed the growth")) {
      BOOST_TEST(count(Kind::sync, [&] { must(environment->sync()); }) == 1U);
    }
    commit(*environment, Durability::synced);
  }
  BOOST_TEST(was_lost);
}

BOOST_AUTO_TEST_CASE(free_pages_are_overwritten_again) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  leave_words(*environment);
  const auto clear = [&] {
    return status_of(store::FreePageOverwriting(*environment, true).step());
  };
  BOOST_TEST((code_with(Kind::sync, Lasting::once, clear) == Code::io));
  const std::uint64_t of_heads =
      count(Kind::write, [&] { (void)must(environment->begin_write()); });
  BOOST_TEST(of_heads > 0U);
  BOOST_TEST(count(Kind::write, [&] { must(clear()); }) > 0U);
}

BOOST_AUTO_TEST_CASE(unused_bytes_are_overwritten_again) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  leave_words(*environment);
  const auto clear = [&] { return status_of(store::zero_unused_bytes(*environment)); };
  BOOST_TEST((code_with(Kind::sync, Lasting::once, clear) == Code::io));
  BOOST_TEST(count(Kind::write, [&] { (void)must(environment->begin_write()); }) > 0U);
  BOOST_TEST((code_with(Kind::sync, Lasting::once, clear) == Code::io));
  BOOST_TEST(count(Kind::write, [&] { (void)must(environment->begin_write()); }) > 0U);
  BOOST_TEST(count(Kind::write, [&] { must(clear()); }) > 0U);
  BOOST_TEST(count(Kind::write, [&] { must(clear()); }) == 0U);
}

// Zeros that are found again and again are not the next piece.
BOOST_AUTO_TEST_CASE(without_holes_overwriting_in_pieces_comes_to_its_end) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  leave_words(*environment);
  constexpr std::size_t kNotSupported = 2;
  faults::arm({Kind::hole, 1, Lasting::on, kNotSupported});
  constexpr std::uint64_t kPieceSizeBytes = 20'000;
  for (const bool zeros_too : {true, true, false}) {
    store::FreePageOverwriting overwriting(*environment, zeros_too, kPieceSizeBytes);
    std::uint64_t size_bytes = 0;
    int step_count = 0;
    for (bool more = true; more && step_count < 1'000; ++step_count) {
      const auto done = must(overwriting.step());
      BOOST_TEST(done.size_bytes <= kPieceSizeBytes);
      size_bytes += done.size_bytes;
      more = done.is_more;
    }
    BOOST_TEST(step_count < 1'000);
    BOOST_TEST(step_count > 20);
    BOOST_TEST((size_bytes > 0) == zeros_too);
  }
  faults::disarm();
}

BOOST_AUTO_TEST_CASE(a_backup_that_cannot_be_made_durable_does_not_stay) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  commit(*environment, Durability::synced);
  const auto names = folder.names();
  std::uint64_t nth = 1;
  for (; nth < 100; ++nth) {
    faults::arm({Kind::sync, nth, Lasting::once});
    const Status made = store::back_up(environment, folder.file("backup.tl"), {});
    faults::disarm();
    if (made) break;
    BOOST_TEST((made.error().code == Code::io));
    BOOST_TEST(folder.names() == names, boost::test_tools::per_element());
  }
  BOOST_TEST(nth > 2U);
  BOOST_TEST(
      store::test::get_one(*open_file(folder.file("backup.tl")), "key", KeySpace::meta).value() ==
      "value");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
