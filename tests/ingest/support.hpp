// What the tests of this room share: events in one line, a file with a recorder, a look at what was
// written, and ways to hold the writer or to make it fail for as long as a test wants.
#pragma once

#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ingest/recorder.hpp"
#include "model/event.hpp"
#include "model/view.hpp"
#include "payload/group_format.hpp"
#include "record/entity_store.hpp"
#include "record/records.hpp"
#include "record/statistics.hpp"
#include "store/environment.hpp"
#include "store/helpers.hpp"
#include "store/testing.hpp"

namespace tracelite::ingest::test {

using model::EntityKind;
using model::EventBuilder;
using model::Field;
using model::Form;
using model::Reason;
using std::chrono::milliseconds;
using store::test::fast_folder;
using store::test::Folder;
using store::test::must;

// Nothing is written before somebody flushes or closes.
inline constexpr std::uint32_t kNeverByItselfMs = 3'600'000;
// Ends a wait that would otherwise be for ever; what is right never takes that long.
inline constexpr milliseconds kHangs{120'000};

using Fill = std::function<void(EventBuilder&)>;

// Payloads that `fill` gives must be given for good.
inline EventBuilder sealed(EventBuilder& builder, const Fill& fill, std::int64_t time_ns) {
  if (fill) fill(builder);
  must(builder.seal(time_ns));
  return builder;
}
inline EventBuilder trace(Bytes id, const Fill& fill = {}, std::int64_t time_ns = 1) {
  EventBuilder builder(EntityKind::trace, false);
  must(builder.id(id));
  must(builder.text(Field::name, "chat"));
  return sealed(builder, fill, time_ns);
}
inline EventBuilder observation(Bytes trace_id, Bytes id, const Fill& fill = {},
                                std::int64_t time_ns = 1) {
  EventBuilder builder(EntityKind::observation, false);
  must(builder.id(id));
  if (!trace_id.empty()) must(builder.trace_id(trace_id));
  return sealed(builder, fill, time_ns);
}
inline EventBuilder score(Bytes trace_id, Bytes session_id, Bytes id, std::int64_t time_ns = 1) {
  EventBuilder builder(EntityKind::score, false);
  must(builder.id(id));
  must(builder.subject(trace_id, {}, session_id));
  must(builder.text(Field::name, "grade"));
  builder.number(1);
  return sealed(builder, {}, time_ns);
}
inline EventBuilder session(Bytes id, std::int64_t time_ns = 1) {
  EventBuilder builder(EntityKind::session, false);
  must(builder.id(id));
  builder.flag(Field::is_bookmarked, true);
  return sealed(builder, {}, time_ns);
}

inline Fill with_payload(Field field, Form form, std::string bytes) {
  return [=](EventBuilder& builder) { builder.payload(field, form, std::string(bytes)); };
}

// Text that does not get smaller, the same for the same seed.
inline std::string noise(std::size_t size_bytes, std::uint32_t seed = 1) {
  static constexpr char kLetters[] =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
  std::mt19937 random(seed);
  std::string text(size_bytes, ' ');
  for (char& letter : text) letter = kLetters[random() % 64];
  return text;
}

inline Options lazy() {
  Options options;
  options.commit_interval_ms = kNeverByItselfMs;
  return options;
}

// A place where one thread waits until another lets it go on.
class Gate {
 public:
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // For the thread that is to be held.
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for_arrival() {
    std::unique_lock lock(mutex_);
    BOOST_REQUIRE(changed_.wait_for(lock, kHangs, [this] { return arrived_ > 0; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrived_ = 0;
};

// Makes a call of the store fail again and again until it is mended: the trap is set anew by what
// the writer logs about each failure, before it tries again.
class Breakage {
 public:
  Breakage(store::testing::Point point, std::uint64_t nth, int code) : point_(point), code_(code) {
    store::testing::fail(point, nth, code);
  }
  ~Breakage() { mend(); }
  Breakage(const Breakage&) = delete;
  Breakage& operator=(const Breakage&) = delete;

  void again() {
    const std::scoped_lock lock(mutex_);
    ++failures_;
    failed_.notify_all();
    if (!mended_) store::testing::fail(point_, 1, code_);
  }
  void mend() {
    const std::scoped_lock lock(mutex_);
    mended_ = true;
    store::testing::fail_nothing();
  }
  void wait_for_failure() {
    std::unique_lock lock(mutex_);
    BOOST_REQUIRE(failed_.wait_for(lock, kHangs, [this] { return failures_ > 0; }));
  }
  [[nodiscard]] LogFunction log() {
    return [this](LogLevel level, Reason /*reason*/, const std::string& /*message*/) {
      if (level == LogLevel::error) again();
    };
  }

 private:
  const store::testing::Point point_;
  const int code_;
  std::mutex mutex_;
  std::condition_variable failed_;
  int failures_ = 0;
  bool mended_ = false;
};

// What the file says, at one moment.
class Look {
 public:
  explicit Look(store::Environment& environment)
      : transaction_(must(environment.begin_read())), reader_(transaction_) {}

  [[nodiscard]] record::Statistics statistics() const {
    return must(record::read_statistics(transaction_));
  }
  [[nodiscard]] std::uint64_t counter(Reason reason) const {
    return must(record::read_counters(transaction_))[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::optional<record::Found> find_observation(Bytes trace_id, Bytes id) const {
    const auto container = must(reader_.find_trace(trace_id));
    if (!container) return std::nullopt;
    return must(reader_.find(*container, record::RecordKind::observation, id));
  }
  [[nodiscard]] model::Entity observation(Bytes trace_id, Bytes id) const {
    auto found = find_observation(trace_id, id);
    if (!found) BOOST_FAIL("there is no observation " << id << " in " << trace_id);
    return std::move(found->entity);
  }
  [[nodiscard]] model::Entity trace(Bytes id) const {
    const auto container = must(reader_.find_trace(id));
    if (!container) BOOST_FAIL("there is no trace " << id);
    return must(reader_.load({*container, record::RecordKind::header, 0})).value();
  }
  [[nodiscard]] bool has_trace(Bytes id) const { return must(reader_.find_trace(id)).has_value(); }
  [[nodiscard]] bool has_score(Bytes id) const { return must(reader_.find_score(id)).has_value(); }
  // The payload of a field as it was given; "<absent>" and "<cleared>" say so.
  [[nodiscard]] std::string payload(const model::Entity& entity, Field field) const {
    const model::Register* reg = entity.find(field);
    if (reg == nullptr) return "<absent>";
    if (reg->cleared()) return "<cleared>";
    return must(reader_.payload({model::PayloadValue::decode(reg->value), reg->tree()}));
  }
  [[nodiscard]] Form form(const model::Entity& entity, Field field) const {
    const model::Register* reg = entity.find(field);
    return reg == nullptr || reg->cleared() ? Form::absent
                                            : model::PayloadValue::decode(reg->value).form;
  }
  [[nodiscard]] std::uint64_t record_count() const {
    std::uint64_t count = 0;
    record::RecordCursor cursor(transaction_);
    for (bool more = must(cursor.seek({})); more; more = must(cursor.next())) ++count;
    return count;
  }
  // Payloads that share text with others, each counted once.
  [[nodiscard]] std::uint64_t shared_payload_count() const {
    std::uint64_t count = 0;
    store::PackedCursor cursor(transaction_, store::KeySpace::frame);
    for (bool more = must(cursor.seek({})); more; more = must(cursor.next())) {
      const payload::GroupKey key = payload::decode_group_key(cursor.key()).value();
      if (key.part != payload::GroupPart::head) continue;
      count += must(payload::read_head(transaction_, key.group)).value().payload_count;
    }
    return count;
  }
  [[nodiscard]] std::uint64_t entries(store::KeySpace space) const {
    return must(transaction_.statistics(space)).entries;
  }
  // Payloads that no record owns yet.
  [[nodiscard]] int pending_count() const {
    constexpr Bytes kPrefix = "pending:";
    int count = 0;
    store::Cursor cursor = transaction_.cursor(store::KeySpace::meta);
    for (bool more = must(cursor.seek(kPrefix)); more && cursor.key().starts_with(kPrefix);
         more = must(cursor.next())) {
      ++count;
    }
    return count;
  }

 private:
  store::ReadTransaction transaction_;
  record::EntityReader reader_;
};

// A file of its own, and a recorder that writes to it.
class Scene {
 public:
  explicit Scene(Options options = lazy(), store::OpenOptions open_options = {})
      : open_options_(open_options) {
    open();
    start(std::move(options));
  }
  ~Scene() {
    // Not waiting for a failure to go away where a test has failed itself.
    if (recorder_) recorder_->close(milliseconds(0));
    recorder_.reset();
    environment_.reset();
    store::testing::fail_nothing();
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  void start(Options options) {
    recorder_ = must(Recorder::start(environment_, std::move(options)));
  }
  void record(EventBuilder sealed) const {
    if (recorder_->keeps(sealed)) must(recorder_->record(sealed));
  }
  [[nodiscard]] Status flushed() const {
    TL_TRY(recorder_->wait_until_durable(std::nullopt));
    return recorder_->tell_dropped();
  }
  void flush() const { must(flushed()); }
  // The error of a flush that must fail.
  [[nodiscard]] Error flush_error() const {
    Status status = flushed();
    if (status) BOOST_FAIL("the flush should have failed");
    return std::move(status).error();
  }
  // After the cause of a failure is gone; the try that was under way may still fail.
  void flush_after_mending() const {
    if (!flushed()) flush();
  }
  void close() { BOOST_TEST(recorder_->close(std::nullopt).dropped_count == 0U); }
  // As another start of the program would.
  void reopen() {
    recorder_.reset();
    environment_.reset();
    open();
  }

  [[nodiscard]] Recorder& recorder() const { return *recorder_; }
  [[nodiscard]] const std::shared_ptr<store::Environment>& environment() const {
    return environment_;
  }
  [[nodiscard]] Look look() const { return Look(*environment_); }
  [[nodiscard]] std::uint64_t commits() const { return environment_->last_transaction_id(); }
  [[nodiscard]] std::string path() const { return folder_.file(); }

 private:
  void open() { environment_ = must(store::Environment::open(folder_.file(), open_options_)); }

  const Folder folder_{fast_folder()};
  const store::OpenOptions open_options_;
  std::shared_ptr<store::Environment> environment_;
  std::unique_ptr<Recorder> recorder_;
};

}  // namespace tracelite::ingest::test
