// Where an exception must not pass: what it would leave behind is put in order by who gets a value.
#pragma once

#include <new>

#include "model/result.hpp"

namespace tracelite {

// Short enough to need no memory itself.
inline Error no_memory() { return make_error(Code::no_memory, "out of memory"); }

// What `work` returns, a Status; no_memory() if there was none for it.
template <class Work>
Status without_exceptions(const Work& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

// For work that returns nothing: false if there was no memory for it.
template <class Work>
bool ended_well(const Work& work) {
  try {
    work();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace tracelite
