// Apart, because its headers take long to read, and are there only where librocksdb-dev is.
#ifdef TL_BENCH_ROCKSDB
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>

#include "bench/sink.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

class RocksdbSink : public Sink {
 public:
  explicit RocksdbSink(const std::string& path) : path_(path) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compression = rocksdb::kZSTD;
    options.compression_opts.level = 3;
    options.compression_opts.max_dict_bytes = 32 << 10;
    options.compression_opts.zstd_max_train_bytes = 100 * (32 << 10);
    options.IncreaseParallelism(2);
    rocksdb::DB* db = nullptr;
    require(rocksdb::DB::Open(options, path, &db));
    db_.reset(db);
    write_.sync = true;
  }
  void put(const Event& event) override {
    record_.clear();
    append_record(record_, event, [this](std::string_view payload) { record_ += payload; });
    // Observations of a trace beside each other, as a reader wants them.
    key_.clear();
    if (const auto* made = std::get_if<tl_observation>(&event.entity)) {
      key_.append(made->trace_id.data, made->trace_id.size_bytes);
      key_.append(made->id.data, made->id.size_bytes);
    } else {
      std::visit([&](const auto& entity) { key_.append(entity.id.data, entity.id.size_bytes); },
                 event.entity);
    }
    require(batch_.Put(key_, record_));
  }
  void commit() override {
    require(db_->Write(write_, &batch_));
    batch_.Clear();
  }
  void finish() override { require(db_->Flush(rocksdb::FlushOptions())); }
  [[nodiscard]] std::uint64_t file_size_bytes() const override {
    std::uint64_t size_bytes = 0;
    for (const auto& entry : fs::directory_iterator(path_)) {
      if (entry.path().extension() == ".sst") size_bytes += entry.file_size();
    }
    return size_bytes;
  }

 private:
  static void require(const rocksdb::Status& status) {
    if (!status.ok()) throw std::runtime_error("RocksDB: " + status.ToString());
  }
  const std::string path_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
  rocksdb::WriteBatch batch_;
  std::string key_;
  std::string record_;
};

}  // namespace

std::unique_ptr<Sink> make_rocksdb_sink(const std::string& path) {
  fs::remove_all(path);
  return std::make_unique<RocksdbSink>(path);
}

}  // namespace bench
#endif
