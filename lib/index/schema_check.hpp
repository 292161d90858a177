// Whether SQLite's own table of tables says byte for byte what schema.hpp creates: whoever made the
// file may have put triggers, views or other tables there.
#pragma once

#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::index {

// Before any other statement runs on the index. A file without records need not have one. Errors:
// corrupt (it is another one), and those of Connection::open_reader.
Status check_schema(store::ReadTransaction& transaction);

}  // namespace tracelite::index
