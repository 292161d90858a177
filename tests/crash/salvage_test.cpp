// Salvage through the C API: whatever happened to a file, what comes out of it is sound, and each
// entity in it is as it was, or absent. Where the library says that something may be older than it
// was, it is as it was at some time.
//
// In short here; TL_TORTURE_SECONDS makes the random part go on.
#include <sys/stat.h>
#include <tracelite/tracelite.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "crash/needed_pages.hpp"
#include "store/content_sums.hpp"
#include "store/helpers.hpp"
#include "store/page_image.hpp"
#include "support/torture.hpp"

namespace tracelite::api::test {
namespace {

using crash::test::NeededPages;
using store::KeySpace;
using store::test::fast_folder;
using store::test::PageImage;
using store::test::random_seed;
using store::test::read_file;
using store::test::write_file;
namespace layout = store::layout;

using Lines = std::set<std::string>;

Lines lines_of(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return lines;
}

std::string random_text(std::mt19937_64& random, std::size_t size) {
  static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz+-_ABCDEFGHIJ";
  std::string text;
  while (text.size() < size) text += kDigits[random() % kDigits.size()];
  return text;
}

// ------------------------------------------------------------------------------ what there was

struct Shape {
  int observations = 60;
  std::size_t text_size = 900;
  bool compacts = false;
};

// A file, everything that was in it at any time, and what is in it.
struct Sample {
  std::string content;
  Lines now;
  Lines ever;
};

std::string event(const std::string& id, const std::string& type, const std::string& body) {
  return R"({"id":")" + id + R"(","timestamp":"2026-11-21T00:00:00Z","type":")" + type +
         R"(","body":{)" + body + "}}\n";
}

class SampleMaker {
 public:
  SampleMaker(const Folder& folder, std::uint64_t seed)
      : random_(seed), path_(folder.file("sample.tl")) {}

  Sample make(const Shape& shape) {
    {
      const Store store(path_);
      std::string history;
      for (int i = 0; i < shape.observations; ++i) {
        history += random_text(random_, shape.text_size / 8) + ' ';
        if (history.size() > shape.text_size) history.erase(0, history.size() / 2);
        record(store, observation(i, history));
        if (i % 10 == 9) record(store, trace(i / 10));
        if (i == shape.observations / 2) remove(store, "t1");
        if (i == shape.observations / 2 && shape.compacts) {
          must(tl_compact(store.get(), nullptr, nullptr));
        }
      }
      record(store, observation(3, "as it is now"));
      record(store, medium());
      record(store, event("lone", "span-update", R"("id":"nowhere","name":"without a trace")"));
      remove(store, "t2");
      sample_.now = lines_of(store.export_all());
    }
    sample_.content = read_file(path_);
    unlink(path_.c_str());
    return std::move(sample_);
  }

 private:
  void record(const Store& store, const std::string& text) {
    store.import_all(text);
    store.flush();
    remember(store);
  }
  void remove(const Store& store, const char* id) {
    tl_filter filter{};
    filter.struct_size = sizeof filter;
    filter.trace_id = tl_str(id);
    (void)store.remove(filter);
    remember(store);
  }
  void remember(const Store& store) { sample_.ever.merge(lines_of(store.export_all())); }

  std::string observation(int number, const std::string& text) {
    const std::string n = std::to_string(number);
    return event("e" + n + "-" + std::to_string(text.size()), "generation-create",
                 R"("id":"o)" + n + R"(","traceId":"t)" + std::to_string(number / 10) +
                     R"(","name":"step )" + std::to_string(number % 7) +
                     R"(","startTime":"2026-11-21T00:00:)" + std::to_string(10 + number % 50) +
                     R"(Z","metadata":{"key":"value )" + n + R"("},"input":{"text":")" + text +
                     R"("})");
  }
  static std::string trace(int number) {
    const std::string n = std::to_string(number);
    return event("f" + n, "trace-create",
                 R"("id":"t)" + n + R"(","sessionId":"s","userId":"u","tags":["a"],"name":"n")") +
           event("g" + n, "score-create",
                 R"("id":"c)" + n + R"(","traceId":"t)" + n + R"(","name":"good","value":0.5)");
  }
  std::string medium() {
    std::string base64;
    while (base64.size() < 4'000) base64 += "abcdEFGH"[random_() % 8];
    return event(
        "m", "span-create",
        R"("id":"with-medium","traceId":"t0","name":"m","input":{"text":"data:image/png;base64,)" +
            base64 + R"("})");
  }

  std::mt19937_64 random_;
  std::string path_;
  Sample sample_;
};

// ------------------------------------------------------------------------------ what comes out

struct Salvaged {
  tl_status status = TL_OK;
  tl_salvage_report report{};
  Lines lines;
  std::string findings;

  [[nodiscard]] bool lost_nothing() const {
    return report.lost_page_count + report.lost_value_count + report.lost_record_count +
               report.lost_payload_count ==
           0;
  }
};

void take_finding(void* context, tl_text where, tl_text message) {
  static_cast<std::string*>(context)->append(string_of(where) + ": " + string_of(message) + "\n");
}

// What comes out must be sound.
Salvaged salvage(const Folder& folder, const std::string& content) {
  const std::string path = folder.file("damaged.tl");
  const std::string made = folder.file("salvaged.tl");
  write_file(path, content);
  Salvaged result;
  result.report.struct_size = sizeof result.report;
  result.status = tl_salvage(path.c_str(), made.c_str(), take_finding, &result.findings, nullptr,
                             nullptr, &result.report);
  BOOST_TEST((read_file(path) == content), "the damaged file has changed");
  unlink(path.c_str());
  if (result.status == TL_OK) {
    const Store store(made);
    store.check();
    result.lines = lines_of(store.export_all());
  } else {
    BOOST_TEST((result.status != TL_INTERNAL && result.status != TL_CORRUPT), tl_error()->message);
  }
  unlink(made.c_str());
  const bool left_nothing = folder.names().empty();
  BOOST_TEST(left_nothing, "files are left behind");
  return result;
}

// Takes the value behind this text, up to and with `end`, from a line.
std::string cut(std::string& line, const std::string& begin, const std::string& end) {
  const std::size_t at = line.find(begin);
  if (at == std::string::npos) return {};
  const std::size_t to = line.find(end, at + begin.size());
  BOOST_REQUIRE(to != std::string::npos);
  std::string part = line.substr(at, to + end.size() - at);
  line.erase(at, part.size());
  return part;
}

struct Parts {
  std::string rest, input, metadata;
};

// Without the trace if its name is lost.
Parts parts_of(std::string line, bool without_trace) {
  Parts parts;
  parts.input = cut(line, R"(,"input":{"text":")", R"("})");
  parts.metadata = cut(line, R"(,"metadata":{"key")", "}");
  if (without_trace) {
    (void)cut(line, R"("traceId":")", "\"");
    (void)cut(line, R"("id":")", "\"");  // of the event, which depends on the trace
  }
  parts.rest = std::move(line);
  return parts;
}

// What there was, to be asked for lines that lack something.
class Judge {
 public:
  explicit Judge(const Lines& expected) : expected_(expected) {}

  // Right, but for what the report says.
  bool is_right(const std::string& line, const tl_salvage_report& report) {
    if (expected_.contains(line)) return true;
    const bool nameless = line.find(R"("traceId":"salvaged-)") != std::string::npos;
    if (!nameless && report.lost_payload_count == 0) return false;
    auto& by_rest = nameless ? nameless_ : named_;
    if (by_rest.empty()) {
      for (const std::string& one : expected_) {
        Parts parts = parts_of(one, nameless);
        by_rest.emplace(parts.rest, parts);
      }
    }
    const Parts got = parts_of(line, nameless);
    const auto [first, last] = by_rest.equal_range(got.rest);
    return std::any_of(first, last, [&](const auto& one) {
      const bool input = got.input == one.second.input || got.input.empty();
      const bool metadata = got.metadata == one.second.metadata || got.metadata.empty();
      return input && metadata;
    });
  }

 private:
  const Lines& expected_;
  std::multimap<std::string, Parts> nameless_, named_;
};

void judge(const Salvaged& result, const Sample& sample) {
  Judge judge(result.report.doubtful_count == 0 ? sample.now : sample.ever);
  for (const std::string& line : result.lines) {
    BOOST_TEST(judge.is_right(line, result.report), "wrong: " << line.substr(0, 400) << "\n"
                                                              << result.findings);
  }
  if (result.status != TL_OK || !result.lost_nothing() || result.report.doubtful_count > 0) return;
  BOOST_TEST((result.lines == sample.now), "something is missing, and not told\n"
                                               << result.findings);
}

std::size_t page_size_of(const std::string& content) { return PageImage(content).page_size(); }

void zero_page(std::string& content, std::uint64_t page, std::size_t page_size) {
  std::memset(content.data() + page * page_size, 0, page_size);
}

Salvaged salvage_and_judge(const Folder& folder, const std::string& damaged, const Sample& sample) {
  const Salvaged result = salvage(folder, damaged);
  judge(result, sample);
  return result;
}

void expect_all(const Salvaged& result, const Sample& sample) {
  BOOST_TEST(result.status == TL_OK);
  BOOST_TEST((result.lines == sample.now), result.findings);
  BOOST_TEST(result.report.lost_value_count == 0U);
  BOOST_TEST(result.report.lost_record_count == 0U);
  BOOST_TEST(result.report.doubtful_count == 0U);
}

struct Fixture {
  explicit Fixture(const Shape& shape = {}) : folder(fast_folder()) {
    sample = SampleMaker(folder, 1).make(shape);
    page_size = page_size_of(sample.content);
  }
  [[nodiscard]] std::string with_zeroed(const std::vector<std::uint64_t>& pages) const {
    std::string damaged = sample.content;
    for (const std::uint64_t page : pages) zero_page(damaged, page, page_size);
    return damaged;
  }
  Salvaged salvage_without(const std::vector<std::uint64_t>& pages) const {
    return salvage_and_judge(folder, with_zeroed(pages), sample);
  }

  Folder folder;
  Sample sample;
  std::size_t page_size = 0;
};

bool has_line_with(const Lines& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

std::size_t older_head_at(const PageImage& image) {
  constexpr std::size_t kFirst = sizeof(layout::PageHeader);
  return image.head_at() == kFirst ? image.page_size() + kFirst : kFirst;
}

// Its first page says which commit it is of.
std::string with_unreadable_index(const PageImage& image) {
  const std::uint64_t leaf = image.leftmost(image.tree(KeySpace::page)).back();
  BOOST_REQUIRE(image.node(leaf, 0).flags == layout::kOverflowNode);
  const auto first = image.at<std::uint64_t>(image.value_at(leaf, 0));
  std::string content = image.content();
  content[image.start_of(first) + 100] ^= 1;
  return content;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(salvage_of_damaged_files)

BOOST_AUTO_TEST_CASE(a_sound_file_comes_out_equal) {
  for (const bool compacts : {false, true}) {
    const Fixture f({.compacts = compacts});
    const Salvaged result = salvage_and_judge(f.folder, f.sample.content, f.sample);
    expect_all(result, f.sample);
    BOOST_TEST(result.lost_nothing());
    BOOST_TEST(result.findings.empty(), result.findings);
    BOOST_TEST(result.report.trace_count == 5U);
    BOOST_TEST(result.report.medium_count == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_file_whose_heads_are_destroyed_comes_out_equal) {
  const Fixture f;
  const std::uint64_t newest = PageImage(f.sample.content).head_at() < f.page_size ? 0 : 1;
  for (const std::vector<std::uint64_t>& pages :
       {std::vector<std::uint64_t>{0, 1}, {newest}, {1 - newest}}) {
    expect_all(f.salvage_without(pages), f.sample);
  }
}

// All that says which commit is the newest is gone: what comes out is the one before, and doubtful.
BOOST_AUTO_TEST_CASE(a_commit_that_may_not_be_the_newest_is_told) {
  const Fixture f;
  const PageImage image(f.sample.content);
  const std::uint64_t newest = image.head_at() < f.page_size ? 0 : 1;
  for (const std::vector<std::uint64_t>& heads : {std::vector<std::uint64_t>{newest}, {0, 1}}) {
    std::vector<std::uint64_t> pages = heads;
    pages.push_back(image.head().free_pages.root);
    const Salvaged result = f.salvage_without(pages);
    BOOST_TEST(result.status == TL_OK);
    BOOST_TEST((result.lines == f.sample.now || result.report.doubtful_count > 0));
  }
}

// With another bit in its number the newest head looks like the one before the other.
BOOST_AUTO_TEST_CASE(a_newest_head_with_another_number_is_still_the_newest) {
  const Fixture f;
  const PageImage image(f.sample.content);
  for (const std::uint64_t less : {2U, 4U, 1'024U}) {
    PageImage damaged = image;
    layout::Meta head = image.head();
    head.transaction -= less;
    damaged.put(image.head_at(), head);
    expect_all(salvage_and_judge(f.folder, damaged.content(), f.sample), f.sample);
    // Nor does it matter whether its list of free pages can be read.
    const layout::Tree list = head.free_pages;
    head.free_pages.root += 1U << 20;
    damaged.put(image.head_at(), head);
    expect_all(salvage_and_judge(f.folder, damaged.content(), f.sample), f.sample);
    head.free_pages = list;
    head.free_pages.entries += 1U << 20;
    damaged.put(image.head_at(), head);
    expect_all(salvage_and_judge(f.folder, damaged.content(), f.sample), f.sample);
    PageImage both(with_unreadable_index(image));
    both.put(image.head_at(), head);
    salvage_and_judge(f.folder, both.content(), f.sample);
  }
}

// Nothing of the newest head is damaged.
BOOST_AUTO_TEST_CASE(
    the_older_list_of_free_pages_and_the_index_do_not_make_the_older_head_the_newest) {
  const Fixture f;
  const PageImage image(f.sample.content);
  const std::uint64_t list = image.at<layout::Meta>(older_head_at(image)).free_pages.root;
  const std::size_t last_key_at = image.key_at(list, image.count(list) - 1);
  const std::uint64_t newest = image.head().transaction;
  for (const std::uint64_t number : {newest, newest + 1, newest + (1U << 20)}) {
    for (const bool spares_index : {true, false}) {
      PageImage damaged(spares_index ? image.content() : with_unreadable_index(image));
      damaged.put(last_key_at, number);
      const Salvaged result = salvage_and_judge(f.folder, damaged.content(), f.sample);
      BOOST_TEST((result.lines == f.sample.now));
      const bool is_clear = spares_index || number != newest + 1;
      BOOST_TEST((result.report.doubtful_count == 0) == is_clear);
    }
  }
}

// Either head names the other one's trees: only their lists of free pages say whose they are.
BOOST_AUTO_TEST_CASE(two_lists_of_key_spaces_that_have_changed_places_bring_nothing_back) {
  const Fixture f;
  const PageImage image(f.sample.content);
  const std::uint64_t newest = image.head().main.root;
  const std::uint64_t older = image.at<layout::Meta>(older_head_at(image)).main.root;
  std::string content = image.content();
  const std::size_t begin = sizeof(layout::PageHeader);
  for (std::size_t at = begin; at < f.page_size; ++at) {
    std::swap(content[image.start_of(newest) + at], content[image.start_of(older) + at]);
  }
  const Salvaged result = salvage_and_judge(f.folder, content, f.sample);
  BOOST_TEST(result.status == TL_OK);
  BOOST_TEST(!has_line_with(result.lines, R"("traceId":"t2")"));
}

BOOST_AUTO_TEST_CASE(a_file_whose_list_of_key_spaces_is_destroyed_comes_out_equal) {
  const Fixture f;
  const Salvaged result = f.salvage_without({PageImage(f.sample.content).head().main.root});
  expect_all(result, f.sample);
  BOOST_TEST(!result.findings.empty());
}

BOOST_AUTO_TEST_CASE(a_destroyed_index_or_directory_costs_nothing) {
  const Fixture f;
  const PageImage image(f.sample.content);
  for (const KeySpace space : {KeySpace::page, KeySpace::directory, KeySpace::change}) {
    if (image.tree(space).root == layout::kNoPage) continue;
    const Salvaged result = f.salvage_without({image.tree(space).root});
    expect_all(result, f.sample);
    BOOST_TEST(result.lost_nothing());
  }
}

// Media have many values, and so a tree of several levels.
BOOST_AUTO_TEST_CASE(what_is_below_a_destroyed_branch_comes_out) {
  const Folder folder(fast_folder());
  const std::string path = folder.file();
  Sample sample;
  {
    const Store store(path);
    std::mt19937_64 random(7);
    std::string base64;
    while (base64.size() < 1'600'000) base64 += random_text(random, 64).substr(0, 36);
    store.import_all(event("a", "trace-create", R"("id":"deleted","name":"x")"));
    for (char& c : base64) c = c == '-' || c == '_' ? '/' : c;
    store.import_all(event(
        "m", "span-create",
        R"("id":"o","traceId":"t","input":{"text":"data:image/png;base64,)" + base64 + R"("})"));
    tl_filter filter{};
    filter.struct_size = sizeof filter;
    filter.trace_id = tl_str("deleted");
    (void)store.remove(filter);
    sample.now = lines_of(store.export_all());
  }
  sample.content = read_file(path);
  unlink(path.c_str());
  const PageImage image(sample.content);
  const layout::Tree media = image.tree(KeySpace::media);
  BOOST_REQUIRE(media.depth > 1);
  std::string damaged = sample.content;
  zero_page(damaged, media.root, image.page_size());
  const Salvaged result = salvage_and_judge(folder, damaged, sample);
  expect_all(result, sample);
  BOOST_TEST(result.report.lost_page_count == 1U);
  BOOST_TEST(result.report.medium_count == 1U);

  // A leaf, however, takes the medium along, and the field that had it.
  damaged = sample.content;
  zero_page(damaged, image.leftmost(media).back(), image.page_size());
  const Salvaged less = salvage(folder, damaged);
  BOOST_TEST(less.status == TL_OK);
  BOOST_TEST(less.report.lost_payload_count == 1U);
  BOOST_TEST(less.report.medium_count == 0U);
  BOOST_TEST(less.report.observation_count == 1U);
}

BOOST_AUTO_TEST_CASE(a_destroyed_leaf_costs_its_records_alone) {
  const Folder folder(fast_folder());
  const std::string path = folder.file();
  Sample sample;
  {
    const Store store(path);
    std::mt19937_64 random(5);
    std::string text;
    for (int i = 0; i < 9'000; ++i) {
      const std::string n = std::to_string(i);
      text += event("e" + n, "span-create",
                    R"("id":"o)" + n + R"(","traceId":"t)" + std::to_string(i / 3'000) +
                        R"(","name":")" + random_text(random, 300) + "\"");
    }
    store.import_all(text);
    sample.now = lines_of(store.export_all());
  }
  sample.content = read_file(path);
  unlink(path.c_str());
  const PageImage image(sample.content);
  const layout::Tree records = image.tree(KeySpace::record);
  BOOST_REQUIRE(records.depth == 2);
  for (const std::size_t child : {std::size_t{0}, image.count(records.root) - 1}) {
    std::string damaged = sample.content;
    const std::uint64_t leaf = layout::child_of(image.node(records.root, child));
    zero_page(damaged, leaf, image.page_size());
    const Salvaged result = salvage_and_judge(folder, damaged, sample);
    BOOST_TEST(result.status == TL_OK);
    BOOST_TEST(result.report.doubtful_count == 0U);
    BOOST_TEST(result.report.lost_page_count == 1U);
    BOOST_TEST(result.report.lost_value_count == image.count(leaf));
    BOOST_TEST(result.lines.size() > 1'000U);
    BOOST_TEST(result.report.observation_count + result.report.lost_record_count >= 9'000U);
    BOOST_TEST(result.report.observation_count == result.lines.size());
    // The first leaf takes the record of the first trace along.
    BOOST_TEST(has_line_with(result.lines, "salvaged-") == (child == 0));
  }
}

// The patch says what the trace itself is called now; the block below it is gone.
BOOST_AUTO_TEST_CASE(a_patch_whose_block_is_lost_takes_nothing_else_along) {
  const Folder folder(fast_folder());
  const std::string path = folder.file();
  Sample sample;
  {
    const Store store(path);
    std::mt19937_64 random(11);
    std::string text = event("f", "trace-create", R"("id":"t","name":"before")");
    for (int i = 0; i < 1'500; ++i) {
      const std::string n = std::to_string(i);
      text += event("e" + n, "span-create",
                    R"("id":"o)" + n + R"(","traceId":"t","name":")" + random_text(random, 40) +
                        R"(","metadata":{"key":"value )" + n + "\"}");
    }
    store.import_all(text);
    store.flush();
    store.import_all(event("g", "trace-create", R"("id":"t","name":"after")"));
    sample.now = lines_of(store.export_all());
  }
  std::string block;
  {
    const auto environment = store::test::open_file(path);
    const auto transaction = store::test::must(environment->begin_read());
    store::Cursor blocks = transaction.cursor(KeySpace::record);
    BOOST_REQUIRE(store::test::must(blocks.seek({})));
    block = blocks.value();
    const std::string patch_key =
        std::string(1, static_cast<char>(KeySpace::record)) + std::string(blocks.key());
    BOOST_REQUIRE(store::test::must(transaction.get(KeySpace::patch, patch_key)).has_value());
    BOOST_REQUIRE(store::test::must(blocks.next()));
  }
  sample.content = read_file(path);
  unlink(path.c_str());
  std::string damaged = sample.content;
  for (std::size_t at = damaged.find(block); at != std::string::npos;
       at = damaged.find(block, at)) {
    damaged[at] ^= 1;
  }
  BOOST_REQUIRE((damaged != sample.content));
  const Salvaged result = salvage_and_judge(folder, damaged, sample);
  BOOST_TEST(result.status == TL_OK);
  BOOST_TEST(result.report.lost_value_count >= 1U);
  BOOST_TEST(result.report.lost_payload_count == 0U);
  BOOST_TEST(result.report.observation_count > 500U);
  BOOST_TEST(result.report.observation_count == result.lines.size());
  BOOST_TEST(has_line_with(result.lines, R"("traceId":"salvaged-)"));
  BOOST_TEST(!has_line_with(result.lines, R"("traceId":"t")"));
}

// The record says which payload it had; the log that has it is gone.
BOOST_AUTO_TEST_CASE(a_record_whose_payload_is_damaged_comes_out_without_it) {
  const Fixture f;
  const PageImage image(f.sample.content);
  const layout::Tree frames = image.tree(KeySpace::frame);
  BOOST_REQUIRE(frames.depth > 0);
  const Salvaged result = f.salvage_without({image.leftmost(frames).back()});
  BOOST_TEST(result.status == TL_OK);
  BOOST_TEST(result.report.lost_payload_count > 0U);
  BOOST_TEST(result.lines.size() == f.sample.now.size());
  BOOST_TEST(result.report.lost_record_count == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_deleted_does_not_come_back) {
  const Fixture f;
  BOOST_REQUIRE(has_line_with(f.sample.ever, R"("traceId":"t2")"));
  const PageImage image(f.sample.content);
  const std::vector<std::uint64_t> trees = {image.head().main.root,
                                            image.tree(KeySpace::record).root};
  for (const std::vector<std::uint64_t>& pages :
       {std::vector<std::uint64_t>{trees[0]}, {trees[1]}, {0, 1, trees[1]}, trees}) {
    const Salvaged result = f.salvage_without(pages);
    BOOST_TEST(!has_line_with(result.lines, R"("traceId":"t2")"));
  }
}

BOOST_AUTO_TEST_CASE(what_may_be_older_is_told) {
  const Fixture f;
  const PageImage image(f.sample.content);
  const Salvaged result = f.salvage_without({image.head().main.root, image.head().free_pages.root});
  BOOST_TEST(result.status == TL_OK);
  BOOST_TEST(result.report.doubtful_count > 0U);
}

// Each value matches its checksum, and so comes out.
BOOST_AUTO_TEST_CASE(something_older_in_the_place_of_what_was_written_last_is_told) {
  const Fixture f;
  const Folder folder(fast_folder());
  write_file(folder.file(), f.sample.content);
  {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_write());
    const auto value = store::test::must(transaction.get(KeySpace::meta, store::kSumsKey));
    auto sums = store::ContentSums::decode(value.value()).value();
    for (const KeySpace space : {KeySpace::record, KeySpace::frame, KeySpace::directory}) {
      ++sums.of[static_cast<std::size_t>(space)];
    }
    store::test::must(transaction.put(KeySpace::meta, store::kSumsKey, sums.encode()));
    store::test::must(transaction.commit());
  }
  const std::string content = read_file(folder.file());
  unlink(folder.file().c_str());
  const Salvaged result = salvage(folder, content);
  BOOST_TEST(result.status == TL_OK);
  BOOST_TEST((result.lines == f.sample.now));
  // The directory is made anew.
  BOOST_TEST(result.report.doubtful_count == 2U);
  BOOST_TEST(result.findings.find("record: something older is in the place of") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_file_of_ours_is_refused_and_nothing_is_left) {
  const Folder folder(fast_folder());
  std::mt19937_64 random(random_seed());
  std::string noise(50'000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  for (const std::string& content : {std::string(), std::string("text"), noise}) {
    BOOST_TEST(salvage(folder, content).status == TL_NOT_TRACELITE);
  }
}

BOOST_AUTO_TEST_CASE(paths_and_callers_that_cannot_be_served_are_told) {
  const Folder folder(fast_folder());
  const std::string path = folder.file();
  const std::string made = folder.file("b.tl");
  const auto run = [](const std::string& from, const std::string& to,
                      tl_progress_fn progress = nullptr) {
    return tl_salvage(from.c_str(), to.c_str(), nullptr, nullptr, progress, nullptr, nullptr);
  };
  expect(run(path, made), TL_NOT_FOUND, "cannot open");
  {
    const Store store(path);
    store.import_all(event("a", "trace-create", R"("id":"t","name":"x")"));
    expect(run(path, made), TL_BUSY, "close it", "path");
  }
  expect(run(path, path), TL_INVALID, "exists", "new_path");
  expect(run(path, folder.file("no/b.tl")), TL_NOT_FOUND, "");
  expect(run(path, made, [](void*, std::uint64_t, std::uint64_t) { return 1; }), TL_CANCELLED, "");
  BOOST_TEST(folder.names() == store::test::kOnlyTheDataFile, boost::test_tools::per_element());
  const std::string link = folder.file("link.tl");
  BOOST_REQUIRE(symlink(path.c_str(), link.c_str()) == 0);
  must(run(link, made));
  struct stat status {};
  BOOST_REQUIRE(stat(made.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 07777) == 0600U);
}

// Where both the list of key spaces and that of free pages are cut off, those of a commit before
// may be left.
BOOST_AUTO_TEST_CASE(a_file_that_is_cut_off_anywhere_gives_nothing_older_for_certain) {
  const Folder folder(fast_folder());
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const int observations = 100 + 4 * static_cast<int>(seed);
    const Sample sample =
        SampleMaker(folder, seed).make({.observations = observations, .compacts = true});
    const std::size_t page_size = page_size_of(sample.content);
    for (std::size_t size = sample.content.size(); size > 2 * page_size; size -= page_size) {
      BOOST_TEST_CONTEXT("seed " << seed << " cut off at " << size - page_size) {
        salvage_and_judge(folder, sample.content.substr(0, size - page_size), sample);
      }
    }
  }
}

// All of the commit before is left, and nothing else says that there was another.
BOOST_AUTO_TEST_CASE(
    a_file_without_its_newest_head_that_is_cut_off_gives_nothing_older_for_certain) {
  const Folder folder(fast_folder());
  Sample sample;
  std::size_t size_before = 0;
  {
    const Store store(folder.file());
    store.import_all(event("a", "trace-create", R"("id":"t","name":"goes")"));
    tl_snapshot* snapshot = nullptr;
    must(tl_snapshot_open(store.get(), &snapshot));  // so that no page is used again
    for (int i = 0; i < 3; ++i) {
      store.import_all(event("b", "trace-create", R"("id":"u","name":"stays")"));
    }
    sample.ever = lines_of(store.export_all());
    size_before = read_file(folder.file()).size();
    tl_filter filter{};
    filter.struct_size = sizeof filter;
    filter.trace_id = tl_str("t");
    (void)store.remove(filter);
    sample.now = lines_of(store.export_all());
    tl_snapshot_close(snapshot);
    sample.content = read_file(folder.file());
  }
  unlink(folder.file().c_str());
  const PageImage image(sample.content);
  const std::size_t page_size = image.page_size();
  BOOST_REQUIRE(sample.content.size() > size_before + 4 * page_size);
  std::string damaged = sample.content;
  zero_page(damaged, image.head_at() < page_size ? 0 : 1, page_size);
  for (std::size_t size = damaged.size(); size > size_before; size -= page_size) {
    BOOST_TEST_CONTEXT("cut off at " << size) {
      const Salvaged result = salvage_and_judge(folder, damaged.substr(0, size), sample);
      if (size == damaged.size()) expect_all(result, sample);
    }
  }
}

BOOST_AUTO_TEST_CASE(random_damage_never_makes_anything_wrong) {
  const tracelite::test::Torture torture("salvage");
  const std::uint64_t seed = random_seed();
  const Folder folder(fast_folder());
  std::vector<Sample> samples;
  samples.push_back(SampleMaker(folder, seed).make({.observations = 40, .text_size = 300}));
  samples.push_back(SampleMaker(folder, seed + 1).make({.observations = 120, .compacts = true}));
  std::vector<NeededPages> needed;
  for (const Sample& sample : samples) needed.emplace_back(sample.content);
  std::mt19937_64 random(seed);
  std::uint64_t cases = 0;
  std::uint64_t lines = 0;
  std::uint64_t expected = 0;
  std::uint64_t doubtful = 0;
  std::uint64_t unneeded = 0;
  for (; torture.wants_more(cases, tracelite::test::kUnderSanitizer ? 60 : 160); ++cases) {
    const std::size_t which = random() % samples.size();
    const Sample& sample = samples[which];
    const std::size_t page_size = page_size_of(sample.content);
    std::string damaged = sample.content;
    std::string what;
    const auto flip = [&](std::size_t at) {
      damaged[at] ^= static_cast<char>(1U << random() % 8);
      what += " byte " + std::to_string(at);
    };
    switch (random() % 5) {
      case 0:
        damaged.resize(random() % damaged.size());
        what = "cut off";
        break;
      case 1:
        for (std::uint64_t k = random() % 4 + 1; k > 0; --k) {
          const std::uint64_t page = random() % (damaged.size() / page_size);
          zero_page(damaged, page, page_size);
          what += " page " + std::to_string(page);
        }
        break;
      case 2: {
        const std::size_t count = damaged.size() / 512;
        const std::size_t first = random() % count * 512;
        const std::size_t second = random() % count * 512;
        for (std::size_t i = 0; i < 512; ++i) std::swap(damaged[first + i], damaged[second + i]);
        break;
      }
      case 3:  // heads and what begins a page
        for (std::uint64_t k = random() % 3 + 1; k > 0; --k) {
          const std::size_t page_count = damaged.size() / page_size;
          const std::size_t page = random() % (random() % 3 == 0 ? 2 : page_count);
          flip(page * page_size + random() % 160);
        }
        break;
      default:
        for (std::uint64_t k = random() % 64 + 1; k > 0; --k) flip(random() % damaged.size());
    }
    BOOST_TEST_CHECKPOINT("case " << cases);
    BOOST_TEST_CONTEXT("case " << cases << ":" << what) {
      const Salvaged result = salvage_and_judge(folder, damaged, sample);
      if (needed[which].are_equal_in(damaged)) {
        expect_all(result, sample);
        ++unneeded;
      }
      lines += std::min(result.lines.size(), sample.now.size());
      expected += sample.now.size();
      doubtful += result.report.doubtful_count > 0 ? 1 : 0;
    }
  }
  std::cout << "salvage, cases tried: " << cases << ", lines brought out: " << lines << " of "
            << expected << ", doubtful: " << doubtful
            << ", nothing hit that is needed: " << unneeded << '\n';
  // Four of five lines come out; in a few cases it may be chance.
  constexpr std::uint64_t kManyCases = 50;
  if (cases >= kManyCases) BOOST_TEST(lines * 2 > expected);
  torture.report(cases, tracelite::test::failures(), seed);
}

// It inherits the descriptor that the file was kept closed with.
BOOST_AUTO_TEST_CASE(a_child_forked_meanwhile_does_not_keep_the_file_closed) {
  const Folder folder(fast_folder());
  { const Store store(folder.file()); }
  struct Forked {
    store::test::Line told;
    std::unique_ptr<store::test::Child> child;
  } forked;
  const auto fork_once = [](void* context, std::uint64_t, std::uint64_t) {
    auto& made = *static_cast<Forked*>(context);
    if (made.child) return 0;
    made.child = std::make_unique<store::test::Child>([&made] {
      made.told.close_writing();
      (void)made.told.receive();
      return 0;
    });
    return 0;
  };
  must(tl_salvage(folder.file().c_str(), folder.file("made.tl").c_str(), nullptr, nullptr,
                  fork_once, &forked, nullptr));
  BOOST_REQUIRE(forked.child);
  store::OpenOptions at_once;
  at_once.door_patience = std::chrono::milliseconds(0);
  BOOST_TEST(store::Environment::open(folder.file(), at_once).ok());
  forked.told.close_writing();
  BOOST_TEST(forked.child->wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
