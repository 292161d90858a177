#include "bench/reading.hpp"

#include <algorithm>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace bench {

using tracelite::Cursor;

std::string page_of_traces(const std::string& from_where) {
  return "SELECT " TL_TRACE_COLUMNS " " + from_where + " LIMIT 50";
}

std::string page_of_traces_with_sums(const std::string& from_where) {
  return "WITH t AS (" + page_of_traces(from_where) +
         ") SELECT " TL_TRACE_COLUMNS
         ", (SELECT count(*) FROM scores s WHERE s.trace_id = t.id), " TL_OBSERVATION_SUMS
         " FROM t LEFT JOIN observations o ON o.trace_id = t.id GROUP BY t.id "
         "ORDER BY t.start_ns DESC";
}

// ----------------------------------------------------------------------------------- payloads

void PayloadBuffer::take(Cursor& cursor, tl_field field) {
  std::uint64_t offset = 0;
  std::size_t read_bytes = 0;
  do {
    tracelite::require(tl_payload_read(cursor.get(), field, TL_READ_AS_GIVEN, offset,
                                       buffer_.data(), buffer_.size(), &read_bytes));
    offset += read_bytes;
  } while (read_bytes == buffer_.size());
  size_bytes_ += offset;
}

void PayloadBuffer::take(Cursor& cursor, std::uint64_t set_mask) {
  for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_OUTPUT, TL_FIELD_METADATA}) {
    if ((set_mask & TL_BIT(field)) != 0) take(cursor, field);
  }
}

void PayloadBuffer::take(const SqliteStatement& statement, int column) {
  if (statement.is_blob(column)) return take_frame(statement.blob(column));
  take_text(statement.text(column));
}

void PayloadBuffer::take_text(std::string_view text) {
  text.copy(buffer_.data(), buffer_.size());
  size_bytes_ += text.size();
}

void PayloadBuffer::take_frame(std::string_view frame) {
  const std::uint64_t content_bytes = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (content_bytes > buffer_.size()) throw std::runtime_error("a payload is too large to read");
  const std::size_t size_bytes = ZSTD_decompressDCtx(decompressor_.get(), buffer_.data(),
                                                     buffer_.size(), frame.data(), frame.size());
  if (ZSTD_isError(size_bytes) != 0) throw std::runtime_error(ZSTD_getErrorName(size_bytes));
  size_bytes_ += size_bytes;
}

// ---------------------------------------------------------------------------------- tracelite

std::int64_t read_all(Cursor cursor) {
  std::int64_t row_count = 0;
  while (cursor.next() != nullptr) ++row_count;
  return row_count;
}

std::int64_t read_all(Cursor cursor, PayloadBuffer& payloads) {
  std::int64_t row_count = 0;
  while (const tl_row* row = cursor.next()) {
    ++row_count;
    if (row->phase == TL_PHASE_END) continue;
    payloads.take(cursor,
                  row->trace != nullptr ? row->trace->set_mask : row->observation->set_mask);
  }
  return row_count;
}

// ------------------------------------------------------------------------------------- SQLite

SqliteReplay::SqliteReplay(sqlite3* db)
    : traces_(db, "SELECT " TL_TRACE_COLUMNS
                  ", t.input, t.output, t.metadata FROM traces t WHERE t.session_id = ? "
                  "ORDER BY t.start_ns"),
      observations_(db, "SELECT " TL_OBSERVATION_COLUMNS
                        ", o.input, o.output, o.metadata FROM traces t "
                        "JOIN observations o ON o.trace_id = t.id WHERE t.session_id = ? "
                        "ORDER BY t.start_ns, o.start_ns") {}

std::int64_t SqliteReplay::run(std::string_view session, PayloadBuffer& payloads) {
  std::vector<std::pair<std::int64_t, std::string>> steps;
  std::unordered_map<std::string, std::int64_t> trace_ends;
  traces_.start({session});
  while (traces_.step()) {
    std::string id(traces_.text(0));
    trace_ends[id] = traces_.number(8);
    steps.emplace_back(traces_.number(8), std::move(id));
    for (const int column : {9, 10, 11}) payloads.take(traces_, column);
  }
  traces_.reset();
  observations_.start({session});
  while (observations_.step()) {
    const std::string id(observations_.text(0));
    const std::int64_t end_ns = std::max(observations_.number(7), observations_.number(8));
    std::int64_t& trace_end_ns = trace_ends[std::string(observations_.text(1))];
    trace_end_ns = std::max(trace_end_ns, end_ns);
    steps.emplace_back(observations_.number(7), id);
    steps.emplace_back(end_ns, id);
    for (const int column : {15, 16, 17}) payloads.take(observations_, column);
  }
  observations_.reset();
  for (auto& [id, end_ns] : trace_ends) steps.emplace_back(end_ns, id);
  std::stable_sort(steps.begin(), steps.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  return static_cast<std::int64_t>(steps.size());
}

SqliteTree::SqliteTree(sqlite3* db)
    : trace_(db, page_of_traces_with_sums("FROM traces t WHERE t.id = ?").c_str()),
      trace_payloads_(db, "SELECT input, output, metadata FROM traces WHERE id = ?"),
      observations_(db, "SELECT " TL_OBSERVATION_COLUMNS
                        " FROM observations o WHERE o.trace_id = ? ORDER BY o.start_ns, o.id"),
      observations_with_payloads_(
          db, "SELECT " TL_OBSERVATION_COLUMNS
              ", o.input, o.output, o.metadata FROM observations o WHERE o.trace_id = ? "
              "ORDER BY o.start_ns, o.id") {}

std::int64_t SqliteTree::run(std::string_view trace) { return run(trace, observations_, nullptr); }

std::int64_t SqliteTree::run(std::string_view trace, PayloadBuffer& payloads) {
  trace_payloads_.start({trace});
  while (trace_payloads_.step()) {
    for (const int column : {0, 1, 2}) payloads.take(trace_payloads_, column);
  }
  trace_payloads_.reset();
  return run(trace, observations_with_payloads_, &payloads);
}

std::int64_t SqliteTree::run(std::string_view trace, SqliteStatement& observations,
                             PayloadBuffer* payloads) {
  std::int64_t row_count = trace_.read_all({trace});
  std::vector<std::string> ids;
  std::vector<std::string> parents;
  observations.start({trace});
  while (observations.step()) {
    ids.emplace_back(observations.text(0));
    parents.emplace_back(observations.text(2));
    for (int column = 3; column < 15; ++column) static_cast<void>(observations.text(column));
    if (payloads == nullptr) continue;
    for (const int column : {15, 16, 17}) payloads->take(observations, column);
  }
  observations.reset();
  std::unordered_map<std::string_view, std::vector<std::size_t>> children;
  for (std::size_t i = ids.size(); i-- > 0;) children[parents[i]].push_back(i);
  std::vector<std::size_t> open = children[{}];
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    ++row_count;
    if (const auto found = children.find(ids[at]); found != children.end()) {
      open.insert(open.end(), found->second.begin(), found->second.end());
    }
  }
  return row_count;
}

}  // namespace bench
