// Moving counts to a commit and back, and looking at them meanwhile.
#include "ingest/uncommitted_counters.hpp"

#include <algorithm>

namespace tracelite::ingest {

void UncommittedCounters::count(model::Reason reason, std::uint64_t number) {
  counted_[static_cast<std::size_t>(reason)].fetch_add(number, std::memory_order_relaxed);
}

record::Counters UncommittedCounters::give_to(std::uint64_t transaction_id) {
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < given_.size(); ++i) {
    given_[i] = counted_[i].exchange(0, std::memory_order_relaxed);
  }
  given_to_ = transaction_id;
  ++move_count_;
  return given_;
}

void UncommittedCounters::take_back() {
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < given_.size(); ++i) {
    counted_[i].fetch_add(given_[i], std::memory_order_relaxed);
  }
  given_ = {};
  ++move_count_;
}

bool UncommittedCounters::any() const {
  return std::any_of(counted_.begin(), counted_.end(), [](const auto& n) { return n.load() > 0; });
}

std::uint64_t UncommittedCounters::move_count() const {
  const std::scoped_lock lock(mutex_);
  return move_count_;
}

Result<record::Counters> UncommittedCounters::total(store::Environment& environment) const {
  while (true) {
    const std::uint64_t move_count = this->move_count();
    // Not under the lock: what holds up a new snapshot may wait for the writer, and that for it.
    TL_TRY_ASSIGN(snapshot, environment.begin_read());
    TL_TRY_ASSIGN(total, record::read_counters(snapshot));
    const std::scoped_lock lock(mutex_);
    // It may lack what was given before this was.
    if (move_count_ != move_count) continue;
    for (std::size_t i = 0; i < total.size(); ++i) {
      total[i] += counted_[i].load(std::memory_order_relaxed);
      if (snapshot.id() < given_to_) total[i] += given_[i];
    }
    return total;
  }
}

}  // namespace tracelite::ingest
