// Two years of a desktop application: it is started every day and records what its user does,
// traces go by age, the user deletes a conversation now and then and has the file compacted twice a
// year. The file must stay in proportion to what is in it, and sound, at every month's end.
//
// TL_YEARS_TRACES: how many traces in all (default 2,400; a million takes an hour or two).
#include <sys/stat.h>

#include <iostream>

#include "retention/support.hpp"
#include "support/torture.hpp"

namespace tracelite::retention::test {
namespace {

constexpr int kMonthCount = 24;
constexpr int kDayCount = 30;  // of a month
constexpr std::int64_t kKeptDays = 90;
// Of the room on the disk to the size of a backup, which has what is live and nothing else. A file
// of some hundred pages has its free ones beside: those that the next commits take.
constexpr double kRatioMax = 1.5;
constexpr std::uint64_t kFreeToWriteBytes = std::uint64_t{1} << 20;

// Words that repeat as words do.
std::string prose(std::mt19937_64& random, std::size_t size_bytes) {
  static const std::vector<std::string> words = [] {
    std::mt19937_64 letters(1);
    std::vector<std::string> made(4'000);
    for (std::string& word : made) {
      for (std::uint64_t i = letters() % 7 + 2; i > 0; --i) {
        word += static_cast<char>('a' + letters() % 26);
      }
    }
    return made;
  }();
  std::string text;
  while (text.size() < size_bytes) {
    // The first words are the most frequent.
    const std::size_t range = words.size() >> (random() % 9);
    text += words[random() % range] + ' ';
  }
  return text;
}

class Application {
 public:
  Application(std::string path, std::uint64_t seed) : path_(std::move(path)), random_(seed) {
    now_ns_ = model::now_ns();
  }
  ~Application() { model::testing::clock_offset_ns = 0; }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  void live_a_day(std::uint64_t trace_count) {
    const std::int64_t begin_ns = now_ns_;
    constexpr std::int64_t kLengthNs = 23 * 3'600 * kSecondNs;
    pass(kLengthNs);
    const Store store(path_, options());
    for (std::uint64_t i = 0; i < trace_count; ++i) {
      record_trace(store, begin_ns + static_cast<std::int64_t>(i) * kLengthNs /
                                         static_cast<std::int64_t>(trace_count));
    }
    store.flush();
    if (random_() % 4 == 0) forget_a_conversation(store);
  }
  void compact() const { must(tl_compact(Store(path_).get(), nullptr, nullptr)); }

  // What is due is done, without waiting for a thread to do it.
  void settle() const {
    const auto environment = store::test::open_file(path_);
    maintain::RetentionRules rules;
    rules.age_ms = kKeptDays * kDayMs;
    rules.keeps_bookmarked = true;
    maintain::Retention retention(environment, rules, {});
    run_steps(retention);
  }
  void check() const {
    const Store store(path_);
    store.check();
    tl_filter old = api::test::filter();
    old.from_ns = INT64_MIN;
    old.to_ns = now_ns_ - (kKeptDays + 2) * kDayNs;
    tl_cursor* cursor = nullptr;
    must(tl_list(store.get(), nullptr, TL_KIND_TRACE, &old, TL_ORDER_TIME, {}, 0, &cursor));
    for (api::test::Rows rows(cursor); rows.next();) {
      BOOST_TEST(rows.row().trace->is_bookmarked == 1);
    }
  }
  [[nodiscard]] std::uint64_t trace_count() const { return Store(path_).statistics().trace_count; }
  [[nodiscard]] std::uint64_t size_on_disk_bytes() const {
    struct stat status = {};
    BOOST_REQUIRE(stat(path_.c_str(), &status) == 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  [[nodiscard]] std::uint64_t live_size_bytes() const {
    const std::string copy = path_ + ".backup";
    must(tl_backup(Store(path_).get(), copy.c_str(), nullptr, nullptr));
    const std::uint64_t size_bytes = std::filesystem::file_size(copy);
    std::filesystem::remove(copy);
    return size_bytes;
  }

 private:
  void pass(std::int64_t ns) {
    now_ns_ += ns;
    model::testing::clock_offset_ns += ns;
  }
  static tl_options options() {
    tl_options options = with_age(kKeptDays * kDayMs);
    options.retention_flags = TL_RETENTION_KEEP_BOOKMARKED;
    return options;
  }
  void record_trace(const Store& store, std::int64_t time_ns) {
    const std::string id = "trace-" + std::to_string(++last_trace_);
    if (random_() % 6 == 0) ++last_session_;
    const std::string session = "conversation-" + std::to_string(last_session_);
    const std::string user = "user-" + std::to_string(random_() % 3);
    const std::string question = prose(random_, 200 + random_() % 400);
    cpp::Trace trace(id);
    trace.timestamp(time_ns).session(session).user(user).name("chat").input(cpp::plain(question));
    if (random_() % 500 == 0) trace.bookmarked(true);
    must(tl_put_trace(store.get(), trace.get()));
    for (std::uint64_t i = 0; i < 3; ++i) {
      const std::string of = id + "-" + std::to_string(i);
      const std::string answer = prose(random_, 100 + random_() % 900);
      must(tl_put_observation(store.get(),
                              cpp::Observation()
                                  .id(of)
                                  .trace_id(id)
                                  .name("step")
                                  .start(time_ns + static_cast<std::int64_t>(i) * kSecondNs)
                                  .end(time_ns + static_cast<std::int64_t>(i + 1) * kSecondNs)
                                  .input(cpp::plain(question))
                                  .output(cpp::plain(answer))
                                  .get()));
    }
  }
  void forget_a_conversation(const Store& store) {
    const std::string session =
        "conversation-" + std::to_string(last_session_ - random_() % (last_session_ / 8 + 1));
    tl_filter filter = api::test::filter();
    filter.session_id = api::test::text_of(session);
    (void)store.remove(filter);
  }

  std::string path_;
  std::mt19937_64 random_;
  std::int64_t now_ns_ = 0;
  std::uint64_t last_trace_ = 0;
  std::uint64_t last_session_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(years)

BOOST_AUTO_TEST_CASE(two_years_of_use_leave_a_sound_file_in_proportion_to_what_is_in_it,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
  const std::uint64_t trace_count = tracelite::test::number_from("TL_YEARS_TRACES", 2'400);
  const bool is_long = trace_count > 100'000;
  const Folder folder(is_long ? std::string() : fast_folder());
  const std::uint64_t seed = store::test::random_seed();
  const tracelite::test::Torture torture("months of use");
  Application application(folder.file(), seed);
  for (int month = 1; month <= kMonthCount; ++month) {
    for (int day = 0; day < kDayCount; ++day) {
      application.live_a_day(trace_count / (kMonthCount * kDayCount));
    }
    if (month % 6 == 0) application.compact();
    application.settle();
    application.check();
    const std::uint64_t live_bytes = application.live_size_bytes();
    const std::uint64_t on_disk_bytes = application.size_on_disk_bytes();
    const double ratio = static_cast<double>(on_disk_bytes) / static_cast<double>(live_bytes);
    BOOST_TEST((ratio <= kRatioMax || on_disk_bytes <= live_bytes + kFreeToWriteBytes),
               "month " << month << ": " << on_disk_bytes << " bytes on the disk for " << live_bytes
                        << " that are live");
    if (is_long) {
      std::cout << "month " << month << ": " << application.trace_count() << " traces, "
                << on_disk_bytes << " bytes on the disk, " << live_bytes << " live, " << ratio
                << '\n';
    }
  }
  torture.report(kMonthCount, tracelite::test::failures(), seed);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::retention::test
