// Records, several to a value: those of one container that are neighbours by key are compressed
// together, because alone they are too short to compress and each value costs 32 bytes.
//
// Knows keys and bytes; must not know what a record says. Everybody reads and writes the key space
// `record` through this.
//
// Key space `record`:
//     15 bytes  the key (record_key.hpp) that the page begins with: it holds the records of its
//               container from this key on, up to the next page's
// and the value is
//     1 byte    coding: 0 raw, 1 zstd (one frame, with content size)
//     varint    raw size
//     the body; raw, the records in the order of their keys, each
//         1 byte   kind          } of its key
//         8 bytes  entity key    } big-endian
//         varint   size, and as many bytes
// A page of more than kRecordPageSizeBytesMax is cut in two, unless it has only one record.
//
// Decoded pages are kept with the transaction. What a write transaction changes is in its memory
// until flush(), and readers in the same transaction see it there.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

// Most pages of this size compress to what shares an LMDB page with another one.
inline constexpr std::size_t kRecordPageSizeBytesMax = std::size_t{6} << 10;
inline constexpr std::size_t kRecordPageCacheSizeBytesMax = std::size_t{2} << 20;

class RecordPages : public store::Companion {
 public:
  // The one of a transaction, made when it is first asked for.
  static RecordPages& of(const store::Transaction& transaction);
  RecordPages();
  ~RecordPages() override;

  // Valid until the next call for this transaction. Errors of all: corrupt, io, no_memory.
  Result<std::optional<Bytes>> get(const RecordKey& key);
  // Neither writes: only flush() does.
  Status put(const RecordKey& key, Bytes record);
  // True if it was there.
  Result<bool> erase(const RecordKey& key);
  // To be called before a commit. Errors: those of WriteTransaction::put.
  Status flush(store::WriteTransaction& transaction);

  // The first record at or behind a key, of any container.
  struct Entry {
    RecordKey key;
    Bytes record;  // valid as get's
  };
  Result<std::optional<Entry>> at_least(const RecordKey& key);

 private:
  struct Page;
  using PagePointer = std::shared_ptr<Page>;
  Result<PagePointer> load(const RecordKey& begin, Bytes value, const RecordKey& end);
  // The page that a key belongs into, if its container has one.
  Result<PagePointer> find(const RecordKey& key);
  Result<PagePointer> first_from(const RecordKey& key);
  void cut(const PagePointer& page);
  void make_room();
  Status write(store::WriteTransaction& transaction, Page& page);

  struct Codec;
  const store::Transaction* transaction_ = nullptr;  // whose companion it is; it may have moved
  std::unique_ptr<Codec> codec_;
  std::map<RecordKey, PagePointer> pages_;  // by the key they begin with
  std::size_t size_bytes_ = 0;              // of the pages as they were loaded
};

// Walks records in the order of their keys; puts and erases in between do no harm.
class RecordCursor {
 public:
  explicit RecordCursor(const store::Transaction& transaction) : transaction_(transaction) {}
  // False if there is none. Errors: corrupt, io, no_memory.
  Result<bool> seek(const RecordKey& key_at_least);
  Result<bool> next();
  [[nodiscard]] const RecordKey& key() const { return entry_.key; }
  [[nodiscard]] Bytes record() const { return entry_.record; }  // valid as RecordPages::get's

 private:
  const store::Transaction& transaction_;
  RecordPages::Entry entry_;
};

}  // namespace tracelite::record
