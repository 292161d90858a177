// Beginning, expiring and renewing the view.
#include "query/snapshot.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "index/memory_image.hpp"
#include "query/reader.hpp"

namespace tracelite::query {

struct ReaderPool::State {
  struct Idle {
    std::weak_ptr<store::Environment> environment;
    std::unique_ptr<Reader> reader;
  };
  using Image = std::shared_ptr<const index::MemoryImage>;

  std::mutex mutex;
  std::vector<Idle> idle;  // detached; the one used last at the end

  const ImageFunction make_image;
  std::mutex image_mutex;      // held while one is made, so that others wait for it
  Image image;                 // the last one that was made; none where the file's can be read
  std::uint64_t asked_of = 0;  // the transaction

  explicit State(ImageFunction make) : make_image(std::move(make)) {}
  Result<Image> image_of(store::ReadTransaction& transaction);
  std::unique_ptr<Reader> take(const std::shared_ptr<store::Environment>& environment);
  void give_back(const std::shared_ptr<store::Environment>& environment,
                 std::unique_ptr<Reader> reader);
};

// So that giving one back takes no memory: that happens in destructors.
ReaderPool::ReaderPool(ImageFunction image) : state_(std::make_unique<State>(std::move(image))) {
  state_->idle.reserve(kIdleCountMax);
}
ReaderPool::~ReaderPool() = default;

std::unique_ptr<Reader> ReaderPool::State::take(
    const std::shared_ptr<store::Environment>& environment) {
  const std::scoped_lock lock(mutex);
  for (auto at = idle.rbegin(); at != idle.rend(); ++at) {
    if (at->environment.owner_before(environment) || environment.owner_before(at->environment)) {
      continue;
    }
    std::unique_ptr<Reader> reader = std::move(at->reader);
    idle.erase(std::next(at).base());
    return reader;
  }
  return nullptr;
}

void ReaderPool::State::give_back(const std::shared_ptr<store::Environment>& environment,
                                  std::unique_ptr<Reader> reader) {
  Idle dropped;  // after the lock
  const std::scoped_lock lock(mutex);
  if (idle.size() == kIdleCountMax) {
    dropped = std::move(idle.front());
    idle.erase(idle.begin());
  }
  idle.push_back({environment, std::move(reader)});
}

Result<ReaderPool::State::Image> ReaderPool::State::image_of(store::ReadTransaction& transaction) {
  if (!make_image) return Image();
  const std::scoped_lock lock(image_mutex);
  if (transaction.id() != asked_of) {
    asked_of = 0;
    image.reset();  // before the next one takes as much memory
    TL_TRY_ASSIGN(made, make_image(transaction));
    image = std::move(made);
    asked_of = transaction.id();
  }
  return image;
}

struct Snapshot::State {
  std::shared_ptr<store::Environment> environment;
  std::shared_ptr<ReaderPool> pool;  // may be none
  std::mutex mutex;                  // of everything below, except expire_wanted
  std::optional<store::ReadTransaction> transaction;
  std::unique_ptr<Reader> reader;  // attached while there is a transaction; nullptr: no index yet
  std::uint64_t generation = 0;
  std::uint64_t file_number = 0;  // of the first view; 0: there was none yet
  std::atomic<bool> expire_wanted{false};

  State() = default;
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Status begin(const std::shared_ptr<State>& self);
  void drop();
  void expire();
  void release();
};

// In a child process everything is left as it is: a thread that is not there may hold the pool's
// mutex or have been in the middle of a query, and a transaction knows by itself that it belongs to
// the parent.
Snapshot::State::~State() {
  if (!reader) return;
  if (environment->forked()) {
    static_cast<void>(reader.release());
    return;
  }
  if (pool && reader->detach()) pool->state_->give_back(environment, std::move(reader));
}

Status Snapshot::State::begin(const std::shared_ptr<State>& self) {
  expire_wanted = false;
  TL_TRY_ASSIGN(begun, environment->begin_read([weak = std::weak_ptr<State>(self)] {
    if (const auto state = weak.lock()) state->expire();
  }));
  // What cursors hold of rows (numbers of terms and payloads) says nothing in another file.
  if (file_number != 0 && begun.file_number() != file_number) {
    return make_error(Code::busy,
                      "this snapshot was given up for the file to grow, and the file was compacted "
                      "since; open a new one");
  }
  file_number = begun.file_number();
  transaction.emplace(std::move(begun));
  ++generation;
  ReaderPool::State::Image image;
  if (pool) {
    TL_TRY_ASSIGN(of_commit, pool->state_->image_of(*transaction));
    image = std::move(of_commit);
  }
  TL_TRY_ASSIGN(pages, transaction->statistics(store::KeySpace::page));
  if (pages.entries == 0 && !image) {
    reader.reset();
    return {};
  }
  if (!reader && pool) reader = pool->state_->take(environment);
  if (reader) return reader->attach(*transaction, std::move(image));
  TL_TRY_ASSIGN(opened, Reader::open(*transaction, std::move(image)));
  reader = std::move(opened);
  return {};
}

void Snapshot::State::drop() {
  if (reader && !reader->detach()) reader.reset();
  transaction.reset();
  expire_wanted = false;
}

// Called by the thread that wants to grow the map. It must not wait for us: whoever has the lock
// may be waiting in begin_read for that thread.
void Snapshot::State::expire() {
  expire_wanted = true;
  if (!mutex.try_lock()) return;  // release() will see it
  drop();
  release();
}

void Snapshot::State::release() {
  for (;;) {
    mutex.unlock();
    // Somebody may have wanted it, and not got the lock, while we had it.
    if (!expire_wanted || !mutex.try_lock()) return;
    drop();
  }
}

Result<std::shared_ptr<Snapshot>> Snapshot::open(std::shared_ptr<store::Environment> environment,
                                                 std::shared_ptr<ReaderPool> pool) {
  auto state = std::make_shared<State>();
  state->environment = std::move(environment);
  state->pool = std::move(pool);
  std::shared_ptr<Snapshot> snapshot(new Snapshot(std::move(state)));
  auto first = snapshot->use();
  if (!first) return std::move(first).error();
  return snapshot;
}

Snapshot::~Snapshot() = default;

Result<Snapshot::Use> Snapshot::use() {
  if (state_->environment->forked()) {
    return make_error(Code::forked,
                      "this snapshot belongs to the parent process; open the file again");
  }
  state_->mutex.lock();
  Use use(state_);
  if (state_->transaction && !state_->expire_wanted) return use;
  state_->drop();
  if (Status begun = state_->begin(state_); !begun) {
    state_->reader.reset();
    state_->transaction.reset();
    return std::move(begun).error();
  }
  return use;
}

Snapshot::Use::~Use() {
  if (!state_) return;
  if (state_->reader) state_->reader->watch(nullptr);
  state_->release();
}

const store::ReadTransaction& Snapshot::Use::transaction() const { return *state_->transaction; }

sqlite3* Snapshot::Use::connection() const {
  return state_->reader ? state_->reader->handle() : nullptr;
}

Result<CachedStatement> Snapshot::Use::prepare(Bytes sql) const {
  return state_->reader->prepare(sql);
}

void Snapshot::Use::watch(const std::atomic<bool>& cancelled) const {
  if (state_->reader) state_->reader->watch(&cancelled);
}

TermCache& Snapshot::Use::terms() const { return state_->reader->terms(); }

std::uint64_t Snapshot::Use::generation() const { return state_->generation; }

}  // namespace tracelite::query
