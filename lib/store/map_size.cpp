// See map_size.hpp.
#include "store/map_size.hpp"

#include <sys/mman.h>

#include <algorithm>

namespace tracelite::store {

bool address_space_for(std::size_t size_bytes) {
  void* const place =
      mmap(nullptr, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return false;
  munmap(place, size_bytes);
  return true;
}

std::size_t affordable_map_size(std::size_t wanted, std::size_t needed) {
  std::size_t size = std::max(wanted, needed);
  bool halved = false;
  while (size / 2 >= needed && !address_space_for(size)) {
    size /= 2;
    halved = true;
  }
  if (halved && size / 2 >= needed) size /= 2;
  return size;
}

}  // namespace tracelite::store
