// How large the same events are as a file of tracelite, in SQLite by hand, and as a solid archive.
#pragma once

#include "bench/events.hpp"
#include "bench/folder.hpp"
#include "bench/table.hpp"

namespace bench {

class SizeTable {
 public:
  SizeTable();
  // Measures one source, and prints its line.
  void add(const Events& events, const Folder& folder);
  void print() const { table_.print(); }

 private:
  Table table_;
};

}  // namespace bench
