// The thread that forks holds SQLite's static mutexes while it does, so nobody else can.
#include "index/fork_safety.hpp"

#include <pthread.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace tracelite::index {
namespace {

// In the order in which SQLite takes them when it needs two: the random numbers look for a VFS
// (MAIN), and all of them allocate (MEM).
constexpr std::array kMutexes = {
    SQLITE_MUTEX_STATIC_PRNG, SQLITE_MUTEX_STATIC_VFS1, SQLITE_MUTEX_STATIC_VFS2,
    SQLITE_MUTEX_STATIC_VFS3, SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_MASTER,
    SQLITE_MUTEX_STATIC_LRU,  SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_MEM};

// Held while SQLite is initialised, and over every fork: SQLite's own mutex for that is none of
// those above, and a child would wait for ever for the thread that has it.
std::mutex initialising;

// nullptr, and to enter one does nothing: SQLite is not initialised yet, or was built without.
std::array<sqlite3_mutex*, kMutexes.size()> mutexes{};

void enter() {
  initialising.lock();
  for (sqlite3_mutex* mutex : mutexes) sqlite3_mutex_enter(mutex);
}

void leave() {
  std::for_each(mutexes.rbegin(), mutexes.rend(), sqlite3_mutex_leave);
  initialising.unlock();
}

// When the library is loaded, because a fork does not wait for what is being registered.
[[maybe_unused]] const int kRegistered = pthread_atfork(enter, leave, leave);

}  // namespace

void prepare_for_forks() {
  const std::scoped_lock lock(initialising);
  if (sqlite3_initialize() != SQLITE_OK) return;
  std::transform(kMutexes.begin(), kMutexes.end(), mutexes.begin(), sqlite3_mutex_alloc);
}

}  // namespace tracelite::index
