// The thread that forks holds SQLite's static mutexes while it does, so nobody else can.
#include "index/fork_safety.hpp"

#include <pthread.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>

namespace tracelite::index {
namespace {

// In the order in which SQLite takes them when it needs two: the random numbers look for a VFS
// (MAIN), and all of them allocate (MEM).
constexpr std::array kMutexes = {
    SQLITE_MUTEX_STATIC_PRNG, SQLITE_MUTEX_STATIC_VFS1, SQLITE_MUTEX_STATIC_VFS2,
    SQLITE_MUTEX_STATIC_VFS3, SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_MASTER,
    SQLITE_MUTEX_STATIC_LRU,  SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_MEM};

std::array<sqlite3_mutex*, kMutexes.size()> mutexes;

void enter() {
  for (sqlite3_mutex* mutex : mutexes) sqlite3_mutex_enter(mutex);
}

void leave() { std::for_each(mutexes.rbegin(), mutexes.rend(), sqlite3_mutex_leave); }

}  // namespace

void prepare_for_forks() {
  // A library that was built without mutexes gives none, and entering none does nothing.
  static const bool kDone = [] {
    if (sqlite3_initialize() != SQLITE_OK) return false;
    std::transform(kMutexes.begin(), kMutexes.end(), mutexes.begin(), sqlite3_mutex_alloc);
    return pthread_atfork(enter, leave, leave) == 0;
  }();
  (void)kDone;
}

}  // namespace tracelite::index
