// The index as the records say it should be: for reindex into the file, for check into memory.
#pragma once

#include <string>
#include <vector>

#include "index/index_writer.hpp"
#include "maintain/maintain.hpp"
#include "model/entity.hpp"
#include "record/directory.hpp"
#include "record/record_key.hpp"
#include "record/statistics.hpp"
#include "store/environment.hpp"

namespace tracelite::maintain {

// Calls `visit` for every record in key order; it may write to the transaction. Errors: corrupt,
// and those of `visit`.
using RecordVisitor = std::function<Status(const record::RecordKey&, const model::Entity&)>;
Status for_each_record(const store::Transaction& transaction, const RecordVisitor& visit);

// Where a record is found by its id.
Status add_to_directory(store::WriteTransaction& transaction, const record::RecordKey& key,
                        const model::Entity& entity);
// The same for all records; the directory must have been empty.
Status build_directory(store::WriteTransaction& transaction);

// Index rows of records that are added in the order of their keys. The directory must be
// complete, `index` must have been empty.
class IndexBuilder {
 public:
  explicit IndexBuilder(index::IndexWriter& index) : index_(index) {}

  // Of any transaction that sees all records.
  Status add(const store::Transaction& transaction, const record::RecordKey& key,
             const model::Entity& entity);
  Status flush() { return index_.flush(); }  // before a transaction ends
  Result<record::Statistics> finish();

 private:
  Status add_observation(const store::Transaction& transaction, const record::RecordKey& key,
                         Bytes container_id, const model::Entity& entity);

  index::IndexWriter& index_;
  record::ContainerNumber container_ = 0;
  std::string container_id_;
  record::Statistics statistics_;
};

// Index rows and statistics from the records; the directory must be there. `index`
// must be empty. Progress counts records.
Result<record::Statistics> build_index(const store::Transaction& transaction,
                                       index::IndexWriter& index, const ProgressFunction& progress);

}  // namespace tracelite::maintain
