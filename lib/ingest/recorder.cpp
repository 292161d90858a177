// The caller's side of recording.
#include "ingest/recorder.hpp"

#include "ingest/writer.hpp"
#include "model/time.hpp"

namespace tracelite::ingest {

Recorder::Recorder(std::shared_ptr<store::Environment> environment, Options options)
    : environment_(std::move(environment)), options_(std::move(options)), queue_(options_) {}

Result<std::unique_ptr<Recorder>> Recorder::start(std::shared_ptr<store::Environment> environment,
                                                  Options options) {
  std::unique_ptr<Recorder> recorder(new Recorder(std::move(environment), std::move(options)));
  // Here, where it can be told if there is no memory for it.
  auto writer = std::make_unique<Writer>(*recorder);
  try {
    recorder->writer_ = std::thread([own = std::move(writer)] { own->run(); });
  } catch (const std::system_error& error) {
    return make_error(Code::no_memory,
                      std::string("the writer thread could not be started: ") + error.what());
  }
  return recorder;
}

Recorder::~Recorder() {
  if (writer_.joinable()) close(std::nullopt);
}

void Recorder::log(LogLevel level, model::Reason reason, const std::string& message) const {
  if (options_.log) options_.log(level, reason, message);
}

void Recorder::refused(const Error& error) {
  count(model::Reason::event_refused);
  log(LogLevel::warning, model::Reason::event_refused,
      error.field.empty() ? error.message : error.field + ": " + error.message);
}

GivenChecker Recorder::checker() {
  return GivenChecker([this](const std::string& field, const std::string& message) {
    count(model::Reason::payload);
    log(LogLevel::warning, model::Reason::payload, field + ": " + message);
  });
}

Status Recorder::record(model::EventBuilder& sealed, WhenFull when_full) {
  // Who would soon have to wait for the writer does a part of its work instead.
  if (queue_.may_soon_wait()) {
    GivenChecker checks = checker();
    sealed.check_payloads(checks);
  }
  Status pushed =
      queue_.push(sealed.size_bytes(), when_full, [&](char* out) { sealed.write(out); });
  if (!pushed) {
    if (pushed.error().code == Code::queue_full) {
      count(model::Reason::queue_full);
      log(LogLevel::warning, model::Reason::queue_full, pushed.error().message);
    }
    return pushed;
  }
  for (const model::Warning& warning : sealed.warnings()) {
    count(warning.reason, 1 + warning.more_count);
    log(LogLevel::warning, warning.reason, warning.text());
  }
  return {};
}

std::int64_t Recorder::next_stamp_ns() {
  const std::int64_t now = model::now_ns();
  std::int64_t last = last_stamp_ns_.load(std::memory_order_relaxed);
  std::int64_t stamp = 0;
  do {
    stamp = std::max(now, last + 1);
  } while (!last_stamp_ns_.compare_exchange_weak(last, stamp, std::memory_order_relaxed));
  return stamp;
}

Status Recorder::wait_until_durable_to_make_room() {
  const MakingRoom making(making_room_);
  for (;;) {
    Status status = queue_.wait_until_durable(std::nullopt);
    // The writer may have looked at the disk before this call.
    if (status || status.error().field != kFreeDiskMinField) return status;
  }
}

CloseReport Recorder::close(std::optional<std::chrono::milliseconds> timeout) {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (timeout) deadline = std::chrono::steady_clock::now() + *timeout;
  queue_.close(deadline);
  if (writer_.joinable()) writer_.join();
  return {lost_count_};
}

}  // namespace tracelite::ingest
