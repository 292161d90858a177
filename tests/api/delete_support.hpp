// What the tests of deleting share: events in one line, and a file with a look at what is in it.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "api/nothing_left.hpp"
#include "api/support.hpp"
#include "index/page_file.hpp"
#include "index/statement.hpp"
#include "record/records.hpp"

namespace tracelite::api::test {

using Ids = std::vector<std::string>;

// An event at noon and so many seconds, with this body.
inline std::string event(const std::string& type, const std::string& body, int second = 0) {
  const std::string time =
      "2026-03-01T12:00:" + std::string(second < 10 ? "0" : "") + std::to_string(second) + ".000Z";
  static int next_event = 0;
  return "{\"id\":\"e" + std::to_string(++next_event) + "\",\"timestamp\":\"" + time +
         "\",\"type\":\"" + type + "\",\"body\":{" + body + "}}\n";
}
inline std::string trace(const std::string& id, const std::string& more = {}, int second = 0) {
  return event("trace-create",
               "\"id\":\"" + id + "\",\"timestamp\":\"2026-03-01T12:00:" +
                   (second < 10 ? "0" : "") + std::to_string(second) + "Z\"" + more,
               second);
}
inline std::string span(const std::string& trace_id, const std::string& id,
                        const std::string& more = {}, int second = 0) {
  const std::string of = trace_id.empty() ? "" : ",\"traceId\":\"" + trace_id + "\"";
  return event("span-create", "\"id\":\"" + id + "\"" + of + more, second);
}
inline std::string score(const std::string& id, const std::string& subject, int second = 0) {
  const std::string at = std::string(second < 10 ? "0" : "") + std::to_string(second);
  return event("score-create",
               "\"id\":\"" + id + "\"," + subject + ",\"name\":\"grade\",\"value\":1," +
                   "\"timestamp\":\"2026-03-01T12:00:" + at + "Z\"",
               second);
}
inline std::int64_t at_second(int second) { return (1'772'366'400LL + second) * 1'000'000'000; }

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
  // Traces and sessions that have a place in the file, whether they can be seen or not.
  [[nodiscard]] std::uint64_t container_count() const {
    const auto environment = store::test::open_file(folder.file());
    const auto transaction = store::test::must(environment->begin_read());
    record::RecordCursor cursor(transaction);
    std::uint64_t count = 0;
    for (bool more = store::test::must(cursor.seek({})); more;
         more = store::test::must(cursor.next())) {
      if (cursor.key().kind == record::RecordKind::header) ++count;
    }
    return count;
  }
  // That a text of the index (a session, user, tag, ...) is in use, or at least not forgotten.
  [[nodiscard]] bool has_term(std::string_view text) const {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_read());
    const auto connection = store::test::must(index::Connection::open_reader(transaction));
    auto find = store::test::must(
        index::Statement::prepare(connection->handle(), "SELECT 1 FROM term WHERE text = ?1"));
    find.bind_text(1, text);
    return store::test::must(find.step());
  }
  void nothing_is_left() const { check_nothing_left(store, folder.file()); }
};

inline const Ids kOneLeft = {"other"};

}  // namespace tracelite::api::test
