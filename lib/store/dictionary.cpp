// Training, digesting, storing and finding dictionaries.
#include "store/dictionary.hpp"

#include <zdict.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include "model/limits.hpp"

namespace tracelite::store {
namespace {

constexpr int kNumberSizeBytes = 4;
// Digested dictionaries that are kept: of 0.1 to 0.2 MiB each.
constexpr std::size_t kKeptCount = 6;

std::string dictionary_key(KeySpace of, DictionaryNumber number) {
  std::string key(1, static_cast<char>(of));
  append_big_endian(key, number, kNumberSizeBytes);
  return key;
}

Result<StoredDictionary> decode(DictionaryNumber number, Bytes value) {
  ByteReader reader(value);
  StoredDictionary dictionary;
  dictionary.number = number;
  dictionary.block_count = reader.varint();
  dictionary.bytes = reader.rest();
  if (reader.failed() || dictionary.bytes.empty() ||
      dictionary.bytes.size() > model::kDictionarySizeBytesMax) {
    return make_error(Code::corrupt, "a dictionary makes no sense");
  }
  return dictionary;
}

struct Kept {
  std::string bytes;
  std::optional<int> level;
  std::shared_ptr<const Dictionary> dictionary;
};

// Digesting takes as long as some hundred blocks. Who finds one takes it from its place for the
// moment, so that nobody waits for anybody; whoever comes then digests again. Never emptied.
constinit std::array<std::atomic<Kept*>, kKeptCount> kept_dictionaries{};  // NOLINT
constinit std::atomic<std::size_t> next_place{0};                          // NOLINT

std::shared_ptr<const Dictionary> find_kept(Bytes bytes, std::optional<int> level) {
  for (std::atomic<Kept*>& place : kept_dictionaries) {
    std::unique_ptr<Kept> one(place.exchange(nullptr));
    if (!one) continue;
    const bool is_it = one->level == level && one->bytes == bytes;
    std::shared_ptr<const Dictionary> found = is_it ? one->dictionary : nullptr;
    Kept* none = nullptr;
    if (place.compare_exchange_strong(none, one.get())) static_cast<void>(one.release());
    if (found) return found;
  }
  return nullptr;
}

void keep(Bytes bytes, std::optional<int> level, std::shared_ptr<const Dictionary> dictionary) {
  std::unique_ptr<Kept> fresh(new Kept{std::string(bytes), level, std::move(dictionary)});
  const std::size_t place = next_place.fetch_add(1) % kKeptCount;
  const std::unique_ptr<Kept> before(kept_dictionaries[place].exchange(fresh.release()));
}

}  // namespace

void Dictionary::Deleter::operator()(ZSTD_CDict_s* digested) const { ZSTD_freeCDict(digested); }
void Dictionary::Deleter::operator()(ZSTD_DDict_s* digested) const { ZSTD_freeDDict(digested); }

Result<std::shared_ptr<const Dictionary>> Dictionary::digest(Bytes bytes,
                                                             std::optional<int> level) {
  if (auto kept = find_kept(bytes, level)) return kept;
  auto fresh = std::make_shared<Dictionary>();
  fresh->decompression_.reset(ZSTD_createDDict(bytes.data(), bytes.size()));
  if (level) fresh->compression_.reset(ZSTD_createCDict(bytes.data(), bytes.size(), *level));
  if (!fresh->decompression_ || (level && !fresh->compression_)) {
    return make_error(Code::no_memory, "there is no memory for a dictionary");
  }
  std::shared_ptr<const Dictionary> dictionary = std::move(fresh);
  keep(bytes, level, dictionary);
  return dictionary;
}

std::string train_dictionary(Bytes samples, const std::vector<std::size_t>& sizes_bytes,
                             std::size_t size_bytes_max) {
  if (size_bytes_max < kDictionarySizeBytesMin) return {};
  std::string bytes(size_bytes_max, '\0');
  const std::size_t size =
      ZDICT_trainFromBuffer(bytes.data(), bytes.size(), samples.data(), sizes_bytes.data(),
                            static_cast<unsigned>(sizes_bytes.size()));
  if (ZDICT_isError(size) != 0) return {};
  bytes.resize(size);
  return bytes;
}

Result<std::optional<StoredDictionary>> newest_dictionary(const Transaction& transaction,
                                                          KeySpace of) {
  Cursor cursor = transaction.cursor(KeySpace::dictionary);
  const std::string behind(1, static_cast<char>(static_cast<int>(of) + 1));
  TL_TRY_ASSIGN(found, cursor.seek(behind));
  TL_TRY_ASSIGN(before, found ? cursor.previous() : cursor.seek_last());
  if (!before || cursor.key().size() != 1 + kNumberSizeBytes ||
      cursor.key()[0] != static_cast<char>(of)) {
    return std::optional<StoredDictionary>();
  }
  const auto number = static_cast<DictionaryNumber>(read_big_endian(cursor.key().substr(1)));
  TL_TRY_ASSIGN(dictionary, decode(number, cursor.value()));
  return std::optional(dictionary);
}

Result<StoredDictionary> read_dictionary(const Transaction& transaction, KeySpace of,
                                         DictionaryNumber number) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::dictionary, dictionary_key(of, number)));
  if (!value) return make_error(Code::corrupt, "a dictionary is missing");
  return decode(number, *value);
}

Status put_dictionary(WriteTransaction& transaction, KeySpace of,
                      const StoredDictionary& dictionary) {
  std::string value;
  append_varint(value, dictionary.block_count);
  value.append(dictionary.bytes);
  return transaction.put(KeySpace::dictionary, dictionary_key(of, dictionary.number), value);
}

}  // namespace tracelite::store
