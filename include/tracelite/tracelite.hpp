/*
 * tracelite for C++20: thin RAII over tracelite.h, which is the manual; header only.
 *
 *     using namespace tracelite;
 *     Store store("day.tl");
 *     Span call = store.begin(Observation().name("answer").type(TL_TYPE_GENERATION).input(
 *         json(R"({"q":"why?"})")));
 *     call.append(TL_FIELD_OUTPUT, "because");
 *     call.end();
 *     store.flush();
 *     for (const tl_row& row : store.list(TL_KIND_TRACE)) std::cout << view(row.trace->id) << '\n';
 *
 * Handles are move-only and free themselves. A failing call throws tracelite::Error; destructors
 * never throw. Values (Trace, Observation, Score) own nothing: what they were given must
 * live until the call that takes them has returned, which is so for temporaries of one expression.
 * What takes callbacks (tl_import, tl_export, tl_space, tl_delete, tl_check, tl_reindex,
 * tl_compact, tl_backup, tl_salvage) is called as in C, on get(); a callback must not throw.
 */
#ifndef TRACELITE_HPP
#define TRACELITE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "tracelite/tracelite.h"

// The inline namespace keeps these classes apart from those inside a statically linked library.
namespace tracelite {
inline namespace cpp {

// ---------------------------------------------------------------------------------------- values

inline tl_text text(std::string_view value) {
  return {value.data() == nullptr ? "" : value.data(), value.size()};
}
// Empty where the text is absent.
inline std::string_view view(tl_text value) {
  return value.data == nullptr ? std::string_view()
                               : std::string_view(value.data, value.size_bytes);
}
inline tl_payload json(std::string_view value) { return {TL_FORM_JSON, text(value)}; }
inline tl_payload plain(std::string_view value) { return {TL_FORM_TEXT, text(value)}; }
inline tl_payload bytes(std::string_view value) { return {TL_FORM_BYTES, text(value)}; }
inline tl_usage usage(std::string_view name, std::uint64_t amount) { return {text(name), amount}; }
inline tl_cost cost(std::string_view name, std::string_view amount) {
  return {text(name), text(amount)};
}

// Whether a trace, observation, score or session of a row has a value for the field.
template <class Entity>
bool has(const Entity &entity, tl_field field) {
  return (entity.set_mask & TL_BIT(field)) != 0;
}

// Why a call failed; what() is the message, which also says what to do about it.
class Error : public std::runtime_error {
 public:
  Error(tl_status status, const tl_error_info &info)
      : std::runtime_error(info.message),
        status_(status),
        engine_code_(info.engine_code),
        field_(info.field) {}
  [[nodiscard]] tl_status status() const { return status_; }
  [[nodiscard]] std::int32_t engine_code() const { return engine_code_; }
  [[nodiscard]] const std::string &field() const { return field_; }  // "" if none is at fault

 private:
  tl_status status_;
  std::int32_t engine_code_;
  std::string field_;
};

// Throws unless the call of this thread that just returned `status` succeeded.
inline void require(tl_status status) {
  if (status != TL_OK) throw Error(status, *tl_error());
}

namespace detail {
template <auto Free>
struct Freer {
  template <class Type>
  void operator()(Type *handle) const {
    Free(handle);
  }
};
template <class Type, auto Free>
using Handle = std::unique_ptr<Type, Freer<Free>>;
// Reads in growing pieces until there are fewer bytes than there is room for.
template <class Read>
std::string read_all(std::size_t size_bytes_max, const Read &read_piece) {
  constexpr std::size_t kPieceSizeBytes = std::size_t{64} << 10;
  std::string read;
  while (read.size() < size_bytes_max) {
    const std::size_t before = read.size();
    const std::size_t capacity =
        std::min(size_bytes_max - before, std::max(kPieceSizeBytes, before));
    std::size_t size_bytes = 0;
    read.resize(before + capacity);
    read_piece(before, read.data() + before, capacity, &size_bytes);
    read.resize(before + size_bytes);
    if (size_bytes < capacity) break;
  }
  return read;
}
inline void end_span(tl_span *span) { tl_end(span, nullptr); }
inline void close_store(tl_store *store) { tl_close(store, 10'000, nullptr); }
}  // namespace detail

// What the entities share: a struct of the C API whose masks follow what is set. A setter's
// argument has the field's meaning in tracelite.h.
template <class Struct, class Derived>
class Value {
 public:
  using View = std::string_view;
  using Time = std::int64_t;  // nanoseconds since 1970
  using Tags = std::initializer_list<tl_text>;

  Value() { value_.struct_size = sizeof value_; }
  [[nodiscard]] const Struct *get() const { return &value_; }
  Derived &clear(tl_field field) {
    value_.clear_mask |= TL_BIT(field);
    return static_cast<Derived &>(*this);
  }

 protected:
  template <class Member>
  Derived &set(tl_field field, Member &member, Member given) {
    member = given;
    value_.set_mask |= TL_BIT(field);
    return static_cast<Derived &>(*this);
  }
  Derived &set(tl_field field, tl_text &member, View given) {
    return set(field, member, text(given));
  }
  template <class Item>
  Derived &set(tl_field field, const Item *&items, std::size_t &count,
               std::span<const Item> given) {
    count = given.size();
    return set(field, items, given.data());
  }
  Struct value_{};
};

class Trace : public Value<tl_trace, Trace> {
 public:
  explicit Trace(View id) { value_.id = text(id); }
  Trace &timestamp(Time at) { return set(TL_FIELD_TIMESTAMP, value_.timestamp_ns, at); }
  Trace &name(View name) { return set(TL_FIELD_NAME, value_.name, name); }
  Trace &user(View id) { return set(TL_FIELD_USER_ID, value_.user_id, id); }
  Trace &session(View id) { return set(TL_FIELD_SESSION_ID, value_.session_id, id); }
  Trace &release(View name) { return set(TL_FIELD_RELEASE, value_.release, name); }
  Trace &version(View name) { return set(TL_FIELD_VERSION, value_.version, name); }
  Trace &environment(View name) { return set(TL_FIELD_ENVIRONMENT, value_.environment, name); }
  Trace &tags(Tags all) {
    return set(TL_FIELD_TAGS, value_.tags, value_.tag_count, std::span(all));
  }
  Trace &metadata(tl_payload json) { return set(TL_FIELD_METADATA, value_.metadata, json); }
  Trace &input(tl_payload input) { return set(TL_FIELD_INPUT, value_.input, input); }
  Trace &output(tl_payload output) { return set(TL_FIELD_OUTPUT, value_.output, output); }
  Trace &is_public(bool is) { return set(TL_FIELD_PUBLIC, value_.is_public, is ? 1 : 0); }
  Trace &bookmarked(bool is) { return set(TL_FIELD_BOOKMARKED, value_.is_bookmarked, is ? 1 : 0); }
};

class Observation : public Value<tl_observation, Observation> {
 public:
  using Self = Observation;
  using Usage = std::span<const tl_usage>;
  using Cost = std::span<const tl_cost>;

  Self &id(View id) { return value_.id = text(id), *this; }
  Self &trace_id(View id) { return set(TL_FIELD_TRACE_ID, value_.trace_id, id); }
  Self &parent_id(View id) {
    return set(TL_FIELD_PARENT_OBSERVATION_ID, value_.parent_observation_id, id);
  }
  Self &type(tl_type type) { return set(TL_FIELD_TYPE, value_.type, type); }
  Self &name(View name) { return set(TL_FIELD_NAME, value_.name, name); }
  Self &start(Time at) { return set(TL_FIELD_START_TIME, value_.start_time_ns, at); }
  Self &end(Time at) { return set(TL_FIELD_END_TIME, value_.end_time_ns, at); }
  Self &completion_start(Time at) {
    return set(TL_FIELD_COMPLETION_START_TIME, value_.completion_start_time_ns, at);
  }
  Self &level(tl_level level) { return set(TL_FIELD_LEVEL, value_.level, level); }
  Self &status(View message) {
    return set(TL_FIELD_STATUS_MESSAGE, value_.status_message, message);
  }
  Self &version(View name) { return set(TL_FIELD_VERSION, value_.version, name); }
  Self &environment(View name) { return set(TL_FIELD_ENVIRONMENT, value_.environment, name); }
  Self &user(View id) { return set(TL_FIELD_USER_ID, value_.user_id, id); }
  Self &session(View id) { return set(TL_FIELD_SESSION_ID, value_.session_id, id); }
  Self &tags(Tags all) { return set(TL_FIELD_TAGS, value_.tags, value_.tag_count, std::span(all)); }
  Self &metadata(tl_payload json) { return set(TL_FIELD_METADATA, value_.metadata, json); }
  Self &input(tl_payload input) { return set(TL_FIELD_INPUT, value_.input, input); }
  Self &output(tl_payload output) { return set(TL_FIELD_OUTPUT, value_.output, output); }
  Self &model(View name) { return set(TL_FIELD_MODEL, value_.model, name); }
  Self &model_parameters(View json) {
    return set(TL_FIELD_MODEL_PARAMETERS, value_.model_parameters, json);
  }
  Self &usage(Usage all) {
    return set(TL_FIELD_USAGE_DETAILS, value_.usage_details, value_.usage_count, all);
  }
  Self &usage(std::initializer_list<tl_usage> all) { return usage(std::span(all)); }
  Self &cost(Cost all) {
    return set(TL_FIELD_COST_DETAILS, value_.cost_details, value_.cost_count, all);
  }
  Self &cost(std::initializer_list<tl_cost> all) { return cost(std::span(all)); }
  Self &prompt(View name, std::int64_t version) {
    set(TL_FIELD_PROMPT_VERSION, value_.prompt_version, version);
    return set(TL_FIELD_PROMPT_NAME, value_.prompt_name, name);
  }
};

// Its subject is exactly one of: a trace, an observation of a trace, a session.
class Score : public Value<tl_score, Score> {
 public:
  Score(View id, View name) {
    value_.id = text(id);
    set(TL_FIELD_NAME, value_.name, name);
  }
  Score &trace_id(View id) { return set(TL_FIELD_TRACE_ID, value_.trace_id, id); }
  Score &observation_id(View id) { return set(TL_FIELD_OBSERVATION_ID, value_.observation_id, id); }
  Score &session(View id) { return set(TL_FIELD_SESSION_ID, value_.session_id, id); }
  Score &number(double value) { return set(TL_FIELD_VALUE, value_.value, value); }
  Score &string(View value) { return set(TL_FIELD_STRING_VALUE, value_.string_value, value); }
  Score &data_type(tl_data_type type) { return set(TL_FIELD_DATA_TYPE, value_.data_type, type); }
  Score &source(tl_source source) { return set(TL_FIELD_SOURCE, value_.source, source); }
  Score &comment(View comment) { return set(TL_FIELD_COMMENT, value_.comment, comment); }
  Score &metadata(tl_payload json) { return set(TL_FIELD_METADATA, value_.metadata, json); }
  Score &config_id(View id) { return set(TL_FIELD_CONFIG_ID, value_.config_id, id); }
  Score &environment(View name) { return set(TL_FIELD_ENVIRONMENT, value_.environment, name); }
  Score &author(View user_id) {
    return set(TL_FIELD_AUTHOR_USER_ID, value_.author_user_id, user_id);
  }
  Score &timestamp(Time at) { return set(TL_FIELD_TIMESTAMP, value_.timestamp_ns, at); }
};

// ----------------------------------------------------------------------------------------- spans

// A live observation. It ends when end() is called or, at the latest, when the Span goes; one that
// outlives its Store stays in the file as unfinished.
class Span {
 public:
  explicit Span(tl_span *span = nullptr) : span_(span) {}

  void update(const Observation &observation) { require(tl_update(get(), observation.get())); }
  // Appends to TL_FIELD_OUTPUT or TL_FIELD_INPUT, as a model streams it.
  void append(tl_field field, std::string_view streamed) {
    require(tl_append(get(), field, text(streamed)));
  }
  // With last fields to add; the Span is empty afterwards.
  void end(const Observation &last = Observation()) {
    require(tl_end(span_.release(), last.get()));
  }
  // Copies of the ids, for scores, links and children elsewhere.
  [[nodiscard]] std::string trace_id() const { return ids().first; }
  [[nodiscard]] std::string id() const { return ids().second; }
  [[nodiscard]] tl_span *get() const { return span_.get(); }

 private:
  [[nodiscard]] std::pair<std::string, std::string> ids() const {
    tl_text trace_id{};
    tl_text id{};
    require(tl_span_ids(get(), &trace_id, &id));
    return {std::string(view(trace_id)), std::string(view(id))};
  }
  detail::Handle<tl_span, detail::end_span> span_;
};

// --------------------------------------------------------------------------------------- reading

// A tl_filter with nothing in it; fill in its fields: what is left alone is not asked for.
inline tl_filter filter() {
  tl_filter any{};
  any.struct_size = sizeof any;
  return any;
}

// A walk over rows, once, in a range-for or by next(). A row is valid until the next step.
class Cursor {
 public:
  class Iterator {
   public:
    using value_type = tl_row;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(Cursor *cursor = nullptr) : cursor_(cursor) {}
    const tl_row &operator*() const { return cursor_->row_; }
    Iterator &operator++() {
      cursor_->is_done_ = cursor_->next() == nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return cursor_->is_done_; }

   private:
    Cursor *cursor_;
  };

  explicit Cursor(tl_cursor *cursor) : cursor_(cursor) { row_.struct_size = sizeof row_; }

  // The next row, or nullptr at the end.
  const tl_row *next() {
    const tl_status status = tl_next(get(), &row_);
    if (status == TL_DONE) return nullptr;
    require(status);
    return &row_;
  }
  Iterator begin() { return ++Iterator(this); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

  // Any thread: next() fails with TL_CANCELLED, also one that is under way.
  void cancel() const { require(tl_cursor_cancel(get())); }

  // Where `after` of a later list goes on after the row given last.
  [[nodiscard]] std::string position() const {
    tl_text position{};
    require(tl_position(get(), &position));
    return std::string(view(position));
  }
  // How input, output or metadata of the row given last begins; "" where it is absent.
  [[nodiscard]] std::string preview(tl_field field, std::uint32_t character_count = 0) const {
    tl_text preview{};
    require(tl_preview(get(), field, character_count, &preview));
    return std::string(view(preview));
  }
  // Input, output or metadata of the row given last: so many bytes from an offset, or all; ""
  // where it is absent.
  [[nodiscard]] std::string payload(tl_field field, std::uint64_t offset = 0,
                                    std::size_t size_bytes_max = SIZE_MAX,
                                    tl_read_mode mode = TL_READ_AS_GIVEN) const {
    return detail::read_all(size_bytes_max, [&](std::uint64_t done, void *to,
                                                std::size_t capacity_bytes, std::size_t *size) {
      const tl_status status =
          tl_payload_read(get(), field, mode, offset + done, to, capacity_bytes, size);
      if (status != TL_NOT_FOUND) require(status);
    });
  }
  // Its size in a mode; 0 where it is absent.
  [[nodiscard]] std::uint64_t payload_size(tl_field field, tl_read_mode mode) const {
    std::uint64_t size_bytes = 0;
    const tl_status status = tl_payload_size(get(), field, mode, &size_bytes);
    if (status != TL_NOT_FOUND) require(status);
    return size_bytes;
  }
  [[nodiscard]] tl_cursor *get() const { return cursor_.get(); }

 private:
  detail::Handle<tl_cursor, tl_cursor_close> cursor_;
  tl_row row_{};
  bool is_done_ = false;
};

// What can be read from a Store (each call sees its own "now") and from a Snapshot (all agree).
class Reader {
 public:
  // `after` is a position of an earlier list with the same kind, filter and order; limit 0: all.
  [[nodiscard]] Cursor list(tl_kind kind, const tl_filter &where = filter(),
                            tl_order order = TL_ORDER_TIME, std::string_view after = {},
                            std::uint64_t limit = 0) const {
    const tl_text position = after.empty() ? tl_text{} : text(after);
    return open([&](tl_cursor **cursor) {
      return tl_list(store_, snapshot_, kind, &where, order, position, limit, cursor);
    });
  }
  [[nodiscard]] Cursor tree(std::string_view trace_id) const {
    return open(
        [&](tl_cursor **cursor) { return tl_tree(store_, snapshot_, text(trace_id), cursor); });
  }
  [[nodiscard]] Cursor replay(std::string_view session_id, double speed = 1,
                              std::int64_t max_gap_ns = 0) const {
    const tl_replay_options options{sizeof options, speed, max_gap_ns};
    return open([&](tl_cursor **cursor) {
      return tl_replay(store_, snapshot_, text(session_id), &options, cursor);
    });
  }
  // A cursor with one row. trace_id is needed for an observation id that is in several traces.
  [[nodiscard]] Cursor get(tl_kind kind, std::string_view id,
                           std::string_view trace_id = {}) const {
    const tl_text trace = trace_id.empty() ? tl_text{} : text(trace_id);
    return open([&](tl_cursor **cursor) {
      return tl_get(store_, snapshot_, kind, trace, text(id), cursor);
    });
  }
  // A medium by its id, or by a reference to it: so many bytes from an offset, or all.
  [[nodiscard]] std::string media(std::string_view id, std::uint64_t offset = 0,
                                  std::size_t size_bytes_max = SIZE_MAX) const {
    return detail::read_all(size_bytes_max, [&](std::uint64_t done, void *to,
                                                std::size_t capacity_bytes, std::size_t *size) {
      require(tl_media_read(store_, snapshot_, text(id), offset + done, to, capacity_bytes, size,
                            nullptr));
    });
  }
  // What is known of it; its text is valid until this thread asks for another.
  [[nodiscard]] tl_medium medium(std::string_view id) const {
    tl_medium medium{};
    medium.struct_size = sizeof medium;
    std::size_t size_bytes = 0;
    require(tl_media_read(store_, snapshot_, text(id), 0, nullptr, 0, &size_bytes, &medium));
    return medium;
  }

 protected:
  Reader(tl_store *store, tl_snapshot *snapshot) : store_(store), snapshot_(snapshot) {}
  // One that was moved from is empty: its calls throw TL_MISUSE.
  Reader(Reader &&other) noexcept
      : store_(std::exchange(other.store_, nullptr)),
        snapshot_(std::exchange(other.snapshot_, nullptr)) {}
  Reader &operator=(Reader &&other) noexcept {
    store_ = std::exchange(other.store_, nullptr);
    snapshot_ = std::exchange(other.snapshot_, nullptr);
    return *this;
  }
  ~Reader() = default;
  template <class Open>
  static Cursor open(const Open &open_cursor) {
    tl_cursor *cursor = nullptr;
    require(open_cursor(&cursor));
    return Cursor(cursor);
  }

  tl_store *store_;
  tl_snapshot *snapshot_;
};

// A consistent view of the file at one commit, to be gone before its Store; keep it shortly.
class Snapshot : public Reader {
 public:
  Snapshot(tl_store *store, tl_snapshot *snapshot) : Reader(store, snapshot), handle_(snapshot) {}

 private:
  detail::Handle<tl_snapshot, tl_snapshot_close> handle_;
};

// ----------------------------------------------------------------------------------------- store

// An open file. Any number of threads may use it at once. A Store that goes without close() drains
// and closes for at most ten seconds, and cannot tell what failed.
class Store : public Reader {
 public:
  static constexpr std::uint32_t kNoLimit = UINT32_MAX;

  // Options with nothing but defaults, to be changed and given to the constructor.
  static tl_options options() {
    tl_options defaults{};
    defaults.struct_size = sizeof defaults;
    return defaults;
  }
  explicit Store(const std::string &path, const tl_options &options = Store::options())
      : Reader(nullptr, nullptr) {
    require(tl_open(path.c_str(), &options, &store_));
    handle_.reset(store_);
  }

  // Everything recorded before is durable once this has returned; gives the number of the commit.
  std::uint64_t flush(std::uint32_t timeout_ms = kNoLimit) {
    std::uint64_t commit = 0;
    require(tl_flush(store_, timeout_ms, &commit));
    return commit;
  }
  // Waits for a commit behind this one, of any process; nothing where none came in time, or a
  // signal did.
  [[nodiscard]] std::optional<std::uint64_t> wait(std::uint64_t position,
                                                  std::uint32_t timeout_ms = kNoLimit) const {
    std::uint64_t newest = 0;
    const tl_status status = tl_wait(store_, position, timeout_ms, &newest);
    if (status == TL_TIMEOUT || status == TL_CANCELLED) return std::nullopt;
    require(status);
    return newest;
  }
  // What changed behind a position, which becomes the one to go on from; nothing where that is not
  // known any more, and everything has to be listed anew.
  [[nodiscard]] std::optional<Cursor> changes(std::uint64_t &position,
                                              const tl_filter &where = filter()) const {
    tl_cursor *cursor = nullptr;
    const tl_status status = tl_changes(store_, position, &where, &position, &cursor);
    if (status == TL_EXPIRED) return std::nullopt;
    require(status);
    return Cursor(cursor);
  }
  // Whether this thread drops what finds a queue full, in place of waiting (see tl_drop_when_full).
  static void drop_when_full(bool drops) { tl_drop_when_full(drops ? 1 : 0); }
  // The Store is empty afterwards, also when this throws.
  tl_close_report close(std::uint32_t timeout_ms = kNoLimit) {
    tl_close_report report{};
    report.struct_size = sizeof report;
    store_ = nullptr;
    require(tl_close(handle_.release(), timeout_ms, &report));
    return report;
  }

  void put(const Trace &trace) { require(tl_put_trace(store_, trace.get())); }
  void put(const Observation &given) { require(tl_put_observation(store_, given.get())); }
  void put(const Score &score) { require(tl_put_score(store_, score.get())); }
  void put(const tl_session &session) { require(tl_put_session(store_, &session)); }

  // Begins a live observation: in a new trace, in the one that it names, or under its parent.
  [[nodiscard]] Span begin(const Observation &observation = Observation()) {
    return begin_under(nullptr, observation);
  }
  [[nodiscard]] Span begin(const Span &parent, const Observation &observation = Observation()) {
    return begin_under(parent.get(), observation);
  }

  [[nodiscard]] Snapshot snapshot() const {
    tl_snapshot *opened = nullptr;
    require(tl_snapshot_open(store_, &opened));
    return {store_, opened};
  }

  [[nodiscard]] tl_statistics statistics() const {
    tl_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    require(tl_stats(store_, &statistics));
    return statistics;
  }
  [[nodiscard]] std::uint64_t counter(tl_reason reason) const {
    std::uint64_t count = 0;
    require(tl_counter(store_, reason, &count));
    return count;
  }
  [[nodiscard]] tl_store *get() const { return handle_.get(); }
  using Reader::get;

 private:
  Span begin_under(tl_span *parent, const Observation &observation) {
    tl_span *span = nullptr;
    require(tl_begin(store_, parent, observation.get(), &span));
    return Span(span);
  }
  detail::Handle<tl_store, detail::close_store> handle_;
};

}  // namespace cpp
}  // namespace tracelite

#endif  // TRACELITE_HPP
