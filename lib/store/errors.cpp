// See errors.hpp. The table of codes is here and nowhere else.
#include "store/errors.hpp"

#include <lmdb.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "store/environment.hpp"

namespace tracelite::store {
namespace {

constexpr std::size_t kHexadecimalInputMax = 40;

Code code_of_system(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Code::disk_full;
    case EACCES:
    case EPERM:
    case EROFS:
      return Code::permission;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
      return Code::not_found;
    case ENOMEM:
      return Code::no_memory;
    case ENAMETOOLONG:
      return Code::invalid;
    case EAGAIN:
      return Code::busy;
    default:
      return Code::io;
  }
}

Code code_of_engine(int code) {
  switch (code) {
    case MDB_MAP_FULL:
      return Code::disk_full;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:
      return Code::corrupt;
    case MDB_PANIC:
      return Code::io;
    case MDB_VERSION_MISMATCH:
      return Code::newer_format;
    case MDB_INVALID:
      return Code::not_tracelite;
    case MDB_READERS_FULL:
    case MDB_MAP_RESIZED:
      return Code::busy;
    case MDB_BAD_VALSIZE:
    case MDB_TXN_FULL:
      return Code::limit;
    default:
      return code > 0 ? code_of_system(code) : Code::internal;
  }
}

std::string reason(int code) {
  switch (code) {
    case ENOSPC:
      return "no space left on the disk that holds it";
    case EDQUOT:
      return "the disk quota is used up";
    case EFBIG:
      return "the file would be larger than the process or the file system allows";
    case EAGAIN:  // from the lock that LMDB has for each process number
      return "a process with the same process number uses it, in another container perhaps; let "
             "them share one process namespace";
    case MDB_MAP_FULL:
      return "the address space reserved for the file is used up";
    case MDB_PANIC:
      return "an earlier write of the file's head failed; try again";
    case MDB_READERS_FULL:
      return "too many snapshots are open at once";
    default:
      // The standard library's text of an errno value is safe to ask for from any thread.
      return code > 0 ? std::generic_category().message(code) : mdb_strerror(code);
  }
}

}  // namespace

Error engine_error(int code, std::string_view doing, const std::string& path) {
  std::string message = "cannot ";
  message.append(doing).append(" ").append(path).append(": ").append(reason(code));
  return make_error(code_of_engine(code), std::move(message), {}, code);
}

bool is_map_full(const Error& error) {
  return error.code == Code::disk_full && error.engine_code == MDB_MAP_FULL;
}

Error system_error(int error_number, std::string_view doing, const std::string& path) {
  return engine_error(error_number, doing, path);
}

std::string hexadecimal(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char byte : bytes.substr(0, kHexadecimalInputMax)) {
    const auto value = static_cast<unsigned char>(byte);
    out.push_back(kDigits[value >> 4]);
    out.push_back(kDigits[value & 0x0f]);
  }
  if (bytes.size() > kHexadecimalInputMax) {
    out.append("... (").append(std::to_string(bytes.size())).append(" bytes)");
  }
  return out;
}

}  // namespace tracelite::store
