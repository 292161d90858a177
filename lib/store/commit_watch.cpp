#include "store/commit_watch.hpp"

#include "model/out_of_memory.hpp"
#include "store/errors.hpp"

#if defined(__linux__)
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <thread>

namespace tracelite::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Written to, or it has lost or changed its name.
constexpr std::uint32_t kEvents = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
// A commit is in the map some microseconds before readers may begin on it.
constexpr int kVisiblePauseMs = 1;
// How often to look whether a file that was put in place is the one that transactions begin on.
constexpr int kFollowTriesMax = 100;

void close_descriptor(int descriptor) {
  if (descriptor >= 0) ::close(descriptor);
}

// -1: without limit. Rounded up, so that nobody asks again and again before the deadline.
int left_ms(const std::optional<steady_clock::time_point>& deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

}  // namespace

struct CommitWatch::Events {
  int events = -1;
  int wake = -1;   // written to by close()
  int watch = -1;  // of the file that was there
  FileIdentity watched;

  Events() = default;
  ~Events() {
    close_descriptor(events);
    close_descriptor(wake);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  Status open() {
    events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (events < 0) return make_error(Code::io, "no file can be watched", {}, errno);
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0) return make_error(Code::io, "no file can be watched", {}, errno);
    return {};
  }

  // Watches what is at the path.
  Status follow(const std::string& path) {
    const auto here = identity_of(path);
    if (watch >= 0 && here && *here == watched) return {};
    if (watch >= 0) inotify_rm_watch(events, watch);
    watch = inotify_add_watch(events, path.c_str(), kEvents);
    if (watch < 0) {
      const int code = errno;
      return make_error(Code::io, path + " cannot be watched", {}, code);
    }
    watched = here.value_or(FileIdentity());
    return {};
  }

  void drain() const {
    alignas(inotify_event) std::array<char, 4096> room;
    while (read(events, room.data(), room.size()) > 0) {
    }
  }
};

CommitWatch::CommitWatch() = default;
CommitWatch::~CommitWatch() = default;

Result<std::uint64_t> CommitWatch::wait(const std::shared_ptr<Environment>& environment,
                                        std::uint64_t position,
                                        std::optional<milliseconds> timeout) {
  Deadline deadline;
  if (timeout) deadline = steady_clock::now() + *timeout;
  Lock lock(mutex_);
  ++waiting_count_;
  Result<std::uint64_t> found = std::uint64_t{0};
  const Status waited = without_exceptions([&]() -> Status {
    TL_TRY_ASSIGN(newest, wait_in_line(lock, *environment, position, deadline));
    found = newest;
    return {};
  });
  if (--waiting_count_ == 0) events_.reset();
  changed_.notify_all();
  if (!waited) return waited.error();
  return found;
}

Result<std::uint64_t> CommitWatch::wait_in_line(Lock& lock, Environment& environment,
                                                std::uint64_t position, const Deadline& deadline) {
  const auto no_commit = [] {
    return make_error(Code::timeout, "there was no commit in the time given");
  };
  const auto closed = [] { return make_error(Code::misuse, "the store has been closed"); };
  if (events_ == nullptr) {
    if (is_closed_) return closed();
    // To watch and to end it takes a while: only for who has to wait.
    TL_TRY_ASSIGN(now, environment.begin_read());
    if (now.id() != position) return now.id();
    if (deadline && steady_clock::now() >= *deadline) return no_commit();
    auto made = std::make_unique<Events>();
    TL_TRY(made->open());
    events_ = std::move(made);
  }
  for (int follow_tries = 0;;) {
    if (is_closed_) return closed();
    // Before looking, so that no commit falls between.
    if (!is_read_) TL_TRY(events_->follow(environment.path()));
    {
      // Goes over to the file that is in place.
      TL_TRY_ASSIGN(now, environment.begin_read());
      if (now.id() != position) return now.id();
    }
    if (deadline && steady_clock::now() >= *deadline) return no_commit();
    if (!is_read_) {
      // What was looked at may have been put in place after it was watched.
      if (events_->watched != environment.identity()) {
        if (++follow_tries < kFollowTriesMax) continue;
        return make_error(Code::busy, environment.path() + " was moved, or replaced by another");
      }
      follow_tries = 0;
      TL_TRY(read_events(lock, environment, position, deadline));
    } else if (deadline) {
      changed_.wait_until(lock, *deadline);
    } else {
      changed_.wait(lock);
    }
  }
}

// Until there is a reason to look: the others are told of it.
Status CommitWatch::read_events(Lock& lock, Environment& environment, std::uint64_t position,
                                const Deadline& deadline) {
  is_read_ = true;
  const Events& events = *events_;
  lock.unlock();
  Status status = without_exceptions(
      [&] { return sleep_until_events(events, environment, position, deadline); });
  lock.lock();
  is_read_ = false;
  changed_.notify_all();
  return status;
}

Status CommitWatch::sleep_until_events(const Events& events, const Environment& environment,
                                       std::uint64_t position, const Deadline& deadline) {
  while (true) {
    const bool is_in_map = environment.last_transaction_id() != position;
    int patience_ms = left_ms(deadline);
    if (is_in_map) {
      patience_ms = patience_ms < 0 ? kVisiblePauseMs : std::min(patience_ms, kVisiblePauseMs);
      std::this_thread::yield();
    }
    std::array<pollfd, 2> asked = {{{.fd = events.events, .events = POLLIN, .revents = 0},
                                    {.fd = events.wake, .events = POLLIN, .revents = 0}}};
    const int count = poll(asked.data(), asked.size(), patience_ms);
    if (count < 0) {
      return errno == EINTR ? make_error(Code::cancelled, "a signal came")
                            : make_error(Code::io, "waiting for events failed", {}, errno);
    }
    events.drain();
    const bool is_old = identity_of(environment.path()) != environment.identity();
    if (count == 0 || is_in_map || is_old || asked[1].revents != 0 ||
        environment.last_transaction_id() != position) {
      return {};
    }
  }
}

void CommitWatch::close() {
  Lock lock(mutex_);
  is_closed_ = true;
  changed_.notify_all();
  if (events_ != nullptr) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(events_->wake, &one, sizeof one);
  }
  changed_.wait(lock, [this] { return waiting_count_ == 0; });
}

}  // namespace tracelite::store

#else

namespace tracelite::store {

struct CommitWatch::Events {};

CommitWatch::CommitWatch() = default;
CommitWatch::~CommitWatch() = default;

Result<std::uint64_t> CommitWatch::wait(const std::shared_ptr<Environment>&, std::uint64_t,
                                        std::optional<std::chrono::milliseconds>) {
  return make_error(Code::unsupported, "waiting for commits is there on Linux only");
}

void CommitWatch::close() {}

}  // namespace tracelite::store

#endif
