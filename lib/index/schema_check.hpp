// Whether SQLite's own table of tables says byte for byte what schema.hpp creates, and its trees
// are trees: whoever made the file may have put triggers, views or other tables there, or pages
// that name each other for ever.
#pragma once

#include <string>

#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::index {

// The schema as the tables are made with: SQLite keeps its text in the file, and reads it whenever
// a connection is opened.
std::string schema_without_comments();

// Before SQLite is let to the index. A file without records need not have one. Reads each page of
// it twice. Errors: corrupt (it is another one), and those of Connection::open_reader.
Status check_schema(store::ReadTransaction& transaction);

}  // namespace tracelite::index
