// A packed key space: entries that are neighbours by key are compressed together, because alone
// they are too short to compress, and each value of LMDB costs 32 bytes.
//
// Knows keys and bytes; must not know what an entry says. Everybody reads and writes a packed key
// space through this, and nobody mixes it with plain puts.
//
// In the file, a packed key space holds blocks. A block's key says where it begins: it holds the
// entries from that key on, up to the next block's. Its value is coded as block_codec.hpp says;
// raw, it is the entries with strictly ascending keys (others are refused), each
//         varint   how many bytes its key shares with the one before (0 in the first)
//         varint   size of the rest of the key, and the rest
//         varint   size of the value, and the value
// Where blocks end is the writer's business alone: Packing.
//
// A commit that changes little of a large block leaves it as it is, and writes its patch anew: what
// has changed since the block was written. Otherwise a trickle would compress 64 KiB with every
// commit. Key space `patch`: 1 byte key space, then the block's key; the value is coded as a block
// is, without a dictionary; raw, it is the changed entries with strictly ascending keys, each
//         varint   how many bytes its key shares with the one before (0 in the first)
//         varint   size of the rest of the key, and the rest
//         varint   0: the entry is erased; else 1 more than the size of the value, and the value
// Writers keep a patch near kPatchSizeBytesMax; more than kPatchRawSizeBytesMax is refused. A block
// that is written anew has no patch. Whoever loads a block applies its patch, so nobody
// outside this room knows of them.
//
// Decoded blocks are kept with the transaction. What a write transaction changes is in its memory
// until it commits, and everybody in the same transaction finds it there. Of what is in the file as
// it is in memory then, the next write transaction gets the last blocks, if no other process has
// committed in between (KeptCompanion in environment_state.hpp).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/packed_block.hpp"
#include "store/packing.hpp"

namespace tracelite::store {

inline constexpr std::size_t kPackedCacheSizeBytesMax = std::size_t{3} << 20;
// Of a key space, from a commit to the next.
inline constexpr std::size_t kPackedKeptSizeBytesMax = std::size_t{512} << 10;
// Of a key space, to read with. A new one comes when the key space has grown eightfold, so no file
// of ours has as many, and a stranger's cannot make us hold more.
inline constexpr std::size_t kPackedDictionariesMax = 16;

class PackedSpaces;

class PackedSpace {
 public:
  // The one of a transaction, made when it is first asked for.
  static PackedSpace& of(const Transaction& transaction, KeySpace space);

  using Entry = PackedEntry;
  // What these give is valid until PackedSpaces::changes() says that it may be gone. Errors of all:
  // corrupt, io, no_memory, limit (a key of more than kKeySizeBytesMax bytes, a value of more than
  // kEntrySizeBytesMax), invalid (an empty key).
  Result<std::optional<Bytes>> get(Bytes key);
  Result<std::optional<Entry>> at_least(Bytes key);
  Result<std::optional<Entry>> at_most(Bytes key);
  // Only in a write transaction, whose commit() writes them. A put beside damaged entries succeeds,
  // if its key is not the very first of them.
  Status put(Bytes key, Bytes value);
  Result<bool> erase(Bytes key);  // true if it was there
  // The commit writes the block that begins with this key anew, without its patch.
  Status renew(Bytes block_key);

  PackedSpace(KeySpace space, PackedSpaces& all);

 private:
  friend class PackedSpaces;
  using Block = PackedBlock;
  using BlockPointer = std::shared_ptr<Block>;
  // The block that a key belongs into; null if it is lower than all of them.
  Result<BlockPointer> find(Bytes key);
  // The first block that begins at or behind a key; the last one that begins before it.
  Result<BlockPointer> first_from(Bytes key);
  Result<BlockPointer> last_before(Bytes key);
  // The block at the cursor, which may be in memory already.
  Result<BlockPointer> load(Cursor& cursor);
  Status apply_patch(Block& block);
  Result<std::string> decode(Bytes value, std::size_t raw_size_bytes_max = SIZE_MAX);
  Result<std::shared_ptr<const Dictionary>> dictionary(DictionaryNumber number);
  Result<BlockPointer> block_for(Bytes key);
  Result<BlockPointer> beside_damage(Bytes key);
  void cut(const BlockPointer& block);
  void make_room();
  void forget_unchanged();
  void keep_the_last();
  Status flush(WriteTransaction& transaction, const Packing& packing);
  Status write(WriteTransaction& transaction, const Packing& packing, Block& block);
  Status write_patch(WriteTransaction& transaction, const Packing& packing, Block& block);
  Status erase_patch(WriteTransaction& transaction, const Block& block);
  // For the blocks that are written next.
  Status choose_dictionary(WriteTransaction& transaction, const Packing& packing);
  Status train(WriteTransaction& transaction, const Packing& packing, std::uint64_t block_count);
  // Entries from all over the key space, one after the other.
  struct Samples {
    std::string bytes;
    std::vector<std::size_t> sizes_bytes;
    std::vector<std::string> blocks;  // others, as they are compressed, to compare with
    void add(Bytes raw);              // the entries of a block
  };
  Result<Samples> sample();

  const Transaction* transaction_ = nullptr;  // whose companion it is; it may have moved
  KeySpace space_;
  PackedSpaces& all_;
  BlockCodec& codec_;
  std::map<std::string, BlockPointer, std::less<>> blocks_;  // by the key they begin with
  BlockPointer last_found_;                                  // one of them, or null
  std::size_t size_bytes_ = 0;                               // of the blocks as they were loaded
  // Whether blocks in memory know where the next ones begin, also after the commit.
  bool knows_ends_ = true;
  Packer packer_;
  struct NumberedDictionary {
    DictionaryNumber number = 0;
    std::shared_ptr<const Dictionary> dictionary;
  };
  std::vector<NumberedDictionary> dictionaries_;  // to read with, the last used one at the end
  PackingDictionary dictionary_;                  // to write with
};

// All of a transaction.
class PackedSpaces : public Companion {
 public:
  static PackedSpaces& of(const Transaction& transaction);
  PackedSpaces();
  ~PackedSpaces() override;

  // For what this transaction writes; kQuickPacking if nobody says otherwise.
  void set_packing(const Packing& packing) { packing_ = packing; }
  // Grows whenever something that was given out may be gone: after a put or erase, or when what was
  // decoded had to make room.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  Status before_commit(WriteTransaction& transaction) override;
  // Blocks that were decoded, by this transaction and by those that it has its memory from.
  [[nodiscard]] std::uint64_t load_count() const { return load_count_; }
  // What it holds of a key space now: bytes of decoded blocks, and dictionaries.
  [[nodiscard]] std::size_t held_size_bytes(KeySpace space) const;
  [[nodiscard]] std::size_t dictionary_count(KeySpace space) const;

 private:
  friend class PackedSpace;
  friend class WriteTransaction;
  friend struct Transaction::State;
  void forget(KeySpace space) {
    spaces_[static_cast<std::size_t>(space)].reset();
    ++changes_;
  }
  void forget_unchanged();
  // Between two transactions.
  void rest();

  std::unique_ptr<BlockCodec> codec_;
  std::array<std::unique_ptr<PackedSpace>, kKeySpaceCount> spaces_;
  Packing packing_ = kQuickPacking;
  std::uint64_t changes_ = 0;
  std::uint64_t load_count_ = 0;
};

// Writes blocks that have a patch behind a key of key space `patch` anew, some of them, so that
// nothing stays in them of what was changed or erased. Returns the key to go on behind; nullopt:
// these were the last. A damaged block stays as it is. Errors: io, no_memory.
Result<std::optional<std::string>> renew_patched_blocks(WriteTransaction& transaction,
                                                        Bytes behind);

// Walks the entries of a packed key space in the order of their keys; puts and erases in between do
// no harm.
class PackedCursor {
 public:
  PackedCursor(const Transaction& transaction, KeySpace space)
      : transaction_(transaction), space_(space) {}
  // False if there is none. Errors: corrupt, io, no_memory.
  Result<bool> seek(Bytes key_at_least);  // an empty key: the first entry
  Result<bool> next();
  [[nodiscard]] Bytes key() const { return key_; }
  [[nodiscard]] Bytes value() const { return value_; }  // valid as what PackedSpace gives

 private:
  const Transaction& transaction_;
  KeySpace space_;
  std::string key_;
  Bytes value_;
};

}  // namespace tracelite::store
