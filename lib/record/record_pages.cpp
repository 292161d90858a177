// Finding, changing and writing pages of records.
#include "record/record_pages.hpp"

#include <zstd.h>

#include <algorithm>

namespace tracelite::record {

using store::KeySpace;

namespace {

constexpr std::uint8_t kRaw = 0;
constexpr std::uint8_t kZstd = 1;
constexpr int kLevel = 1;
constexpr std::size_t kEntryKeySizeBytes = 1 + 8;
// Nothing that is recorded comes near; a hostile size must not be believed.
constexpr std::uint64_t kRawSizeBytesMax = std::uint64_t{64} << 20;

Error damage(const char* what) {
  return make_error(Code::corrupt, std::string("a page of records: ") + what);
}

RecordKey end_of(ContainerNumber container) { return {container + 1, RecordKind::header, 0}; }

struct CompressorDeleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct DecompressorDeleter {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

// The records of a page, in one run of bytes, and where each is.
struct RecordPages::Page {
  struct Place {
    RecordKind kind{};
    EntityKey entity = 0;
    std::uint32_t offset = 0;  // of the record's bytes
    std::uint32_t size_bytes = 0;
  };

  RecordKey begin;
  RecordKey end;  // the key that the next page begins with, or the next container's
  std::string raw;
  std::vector<Place> places;
  bool stored = false;   // in the file
  bool changed = false;  // since it was read

  [[nodiscard]] RecordKey key_of(const Place& place) const {
    return {begin.container, place.kind, place.entity};
  }
  [[nodiscard]] Bytes record(const Place& place) const {
    return Bytes(raw).substr(place.offset, place.size_bytes);
  }
  std::vector<Place>::iterator first_from(const RecordKey& key) {
    return std::lower_bound(
        places.begin(), places.end(), key,
        [this](const Place& place, const RecordKey& wanted) { return key_of(place) < wanted; });
  }
  // False if the bytes make no sense.
  bool parse();
  // Replaces the records from `from` to `to` by one record, or by none.
  void replace(std::size_t from, std::size_t to, const RecordKey& key, std::optional<Bytes> record);
};

bool RecordPages::Page::parse() {
  places.clear();
  ByteReader reader(raw);
  while (!reader.at_end()) {
    Place place;
    place.kind = static_cast<RecordKind>(reader.byte());
    place.entity = reader.big_endian(8);
    const Bytes record = reader.text();
    if (reader.failed() || place.kind > RecordKind::stray) return false;
    place.offset = static_cast<std::uint32_t>(record.data() - raw.data());
    place.size_bytes = static_cast<std::uint32_t>(record.size());
    const RecordKey key = key_of(place);
    if (key < begin || key >= end) return false;
    if (!places.empty() && key <= key_of(places.back())) return false;
    places.push_back(place);
  }
  return true;
}

void RecordPages::Page::replace(std::size_t from, std::size_t to, const RecordKey& key,
                                std::optional<Bytes> record) {
  const auto start_of = [&](std::size_t index) {
    if (index == 0) return std::size_t{0};
    const Place& before = places[index - 1];
    return std::size_t{before.offset} + before.size_bytes;
  };
  std::string coded;
  if (record) {
    coded.push_back(static_cast<char>(key.kind));
    append_big_endian(coded, key.entity);
    append_text(coded, *record);
  }
  const std::size_t start = start_of(from);
  const std::size_t removed = start_of(to) - start;
  raw.replace(start, removed, coded);
  const auto shift = static_cast<std::uint32_t>(coded.size() - removed);  // wraps around
  for (std::size_t i = to; i < places.size(); ++i) places[i].offset += shift;
  const auto at = places.erase(places.begin() + static_cast<std::ptrdiff_t>(from),
                               places.begin() + static_cast<std::ptrdiff_t>(to));
  if (record) {
    const auto size_bytes = static_cast<std::uint32_t>(record->size());
    const auto offset = static_cast<std::uint32_t>(start + coded.size() - size_bytes);
    places.insert(at, {key.kind, key.entity, offset, size_bytes});
  }
  changed = true;
}

struct RecordPages::Codec {
  std::unique_ptr<ZSTD_CCtx, CompressorDeleter> compressor;
  std::unique_ptr<ZSTD_DCtx, DecompressorDeleter> decompressor;

  Result<std::string> decode(Bytes value) {
    ByteReader reader(value);
    const std::uint8_t coding = reader.byte();
    const std::uint64_t size_bytes = reader.varint();
    const Bytes body = reader.rest();
    if (reader.failed() || coding > kZstd || size_bytes > kRawSizeBytesMax) {
      return damage("its header is wrong");
    }
    if (coding == kRaw) {
      if (body.size() != size_bytes) return damage("its size is wrong");
      return std::string(body);
    }
    if (ZSTD_getFrameContentSize(body.data(), body.size()) != size_bytes) {
      return damage("its size is wrong");
    }
    if (!decompressor) decompressor.reset(ZSTD_createDCtx());
    if (!decompressor) return make_error(Code::no_memory, "there is no memory to read records");
    std::string raw(size_bytes, '\0');
    const std::size_t size =
        ZSTD_decompressDCtx(decompressor.get(), raw.data(), raw.size(), body.data(), body.size());
    if (ZSTD_isError(size) != 0 || size != size_bytes) return damage("it does not decompress");
    return raw;
  }

  Result<std::string> encode(Bytes raw) {
    if (!compressor) compressor.reset(ZSTD_createCCtx());
    if (!compressor) return make_error(Code::no_memory, "there is no memory to write records");
    std::string value;
    value.push_back(static_cast<char>(kZstd));
    append_varint(value, raw.size());
    const std::size_t head = value.size();
    value.resize(head + ZSTD_compressBound(raw.size()));
    const std::size_t size = ZSTD_compressCCtx(compressor.get(), value.data() + head,
                                               value.size() - head, raw.data(), raw.size(), kLevel);
    if (ZSTD_isError(size) == 0 && size < raw.size()) {
      value.resize(head + size);
      return value;
    }
    value[0] = static_cast<char>(kRaw);
    value.resize(head);
    value.append(raw);
    return value;
  }
};

RecordPages::RecordPages() : codec_(std::make_unique<Codec>()) {}
RecordPages::~RecordPages() = default;

RecordPages& RecordPages::of(const store::Transaction& transaction) {
  std::unique_ptr<store::Companion>& companion =
      transaction.companion(store::CompanionSlot::records);
  if (!companion) companion = std::make_unique<RecordPages>();
  auto& pages = static_cast<RecordPages&>(*companion);
  pages.transaction_ = &transaction;
  return pages;
}

// ------------------------------------------------------------------------------ one record

Result<std::optional<Bytes>> RecordPages::get(const RecordKey& key) {
  TL_TRY_ASSIGN(page, find(key));
  if (page == nullptr) return std::optional<Bytes>();
  const auto place = page->first_from(key);
  if (place == page->places.end() || page->key_of(*place) != key) return std::optional<Bytes>();
  return std::optional(page->record(*place));
}

Status RecordPages::put(const RecordKey& key, Bytes record) {
  TL_TRY_ASSIGN(page, find(key));
  if (page == nullptr) {
    // Lower than all there are, or the first: the container's first page begins at its header.
    page = std::make_shared<Page>();
    page->begin = {key.container, RecordKind::header, 0};
    TL_TRY_ASSIGN(next, first_from(key));
    page->end = end_of(key.container);
    if (next != nullptr && next->begin.container == key.container) page->end = next->begin;
    pages_[page->begin] = page;
  }
  const auto place = page->first_from(key);
  const auto from = static_cast<std::size_t>(place - page->places.begin());
  const bool is_there = place != page->places.end() && page->key_of(*place) == key;
  page->replace(from, from + (is_there ? 1 : 0), key, record);
  if (page->raw.size() > kRecordPageSizeBytesMax) cut(page);
  return {};
}

Result<bool> RecordPages::erase(const RecordKey& key) {
  TL_TRY_ASSIGN(page, find(key));
  if (page == nullptr) return false;
  const auto place = page->first_from(key);
  if (place == page->places.end() || page->key_of(*place) != key) return false;
  const auto from = static_cast<std::size_t>(place - page->places.begin());
  page->replace(from, from + 1, key, std::nullopt);
  return true;
}

Result<std::optional<RecordPages::Entry>> RecordPages::at_least(const RecordKey& key) {
  TL_TRY_ASSIGN(page, find(key));
  if (page == nullptr) {
    TL_TRY_ASSIGN(next, first_from(key));
    page = next;
  }
  while (page != nullptr) {
    const auto place = page->first_from(key);
    if (place != page->places.end()) {
      return std::optional(Entry{page->key_of(*place), page->record(*place)});
    }
    TL_TRY_ASSIGN(next, first_from(page->end));
    page = next;
  }
  return std::optional<Entry>();
}

// ------------------------------------------------------------------------------ pages

Result<RecordPages::PagePointer> RecordPages::load(const RecordKey& begin, Bytes value,
                                                   const RecordKey& end) {
  auto page = std::make_shared<Page>();
  page->begin = begin;
  page->end = end;
  page->stored = true;
  TL_TRY_ASSIGN(raw, codec_->decode(value));
  page->raw = std::move(raw);
  if (!page->parse()) return damage("its records make no sense");
  make_room();
  size_bytes_ += page->raw.size();
  pages_[begin] = page;
  return page;
}

Result<RecordPages::PagePointer> RecordPages::find(const RecordKey& key) {
  const auto behind = pages_.upper_bound(key);
  PagePointer known;
  if (behind != pages_.begin()) {
    known = std::prev(behind)->second;
    if (known->begin.container != key.container) known = nullptr;
    if (known != nullptr && key < known->end) return known;
  }
  store::Cursor cursor = transaction_->cursor(KeySpace::record);
  const std::string wanted = encode(key);
  TL_TRY_ASSIGN(found, cursor.seek(wanted));
  if (!found || cursor.key() != wanted) {
    TL_TRY_ASSIGN(before, found ? cursor.previous() : cursor.seek_last());
    if (!before) return PagePointer();
  }
  if (cursor.key().size() != kRecordKeySizeBytes) return damage("its key has the wrong size");
  const RecordKey begin = decode_record_key(cursor.key());
  if (begin.container != key.container) return PagePointer();
  const std::string value(cursor.value());
  RecordKey end = end_of(begin.container);
  TL_TRY_ASSIGN(more, cursor.next());
  if (more && cursor.key().size() == kRecordKeySizeBytes) {
    end = std::min(end, decode_record_key(cursor.key()));
  }
  return load(begin, value, end);
}

// The first page that begins at or behind a key, of whatever container.
Result<RecordPages::PagePointer> RecordPages::first_from(const RecordKey& key) {
  PagePointer known;
  if (const auto at = pages_.lower_bound(key); at != pages_.end()) known = at->second;
  store::Cursor cursor = transaction_->cursor(KeySpace::record);
  TL_TRY_ASSIGN(found, cursor.seek(encode(key)));
  if (!found) return known;
  if (cursor.key().size() != kRecordKeySizeBytes) return damage("its key has the wrong size");
  const RecordKey begin = decode_record_key(cursor.key());
  if (known != nullptr && known->begin <= begin) return known;
  return find(begin);
}

void RecordPages::cut(const PagePointer& page) {
  if (page->places.size() < 2) return;
  // Where about half of the bytes are behind.
  std::size_t at = 1;
  while (at + 1 < page->places.size() && page->places[at].offset < page->raw.size() / 2) ++at;
  auto upper = std::make_shared<Page>();
  upper->begin = page->key_of(page->places[at]);
  upper->end = page->end;
  const Page::Place& last = page->places[at - 1];
  const std::size_t start = std::size_t{last.offset} + last.size_bytes;
  upper->raw = page->raw.substr(start);
  upper->changed = true;
  upper->parse();
  page->raw.resize(start);
  page->places.resize(at);
  page->end = upper->begin;
  pages_[upper->begin] = upper;
}

// Whoever holds a page keeps it alive; only what is not in the file must stay.
void RecordPages::make_room() {
  if (size_bytes_ < kRecordPageCacheSizeBytesMax) return;
  std::erase_if(pages_, [](const auto& entry) { return !entry.second->changed; });
  size_bytes_ = 0;
}

Status RecordPages::flush(store::WriteTransaction& transaction) {
  for (auto& [begin, page] : pages_) {
    if (page->changed) TL_TRY(write(transaction, *page));
  }
  // Empty pages are in the file no longer.
  pages_.clear();
  size_bytes_ = 0;
  return {};
}

Status RecordPages::write(store::WriteTransaction& transaction, Page& page) {
  const std::string key = encode(page.begin);
  if (page.places.empty()) {
    if (page.stored) TL_TRY(transaction.erase(KeySpace::record, key));
    return {};
  }
  TL_TRY_ASSIGN(value, codec_->encode(page.raw));
  return transaction.put(KeySpace::record, key, value);
}

// ------------------------------------------------------------------------------ walking

Result<bool> RecordCursor::seek(const RecordKey& key_at_least) {
  TL_TRY_ASSIGN(found, RecordPages::of(transaction_).at_least(key_at_least));
  if (!found) return false;
  entry_ = *found;
  return true;
}

Result<bool> RecordCursor::next() {
  RecordKey after = entry_.key;
  if (++after.entity == 0) {  // behind the last entity key of this kind
    after.kind = static_cast<RecordKind>(static_cast<int>(after.kind) + 1);
  }
  return seek(after);
}

}  // namespace tracelite::record
