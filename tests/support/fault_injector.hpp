// Lets the n-th allocation, write, sync, making of a hole, or call of LMDB or SQLite of this
// process fail. The calls are interposed, so this must be linked into the program itself. Fork
// before arming: what follows a fault is of one process.
//
// Under the address sanitizer, which has an allocator of its own, only C++ allocations can fail.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace faults {

enum class Kind : std::uint8_t { allocation, write, sync, hole, lmdb, sqlite };
inline constexpr std::array kKinds = {Kind::allocation, Kind::write, Kind::sync,
                                      Kind::hole,       Kind::lmdb,  Kind::sqlite};
inline constexpr std::array kKindNames = {"allocation", "write", "sync", "hole", "lmdb", "sqlite"};

enum class Lasting : std::uint8_t { once, on };

// How a call of each kind may fail. A half: of what was to be written, and if the fault lasts on,
// no room for anything after it.
inline constexpr std::array<std::array<const char*, 3>, kKinds.size()> kErrorNames = {{
    {"ENOMEM"},
    {"EIO", "ENOSPC", "half"},
    {"EIO"},
    {"EIO", "ENOSPC", "EOPNOTSUPP"},
    {"EIO", "ENOMEM", "ENOSPC"},
    {"NOMEM", "IOERR", "FULL"},
}};
constexpr std::size_t error_count(Kind kind) {
  std::size_t count = 0;
  for (const char* name : kErrorNames[static_cast<std::size_t>(kind)]) {
    if (name != nullptr) ++count;
  }
  return count;
}

// The nth call of the kind from now on (1 is the next) fails; if the fault lasts on, so does every
// later one, and with the same error.
struct Fault {
  Kind kind = Kind::allocation;
  std::uint64_t nth = 1;
  Lasting lasting = Lasting::once;
  std::size_t error = 0;  // of kErrorNames
};
void arm(const Fault& fault);
void disarm();
// Of the armed kind, since it was armed.
std::uint64_t call_count();
// Blocks of memory that are allocated now, by whatever thread; 0 under the address sanitizer.
std::uint64_t live_allocation_count();

}  // namespace faults
