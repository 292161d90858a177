// What was run is written down when a program ends by exit(). Children of tests end by _exit(), so
// they say it themselves. Nothing happens but in the build `coverage`.
#pragma once

extern "C" __attribute__((weak)) int __llvm_profile_write_file();

namespace tracelite::test {

inline void write_down_what_was_run() {
  if (__llvm_profile_write_file != nullptr) __llvm_profile_write_file();
}

}  // namespace tracelite::test
