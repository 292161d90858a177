// Replacing a file that others have open: nobody may lose a commit, see an old one, or stand before
// a file that does not open; whenever it ends.
#include "store/replacement.hpp"

#include <fcntl.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "helpers.hpp"
#include "store/testing.hpp"

namespace tracelite::store::test {
namespace {

using testing::Point;

// As compacting does it, but with the same keys and values.
Status replace(const std::shared_ptr<Environment>& environment, const CopyProgress& progress = {}) {
  TL_TRY_ASSIGN(replacement, Replacement::begin(environment));
  TL_TRY(copy_in_order(replacement->content(), *replacement->scratch(), {}));
  return replacement->finish(progress);
}

ino_t inode_of(const std::string& path) {
  struct stat status = {};
  BOOST_REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

std::optional<std::string> note_of(Environment& environment) {
  return get_one(environment, "replacement", KeySpace::meta);
}

// Another process that has the file open, and does as it is told.
class Other {
 public:
  explicit Other(const std::string& path)
      : child_([this, path] {
          orders_.close_writing();
          auto opened = Environment::open(path, {});
          CHILD_CHECK(1, opened);
          std::optional<ReadTransaction> snapshot;
          said_.send('o');
          for (;;) {
            const char order = orders_.receive();
            if (order == '\0' || order == 'q') return 0;
            if (order == 's') snapshot.emplace(must((*opened)->begin_read()));
            if (order == 'd') snapshot.reset();
            if (order == 'S')
              CHILD_CHECK(2, must(snapshot->get(KeySpace::directory, "key")) == "old");
            if (order == 'r') CHILD_CHECK(3, get_one(**opened, "key") == "new");
            if (order == 'R') CHILD_CHECK(4, get_one(**opened, "key") == "old");
            if (order == 'w') put_one(**opened, "other", "was here");
            said_.send('d');
          }
        }) {
    orders_.close_reading();
    said_.close_writing();
    BOOST_REQUIRE(said_.receive() == 'o');
  }
  void start(char order) const { orders_.send(order); }
  void finish() const { BOOST_REQUIRE(said_.receive() == 'd'); }
  void tell(char order) const {
    start(order);
    finish();
  }
  int close() {
    orders_.send('q');  // others may have inherited the line, and keep it open
    return child_.wait();
  }

 private:
  Line orders_;
  Line said_;
  Child child_;
};

void check_file(const std::string& path, const std::string& value) {
  auto environment = open_file(path);
  BOOST_TEST(get_one(*environment, "key").value_or("none") == value);
  put_one(*environment, "later", "written");
  BOOST_TEST(!note_of(*environment).has_value());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(replacing)

BOOST_AUTO_TEST_CASE(transactions_go_over_to_the_new_file_and_snapshots_stay) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "old");
  BOOST_REQUIRE(chmod(folder.file().c_str(), 0640) == 0);
  const ino_t before = inode_of(folder.file());
  const std::uint64_t last = environment->last_transaction_id();
  std::optional<ReadTransaction> snapshot(must(environment->begin_read()));
  must(replace(environment));
  BOOST_TEST(inode_of(folder.file()) != before);
  BOOST_TEST(must(snapshot->get(KeySpace::directory, "key")).value() == "old");
  {
    auto now = must(environment->begin_read());
    BOOST_TEST(must(now.get(KeySpace::directory, "key")).value() == "old");
    BOOST_TEST(now.id() > last + 1);  // and so is the next: neither is taken for the old one's next
    BOOST_TEST(now.file_number() != snapshot->file_number());
  }
  put_one(*environment, "key", "new");
  BOOST_TEST(!note_of(*environment).has_value());
  BOOST_TEST(must(snapshot->get(KeySpace::directory, "key")).value() == "old");
  BOOST_TEST(open_file(folder.file()) == environment);
  struct stat status = {};
  BOOST_REQUIRE(stat(folder.file().c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0640);
  snapshot.reset();
  environment.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "new");
}

// What was derived from the numbers of the scratch file's transactions is in what is copied.
BOOST_AUTO_TEST_CASE(the_new_file_goes_on_beyond_the_numbers_of_the_scratch_file) {
  const Folder folder(fast_folder());
  auto environment = open_file(folder.file());
  for (const std::size_t size_bytes : {std::size_t{10}, std::size_t{2} << 20}) {
    auto replacement = must(Replacement::begin(environment));
    const std::uint64_t last = replacement->content().id();
    for (int i = 0; i < 20; ++i) {
      put_one(*replacement->scratch(), "key", std::string(size_bytes, 'x'));
    }
    const std::uint64_t scratch_last = replacement->scratch()->last_transaction_id();
    BOOST_TEST(scratch_last > last + 20);
    must(replacement->finish({}));
    BOOST_TEST(must(environment->begin_read()).id() > scratch_last);
    BOOST_TEST(get_one(*environment, "key").value().size() == size_bytes);
  }
}

BOOST_AUTO_TEST_CASE(other_processes_go_over_whatever_they_do_next) {
  const Folder folder(fast_folder());
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "old");
  Other reader(folder.file());
  Other writer(folder.file());
  Other sleeper(folder.file());
  reader.tell('s');
  for (int round = 0; round < 3; ++round) {
    must(replace(environment));
    put_one(*environment, "key", "new");
    reader.tell('r');
    writer.tell('w');
    BOOST_TEST(get_one(*environment, "other").value() == "was here");
    reader.tell('S');
    auto erased = must(environment->begin_write());
    BOOST_TEST(must(erased.erase(KeySpace::directory, "other")));
    must(erased.commit());
  }
  // It has the first file and no other.
  BOOST_TEST(sleeper.close() == 0);
  Holder newcomer(folder.file());
  reader.tell('d');
  reader.tell('w');
  BOOST_TEST(get_one(*environment, "other").value() == "was here");
  BOOST_TEST(newcomer.close() == 0);
  BOOST_TEST(reader.close() == 0);
  BOOST_TEST(writer.close() == 0);
  environment.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_writer_that_waits_for_its_turn_writes_into_the_new_file) {
  const Folder folder(fast_folder());
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "old");
  Other writer(folder.file());
  auto replacement = must(Replacement::begin(environment));
  must(copy_in_order(replacement->content(), *replacement->scratch(), {}));
  writer.start('w');  // comes now or later: it must wait or go over
  std::atomic<bool> written{false};
  std::thread here([&] {
    put_one(*environment, "here", "as well");
    written = true;
  });
  BOOST_TEST(!written);
  must(replacement->finish({}));
  here.join();
  writer.finish();
  BOOST_TEST(get_one(*environment, "other").value() == "was here");
  BOOST_TEST(get_one(*environment, "here").value() == "as well");
  BOOST_TEST(writer.close() == 0);
}

BOOST_AUTO_TEST_CASE(an_environment_opened_before_the_other_goes_over_shares_the_new_file) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "old");
  Child child([&] {
    auto own = Environment::open(folder.file(), {});
    CHILD_CHECK(1, own);
    must(replace(*own));
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  auto second = open_file(folder.file());
  put_one(*second, "key", "new");
  BOOST_TEST(get_one(*environment, "key").value() == "new");
  put_one(*environment, "key", "newer");
  BOOST_TEST(get_one(*second, "key").value() == "newer");
  second.reset();
  BOOST_TEST(get_one(*environment, "key").value() == "newer");
}

BOOST_AUTO_TEST_CASE(a_reader_that_opened_read_only_goes_over) {
  const Folder folder;
  { put_one(*open_file(folder.file()), "key", "old"); }
  OpenOptions options;
  options.read_only = true;
  auto reader = open_file(folder.file(), options);
  BOOST_TEST(get_one(*reader, "key").value() == "old");
  Child child([&] {
    auto own = Environment::open(folder.file(), {});
    CHILD_CHECK(1, own);
    must(replace(*own));
    put_one(**own, "key", "new");
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(get_one(*reader, "key").value() == "new");
}

BOOST_AUTO_TEST_CASE(one_that_is_given_up_leaves_everything_as_it_was) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "old");
  const ino_t before = inode_of(folder.file());
  const auto unchanged = [&] {
    BOOST_TEST(inode_of(folder.file()) == before);
    BOOST_TEST(folder.names().size() == 2);  // with the lock file
    put_one(*environment, "key", "old");
    BOOST_TEST(!note_of(*environment).has_value());
  };
  must(Replacement::begin(environment)).reset();
  unchanged();
  const Status cancelled = replace(environment, [](std::uint64_t) { return true; });
  BOOST_TEST((cancelled.error().code == Code::cancelled));
  unchanged();
  for (const Point point : {Point::replacement_written, Point::replacement_announced}) {
    testing::fail(point, 1, ENOSPC);
    const Status failed = replace(environment);
    BOOST_TEST((failed.error().code == Code::disk_full));
    unchanged();
  }
  testing::fail(Point::put, 3, ENOSPC);
  BOOST_TEST((replace(environment).error().code == Code::disk_full));
  unchanged();
}

BOOST_AUTO_TEST_CASE(it_is_refused_where_the_old_file_would_stay_or_is_gone) {
  const Folder folder;
  auto environment = open_file(folder.file());
  std::filesystem::create_hard_link(folder.file(), folder.file("hard.tl"));
  BOOST_TEST((replace(environment).error().code == Code::unsupported));
  BOOST_REQUIRE(unlink(folder.file("hard.tl").c_str()) == 0);
  BOOST_REQUIRE(rename(folder.file().c_str(), folder.file("b.tl").c_str()) == 0);
  BOOST_TEST((replace(environment).error().code == Code::not_found));
  BOOST_REQUIRE(rename(folder.file("b.tl").c_str(), folder.file().c_str()) == 0);
  must(replace(environment));
}

BOOST_AUTO_TEST_CASE(a_child_forked_meanwhile_opens_what_is_in_place_and_disturbs_nothing) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "old");
  auto replacement = must(Replacement::begin(environment));
  must(copy_in_order(replacement->content(), *replacement->scratch(), {}));
  Line told;
  Line said;
  Child child([&] {
    told.close_writing();
    replacement.reset();
    CHILD_CHECK(1, environment->begin_read().error().code == Code::forked);
    auto own = Environment::open(folder.file(), {});
    CHILD_CHECK(2, own);
    CHILD_CHECK(3, get_one(**own, "key") == "old");
    said.send('o');
    (void)told.receive();
    CHILD_CHECK(4, get_one(**own, "key") == "new");
    return 0;
  });
  told.close_reading();
  said.close_writing();
  BOOST_REQUIRE(said.receive() == 'o');
  must(replacement->finish({}));
  replacement.reset();
  put_one(*environment, "key", "new");
  told.close_writing();
  BOOST_TEST(child.wait() == 0);
}

// Killed at every step, with and without others who have the file open.
BOOST_AUTO_TEST_CASE(one_that_is_killed_anywhere_leaves_a_file_with_everything_in_it) {
  const Point points[] = {Point::commit,
                          Point::replacement_written,
                          Point::replacement_announced,
                          Point::replacement_renamed,
                          Point::replacement_unlocked,
                          Point::replacement_synced};
  for (const Point point : points) {
    for (const bool with_others : {false, true}) {
      BOOST_TEST_CONTEXT("point " << static_cast<int>(point) << (with_others ? ", others" : "")) {
        const Folder folder(fast_folder());
        { put_one(*open_file(folder.file()), "key", "old"); }
        std::optional<Other> snapshot;
        std::optional<Other> writer;
        if (with_others) {
          snapshot.emplace(folder.file());
          writer.emplace(folder.file());
          snapshot->tell('s');
        }
        Child compactor([&] {
          auto own = Environment::open(folder.file(), {});
          CHILD_CHECK(1, own);
          testing::fail(point, 1, testing::kKillHere);
          must(replace(*own));
          return 0;
        });
        BOOST_TEST(compactor.wait() == -SIGKILL);
        if (with_others) snapshot->tell('R');
        check_file(folder.file(), "old");
        if (with_others) writer->tell('w');
        {
          auto environment = open_file(folder.file());
          if (with_others) BOOST_TEST(get_one(*environment, "other").value() == "was here");
          put_one(*environment, "key", "new");
          if (with_others) snapshot->tell('r');
          if (with_others) snapshot->tell('S');
          must(replace(environment));
        }
        if (with_others) BOOST_TEST(snapshot->close() == 0);
        if (with_others) BOOST_TEST(writer->close() == 0);
        check_file(folder.file(), "new");
        BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_mark_on_the_file_in_place_is_cleared_by_the_next_to_open_it) {
  const Folder folder;
  { put_one(*open_file(folder.file()), "key", "old"); }
  Child compactor([&] {
    auto own = Environment::open(folder.file(), {});
    CHILD_CHECK(1, own);
    testing::fail(Point::replacement_announced, 1, testing::kKillHere);
    must(replace(*own));
    return 0;
  });
  BOOST_TEST(compactor.wait() == -SIGKILL);
  BOOST_TEST(folder.names().size() > 1);  // what it has left
  auto environment = open_file(folder.file());
  BOOST_TEST(!note_of(*environment).has_value());
  environment.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

// One process reads and one writes all the time; the third replaces the file again and again.
BOOST_AUTO_TEST_CASE(nothing_is_lost_or_stale_while_it_is_replaced_again_and_again) {
  const Folder folder(fast_folder());
  auto environment = open_file(folder.file());
  put_one(*environment, "count", "0");
  Line stop;
  const auto number = [](Environment& file) { return std::stoul(get_one(file, "count").value()); };
  const auto count_up = [&](Environment& file) {
    auto transaction = must(file.begin_write());
    const auto seen = must(transaction.get(KeySpace::directory, "count"));
    const unsigned long next = std::stoul(std::string(*seen)) + 1;
    must(transaction.put(KeySpace::directory, "count", std::to_string(next)));
    must(transaction.commit());
  };
  Line said;
  Child writer([&] {
    stop.close_writing();
    fcntl(stop.reading(), F_SETFL, O_NONBLOCK);
    auto own = Environment::open(folder.file(), {});
    CHILD_CHECK(1, own);
    unsigned long mine = 0;
    char byte = 0;
    while (read(stop.reading(), &byte, 1) != 0) {
      count_up(**own);
      ++mine;
    }
    CHILD_CHECK(2, write(said.writing(), &mine, sizeof mine) == sizeof mine);
    return 0;
  });
  Child reader([&] {
    stop.close_writing();
    fcntl(stop.reading(), F_SETFL, O_NONBLOCK);
    auto own = Environment::open(folder.file(), {});
    CHILD_CHECK(1, own);
    unsigned long last = 0;
    char byte = 0;
    while (read(stop.reading(), &byte, 1) != 0) {
      const unsigned long now = number(**own);
      CHILD_CHECK(2, now >= last);
      last = now;
    }
    return 0;
  });
  stop.close_reading();
  unsigned long mine = 0;
  unsigned long last = 0;
  for (int round = 0; round < 30; ++round) {
    must(replace(environment));
    count_up(*environment);
    ++mine;
    BOOST_TEST(number(*environment) > last);
    last = number(*environment);
  }
  stop.close_writing();
  BOOST_TEST(writer.wait() == 0);
  BOOST_TEST(reader.wait() == 0);
  unsigned long of_writer = 0;
  BOOST_REQUIRE(read(said.reading(), &of_writer, sizeof of_writer) == sizeof of_writer);
  BOOST_TEST(number(*environment) == mine + of_writer);
  BOOST_TEST_MESSAGE(of_writer << " commits of the other process");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(backing_up)

BOOST_AUTO_TEST_CASE(a_backup_has_what_was_committed_and_is_a_file_of_its_own) {
  const Folder folder(fast_folder());
  auto environment = open_file(folder.file());
  const std::string large(3'000, 'x');
  for (int i = 0; i < 300; ++i) put_one(*environment, "key" + std::to_string(i % 100), large);
  must(back_up(environment, folder.file("backup.tl"), {}));
  put_one(*environment, "key1", "later");
  struct stat status = {};
  BOOST_REQUIRE(stat(folder.file("backup.tl").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0600);
  auto backup = open_file(folder.file("backup.tl"));
  BOOST_TEST(get_one(*backup, "key1").value() == large);
  BOOST_TEST(must(backup->file_size_bytes()) < must(environment->file_size_bytes()));
  put_one(*backup, "key2", "own");
  BOOST_TEST(get_one(*environment, "key2").value() == large);
}

BOOST_AUTO_TEST_CASE(a_backup_goes_over_nothing_and_leaves_nothing_behind_when_it_fails) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "value");
  write_file(folder.file("there"), "mine");
  BOOST_TEST((back_up(environment, folder.file("there"), {}).error().code == Code::invalid));
  BOOST_TEST(read_file(folder.file("there")) == "mine");
  BOOST_TEST((back_up(environment, folder.file(), {}).error().code == Code::invalid));
  const auto names = folder.names();
  const auto cancel = [](std::uint64_t) { return true; };
  BOOST_TEST((back_up(environment, folder.file("b"), cancel).error().code == Code::cancelled));
  testing::fail(testing::Point::put, 1, ENOSPC);
  BOOST_TEST((back_up(environment, folder.file("b"), {}).error().code == Code::disk_full));
  BOOST_TEST((back_up(environment, folder.file("no/b"), {}).error().code == Code::not_found));
  BOOST_TEST(folder.names() == names, boost::test_tools::per_element());
  write_file(folder.file("b-backup-part"), "of a killed process");
  must(back_up(environment, folder.file("b"), {}));
  BOOST_TEST(folder.names().size() == names.size() + 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
