#include "model_based/player.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>

#include "maintain/retention.hpp"
#include "model/testing.hpp"
#include "model/time.hpp"
#include "model_based/calls.hpp"
#include "model_based/looker.hpp"

namespace tracelite::model_based {
namespace {

constexpr std::uint32_t kHangsMs = 30'000;

struct Answer {
  std::array<char, 400> broken{};  // terminated; empty: done
  tl_status status = TL_OK;
};

template <class Value>
bool receive(int descriptor, Value& value) {
  auto* to = reinterpret_cast<char*>(&value);
  for (std::size_t done = 0; done < sizeof value;) {
    const ssize_t size = read(descriptor, to + done, sizeof value - done);
    if (size <= 0) return false;
    done += static_cast<std::size_t>(size);
  }
  return true;
}

template <class Value>
bool send(int descriptor, const Value& value) {
  return write(descriptor, &value, sizeof value) == static_cast<ssize_t>(sizeof value);
}

tl_payload payload_of(const std::string& value) {
  return {value.front() == 'J' ? TL_FORM_JSON : TL_FORM_TEXT, {value.data() + 1, value.size() - 1}};
}

// The structs point into the fields.
tl_trace trace_of(const Change& change, tl_text& tag) {
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = text_of(change.key.id);
  const auto set = [&](tl_field field) { trace.set_mask |= TL_BIT(field); };
  for (const auto& [name, value] : change.fields) {
    if (name == "time") set(TL_FIELD_TIMESTAMP), trace.timestamp_ns = std::stoll(value);
    if (name == "name") set(TL_FIELD_NAME), trace.name = text_of(value);
    if (name == "user") set(TL_FIELD_USER_ID), trace.user_id = text_of(value);
    if (name == "session") set(TL_FIELD_SESSION_ID), trace.session_id = text_of(value);
    if (name == "input") set(TL_FIELD_INPUT), trace.input = payload_of(value);
    if (name == "output") set(TL_FIELD_OUTPUT), trace.output = payload_of(value);
    if (name.starts_with("tag:")) {
      set(TL_FIELD_TAGS);
      tag = {name.data() + 4, name.size() - 4};
      trace.tags = &tag;
      trace.tag_count = 1;
    }
  }
  return trace;
}

tl_observation observation_of(const Change& change) {
  tl_observation one{};
  one.struct_size = sizeof one;
  one.id = text_of(change.key.id);
  one.trace_id = text_of(change.key.trace_id);
  const auto set = [&](tl_field field) { one.set_mask |= TL_BIT(field); };
  for (const auto& [name, value] : change.fields) {
    if (name == "type") {
      set(TL_FIELD_TYPE), one.type = value == "SPAN" ? TL_TYPE_SPAN : TL_TYPE_GENERATION;
    }
    if (name == "start") set(TL_FIELD_START_TIME), one.start_time_ns = std::stoll(value);
    if (name == "end") set(TL_FIELD_END_TIME), one.end_time_ns = std::stoll(value);
    if (name == "name") set(TL_FIELD_NAME), one.name = text_of(value);
    if (name == "level") {
      set(TL_FIELD_LEVEL), one.level = value == "ERROR" ? TL_LEVEL_ERROR : TL_LEVEL_DEBUG;
    }
    if (name == "model") set(TL_FIELD_MODEL), one.model = text_of(value);
    if (name == "status") set(TL_FIELD_STATUS_MESSAGE), one.status_message = text_of(value);
    if (name == "input") set(TL_FIELD_INPUT), one.input = payload_of(value);
    if (name == "output") set(TL_FIELD_OUTPUT), one.output = payload_of(value);
    if (name == "parent") {
      set(TL_FIELD_PARENT_OBSERVATION_ID), one.parent_observation_id = text_of(value);
    }
  }
  return one;
}

class Playing {
 public:
  explicit Playing(const std::string& path) : path_(path) { open(); }

  // TL_OK, or what else is an answer.
  tl_status play(const Step& step) {
    if (step.verb == Verb::erase_securely) return erase_securely(step);
    do_it(step);
    return TL_OK;
  }

 private:
  void do_it(const Step& step) {
    switch (step.verb) {
      case Verb::import:
        return import(changes_of(step, live_));
      case Verb::begin:
      case Verb::update:
      case Verb::append:
      case Verb::end:
        return play_live(step);
      case Verb::record_by_threads:
        return record_by_threads(changes_of(step, live_));
      case Verb::put_bare_session:
        for (const Change& change : changes_of(step, live_)) record(change);
        return must(tl_flush(store_, UINT32_MAX, nullptr), "flush");
      case Verb::flush:
        return must(tl_flush(store_, UINT32_MAX, nullptr), "flush");
      case Verb::reopen:
        close();
        return open();
      case Verb::quit:
        return close();
      case Verb::erase:
        return erase(selection_of(step));
      case Verb::compact:
      case Verb::compact_while_other_records:
        return must(tl_compact(store_, nullptr, nullptr), "compact");
      case Verb::reindex:
        return must(tl_reindex(store_, nullptr, nullptr), "reindex");
      case Verb::retain_by_age:
        return retain_by_age(step);
      case Verb::retain_by_size:
        return retain_by_size();
      case Verb::end_all:
        return end_all(step);
      default:
        for (const Change& change : changes_of(step, live_)) record(change);
    }
  }

  void open(tl_options options = {}) {
    options.struct_size = sizeof options;
    options.commit_interval_ms = 1;  // commits come at any moment
    must(tl_open(path_.c_str(), &options, &store_), "open");
  }
  void close() {
    must(tl_close(std::exchange(store_, nullptr), UINT32_MAX, nullptr), "close");
    for (tl_span*& span : spans_) {
      if (span != nullptr) tl_end(std::exchange(span, nullptr), nullptr);
    }
    live_ = {};
  }

  void record(const Change& change) const {
    switch (change.key.kind) {
      case TL_KIND_TRACE: {
        tl_text tag{};
        const tl_trace trace = trace_of(change, tag);
        return must(tl_put_trace(store_, &trace), "put_trace");
      }
      case TL_KIND_OBSERVATION: {
        const tl_observation one = observation_of(change);
        return must(tl_put_observation(store_, &one), "put_observation");
      }
      case TL_KIND_SCORE: {
        tl_score score{};
        score.struct_size = sizeof score;
        score.id = text_of(change.key.id);
        score.trace_id = text_of(change.key.trace_id);
        score.name = text_of(change.fields.at("name"));
        score.value = std::stod(change.fields.at("value"));
        score.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE);
        return must(tl_put_score(store_, &score), "put_score");
      }
      default: {
        tl_session session{};
        session.struct_size = sizeof session;
        session.id = text_of(change.key.id);
        if (!change.fields.empty()) {
          session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
          session.is_bookmarked = change.fields.at("bookmarked") == "1" ? 1 : 0;
        }
        return must(tl_put_session(store_, &session), "put_session");
      }
    }
  }

  void play_live(const Step& step) {
    const std::size_t place = step.numbers[0] % spans_.size();
    for (const Change& change : changes_of(step, live_)) {
      const tl_observation fields = observation_of(change);
      if (step.verb == Verb::begin) {
        must(tl_begin(store_, nullptr, &fields, &spans_[place]), "begin");
      } else if (step.verb == Verb::append) {
        must(tl_append(spans_[place], TL_FIELD_OUTPUT, text_of(change.appended)), "append");
      } else if (step.verb == Verb::update) {
        must(tl_update(spans_[place], &fields), "update");
      } else {
        must(tl_end(std::exchange(spans_[place], nullptr), &fields), "end");
      }
    }
  }
  void end_all(const Step& step) {
    std::size_t place = 0;
    for (const Change& change : changes_of(step, live_)) {
      while (spans_[place] == nullptr) ++place;
      const tl_observation fields = observation_of(change);
      must(tl_end(std::exchange(spans_[place], nullptr), &fields), "end");
    }
  }

  void record_by_threads(const std::vector<Change>& changes) const {
    std::array<std::string, 3> broken;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < broken.size(); ++i) {
      threads.emplace_back([&, i] {
        try {
          const std::size_t count = changes.size() / broken.size();
          for (std::size_t at = i * count; at < (i + 1) * count; ++at) record(changes[at]);
        } catch (const Broken& error) {
          broken[i] = error.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& what : broken) require(what.empty(), what);
    must(tl_flush(store_, UINT32_MAX, nullptr), "flush");
  }

  void import(const std::vector<Change>& changes) {
    std::string lines;
    for (const Change& change : changes) {
      const auto field = [&](const char* name) {
        const auto found = change.fields.find(name);
        return found == change.fields.end() ? std::string() : found->second;
      };
      const auto time = [&](const char* name) {
        return '"' + model_time(std::stoll(field(name))) + '"';
      };
      const bool is_trace = change.key.kind == TL_KIND_TRACE;
      lines += R"({"id":"event-)" + std::to_string(++event_count_) + R"(","timestamp":)" + '"' +
               model_time(1'800'000'000'000'000'000 + imported_at()) + '"' +
               (is_trace ? R"(,"type":"trace-create","body":{"id":")"
                         : R"(,"type":"span-create","body":{"id":")") +
               change.key.id + '"';
      if (is_trace) {
        lines += R"(,"name":"imported","timestamp":)" + time("time");
        if (!field("user").empty()) lines += R"(,"userId":")" + field("user") + '"';
      } else {
        lines += R"(,"traceId":")" + change.key.trace_id + R"(","startTime":)" + time("start") +
                 R"(,"input":)" + field("input").substr(1);
      }
      lines += "}}\n";
    }
    std::string_view rest = lines;
    const auto read_some = [](void* context, void* buffer, std::size_t capacity) {
      auto& left = *static_cast<std::string_view*>(context);
      const std::size_t size = std::min(capacity, left.size());
      std::memcpy(buffer, left.data(), size);
      left.remove_prefix(size);
      return static_cast<std::int64_t>(size);
    };
    tl_import_report report{};
    report.struct_size = sizeof report;
    must(tl_import(store_, TL_FORMAT_LANGFUSE, read_some, &rest, nullptr, nullptr, nullptr, nullptr,
                   &report),
         "import");
    require(report.failed_count == 0 && report.succeeded_count == changes.size(),
            "every event of an import succeeds");
  }
  // Imports come one after the other; how many this process has made before is not known to one
  // that was started anew, so the clock says it.
  static std::int64_t imported_at() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    static std::int64_t last_ms = 0;
    last_ms = std::max(last_ms + 1, now.tv_sec * 1000 + now.tv_nsec / 1'000'000);
    return last_ms * 1'000'000;
  }
  static std::string model_time(std::int64_t at_ns) {
    const time_t seconds = at_ns / 1'000'000'000;
    tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text.data() + size, text.size() - size, ".%03dZ",
                  static_cast<int>(at_ns / 1'000'000 % 1000));
    return text.data();
  }

  void erase(const Selection& selection) const {
    tl_text tag{};
    const tl_filter filter = filter_of(selection, tag);
    must(tl_delete(store_, &filter, nullptr, nullptr, nullptr), "delete");
  }
  // The last number says whether somebody has a snapshot, so that some of it may remain.
  tl_status erase_securely(const Step& step) const {
    const Selection selection = selection_of(step);
    tl_text tag{};
    const tl_filter filter = filter_of(selection, tag);
    const bool may_remain = step.numbers[3] != 0;
    tl_delete_report report{};
    report.struct_size = sizeof report;
    const tl_status status =
        tl_delete_securely(store_, &filter, may_remain ? 0 : kHangsMs, nullptr, nullptr, &report);
    if (status != TL_TIMEOUT || !may_remain) must(status, "delete_securely");
    require((status == TL_OK) == (report.remaining_size_bytes == 0),
            "what remains of a secure deletion is told");
    return status;
  }

  // Until what was too old when it began has gone, by a clock that is set so that it is. What is
  // recorded meanwhile is younger.
  void retain_by_age(const Step& step) {
    constexpr std::uint64_t kAgeMs = std::uint64_t{20} * 3'600 * 1'000;
    constexpr std::int64_t kNsOfMs = 1'000'000;
    const std::set<std::string> old = old_traces(step);
    close();
    tl_options options{};
    options.retention_age_ms = kAgeMs;
    options.retention_flags = keeps_bookmarked(step) ? TL_RETENTION_KEEP_BOOKMARKED : 0;
    model::testing::clock_offset_ns =
        cutoff_ns(step) + static_cast<std::int64_t>(kAgeMs) * kNsOfMs - model::now_ns();
    open(options);
    wait_until("a trace that is too old stays", [&] {
      return std::ranges::none_of(old_traces(step),
                                  [&](const auto& id) { return old.contains(id); });
    });
    close();
    model::testing::clock_offset_ns = 0;
    open();
  }
  void retain_by_size() {
    close();
    tl_options options{};
    options.retention_size_bytes = kCapSizeBytes;
    open(options);
    wait_until("the file stays too large", [&] {
      const auto in_use = maintain::size_in_use_bytes(*store::test::open_file(path_));
      require(static_cast<bool>(in_use), "the size in use can be told");
      return *in_use <= kCapSizeBytes || statistics().trace_count == 0;
    });
    close();
    open();
  }
  [[nodiscard]] std::set<std::string> old_traces(const Step& step) const {
    return model_based::old_traces(read_all(store_), cutoff_ns(step), keeps_bookmarked(step));
  }
  [[nodiscard]] tl_statistics statistics() const {
    tl_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    must(tl_stats(store_, &statistics), "stats");
    return statistics;
  }
  void wait_until(const std::string& otherwise, const std::function<bool()>& holds) const {
    std::uint64_t position = statistics().commit_number;
    while (!holds()) must(tl_wait(store_, position, kHangsMs, &position), otherwise);
  }

  std::string path_;
  tl_store* store_ = nullptr;
  LiveSpans live_;
  std::array<tl_span*, std::tuple_size_v<LiveSpans>> spans_{};
  std::uint64_t event_count_ = 0;
};

int play_steps(const std::string& path, int told, int done) {
  Playing playing(path);
  for (Step step; receive(told, step);) {
    Answer answer;
    try {
      answer.status = playing.play(step);
    } catch (const Broken& broken) {
      std::strncpy(answer.broken.data(), broken.what(), answer.broken.size() - 1);
    }
    if (!send(done, answer)) return 1;
    if (step.verb == Verb::quit) return 0;
  }
  return 2;
}

}  // namespace

Player::Player(const std::string& path) {
  child_ = std::make_unique<store::test::Child>([&] {
    told_.close_writing();
    done_.close_reading();
    return play_steps(path, told_.reading(), done_.writing());
  });
  told_.close_reading();
  done_.close_writing();
}

Player::~Player() {
  if (child_) child_->kill();
}

void Player::tell(const Step& step) {
  require(send(told_.writing(), step), "a process has ended by itself");
}

tl_status Player::wait() {
  Answer answer;
  require(receive(done_.reading(), answer), "a process has ended by itself");
  require(answer.broken.front() == '\0', answer.broken.data());
  return answer.status;
}

void Player::quit() {
  play({Verb::quit, 0, {}});
  const int code = child_->wait();
  child_.reset();
  require(code == 0, "a process ended with " + std::to_string(code));
}

void Player::kill() {
  child_->kill();
  child_.reset();
}

}  // namespace tracelite::model_based
