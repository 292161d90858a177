// Single entities, derived traces, trace-less observations, and payloads of rows.
#include <algorithm>

#include "oracle.hpp"

namespace tracelite::query::test {
namespace {

std::string read_part(Cursor& cursor, const Row& row, const model::PayloadView& view,
                      std::uint64_t offset, std::size_t size_bytes) {
  std::string part(size_bytes, '\0');
  part.resize(must(cursor.read_payload(row, view, payload::ReadMode::as_given, offset, part)));
  return part;
}

struct Fixture {
  World world;

  Row one(Kind kind, const std::string& trace_id, const std::string& id) {
    const auto cursor = must(get(world.snapshot(), kind, trace_id, id));
    Row row;
    BOOST_REQUIRE(must(cursor->next(row)));
    Row none;
    BOOST_TEST(!must(cursor->next(none)));
    BOOST_TEST((cursor->position().error().code == Code::misuse));
    return row;
  }
  Error refused(Kind kind, const std::string& trace_id, const std::string& id) {
    const auto cursor = get(world.snapshot(), kind, trace_id, id);
    BOOST_REQUIRE(!cursor);
    return cursor.error();
  }
};

ObservationSpec observation(const std::string& trace_id, const std::string& id,
                            std::int64_t start_ns = 1, Text parent = {}) {
  ObservationSpec spec;
  spec.trace_id = trace_id;
  spec.id = id;
  spec.start_ns = start_ns;
  spec.parent = std::move(parent);
  return spec;
}

const std::string kHexId = "00f067aa0ba902b7";
const std::string kHexTrace = "4bf92f3577b34da6a3ce929d0e0e4736";

BOOST_AUTO_TEST_SUITE(single_rows)

BOOST_FIXTURE_TEST_CASE(entities_are_found_by_their_ids, Fixture) {
  world.commit([&] {
    TraceSpec trace;
    trace.id = kHexTrace;
    trace.time_ns = 7;
    trace.name = "flow";
    world.add(trace);
    world.add(observation(kHexTrace, kHexId));
    world.add(observation(kHexTrace, "text id"));
    ScoreSpec score;
    score.id = "score";
    score.name = "n";
    score.trace_id = "not recorded";
    world.add(score);
  });
  const Row trace = one(Kind::trace, "", kHexTrace);
  BOOST_TEST(trace.trace_id == kHexTrace);
  BOOST_TEST(!trace.is_derived);
  BOOST_TEST(trace.aggregate.observation_count == 2U);
  for (const std::string& id : {kHexId, std::string("text id")}) {
    for (const std::string& trace_id : {std::string(), kHexTrace}) {
      const Row row = one(Kind::observation, trace_id, id);
      BOOST_TEST(row.entity.id == id);
      BOOST_TEST(row.trace_id == kHexTrace);
    }
  }
  BOOST_TEST(one(Kind::score, "", "score").trace_id == "not recorded");
  for (const Kind kind : {Kind::trace, Kind::observation, Kind::score}) {
    BOOST_TEST((refused(kind, "", "never").code == Code::not_found));
  }
  BOOST_TEST((refused(Kind::observation, "never", kHexId).code == Code::not_found));
  BOOST_TEST((refused(Kind::trace, "", "not recorded").code == Code::not_found));
}

BOOST_FIXTURE_TEST_CASE(an_observation_id_in_two_traces_needs_its_trace, Fixture) {
  world.commit([&] {
    world.add(observation("a", "same"));
    world.add(observation("b", "same"));
  });
  const Error error = refused(Kind::observation, "", "same");
  BOOST_TEST((error.code == Code::invalid));
  BOOST_TEST(error.field == "trace_id");
  BOOST_TEST(error.message == "observation same is in 2 traces: say in which");
  BOOST_TEST(one(Kind::observation, "b", "same").trace_id == "b");
}

BOOST_FIXTURE_TEST_CASE(a_trace_without_a_record_is_read_from_its_root, Fixture) {
  world.commit([&] {
    ObservationSpec child = observation("t", "child", 1, "root");
    child.name = "not this";
    world.add(child);
    ObservationSpec root = observation("t", "root", 5);
    root.name = "this";
    root.environment = "prod";
    root.input = R"({"q":1})";
    root.output = "[2]";
    world.add(root);
  });
  const auto check = [&](std::optional<bool> bookmarked) {
    const auto cursor = must(get(world.snapshot(), Kind::trace, {}, "t"));
    Row row;
    BOOST_REQUIRE(must(cursor->next(row)));
    BOOST_TEST(row.is_derived);
    const model::TraceView view = row.trace();
    BOOST_TEST(view.name.value_or("") == "this");
    BOOST_TEST(view.environment == "prod");
    BOOST_REQUIRE(view.timestamp_ns);
    BOOST_TEST(*view.timestamp_ns == 1);  // the earliest start
    BOOST_TEST(must(cursor->payload(row, view.input)) == R"({"q":1})");
    BOOST_TEST(must(cursor->payload(row, view.output)) == "[2]");
    BOOST_TEST((view.is_bookmarked == bookmarked));
  };
  check({});
  world.commit([&] {
    TraceSpec flags;
    flags.id = "t";
    flags.flags_only = true;
    flags.bookmarked = true;
    world.add(flags);
  });
  check(true);
}

BOOST_FIXTURE_TEST_CASE(a_trace_of_flags_alone_is_there, Fixture) {
  world.commit([&] {
    TraceSpec flags;
    flags.id = "t";
    flags.time_ns = 42;
    flags.flags_only = true;
    flags.bookmarked = false;
    world.add(flags);
  });
  const Row row = one(Kind::trace, "", "t");
  BOOST_TEST(row.is_derived);
  BOOST_TEST(*row.trace().timestamp_ns == 42);
  BOOST_TEST(!row.trace().name);
  BOOST_TEST(row.trace().environment == "default");
}

BOOST_FIXTURE_TEST_CASE(an_observation_without_a_trace_is_a_trace_of_its_own, Fixture) {
  world.commit([&] {
    ObservationSpec stray = observation("", "alone", 3);
    stray.name = "n";
    stray.session = "s";
    world.add(stray);
  });
  const Row row = one(Kind::observation, "", "alone");
  BOOST_TEST(row.trace_id == "");
  BOOST_TEST((row.key.kind == record::RecordKind::stray));
  BOOST_TEST(one(Kind::observation, "alone", "alone").trace_id == "");
  const Row trace = one(Kind::trace, "", "alone");
  BOOST_TEST(trace.is_derived);
  BOOST_TEST(trace.trace().name.value_or("") == "n");

  const auto snapshot = world.snapshot();
  BOOST_TEST(names_of(rows(list(snapshot, Kind::observation, {}, {}, {}, 0))) ==
                 std::vector<std::string>{"/alone"},
             boost::test_tools::per_element());
  const auto in_tree = rows(tree(snapshot, "alone"));
  BOOST_REQUIRE(in_tree.size() == 2U);
  BOOST_TEST(in_tree[1].trace_id == "");
  BOOST_TEST(in_tree[1].entity.id == "alone");
  BOOST_TEST(rows(replay(snapshot, "s", {})).size() == 2U);  // two begins: neither has ended
}

BOOST_FIXTURE_TEST_CASE(events_without_a_trace_belong_to_the_observation_that_names_one, Fixture) {
  world.commit([&] {
    ObservationSpec named = observation("t", "o", 3);
    ObservationSpec loose = observation("", "o", 3);
    loose.name = "from the trace-less event";
    loose.parent = "p";
    world.add_settled(named, loose);
    world.add(observation("t", "p", 4));
  });
  for (const std::string& trace_id : {std::string(), std::string("t")}) {
    const Row row = one(Kind::observation, trace_id, "o");
    BOOST_TEST(row.trace_id == "t");
    BOOST_TEST(model::view_observation(row.entity).name.value_or("") ==
               "from the trace-less event");
  }
  BOOST_TEST((refused(Kind::observation, "o", "o").code == Code::not_found));
  BOOST_TEST((refused(Kind::trace, "", "o").code == Code::not_found));
  const auto in_tree = rows(tree(world.snapshot(), "t"));
  BOOST_REQUIRE(in_tree.size() == 3U);
  BOOST_TEST(in_tree[2].entity.id == "o");  // its parent is known from the trace-less event
  BOOST_TEST(in_tree[2].depth == 2U);
}

BOOST_FIXTURE_TEST_CASE(payloads_of_any_size_come_back_whole_and_in_parts, Fixture) {
  std::string large = "[\"";
  for (int i = 0; large.size() < 700'000; ++i) large += std::to_string(i) + " ";
  large += "\"]";
  world.commit([&] {
    ObservationSpec spec = observation("t", "o");
    spec.input = "{\"a\":1}";
    spec.output = large;
    spec.metadata = {{"k", "1"}};
    world.add(spec);
  });
  const auto cursor = must(get(world.snapshot(), Kind::observation, {}, "o"));
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  const model::ObservationView view = model::view_observation(row.entity);
  BOOST_TEST(view.output.value.size_bytes == large.size());
  BOOST_TEST((must(cursor->payload(row, view.output)) == large));
  BOOST_TEST(must(cursor->payload(row, view.input)) == "{\"a\":1}");
  BOOST_TEST(must(cursor->payload(row, view.metadata)) == "{\"k\":1}");
  std::string parts;
  for (std::size_t offset = 0; offset < large.size() + 1000; offset += 100'000) {
    parts += read_part(*cursor, row, view.output, offset, 100'000);
  }
  BOOST_TEST((parts == large));
  std::string part;
  part += read_part(*cursor, row, view.input, 1, 3);
  part += read_part(*cursor, row, view.input, 7, 10);
  part += read_part(*cursor, row, view.input, 1000, 10);
  BOOST_TEST(part == "\"a\"");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
