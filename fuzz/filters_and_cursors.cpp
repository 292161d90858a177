// Aims at: lib/query/list.cpp lib/query/selection.cpp lib/query/groups.cpp lib/query/days.cpp
//   lib/query/position.cpp lib/query/metadata_condition.cpp lib/query/rows.cpp
//   lib/query/statement.cpp lib/query/kept_sums.cpp lib/query/trace_window.cpp
//
// Lists of a small store that stays as it is, by random filters and orders: pages of any size,
// joined, are the whole list; rows satisfy what the filter says of them alone and come in order; a
// position that is none is refused or works.

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "fuzz/input.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {
namespace {

constexpr std::size_t kRowCountMax = 2000;
constexpr std::int64_t kFirstNs = 1'795'220'428'000'000'000;
constexpr std::int64_t kStepNs = 7'000'000'000;

// Words of all fields, so that filters find something; two that nothing has.
constexpr std::array<Bytes, 4> kSessions = {"session-0", "session-1", "session-2", "nobody"};
constexpr std::array<Bytes, 4> kUsers = {"user-0", "user-1", "\xe4\xbd\xa0", ""};
constexpr std::array<Bytes, 4> kTags = {"tag-0", "tag-1", "tag-2", "nothing"};
constexpr std::array<Bytes, 3> kNames = {"answer", "ask", "name"};
constexpr std::array<Bytes, 3> kModels = {"model-0", "model-1", "model-2"};
constexpr std::array<Bytes, 3> kEnvironments = {"default", "prod", "dev"};

template <std::size_t count>
Bytes pick(const std::array<Bytes, count>& from, std::size_t number) {
  return from[number % count];
}
tl_text text_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }
Bytes bytes_of(const tl_text& text) {
  return text.data == nullptr ? Bytes() : Bytes(text.data, text.size_bytes);
}
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
    for (std::uint64_t number = 0; number < 24; ++number) put_trace(number);
    must_call(tl_flush(store_, UINT32_MAX, nullptr));
  }
  ~Store() { tl_close(store_, UINT32_MAX, nullptr); }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  [[nodiscard]] tl_store* get() const { return store_; }

 private:
  void put_trace(std::uint64_t number) const {
    const std::string id = "trace-" + std::to_string(number);
    const std::array<tl_text, 2> tags = {text_of(pick(kTags, number % 3)), text_of("tag-1")};
    if (number % 6 != 5) {  // else it is read from its observations
      tl_trace trace{};
      trace.struct_size = sizeof trace;
      trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_TAGS) |
                       TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_USER_ID) |
                       TL_BIT(TL_FIELD_ENVIRONMENT) | TL_BIT(TL_FIELD_METADATA);
      trace.id = text_of(id);
      trace.timestamp_ns = kFirstNs + static_cast<std::int64_t>(number / 2) * kStepNs;
      trace.name = text_of(pick(kNames, number));
      trace.tags = tags.data();
      trace.tag_count = 1 + number % 2;
      trace.session_id = text_of(pick(kSessions, number % 3));
      trace.user_id = text_of(pick(kUsers, number % 3));
      trace.environment = text_of(pick(kEnvironments, number / 5));
      trace.metadata = tl_json(number % 2 == 0 ? R"({"a":1,"b":"x"})" : R"({"a":true})");
      must_call(tl_put_trace(store_, &trace));
    }
    for (std::uint64_t n = 0; n < number % 5; ++n) put_observation(id, number, n);
    if (number % 3 == 0) put_score(id, number);
  }
  void put_observation(const std::string& trace_id, std::uint64_t number, std::uint64_t n) const {
    const std::string id = "o" + std::to_string(n);
    tl_observation one{};
    one.struct_size = sizeof one;
    one.set_mask = TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_LEVEL) | TL_BIT(TL_FIELD_NAME) |
                   TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_MODEL) |
                   TL_BIT(TL_FIELD_USAGE_DETAILS) | TL_BIT(TL_FIELD_COST_DETAILS);
    if (n % 3 != 2) one.set_mask |= TL_BIT(TL_FIELD_END_TIME);
    one.id = text_of(id);
    one.trace_id = text_of(trace_id);
    one.type = static_cast<tl_type>(1 + (number + n) % 10);
    one.level = static_cast<tl_level>(1 + n % 4);
    one.name = text_of(pick(kNames, n));
    // Some on another day.
    one.start_time_ns =
        kFirstNs + static_cast<std::int64_t>(number * 10 + n * n * n) * kStepNs * 97;
    one.end_time_ns = one.start_time_ns + static_cast<std::int64_t>(n) * kStepNs;
    one.model = text_of(pick(kModels, number + n));
    const tl_usage usage{tl_str("total"), number * n};
    one.usage_details = &usage;
    one.usage_count = 1;
    const tl_cost cost{tl_str("total"), tl_str(n % 2 == 0 ? "0.125" : "3")};
    one.cost_details = &cost;
    one.cost_count = 1;
    must_call(tl_put_observation(store_, &one));
  }
  void put_score(const std::string& trace_id, std::uint64_t number) const {
    const std::string id = "score-" + std::to_string(number);
    tl_score score{};
    score.struct_size = sizeof score;
    score.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE) | TL_BIT(TL_FIELD_TIMESTAMP) |
                     TL_BIT(TL_FIELD_TRACE_ID);
    score.id = text_of(id);
    score.trace_id = text_of(trace_id);
    score.name = text_of(pick(kNames, number / 3));
    score.value = static_cast<double>(number);
    score.timestamp_ns = kFirstNs + static_cast<std::int64_t>(number) * kStepNs;
    must_call(tl_put_score(store_, &score));
  }

  Folder folder_;
  tl_store* store_ = nullptr;
};

// What a row is, and what its list may be ordered by.
struct Seen {
  std::string name;
  std::int64_t time_ns = 0;
};

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

  // All rows of one cursor, and the positions behind them.
  std::vector<Seen> rows(Bytes after, std::uint64_t limit, std::string* position = nullptr) const {
    tl_cursor* opened = nullptr;
    must_call(ask(after, limit, &opened));
    const Cursor cursor(opened);
    std::vector<Seen> all;
    for (tl_row row; cursor.next(row);) {
      require(row.kind == kind_, "a row is of the kind that was asked for");
      all.push_back(look_at(row));
      require(all.size() <= kRowCountMax, "a list ends");
      if (position != nullptr) *position = cursor.position();
    }
    require(limit == 0 || all.size() <= limit, "a list keeps to its limit");
    return all;
  }

  void check_order(const std::vector<Seen>& all) const {
    if ((order_ & 0xff) != TL_ORDER_TIME || kind_ > TL_KIND_SCORE) return;
    const auto is_before = [this](const Seen& a, const Seen& b) {
      return (order_ & TL_ORDER_ASCENDING) != 0 ? a.time_ns < b.time_ns : a.time_ns > b.time_ns;
    };
    require(std::ranges::is_sorted(all, is_before), "rows come in the order of time");
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
    text(13, filter_.release, "r");
  }

  // Its own fields against the filter's, as the header says for its kind.
  void check_own(const tl_text& environment, const tl_text& name, std::int64_t time_ns) const {
    const auto holds = [](const tl_text& wanted, const tl_text& found) {
      return wanted.data == nullptr || bytes_of(wanted) == bytes_of(found);
    };
    require(holds(filter_.environment, environment), "a row has the environment of the filter");
    require(holds(filter_.name, name), "a row has the name of the filter");
    require(filter_.from_ns == 0 || time_ns >= filter_.from_ns, "a row is not too early");
    require(filter_.to_ns == 0 || time_ns < filter_.to_ns, "a row is not too late");
  }
  [[nodiscard]] Seen look_at(const tl_row& row) const {
    if (row.trace != nullptr) {
      check_own(row.trace->environment, row.trace->name, row.trace->timestamp_ns);
      return {std::string(bytes_of(row.trace->id)), row.trace->timestamp_ns};
    }
    if (row.observation != nullptr) {
      const tl_observation& one = *row.observation;
      check_own(one.environment, one.name, one.start_time_ns);
      require(filter_.level == 0 || one.level == filter_.level, "a row has the filter's level");
      require(filter_.type == 0 || one.type == filter_.type, "a row has the filter's type");
      return {std::string(bytes_of(one.trace_id)) + "/" + std::string(bytes_of(one.id)),
              one.start_time_ns};
    }
    if (row.score != nullptr) {
      check_own(row.score->environment, row.score->name, row.score->timestamp_ns);
      return {std::string(bytes_of(row.score->id)), row.score->timestamp_ns};
    }
    require(row.aggregate != nullptr, "a group has its sums");
    const Bytes key =
        row.session != nullptr ? bytes_of(row.session->id) : bytes_of(row.aggregate->key);
    return {std::string(key) + "/" + std::string(bytes_of(row.aggregate->model)), 0};
  }

  tl_store* store_;
  tl_kind kind_ = 0;
  tl_order order_ = 0;
  tl_filter filter_{};
  std::array<tl_text, 2> tags_{};
};

std::vector<std::string> names_of(const std::vector<Seen>& all) {
  std::vector<std::string> names;
  for (const Seen& one : all) names.push_back(one.name);
  return names;
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
  if (status == TL_INVALID) return 0;  // such a filter or order is not for this kind

  const std::vector<Seen> whole = question.rows({}, 0);
  question.check_order(whole);
  std::vector<std::string> names = names_of(whole);
  std::vector<std::string> paged;
  std::string position;
  const std::size_t page_size = 1 + input.below(9);
  for (;;) {
    const std::vector<Seen> page = question.rows(position, page_size, &position);
    if (page.empty()) break;
    std::ranges::copy(names_of(page), std::back_inserter(paged));
    require(paged.size() <= names.size(), "pages have no more than the list");
  }
  require(paged == names, "pages joined are the list");
  std::ranges::sort(names);
  require(std::ranges::adjacent_find(names) == names.end(), "a row comes once");

  if (!position.empty() && !input.empty()) {
    position[input.byte() % position.size()] = static_cast<char>(input.byte());
    try_position(question, position);
  }
  try_position(question, std::string(input.rest()));
  return 0;
}
