// Makes the large files, once: a file of tracelite and one of SQLite by hand with the same in them.
#pragma once

#include <cstdint>
#include <string>

#include "bench/text_pool.hpp"

namespace bench {

// What making a file came to; kept in the manifest beside it.
struct MadeFile {
  std::string path;
  double build_s = 0;  // without making the data, where that is not done beside
  double cpu_s = 0;    // of the process
  std::uint64_t size_bytes = 0;
  std::uint64_t rss_anon_bytes_max = 0;
  std::uint64_t payload_size_bytes = 0;
  std::uint64_t payload_count = 0;
};

struct ScaleFiles {
  std::uint64_t trace_count = 0;
  std::string texts;  // what the texts are from
  MadeFile tracelite;
  MadeFile sqlite;
};

class ScaleMaker {
 public:
  static constexpr std::uint64_t kSeed = 5;

  // In a folder that is made if it is not there, and kept; that of the build if it is empty.
  explicit ScaleMaker(const std::string& folder, std::uint64_t seed = kSeed);

  enum class Sides : std::uint8_t { both, tracelite, sqlite };
  // The files of a size, or that of one side alone. What is there is made again only if its
  // manifest says that it was made otherwise: with other data, another index, another format.
  ScaleFiles files(std::uint64_t trace_count, Sides sides = Sides::both);

 private:
  std::string folder_;
  std::uint64_t seed_;
  TextPool texts_;
};

}  // namespace bench
