// Streams of events: lines, batches, arrays, documents that span lines; whole, broken and cut off.
#include <boost/test/unit_test.hpp>

#include "support.hpp"

namespace tracelite::test {
namespace {

std::string trace(Bytes id) {
  std::string body = R"({"id":")";
  body.append(id).append(R"("})");
  return event_text("trace-create", body, "e-" + std::string(id));
}

std::string ids(const Imported& imported) {
  std::string all;
  for (const model::Event& event : imported.events) {
    all += (all.empty() ? "" : " ") + event.entity.id;
  }
  return all;
}

// "line index id", of every failure.
std::string failures(const Imported& imported) {
  std::string all;
  for (const Told& one : imported.failures()) {
    all += (all.empty() ? "" : ", ") + std::to_string(one.line) + " " + std::to_string(one.index) +
           " " + one.event_id;
  }
  return all;
}

// Imports the text in one piece, byte by byte, and in pieces between: always the same.
Imported import_in_pieces(Bytes text) {
  Imported whole = import_text(text);
  for (const std::size_t piece_bytes : {1U, 7U, 100U}) {
    const Imported again = import_text(text, piece_bytes);
    BOOST_TEST(ids(again) == ids(whole));
    BOOST_TEST(failures(again) == failures(whole));
  }
  BOOST_TEST(whole.report.event_count ==
             whole.report.succeeded_count + whole.report.failed_count + whole.report.ignored_count);
  return whole;
}

void check(Bytes text, Bytes wanted_ids, Bytes wanted_failures = "") {
  const Imported imported = import_in_pieces(text);
  BOOST_TEST_INFO(text);
  BOOST_TEST(ids(imported) == wanted_ids);
  BOOST_TEST_INFO(text);
  BOOST_TEST(failures(imported) == wanted_failures);
}

// Each comma and bracket outside texts on lines of their own.
std::string pretty(Bytes json) {
  std::string out;
  bool in_text = false;
  for (const char byte : json) {
    if (byte == '"') in_text = !in_text;
    if (!in_text && (byte == '}' || byte == ']')) out += "\n  ";
    out.push_back(byte);
    if (!in_text && (byte == '{' || byte == '[' || byte == ',')) out += "\n  ";
  }
  return out;
}

BOOST_AUTO_TEST_SUITE(langfuse_stream)

BOOST_AUTO_TEST_CASE(an_empty_stream_has_no_events) {
  for (const Bytes text :
       {"", "\n", " \r\n\r\n ", "\xef\xbb\xbf", "[]", "{\"batch\":[]}", "[\n]"}) {
    const Imported imported = import_in_pieces(text);
    BOOST_TEST(imported.report.event_count == 0U, text);
    BOOST_TEST(imported.told.empty(), text);
  }
}

BOOST_AUTO_TEST_CASE(lines_may_hold_events_arrays_and_batches) {
  const std::string text = trace("a") + "\n[" + trace("b") + "," + trace("c") + "]\n" +
                           R"({"metadata":{"x":[]},"batch":[)" + trace("d") + "]}\n" + trace("e") +
                           "\n";
  check(text, "a b c d e");
  check("{\"batch\":[" + trace("a") + "," + trace("b") + "],\"metadata\":{}}", "a b");
}

BOOST_AUTO_TEST_CASE(line_ends_blank_lines_and_a_byte_order_mark_do_not_matter) {
  check(trace("a") + "\n" + trace("b"), "a b");
  check(trace("a") + "\r\n\r\n  \t\r\n  " + trace("b") + "  \r\n", "a b");
  check("\xef\xbb\xbf" + trace("a") + "\n\n\n" + trace("b") + "\n\n", "a b");
  check("\n\r\n\xef\xbb\xbf" + trace("a"), "", "3 0 ");
}

BOOST_AUTO_TEST_CASE(a_document_may_span_lines) {
  const std::string batch = R"({"batch":[)" + trace("a") + "," + trace("b") + R"(],"metadata":1})";
  check(pretty(batch), "a b");
  check("\n\n" + pretty("[" + trace("a") + "," + trace("b") + "]") + "\n\n", "a b");
  check(pretty(trace("a")), "a");
  check("[\n" + trace("a") + ",\n" + trace("b") + "\n]\n", "a b");
  check("[\n" + trace("a") + "\n,\n" + trace("b") + "]", "a b");
  check("\xef\xbb\xbf[\r\n" + trace("a") + "\r\n]\r\n", "a");
}

BOOST_AUTO_TEST_CASE(every_event_of_a_document_has_its_line) {
  const std::string text = "\n[\n" + trace("a") + ",\n\n" + event_text("spam", "{}", "e-b") +
                           ",\n" + event_text("spam", "{}", "e-c") + "," + trace("d") + "\n]";
  const Imported imported = import_in_pieces(text);
  BOOST_TEST(ids(imported) == "a d");
  BOOST_TEST(failures(imported) == "5 1 e-b, 6 2 e-c");
  BOOST_TEST(imported.told.front().line == 3U);
  BOOST_TEST(imported.told.back().line == 6U);
  BOOST_TEST(imported.told.back().index == 3U);
}

BOOST_AUTO_TEST_CASE(a_bad_event_does_not_spoil_its_neighbours) {
  const std::string bad = event_text("trace-create", R"({"id":tru})", "bad");
  check(trace("a") + "\n" + bad + "\n" + trace("b"), "a b", "2 1 bad");
  check("[" + trace("a") + "," + bad + "," + trace("b") + "]", "a b", "1 1 bad");
  check(R"({"batch":[)" + trace("a") + "," + bad + "," + trace("b") + "]}", "a b", "1 1 bad");
  check("[\n" + trace("a") + ",\n" + bad + ",\n" + trace("b") + "\n]", "a b", "3 1 bad");
  check(pretty(R"({"batch":[)" + trace("a") + "," + bad + "," + trace("b") + "]}"), "a b",
        "11 1 bad");
  check("[7," + trace("a") + ",\"x\"]", "a", "1 0 , 1 2 ");
}

BOOST_AUTO_TEST_CASE(an_element_that_lacks_a_bracket_fails_alone) {
  std::string open = trace("x");
  open.pop_back();
  check("[" + trace("a") + "," + open + "]", "a", "1 1 e-x");
  std::string crossed = event_text("trace-create", R"({"id":"x","tags":["a"})", "e-x");
  check("[" + crossed + "," + trace("b") + "]", "b", "1 0 e-x");
}

BOOST_AUTO_TEST_CASE(what_is_broken_between_elements_is_told) {
  check("[" + trace("a") + "," + trace("b") + ",]", "a b", "1 2 ");
  check("[" + trace("a") + ",," + trace("b") + "]", "a b", "1 2 ");
  check("[" + trace("a") + " " + trace("b") + "]", "a b", "1 2 ");
  check("[" + trace("a") + ":" + trace("b") + "]", "a b", "1 1 ");
  check("[" + trace("a") + "} " + trace("b") + "]", "a b", "1 1 ");
  check("[" + trace("a") + "," + trace("b"), "a b", "1 2 ");
  check("[" + trace("a") + "] " + trace("b"), "a", "1 1 ");
  check(R"({"batch":[)" + trace("a") + "]", "a", "1 1 ");
  check(R"({"batch":[)" + trace("a") + R"(],"metadata":nul})", "a", "1 1 ");
}

BOOST_AUTO_TEST_CASE(half_a_line_is_one_failed_event) {
  const std::string whole = trace("x");
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    const std::string half = whole.substr(0, cut);
    for (const bool line_break : {false, true}) {
      const std::string end = line_break ? "\n" : "";
      const auto check_half = [&](const std::string& text, Bytes wanted, std::uint64_t line) {
        const Imported imported = import_text(text);
        BOOST_TEST(ids(imported) == wanted, text);
        BOOST_REQUIRE_EQUAL(imported.failures().size(), 1U);
        const Told failure = imported.failures().front();
        BOOST_TEST(failure.line == line);
        BOOST_TEST(failure.message.starts_with("the JSON is cut off: "), failure.message);
        BOOST_TEST(failure.event_id == (cut < 11 ? "" : "e-x"), text);
      };
      check_half(half + end, "", 1);
      check_half(trace("a") + "\n" + half + end, "a", 2);
      check_half(half + "\n" + trace("a") + end, "a", 1);
      check_half(half + "\n" + trace("a") + "\n" + trace("b") + end, "a b", 1);
      check_half(trace("a") + "\n" + half + "\n" + trace("b") + end, "a b", 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_document_that_is_cut_off_keeps_the_events_before) {
  const std::string text =
      pretty(R"({"batch":[)" + trace("a") + "," + trace("b") + "," + trace("c") + "]}");
  const std::size_t third = text.find("\"e-c\"");
  const Imported imported = import_in_pieces(Bytes(text).substr(0, third + 10));
  BOOST_TEST(ids(imported) == "a b");
  BOOST_REQUIRE_EQUAL(imported.failures().size(), 1U);
  BOOST_TEST(imported.failures().front().event_id == "e-c");
}

BOOST_AUTO_TEST_CASE(a_document_is_held_whole_up_to_a_limit) {
  const std::string text = pretty("[" + trace("a") + "," + trace("b") + "]");
  const auto import_limited = [&](Bytes limited, std::size_t piece_bytes, std::size_t size_max) {
    exchange::ImportReport report;
    return exchange::import_langfuse(
        read_text(limited, piece_bytes), [](const model::EventBuilder&) { return Status(); }, {},
        {}, report, size_max);
  };
  static_assert(model::kDocumentSizeBytesMax == std::size_t{1} << 30);  // by default
  for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{16}, SIZE_MAX}) {
    BOOST_TEST(import_limited(text, piece_bytes, text.size()).ok());
    for (const std::size_t size_max : {text.size() - 1, text.size() / 2}) {
      const auto refused = import_limited(text, piece_bytes, size_max);
      BOOST_REQUIRE(!refused.ok());
      BOOST_TEST((refused.error().code == Code::limit));
      BOOST_TEST(refused.error().message == "a document that spans lines may have at most " +
                                                std::to_string(size_max) +
                                                " bytes: write one event a line");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_line_that_is_too_long_fails_and_the_next_is_read) {
  const std::string long_line = event_text(
      "trace-create", R"({"id":"long","input":")" + std::string(500, 'x') + "\"}", "e-long");
  const std::string text = trace("a") + "\n" + long_line + "\n" + trace("b") + "\n" + long_line;
  for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{64}, SIZE_MAX}) {
    const Imported whole = import_text(text, piece_bytes, long_line.size());
    BOOST_TEST(ids(whole) == "a long b long");
    const Imported imported = import_text(text, piece_bytes, long_line.size() - 1);
    BOOST_TEST(ids(imported) == "a b");
    BOOST_TEST(failures(imported) == "2 1 e-long, 4 3 e-long");
    BOOST_TEST(imported.failures().front().message == "a line may have at most " +
                                                          std::to_string(long_line.size() - 1) +
                                                          " bytes: this one was passed over");
  }
}

BOOST_AUTO_TEST_CASE(the_sink_can_stop_the_import) {
  std::size_t count = 0;
  exchange::ImportReport report;
  const Status status = exchange::import_langfuse(
      read_text(trace("a") + "\n" + trace("b") + "\n" + trace("c"), SIZE_MAX),
      [&](const model::EventBuilder&) {
        return ++count == 2 ? Status(make_error(Code::read_only, "no")) : Status();
      },
      {}, {}, report);
  BOOST_REQUIRE(!status.ok());
  BOOST_TEST((status.error().code == Code::read_only));
  BOOST_TEST(count == 2U);
  BOOST_TEST(report.succeeded_count == 1U);
}

BOOST_AUTO_TEST_CASE(reading_and_progress_can_cancel) {
  const auto keep = [](const model::EventBuilder&) { return Status(); };
  exchange::ImportReport report;
  Status status = exchange::import_langfuse([](char*, std::size_t) { return std::int64_t{-1}; },
                                            keep, {}, {}, report);
  BOOST_REQUIRE(!status.ok());
  BOOST_TEST((status.error().code == Code::cancelled));
  const std::string text = trace("a") + "\n" + trace("b");
  std::vector<std::uint64_t> done;
  const auto cancel = [&](std::uint64_t bytes) {
    done.push_back(bytes);
    return bytes >= 100;
  };
  status = exchange::import_langfuse(read_text(text, 50), keep, {}, cancel, report);
  BOOST_REQUIRE(!status.ok());
  BOOST_TEST((status.error().code == Code::cancelled));
  BOOST_TEST(done == (std::vector<std::uint64_t>{50, 100}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
