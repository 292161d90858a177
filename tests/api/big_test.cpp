// Things of unusual size come back whole, and in pages: a large and deep trace, a trace with many
// tags, a user with many sessions.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "api/support.hpp"

namespace tracelite::api::test {
namespace {

constexpr std::uint64_t kObservationCount = 32'843;
constexpr std::uint64_t kLevelCount = 10'000;
constexpr std::size_t kPageRowCount = 100;
constexpr std::size_t kPreviewSizeBytes = 200;

Rows list(const Store& store, tl_kind kind, const tl_filter& where, tl_order order,
          std::string_view after, std::uint64_t limit) {
  tl_cursor* cursor = nullptr;
  const tl_text position = after.empty() ? tl_text{} : text_of(after);
  must(tl_list(store.get(), nullptr, kind, &where, order, position, limit, &cursor));
  return Rows(cursor);
}

std::string position_of(const Rows& rows) {
  tl_text position{};
  must(tl_position(rows.get(), &position));
  return string_of(position);
}

std::string input_of(std::uint64_t number) {
  return "\"input of " + std::to_string(number) + " " + std::string(300, 'x') + "\"";
}

enum class Order { parents_first, children_first };

// A chain of 10,000, all others below its end.
void put_large_trace(const Store& store, Order order) {
  for (std::uint64_t turn = 0; turn < kObservationCount; ++turn) {
    const std::uint64_t i = order == Order::parents_first ? turn : kObservationCount - 1 - turn;
    const std::string id = "o" + std::to_string(i);
    const std::string parent = i == 0 ? "" : "o" + std::to_string(std::min(i - 1, kLevelCount - 2));
    const std::string input = input_of(i);
    tl_observation made{};
    made.struct_size = sizeof made;
    made.id = text_of(id);
    made.trace_id = tl_str("large");
    made.start_time_ns = static_cast<std::int64_t>(i + 1);
    made.input = {TL_FORM_JSON, text_of(input)};
    made.set_mask =
        TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_INPUT);
    if (!parent.empty()) {
      made.parent_observation_id = text_of(parent);
      made.set_mask |= TL_BIT(TL_FIELD_PARENT_OBSERVATION_ID);
    }
    must(tl_put_observation(store.get(), &made));
  }
  store.flush();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(big_things)

BOOST_AUTO_TEST_CASE(a_large_and_deep_trace_is_read_as_a_tree_and_in_pages_with_previews) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  put_large_trace(store, Order::parents_first);

  tl_cursor* cursor = nullptr;
  must(tl_tree(store.get(), nullptr, tl_str("large"), &cursor));
  Rows tree(cursor);
  BOOST_REQUIRE(tree.next());
  BOOST_TEST(tree.row().aggregate->observation_count == kObservationCount);
  std::uint64_t number = 0;
  for (; tree.next(); ++number) {
    BOOST_REQUIRE(string_of(tree.row().observation->id) == "o" + std::to_string(number));
    BOOST_REQUIRE(tree.row().depth == std::min(number + 1, kLevelCount));
  }
  BOOST_TEST(number == kObservationCount);

  tl_filter where = filter();
  where.trace_id = tl_str("large");
  std::string after;
  for (const std::uint64_t begin : {std::uint64_t{0}, std::uint64_t{100}, std::uint64_t{200}}) {
    Rows page = list(store, TL_KIND_OBSERVATION, where, TL_ORDER_TIME | TL_ORDER_ASCENDING, after,
                     kPageRowCount);
    for (std::uint64_t i = begin; i < begin + kPageRowCount; ++i) {
      BOOST_REQUIRE(page.next());
      BOOST_REQUIRE(string_of(page.row().observation->id) == "o" + std::to_string(i));
      char preview[kPreviewSizeBytes];
      std::size_t size = 0;
      must(tl_payload_read(page.get(), TL_FIELD_INPUT, TL_READ_AS_GIVEN, 0, preview, sizeof preview,
                           &size));
      BOOST_REQUIRE((std::string_view(preview, size) == input_of(i).substr(0, kPreviewSizeBytes)));
    }
    after = position_of(page);
    BOOST_TEST(!page.next());
  }
}

// As exporters do, that tell of a span when it has ended: each one is the new root of what is
// there.
BOOST_AUTO_TEST_CASE(a_large_trace_may_come_with_its_children_first) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  put_large_trace(store, Order::children_first);
  tl_cursor* cursor = nullptr;
  must(tl_get(store.get(), nullptr, TL_KIND_TRACE, {}, tl_str("large"), &cursor));
  Rows trace(cursor);
  BOOST_REQUIRE(trace.next());
  BOOST_TEST(trace.row().aggregate->observation_count == kObservationCount);
  BOOST_TEST(trace.row().trace->timestamp_ns == 1);
  BOOST_TEST(trace.row().is_derived != 0);
}

BOOST_AUTO_TEST_CASE(an_export_gives_out_a_large_trace_in_parts) {
  constexpr int kCount = 16;
  constexpr std::size_t kInputSizeBytes = std::size_t{1} << 20;
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  const auto id_of = [](int number) { return "o" + std::to_string(10 + number); };
  for (int i = 0; i < kCount; ++i) {
    const std::string id = id_of(i);
    const std::string input = id + " " + std::string(kInputSizeBytes, 'x');
    tl_observation made{};
    made.struct_size = sizeof made;
    made.id = text_of(id);
    made.trace_id = tl_str("large");
    made.start_time_ns = 1;
    made.input = {TL_FORM_TEXT, text_of(input)};
    made.set_mask = TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_INPUT);
    must(tl_put_observation(store.get(), &made));
  }
  store.flush();
  struct Output {
    std::string text;
    std::size_t largest_size_bytes = 0;
    static std::int32_t write(void* context, const void* data, std::size_t size_bytes) {
      auto& self = *static_cast<Output*>(context);
      self.text.append(static_cast<const char*>(data), size_bytes);
      self.largest_size_bytes = std::max(self.largest_size_bytes, size_bytes);
      return 0;
    }
  } output;
  must(tl_export(store.get(), nullptr, nullptr, TL_FORMAT_LANGFUSE, Output::write, &output, nullptr,
                 nullptr));
  BOOST_TEST(output.largest_size_bytes < 3 * kInputSizeBytes);
  BOOST_TEST(std::count(output.text.begin(), output.text.end(), '\n') == kCount);
  std::size_t at = 0;
  for (int i = 0; i < kCount; ++i) {
    const std::string id = id_of(i);
    at = output.text.find("\"id\":\"" + id + "\"", at);
    BOOST_REQUIRE(at != std::string::npos);
    at = output.text.find("\"input\":\"" + id + " x", at);
    BOOST_REQUIRE(at != std::string::npos);
    at = output.text.find('\n', at);
  }
}

BOOST_AUTO_TEST_CASE(a_trace_with_a_thousand_tags_has_them_all_and_is_found_by_each) {
  constexpr std::size_t kTagCount = 1'000;
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  std::vector<std::string> tags;
  for (std::size_t i = 0; i < kTagCount; ++i) tags.push_back("tag " + std::to_string(i));
  std::vector<tl_text> texts;
  for (const std::string& tag : tags) texts.push_back(text_of(tag));
  for (const char* id : {"tagged", "other"}) {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str(id);
    trace.timestamp_ns = 1;
    trace.tags = texts.data();
    trace.tag_count = id[0] == 't' ? texts.size() : 1;
    trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_TAGS);
    must(tl_put_trace(store.get(), &trace));
  }
  store.flush();
  Rows rows(get(store, TL_KIND_TRACE, "tagged", "tagged"));
  BOOST_REQUIRE(rows.next());
  const tl_trace& row = *rows.row().trace;
  std::sort(tags.begin(), tags.end());
  BOOST_REQUIRE(row.tag_count == kTagCount);
  for (std::size_t i = 0; i < kTagCount; ++i) BOOST_REQUIRE(string_of(row.tags[i]) == tags[i]);
  for (const std::size_t at : {std::size_t{1}, std::size_t{500}, kTagCount - 1}) {
    tl_filter where = filter();
    const tl_text both[] = {texts[at], texts[0]};
    where.tags = both;
    where.tag_count = 2;
    Rows found = list(store, TL_KIND_TRACE, where, TL_ORDER_TIME, {}, 0);
    BOOST_REQUIRE(found.next());
    BOOST_TEST(string_of(found.row().trace->id) == "tagged");
    BOOST_TEST(!found.next());
  }
}

BOOST_AUTO_TEST_CASE(a_user_with_many_sessions_has_them_all_in_pages) {
  constexpr std::uint64_t kSessionCount = 10'000;
  constexpr std::uint64_t kLargePageRowCount = 2'500;
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  for (std::uint64_t i = 0; i < kSessionCount; ++i) {
    const std::string id = "trace " + std::to_string(i);
    const std::string session = "session " + std::to_string(i);
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = text_of(id);
    trace.timestamp_ns = static_cast<std::int64_t>(i + 1);
    trace.session_id = text_of(session);
    trace.user_id = tl_str("busy");
    trace.set_mask =
        TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_USER_ID);
    must(tl_put_trace(store.get(), &trace));
  }
  store.flush();
  Rows user(get(store, TL_KIND_USER, "", "busy"));
  BOOST_REQUIRE(user.next());
  BOOST_TEST(user.row().aggregate->trace_count == kSessionCount);
  tl_filter where = filter();
  where.user_id = tl_str("busy");
  std::string after;
  std::uint64_t number = kSessionCount;
  while (number > 0) {
    Rows page = list(store, TL_KIND_SESSION, where, TL_ORDER_TIME, after, kLargePageRowCount);
    for (std::uint64_t i = 0; i < kLargePageRowCount; ++i) {
      BOOST_REQUIRE(page.next());
      --number;  // the last to be active come first
      BOOST_REQUIRE(string_of(page.row().session->id) == "session " + std::to_string(number));
    }
    after = position_of(page);
    BOOST_TEST(!page.next());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
