// What is refused, repaired or dropped, and what is said about it.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

// Opening must fail like this.
void expect_open(const std::string& path, tl_status wanted, std::string_view part_of_message,
                 bool read_only = false) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.read_only = read_only ? 1 : 0;
  tl_store* store = nullptr;
  expect(tl_open(path.c_str(), &options, &store), wanted, part_of_message);
  BOOST_TEST(store == nullptr);
}

void create(const std::string& path) {
  const Store store(path);
  store.import_all(R"({"id":"e","timestamp":"2026-11-21T00:00:00Z","type":"trace-create",)"
                   R"("body":{"id":"t"}})");
}

void create_in(const Store& store, std::string_view id) {
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = text_of(id);
  must(tl_put_trace(store.get(), &trace));
}

boost::test_tools::assertion_result not_root(boost::unit_test::test_unit_id /*unit*/) {
  if (geteuid() != 0) return true;
  boost::test_tools::assertion_result no(false);
  no.message() << "skipped: root may read and write everything";
  return no;
}

std::string event(const std::string& type, const std::string& body) {
  return R"({"id":"e1","timestamp":"2026-11-21T00:00:00Z","type":")" + type + R"(","body":)" +
         body + "}";
}

bool has_part(const std::vector<std::string>& texts, std::string_view part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += text + "\n";
  return all;
}

// The event fails with this message, and the one behind it succeeds.
void expect_refused(const std::string& bad_line, std::string_view part_of_message) {
  const Folder folder;
  const Store store(folder.file());
  const Import result =
      store.import(bad_line + "\n" + event("trace-create", R"({"id":"good"})") + "\n");
  BOOST_TEST(result.report.failed_count == 1U);
  BOOST_TEST(result.report.succeeded_count == 1U);
  BOOST_TEST(has_part(result.failures, part_of_message),
             "said: " << joined(result.failures) << "not: " << part_of_message);
  BOOST_TEST(store.counter(TL_REASON_EVENT_REFUSED) == 1U);
  BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
}

struct Log {
  std::mutex mutex;
  std::vector<std::string> lines;
};
void take_log(void* context, tl_log_level level, tl_reason reason, const char* message) {
  auto& log = *static_cast<Log*>(context);
  const std::lock_guard lock(log.mutex);
  log.lines.push_back(std::to_string(level) + " " + tl_reason_name(reason) + ": " + message);
}

// The event succeeds with this warning in its outcome, the log and the counter.
void expect_repaired(const std::string& line, tl_reason reason, std::string_view part_of_message) {
  const Folder folder;
  Log log;
  tl_options options{};
  options.log = take_log;
  options.log_context = &log;
  const Store store(folder.file(), options);
  const Import result = store.import(line);
  BOOST_TEST(result.report.succeeded_count == 1U);
  BOOST_TEST(result.report.warned_count == 1U);
  BOOST_TEST(has_part(result.warnings, part_of_message), "warned: " << joined(result.warnings));
  BOOST_TEST(has_part(result.warnings, tl_reason_name(reason)), joined(result.warnings));
  BOOST_TEST(has_part(log.lines, part_of_message), "logged: " << joined(log.lines));
  BOOST_TEST(store.counter(reason) == 1U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(errors)

// ------------------------------------------------------------------------------ files

BOOST_AUTO_TEST_CASE(a_file_that_is_not_ours) {
  const Folder folder;
  store::test::write_file(folder.file(), "SQLite format 3" + std::string(20'000, 'x'));
  expect_open(folder.file(), TL_NOT_TRACELITE, "is not a tracelite file");
  BOOST_TEST(store::test::read_file(folder.file()).size() == 20'015U);
}

BOOST_AUTO_TEST_CASE(a_newer_format) {
  const Folder folder;
  {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_write());
    const auto now = store::test::must(transaction.get(store::KeySpace::meta, "format"));
    BOOST_REQUIRE_MESSAGE(now, "the format version is not where this test looks for it");
    constexpr std::string_view kName = "tracelite";
    std::string version(kName);
    append_big_endian(version, std::uint32_t{999});
    version += std::string(now->substr(version.size()));
    store::test::must(transaction.put(store::KeySpace::meta, "format", version));
    store::test::must(transaction.commit());
  }
  expect_open(folder.file(), TL_NEWER_FORMAT, "has format version 999; this library reads up to");
}

BOOST_AUTO_TEST_CASE(a_directory) {
  const Folder folder;
  expect_open(folder.path(), TL_NOT_TRACELITE, "is a directory");
}

BOOST_AUTO_TEST_CASE(no_file_to_read_and_no_folder_to_write) {
  const Folder folder;
  expect_open(folder.file(), TL_NOT_FOUND, folder.file(), true);
  expect_open(folder.path() + "/missing/a.tl", TL_NOT_FOUND, "missing");
}

BOOST_AUTO_TEST_CASE(no_permission, *boost::unit_test::precondition(not_root)) {
  const Folder folder;
  create(folder.file());
  BOOST_REQUIRE(chmod(folder.file().c_str(), 0) == 0);
  expect_open(folder.file(), TL_PERMISSION, folder.file());
  BOOST_REQUIRE(chmod(folder.file().c_str(), 0400) == 0);
  expect_open(folder.file(), TL_PERMISSION, "open it read-only, or change its permissions");
}

BOOST_AUTO_TEST_CASE(a_truncated_file) {
  const Folder folder;
  create(folder.file());
  const std::string whole = store::test::read_file(folder.file());
  store::test::write_file(folder.file(), whole.substr(0, whole.size() / 2));
  expect_open(folder.file(), TL_CORRUPT, "is damaged");
}

// ------------------------------------------------------------------------------ recording

BOOST_AUTO_TEST_CASE(a_full_queue_drops_and_counts) {
  const Folder folder;
  Log log;
  tl_options options{};
  options.full_policy = TL_FULL_DROP;
  options.queue_size_bytes = 4096;
  options.log = take_log;
  options.log_context = &log;
  options.mask = [](void* context, tl_field, const tl_payload*, tl_payload*) -> std::int32_t {
    // The writer stands still here until the test has seen the queue full.
    const std::lock_guard wait(*static_cast<std::mutex*>(context));
    return 0;
  };
  std::mutex gate;
  options.mask_context = &gate;
  const Store store(folder.file(), options);
  const std::string input(1000, 'x');
  std::uint64_t accepted = 0;
  std::uint64_t dropped = 0;
  {
    const std::lock_guard closed(gate);
    for (int i = 0; i < 20; ++i) {
      const std::string id = "o" + std::to_string(i);
      tl_observation observation{};
      observation.struct_size = sizeof observation;
      observation.id = text_of(id);
      observation.set_mask = TL_BIT(TL_FIELD_INPUT);
      observation.input = {TL_FORM_TEXT, text_of(input)};
      const tl_status status = tl_put_observation(store.get(), &observation);
      if (status == TL_OK) {
        ++accepted;
        continue;
      }
      ++dropped;
      expect(status, TL_QUEUE_FULL, "the recording queue is full");
    }
    std::uint64_t position = 0;
    expect(tl_flush(store.get(), 0, &position), TL_TIMEOUT, "not everything is durable yet");
  }
  store.flush();
  BOOST_TEST(accepted == 3U);
  BOOST_TEST(dropped == 17U);
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == accepted);
  BOOST_TEST(store.counter(TL_REASON_QUEUE_FULL) == dropped);
  BOOST_TEST(has_part(log.lines, "the record was dropped"));
}

BOOST_AUTO_TEST_CASE(recording_stops_while_the_disk_has_too_little_room,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer) *
                         boost::unit_test::precondition(store::test::may_mount)) {
  const Folder folder;
  store::test::Child child([&] {
    CHILD_CHECK(90, store::test::own_mounts());
    CHILD_CHECK(91, mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=16m,mode=0700") == 0);
    const std::string filler = folder.file("filler");
    tl_options options{};
    options.free_disk_min_bytes = std::uint64_t{8} << 20;
    const Store store(folder.file(), options);
    create_in(store, "first");
    CHILD_CHECK(1, tl_flush(store.get(), UINT32_MAX, nullptr) == TL_OK);
    store::test::write_file(filler, std::string(std::size_t{10} << 20, 'x'));
    create_in(store, "second");
    CHILD_CHECK(2, tl_flush(store.get(), UINT32_MAX, nullptr) == TL_DISK_FULL);
    CHILD_CHECK(3, std::string(tl_error()->field) == "free_disk_min_bytes");
    CHILD_CHECK(4, std::string(tl_error()->message).find("make room") != std::string::npos);
    CHILD_CHECK(5, count(store, TL_KIND_TRACE) == 1);
    unlink(filler.c_str());
    store.flush_after_mending();
    CHILD_CHECK(6, tl_flush(store.get(), UINT32_MAX, nullptr) == TL_OK);
    CHILD_CHECK(7, count(store, TL_KIND_TRACE) == 2);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_read_only_store_records_nothing) {
  const Folder folder;
  create(folder.file());
  tl_options options{};
  options.read_only = 1;
  const Store store(folder.file(), options);
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = tl_str("u");
  expect(tl_put_trace(store.get(), &trace), TL_READ_ONLY, "read-only");
  tl_span* span = nullptr;
  expect(tl_begin(store.get(), nullptr, nullptr, &span), TL_READ_ONLY, "read-only");
  BOOST_TEST(span == nullptr);
  expect(tl_reindex(store.get(), nullptr, nullptr), TL_READ_ONLY, "read-only");
  expect(tl_compact(store.get(), nullptr, nullptr), TL_READ_ONLY, "read-only");
  BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
  store.check();
}

BOOST_AUTO_TEST_CASE(an_inherited_handle_says_so_and_a_new_one_works,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
  const Folder folder;
  const Store store(folder.file());
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, nullptr, &span));
  store.flush();
  store::test::Child child([&] {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str("t");
    trace.set_mask = TL_BIT(TL_FIELD_NAME);
    trace.name = tl_str("child's");
    CHILD_CHECK(1, tl_put_trace(store.get(), &trace) == TL_FORKED);
    CHILD_CHECK(2,
                std::string(tl_error()->message).find("open the file again") != std::string::npos);
    CHILD_CHECK(3, tl_flush(store.get(), 1000, nullptr) == TL_FORKED);
    CHILD_CHECK(4, tl_end(span, nullptr) == TL_FORKED);
    tl_cursor* cursor = nullptr;
    CHILD_CHECK(
        5, tl_list(store.get(), nullptr, TL_KIND_TRACE, nullptr, 0, {}, 0, &cursor) == TL_FORKED);
    tl_store* own = nullptr;
    CHILD_CHECK(6, tl_open(folder.file().c_str(), nullptr, &own) == TL_OK);
    CHILD_CHECK(7, tl_put_trace(own, &trace) == TL_OK);
    CHILD_CHECK(8, tl_close(own, UINT32_MAX, nullptr) == TL_OK);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  must(tl_end(span, nullptr));
  store.flush();
  BOOST_TEST(count(store, TL_KIND_TRACE) == 2U);
}

// ------------------------------------------------------------------------------ events

BOOST_AUTO_TEST_CASE(events_without_ids) {
  expect_refused(R"({"timestamp":"2026-11-21T00:00:00Z","type":"trace-create","body":{"id":"t"}})",
                 "an event needs a text as its id, which is missing");
  expect_refused(event("span-update", R"({"traceId":"t"})"),
                 "an update needs the id of what it updates, which is missing");
  expect_refused(event("trace-create", R"({"id":""})"), "body.id");
  expect_refused(event("score-create", R"({"id":"s","name":"n","value":1})"), "subject");
}

BOOST_AUTO_TEST_CASE(events_with_wrong_types) {
  expect_refused(event("trace-create", R"({"id":7})"), "an id is a text, not");
  expect_refused(event("span-create", R"({"id":"o","startTime":7})"),
                 "startTime must be a time as text, not");
  expect_refused(event("span-create", R"({"id":"o","startTime":"yesterday"})"), "is no time");
  expect_refused(event("trace-create", R"([1])"), "an event needs an object as its body");
  expect_refused(R"({"id":"e","timestamp":5,"type":"trace-create","body":{"id":"t"}})",
                 "an event needs a time as its timestamp");
  expect_refused(event("span-create", R"({"id":"o","level":"LOUD"})"), "is not known: use one of");
  expect_refused("7", "an event is a JSON object, not");
}

BOOST_AUTO_TEST_CASE(unknown_event_types) {
  expect_refused(event("trace-destroy", R"({"id":"t"})"), "\"trace-destroy\" is no event type");
}

BOOST_AUTO_TEST_CASE(half_a_line) {
  const std::string whole = event("trace-create", R"({"id":"t","input":"long"})");
  expect_refused(whole.substr(0, whole.size() - 10), "JSON");
  // And at the end of the input.
  const Folder folder;
  const Store store(folder.file());
  const Import result = store.import(event("trace-create", R"({"id":"good"})") + "\n" +
                                     whole.substr(0, whole.size() - 10));
  BOOST_TEST(result.report.succeeded_count == 1U);
  BOOST_REQUIRE(result.failures.size() == 1U);
  BOOST_TEST(result.failures[0].find("the JSON is cut off") != std::string::npos);
  BOOST_TEST(result.failures[0].starts_with("2 e1 "));
}

BOOST_AUTO_TEST_CASE(a_name_that_is_too_long_is_refused) {
  expect_refused(event("trace-create", R"({"id":"t","name":")" + std::string(1001, 'n') + "\"}"),
                 "a trace's name has at most 1000 characters");
}

// ------------------------------------------------------------------------------ repairs

BOOST_AUTO_TEST_CASE(a_session_id_of_201_characters_is_dropped) {
  expect_repaired(
      event("trace-create", R"({"id":"t","sessionId":")" + std::string(201, 's') + "\"}"),
      TL_REASON_SESSION_ID, "1 to 200 characters");
}
BOOST_AUTO_TEST_CASE(a_user_id_of_201_characters_is_dropped) {
  expect_repaired(event("trace-create", R"({"id":"t","userId":")" + std::string(201, 's') + "\"}"),
                  TL_REASON_USER_ID, "1 to 200 characters");
}
BOOST_AUTO_TEST_CASE(an_environment_is_repaired) {
  expect_repaired(event("trace-create", R"({"id":"t","environment":"Prod!"})"),
                  TL_REASON_ENVIRONMENT, "environment");
  const Folder folder;
  const Store store(folder.file());
  store.import_all(event("trace-create", R"({"id":"t","environment":"Prod!"})"));
  Rows rows(get(store, TL_KIND_TRACE, {}, "t"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(string_of(rows.row().trace->environment) == "default");
}
BOOST_AUTO_TEST_CASE(a_usage_that_is_not_whole_is_dropped) {
  expect_repaired(event("generation-create", R"({"id":"o","usageDetails":{"input":1.5}})"),
                  TL_REASON_USAGE, "input");
}
BOOST_AUTO_TEST_CASE(a_cost_that_is_no_number_is_dropped) {
  expect_repaired(event("generation-create", R"({"id":"o","costDetails":{"total":"cheap"}})"),
                  TL_REASON_COST, "total");
}
BOOST_AUTO_TEST_CASE(a_tag_that_is_no_text_is_dropped) {
  expect_repaired(event("trace-create", R"({"id":"t","tags":["a",7]})"), TL_REASON_TAG,
                  "a tag was dropped");
}

// ------------------------------------------------------------------------------ arguments

BOOST_AUTO_TEST_CASE(a_read_function_that_gives_more_than_it_was_asked_for_is_misuse) {
  const Folder folder;
  const Store store(folder.file());
  const tl_read_fn read = [](void*, void*, std::size_t capacity) {
    return static_cast<std::int64_t>(capacity) + 1;
  };
  expect(tl_import(store.get(), TL_FORMAT_LANGFUSE, read, nullptr, nullptr, nullptr, nullptr,
                   nullptr, nullptr),
         TL_MISUSE, "more bytes");
}

// As a program does that was built against an older header.
BOOST_AUTO_TEST_CASE(a_shorter_struct_is_understood) {
  const Folder folder;
  const Store store(folder.file());
  tl_trace trace{};
  trace.struct_size = offsetof(tl_trace, user_id);
  trace.id = tl_str("t");
  trace.set_mask = TL_BIT(TL_FIELD_NAME);
  trace.name = tl_str("short");
  must(tl_put_trace(store.get(), &trace));
  store.flush();
  Rows rows(get(store, TL_KIND_TRACE, {}, "t"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(string_of(rows.row().trace->name) == "short");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
