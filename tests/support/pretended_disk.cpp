#include "support/pretended_disk.hpp"

#include <dlfcn.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TL_STANDS_IN extern "C" __attribute__((visibility("default")))

TL_STANDS_IN int fstatfs(int descriptor, struct statfs* information) noexcept {
  if (syscall(SYS_fstatfs, descriptor, information) != 0) return -1;
  const std::uint32_t type = pretended_disk::file_system_type;
  if (type != 0) information->f_type = type;
  return 0;
}

TL_STANDS_IN int fstatvfs(int descriptor, struct statvfs* disk) noexcept {
  using Function = int(int, struct statvfs*);
  static const auto real = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, "fstatvfs"));
  if (real(descriptor, disk) != 0) return -1;
  const std::uint64_t free = pretended_disk::free_bytes;
  if (free != pretended_disk::kAsItIs) {
    disk->f_frsize = 1;
    disk->f_bavail = free;
  }
  return 0;
}
