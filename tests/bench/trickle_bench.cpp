#include "bench/trickle_bench.hpp"

#include <time.h>
#include <tracelite/tracelite.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/json_line.hpp"
#include "bench/limits.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "support/write_counter.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using counting::device_sectors_written;
using counting::sleeps_of_other_threads;
using counting::Written;
using counting::written;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPause{10};
constexpr milliseconds kCommitInterval{50};
constexpr double kRatioMax = 1.2;
constexpr int kIdleSeconds = 10;
constexpr int kObservationsATrace = 10;

double cpu_s(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

tl_text text_of(const std::string& text) { return {text.data(), text.size()}; }

// What is recorded: its own copy, because a writer thread looks at it later.
struct Recorded {
  std::string id, trace_id, parent_id, input, output, metadata;
  std::int64_t start_ns = 0;

  [[nodiscard]] tl_observation observation() const {
    tl_observation given{};
    given.struct_size = sizeof given;
    given.set_mask = TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_MODEL) |
                     TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_END_TIME) |
                     TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_OUTPUT);
    if (!parent_id.empty()) given.set_mask |= TL_BIT(TL_FIELD_PARENT_OBSERVATION_ID);
    if (!metadata.empty()) given.set_mask |= TL_BIT(TL_FIELD_METADATA);
    given.id = text_of(id);
    given.trace_id = text_of(trace_id);
    if (!parent_id.empty()) given.parent_observation_id = text_of(parent_id);
    given.type = TL_TYPE_GENERATION;
    given.name = tl_str("generate answer");
    given.model = tl_str("gpt-4o-mini");
    given.start_time_ns = start_ns;
    given.end_time_ns = start_ns + 5'000'000;
    given.input = {TL_FORM_JSON, text_of(input)};
    given.output = {TL_FORM_JSON, text_of(output)};
    if (!metadata.empty()) given.metadata = {TL_FORM_JSON, text_of(metadata)};
    return given;
  }
};

struct Shape {
  const char* name;
  std::size_t payload_size_bytes;  // of input and output each
  int metadata_key_count;
};
// Text that nobody else has, so that none of it can be shared.
constexpr Shape kShapes[] = {{"300 bytes of input and of output", 300, 0},
                             {"1 KiB of input and of output, ten metadata keys", 1024, 10}};

class Source {
 public:
  explicit Source(const Shape& shape) : shape_(shape) {}

  Recorded next() {
    Recorded made;
    if (number_ % kObservationsATrace == 0) {
      trace_id_ = hex(32);
      parent_id_.clear();
    }
    ++number_;
    made.id = hex(16);
    made.trace_id = trace_id_;
    made.parent_id = parent_id_;
    if (parent_id_.empty()) parent_id_ = made.id;
    made.input = payload();
    made.output = payload();
    if (shape_.metadata_key_count > 0) made.metadata = metadata();
    made.start_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
    return made;
  }

 private:
  std::string hex(std::size_t digits) {
    std::string text(digits, '0');
    for (char& digit : text) digit = "0123456789abcdef"[random_() & 15];
    return text;
  }
  // Half of it words as in any other, half of it its own.
  std::string payload() {
    std::string text = R"({"role":"user","content":")";
    while (text.size() + 2 < shape_.payload_size_bytes) {
      text += "tell me about " + hex(16) + " ";
    }
    return text + R"("})";
  }
  std::string metadata() {
    std::string text = "{";
    for (int i = 0; i < shape_.metadata_key_count; ++i) {
      text += (i == 0 ? "\"attribute." : ",\"attribute.") + std::to_string(i) + "\":\"value " +
              std::to_string(i) + "\"";
    }
    return text + "}";
  }

  const Shape& shape_;
  std::mt19937_64 random_{1};
  std::uint64_t number_ = 0;
  std::string trace_id_, parent_id_;
};

// As tracelite's own writer: waits for the first, gathers for the commit interval, commits.
class SqliteWriter {
 public:
  explicit SqliteWriter(const std::string& path) : db_(path), thread_([this] { run(); }) {}
  ~SqliteWriter() {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    wake_.notify_one();
    thread_.join();
    db_.checkpoint();
  }
  SqliteWriter(const SqliteWriter&) = delete;
  SqliteWriter& operator=(const SqliteWriter&) = delete;

  void put(Recorded recorded) {
    bool was_empty = false;
    {
      const std::scoped_lock lock(mutex_);
      was_empty = waiting_.empty();
      waiting_.push_back(std::move(recorded));
    }
    if (was_empty) wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      wake_.wait_for(lock, kCommitInterval, [this] { return closed_; });
      const std::vector<Recorded> batch = std::exchange(waiting_, {});
      lock.unlock();
      for (const Recorded& recorded : batch) {
        Event event;
        event.entity = recorded.observation();
        event.type_name = tl_str("GENERATION");
        db_.put(event);
      }
      db_.commit();
      lock.lock();
    }
  }

  SqliteByHand db_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Recorded> waiting_;
  bool closed_ = false;
  std::thread thread_;
};

struct Trickle {
  double bytes = 0, calls = 0, syncs = 0, sectors = 0, cpu_us = 0;  // for each observation
};

// From the open store to the closed one, so that what is put off is counted as well.
template <class Target, class Put>
Trickle run(const Shape& shape, int seconds, const std::string& path, std::unique_ptr<Target> to,
            const Put& put) {
  Source source(shape);
  Progress progress(std::string("trickle, ") + shape.name);
  const auto count = static_cast<std::uint64_t>(seconds * (std::chrono::seconds(1) / kPause));
  const Written before = written();
  const std::uint64_t sectors_before = device_sectors_written(path);
  const double cpu_before_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_s(CLOCK_THREAD_CPUTIME_ID);
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    std::this_thread::sleep_until(start + i * kPause);
    put(*to, source.next());
  }
  // What SQLite has put off belongs to its writer, whichever thread does it.
  const double own_cpu_s = cpu_s(CLOCK_THREAD_CPUTIME_ID);
  to.reset();
  const Written after = written();
  const double cpu_after_s = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - own_cpu_s;
  const auto each = [&](std::uint64_t from, std::uint64_t until) {
    return static_cast<double>(until - from) / static_cast<double>(count);
  };
  return {each(before.size_bytes, after.size_bytes), each(before.call_count, after.call_count),
          each(before.sync_count, after.sync_count),
          each(sectors_before, device_sectors_written(path)),
          (cpu_after_s - cpu_before_s) * 1e6 / static_cast<double>(count)};
}

Trickle run_tracelite(const Shape& shape, int seconds, const std::string& path) {
  fs::remove(path);
  return run(shape, seconds, path, std::make_unique<tracelite::Store>(path),
             [](tracelite::Store& store, const Recorded& recorded) {
               const tl_observation given = recorded.observation();
               tracelite::require(tl_put_observation(store.get(), &given));
             });
}

Trickle run_sqlite(const Shape& shape, int seconds, const std::string& path) {
  fs::remove(path);
  return run(shape, seconds, path, std::make_unique<SqliteWriter>(path),
             [](SqliteWriter& writer, Recorded recorded) { writer.put(std::move(recorded)); });
}

void print_one(const Shape& shape, const Trickle& own, const Trickle& sqlite) {
  const std::string head = std::string("trickle, ") + shape.name + ": ";
  const auto line = [&](const char* what, const char* unit, double Trickle::*of,
                        bool is_limited = false) {
    JsonLine out("bench", head + what);
    out.add("tracelite", own.*of).add("sqlite", sqlite.*of);
    out.add_ratio("ratio", ratio(own.*of, sqlite.*of)).add("unit", unit);
    out.print();
    if (is_limited) at_most(head + what + ", by SQLite's", ratio(own.*of, sqlite.*of), kRatioMax);
  };
  line("written an observation", "bytes", &Trickle::bytes, true);
  line("CPU time an observation, the recording thread left out", "us", &Trickle::cpu_us, true);
  line("calls that write an observation", "calls", &Trickle::calls);
  line("syncs an observation", "syncs", &Trickle::syncs);
  line("sectors of the block device an observation, of all processes", "sectors",
       &Trickle::sectors);
}

void bench_idle(const Folder& folder) {
  const std::string path = folder.file("idle.tl");
  tracelite::Store store(path);
  Source source(kShapes[0]);
  const Recorded recorded = source.next();
  const tl_observation given = recorded.observation();
  tracelite::require(tl_put_observation(store.get(), &given));
  store.flush();
  // The writer reports what is durable before it goes to sleep.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const std::uint64_t sleeps_before = sleeps_of_other_threads();
  const Written before = written();
  std::this_thread::sleep_for(std::chrono::seconds(kIdleSeconds));
  JsonLine line("bench", "idle for " + std::to_string(kIdleSeconds) + " s");
  const std::uint64_t wake_ups = sleeps_of_other_threads() - sleeps_before;
  const std::uint64_t bytes_written = written().size_bytes - before.size_bytes;
  line.add("wake_ups", wake_ups).add("bytes_written", bytes_written).print();
  at_most("idle: wake-ups", static_cast<double>(wake_ups), 0, "wake-ups");
  at_most("idle: written", static_cast<double>(bytes_written), 0, "bytes");
}

}  // namespace

void bench_trickle(int seconds, const Folder& folder) {
  print_note("one observation every 10 ms for " + std::to_string(seconds) +
             " s, durable within 50 ms; SQLite: WAL, FULL, checkpoints included; load average " +
             std::to_string(load_average()));
  for (const Shape& shape : kShapes) {
    // The first shape is the one that counts.
    const int run_s = &shape == kShapes ? seconds : std::max(1, seconds / 3);
    const Trickle own = run_tracelite(shape, run_s, folder.file("trickle.tl"));
    const Trickle sqlite = run_sqlite(shape, run_s, folder.file("trickle.sqlite"));
    print_one(shape, own, sqlite);
  }
  bench_idle(folder);
}

}  // namespace bench
