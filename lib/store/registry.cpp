// See registry.hpp.
#include "store/registry.hpp"

#include <pthread.h>
#include <unistd.h>

#include <new>

namespace tracelite::store {
namespace {

std::atomic<std::uint64_t> generation{1};

// When the library is loaded: the child of a fork in the middle of a first use would wait for ever
// for the thread that was making it.
[[maybe_unused]] const Registry& made_at_load = Registry::instance();

}  // namespace

std::uint64_t fork_generation() { return generation.load(std::memory_order_relaxed); }

Registry& Registry::instance() {
  alignas(Registry) static unsigned char place[sizeof(Registry)];
  static Registry* registry = new (place) Registry;
  return *registry;
}

Registry::Registry() { pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child); }

void Registry::before_fork() { instance().mutex.lock(); }

void Registry::after_fork_in_parent() { instance().mutex.unlock(); }

void Registry::after_fork_in_child() {
  Registry& registry = instance();
  generation.fetch_add(1, std::memory_order_relaxed);
  for (const auto& [identity, entry] : registry.entries) ::close(entry.guard_descriptor);
  registry.entries.clear();
  // Threads of the parent may have been waiting; here there are none, and it must not count them.
  new (&registry.closed) std::condition_variable;
  registry.mutex.unlock();
}

}  // namespace tracelite::store
