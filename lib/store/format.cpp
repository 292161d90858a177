// See format.hpp.
#include "store/format.hpp"

#include <string>

#include "store/errors.hpp"

namespace tracelite::store {
namespace {

constexpr Bytes kMarkKey = "format";
constexpr Bytes kMarkName = "tracelite";
constexpr std::uint32_t kSqlitePageSizeBytes = 4096;

struct AbortTransaction {
  void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
};
using EngineTransaction = std::unique_ptr<MDB_txn, AbortTransaction>;

Result<EngineTransaction> begin(const OpenFile& file, unsigned flags) {
  MDB_txn* transaction = nullptr;
  const int code = mdb_txn_begin(file.engine.get(), nullptr, flags, &transaction);
  if (code != 0) return engine_error(code, "open", file.path);
  return EngineTransaction(transaction);
}

// Returns LMDB's code.
int put_first(const OpenFile& file, MDB_txn* transaction, Bytes key, std::string value,
              SumChanges& sum_changes) {
  const std::uint64_t sum = checksum(KeySpace::meta, key, value);
  const std::size_t size_bytes = value.size();
  value.resize(size_bytes + kChecksumSizeBytes);
  write_checksum(value.data() + size_bytes, sum);
  sum_changes.put(KeySpace::meta, key, sum);
  MDB_val engine_key = to_engine(key);
  MDB_val engine_value = to_engine(value);
  return mdb_put(transaction, file.spaces[static_cast<std::size_t>(KeySpace::meta)], &engine_key,
                 &engine_value, 0);
}

std::string mark() {
  std::string value(kMarkName);
  append_big_endian(value, kFormatVersion);
  append_big_endian(value, kSqlitePageSizeBytes);
  return value;
}

Error lacks_mark(const std::string& path) {
  return make_error(Code::not_tracelite, path + " is not a tracelite file", "path");
}

Error newer_format(const std::string& path, std::uint64_t version) {
  return make_error(Code::newer_format,
                    path + " has format version " + std::to_string(version) +
                        "; this library reads up to version " + std::to_string(kFormatVersion),
                    "path");
}

Status check_mark(const std::string& path, Bytes stored) {
  ByteReader reader(stored);
  if (reader.take(kMarkName.size()) != kMarkName) return lacks_mark(path);
  const std::uint64_t version = reader.big_endian(4);
  const std::uint64_t page_size = reader.big_endian(4);
  if (reader.failed()) return lacks_mark(path);
  if (version > kFormatVersion) return newer_format(path, version);
  TL_TRY(verify(KeySpace::meta, kMarkKey, stored, path));
  if (page_size != kSqlitePageSizeBytes) {
    return make_error(Code::other_geometry,
                      path + " has an index with pages of " + std::to_string(page_size) +
                          " bytes; this library uses " + std::to_string(kSqlitePageSizeBytes),
                      "path");
  }
  return {};
}

Status open_key_space(OpenFile& file, MDB_txn* transaction, std::size_t i) {
  const std::string name(kKeySpaceNames[i]);
  const int code = mdb_dbi_open(transaction, name.c_str(), 0, &file.spaces[i]);
  if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE) {
    if (i == static_cast<std::size_t>(KeySpace::meta)) return lacks_mark(file.path);
    return make_error(Code::corrupt, file.path + " is damaged: it has no key space " + name);
  }
  if (code != 0) return engine_error(code, "open", file.path);
  unsigned flags = 0;
  mdb_dbi_flags(transaction, file.spaces[i], &flags);
  if (flags != 0) {
    return make_error(Code::corrupt, file.path + " is damaged: key space " + name + " has flags");
  }
  return {};
}

}  // namespace

Status check_format_version(const std::string& path, Bytes key, Bytes stored) {
  if (key != kMarkKey || !stored.starts_with(kMarkName)) return {};
  ByteReader reader(stored.substr(kMarkName.size()));
  const std::uint64_t version = reader.big_endian(4);
  if (!reader.failed() && version > kFormatVersion) return newer_format(path, version);
  return {};
}

Status create_key_spaces(OpenFile& file) {
  TL_TRY_ASSIGN(transaction, begin(file, 0));
  int code = 0;
  for (std::size_t i = 0; i < kKeySpaceCount && code == 0; ++i) {
    const std::string name(kKeySpaceNames[i]);
    code = mdb_dbi_open(transaction.get(), name.c_str(), MDB_CREATE, &file.spaces[i]);
  }
  SumChanges sum_changes;
  if (code == 0) code = put_first(file, transaction.get(), kMarkKey, mark(), sum_changes);
  const ContentSums sums = sum_changes.applied_to({});
  if (code == 0) code = put_first(file, transaction.get(), kSumsKey, sums.encode(), sum_changes);
  if (code == 0) code = mdb_txn_commit(transaction.release());
  if (code != 0) return engine_error(code, "create", file.path);
  return {};
}

Status open_key_spaces(OpenFile& file) {
  TL_TRY_ASSIGN(transaction, begin(file, MDB_RDONLY));
  constexpr auto kMeta = static_cast<std::size_t>(KeySpace::meta);
  TL_TRY(open_key_space(file, transaction.get(), kMeta));
  MDB_val engine_key = to_engine(kMarkKey);
  MDB_val engine_value{};
  int code = mdb_get(transaction.get(), file.spaces[kMeta], &engine_key, &engine_value);
  if (code == MDB_NOTFOUND) return lacks_mark(file.path);
  if (code != 0) return engine_error(code, "open", file.path);
  TL_TRY(check_mark(file.path, from_engine(engine_value)));
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
    if (i != kMeta) TL_TRY(open_key_space(file, transaction.get(), i));
  }
  // Handles opened in a transaction are kept if it is committed, even one that only reads.
  code = mdb_txn_commit(transaction.release());
  if (code != 0) return engine_error(code, "open", file.path);
  return {};
}

}  // namespace tracelite::store
