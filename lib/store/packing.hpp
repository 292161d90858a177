// How entries become the values of blocks, and how many of them one takes.
//
// Knows entries and pages; must not know where blocks lie.
//
// A value should fill its pages, but how small entries become is known only when they have been
// compressed. So they are compressed in pieces: first as many as fit for sure, by what the last
// values came to; then, by what these came to, most of what is missing; and so on. A piece costs
// some fifty bytes; to compress all of them anew with another end would cost all of the time again.
#pragma once

#include <cstdint>
#include <string>

#include "store/block_codec.hpp"
#include "store/packed_block.hpp"

namespace tracelite::store {

// How blocks are made. A block ends where its value fills pages of LMDB well, at most so many, or
// where reading one entry would mean to decode too much.
struct Packing {
  int level;                   // zstd's
  std::size_t page_count_max;  // pages that a value takes
  std::size_t raw_size_bytes_max;
  std::uint64_t blocks_to_train_from;  // with fewer there is no dictionary yet
  std::size_t dictionary_size_bytes_max = kDictionarySizeBytes;  // too small for one: none
};
// What is recorded now. A level above 3, or a dictionary while there are few blocks, costs more
// time than it saves bytes; blocks of one page (16 KiB raw) took 20 per cent more of the file.
inline constexpr Packing kQuickPacking{3, 4, std::size_t{64} << 10, 1024};
// What a compacted file has: smaller, and dearer to write.
inline constexpr Packing kDensePacking{19, 4, std::size_t{64} << 10, 8};

// What is compressed with. Without a dictionary the number is 0.
struct PackingDictionary {
  std::shared_ptr<const Dictionary> digested;
  DictionaryNumber number = 0;
};

// Learns from each value how large the next one will be.
class Packer {
 public:
  struct Packed {
    Bytes value;     // valid until the codec's next one
    std::size_t to;  // behind the last entry in it
  };
  // A value that begins with the entry `from`. Errors: no_memory.
  Result<Packed> pack(BlockCodec& codec, const Packing& packing,
                      const PackingDictionary& dictionary, const PackedBlock& block,
                      std::size_t from);

 private:
  struct Run;
  [[nodiscard]] std::size_t end_of_piece(const Run& run) const;
  Result<Packed> pack_less(BlockCodec& codec, const PackingDictionary& dictionary, const Run& run,
                           std::size_t to, std::size_t value_size_bytes);
  void learn(double entries_size_bytes, double value_size_bytes);

  double expansion_ = 3;     // bytes of entries a byte of value, of the last one
  double deviation_ = 0.25;  // the share by which that was wrong lately
  std::string raw_;          // of the value at work
};

}  // namespace tracelite::store
