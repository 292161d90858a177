// The index anew within a transaction, for more than reindex itself.
#pragma once

#include "maintain/maintain.hpp"
#include "store/environment.hpp"

namespace tracelite::maintain {

// Drops index, directory and statistics, makes them anew from the records, and commits the
// transaction. After an error it must be dropped.
Status rebuild_index(store::WriteTransaction& transaction, const ProgressFunction& progress);

}  // namespace tracelite::maintain
