// The verifier of pages: what it accepts, and that it finds each damage that is planted, with all
// checksums right.
#include "store/page_verifier.hpp"

#include <fcntl.h>
#include <lmdb.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <random>

#include "crafted_files.hpp"
#include "helpers.hpp"
#include "page_image.hpp"
#include "store/file_header.hpp"

namespace tracelite::store::test {
namespace {

using layout::Meta;
using layout::Node;
using layout::PageHeader;
using layout::Tree;

constexpr KeySpace kSpace = KeySpace::directory;  // with branch pages and long values

std::string number_key(int i) {
  std::string key;
  append_big_endian(key, static_cast<std::uint32_t>(i));
  return key;
}

// Trees of all shapes: empty ones, one leaf, branches, long values; and a list of free pages.
std::string sample(const Folder& folder) {
  auto environment = open_file(folder.file("sample.tl"));
  {
    auto transaction = must(environment->begin_write());
    for (int i = 0; i < 400; ++i) {
      must(transaction.put(kSpace, number_key(i), std::string(100 + i % 50, 'v')));
    }
    for (int i = 0; i < 3; ++i) {
      must(transaction.put(kSpace, "long" + number_key(i), std::string(9'000, 'l')));
    }
    must(transaction.put(KeySpace::media, "one", "value"));
    must(transaction.commit());
  }
  for (int i = 0; i < 30; i += 3) {
    auto transaction = must(environment->begin_write());
    must(transaction.erase(kSpace, number_key(i)));
    must(transaction.commit());
  }
  environment.reset();
  return read_file(folder.file("sample.tl"));
}

struct Found {
  bool is_sound = true;
  std::vector<std::string> findings;  // "where: message"
  Error first;                        // without taking findings
};

Found look_through(const Folder& folder, const std::string& content) {
  const std::string path = folder.file("looked-through.tl");
  write_file(path, content);
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  BOOST_REQUIRE(descriptor >= 0);
  Found found;
  const auto head = must(store::read_head(descriptor, path, std::nullopt));
  const auto finding = [&](Bytes where, Bytes message) {
    found.findings.push_back(std::string(where) + ": " + std::string(message));
  };
  const auto sound = verify_pages(descriptor, path, *head, finding, {});
  if (sound) {
    found.is_sound = *sound;
  } else {
    found.is_sound = false;
    found.findings.push_back(sound.error().message);
  }
  const auto first = verify_pages(descriptor, path, *head, {}, {});
  if (!first) found.first = first.error();
  close(descriptor);
  return found;
}

// By the verifier, in these words, and by whoever opens it.
void check_refused(const Folder& folder, const std::string& content, const std::string& words) {
  const Found found = look_through(folder, content);
  BOOST_TEST(!found.is_sound);
  BOOST_REQUIRE(!found.findings.empty());
  const bool says_so = std::ranges::any_of(found.findings, [&](const std::string& message) {
    return message.find(words) != std::string::npos;
  });
  BOOST_TEST(says_so, found.findings.front() << " lacks: " << words);
  BOOST_TEST((found.first.code == Code::corrupt), found.first.message);
  write_file(folder.file(), content);
  for (const bool read_only : {false, true}) {
    const Error error = open_error(folder.file(), {.read_only = read_only, .untrusted = true});
    BOOST_TEST((error.code == Code::corrupt), error.message);
  }
  BOOST_TEST((read_file(folder.file()) == content));
}
void check_found(const std::string& words, const std::function<void(PageImage&)>& change) {
  const Folder folder;
  PageImage image(sample(folder));
  change(image);
  check_refused(folder, image.content(), words);
}

void change_tree(PageImage& image, const std::function<void(Tree&)>& change) {
  Tree tree = image.tree(kSpace);
  change(tree);
  image.set_tree(kSpace, tree);
}
void change_head(PageImage& image, const std::function<void(Meta&)>& change) {
  Meta head = image.head();
  change(head);
  image.set_head(head);
}
std::uint64_t branch_of(const PageImage& image) { return image.leftmost(image.tree(kSpace))[0]; }
std::uint64_t leaf_of(const PageImage& image) { return image.leftmost(image.tree(kSpace)).back(); }

void change_header(PageImage& image, std::uint64_t page,
                   const std::function<void(PageHeader&)>& change) {
  PageHeader header = image.header(page);
  change(header);
  image.set_header(page, header);
}
void change_node(PageImage& image, std::uint64_t page, std::size_t index,
                 const std::function<void(Node&)>& change) {
  Node node = image.node(page, index);
  change(node);
  image.put(image.node_at(page, index), node);
}

// The last entry of the tree, which has a long value: its leaf and its place there.
std::pair<std::uint64_t, std::size_t> long_entry(const PageImage& image) {
  std::uint64_t page = image.tree(kSpace).root;
  for (int i = 1; i < image.tree(kSpace).depth; ++i) {
    page = layout::child_of(image.node(page, image.count(page) - 1));
  }
  const std::size_t last = image.count(page) - 1;
  BOOST_REQUIRE(image.node(page, last).flags == layout::kOverflowNode);
  return {page, last};
}
std::uint64_t long_run(const PageImage& image) {
  const auto [page, index] = long_entry(image);
  return image.at<std::uint64_t>(image.value_at(page, index));
}
// The list of free pages that has most of them: where it begins in the file.
std::size_t free_list(const PageImage& image) {
  const std::uint64_t leaf = image.leftmost(image.head().free_pages).back();
  std::size_t best = image.value_at(leaf, 0);
  for (std::size_t i = 0; i < image.count(leaf); ++i) {
    const std::size_t list = image.value_at(leaf, i);
    if (image.at<std::uint64_t>(list) > image.at<std::uint64_t>(best)) best = list;
  }
  BOOST_REQUIRE(image.at<std::uint64_t>(best) >= 2U);
  return best;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(page_verifier)

BOOST_AUTO_TEST_CASE(a_sound_file_has_no_findings) {
  const Folder folder;
  const std::string content = sample(folder);
  const PageImage image(content);
  BOOST_TEST(image.tree(kSpace).depth == 2);
  BOOST_TEST(image.tree(kSpace).overflow_pages > 0U);
  const Found found = look_through(folder, content);
  BOOST_TEST(found.is_sound);
  BOOST_TEST(found.findings.empty(), boost::test_tools::per_element());
  BOOST_TEST(found.first.message.empty(), found.first.message);
}

// Whatever LMDB makes of random work is accepted, and no page is lost.
BOOST_AUTO_TEST_CASE(what_lmdb_writes_is_sound) {
  const Folder folder(fast_folder());
  std::mt19937_64 random(random_seed());
  const bool at_length = std::getenv("TL_TORTURE") != nullptr;
  int commits = 0;
  for (int file = 0; file < (at_length ? 40 : 4); ++file) {
    const std::string path = folder.file(std::to_string(file));
    auto environment = open_file(path);
    std::optional<ReadTransaction> reader;
    for (int commit = 0; commit < 150; ++commit, ++commits) {
      auto transaction = must(environment->begin_write());
      const bool grows = random() % 3 != 0;
      const int puts = static_cast<int>(random() % (random() % 20 == 0 ? 600 : 30));
      for (int i = 0; i < puts; ++i) {
        const auto space = random() % 2 == 0 ? KeySpace::media : KeySpace::payload;
        std::string key = number_key(static_cast<int>(random() % 2'000));
        if (random() % 4 == 0) key.append(random() % 500, 'k');
        const std::size_t size = random() % 8 == 0   ? random() % 40'000
                                 : random() % 3 == 0 ? random() % 3'000
                                                     : random() % 100;
        if (grows) {
          must(transaction.put(space, key, std::string(size, 'v')));
        } else {
          Cursor cursor = transaction.key_cursor(space);
          if (must(cursor.seek(key))) key = cursor.key();
          must(transaction.erase(space, key));
        }
      }
      if (random() % 100 == 0) must(transaction.clear(KeySpace::media));
      if (random() % 20 == 0) continue;  // dropped
      must(transaction.commit());
      if (random() % 10 == 0) reader.reset();
      if (random() % 10 == 0) reader = must(environment->begin_read());
      if (commit % 10 != 0) continue;
      const auto finding = [](Bytes where, Bytes message) {
        BOOST_ERROR(std::string(where) << ": " << std::string(message));
      };
      BOOST_REQUIRE(must(begin_verified_read(environment, finding, {})).has_value());
    }
    reader.reset();
    environment.reset();
    open_file(path, {.untrusted = true});
  }
  std::cout << "cases tried: " << commits << " commits of LMDB's\n";
}

BOOST_AUTO_TEST_CASE(a_long_value_may_lie_on_the_last_page) {
  const Folder folder(fast_folder());
  auto environment = open_file(folder.file());
  for (int i = 0; i < 20; ++i) {
    put_one(*environment, number_key(i), std::string(3'000, 'v'));
    BOOST_TEST(must(begin_verified_read(environment, {}, {})).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_value_is_found_and_leaves_the_trees_sound) {
  const Folder folder;
  for (const bool is_long : {false, true}) {
    PageImage image(sample(folder));
    const std::size_t at =
        is_long ? image.start_of(long_run(image) + 1) : image.value_at(leaf_of(image), 1);
    image.put(at, static_cast<char>(image.at<char>(at) ^ 1));
    const Found found = look_through(folder, image.content());
    BOOST_TEST(found.is_sound);
    BOOST_REQUIRE(found.findings.size() == 1U);
    BOOST_TEST(found.findings[0].find("does not match its checksum") != std::string::npos,
               found.findings[0]);
    write_file(folder.file(), image.content());
    BOOST_TEST((open_error(folder.file(), {.untrusted = true}).code == Code::corrupt));
    unlink(folder.file("sample.tl").c_str());
  }
}

BOOST_AUTO_TEST_CASE(a_changed_key_is_found) {
  const Folder folder;
  PageImage image(sample(folder));
  const std::size_t at = image.key_at(leaf_of(image), image.count(leaf_of(image)) / 2) + 1;
  image.put(at, static_cast<char>(image.at<char>(at) ^ 1));
  BOOST_TEST(!look_through(folder, image.content()).findings.empty());
}

BOOST_AUTO_TEST_CASE(a_page_that_is_neither_used_nor_free_is_told_but_does_no_harm) {
  const Folder folder;
  PageImage image(sample(folder));
  const std::size_t list = free_list(image);
  image.put(list, image.at<std::uint64_t>(list) - 1);
  const Found found = look_through(folder, image.content());
  BOOST_TEST(found.is_sound);
  BOOST_REQUIRE(found.findings.size() == 1U);
  BOOST_TEST(found.findings[0].find("1 pages that are neither") != std::string::npos);
  BOOST_TEST(found.first.message.empty());
}

BOOST_AUTO_TEST_CASE(flags_of_the_trees_in_the_head_are_looked_at) {
  check_found("flags", [](PageImage& image) {
    change_head(image, [](Meta& head) { head.main.flags = 0x04; });
  });
  check_found("flags", [](PageImage& image) {
    change_head(image, [](Meta& head) { head.free_pages.flags = 0; });
  });
  check_found("flags", [](PageImage& image) {  // MDB_FIXEDMAP
    change_head(image, [](Meta& head) { head.free_pages.flags |= 0x01; });
  });
}

BOOST_AUTO_TEST_CASE(a_depth_that_is_not_the_trees_is_found) {
  check_found("flags",
              [](PageImage& image) { change_tree(image, [](Tree& tree) { tree.depth = 3; }); });
  check_found("flags",
              [](PageImage& image) { change_tree(image, [](Tree& tree) { tree.depth = 1; }); });
  check_found("depth",
              [](PageImage& image) { change_tree(image, [](Tree& tree) { tree.depth = 0; }); });
  check_found("depth",
              [](PageImage& image) { change_tree(image, [](Tree& tree) { tree.depth = 33; }); });
  check_found("depth", [](PageImage& image) {
    change_tree(image, [](Tree& tree) { tree.root = layout::kNoPage; });
  });
}

BOOST_AUTO_TEST_CASE(counts_that_are_not_the_trees_are_found) {
  check_found("entries",
              [](PageImage& image) { change_tree(image, [](Tree& t) { ++t.entries; }); });
  check_found("leaf pages",
              [](PageImage& image) { change_tree(image, [](Tree& t) { --t.leaf_pages; }); });
  check_found("branch pages",
              [](PageImage& image) { change_tree(image, [](Tree& t) { ++t.branch_pages; }); });
  check_found("pages of long values",
              [](PageImage& image) { change_tree(image, [](Tree& t) { t.overflow_pages = 0; }); });
}

BOOST_AUTO_TEST_CASE(a_page_that_is_not_what_it_should_be_is_found) {
  check_found("says that it is page", [](PageImage& image) {
    change_header(image, leaf_of(image), [](PageHeader& header) { ++header.number; });
  });
  for (const int number : {0x01, 0x04, 0x08, 0x12, 0x22, 0x42, 0x4002, 0x8002, 0}) {
    const auto flags = static_cast<std::uint16_t>(number);
    check_found("where a leaf is expected", [flags](PageImage& image) {
      change_header(image, leaf_of(image), [flags](PageHeader& header) { header.flags = flags; });
    });
  }
}

BOOST_AUTO_TEST_CASE(a_page_that_is_used_twice_is_found) {
  check_found("has two uses", [](PageImage& image) {  // a child that is its own parent
    const std::uint64_t branch = branch_of(image);
    change_node(image, branch, 1,
                [branch](Node& node) { node.low = static_cast<std::uint16_t>(branch); });
  });
  check_found("has two uses", [](PageImage& image) {
    const Tree tree = image.tree(KeySpace::media);
    image.set_tree(KeySpace::dictionary, tree);
  });
  check_found("has two uses", [](PageImage& image) {  // a free page that is in use
    const std::uint64_t leaf = leaf_of(image);
    const std::size_t list = free_list(image);
    image.put(list, std::uint64_t{1});
    image.put(list + 8, leaf);
  });
}

BOOST_AUTO_TEST_CASE(a_page_beyond_the_file_is_found) {
  check_found("it refers to", [](PageImage& image) {
    change_tree(image, [](Tree& tree) { tree.root = 1'000'000; });
  });
  check_found("it refers to", [](PageImage& image) {  // a head
    change_tree(image, [](Tree& tree) { tree.root = 1; });
  });
  check_found("it refers to", [](PageImage& image) {
    const auto [page, index] = long_entry(image);
    image.put(image.value_at(page, index), std::uint64_t{1} << 60);
  });
  check_found("it refers to", [](PageImage& image) {
    const std::uint64_t run = long_run(image);
    change_header(image, run, [](PageHeader& header) { header.upper = 0x7fff; });
  });
}

BOOST_AUTO_TEST_CASE(a_run_that_is_too_short_for_its_value_is_found) {
  check_found("begins a run of 2 pages", [](PageImage& image) {
    change_header(image, long_run(image), [](PageHeader& header) { header.lower = 2; });
  });
  check_found("begins a run of 3 pages", [](PageImage& image) {
    const auto [page, index] = long_entry(image);
    change_node(image, page, index, [](Node& node) { node.high = 0x100; });
  });
  check_found("does not begin a long value", [](PageImage& image) {
    change_header(image, long_run(image), [](PageHeader& header) { header.flags = 0x14; });
  });
  check_found("does not begin a long value", [](PageImage& image) {
    change_header(image, long_run(image), [](PageHeader& header) { header.number = 2; });
  });
}

BOOST_AUTO_TEST_CASE(slots_and_nodes_outside_of_their_page_are_found) {
  for (const auto& [lower, upper] : std::initializer_list<std::pair<int, int>>{
           {0, 4096}, {15, 4000}, {17, 4000}, {4000, 3000}, {16, 0xffff}, {0xffff, 0xffff}}) {
    check_found("has its free space", [lower = lower, upper = upper](PageImage& image) {
      change_header(image, leaf_of(image), [&](PageHeader& header) {
        header.lower = static_cast<std::uint16_t>(lower);
        header.upper = static_cast<std::uint16_t>(upper);
      });
    });
  }
  for (const int offset : {0, 1, 4094, 0xffff}) {
    check_found("has an entry at byte", [offset](PageImage& image) {
      image.put(image.slot_at(leaf_of(image), 3), static_cast<std::uint16_t>(offset));
    });
  }
  check_found("has an entry at byte", [](PageImage& image) {  // two slots with the same node
    const std::uint64_t leaf = leaf_of(image);
    image.put(image.slot_at(leaf, 3), image.at<std::uint16_t>(image.slot_at(leaf, 2)));
  });
  check_found("has an entry", [](PageImage& image) {
    change_node(image, leaf_of(image), 3, [](Node& node) { node.low = 0xffff; });
  });
  check_found("has an entry", [](PageImage& image) {
    change_node(image, leaf_of(image), 3, [](Node& node) { node.low += 2; });
  });
  check_found("has a key of 512 bytes", [](PageImage& image) {
    change_node(image, leaf_of(image), 3, [](Node& node) { node.key_size_bytes = 512; });
  });
  check_found("has 0 entries", [](PageImage& image) {
    change_header(image, leaf_of(image), [](PageHeader& header) { header.lower = 16; });
  });
  check_found("has 1 entries", [](PageImage& image) {
    change_header(image, branch_of(image), [](PageHeader& header) { header.lower = 18; });
  });
}

BOOST_AUTO_TEST_CASE(a_key_that_does_not_belong_there_is_found) {
  check_found("do not ascend", [](PageImage& image) {
    const std::uint64_t leaf = leaf_of(image);
    const auto first = image.at<std::uint16_t>(image.slot_at(leaf, 2));
    image.put(image.slot_at(leaf, 2), image.at<std::uint16_t>(image.slot_at(leaf, 3)));
    image.put(image.slot_at(leaf, 3), first);
  });
  check_found("belong into another page", [](PageImage& image) {  // two children change places
    const std::uint64_t branch = branch_of(image);
    const Node first = image.node(branch, 0);
    const Node second = image.node(branch, 1);
    change_node(image, branch, 0, [&](Node& node) {
      node.low = second.low;
      node.high = second.high;
    });
    change_node(image, branch, 1, [&](Node& node) {
      node.low = first.low;
      node.high = first.high;
    });
  });
  check_found("belong into another page", [](PageImage& image) {  // a separator that is too large
    const std::uint64_t branch = branch_of(image);
    const std::size_t at = image.key_at(branch, 1) + image.node(branch, 1).key_size_bytes - 1;
    image.put(at, static_cast<char>(image.at<char>(at) + 1));
  });
  check_found("has a key of 0 bytes", [](PageImage& image) {
    change_node(image, branch_of(image), 1, [](Node& node) { node.key_size_bytes = 0; });
    // So that the nodes still fill the page.
    const std::uint64_t branch = branch_of(image);
    const std::size_t start = image.start_of(branch);
    const auto hole = static_cast<std::uint16_t>(image.node_at(branch, 1) - start + sizeof(Node));
    const PageHeader header = image.header(branch);
    std::string page = image.content().substr(start, image.page_size());
    std::memmove(page.data() + header.upper + 4, page.data() + header.upper, hole - header.upper);
    for (std::size_t i = 0; i < page.size(); ++i) image.put(start + i, page[i]);
    for (std::size_t i = 0; i < image.count(branch); ++i) {
      const auto offset = image.at<std::uint16_t>(image.slot_at(branch, i));
      if (offset < hole) {
        image.put(image.slot_at(branch, i), static_cast<std::uint16_t>(offset + 4));
      }
    }
    change_header(image, branch, [](PageHeader& changed) { changed.upper += 4; });
  });
}

BOOST_AUTO_TEST_CASE(a_node_larger_than_lmdb_makes_is_found) {
  check_found("has an entry of", [](PageImage& image) {
    // Nodes 0 and 1 of a page that has only these, the second as large as both may not be.
    const std::uint64_t leaf = image.tree(KeySpace::media).root;
    change_header(image, leaf, [](PageHeader& header) { header.upper = 1000; });
    image.put(image.slot_at(leaf, 0), std::uint16_t{1000});
    image.put(image.start_of(leaf) + 1000,
              Node{.low = 3096 - 8 - 4, .high = 0, .flags = 0, .key_size_bytes = 4});
  });
}

BOOST_AUTO_TEST_CASE(flags_of_nodes_are_looked_at) {
  for (const int number : {0x04, 0x06, 0x03, 0x08, 0x8000}) {
    const auto flags = static_cast<std::uint16_t>(number);
    check_found("with flags", [flags](PageImage& image) {
      change_node(image, leaf_of(image), 3, [flags](Node& node) { node.flags = flags; });
    });
  }
  check_found("is a tree", [](PageImage& image) {
    change_node(image, leaf_of(image), 3, [](Node& node) { node.flags = layout::kTreeNode; });
  });
}

BOOST_AUTO_TEST_CASE(the_main_tree_has_our_key_spaces_and_nothing_else) {
  check_found("has flags 4",
              [](PageImage& image) { change_tree(image, [](Tree& tree) { tree.flags = 0x04; }); });
  check_found("is no tree", [](PageImage& image) {
    change_node(image, image.head().main.root, 2, [](Node& node) { node.flags = 0; });
  });
  check_found("unknown key space", [](PageImage& image) {
    const std::uint64_t root = image.head().main.root;
    const std::size_t last = image.count(root) - 1;  // "sealed" or "segment_bytes", say
    image.put(image.key_at(root, last) + 3, 'z');
  });
}

BOOST_AUTO_TEST_CASE(a_file_that_is_crafted_in_a_published_way_is_refused) {
  const Folder folder;
  for (const CraftedFile& crafted : FileCrafter(sample(folder), kSpace).all()) {
    BOOST_TEST_CONTEXT(crafted.what) {
      if (!crafted.finding.empty()) {
        check_refused(folder, crafted.content, crafted.finding);
        continue;
      }
      write_file(folder.file(), crafted.content);
      for (const bool untrusted : {false, true}) {
        const Error error = open_error(folder.file(), {.untrusted = untrusted});
        BOOST_TEST((error.code == Code::corrupt || error.code == Code::other_geometry),
                   error.message);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(numbers_of_the_head_that_cannot_be_are_found) {
  const Folder folder;
  const std::string content = sample(folder);
  for (const std::uint64_t last :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32, layout::kNoPage}) {
    PageImage image(content);
    change_head(image, [last](Meta& head) { head.last_page = last; });
    write_file(folder.file(), image.content());
    BOOST_TEST((open_error(folder.file(), {.untrusted = true}).code == Code::corrupt));
  }
  PageImage image(content);  // both heads are the last that a number has room for
  for (const std::size_t head : {std::size_t{0}, std::size_t{image.page_size()}}) {
    const std::uint64_t number = ~std::uint64_t{0} - (head == 0 ? 1 : 0);
    image.put(head + sizeof(PageHeader) + offsetof(Meta, transaction), number);
  }
  write_file(folder.file(), image.content());
  BOOST_TEST((open_error(folder.file(), {.untrusted = true}).code == Code::corrupt));
}

BOOST_AUTO_TEST_CASE(free_lists_are_looked_at) {
  check_found("is longer than its room",
              [](PageImage& image) { image.put(free_list(image), std::uint64_t{1'000}); });
  check_found("is longer than its room",
              [](PageImage& image) { image.put(free_list(image), ~std::uint64_t{0}); });
  check_found("is not in order", [](PageImage& image) {
    const std::size_t list = free_list(image);
    const auto first = image.at<std::uint64_t>(list + 8);
    image.put(list + 8, image.at<std::uint64_t>(list + 16));
    image.put(list + 16, first);
  });
  check_found("is not in order", [](PageImage& image) {
    const std::size_t list = free_list(image);
    image.put(list + 16, image.at<std::uint64_t>(list + 8));
  });
  check_found("it refers to",
              [](PageImage& image) { image.put(free_list(image) + 8, std::uint64_t{1} << 40); });
  check_found("it refers to", [](PageImage& image) {
    const std::size_t list = free_list(image);
    image.put(list, std::uint64_t{1});
    image.put(list + 8, std::uint64_t{0});
  });
  for (const std::uint64_t transaction : {std::uint64_t{0}, std::uint64_t{1} << 50}) {
    check_found("of transaction", [transaction](PageImage& image) {
      const std::uint64_t leaf = image.leftmost(image.head().free_pages).back();
      const std::size_t index = transaction == 0 ? 0 : image.count(leaf) - 1;
      image.put(image.key_at(leaf, index), transaction);
    });
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_open_elsewhere_is_looked_through_at_a_snapshot) {
  const Folder folder;
  open_file(folder.file()).reset();
  Holder holder(folder.file());
  auto environment = open_file(folder.file(), {.untrusted = true});
  put_one(*environment, "key", "value");
  BOOST_TEST(get_one(*environment, "key").value() == "value");
  environment.reset();
  BOOST_TEST(holder.close() == 0);
}

BOOST_AUTO_TEST_CASE(damage_is_found_also_while_another_process_has_the_file_open) {
  const Folder folder;
  PageImage image(sample(folder));
  write_file(folder.file(), image.content());
  Holder holder(folder.file());
  const std::size_t at = image.value_at(leaf_of(image), 1);
  {
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(image.at<char>(at) ^ 1));
  }
  BOOST_TEST((open_error(folder.file(), {.untrusted = true}).code == Code::corrupt));
  BOOST_TEST(open_file(folder.file())->writable());
  BOOST_TEST(holder.close() == 0);
}

BOOST_AUTO_TEST_CASE(what_this_process_has_open_is_looked_through_unless_it_was) {
  const Folder folder;
  PageImage image(sample(folder));
  write_file(folder.file(), image.content());
  const std::size_t at = image.value_at(leaf_of(image), 1);
  const auto damage = [&] {
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(image.at<char>(at) ^ 1));
  };
  {
    auto verified = open_file(folder.file(), {.untrusted = true});
    damage();
    BOOST_TEST(open_file(folder.file(), {.untrusted = true}) == verified);
  }
  auto trusted = open_file(folder.file());
  BOOST_TEST((open_error(folder.file(), {.untrusted = true}).code == Code::corrupt));
}

BOOST_AUTO_TEST_CASE(looking_through_can_be_cancelled) {
  const Folder folder(fast_folder());
  auto environment = open_file(folder.file());
  {
    auto transaction = must(environment->begin_write());
    for (int i = 0; i < 40'000; ++i) {
      must(transaction.put(kSpace, number_key(i), std::string(200, 'v')));
    }
    must(transaction.commit());
  }
  std::uint64_t calls = 0;
  const auto progress = [&calls](std::uint64_t done, std::uint64_t total) {
    BOOST_TEST(done <= total);
    return ++calls == 2;
  };
  const auto ended = begin_verified_read(environment, {}, progress);
  BOOST_REQUIRE(!ended);
  BOOST_TEST((ended.error().code == Code::cancelled));
  BOOST_TEST(calls == 2U);
}

BOOST_AUTO_TEST_CASE(a_newer_format_is_told_before_anything_else) {
  const Folder folder;
  std::string content = sample(folder);
  const std::string mark("tracelite\0\0\0\1", 13);
  for (std::size_t at = 0; (at = content.find(mark, at)) != std::string::npos; ++at) {
    content[at + 12] = 9;
  }
  PageImage image(content);
  const std::uint64_t root = image.head().main.root;
  image.put(image.key_at(root, image.count(root) - 1) + 3, 'z');  // with other key spaces
  write_file(folder.file(), image.content());
  const Error error = open_error(folder.file(), {.untrusted = true});
  BOOST_TEST((error.code == Code::newer_format), error.message);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
