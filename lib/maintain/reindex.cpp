// Rebuilding the index in one transaction: either all of it is new, or nothing has changed. And an
// index in memory for those who may not.
#include "maintain/reindex.hpp"

#include "index/memory_database.hpp"
#include "index/page_file.hpp"
#include "index/schema_check.hpp"
#include "maintain/build_index.hpp"
#include "store/sealed.hpp"
#include "store/write.hpp"

namespace tracelite::maintain {

using store::KeySpace;

Status rebuild_index(store::WriteTransaction& transaction, const ProgressFunction& progress) {
  TL_TRY(store::clear_sealable(transaction, KeySpace::page));
  TL_TRY(record::clear_directory(transaction));
  TL_TRY(build_directory(transaction));
  TL_TRY_ASSIGN(connection, index::Connection::open_writer(transaction));
  TL_TRY(connection->begin(transaction));
  Status built = [&]() -> Status {
    TL_TRY_ASSIGN(index, index::IndexWriter::open(connection->handle()));
    TL_TRY_ASSIGN(statistics, build_index(transaction, *index, progress));
    return record::write_statistics(transaction, statistics);
  }();
  if (!built) {
    connection->rollback();
    return built;
  }
  return connection->commit();
}

Status reindex(const std::shared_ptr<store::Environment>& environment,
               const ProgressFunction& progress) {
  return store::write(*environment, [&](store::WriteTransaction& transaction) {
    return rebuild_index(transaction, progress);
  });
}

Status check_index_is_ours(store::ReadTransaction& transaction, bool from_stranger) {
  TL_TRY(index::check_schema_version(transaction));
  return from_stranger ? index::check_schema(transaction) : Status();
}

Status renew_index(const std::shared_ptr<store::Environment>& environment, bool from_stranger,
                   const std::function<void(Bytes why)>& at_start) {
  bool is_foreign = false;
  {
    TL_TRY_ASSIGN(snapshot, environment->begin_read());
    Status ours = check_index_is_ours(snapshot, from_stranger);
    if (ours) return {};
    if (ours.error().code == Code::no_memory) return ours;
    is_foreign = ours.error().code != Code::unsupported;
  }
  if (at_start) {
    at_start(is_foreign ? "the index is damaged, or not one that tracelite makes, and is made anew"
                        : "the index was made by another version of tracelite, and is made anew");
  }
  return store::write(*environment, [&](store::WriteTransaction& transaction) {
    // Another process may have done it meanwhile.
    const bool done = !is_foreign && index::check_schema_version(transaction);
    return done ? Status() : rebuild_index(transaction, {});
  });
}

Result<std::shared_ptr<const index::MemoryImage>> index_in_memory(
    store::ReadTransaction& transaction, bool from_stranger) {
  const Status ours = check_index_is_ours(transaction, from_stranger);
  if (ours) return std::shared_ptr<const index::MemoryImage>();
  if (ours.error().code == Code::no_memory) return ours.error();
  TL_TRY_ASSIGN(database, index::open_in_memory());
  {
    TL_TRY_ASSIGN(index, index::IndexWriter::open(database.get()));
    TL_TRY(build_index(transaction, *index, {}));
  }
  return index::MemoryImage::copy(database.get(), transaction.id());
}

}  // namespace tracelite::maintain
