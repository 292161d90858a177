// Aims at: lib/query/list.cpp lib/query/selection.cpp lib/query/groups.cpp lib/query/days.cpp
//   lib/query/position.cpp lib/query/metadata_condition.cpp lib/query/rows.cpp
//   lib/query/statement.cpp lib/query/kept_sums.cpp lib/query/trace_window.cpp
//
// Lists of a small store that stays as it is, by random filters and orders: each has what
// known_lists.hpp works out, row by row, and pages of any size, joined, have the same; a position
// that is none is refused or works. A filter or order is refused if the header says so, else not.

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "fuzz/input.hpp"
#include "fuzz/known_lists.hpp"
#include "fuzz/known_rows.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {
namespace {

constexpr std::size_t kRowCountMax = 2000;

tl_text text_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }
void must_call(tl_status status) {
  if (status != TL_OK) fail(std::string(tl_status_name(status)) + ": " + tl_error()->message);
}

class Store {
 public:
  Store() {
    tl_options options{};
    options.struct_size = sizeof options;
    options.default_environment = tl_str("default");
    must_call(tl_open(folder_.file("lists.tl").c_str(), &options, &store_));
    for (const KnownTrace& trace : rows_.traces) {
      if (trace.has_record) put(trace);
      for (const KnownObservation& one : trace.observations) put(trace, one);
    }
    for (const KnownScore& score : rows_.scores) put(score);
    tl_session session{};
    session.struct_size = sizeof session;
    session.id = text_of(rows_.bookmarked_session);
    session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
    session.is_bookmarked = 1;
    must_call(tl_put_session(store_, &session));
    must_call(tl_flush(store_, UINT32_MAX, nullptr));
  }
  ~Store() { tl_close(store_, UINT32_MAX, nullptr); }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  [[nodiscard]] tl_store* get() const { return store_; }
  [[nodiscard]] const KnownRows& rows() const { return rows_; }

 private:
  // Sets a text that is known.
  static void set(tl_text& into, std::uint64_t& set_mask, tl_field field, const std::string& text) {
    if (text.empty()) return;
    into = text_of(text);
    set_mask |= TL_BIT(field);
  }
  static void set(tl_payload& into, std::uint64_t& set_mask, const KnownMetadata& metadata) {
    if (metadata.json == nullptr) return;
    into = tl_json(metadata.json);
    set_mask |= TL_BIT(TL_FIELD_METADATA);
  }
  void put(const KnownTrace& known) const {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = text_of(known.id);
    trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_TAGS);
    trace.timestamp_ns = known.time_ns;
    std::vector<tl_text> tags;
    for (const std::string& tag : known.tags) tags.push_back(text_of(tag));
    trace.tags = tags.data();
    trace.tag_count = tags.size();
    set(trace.name, trace.set_mask, TL_FIELD_NAME, known.name);
    set(trace.session_id, trace.set_mask, TL_FIELD_SESSION_ID, known.session_id);
    set(trace.user_id, trace.set_mask, TL_FIELD_USER_ID, known.user_id);
    set(trace.environment, trace.set_mask, TL_FIELD_ENVIRONMENT, known.environment);
    set(trace.release, trace.set_mask, TL_FIELD_RELEASE, known.release);
    set(trace.version, trace.set_mask, TL_FIELD_VERSION, known.version);
    set(trace.metadata, trace.set_mask, *known.metadata);
    must_call(tl_put_trace(store_, &trace));
  }
  void put(const KnownTrace& trace, const KnownObservation& known) const {
    tl_observation one{};
    one.struct_size = sizeof one;
    one.id = text_of(known.id);
    one.trace_id = text_of(trace.id);
    one.set_mask = TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_LEVEL) | TL_BIT(TL_FIELD_START_TIME) |
                   TL_BIT(TL_FIELD_USAGE_DETAILS) | TL_BIT(TL_FIELD_COST_DETAILS);
    one.type = known.type;
    one.level = known.level;
    one.start_time_ns = known.start_ns;
    if (known.end_ns) {
      one.set_mask |= TL_BIT(TL_FIELD_END_TIME);
      one.end_time_ns = *known.end_ns;
    }
    set(one.name, one.set_mask, TL_FIELD_NAME, known.name);
    set(one.model, one.set_mask, TL_FIELD_MODEL, known.model);
    set(one.version, one.set_mask, TL_FIELD_VERSION, known.version);
    set(one.environment, one.set_mask, TL_FIELD_ENVIRONMENT, known.environment);
    set(one.session_id, one.set_mask, TL_FIELD_SESSION_ID, known.session_id);
    set(one.user_id, one.set_mask, TL_FIELD_USER_ID, known.user_id);
    set(one.metadata, one.set_mask, *known.metadata);
    // Where no parts are known the total is all that is given.
    const bool has_parts = known.input_tokens + known.output_tokens > 0;
    const std::array<tl_usage, 2> parts = {
        {{tl_str("input"), known.input_tokens}, {tl_str("output"), known.output_tokens}}};
    const tl_usage total{tl_str("total"), known.total_tokens};
    one.usage_details = has_parts ? parts.data() : &total;
    one.usage_count = has_parts ? parts.size() : 1;
    const std::string amount = decimal_of(known.cost_thousandths);
    const tl_cost cost{tl_str("total"), text_of(amount)};
    one.cost_details = &cost;
    one.cost_count = 1;
    must_call(tl_put_observation(store_, &one));
  }
  void put(const KnownScore& known) const {
    tl_score score{};
    score.struct_size = sizeof score;
    score.id = text_of(known.id);
    score.set_mask = TL_BIT(TL_FIELD_VALUE) | TL_BIT(TL_FIELD_TIMESTAMP);
    score.value = known.value;
    score.timestamp_ns = known.time_ns;
    set(score.trace_id, score.set_mask, TL_FIELD_TRACE_ID, known.trace_id);
    set(score.observation_id, score.set_mask, TL_FIELD_OBSERVATION_ID, known.observation_id);
    set(score.session_id, score.set_mask, TL_FIELD_SESSION_ID, known.session_id);
    set(score.name, score.set_mask, TL_FIELD_NAME, known.name);
    set(score.environment, score.set_mask, TL_FIELD_ENVIRONMENT, known.environment);
    set(score.metadata, score.set_mask, *known.metadata);
    must_call(tl_put_score(store_, &score));
  }

  const KnownRows rows_ = make_known_rows();
  Folder folder_;
  tl_store* store_ = nullptr;
};

// As known_lists.hpp writes it.
std::string line_of_row(const tl_row& row) {
  const auto text = [](const tl_text& of) { return std::string(bytes_of(of)); };
  if (row.trace != nullptr) {
    const tl_trace& trace = *row.trace;
    return line_of({text(trace.id), text(trace.name), text(trace.session_id), text(trace.user_id),
                    text(trace.environment), text(trace.release), text(trace.version),
                    line_of(*row.aggregate)});
  }
  if (row.observation != nullptr) {
    const tl_observation& one = *row.observation;
    return line_of({text(one.trace_id), text(one.id), text(one.name), text(one.model),
                    text(one.version), text(one.environment), text(one.session_id),
                    text(one.user_id), std::to_string(one.type), std::to_string(one.level),
                    std::to_string(one.start_time_ns)});
  }
  if (row.score != nullptr) {
    const tl_score& score = *row.score;
    return line_of({text(score.id), text(score.trace_id), text(score.observation_id),
                    text(score.session_id), text(score.name), text(score.environment),
                    std::to_string(score.value)});
  }
  require(row.aggregate != nullptr, "a group has its sums");
  const tl_text& key = row.session != nullptr ? row.session->id : row.aggregate->key;
  return line_of({text(key), text(row.aggregate->model), line_of(*row.aggregate)});
}

class Cursor {
 public:
  explicit Cursor(tl_cursor* cursor) : cursor_(cursor) {}
  ~Cursor() { tl_cursor_close(cursor_); }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  bool next(tl_row& row) const {
    row = {};
    row.struct_size = sizeof row;
    const tl_status status = tl_next(cursor_, &row);
    if (status == TL_DONE) return false;
    must_call(status);
    return true;
  }
  [[nodiscard]] std::string position() const {
    tl_text text{};
    must_call(tl_position(cursor_, &text));
    return std::string(bytes_of(text));
  }

 private:
  tl_cursor* cursor_;
};

class Question {
 public:
  Question(tl_store* store, Input& input) : store_(store) {
    kind_ = static_cast<tl_kind>(1 + input.below(10));
    order_ = static_cast<tl_order>(input.below(5));
    if (input.below(2) != 0) order_ |= TL_ORDER_ASCENDING;
    choose_filter(input);
  }

  [[nodiscard]] tl_status ask(Bytes after, std::uint64_t limit, tl_cursor** cursor) const {
    tl_text position{};
    if (!after.empty()) position = text_of(after);
    return tl_list(store_, nullptr, kind_, &filter_, order_, position, limit, cursor);
  }

  // The lines of one cursor, and the position behind them.
  std::vector<std::string> lines(Bytes after, std::uint64_t limit,
                                 std::string* position = nullptr) const {
    tl_cursor* opened = nullptr;
    must_call(ask(after, limit, &opened));
    const Cursor cursor(opened);
    std::vector<std::string> all;
    for (tl_row row; cursor.next(row);) {
      require(row.kind == kind_, "a row is of the kind that was asked for");
      all.push_back(line_of_row(row));
      require(all.size() <= kRowCountMax, "a list ends");
      if (position != nullptr) *position = cursor.position();
    }
    require(limit == 0 || all.size() <= limit, "a list keeps to its limit");
    return all;
  }
  [[nodiscard]] std::vector<std::string> known_lines(const KnownRows& rows) const {
    return KnownList(rows, filter_, kind_, order_).lines();
  }
  [[nodiscard]] bool is_refused() const {
    const bool has_no_key =
        filter_.metadata_value.data != nullptr && filter_.metadata_key.data == nullptr;
    return has_no_key || (kind_ == TL_KIND_SCORE && (order_ & 0xff) > TL_ORDER_NAME);
  }

 private:
  void choose_filter(Input& input) {
    filter_.struct_size = sizeof filter_;
    const std::uint64_t chosen = input.number(2);
    const auto text = [&](int bit, tl_text& field, Bytes word) {
      if ((chosen >> bit & 1) != 0) field = text_of(word);
    };
    const std::size_t word = input.byte();
    text(0, filter_.session_id, pick(kSessions, word));
    text(1, filter_.user_id, pick(kUsers, word / 4));
    text(2, filter_.environment, pick(kEnvironments, word));
    text(3, filter_.name, pick(kNames, word / 16));
    text(4, filter_.model, pick(kModels, word / 3));
    text(5, filter_.trace_id, word % 2 == 0 ? "trace-3" : "trace-11");
    text(6, filter_.metadata_key, word % 3 == 0 ? "b" : "a");
    if ((chosen >> 6 & 1) != 0) {
      text(7, filter_.metadata_value, word % 5 == 0 ? "1" : word % 5 == 1 ? "true" : "x");
    }
    if ((chosen >> 8 & 1) != 0) {
      tags_ = {text_of(pick(kTags, word)), text_of(pick(kTags, word / 4))};
      filter_.tags = tags_.data();
      filter_.tag_count = 1 + word % 2;
    }
    if ((chosen >> 9 & 1) != 0) filter_.level = static_cast<tl_level>(1 + input.below(4));
    if ((chosen >> 10 & 1) != 0) filter_.type = static_cast<tl_type>(1 + input.below(10));
    if ((chosen >> 11 & 1) != 0) filter_.from_ns = kFirstNs + input.byte() * kStepNs * 20;
    if ((chosen >> 12 & 1) != 0) filter_.to_ns = kFirstNs + input.byte() * kStepNs * 90;
    text(13, filter_.release, pick(kReleases, word / 2));
    text(14, filter_.version, pick(kVersions, word));
    if ((chosen >> 15 & 1) != 0) {
      // Whole days are kept summed up.
      filter_.from_ns -= filter_.from_ns % kDayNs;
      filter_.to_ns -= filter_.to_ns % kDayNs;
    }
  }

  tl_store* store_;
  tl_kind kind_ = 0;
  tl_order order_ = 0;
  tl_filter filter_{};
  std::array<tl_text, 2> tags_{};
};

void compare(const std::vector<std::string>& wanted, const std::vector<std::string>& got,
             const std::string& what) {
  const auto [w, g] = std::ranges::mismatch(wanted, got);
  if (w == wanted.end() && g == got.end()) return;
  fail(what + ": " + std::to_string(got.size()) + " rows instead of " +
       std::to_string(wanted.size()) + "; at " + std::to_string(w - wanted.begin()) + ": " +
       (g == got.end() ? "nothing" : *g) + "\n instead of " + (w == wanted.end() ? "nothing" : *w));
}

// A position that may be none: refused, or as good as another.
void try_position(const Question& question, const std::string& position) {
  tl_cursor* opened = nullptr;
  const tl_status status = question.ask(position, 0, &opened);
  require(status == TL_OK || status == TL_INVALID, "a position is taken or refused");
  if (status != TL_OK) return;
  const Cursor cursor(opened);
  std::size_t count = 0;
  for (tl_row row; cursor.next(row);) require(++count <= kRowCountMax, "a list ends");
}

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  static const Store store;
  Input input(as_bytes(data, size_bytes));
  const Question question(store.get(), input);
  tl_cursor* opened = nullptr;
  const tl_status status = question.ask({}, 0, &opened);
  tl_cursor_close(opened);
  require((status == TL_INVALID) == question.is_refused(), "what makes no sense is refused");
  if (status == TL_INVALID) return 0;

  const std::vector<std::string> known = question.known_lines(store.rows());
  compare(known, question.lines({}, 0), "a list");
  std::vector<std::string> paged;
  std::string position;
  const std::size_t page_size = 1 + input.below(9) * 3;
  for (;;) {
    const std::vector<std::string> page = question.lines(position, page_size, &position);
    if (page.empty()) break;
    std::ranges::copy(page, std::back_inserter(paged));
    require(paged.size() <= known.size(), "pages have no more than the list");
  }
  compare(known, paged, "pages joined");

  if (!position.empty() && !input.empty()) {
    position[input.byte() % position.size()] = static_cast<char>(input.byte());
    try_position(question, position);
  }
  try_position(question, std::string(input.rest()));
  return 0;
}
