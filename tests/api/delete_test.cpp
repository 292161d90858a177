// tl_delete: what each criterion takes, what goes along, and what stays.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include <lmdb.h>

#include "api/nothing_left.hpp"
#include "api/support.hpp"
#include "store/testing.hpp"

namespace tracelite::api::test {
namespace {

using store::testing::Point;
using Ids = std::vector<std::string>;

int next_event = 0;

// An event at noon and so many seconds, with this body.
std::string event(const std::string& type, const std::string& body, int second = 0) {
  const std::string time =
      "2026-03-01T12:00:" + std::string(second < 10 ? "0" : "") + std::to_string(second) + ".000Z";
  return "{\"id\":\"e" + std::to_string(++next_event) + "\",\"timestamp\":\"" + time +
         "\",\"type\":\"" + type + "\",\"body\":{" + body + "}}\n";
}
std::string trace(const std::string& id, const std::string& more = {}, int second = 0) {
  return event("trace-create",
               "\"id\":\"" + id + "\",\"timestamp\":\"2026-03-01T12:00:" +
                   (second < 10 ? "0" : "") + std::to_string(second) + "Z\"" + more,
               second);
}
std::string span(const std::string& trace_id, const std::string& id, const std::string& more = {},
                 int second = 0) {
  const std::string of = trace_id.empty() ? "" : ",\"traceId\":\"" + trace_id + "\"";
  return event("span-create", "\"id\":\"" + id + "\"" + of + more, second);
}
std::string score(const std::string& id, const std::string& subject, int second = 0) {
  const std::string at = std::string(second < 10 ? "0" : "") + std::to_string(second);
  return event("score-create",
               "\"id\":\"" + id + "\"," + subject + ",\"name\":\"grade\",\"value\":1," +
                   "\"timestamp\":\"2026-03-01T12:00:" + at + "Z\"",
               second);
}
std::int64_t at_second(int second) { return (1'772'366'400LL + second) * 1'000'000'000; }

struct Scene {
  Folder folder{store::test::fast_folder()};
  Store store{folder.file()};

  Scene() = default;
  explicit Scene(const std::string& events) { store.import_all(events); }
  [[nodiscard]] Ids traces() const { return traces_of(store, filter()); }
  [[nodiscard]] std::uint64_t number(tl_kind kind) const { return count(store, kind); }
  // Deletes, and looks whether the file is sound with the same index as one built anew.
  [[nodiscard]] tl_delete_report remove(const tl_filter& filter) const {
    const tl_delete_report report = store.remove(filter);
    store.check();
    const std::string before = store.export_all();
    store.reindex();
    store.check();
    BOOST_TEST(store.export_all() == before);
    return report;
  }
  [[nodiscard]] bool has(tl_kind kind, std::string_view id, std::string_view trace_id = {}) const {
    tl_cursor* cursor = nullptr;
    const tl_text of = trace_id.empty() ? tl_text{} : text_of(trace_id);
    const tl_status status = tl_get(store.get(), nullptr, kind, of, text_of(id), &cursor);
    tl_cursor_close(cursor);
    BOOST_REQUIRE((status == TL_OK || status == TL_NOT_FOUND));
    return status == TL_OK;
  }
  void nothing_is_left() const { check_nothing_left(store, folder.file()); }
};

const Ids kOneLeft = {"other"};

}  // namespace

BOOST_AUTO_TEST_SUITE(deleting)

// ------------------------------------------------------------------------------ criteria

BOOST_AUTO_TEST_CASE(by_trace) {
  const Scene scene(trace("gone") + span("gone", "a") + span("gone", "b") + trace("other") +
                    span("other", "a") + score("s", "\"traceId\":\"gone\"") +
                    score("t", "\"traceId\":\"gone\",\"observationId\":\"a\""));
  const tl_delete_report report = scene.remove(of_trace("gone"));
  BOOST_TEST(report.trace_count == 1U);
  BOOST_TEST(report.observation_count == 2U);
  BOOST_TEST(report.score_count == 2U);
  BOOST_TEST(report.session_count == 0U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  BOOST_TEST(scene.has(TL_KIND_OBSERVATION, "a", "other"));
  BOOST_TEST(!scene.has(TL_KIND_OBSERVATION, "b"));
  BOOST_TEST(!scene.has(TL_KIND_SCORE, "s"));
  BOOST_TEST(scene.remove(of_trace("gone")).trace_count == 0U);
}

BOOST_AUTO_TEST_CASE(by_session_that_the_trace_or_an_observation_names) {
  const Scene scene(trace("a", ",\"sessionId\":\"s\"") + trace("b") +
                    span("b", "o", ",\"sessionId\":\"s\"") +
                    trace("other", ",\"sessionId\":\"t\"") +
                    event("session-update", "\"id\":\"s\",\"bookmarked\":true") +
                    score("c", "\"sessionId\":\"s\"") + score("d", "\"sessionId\":\"t\""));
  tl_filter of = filter();
  of.session_id = tl_str("s");
  const tl_delete_report report = scene.remove(of);
  BOOST_TEST(report.trace_count == 2U);
  BOOST_TEST(report.session_count == 1U);
  BOOST_TEST(report.score_count == 1U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  BOOST_TEST(!scene.has(TL_KIND_SESSION, "s"));
  BOOST_TEST(scene.has(TL_KIND_SESSION, "t"));
  BOOST_TEST(!scene.has(TL_KIND_SCORE, "c"));
  BOOST_TEST(scene.has(TL_KIND_SCORE, "d"));
}

BOOST_AUTO_TEST_CASE(by_session_without_a_trace) {
  const Scene scene(event("session-update", "\"id\":\"s\",\"bookmarked\":true") +
                    score("c", "\"sessionId\":\"s\"") + score("d", "\"sessionId\":\"t\""));
  tl_filter of = filter();
  of.session_id = tl_str("s");
  BOOST_TEST(scene.remove(of).session_count == 1U);
  BOOST_TEST(!scene.has(TL_KIND_SESSION, "s"));
  BOOST_TEST(scene.has(TL_KIND_SESSION, "t"));
}

BOOST_AUTO_TEST_CASE(by_user_that_the_trace_or_an_observation_names) {
  const Scene scene(trace("a", ",\"userId\":\"u\"") + trace("b", ",\"userId\":\"v\"") +
                    span("b", "o", ",\"userId\":\"u\"") + span("c", "p", ",\"userId\":\"u\"") +
                    trace("other", ",\"userId\":\"v\""));
  tl_filter of = filter();
  of.user_id = tl_str("u");
  BOOST_TEST(scene.remove(of).trace_count == 3U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  BOOST_TEST(scene.number(TL_KIND_USER) == 1U);
}

BOOST_AUTO_TEST_CASE(by_tags_environment_and_time) {
  const std::string events = trace("a", ",\"tags\":[\"red\",\"blue\"]", 1) +
                             trace("b", ",\"tags\":[\"red\"],\"environment\":\"staging\"", 2) +
                             trace("c", {}, 3) + trace("other", ",\"tags\":[\"blue\"]", 9);
  {
    const Scene scene(events);
    const tl_text tags[] = {tl_str("red"), tl_str("blue")};
    tl_filter of = filter();
    of.tags = tags;
    of.tag_count = 2;
    (void)scene.remove(of);
    BOOST_TEST(scene.traces() == (Ids{"b", "c", "other"}), boost::test_tools::per_element());
    of.tag_count = 1;
    (void)scene.remove(of);
    BOOST_TEST(scene.traces() == (Ids{"c", "other"}), boost::test_tools::per_element());
  }
  {
    const Scene scene(events);
    tl_filter of = filter();
    of.environment = tl_str("staging");
    (void)scene.remove(of);
    BOOST_TEST(scene.traces() == (Ids{"a", "c", "other"}), boost::test_tools::per_element());
    of.environment = tl_str("default");
    of.from_ns = at_second(2);
    (void)scene.remove(of);
    BOOST_TEST(scene.traces() == (Ids{"a"}), boost::test_tools::per_element());
  }
  {
    const Scene scene(events);
    tl_filter of = filter();
    of.to_ns = at_second(9);
    (void)scene.remove(of);
    BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(all_conditions_must_hold) {
  const Scene scene(trace("a", ",\"sessionId\":\"s\",\"userId\":\"u\"", 1) +
                    trace("other", ",\"sessionId\":\"s\",\"userId\":\"v\"", 1) +
                    score("c", "\"sessionId\":\"s\""));
  tl_filter of = filter();
  of.session_id = tl_str("s");
  of.user_id = tl_str("u");
  BOOST_TEST(scene.remove(of).trace_count == 1U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  BOOST_TEST(scene.has(TL_KIND_SESSION, "s"));
  BOOST_TEST(scene.has(TL_KIND_SCORE, "c"));
}

// ------------------------------------------------------------------------------ what goes along

BOOST_AUTO_TEST_CASE(a_session_goes_with_its_last_trace) {
  const Scene scene(trace("a", ",\"sessionId\":\"s\"") + trace("b", ",\"sessionId\":\"s\"") +
                    trace("other") + span("other", "o", ",\"sessionId\":\"t\"") +
                    event("session-update", "\"id\":\"s\",\"public\":true") +
                    score("c", "\"sessionId\":\"s\""));
  BOOST_TEST(scene.remove(of_trace("a")).session_count == 0U);
  BOOST_TEST(scene.has(TL_KIND_SESSION, "s"));
  BOOST_TEST(scene.has(TL_KIND_SCORE, "c"));
  BOOST_TEST(scene.remove(of_trace("b")).session_count == 1U);
  BOOST_TEST(!scene.has(TL_KIND_SESSION, "s"));
  BOOST_TEST(!scene.has(TL_KIND_SCORE, "c"));
  const tl_delete_report last = scene.remove(of_trace("other"));
  BOOST_TEST(last.session_count == 1U);
  scene.nothing_is_left();
}

// What the trace had recorded before lies in the session that it left.
BOOST_AUTO_TEST_CASE(a_trace_that_changed_its_session_leaves_nothing_in_the_first) {
  const std::string text = ",\"input\":\"" + std::string(3000, 'x') + "\"";
  const Scene scene;
  scene.store.import_all(trace("a", ",\"sessionId\":\"s\"", 1) + span("a", "o", text, 1));
  scene.store.import_all(trace("a", ",\"sessionId\":\"t\"", 2) + span("a", "p", text, 2));
  scene.store.import_all(trace("other"));
  (void)scene.remove(of_trace("a"));
  (void)scene.remove(of_trace("other"));
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(pieces_that_another_session_shares_stay) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i * 7919) + " and on ";
  const std::string input = ",\"input\":\"" + text + "\"";
  const Scene scene(trace("a", ",\"sessionId\":\"s\"" + input) +
                    trace("other", ",\"sessionId\":\"t\"" + input));
  const tl_filter of_other = of_trace("other");
  const std::string before = scene.store.export_all(nullptr, &of_other);
  (void)scene.remove(of_trace("a"));
  BOOST_TEST(scene.store.export_all(nullptr, &of_other) == before);
  BOOST_TEST(scene.store.statistics().payload_size_bytes == text.size() + 2);
  (void)scene.remove(of_trace("other"));
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(flags_of_sessions_and_scores_without_a_trace_go_by_time) {
  const Scene scene(
      event("session-update", "\"id\":\"early\",\"public\":true", 1) +
      event("session-update", "\"id\":\"late\",\"public\":true", 9) +
      score("a", "\"traceId\":\"never\"", 1) + score("b", "\"sessionId\":\"both\"", 1) +
      score("c", "\"sessionId\":\"both\"", 9) + trace("other", ",\"sessionId\":\"used\"", 9) +
      score("d", "\"sessionId\":\"used\"", 1));
  tl_filter of = filter();
  of.to_ns = at_second(5);
  const tl_delete_report report = scene.remove(of);
  BOOST_TEST(report.trace_count == 0U);
  BOOST_TEST(report.session_count == 1U);
  BOOST_TEST(report.score_count == 1U);
  BOOST_TEST(!scene.has(TL_KIND_SESSION, "early"));
  BOOST_TEST(!scene.has(TL_KIND_SCORE, "a"));
  for (const char* session : {"late", "both", "used"}) {
    BOOST_TEST(scene.has(TL_KIND_SESSION, session), session);
  }
  for (const char* id : {"b", "c", "d"}) BOOST_TEST(scene.has(TL_KIND_SCORE, id), id);
  // By what no score without a trace can have, none of them goes.
  of.name = tl_str("grade");
  of.to_ns = at_second(59);
  BOOST_TEST(scene.remove(of).score_count == 0U);
  (void)scene.remove(all_times());
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(scores_of_a_trace_that_never_came_go_by_its_id) {
  const Scene scene(score("a", "\"traceId\":\"never\"") + trace("other"));
  BOOST_TEST(scene.remove(of_trace("never")).score_count == 1U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
}

// ------------------------------------------------------------------------------ no trace id

BOOST_AUTO_TEST_CASE(an_observation_without_a_trace_goes_with_its_placeholder) {
  const Scene scene(span("", "o", ",\"input\":\"x\",\"metadata\":{\"k\":1}") + trace("other"));
  const tl_delete_report report = scene.remove(of_trace("o"));
  BOOST_TEST(report.trace_count == 1U);
  BOOST_TEST(report.observation_count == 1U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  (void)scene.remove(of_trace("other"));
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(trace_less_events_go_with_the_trace_that_they_belong_to) {
  const Scene scene(span("", "o", ",\"input\":\"loose\",\"sessionId\":\"s\"", 1) +
                    span("home", "o", {}, 2) + trace("other"));
  BOOST_TEST(scene.traces() == (Ids{"home", "other"}), boost::test_tools::per_element());
  const tl_delete_report report = scene.remove(of_trace("home"));
  BOOST_TEST(report.observation_count == 1U);
  BOOST_TEST(report.session_count == 1U);
  // Nothing of it comes back when the observation is named again.
  scene.store.import_all(span("home", "o", {}, 3));
  Rows rows(get(scene.store, TL_KIND_OBSERVATION, "home", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(rows.row().observation->input.form == TL_FORM_ABSENT);
  (void)scene.remove(all_times());
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(a_placeholder_leaves_the_trace_less_events_of_another_trace) {
  const Scene scene(
      span("", "o", ",\"input\":\"loose\"", 1) + span("home", "o", {}, 2) +
      trace("o", ",\"name\":\"named like it\",\"input\":\"" + std::string(400, 'x') + "\"") +
      span("o", "p"));
  const tl_filter of_home = of_trace("home");
  const std::string before = scene.store.export_all(nullptr, &of_home);
  BOOST_TEST(before.find("loose") != std::string::npos);
  BOOST_TEST(scene.remove(of_trace("o")).trace_count == 1U);
  BOOST_TEST(scene.traces() == Ids{"home"}, boost::test_tools::per_element());
  BOOST_TEST(scene.store.export_all(nullptr, &of_home) == before);
  (void)scene.remove(of_home);
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(an_observation_of_another_trace_stays_without_the_trace_less_events) {
  const Scene scene(span("", "o", ",\"input\":\"loose\"", 1) + span("home", "o", {}, 2) +
                    span("other", "o", ",\"output\":\"own\"", 3));
  const tl_filter of_other = of_trace("other");
  const std::string before = scene.store.export_all(nullptr, &of_other);
  (void)scene.remove(of_trace("home"));
  BOOST_TEST(scene.store.export_all() == before);
  (void)scene.remove(of_other);
  scene.nothing_is_left();
}

// ------------------------------------------------------------------------------ afterwards

BOOST_AUTO_TEST_CASE(an_event_for_a_deleted_id_starts_it_anew) {
  const std::string full = ",\"name\":\"first\",\"userId\":\"u\",\"tags\":[\"red\"]," +
                           std::string("\"metadata\":{\"a\":1},\"input\":\"x\"");
  const Scene scene(trace("t", full, 1) + span("t", "o", ",\"output\":\"old\"", 1) +
                    score("s", "\"traceId\":\"t\"", 1));
  (void)scene.remove(of_trace("t"));
  scene.nothing_is_left();
  const std::string again = trace("t", ",\"metadata\":{\"b\":2}", 5) + span("t", "o", {}, 4) +
                            score("s", "\"traceId\":\"u\"", 9);
  scene.store.import_all(again);
  const Scene fresh(again);
  BOOST_TEST(scene.store.export_all() == fresh.store.export_all());
  scene.store.check();
}

BOOST_AUTO_TEST_CASE(a_live_observation_goes_on_anew) {
  const Scene scene;
  tl_observation begun{};
  begun.struct_size = sizeof begun;
  begun.set_mask = TL_BIT(TL_FIELD_NAME);
  begun.name = tl_str("stream");
  begun.id = tl_str("o");
  begun.trace_id = tl_str("t");
  tl_span* span = nullptr;
  must(tl_begin(scene.store.get(), nullptr, &begun, &span));
  const std::string part(500, 'p');
  for (int i = 0; i < 3; ++i) {
    must(tl_append(span, TL_FIELD_OUTPUT, text_of(part)));
    scene.store.flush();  // each a part of its own in the file
  }
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("queued")));
  const tl_delete_report report = scene.remove(of_trace("t"));
  BOOST_TEST(report.observation_count == 1U);
  scene.nothing_is_left();
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("after")));
  must(tl_end(span, nullptr));
  scene.store.flush();
  Rows rows(get(scene.store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(rows.row().is_unfinished == 0);
  BOOST_TEST((rows.row().observation->set_mask & TL_BIT(TL_FIELD_NAME)) == 0U);
  BOOST_TEST(rows.payload(TL_FIELD_OUTPUT) == "after");
  (void)scene.remove(of_trace("t"));
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(a_snapshot_goes_on_seeing_what_is_deleted) {
  const Scene scene(trace("a", ",\"input\":\"" + std::string(5000, 'x') + "\"") + span("a", "o") +
                    trace("b"));
  tl_snapshot* snapshot = nullptr;
  must(tl_snapshot_open(scene.store.get(), &snapshot));
  const std::string before = scene.store.export_all(snapshot);
  Rows rows(list(scene.store, TL_KIND_TRACE, snapshot));
  BOOST_REQUIRE(rows.next());
  (void)scene.remove(all_times());
  BOOST_TEST(rows.next());
  BOOST_TEST(!rows.next());
  BOOST_TEST(scene.store.export_all(snapshot) == before);
  tl_snapshot_close(snapshot);
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(a_position_stays_right_when_its_row_is_deleted) {
  const Scene scene(trace("a", {}, 1) + trace("b", {}, 2) + trace("c", {}, 3));
  std::string after;
  {
    Rows rows(list(scene.store, TL_KIND_TRACE));
    BOOST_REQUIRE(rows.next());
    BOOST_REQUIRE(rows.next());
    tl_text position{};
    must(tl_position(rows.get(), &position));
    after = string_of(position);
  }
  (void)scene.remove(of_trace("b"));
  tl_cursor* cursor = nullptr;
  must(tl_list(scene.store.get(), nullptr, TL_KIND_TRACE, nullptr,
               TL_ORDER_TIME | TL_ORDER_ASCENDING, text_of(after), 0, &cursor));
  Rows rows(cursor);
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(string_of(rows.row().trace->id) == "c");
  BOOST_TEST(!rows.next());
}

// ------------------------------------------------------------------------------ large, and failing

namespace {

std::string many_spans(const std::string& trace_id, int count) {
  std::string events;
  for (int i = 0; i < count; ++i) {
    events += span(trace_id, "o" + std::to_string(i),
                   ",\"name\":\"n\",\"input\":\"" + std::to_string(i) + std::string(300, 'x') +
                       "\",\"metadata\":{\"i\":" + std::to_string(i) + "}");
  }
  return events;
}

struct Steps {
  int left = 0;
  std::vector<std::uint64_t> done;
  static std::int32_t callback(void* context, std::uint64_t done, std::uint64_t /*total*/) {
    auto& self = *static_cast<Steps*>(context);
    self.done.push_back(done);
    return --self.left < 0 ? 1 : 0;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_large_trace_goes_in_steps_that_each_leave_a_sound_file) {
  const Scene scene(many_spans("large", 5000) + trace("other"));
  const tl_filter of = of_trace("large");
  std::uint64_t left = 5000;
  int calls = 0;
  for (;; ++calls) {
    Steps steps;
    tl_delete_report report{};
    report.struct_size = sizeof report;
    const tl_status status = tl_delete(scene.store.get(), &of, Steps::callback, &steps, &report);
    if (status != TL_OK) {
      expect(status, TL_CANCELLED, "stays deleted");
      BOOST_TEST(report.trace_count == 0U);
    }
    BOOST_TEST(report.observation_count > 0U);
    left -= report.observation_count;
    scene.store.check();
    BOOST_TEST(scene.number(TL_KIND_OBSERVATION) == left);
    if (status == TL_OK) break;
  }
  BOOST_TEST(calls > 0);
  BOOST_TEST(left == 0U);
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  (void)scene.remove(of_trace("other"));
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(cancelled_it_has_deleted_whole_traces) {
  const Scene scene(many_spans("a", 3000) + many_spans("b", 3000) + many_spans("c", 3000) +
                    many_spans("d", 3000));
  Steps steps;
  const tl_filter all = all_times();
  tl_delete_report report{};
  report.struct_size = sizeof report;
  expect(tl_delete(scene.store.get(), &all, Steps::callback, &steps, &report), TL_CANCELLED,
         "stays deleted");
  BOOST_TEST(report.observation_count > 0U);
  BOOST_TEST(scene.number(TL_KIND_TRACE) == 4 - report.trace_count);
  BOOST_TEST(scene.number(TL_KIND_OBSERVATION) == 12'000 - report.observation_count);
  scene.store.check();
  (void)scene.remove(all);
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(a_full_map_grows_and_the_same_is_done_again) {
  for (const Point point : {Point::put, Point::erase, Point::commit}) {
    const Scene scene(trace("a") + span("a", "o", ",\"metadata\":{\"k\":1}") + trace("other"));
    store::testing::fail(point, 1, MDB_MAP_FULL);
    const tl_delete_report report = scene.store.remove(of_trace("a"));
    store::testing::fail_nothing();
    BOOST_TEST(report.trace_count == 1U);
    BOOST_TEST(report.observation_count == 1U);
    BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
    scene.store.check();
  }
}

BOOST_AUTO_TEST_CASE(a_failure_leaves_everything_as_it_was) {
  for (const Point point : {Point::put, Point::erase, Point::commit}) {
    const Scene scene(trace("a", ",\"sessionId\":\"s\"") + span("a", "o") + trace("other"));
    const std::string before = scene.store.export_all();
    tl_delete_report report{};
    report.struct_size = sizeof report;
    const tl_filter of = of_trace("a");
    store::testing::fail(point, 1, EIO);
    expect(tl_delete(scene.store.get(), &of, nullptr, nullptr, &report), TL_IO, "");
    store::testing::fail_nothing();
    BOOST_TEST(report.trace_count == 0U);
    BOOST_TEST(scene.store.export_all() == before);
    scene.store.check();
    BOOST_TEST(scene.remove(of).trace_count == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_trace_stays_and_all_others_go) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  store.import_all(trace("bad", ",\"metadata\":{\"k\":\"" + std::string(3000, 'x') + "\"}", 10));
  for (int i = 0; i < 20; ++i) store.import_all(trace("t" + std::to_string(i), {}, i));
  {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_write());
    auto cursor = transaction.cursor(store::KeySpace::payload);
    BOOST_REQUIRE(store::test::must(cursor.seek({})));
    const std::string key(cursor.key());
    store::test::must(transaction.put(store::KeySpace::payload, key, "?"));
    store::test::must(transaction.commit());
  }
  tl_delete_report report{};
  report.struct_size = sizeof report;
  const tl_filter all = all_times();
  expect(tl_delete(store.get(), &all, nullptr, nullptr, &report), TL_CORRUPT, "1 trace is damaged");
  BOOST_TEST(report.trace_count == 20U);
  BOOST_TEST(traces_of(store, filter()) == Ids{"bad"}, boost::test_tools::per_element());
}

// ------------------------------------------------------------------------------ refusals

BOOST_AUTO_TEST_CASE(what_is_refused) {
  const Scene scene(trace("other"));
  tl_delete_report report{};
  report.struct_size = sizeof report;
  tl_filter none = filter();
  expect(tl_delete(scene.store.get(), &none, nullptr, nullptr, &report), TL_INVALID,
         "without a condition", "filter");
  expect(tl_delete(scene.store.get(), nullptr, nullptr, nullptr, &report), TL_MISUSE, "filter");
  expect(tl_delete(nullptr, &none, nullptr, nullptr, &report), TL_MISUSE, "store");
  none = {};
  expect(tl_delete(scene.store.get(), &none, nullptr, nullptr, &report), TL_MISUSE, "struct_size");
  tl_filter lone = filter();
  lone.metadata_value = tl_str("x");
  expect(tl_delete(scene.store.get(), &lone, nullptr, nullptr, nullptr), TL_INVALID, "key");
  BOOST_TEST(scene.traces() == kOneLeft, boost::test_tools::per_element());
  tl_options options{};
  options.read_only = 1;
  const Store reader(scene.folder.file(), options);
  const tl_filter all = all_times();
  expect(tl_delete(reader.get(), &all, nullptr, nullptr, &report), TL_READ_ONLY, "");
}

BOOST_AUTO_TEST_CASE(an_empty_file_has_nothing_to_delete) {
  const Scene scene;
  BOOST_TEST(scene.store.remove(all_times()).trace_count == 0U);
}

// ------------------------------------------------------------------------------ two processes

// Each remembers what the other deletes, unless it notices.
BOOST_AUTO_TEST_CASE(another_process_deletes_what_this_one_records) {
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  store::test::Line to_child;
  store::test::Line to_parent;
  store::test::Child child([&] {
    to_child.close_writing();
    to_parent.close_reading();
    const Store store(path);
    while (to_child.receive() == 'd') {
      (void)store.remove(all_times());
      to_parent.send('k');
    }
    return 0;
  });
  to_child.close_reading();
  to_parent.close_writing();
  {
    const Store store(path);
    const std::string events =
        trace("t", ",\"sessionId\":\"s\",\"userId\":\"u\",\"tags\":[\"red\"],\"input\":\"" +
                       std::string(4000, 'x') + "\"") +
        span("t", "o", ",\"metadata\":{\"k\":1}") + span("", "p") +
        score("c", "\"sessionId\":\"s\"");
    store.import_all(events);
    const std::string expected = store.export_all();
    for (int round = 0; round < 5; ++round) {
      to_child.send('d');
      BOOST_REQUIRE(to_parent.receive() == 'k');
      BOOST_TEST(store.export_all().empty());
      store.check();
      store.import_all(events);
      BOOST_TEST(store.export_all() == expected);
      store.check();
    }
    to_child.send('q');
  }
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
