// What cursors give when their snapshot was renewed because the map had to grow, and what they
// stood on has been changed or deleted since.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "api/support.hpp"
#include "support/random_seed.hpp"

namespace tracelite::api::test {
namespace {

// Text that does not get smaller, nor longer in JSON.
std::string random_text(std::size_t size_bytes, std::mt19937& random) {
  std::string text;
  text.reserve(size_bytes);
  while (text.size() < size_bytes) text.push_back(static_cast<char>('0' + random() % 64));
  std::replace(text.begin(), text.end(), '\\', '_');
  return text;
}

// A store with a small map and a snapshot that will have to make way for a larger one.
struct Scene {
  Folder folder{store::test::fast_folder()};
  Store store{folder.file(), small_map()};
  std::mt19937 random{tracelite::test::short_random_seed()};
  tl_snapshot* snapshot = nullptr;

  Scene() = default;
  ~Scene() { tl_snapshot_close(snapshot); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  static tl_options small_map() {
    tl_options options{};
    options.map_size_bytes = std::uint64_t{1} << 20;
    return options;
  }
  void put_trace(const std::string& id, std::int64_t at_ns, const std::string& input = {},
                 const std::string& session = {}, const std::string& environment = {}) const {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = text_of(id);
    trace.timestamp_ns = at_ns;
    trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP);
    if (!input.empty()) {
      trace.input = {TL_FORM_TEXT, text_of(input)};
      trace.set_mask |= TL_BIT(TL_FIELD_INPUT);
    }
    if (!session.empty()) {
      trace.session_id = text_of(session);
      trace.set_mask |= TL_BIT(TL_FIELD_SESSION_ID);
    }
    if (!environment.empty()) {
      trace.environment = text_of(environment);
      trace.set_mask |= TL_BIT(TL_FIELD_ENVIRONMENT);
    }
    must(tl_put_trace(store.get(), &trace));
  }
  void put_observation(const std::string& trace, const std::string& id,
                       const std::string& input = {}) const {
    tl_observation observation = named(trace, id);
    observation.start_time_ns = 5;
    observation.set_mask = TL_BIT(TL_FIELD_START_TIME);
    if (!input.empty()) {
      observation.input = {TL_FORM_TEXT, text_of(input)};
      observation.set_mask |= TL_BIT(TL_FIELD_INPUT);
    }
    must(tl_put_observation(store.get(), &observation));
  }
  // An observation that names no trace.
  void put_loose(const std::string& id, std::int64_t start_ns, const std::string& input,
                 const std::string& session) const {
    tl_observation observation{};
    observation.struct_size = sizeof observation;
    observation.id = text_of(id);
    observation.start_time_ns = start_ns;
    observation.input = {TL_FORM_TEXT, text_of(input)};
    observation.session_id = text_of(session);
    observation.set_mask =
        TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_SESSION_ID);
    must(tl_put_observation(store.get(), &observation));
  }
  void put_metadata(const std::string& trace, const std::string& id,
                    const std::string& json) const {
    tl_observation observation = named(trace, id);
    observation.metadata = {TL_FORM_JSON, text_of(json)};
    observation.set_mask = TL_BIT(TL_FIELD_METADATA);
    must(tl_put_observation(store.get(), &observation));
    store.flush();
  }
  void clear_input(const std::string& trace, const std::string& id) const {
    tl_observation observation = named(trace, id);
    observation.clear_mask = TL_BIT(TL_FIELD_INPUT);
    must(tl_put_observation(store.get(), &observation));
    store.flush();
  }
  void end_observation(const std::string& trace, const std::string& id) const {
    tl_observation observation = named(trace, id);
    observation.end_time_ns = 9;
    observation.set_mask = TL_BIT(TL_FIELD_END_TIME);
    must(tl_put_observation(store.get(), &observation));
  }
  static tl_observation named(const std::string& trace, const std::string& id) {
    tl_observation observation{};
    observation.struct_size = sizeof observation;
    observation.id = text_of(id);
    observation.trace_id = text_of(trace);
    return observation;
  }
  void open_snapshot() {
    store.flush();
    must(tl_snapshot_open(store.get(), &snapshot));
  }
  // Until no reader holds an older commit: the snapshot was given up. Each needs a commit behind
  // it.
  void grow() {
    int count = 0;
    do {
      BOOST_REQUIRE(count < 200);
      put_observation("large", std::to_string(count++), random_text(400'000, random));
      store.flush();
    } while (store.statistics().oldest_reader_lag > 0);
  }
};

std::vector<std::string> numbered(const char* prefix, int first, int end) {
  std::vector<std::string> names;
  for (int i = first; i < end; ++i) names.push_back(prefix + std::to_string(i));
  return names;
}

tl_cursor* get(const Store& store, tl_kind kind, std::string_view trace_id, std::string_view id,
               tl_snapshot* snapshot) {
  tl_cursor* cursor = nullptr;
  must(tl_get(store.get(), snapshot, kind, text_of(trace_id), text_of(id), &cursor));
  return cursor;
}

std::vector<std::string> observations_of(Rows& rows) {
  std::vector<std::string> ids;
  while (rows.next()) {
    if (rows.row().kind == TL_KIND_OBSERVATION)
      ids.push_back(string_of(rows.row().observation->id));
  }
  return ids;
}

// Keeps what is exported, and changes the file behind the first part of it.
struct ChangedExport {
  Scene scene;
  std::function<void()> change;
  std::string text;
  std::size_t first_size_bytes = 0;

  static std::int32_t write(void* context, const void* data, std::size_t size_bytes) {
    auto& self = *static_cast<ChangedExport*>(context);
    self.text.append(static_cast<const char*>(data), size_bytes);
    if (self.first_size_bytes != 0) return 0;
    self.first_size_bytes = size_bytes;
    std::thread([&self] {
      self.change();
      self.scene.grow();
    }).join();
    return 0;
  }
  void run() {
    scene.store.flush();
    must(tl_export(scene.store.get(), nullptr, nullptr, TL_FORMAT_LANGFUSE, write, this, nullptr,
                   nullptr));
    BOOST_TEST(first_size_bytes > 0U);
  }
  // How often the text has this.
  [[nodiscard]] std::size_t count(const std::string& part) const {
    std::size_t number = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
      ++number;
    }
    return number;
  }
};

void expect_expired(const Rows& rows, tl_field field) {
  std::string buffer(10'000, '\0');
  std::size_t size_bytes = 1;
  expect(tl_payload_read(rows.get(), field, TL_READ_AS_GIVEN, 0, buffer.data(), buffer.size(),
                         &size_bytes),
         TL_EXPIRED, "read the row again");
  BOOST_TEST(size_bytes == 0U);
  tl_text preview{};
  expect(tl_preview(rows.get(), field, 0, &preview), TL_EXPIRED, "read the row again");
  BOOST_TEST(preview.size_bytes == 0U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(renewed)

BOOST_AUTO_TEST_CASE(a_list_leaves_out_traces_that_were_deleted) {
  Scene scene;
  for (int i = 0; i < 30; ++i) scene.put_trace("t" + std::to_string(i), i);
  scene.put_observation("derived", "root");
  scene.open_snapshot();
  Rows rows(list(scene.store, TL_KIND_TRACE, scene.snapshot));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(scene.store.remove(of_trace("t2")).trace_count == 1U);
  scene.put_trace("derived", 5);
  scene.grow();
  std::vector<std::string> names;
  while (rows.next()) {
    names.push_back(string_of(rows.row().trace->id));
    BOOST_TEST(rows.row().is_derived == 0);  // it has a record by this commit
  }
  std::vector<std::string> wanted = numbered("t", 1, 30);
  wanted.erase(wanted.begin() + 1);
  wanted.insert(std::find(wanted.begin(), wanted.end(), "t5"), "derived");
  BOOST_TEST(names == wanted, boost::test_tools::per_element());
  scene.store.check();
}

BOOST_AUTO_TEST_CASE(an_export_leaves_out_traces_that_were_deleted) {
  struct Export {
    Scene scene;
    std::string text;
    bool is_changed = false;
    static std::int32_t write(void* context, const void* data, std::size_t size) {
      auto& self = *static_cast<Export*>(context);
      self.text.append(static_cast<const char*>(data), size);
      if (!std::exchange(self.is_changed, true)) std::thread([&self] { self.change(); }).join();
      return 0;
    }
    void change() {
      for (int i = 10; i < 20; ++i) {
        static_cast<void>(scene.store.remove(of_trace("t" + std::to_string(i))));
      }
      scene.grow();
    }
  } one;
  const std::string input = random_text(150'000, one.scene.random);
  for (int i = 0; i < 20; ++i) {
    one.scene.put_trace("t" + std::to_string(i), i, std::to_string(i) + input);
  }
  one.scene.store.flush();
  must(tl_export(one.scene.store.get(), nullptr, nullptr, TL_FORMAT_LANGFUSE, Export::write, &one,
                 nullptr, nullptr));
  BOOST_TEST(one.is_changed);
  for (int i = 0; i < 20; ++i) {
    const std::string line = "\"id\":\"t" + std::to_string(i) + "\"";
    BOOST_TEST((one.text.find(line) != std::string::npos) == (i < 10), "trace " << i);
  }
}

// A part of a trace is given out before the rest of it is read.
BOOST_AUTO_TEST_CASE(an_export_reads_the_rest_of_a_trace_again_in_a_renewed_view) {
  ChangedExport one;
  const std::string input = random_text(150'000, one.scene.random);
  const std::string other = random_text(150'000, one.scene.random);
  const auto names = numbered("o", 10, 30);
  for (const std::string& id : names) one.scene.put_observation("t", id, id + " " + input);
  one.scene.put_loose("t", 5, "loose " + input, "session");  // in a trace of this name as well
  one.change = [&] {
    // With nothing in between, so that the number of a payload is used again.
    one.scene.clear_input("t", "o25");
    one.scene.put_observation("t", "o25", "changed " + other);
    one.scene.put_observation("t", "t");
  };
  one.run();
  std::size_t last = 0;
  for (const std::string& id : names) {
    const std::size_t at = one.text.find("\"id\":\"" + id + "\"");
    BOOST_REQUIRE(at != std::string::npos);
    BOOST_TEST(at >= last);
    last = at;
    BOOST_TEST(one.count("\"id\":\"" + id + "\"") == 1U);
    BOOST_TEST(one.count("\"" + id + " " + input + "\"") == (id == "o25" ? 0U : 1U), id);
  }
  BOOST_TEST(one.count("\"changed " + other + "\"") == 1U);
  BOOST_TEST(one.count("\"id\":\"t\",\"traceId\":\"t\"") == 1U);
  BOOST_TEST(one.count("\"loose " + input + "\"") == 1U);
}

BOOST_AUTO_TEST_CASE(an_export_ends_a_trace_that_was_deleted_in_the_middle_of_it) {
  ChangedExport one;
  const std::string input = random_text(150'000, one.scene.random);
  for (const std::string& id : numbered("o", 10, 30)) {
    one.scene.put_observation("t", id, id + " " + input);
  }
  one.change = [&] { BOOST_TEST(one.scene.store.remove(of_trace("t")).trace_count == 1U); };
  one.run();
  BOOST_TEST(one.text.size() == one.first_size_bytes);
  BOOST_TEST(one.count("\"id\":\"o10\"") == 1U);
  BOOST_TEST(one.count("\"id\":\"o29\"") == 0U);
}

// Its record stays where it was, joined on reading with what the trace has.
BOOST_AUTO_TEST_CASE(an_observation_that_moved_to_a_trace_is_left_out_where_it_was) {
  Scene scene;
  const std::string input = random_text(3'000, scene.random);
  std::int64_t at_ns = 0;
  for (const std::string id : {"first", "moves", "stays"}) {
    scene.put_loose(id, ++at_ns, input + id, "session");
  }
  scene.open_snapshot();
  Rows all(list(scene.store, TL_KIND_OBSERVATION, scene.snapshot));
  Rows one(get(scene.store, TL_KIND_OBSERVATION, {}, "moves", scene.snapshot));
  tl_cursor* of_tree = nullptr;
  tl_cursor* of_replay = nullptr;
  must(tl_tree(scene.store.get(), scene.snapshot, tl_str("moves"), &of_tree));
  Rows tree(of_tree);
  must(tl_replay(scene.store.get(), scene.snapshot, tl_str("session"), nullptr, &of_replay));
  Rows replay(of_replay);
  for (Rows* rows : {&all, &one, &tree, &replay}) BOOST_REQUIRE(rows->next());
  BOOST_TEST(string_of(all.row().observation->id) == "first");
  scene.put_observation("t", "moves");
  scene.grow();
  BOOST_TEST(observations_of(all) == std::vector<std::string>({"stays"}),
             boost::test_tools::per_element());
  BOOST_TEST(observations_of(tree).empty());
  BOOST_TEST(observations_of(replay) == std::vector<std::string>({"first", "stays"}),
             boost::test_tools::per_element());
  // Nobody deleted or changed what the row in hand was read from.
  BOOST_TEST((one.payload(TL_FIELD_INPUT) == input + "moves"));
  Rows again(get(scene.store, TL_KIND_OBSERVATION, {}, "moves", scene.snapshot));
  BOOST_REQUIRE(again.next());
  BOOST_TEST(string_of(again.row().observation->trace_id) == "t");
  BOOST_TEST((again.payload(TL_FIELD_INPUT) == input + "moves"));
}

// The number of its payload is another one's by now.
BOOST_AUTO_TEST_CASE(a_payload_of_a_row_is_never_that_of_another) {
  Scene scene;
  const std::string first = random_text(3'000, scene.random);
  scene.put_trace("empty", 1, {}, "session");
  scene.put_trace("gone", 1, first, "session");
  scene.open_snapshot();
  Rows one(get(scene.store, TL_KIND_TRACE, {}, "gone", scene.snapshot));
  BOOST_REQUIRE(one.next());
  BOOST_TEST((one.payload(TL_FIELD_INPUT) == first));
  static_cast<void>(scene.store.remove(of_trace("gone")));
  scene.put_trace("next", 1, random_text(5'000, scene.random), "session");
  scene.grow();
  expect_expired(one, TL_FIELD_INPUT);
  BOOST_TEST(string_of(one.row().trace->id) == "gone");
  BOOST_TEST(!one.next());
}

BOOST_AUTO_TEST_CASE(a_payload_of_a_row_stays_what_it_was_or_is_refused) {
  Scene scene;
  const std::string text = random_text(3'000, scene.random);
  const std::string other = random_text(3'000, scene.random);
  const std::vector<std::string> names = {"changed", "ended", "kept", "media", "short"};
  const auto medium = [](char of) { return "data:image/png;base64," + std::string(400, of); };
  for (const std::string& id : names) {
    scene.put_observation("t", id, id == "short" ? "x" : id == "media" ? medium('A') : text + id);
  }
  scene.open_snapshot();
  tl_cursor* of_tree = nullptr;
  tl_cursor* of_list = nullptr;
  must(tl_tree(scene.store.get(), scene.snapshot, tl_str("t"), &of_tree));
  Rows tree(of_tree);
  BOOST_REQUIRE(tree.next());
  must(tl_list(scene.store.get(), scene.snapshot, TL_KIND_OBSERVATION, nullptr, TL_ORDER_NAME, {},
               0, &of_list));
  Rows all(of_list);
  std::vector<std::unique_ptr<Rows>> each;
  for (const std::string& id : names) {
    each.push_back(
        std::make_unique<Rows>(get(scene.store, TL_KIND_OBSERVATION, "t", id, scene.snapshot)));
    BOOST_REQUIRE(each.back()->next());
  }
  // With nothing in between, so that the number of a payload is used again.
  scene.clear_input("t", "changed");
  scene.put_observation("t", "changed", other + "changed");
  scene.clear_input("t", "media");
  scene.put_observation("t", "media", medium('B'));
  scene.clear_input("t", "short");
  scene.end_observation("t", "ended");
  scene.grow();
  expect_expired(*each[0], TL_FIELD_INPUT);
  BOOST_TEST((each[1]->payload(TL_FIELD_INPUT) == text + "ended"));
  BOOST_TEST((each[2]->payload(TL_FIELD_INPUT) == text + "kept"));
  expect_expired(*each[3], TL_FIELD_INPUT);
  BOOST_TEST(each[4]->payload(TL_FIELD_INPUT) == "x");  // it lies in the row
  // What is read from here on is of the newer commit.
  std::map<std::string, std::string> wanted = {{"changed", other + "changed"},
                                               {"ended", text + "ended"},
                                               {"kept", text + "kept"},
                                               {"media", medium('B')}};
  for (int i = 0; i < 5; ++i) {
    BOOST_REQUIRE(tree.next());
    const std::string id = string_of(tree.row().observation->id);
    if (id != "short") BOOST_TEST((tree.payload(TL_FIELD_INPUT) == wanted[id]), id);
  }
  BOOST_TEST(!tree.next());
  while (all.next()) {
    const std::string id = string_of(all.row().observation->id);
    if (wanted.contains(id)) BOOST_TEST((all.payload(TL_FIELD_INPUT) == wanted[id]), id);
  }
}

BOOST_AUTO_TEST_CASE(metadata_of_a_row_that_was_merged_since_is_refused) {
  Scene scene;
  const std::string long_text = random_text(2'000, scene.random);
  for (const std::string id : {"merged", "kept"}) {
    scene.put_metadata("t", id, R"({"a":")" + long_text + R"("})");
    scene.put_metadata("t", id, R"({"b":")" + long_text + R"("})");
  }
  scene.open_snapshot();
  Rows merged(get(scene.store, TL_KIND_OBSERVATION, "t", "merged", scene.snapshot));
  Rows kept(get(scene.store, TL_KIND_OBSERVATION, "t", "kept", scene.snapshot));
  BOOST_REQUIRE(merged.next());
  BOOST_REQUIRE(kept.next());
  const std::string before = kept.payload(TL_FIELD_METADATA);
  BOOST_TEST(before.size() > 4'000U);
  scene.put_metadata("t", "merged", R"({"c":1})");
  scene.grow();
  expect_expired(merged, TL_FIELD_METADATA);
  std::uint64_t size_bytes = 0;
  BOOST_TEST(tl_payload_size(merged.get(), TL_FIELD_METADATA, TL_READ_AS_GIVEN, &size_bytes) ==
             TL_EXPIRED);
  BOOST_TEST((kept.payload(TL_FIELD_METADATA) == before));
}

// A new index numbers its texts anew.
BOOST_AUTO_TEST_CASE(a_list_of_sessions_goes_on_in_a_new_index) {
  Scene scene;
  const auto name = [](const char* prefix, int i) { return prefix + std::to_string(i); };
  for (int i = 0; i < 10; ++i) {
    scene.put_trace(name("t", i), i + 1, {}, name("s", i), name("environment", i));
  }
  scene.open_snapshot();
  Rows rows(list(scene.store, TL_KIND_SESSION, scene.snapshot));
  BOOST_REQUIRE(rows.next());
  static_cast<void>(scene.store.remove(of_trace("t0")));
  static_cast<void>(scene.store.remove(of_trace("t4")));
  tl_session bookmarked{};
  bookmarked.struct_size = sizeof bookmarked;
  bookmarked.id = tl_str("s7");
  bookmarked.is_bookmarked = 1;
  bookmarked.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
  must(tl_put_session(scene.store.get(), &bookmarked));
  scene.store.flush();
  scene.store.reindex();
  scene.grow();
  for (int i = 1; i < 10; ++i) {
    if (i == 4) continue;  // nothing names it any more
    BOOST_REQUIRE(rows.next());
    const tl_session& session = *rows.row().session;
    BOOST_TEST(string_of(session.id) == name("s", i));
    BOOST_TEST(string_of(session.environment) == name("environment", i));
    BOOST_TEST(session.is_bookmarked == (i == 7 ? 1 : 0));
  }
  BOOST_TEST(!rows.next());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
