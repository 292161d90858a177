// Dictionaries of packed key spaces: what its blocks have in common, so that short ones compress
// like long ones. Trained from the file's own entries, and compared before one is taken.
//
// Key space `dictionary`:
//     1 byte key space, 4 bytes number (big-endian, from 1)   varint: how many blocks the key space
//                                                             had then; the dictionary, as zstd
//                                                             trains it
// A block names its dictionary by number; new blocks take the newest. Dictionaries stay until the
// file is compacted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/environment.hpp"

struct ZSTD_CDict_s;
struct ZSTD_DDict_s;

namespace tracelite::store {

// The knee: 64 KiB save 3 per cent more and cost twice as much to digest.
inline constexpr std::size_t kDictionarySizeBytes = std::size_t{32}
                                                    << 10;   // unless asked otherwise
inline constexpr std::size_t kDictionarySizeBytesMin = 256;  // zstd's

using DictionaryNumber = std::uint32_t;  // 0: none

// Digested for compressing, decompressing or both. Immutable, so it may be shared by threads.
class Dictionary {
 public:
  // Kept for the next transactions, because digesting takes a tenth of a millisecond. `level`: to
  // compress with, as well. Errors: no_memory.
  static Result<std::shared_ptr<const Dictionary>> digest(Bytes bytes, std::optional<int> level);

  [[nodiscard]] const ZSTD_CDict_s* for_compression() const { return compression_.get(); }
  [[nodiscard]] const ZSTD_DDict_s* for_decompression() const { return decompression_.get(); }

 private:
  struct Deleter {
    void operator()(ZSTD_CDict_s* digested) const;
    void operator()(ZSTD_DDict_s* digested) const;
  };
  std::unique_ptr<ZSTD_CDict_s, Deleter> compression_;
  std::unique_ptr<ZSTD_DDict_s, Deleter> decompression_;
};

// From samples that lie one after the other. Empty: there is too little to learn from.
std::string train_dictionary(Bytes samples, const std::vector<std::size_t>& sizes_bytes,
                             std::size_t size_bytes_max);

struct StoredDictionary {
  DictionaryNumber number = 0;
  std::uint64_t block_count = 0;
  Bytes bytes;  // valid until the next put or the transaction's end
};
// nullopt: there is none. Errors of all: corrupt, io.
Result<std::optional<StoredDictionary>> newest_dictionary(const Transaction& transaction,
                                                          KeySpace of);
Result<StoredDictionary> read_dictionary(const Transaction& transaction, KeySpace of,
                                         DictionaryNumber number);  // also not_found
// Errors: those of put.
Status put_dictionary(WriteTransaction& transaction, KeySpace of,
                      const StoredDictionary& dictionary);

}  // namespace tracelite::store
