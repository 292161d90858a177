// tl_delete: what each criterion takes, what goes along, and what stays.
#include <boost/test/unit_test.hpp>
#include <string>

#include "api/delete_support.hpp"
#include "record/runs.hpp"

namespace tracelite::api::test {

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
  BOOST_TEST(scene.has_term("v"));
  BOOST_TEST(!scene.has_term("u"));
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
  BOOST_TEST(scene.container_count() == 1U);
  BOOST_TEST(entries(scene.folder.file(), store::KeySpace::frame) == 0U);
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

// They are looked for once more than half of them are stale.
// The later event of the score is read first; its trace never came, and has nothing in the end.
BOOST_AUTO_TEST_CASE(a_trace_whose_only_score_has_gone_to_another_leaves_nothing) {
  const Scene scene(score("s", R"("traceId":"later")", 9));
  scene.store.import_all(score("s", R"("traceId":"a")", 1) + trace("a"));
  BOOST_TEST(scene.traces() == Ids{"a"}, boost::test_tools::per_element());
  BOOST_TEST(scene.remove(of_trace("a")).score_count == 1U);
  scene.nothing_is_left();
}

BOOST_AUTO_TEST_CASE(places_of_observations_by_id_go_with_the_observations) {
  const Scene scene;
  for (int t = 0; t < 10; ++t) {
    std::string events;
    for (int o = 0; o < 10; ++o) {
      events += span("t" + std::to_string(t), "o" + std::to_string(10 * t + o));
    }
    scene.store.import_all(events);
  }
  const auto entry_count = [&] {
    const auto environment = store::test::open_file(scene.folder.file());
    return store::test::must(record::run_entry_count(store::test::must(environment->begin_read()),
                                                     store::KeySpace::observation_directory));
  };
  BOOST_TEST(entry_count() == 100U);
  for (int t = 0; t < 8; ++t) {
    (void)scene.store.remove(of_trace("t" + std::to_string(t)));
    BOOST_TEST(entry_count() <= 2 * scene.number(TL_KIND_OBSERVATION));
  }
  for (int o = 0; o < 100; ++o) {
    BOOST_TEST(scene.has(TL_KIND_OBSERVATION, "o" + std::to_string(o)) == (o >= 80));
  }
  scene.store.check();
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
  BOOST_TEST(scene.container_count() == 1U);
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

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
