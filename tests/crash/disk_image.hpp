// What a disk could hold after a power cut, made from what file_recorder.hpp has written down.
//
// The model is harsher than a file system with a journal, in five ways:
//  - Of what was written since a file's last sync each sector of 512 bytes may be there or not, by
//    itself, in any of the versions that it had since.
//  - So may the file's size; what was never written below it reads as zeros.
//  - A hole that was made in a file is a write of zeros like any other.
//  - A sync of a file does not persist its name. Until the folder is synced, any of what was done
//  to
//    names (made, renamed, removed) may be there, in its order but with gaps.
//  - A write through a descriptor that syncs each makes durable what it has written, and nothing
//    else of the file; it may be torn as well, until it returns.
// A sector is never torn, and a rename takes the place of a name at once; what a disk breaks beyond
// that, checksums find.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/file_recorder.hpp"

namespace tracelite::crash::test {

inline constexpr std::size_t kSectorSizeBytes = 512;

// The files of a folder, by name.
using Image = std::map<std::string, std::string>;

// Which of the pending operations an image has.
enum class Choice : std::uint8_t { none, all, random };

class Disk {
 public:
  // The next one of the log has come back.
  void apply(const recording::Entry& entry);
  // As if the power went now.
  [[nodiscard]] Image image(Choice choice, std::mt19937_64& random) const;
  [[nodiscard]] bool has_pending() const;

 private:
  struct Version {
    std::uint64_t operation = 0;
    std::string bytes;
  };
  struct Size {
    std::uint64_t operation = 0;
    std::uint64_t size_bytes = 0;
  };
  struct File {
    std::string durable;
    std::string current;
    std::map<std::uint64_t, std::vector<Version>> pending;  // by sector
    std::vector<Size> sizes;                                // pending

    void write(std::uint64_t operation, std::uint64_t offset, const std::string& data);
    void resize(std::uint64_t operation, std::uint64_t size_bytes);
    void keep(std::uint64_t operation, std::uint64_t sector);
    void sync();
    void sync_range(std::uint64_t offset, std::uint64_t size_bytes);
    [[nodiscard]] std::string image(Choice choice, std::mt19937_64& random) const;
  };
  struct Naming {
    recording::Kind kind{};
    std::uint32_t file = 0;
    std::string name;
    std::string to;
  };
  using Names = std::map<std::string, std::uint32_t>;

  static void rename(Names& names, const Naming& naming);
  [[nodiscard]] Names names(Choice choice, std::mt19937_64& random) const;

  std::uint64_t operation_ = 0;
  std::map<std::uint32_t, File> files_;
  Names durable_names_;
  std::vector<Naming> namings_;  // since the last sync of the folder
};

}  // namespace tracelite::crash::test
