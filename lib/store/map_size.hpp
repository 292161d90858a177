// How much address space to reserve for the file. A reservation costs nothing where there is
// plenty, but a process may be limited (RLIMIT_AS, a sanitizer, a 32-bit container).
#pragma once

#include <cstddef>

namespace tracelite::store {

// True if that much could be reserved right now.
bool address_space_for(std::size_t size_bytes);

// `wanted`, halved until there is address space for it, and then once more so that the rest of the
// process can breathe; never under `needed`.
std::size_t affordable_map_size(std::size_t wanted, std::size_t needed);

}  // namespace tracelite::store
