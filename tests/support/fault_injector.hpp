// Lets the n-th allocation, write, sync, making of a hole, or call of LMDB or SQLite of this
// process fail. The calls are interposed, so this must be linked into the program itself. Fork
// before arming: what follows a fault is of one process.
//
// Under the address sanitizer, which has an allocator of its own, only C++ allocations can fail.
#pragma once

#include <array>
#include <cstdint>

namespace faults {

enum class Kind : std::uint8_t { allocation, write, sync, hole, lmdb, sqlite };
inline constexpr std::array kKinds = {Kind::allocation, Kind::write, Kind::sync,
                                      Kind::hole,       Kind::lmdb,  Kind::sqlite};
inline constexpr std::array kKindNames = {"allocation", "write", "sync", "hole", "lmdb", "sqlite"};

enum class Lasting : std::uint8_t { once, on };

// The nth call from now on (1 is the next) fails; if the fault lasts on, so does every later one.
void arm(Kind kind, std::uint64_t nth, Lasting lasting);
void disarm();
// What the n-th hole fails with, and all that come after it if the fault lasts on.
int error_of_hole(std::uint64_t nth);
// Of the armed kind, since it was armed.
std::uint64_t call_count();
// Blocks of memory that are allocated now, by whatever thread; 0 under the address sanitizer.
std::uint64_t live_allocation_count();

}  // namespace faults
