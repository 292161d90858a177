// The index as the records say it should be: for reindex into the file, for check into memory.
#pragma once

#include "index/index_writer.hpp"
#include "maintain/maintain.hpp"
#include "model/entity.hpp"
#include "record/record_key.hpp"
#include "record/statistics.hpp"
#include "store/environment.hpp"

namespace tracelite::maintain {

// Calls `visit` for every record in key order; it may write to the transaction. Errors: corrupt,
// and those of `visit`.
using RecordVisitor = std::function<Status(const record::RecordKey&, const model::Entity&)>;
Status for_each_record(const store::Transaction& transaction, const RecordVisitor& visit);

// Directory and runs from the records. Both must be empty.
Status build_directory(store::WriteTransaction& transaction);

// Index rows and statistics from the records; the directory and the runs must be there. `index`
// must be empty. Progress counts records.
Result<record::Statistics> build_index(const store::Transaction& transaction,
                                       index::IndexWriter& index, const ProgressFunction& progress);

}  // namespace tracelite::maintain
