// Which of two commits is the newer one, for who has nothing but their pages: the version of the
// index on its first page, which every commit that changes records makes larger.
#pragma once

#include "index/page_header.hpp"
#include "store/damaged_file.hpp"

namespace tracelite::index {

inline store::CommitNumber commit_number() {
  return {store::KeySpace::page, field(1), kCounterOffset};
}

}  // namespace tracelite::index
