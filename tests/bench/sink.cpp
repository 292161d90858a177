#include "bench/sink.hpp"

#include <lmdb.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "bench/batch_size.hpp"
#include "bench/sqlite_by_hand.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kQueueSizeBytes = std::uint64_t{16} << 20;  // tracelite's default
constexpr std::uint64_t kEventSizeBytes = 200;

class SqliteSink : public Sink {
 public:
  SqliteSink(const std::string& path, bool with_zstd)
      : path_(path),
        db_(path, with_zstd ? SqliteByHand::Payloads::zstd : SqliteByHand::Payloads::text) {}
  void put(const Event& event) override { db_.put(event); }
  void commit() override { db_.commit(); }
  void finish() override { db_.checkpoint(); }
  [[nodiscard]] std::uint64_t file_size_bytes() const override { return fs::file_size(path_); }

 private:
  const std::string path_;
  SqliteByHand db_;
};

class LmdbSink : public Sink {
 public:
  explicit LmdbSink(const std::string& path) : path_(path) {
    MDB_env* environment = nullptr;
    require(mdb_env_create(&environment));
    environment_.reset(environment);
    require(mdb_env_set_mapsize(environment, std::size_t{1} << 38));
    require(mdb_env_open(environment, path.c_str(), MDB_NOSUBDIR, 0600));
  }
  void put(const Event& event) override {
    if (transaction_ == nullptr) {
      require(mdb_txn_begin(environment_.get(), nullptr, 0, &transaction_));
      require(mdb_dbi_open(transaction_, nullptr, 0, &database_));
    }
    record_.clear();
    append_record(record_, event, [this](std::string_view payload) { append_frame(payload); });
    for (std::size_t i = 0; i < sizeof number_; ++i) {
      key_[i] = static_cast<char>(number_ >> (8 * (sizeof number_ - 1 - i)));
    }
    ++number_;
    MDB_val key{sizeof key_, key_};
    MDB_val value{record_.size(), record_.data()};
    require(mdb_put(transaction_, database_, &key, &value, MDB_APPEND));
  }
  void commit() override {
    if (transaction_ == nullptr) return;
    MDB_txn* const transaction = transaction_;
    transaction_ = nullptr;
    require(mdb_txn_commit(transaction));
  }
  [[nodiscard]] std::uint64_t file_size_bytes() const override { return fs::file_size(path_); }

 private:
  static void require(int code) {
    if (code != 0) throw std::runtime_error(std::string("LMDB: ") + mdb_strerror(code));
  }
  void append_frame(std::string_view payload) {
    const std::size_t before = record_.size();
    record_.resize(before + ZSTD_compressBound(payload.size()));
    const std::size_t size_bytes =
        ZSTD_compressCCtx(compressor_.get(), record_.data() + before, record_.size() - before,
                          payload.data(), payload.size(), SqliteByHand::kZstdLevel);
    if (ZSTD_isError(size_bytes) != 0) throw std::runtime_error(ZSTD_getErrorName(size_bytes));
    record_.resize(before + size_bytes);
  }

  struct Close {
    void operator()(MDB_env* environment) const { mdb_env_close(environment); }
    void operator()(ZSTD_CCtx* compressor) const { ZSTD_freeCCtx(compressor); }
  };
  const std::string path_;
  std::unique_ptr<MDB_env, Close> environment_;
  std::unique_ptr<ZSTD_CCtx, Close> compressor_{ZSTD_createCCtx()};
  MDB_txn* transaction_ = nullptr;
  MDB_dbi database_ = 0;
  std::string record_;
  char key_[sizeof(std::uint64_t)] = {};
  std::uint64_t number_ = 0;
};

}  // namespace

std::unique_ptr<Sink> make_sqlite_sink(const std::string& path, bool with_zstd) {
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path + suffix);
  return std::make_unique<SqliteSink>(path, with_zstd);
}

std::unique_ptr<Sink> make_lmdb_sink(const std::string& path) {
  for (const char* suffix : {"", "-lock"}) fs::remove(path + suffix);
  return std::make_unique<LmdbSink>(path);
}

std::uint64_t weight_bytes(const Event& event) {
  std::uint64_t size_bytes = kEventSizeBytes;
  for (const std::string_view payload : payloads_of(event)) size_bytes += payload.size();
  return size_bytes;
}

HandOver::HandOver(Sink& sink) : sink_(sink), writer_([this] { run(); }) {}

HandOver::~HandOver() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  writer_.join();
}

void HandOver::put(const Event& event) {
  const std::uint64_t size_bytes = weight_bytes(event);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return waiting_.empty() || waiting_bytes_ + size_bytes <= kQueueSizeBytes || failure_;
  });
  if (failure_) std::rethrow_exception(failure_);
  const bool was_empty = waiting_.empty();
  waiting_.push_back(&event);
  waiting_bytes_ += size_bytes;
  lock.unlock();
  if (was_empty) changed_.notify_all();
}

void HandOver::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return (waiting_.empty() && !is_writing_) || failure_; });
  if (failure_) std::rethrow_exception(failure_);
}

void HandOver::run() {
  std::vector<const Event*> batch;
  for (;;) {
    batch.clear();
    {
      std::unique_lock lock(mutex_);
      is_writing_ = false;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !waiting_.empty() || is_over_; });
      if (waiting_.empty()) return;
      std::uint64_t size_bytes = 0;
      while (!waiting_.empty() && (batch.empty() || size_bytes < batch_size_bytes_max())) {
        batch.push_back(waiting_.front());
        size_bytes += weight_bytes(*waiting_.front());
        waiting_.pop_front();
      }
      waiting_bytes_ -= std::min(waiting_bytes_, size_bytes);
      is_writing_ = true;
      changed_.notify_all();
    }
    try {
      for (const Event* event : batch) sink_.put(*event);
      sink_.commit();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_all();
      return;
    }
  }
}

#ifndef TL_BENCH_ROCKSDB
std::unique_ptr<Sink> make_rocksdb_sink(const std::string& /*path*/) { return nullptr; }
#endif

}  // namespace bench
