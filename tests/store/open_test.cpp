// Opening and closing: what is there afterwards, and who shares what with whom.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "helpers.hpp"

namespace tracelite::store::test {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat status = {};
  BOOST_REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(opening)

BOOST_AUTO_TEST_CASE(a_new_file_belongs_to_its_user_alone) {
  const Folder folder;
  const mode_t before = umask(0);
  auto environment = open_file(folder.file());
  umask(before);
  BOOST_TEST(mode_of(folder.file()) == 0600);
  BOOST_TEST(mode_of(folder.file() + "-lock") == 0600);
  BOOST_TEST(environment->writable());
  BOOST_TEST(environment->opened_alone());
  BOOST_TEST(environment->path() == folder.file());
  BOOST_TEST(must(environment->file_size_bytes()) == std::filesystem::file_size(folder.file()));
}

BOOST_AUTO_TEST_CASE(only_the_data_file_is_left_after_the_last_close) {
  const Folder folder;
  auto first = open_file(folder.file());
  auto second = open_file(folder.file());
  first.reset();
  BOOST_TEST(folder.names().size() == 2);
  put_one(*second, "key", "value");
  second.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

// Or what the program writes to these would go over it.
BOOST_AUTO_TEST_CASE(a_file_never_becomes_what_the_program_writes_to) {
  const Folder folder;
  open_file(folder.file()).reset();
  Child child([&] {
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(standard);
    for (const std::string& path : {folder.file(), folder.file("new.tl")}) {
      auto opened = Environment::open(path, {});
      if (!opened) return 1;
      for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        struct stat status = {};
        if (fstat(standard, &status) != 0 || S_ISREG(status.st_mode)) return 2;
        if (write(standard, "x", 1) == 1) return 3;
      }
    }
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_transaction_keeps_the_file_open) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "value");
  std::optional<ReadTransaction> transaction(must(environment->begin_read()));
  environment.reset();
  BOOST_TEST(must(transaction->get(KeySpace::directory, "key")).value() == "value");
  BOOST_TEST(folder.names().size() == 2);
  transaction.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_last_of_two_processes_removes_the_lock_file) {
  const Folder folder;
  Holder holder(folder.file());
  auto environment = open_file(folder.file());
  BOOST_TEST(!environment->opened_alone());
  environment.reset();
  BOOST_TEST(folder.names().size() == 2);
  BOOST_TEST(holder.close() == 0);
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_killed_process_leaves_nothing_that_the_next_does_not_clean) {
  const Folder folder;
  Holder(folder.file()).kill();
  BOOST_TEST(folder.names().size() == 2);
  auto environment = open_file(folder.file());
  BOOST_TEST(environment->opened_alone());
  put_one(*environment, "key", "value");
  environment.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_stale_lock_file_with_nonsense_in_it_does_no_harm) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  write_file(folder.file() + "-lock", std::string(10'000, 'z'));
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "value");
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_process_shares_one_environment_whatever_the_name) {
  const Folder folder;
  auto environment = open_file(folder.file());
  std::filesystem::create_symlink("a.tl", folder.file("link.tl"));
  std::filesystem::create_directory(folder.file("sub"));
  std::filesystem::create_hard_link(folder.file(), folder.file("sub/hard.tl"));
  BOOST_TEST(open_file(folder.file()) == environment);
  BOOST_TEST(open_file(folder.file("link.tl")) == environment);
  BOOST_TEST(open_file(folder.file("sub/../a.tl")) == environment);
  BOOST_TEST(open_file(folder.file("sub/hard.tl")) == environment);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  BOOST_TEST(open_file("a.tl") == environment);
  BOOST_TEST(open_file("./link.tl") == environment);
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder.file("sub"));
  environment.reset();
  BOOST_TEST(folder.names().size() == 2);  // the file and the link
}

BOOST_AUTO_TEST_CASE(a_link_leads_to_the_lock_file_of_the_real_file) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  std::filesystem::create_symlink("a.tl", folder.file("link.tl"));
  Holder holder(folder.file());
  auto environment = open_file(folder.file("link.tl"));
  BOOST_TEST(environment->path() == folder.file());
  BOOST_TEST(!std::filesystem::exists(folder.file("link.tl-lock")));
  BOOST_TEST(get_one(*environment, "key").value() == "value");
  BOOST_TEST(holder.close() == 0);
}

BOOST_AUTO_TEST_CASE(a_relative_path_without_a_folder_works) {
  const Folder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  open_file("a.tl").reset();
  std::filesystem::current_path(before);
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

// Two environments of one file in one process would drop each other's locks without a word.
BOOST_AUTO_TEST_CASE(threads_that_open_and_close_at_once_never_have_two) {
  const Folder folder;
  open_file(folder.file()).reset();
  constexpr int kRounds = 60;
  std::atomic<int> failures{0};
  const auto work = [&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      auto first = Environment::open(folder.file(), {});
      auto second = Environment::open(folder.file(), {});
      if (!first || !second || first.value() != second.value()) {
        ++failures;
        continue;
      }
      auto transaction = first.value()->begin_write();
      if (!transaction ||
          !transaction->put(KeySpace::directory, std::to_string(thread * kRounds + round), "v") ||
          !transaction->commit()) {
        ++failures;
      }
    }
  };
  std::thread one(work, 0);
  std::thread two(work, 1);
  one.join();
  two.join();
  BOOST_TEST(failures == 0);
  auto environment = open_file(folder.file());
  BOOST_TEST(must(must(environment->begin_read()).statistics(KeySpace::directory)).entries ==
             2 * kRounds);
  environment.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(processes_that_open_and_close_at_once_lose_nothing) {
  const Folder folder;
  constexpr int kRounds = 40;
  std::vector<std::unique_ptr<Child>> children;
  for (int process = 0; process < 3; ++process) {
    children.push_back(std::make_unique<Child>([&folder, process] {
      for (int round = 0; round < kRounds; ++round) {
        auto opened = Environment::open(folder.file(), {});
        if (!opened) std::fprintf(stderr, "%s\n", opened.error().message.c_str());
        CHILD_CHECK(1, opened);
        auto transaction = opened.value()->begin_write();
        CHILD_CHECK(2, transaction);
        const std::string key = std::to_string(process * kRounds + round);
        CHILD_CHECK(3, transaction->put(KeySpace::directory, key, "v"));
        CHILD_CHECK(4, transaction->commit());
      }
      return 0;
    }));
  }
  for (auto& child : children) BOOST_TEST(child->wait() == 0);
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
  auto environment = open_file(folder.file());
  BOOST_TEST(must(must(environment->begin_read()).statistics(KeySpace::directory)).entries ==
             3 * kRounds);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_replaced_while_open_gets_an_environment_of_its_own) {
  const Folder folder;
  auto old = open_file(folder.file());
  put_one(*old, "key", "old");
  BOOST_REQUIRE(rename(folder.file().c_str(), folder.file("old.tl").c_str()) == 0);
  auto fresh = open_error(folder.file());  // the old one's lock file is in the way
  BOOST_TEST((fresh.code == Code::busy));
  old.reset();
  put_one(*open_file(folder.file()), "key", "new");
  BOOST_TEST(get_one(*open_file(folder.file("old.tl")), "key").value() == "old");
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "new");
}

BOOST_AUTO_TEST_CASE(read_only_neither_creates_nor_fills) {
  const Folder folder;
  const OpenOptions read_only{.read_only = true};
  BOOST_TEST((open_error(folder.file(), read_only).code == Code::not_found));
  BOOST_TEST(folder.names() == kNothing, boost::test_tools::per_element());
  write_file(folder.file(), "");
  BOOST_TEST((open_error(folder.file(), read_only).code == Code::not_tracelite));
  BOOST_TEST(std::filesystem::file_size(folder.file()) == 0);
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
  put_one(*open_file(folder.file()), "key", "value");
  BOOST_TEST(get_one(*open_file(folder.file(), read_only), "key").value() == "value");
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_a_new_one) {
  const Folder folder;
  write_file(folder.file(), "");
  put_one(*open_file(folder.file()), "key", "value");
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "value");
}

BOOST_AUTO_TEST_CASE(a_creation_that_was_cut_off_is_made_good) {
  const Folder folder;
  open_file(folder.file()).reset();
  // The two heads as LMDB writes them first: transaction 0, no trees.
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::string heads = read_file(folder.file()).substr(0, 2 * page);
  for (const std::size_t start : {std::size_t{0}, page}) {
    std::fill_n(heads.begin() + static_cast<std::ptrdiff_t>(start + 80), 8, '\xff');
    std::fill_n(heads.begin() + static_cast<std::ptrdiff_t>(start + 128), 8, '\xff');
    std::fill_n(heads.begin() + static_cast<std::ptrdiff_t>(start + 136), 16, '\0');
    heads[start + 136] = 1;
  }
  const std::string zeros(page, '\0');
  const std::vector<std::string> states = {
      heads, heads.substr(0, page), heads.substr(0, page) + zeros, zeros + heads.substr(page),
      zeros, zeros + zeros};
  for (const std::string& state : states) {
    write_file(folder.file(), state);
    put_one(*open_file(folder.file()), "key", "value");
    BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "value");
  }
}

BOOST_AUTO_TEST_CASE(paths_that_cannot_be_are_refused_with_a_reason) {
  const Folder folder;
  BOOST_TEST((open_error("").code == Code::invalid));
  BOOST_TEST((open_error(std::string("a\0b", 3)).code == Code::invalid));
  BOOST_TEST((open_error(folder.file("absent/a.tl")).code == Code::not_found));
  BOOST_TEST((open_error(folder.file("a.tl/")).code == Code::not_found));
  BOOST_TEST((open_error(folder.file(std::string(300, 'x'))).code == Code::invalid));
  write_file(folder.file("plain"), "x");
  BOOST_TEST((open_error(folder.file("plain/a.tl")).code == Code::not_found));
  std::filesystem::create_symlink("nowhere", folder.file("dangling"));
  BOOST_TEST(open_error(folder.file("dangling")).message.find("symbolic link to nothing") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_process_stuck_at_the_door_is_not_waited_for_for_ever) {
  const Folder folder;
  open_file(folder.file()).reset();
  const int descriptor = ::open(folder.file().c_str(), O_RDONLY | O_CLOEXEC);
  BOOST_REQUIRE(flock(descriptor, LOCK_EX) == 0);
  const Error error = open_error(folder.file(), {.door_patience = std::chrono::milliseconds(30)});
  BOOST_TEST((error.code == Code::busy));
  close(descriptor);
  open_file(folder.file()).reset();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
