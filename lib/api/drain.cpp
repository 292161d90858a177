// See drain.hpp.
#include "api/drain.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "model/out_of_memory.hpp"

namespace tracelite::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

enum class Phase : int {
  waiting,
  draining,   // the thread is at work
  delivering  // it is done, and has sent the signal again, for the handler that was there before
};

// What the handler looks at; all of it may be read in a signal.
std::atomic<Phase> phase{Phase::waiting};
std::atomic<int> wake{-1};      // the end of the pipe to write to
std::atomic<pid_t> process{0};  // that has the thread
static_assert(std::atomic<Phase>::is_always_lock_free && std::atomic<pid_t>::is_always_lock_free);
struct sigaction before = {};  // what was to happen; does not change while our handler is there

struct Draining {
  std::weak_ptr<StoreState> state;
  const StoreState* address = nullptr;  // to find it again
  milliseconds within{};
};

struct Drain {
  std::mutex mutex;  // of all below; never held while something is flushed or let go of
  std::vector<Draining> stores;
  bool has_handler = false;
  bool has_thread = false;
  bool has_exit_handler = false;
  std::array<int, 2> pipe{-1, -1};
};

// There before any code runs, and never destroyed: a store may be opened by whatever is made when a
// program is loaded, and the thread may look at it during exit.
union Place {
  Drain drain;
  constexpr Place() : drain() {}
  ~Place() {}  // NOLINT: that is what it is for
};
constinit Place place;
Drain& drain() { return place.drain; }

bool is_function(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 ||
         (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
}

void call(const struct sigaction& action, int number, siginfo_t* information, void* context) {
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(number, information, context);
  } else {
    action.sa_handler(number);
  }
}

// In a signal: nothing but reading atomics, write(), sigaction() and raise().
void on_sigterm(int number, siginfo_t* information, void* context) {
  const int error = errno;
  if (process.load() != getpid()) {
    // A child that was made past pthread_atfork has our handler and not our thread.
    sigaction(number, &before, nullptr);
    raise(number);
  } else if (Phase expected = Phase::delivering;
             phase.compare_exchange_strong(expected, Phase::waiting)) {
    call(before, number, information, context);
  } else if (expected = Phase::waiting; phase.compare_exchange_strong(expected, Phase::draining)) {
    const char byte = 0;
    // The pipe has room: there is at most one byte in it.
    if (write(wake.load(), &byte, 1) != 1) phase.store(Phase::waiting);
  }
  errno = error;
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_sigterm;
}

// Nothing may be thrown out of the thread or out of exit().
void drain_all() {
  const auto began = steady_clock::now();
  std::vector<std::pair<std::shared_ptr<StoreState>, milliseconds>> open;
  {
    const std::scoped_lock lock(drain().mutex);
    for (const Draining& one : drain().stores) {
      auto state = one.state.lock();
      if (state) ended_well([&] { open.emplace_back(std::move(state), one.within); });
    }
  }
  // All of them begin at once.
  for (const auto& one : open) {
    ended_well([&] { (void)one.first->wait_until_durable(milliseconds(0)); });
  }
  std::ranges::sort(open, {}, [](const auto& one) { return one.second; });
  for (const auto& one : open) {
    const auto deadline = began + one.second;
    ended_well([&] { (void)one.first->wait_until_durable_despite_errors(deadline); });
  }
}

void drain_at_exit() {
  if (process.load() == getpid()) drain_all();
}

// What would have happened without us happens now.
void go_on() {
  struct sigaction now = {};
  bool was_removed = false;
  {
    const std::scoped_lock lock(drain().mutex);
    sigaction(SIGTERM, nullptr, &now);
    was_removed = !drain().has_handler;
  }
  if (was_removed) {
    // The last store was closed as the signal came: what is there now has not seen it.
    phase.store(Phase::waiting);
    kill(getpid(), SIGTERM);
    return;
  }
  const bool ours = is_ours(now);
  if (is_function(before)) {
    if (ours) {
      phase.store(Phase::delivering);
      kill(getpid(), SIGTERM);
      return;
    }
    // Somebody else's handler has called ours. The one before it is called from here.
    phase.store(Phase::waiting);
    siginfo_t information = {};
    information.si_signo = SIGTERM;
    call(before, SIGTERM, &information, nullptr);
    return;
  }
  if (ours && (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_DFL) {
    {
      const std::scoped_lock lock(drain().mutex);
      sigaction(SIGTERM, &before, nullptr);
      drain().has_handler = false;
    }
    phase.store(Phase::waiting);
    kill(getpid(), SIGTERM);
    return;
  }
  phase.store(Phase::waiting);
}

void run(int descriptor) {
  for (;;) {
    char byte = 0;
    const ssize_t count = read(descriptor, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count != 1) return;
    drain_all();
    go_on();
  }
}

// With the mutex.
Status start_thread() {
  if (drain().has_thread) return {};
  if (pipe(drain().pipe.data()) != 0) {
    return make_error(Code::no_memory, "no pipe can be had to drain on SIGTERM",
                      "drain_on_sigterm_ms", errno);
  }
  for (const int end : drain().pipe) fcntl(end, F_SETFD, FD_CLOEXEC);
  fcntl(drain().pipe[1], F_SETFL, O_NONBLOCK);
  // It must not be the one that the signal interrupts.
  sigset_t all;
  sigset_t given;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &given);
  bool has_started = true;
  try {
    std::thread(run, drain().pipe[0]).detach();
  } catch (const std::exception&) {
    has_started = false;
  }
  pthread_sigmask(SIG_SETMASK, &given, nullptr);
  if (!has_started) {
    for (int& end : drain().pipe) close(std::exchange(end, -1));
    return make_error(Code::no_memory, "the thread that drains on SIGTERM could not be started",
                      "drain_on_sigterm_ms");
  }
  drain().has_thread = true;
  wake.store(drain().pipe[1]);
  process.store(getpid());
  if (!drain().has_exit_handler) drain().has_exit_handler = std::atexit(drain_at_exit) == 0;
  return {};
}

// With the mutex. A handler that was put over ours may call it; where there is none any more, ours
// is gone, and is installed anew.
void install() {
  struct sigaction now = {};
  sigaction(SIGTERM, nullptr, &now);
  if (drain().has_handler && is_function(now)) return;
  before = now;
  struct sigaction own = {};
  own.sa_sigaction = on_sigterm;
  // The calls of the system that a signal interrupts, and the stack, are as they were.
  own.sa_flags =
      SA_SIGINFO | (is_function(before) ? before.sa_flags & (SA_RESTART | SA_ONSTACK) : SA_RESTART);
  own.sa_mask = before.sa_mask;
  if (!is_function(before)) sigemptyset(&own.sa_mask);
  drain().has_handler = sigaction(SIGTERM, &own, nullptr) == 0;
}

// With the mutex. Where somebody has put a handler over ours, ours stays: that one may call it.
void remove() {
  struct sigaction now = {};
  if (!drain().has_handler || sigaction(SIGTERM, nullptr, &now) != 0 || !is_ours(now)) return;
  sigaction(SIGTERM, &before, nullptr);
  drain().has_handler = false;
}

void before_fork() { drain().mutex.lock(); }
void after_fork_in_parent() { drain().mutex.unlock(); }
void after_fork_in_child() {
  remove();
  drain().has_handler = false;
  drain().has_thread = false;
  drain().stores.clear();
  for (int& end : drain().pipe) {
    if (end >= 0) close(std::exchange(end, -1));
  }
  wake.store(-1);
  process.store(0);
  phase.store(Phase::waiting);
  drain().mutex.unlock();
}

// When the library is loaded, because the first use may be in a thread that a fork leaves behind.
[[maybe_unused]] const int kAtFork =
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

}  // namespace

Status drain_at_the_end(const std::shared_ptr<StoreState>& state, milliseconds within) {
  const std::scoped_lock lock(drain().mutex);
  TL_TRY(start_thread());
  drain().stores.push_back(Draining{state, state.get(), within});
  install();
  return {};
}

void do_not_drain(const StoreState& state) {
  const std::scoped_lock lock(drain().mutex);
  const auto gone =
      std::erase_if(drain().stores, [&](const Draining& one) { return one.address == &state; });
  if (gone != 0 && drain().stores.empty() && phase.load() == Phase::waiting) remove();
}

}  // namespace tracelite::api
