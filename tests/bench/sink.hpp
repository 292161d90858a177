// What a user could write events to in place of tracelite, and the way to it for several threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/event.hpp"

namespace bench {

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void put(const Event& event) = 0;
  virtual void commit() = 0;  // durable when it returns
  virtual void finish() {}  // what is not needed for that: checkpoints; before the file is measured
  [[nodiscard]] virtual std::uint64_t file_size_bytes() const = 0;
};

// Each makes its file anew.
std::unique_ptr<Sink> make_sqlite_sink(const std::string& path, bool with_zstd);
// No index: a number as key, small fields as they are, each payload as one zstd -3 frame.
std::unique_ptr<Sink> make_lmdb_sink(const std::string& path);
// zstd with a dictionary of 32 KiB, synced; nullptr where this was built without RocksDB.
std::unique_ptr<Sink> make_rocksdb_sink(const std::string& path);

// What an event weighs in a queue or batch.
std::uint64_t weight_bytes(const Event& event);

// The small fields of an event one behind the other, then its payloads, each through `payload`.
template <class Payload>
void append_record(std::string& to, const Event& event, const Payload& payload) {
  const auto add = [&](const auto&... texts) {
    for (const tl_text* text : {&texts...}) {
      to.append(text->data == nullptr ? "" : text->data, text->size_bytes);
      to += '\0';
    }
  };
  const auto number = [&](std::int64_t value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  if (const auto* trace = std::get_if<tl_trace>(&event.entity)) {
    add(trace->id, trace->name, trace->user_id, trace->session_id, trace->environment,
        event.tags_json);
    number(trace->timestamp_ns);
  } else if (const auto* made = std::get_if<tl_observation>(&event.entity)) {
    add(made->id, made->trace_id, made->parent_observation_id, made->name, made->model,
        made->model_parameters, made->status_message, event.type_name, event.level_name);
    number(made->start_time_ns);
    number(made->end_time_ns);
    for (std::size_t i = 0; i < made->usage_count; ++i) {
      number(static_cast<std::int64_t>(made->usage_details[i].amount));
    }
  } else {
    const auto& score = std::get<tl_score>(event.entity);
    add(score.id, score.trace_id, score.session_id, score.name, score.comment);
  }
  for (const std::string_view one : payloads_of(event)) payload(one);
}

// Takes events from any thread and writes them on one of its own: what waits at once, up to
// tracelite's batch size. Bounded as tracelite's queue is. Keeps no copy: events must live.
class HandOver {
 public:
  explicit HandOver(Sink& sink);
  ~HandOver();
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  void put(const Event& event);
  // Everything put before is durable when it returns. Throws what the sink has thrown.
  void drain();

 private:
  void run();

  Sink& sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<const Event*> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  bool is_writing_ = false;
  bool is_over_ = false;
  std::exception_ptr failure_;
  std::thread writer_;
};

}  // namespace bench
