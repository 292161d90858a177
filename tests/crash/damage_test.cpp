// Damaged files, opened as untrusted through the C API and read with everything: each gives an
// error or the right answer. Where it opened, a record is written, and the file must be sound after
// it.
//
// In short here; TL_TORTURE=1 flips every byte of the small file and tries 100,000 more cases, or
// a part of both, so that several processes can share them: TL_PART=2/4 is the second of four.
// `./dev torture` tries as many as there is time for.
#include <tracelite/tracelite.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "api/support.hpp"
#include "store/crafted_files.hpp"
#include "store/helpers.hpp"
#include "store/page_image.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

namespace tracelite::api::test {
namespace {

using store::test::fast_folder;
using store::test::PageImage;
using store::test::random_seed;
using store::test::read_file;
using store::test::write_file;
using tracelite::test::failures;
using tracelite::test::Torture;

bool at_length() { return std::getenv("TL_TORTURE") != nullptr; }

struct Part {
  std::size_t index = 0, count = 1;
};
Part part() {
  Part given;
  const char* const text = std::getenv("TL_PART");
  if (text == nullptr) return given;
  const bool is_one = std::sscanf(text, "%zu/%zu", &given.index, &given.count) == 2 &&
                      given.index >= 1 && given.index <= given.count;
  BOOST_REQUIRE_MESSAGE(is_one, "TL_PART is to be such as 2/4");
  --given.index;
  return given;
}

// So many cases in `./dev test`.
unsigned short_run(unsigned cases) { return tracelite::test::kUnderSanitizer ? cases / 4 : cases; }

std::string observation(int number, std::size_t payload_size) {
  const std::string n = std::to_string(number);
  std::string text;
  std::mt19937 random(static_cast<unsigned>(number));
  while (text.size() < payload_size) text += "word" + std::to_string(random() % 1'000) + ' ';
  return R"({"id":"e)" + n + R"(","timestamp":"2026-11-21T00:00:00Z",)" +
         R"("type":"generation-create","body":{"id":"o)" + n + R"(","traceId":"t)" +
         std::to_string(number / 10) + R"(","name":"step )" + std::to_string(number % 7) +
         R"(","startTime":"2026-11-21T00:00:)" + std::to_string(10 + number % 50) +
         R"(Z","model":"m","metadata":{"key":"value )" + n + R"("},"input":{"text":")" + text +
         R"("},"usage":{"input":)" + n + "}}}\n";
}

std::string trace(int number) {
  const std::string n = std::to_string(number);
  return R"({"id":"f)" + n + R"(","timestamp":"2026-11-21T00:00:01Z","type":"trace-create",)" +
         R"("body":{"id":"t)" + n + R"(","sessionId":"s","userId":"u","tags":["a"],"name":"n"}})" +
         "\n" + R"({"id":"g)" + n +
         R"(","timestamp":"2026-11-21T00:00:02Z","type":"score-create",)" + R"("body":{"id":"c)" +
         n + R"(","traceId":"t)" + n + R"(","name":"good","value":0.5}})" + "\n";
}

constexpr int kObservationsPerCommit = 12;  // each commit leaves pages, and all are to be tried

// With free pages, some of them from deletion.
std::string sample(const Folder& folder, int observations, std::size_t payload_size) {
  const std::string path = folder.file("sample.tl");
  {
    const Store store(path);
    std::string events;
    for (int i = 0; i < observations; ++i) {
      events += observation(i, payload_size);
      if (i % 10 == 0) events += trace(i / 10);
      const bool ends = i + 1 == observations || (i + 1) % kObservationsPerCommit == 0;
      if (ends) store.import_all(std::exchange(events, {}));
    }
    (void)store.remove(of_trace("t1"));
    store.import_all(observation(3, payload_size / 2));
  }
  std::string content = read_file(path);
  unlink(path.c_str());
  return content;
}

// What a store answers, until one call fails.
class Answers {
 public:
  explicit Answers(tl_store* store) { complete_ = read(store); }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  static bool is_good(tl_status status) {
    BOOST_TEST((status != TL_INTERNAL && status != TL_MISUSE), tl_status_name(status)
                                                                   << ": " << tl_error()->message);
    return status == TL_OK;
  }
  static std::int32_t write(void* context, const void* data, std::size_t size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
    return 0;
  }

  bool read(tl_store* store) {
    for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE, TL_KIND_SESSION,
                               TL_KIND_USER, TL_KIND_TAG, TL_KIND_NAME, TL_KIND_DAY}) {
      tl_cursor* cursor = nullptr;
      if (!is_good(tl_list(store, nullptr, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor))) {
        return false;
      }
      if (!read_rows(cursor)) return false;
    }
    const std::vector<std::string> traces = traces_;  // a tree has its trace as a row, too
    for (const std::string& id : traces) {
      tl_cursor* cursor = nullptr;
      if (!is_good(tl_tree(store, nullptr, text_of(id), &cursor))) return false;
      if (!read_rows(cursor)) return false;
    }
    tl_cursor* cursor = nullptr;
    if (!is_good(tl_replay(store, nullptr, tl_str("s"), nullptr, &cursor))) return false;
    if (!read_rows(cursor)) return false;
    std::string all;
    if (!is_good(tl_export(store, nullptr, nullptr, TL_FORMAT_LANGFUSE, write, &all, nullptr,
                           nullptr))) {
      return false;
    }
    text_ += all;
    tl_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    if (!is_good(tl_stats(store, &statistics))) return false;
    for (const std::uint64_t number :
         {statistics.trace_count, statistics.observation_count, statistics.score_count,
          statistics.session_count, statistics.user_count, statistics.payload_size_bytes}) {
      text_ += std::to_string(number) + ' ';
    }
    return is_good(tl_check(store, nullptr, nullptr, nullptr, nullptr));
  }

  bool read_rows(tl_cursor* cursor) {
    const std::unique_ptr<tl_cursor, decltype(&tl_cursor_close)> owned(cursor, tl_cursor_close);
    for (;;) {
      tl_row row{};
      row.struct_size = sizeof row;
      const tl_status status = tl_next(cursor, &row);
      if (status == TL_DONE) return true;
      if (!is_good(status)) return false;
      text_ += '\n' + std::to_string(row.kind) + ' ' + std::to_string(row.depth) + ' ';
      if (row.trace != nullptr && row.kind == TL_KIND_TRACE) {
        text_ += string_of(row.trace->id) + ' ' + string_of(row.trace->name);
        if (row.depth == 0 && row.phase == 0) traces_.push_back(string_of(row.trace->id));
      }
      if (row.score != nullptr) text_ += string_of(row.score->id);
      if (row.session != nullptr) text_ += string_of(row.session->id);
      if (row.aggregate != nullptr) text_ += std::to_string(row.aggregate->observation_count);
      if (row.kind != TL_KIND_OBSERVATION || row.observation == nullptr) continue;
      text_ += string_of(row.observation->id) + ' ' + string_of(row.observation->name) + ' ';
      std::string buffer(4'096, '\0');
      std::size_t size = 0;
      if (!is_good(tl_payload_read(cursor, TL_FIELD_INPUT, TL_READ_AS_GIVEN, 0, buffer.data(),
                                   buffer.size(), &size))) {
        return false;
      }
      text_.append(buffer, 0, size);
    }
  }

  std::string text_;
  std::vector<std::string> traces_;
  bool complete_ = false;
};

struct Tally {
  int refused = 0;
  int failed = 0;  // opened, and a call failed later
  int right = 0;

  [[nodiscard]] std::uint64_t cases() const {
    return static_cast<std::uint64_t>(refused) + static_cast<std::uint64_t>(failed) +
           static_cast<std::uint64_t>(right);
  }
  void print(const char* what) const {
    std::cout << what << ", cases tried: " << cases() << " (refused " << refused
              << ", failed on reading " << failed << ", right " << right << ")" << std::endl;
  }
};

tl_status open_untrusted(const std::string& path, tl_store** store) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.flags = TL_OPEN_UNTRUSTED;
  constexpr std::uint64_t kQueueSizeBytes = 65'536;  // to make a larger one takes a while
  options.queue_size_bytes = kQueueSizeBytes;
  return tl_open(path.c_str(), &options, store);
}

class Trial {
 public:
  Trial(int observations, std::size_t payload_size)
      : folder_(fast_folder()), content_(sample(folder_, observations, payload_size)) {
    write_file(folder_.file(), content_);
    tl_store* store = nullptr;
    must(open_untrusted(folder_.file(), &store));
    must(tl_close(store, UINT32_MAX, nullptr));
    // Nothing was wrong with it: not even the index was made anew.
    BOOST_REQUIRE((read_file(folder_.file()) == content_));
    must(open_untrusted(folder_.file(), &store));
    const Answers answers(store);
    BOOST_REQUIRE(answers.complete());
    expected_ = answers.text();
    must(tl_close(store, UINT32_MAX, nullptr));
  }
  [[nodiscard]] const std::string& content() const { return content_; }
  Tally tally;

  void run(const std::string& damaged) {
    constexpr std::uint64_t kCasesPerLine = 10'000;
    if (tally.cases() > 0 && tally.cases() % kCasesPerLine == 0) tally.print("so far");
    const std::string path = folder_.file();
    write_file(path, damaged);
    tl_store* store = nullptr;
    const tl_status opened = open_untrusted(path, &store);
    BOOST_TEST((opened != TL_INTERNAL && opened != TL_MISUSE));
    if (opened != TL_OK) {
      ++tally.refused;
      return;
    }
    const Answers answers(store);
    // What came before an error must be right, too.
    BOOST_TEST((expected_.compare(0, answers.text().size(), answers.text()) == 0),
               "a wrong answer");
    BOOST_TEST((!answers.complete() || answers.text() == expected_), "a wrong answer");
    ++(answers.complete() ? tally.right : tally.failed);
    const bool written = write_one(store);
    tl_close(store, UINT32_MAX, nullptr);
    if (!written) return;
    must(open_untrusted(path, &store));
    tl_cursor* cursor = nullptr;
    must(tl_get(store, nullptr, TL_KIND_TRACE, {}, tl_str("another"), &cursor));
    tl_cursor_close(cursor);
    check_all_but_lost_pages(store);
    must(tl_close(store, UINT32_MAX, nullptr));
  }

 private:
  // A list of free pages that says to be shorter than its room may be one: what it does not name
  // any more is lost, and that is all.
  static void check_all_but_lost_pages(tl_store* store) {
    std::string others;
    const auto find = [](void* context, tl_text where, tl_text message) {
      if (string_of(message).find("neither in use nor free") != std::string::npos) return;
      static_cast<std::string*>(context)->append(string_of(where) + ": " + string_of(message));
    };
    const tl_status status = tl_check(store, find, &others, nullptr, nullptr);
    BOOST_TEST(((status == TL_OK || status == TL_CORRUPT) && others.empty()), others);
  }

  static bool write_one(tl_store* store) {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str("another");
    return tl_put_trace(store, &trace) == TL_OK && tl_flush(store, UINT32_MAX, nullptr) == TL_OK;
  }

  Folder folder_;
  std::string content_;
  std::string expected_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(damage)

BOOST_AUTO_TEST_CASE(any_byte_that_is_flipped_gives_an_error_or_the_right_answer) {
  Trial trial(12, 60);
  const Torture torture("damage: bytes of a small file");
  const std::uint64_t seed = random_seed();
  std::mt19937_64 random(seed);
  const std::string& content = trial.content();
  // The heads matter most, and most of the file is room.
  const std::size_t page_size = PageImage(content).page_size();
  const auto flip = [&](std::size_t at) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ (1U << random() % 8));
    BOOST_TEST_CHECKPOINT("byte " << at);
    BOOST_TEST_CONTEXT("byte " << at) trial.run(damaged);
  };
  if (at_length()) {
    std::cout << content.size() << " bytes are to be flipped\n";
    const auto [first, parts] = part();
    for (std::size_t at = first; at < content.size(); at += parts) flip(at);
  } else if (torture.is_long()) {
    // Every byte once, as far as time goes; the step is prime.
    std::size_t at = random() % content.size();
    for (std::size_t i = 0; i < content.size() && torture.wants_more(0, 0); ++i) {
      flip(at = (at + 1'000'003) % content.size());
    }
  } else {
    for (std::size_t at = 0; at < 152; at += tracelite::test::kUnderSanitizer ? 5 : 1) {
      flip(at);
      flip(page_size + at);
    }
    for (unsigned i = 0; i < short_run(400); ++i) flip(random() % content.size());
  }
  trial.tally.print("flipped bytes of a small file");
  torture.report(trial.tally.cases(), failures(), seed);
}

// One of them makes the older head the newer one.
BOOST_AUTO_TEST_CASE(any_bit_of_the_number_of_a_head_gives_an_error_or_the_right_answer) {
  Trial trial(12, 60);
  const std::size_t page_size = PageImage(trial.content()).page_size();
  constexpr std::size_t kNumberOffset =
      sizeof(store::layout::PageHeader) + offsetof(store::layout::Meta, transaction);
  for (const std::size_t head : {std::size_t{0}, page_size}) {
    for (std::size_t bit = 0; bit < 64; ++bit) {
      std::string damaged = trial.content();
      char& byte = damaged[head + kNumberOffset + bit / 8];
      byte = static_cast<char>(byte ^ (1U << bit % 8));
      BOOST_TEST_CONTEXT("bit " << bit << " of the head at " << head) trial.run(damaged);
    }
  }
  trial.tally.print("flipped bits of the numbers of heads");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_crafted_in_a_published_way_is_refused) {
  Trial trial(200, 700);
  const auto crafted = store::test::FileCrafter(trial.content(), store::KeySpace::meta).all();
  for (const auto& [what, finding, content] : crafted) {
    BOOST_TEST_CONTEXT(what) trial.run(content);
  }
  trial.tally.print("files crafted in published ways");
  BOOST_TEST(trial.tally.refused == static_cast<int>(crafted.size()));
}

BOOST_AUTO_TEST_CASE(random_damage_of_a_larger_file_gives_an_error_or_the_right_answer) {
  Trial trial(200, 700);
  const Torture torture("damage: of a larger file");
  const std::uint64_t seed = random_seed();
  std::mt19937_64 random(seed);
  const std::string& content = trial.content();
  const std::size_t page_size = PageImage(content).page_size();
  const auto swap = [](std::string& damaged, std::size_t first, std::size_t second,
                       std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) std::swap(damaged[first + i], damaged[second + i]);
  };
  const auto swap_blocks = [&](std::string& damaged, std::size_t size) {
    const std::size_t count = damaged.size() / size;
    const std::size_t first = random() % count * size;
    swap(damaged, first, random() % count * size, size);
  };
  const std::uint64_t usual = at_length() ? 100'000 / part().count : short_run(400);
  for (std::uint64_t i = 0; torture.wants_more(i, usual); ++i) {
    std::string damaged = content;
    switch (random() % 7) {
      case 0:
        damaged.resize(random() % damaged.size());
        break;
      case 1:
        damaged.resize(random() % (damaged.size() / page_size) * page_size);
        break;
      case 2:
        swap_blocks(damaged, page_size);
        break;
      case 3:
        swap_blocks(damaged, 512);
        break;
      case 4: {  // what was there is written over by something else of the file
        const std::size_t from = random() % (damaged.size() - 64);
        const std::size_t to = random() % (damaged.size() - 64);
        for (std::size_t k = 0; k < 64; ++k) damaged[to + k] = content[from + k];
        break;
      }
      case 5: {  // a sector by the same one of another page, which may be an earlier version
        const std::size_t sector = random() % (page_size / 512) * 512;
        const std::size_t page_count = damaged.size() / page_size;
        const std::size_t first = random() % page_count * page_size;
        swap(damaged, first + sector, random() % page_count * page_size + sector, 512);
        break;
      }
      default:
        for (std::uint64_t k = random() % 4 + 1; k > 0; --k) {
          damaged[random() % damaged.size()] ^= static_cast<char>(1U << random() % 8);
        }
    }
    BOOST_TEST_CHECKPOINT("case " << i);
    BOOST_TEST_CONTEXT("case " << i) trial.run(damaged);
  }
  trial.tally.print("random damage of a larger file");
  torture.report(trial.tally.cases(), failures(), seed);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
