#include "support/fault_injector.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <lmdb.h>
#include <malloc.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <new>
#include <utility>

namespace faults {
namespace {

constexpr std::uint64_t kNever = UINT64_MAX;

std::atomic<int> armed_kind{-1};
std::atomic<std::uint64_t> calls{0};
std::atomic<std::uint64_t> first{kNever};
std::atomic<std::uint64_t> last{kNever};
std::atomic<std::size_t> error{0};
[[maybe_unused]] std::atomic<std::uint64_t> live{0};

// 0, or which call of the kind it is that has to fail.
std::uint64_t fails(Kind kind) {
  if (armed_kind.load(std::memory_order_relaxed) != static_cast<int>(kind)) return 0;
  const std::uint64_t call = calls.fetch_add(1, std::memory_order_relaxed) + 1;
  return call >= first.load(std::memory_order_relaxed) &&
                 call <= last.load(std::memory_order_relaxed)
             ? call
             : 0;
}

template <class Function>
Function* next(Function* /*of this type*/, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));  // NOLINT: what dlsym is for
}

int one_of(const std::array<int, 3>& codes) {
  return codes.at(error.load(std::memory_order_relaxed));
}
int engine_code() { return one_of({EIO, ENOMEM, ENOSPC}); }
int sqlite_code() { return one_of({SQLITE_NOMEM, SQLITE_IOERR, SQLITE_FULL}); }
// Of what cannot be done by half.
int write_code() { return one_of({EIO, ENOSPC, ENOSPC}); }

// Only the first write of a fault that lasts is done by half.
ssize_t write_or_fail(std::size_t size_bytes, auto&& write_some) {
  constexpr std::size_t kHalf = 2;
  const std::uint64_t call = fails(Kind::write);
  if (call == 0) return write_some(size_bytes);
  if (error == kHalf && call == first && size_bytes > 1) return write_some(size_bytes / 2);
  errno = write_code();
  return -1;
}
int sync_or_fail(auto&& sync) {
  if (fails(Kind::sync) == 0) return sync();
  errno = EIO;
  return -1;
}

int hole_or_fail(int descriptor, int mode, off_t offset, off_t size) {
  if (fails(Kind::hole) == 0) {
    return static_cast<int>(syscall(SYS_fallocate, descriptor, mode, offset, size));
  }
  errno = one_of({EIO, ENOSPC, EOPNOTSUPP});
  return -1;
}

std::size_t size_of(const struct iovec* parts, int part_count) {
  std::size_t size_bytes = 0;
  for (int i = 0; i < part_count; ++i) size_bytes += parts[i].iov_len;
  return size_bytes;
}

}  // namespace

void arm(const Fault& fault) {
  calls = 0;
  first = fault.nth;
  last = fault.lasting == Lasting::on ? kNever : fault.nth;
  error = fault.error;
  armed_kind = static_cast<int>(fault.kind);
}
void disarm() { armed_kind = -1; }
std::uint64_t call_count() { return calls; }
std::uint64_t live_allocation_count() { return live; }

}  // namespace faults

using faults::Kind;

// ----------------------------------------------------------------------------------- allocations

#if defined(__SANITIZE_ADDRESS__)

void* operator new(std::size_t size) {
  void* const memory = faults::fails(Kind::allocation) != 0 ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return faults::fails(Kind::allocation) != 0 ? nullptr : std::malloc(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& nothrow) noexcept {
  return operator new(size, nothrow);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  void* memory = nullptr;
  const bool fails = faults::fails(Kind::allocation) != 0 ||
                     posix_memalign(&memory, static_cast<std::size_t>(alignment), size) != 0;
  if (fails) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

#else

extern "C" {
void* __libc_malloc(std::size_t size);                           // NOLINT: glibc's names
void* __libc_calloc(std::size_t count, std::size_t size);        // NOLINT
void* __libc_realloc(void* memory, std::size_t size);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t size);  // NOLINT
void __libc_free(void* memory);                                  // NOLINT
}

namespace {

void* allocate(auto&& from_libc) {
  void* memory = nullptr;
  if (faults::fails(Kind::allocation) == 0) memory = from_libc();
  if (memory == nullptr) {
    errno = ENOMEM;
  } else {
    faults::live.fetch_add(1, std::memory_order_relaxed);
  }
  return memory;
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

void* malloc(std::size_t size) {
  return allocate([&] { return __libc_malloc(size); });
}
void* calloc(std::size_t count, std::size_t size) {
  return allocate([&] { return __libc_calloc(count, size); });
}
void* realloc(void* memory, std::size_t size) {
  if (memory == nullptr) return malloc(size);
  if (faults::fails(Kind::allocation) != 0) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const moved = __libc_realloc(memory, size);
  if (moved == nullptr && size == 0) faults::live.fetch_sub(1, std::memory_order_relaxed);
  return moved;
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return allocate([&] { return __libc_memalign(alignment, size); });
}
void* memalign(std::size_t alignment, std::size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  void* const got = aligned_alloc(alignment, size);
  if (got == nullptr) return ENOMEM;
  *memory = got;
  return 0;
}
void free(void* memory) {
  if (memory != nullptr) faults::live.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(memory);
}
}
#pragma GCC visibility pop

#endif

// ------------------------------------------------------------------------ writes, holes and syncs

#pragma GCC visibility push(default)
extern "C" {

ssize_t write(int descriptor, const void* data, std::size_t size) {
  return faults::write_or_fail(
      size, [&](std::size_t some) { return syscall(SYS_write, descriptor, data, some); });
}
ssize_t pwrite(int descriptor, const void* data, std::size_t size, off_t offset) {
  return faults::write_or_fail(size, [&](std::size_t some) {
    return syscall(SYS_pwrite64, descriptor, data, some, offset);
  });
}
ssize_t pwrite64(int descriptor, const void* data, std::size_t size, off64_t offset) {
  return pwrite(descriptor, data, size, offset);
}
// A half of several parts: the first of them.
ssize_t writev(int descriptor, const struct iovec* parts, int part_count) {
  const std::size_t size = faults::size_of(parts, part_count);
  return faults::write_or_fail(size, [&](std::size_t some) {
    return syscall(SYS_writev, descriptor, parts, some == size ? part_count : 1);
  });
}
ssize_t pwritev(int descriptor, const struct iovec* parts, int part_count, off_t offset) {
  const std::size_t size = faults::size_of(parts, part_count);
  return faults::write_or_fail(size, [&](std::size_t some) {
    return syscall(SYS_pwritev, descriptor, parts, some == size ? part_count : 1, offset, 0);
  });
}
ssize_t pwritev64(int descriptor, const struct iovec* parts, int part_count, off64_t offset) {
  return pwritev(descriptor, parts, part_count, offset);
}
int ftruncate(int descriptor, off_t size) noexcept {
  if (faults::fails(Kind::write) == 0) {
    return static_cast<int>(syscall(SYS_ftruncate, descriptor, size));
  }
  errno = faults::write_code();
  return -1;
}
int ftruncate64(int descriptor, off64_t size) noexcept { return ftruncate(descriptor, size); }
int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  return faults::hole_or_fail(descriptor, mode, offset, size);
}
int fallocate64(int descriptor, int mode, off64_t offset, off64_t size) {
  return fallocate(descriptor, mode, offset, size);
}
int fsync(int descriptor) {
  return faults::sync_or_fail([&] { return static_cast<int>(syscall(SYS_fsync, descriptor)); });
}
int fdatasync(int descriptor) {
  return faults::sync_or_fail([&] { return static_cast<int>(syscall(SYS_fdatasync, descriptor)); });
}
int msync(void* memory, std::size_t size, int flags) {
  return faults::sync_or_fail(
      [&] { return static_cast<int>(syscall(SYS_msync, memory, size, flags)); });
}
}

// --------------------------------------------------------------------------------------- engines

namespace {

// Engines call their own functions as well; only what is called from outside of them counts, by
// thread.
thread_local bool is_inside = false;
class Inside {
 public:
  Inside() : before_(std::exchange(is_inside, true)) {}
  ~Inside() { is_inside = before_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool before_;
};

bool fails_outside(Kind kind) {
  // LMDB binds its own functions to itself, and is called from within SQLite.
  return !(is_inside && kind == Kind::sqlite) && faults::fails(kind) != 0;
}

}  // namespace

// NAME(PARAMETERS): fails with the code of its engine, or is the engine's own.
#define INTERPOSE(kind, code, name, parameters, arguments) \
  int name parameters {                                    \
    static const auto real = faults::next(&name, #name);   \
    if (fails_outside(kind)) return faults::code();        \
    const Inside inside;                                   \
    return real arguments;                                 \
  }
#define INTERPOSE_LMDB(name, parameters, arguments) \
  INTERPOSE(Kind::lmdb, engine_code, name, parameters, arguments)
#define INTERPOSE_SQLITE(name, parameters, arguments) \
  INTERPOSE(Kind::sqlite, sqlite_code, name, parameters, arguments)

extern "C" {

INTERPOSE_LMDB(mdb_env_create, (MDB_env * *env), (env))
INTERPOSE_LMDB(mdb_env_open, (MDB_env * env, const char* path, unsigned flags, mdb_mode_t mode),
               (env, path, flags, mode))
INTERPOSE_LMDB(mdb_env_copyfd2, (MDB_env * env, mdb_filehandle_t descriptor, unsigned flags),
               (env, descriptor, flags))
INTERPOSE_LMDB(mdb_env_get_fd, (MDB_env * env, mdb_filehandle_t* descriptor), (env, descriptor))
INTERPOSE_LMDB(mdb_env_set_flags, (MDB_env * env, unsigned flags, int on), (env, flags, on))
INTERPOSE_LMDB(mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi count), (env, count))
INTERPOSE_LMDB(mdb_env_set_maxreaders, (MDB_env * env, unsigned count), (env, count))
INTERPOSE_LMDB(mdb_env_info, (MDB_env * env, MDB_envinfo* info), (env, info))
// Fails as where there is no address space: the old map is gone then.
int mdb_env_set_mapsize(MDB_env* env, std::size_t size) {
  constexpr std::size_t kNobodyHas = std::size_t{1} << 62;
  static const auto real = faults::next(&mdb_env_set_mapsize, "mdb_env_set_mapsize");
  const bool fails = fails_outside(Kind::lmdb);
  const Inside inside;
  const int code = real(env, fails ? kNobodyHas : size);
  return fails ? faults::engine_code() : code;
}
INTERPOSE_LMDB(mdb_env_stat, (MDB_env * env, MDB_stat* stat), (env, stat))
INTERPOSE_LMDB(mdb_env_sync, (MDB_env * env, int force), (env, force))
INTERPOSE_LMDB(mdb_reader_check, (MDB_env * env, int* dead), (env, dead))
INTERPOSE_LMDB(mdb_txn_begin, (MDB_env * env, MDB_txn* parent, unsigned flags, MDB_txn** out),
               (env, parent, flags, out))
INTERPOSE_LMDB(mdb_dbi_open, (MDB_txn * txn, const char* name, unsigned flags, MDB_dbi* dbi),
               (txn, name, flags, dbi))
INTERPOSE_LMDB(mdb_dbi_flags, (MDB_txn * txn, MDB_dbi dbi, unsigned* flags), (txn, dbi, flags))
INTERPOSE_LMDB(mdb_stat, (MDB_txn * txn, MDB_dbi dbi, MDB_stat* stat), (txn, dbi, stat))
INTERPOSE_LMDB(mdb_get, (MDB_txn * txn, MDB_dbi dbi, MDB_val* key, MDB_val* data),
               (txn, dbi, key, data))
INTERPOSE_LMDB(mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val* key, MDB_val* data, unsigned flags),
               (txn, dbi, key, data, flags))
INTERPOSE_LMDB(mdb_del, (MDB_txn * txn, MDB_dbi dbi, MDB_val* key, MDB_val* data),
               (txn, dbi, key, data))
INTERPOSE_LMDB(mdb_drop, (MDB_txn * txn, MDB_dbi dbi, int del), (txn, dbi, del))
INTERPOSE_LMDB(mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor** cursor),
               (txn, dbi, cursor))
INTERPOSE_LMDB(mdb_cursor_get,
               (MDB_cursor * cursor, MDB_val* key, MDB_val* data, MDB_cursor_op operation),
               (cursor, key, data, operation))

// A commit that fails has ended its transaction.
int mdb_txn_commit(MDB_txn* txn) {
  static const auto real = faults::next(&mdb_txn_commit, "mdb_txn_commit");
  if (!fails_outside(Kind::lmdb)) return real(txn);
  mdb_txn_abort(txn);
  return faults::engine_code();
}
// What it gives back is what the callback did, or less than 0.
int mdb_reader_list(MDB_env* env, MDB_msg_func* line, void* context) {
  static const auto real = faults::next(&mdb_reader_list, "mdb_reader_list");
  return fails_outside(Kind::lmdb) ? -1 : real(env, line, context);
}

INTERPOSE_SQLITE(sqlite3_step, (sqlite3_stmt * statement), (statement))
INTERPOSE_SQLITE(sqlite3_exec,
                 (sqlite3 * connection, const char* sql, int (*row)(void*, int, char**, char**),
                  void* context, char** message),
                 (connection, sql, row, context, message))
INTERPOSE_SQLITE(sqlite3_bind_int64, (sqlite3_stmt * statement, int index, sqlite3_int64 value),
                 (statement, index, value))
INTERPOSE_SQLITE(sqlite3_bind_null, (sqlite3_stmt * statement, int index), (statement, index))
INTERPOSE_SQLITE(sqlite3_bind_blob64,
                 (sqlite3_stmt * statement, int index, const void* data, sqlite3_uint64 size,
                  void (*destroy)(void*)),
                 (statement, index, data, size, destroy))
INTERPOSE_SQLITE(sqlite3_bind_text64,
                 (sqlite3_stmt * statement, int index, const char* data, sqlite3_uint64 size,
                  void (*destroy)(void*), unsigned char encoding),
                 (statement, index, data, size, destroy, encoding))

INTERPOSE_SQLITE(sqlite3_file_control,
                 (sqlite3 * connection, const char* database, int operation, void* argument),
                 (connection, database, operation, argument))
INTERPOSE_SQLITE(sqlite3_create_function_v2,
                 (sqlite3 * connection, const char* name, int argument_count, int encoding,
                  void* context, void (*call)(sqlite3_context*, int, sqlite3_value**),
                  void (*step)(sqlite3_context*, int, sqlite3_value**),
                  void (*end)(sqlite3_context*), void (*destroy)(void*)),
                 (connection, name, argument_count, encoding, context, call, step, end, destroy))
INTERPOSE_SQLITE(sqlite3_vfs_register, (sqlite3_vfs * vfs, int is_default), (vfs, is_default))

// SQLite itself calls it again and again; it can fail only until it has succeeded.
int sqlite3_initialize() {
  static const auto real = faults::next(&sqlite3_initialize, "sqlite3_initialize");
  static std::atomic<bool> is_initialised = false;
  if (is_initialised) return real();
  if (fails_outside(Kind::sqlite)) return faults::sqlite_code();
  const Inside inside;
  const int code = real();
  if (code == SQLITE_OK) is_initialised = true;
  return code;
}
// Switches only, which take a number and a pointer.
int sqlite3_db_config(sqlite3* connection, int option, ...) {
  static const auto real = faults::next(&sqlite3_db_config, "sqlite3_db_config");
  va_list rest;
  va_start(rest, option);
  const int value = va_arg(rest, int);
  int* const is_on = va_arg(rest, int*);
  va_end(rest);
  if (fails_outside(Kind::sqlite)) return faults::sqlite_code();
  const Inside inside;
  return real(connection, option, value, is_on);
}
unsigned char* sqlite3_serialize(sqlite3* connection, const char* database, sqlite3_int64* size,
                                 unsigned flags) {
  static const auto real = faults::next(&sqlite3_serialize, "sqlite3_serialize");
  if (fails_outside(Kind::sqlite)) return nullptr;
  const Inside inside;
  return real(connection, database, size, flags);
}
int sqlite3_prepare_v3(sqlite3* connection, const char* sql, int size, unsigned flags,
                       sqlite3_stmt** statement, const char** tail) {
  static const auto real = faults::next(&sqlite3_prepare_v3, "sqlite3_prepare_v3");
  if (fails_outside(Kind::sqlite)) {
    *statement = nullptr;
    return faults::sqlite_code();
  }
  const Inside inside;
  return real(connection, sql, size, flags, statement, tail);
}
int sqlite3_open_v2(const char* name, sqlite3** connection, int flags, const char* vfs) {
  static const auto real = faults::next(&sqlite3_open_v2, "sqlite3_open_v2");
  if (fails_outside(Kind::sqlite)) {
    *connection = nullptr;
    return faults::sqlite_code();
  }
  const Inside inside;
  return real(name, connection, flags, vfs);
}
}
#pragma GCC visibility pop
