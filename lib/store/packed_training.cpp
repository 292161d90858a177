// When a packed key space gets a dictionary, and which.
//
// A key space of few blocks does without. Then one is trained from entries all over it, and again
// whenever it has grown eightfold; it is taken only if it saves more than it costs, on blocks that
// it was not trained from. So training takes some hundredths of a second, a handful of times in the
// life of a file.
#include <algorithm>

#include "store/block_codec.hpp"
#include "store/packed_space.hpp"

namespace tracelite::store {
namespace {

constexpr std::uint64_t kGrowth = 8;
constexpr std::size_t kSampleBlockCount = 96;
constexpr std::size_t kSampledSizeBytesMax = std::size_t{1} << 20;
// Of an entry that is longer only the begin is learned from.
constexpr std::size_t kSampleSizeBytesMax = std::size_t{4} << 10;
constexpr std::size_t kSampleSizeBytesMin = 8;  // zstd's
constexpr std::size_t kLearnedOfCompared = 5;   // every fifth block is compared, not learned from

}  // namespace

Status PackedSpace::choose_dictionary(WriteTransaction& transaction, const Packing& packing) {
  dictionary_ = {};
  TL_TRY_ASSIGN(statistics, transaction.statistics(space_));
  if (statistics.entries < packing.blocks_to_train_from) return {};
  const auto newest = newest_dictionary(transaction, space_);
  // Damage to it must not keep anybody from recording more.
  if (!newest && newest.error().code == Code::corrupt) return {};
  if (!newest) return newest.error();
  if (const auto& stored = *newest) {
    TL_TRY_ASSIGN(digested, Dictionary::digest(stored->bytes, packing.level));
    dictionary_ = {digested, stored->number};
    if (statistics.entries < stored->block_count * kGrowth) return {};
  }
  return train(transaction, packing, statistics.entries);
}

Status PackedSpace::train(WriteTransaction& transaction, const Packing& packing,
                          std::uint64_t block_count) {
  TL_TRY_ASSIGN(samples, sample());
  const std::string trained =
      train_dictionary(samples.bytes, samples.sizes_bytes, packing.dictionary_size_bytes_max);
  if (trained.empty()) return {};
  TL_TRY_ASSIGN(candidate, Dictionary::digest(trained, packing.level));
  std::uint64_t before_size_bytes = 0;
  std::uint64_t after_size_bytes = 0;
  for (const std::string& block : samples.blocks) {
    TL_TRY_ASSIGN(before, codec_.encode(block, packing.level, dictionary_.digested.get(),
                                        dictionary_.number));
    before_size_bytes += before.size();
    TL_TRY_ASSIGN(after, codec_.encode(block, packing.level, candidate.get(), 1));
    after_size_bytes += after.size();
  }
  const std::uint64_t saved_size_bytes =
      before_size_bytes - std::min(before_size_bytes, after_size_bytes);
  // By the time that the key space has twice as many blocks.
  const bool pays = saved_size_bytes * 2 * block_count > trained.size() * samples.blocks.size();
  if (!pays) return {};
  TL_TRY(put_dictionary(transaction, space_, {dictionary_.number + 1, block_count, trained}));
  dictionary_ = {candidate, dictionary_.number + 1};
  return {};
}

// Blocks at even distances between the first key and the last, taken as numbers: keys begin with
// numbers that are given one after the other.
Result<PackedSpace::Samples> PackedSpace::sample() {
  Samples samples;
  Cursor cursor = transaction_->key_cursor(space_);
  TL_TRY_ASSIGN(last, cursor.seek_last());
  if (!last) return samples;
  const auto number_of = [](Bytes key) {
    std::string word(key.substr(0, 8));
    word.resize(8, '\0');
    return read_big_endian(word);
  };
  const std::uint64_t high = number_of(cursor.key());
  TL_TRY_ASSIGN(first, cursor.seek({}));
  const std::uint64_t low = first ? number_of(cursor.key()) : high;
  std::string taken;
  for (std::size_t i = 0; i < kSampleBlockCount; ++i) {
    std::string key;
    append_big_endian(key, low + (high - low) / kSampleBlockCount * i);
    if (key <= taken) key = taken + '\0';
    TL_TRY_ASSIGN(found, cursor.seek(key));
    if (!found || samples.bytes.size() > kSampledSizeBytesMax) break;
    taken = cursor.key();
    const auto value = cursor.read_value();
    auto raw = value ? decode(*value) : Result<std::string>(value.error());
    if (!raw && raw.error().code == Code::corrupt) continue;
    if (!raw) return std::move(raw).error();
    // What was learned from says nothing about what others will save.
    if (i % kLearnedOfCompared == 0) {
      samples.blocks.push_back(*std::move(raw));
    } else {
      samples.add(*raw);
    }
  }
  return samples;
}

void PackedSpace::Samples::add(Bytes raw) {
  ByteReader reader(raw);
  while (!reader.at_end()) {
    reader.varint();
    reader.text();
    const Bytes value = reader.text().substr(0, kSampleSizeBytesMax);
    if (reader.failed() || value.size() < kSampleSizeBytesMin) continue;
    bytes.append(value);
    sizes_bytes.push_back(value.size());
  }
}

}  // namespace tracelite::store
