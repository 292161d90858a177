// How a payload lies in the file.
//
// Key space `payload`. A payload is slices 0, 1, 2, ...; a slice is pieces 0, 1, 2, ... A key is
//     6 bytes  payload number  } all big-endian, so that a payload is one range in order, and
//     4 bytes  slice number    } new payloads are added at the end of the key space
//     2 bytes  piece number    }
// The values of a slice's pieces, joined, are
//     1 byte      bits 0..6: coding of the body: 0 raw, 1 zstd (one frame, with content size, no
//                 checksum: store/ has one on each piece). Bit 7: another slice follows that was
//                 appended together with this one, so that its loss would be noticed
//     1..3 bytes  raw size, varint: at most kSliceSizeBytes
//     1..3 bytes  stored size of the body, varint: equal to the raw size if raw, smaller if zstd
//     the body
// and the first piece holds at least this header. Where the cuts are is the writer's business
// alone. A payload of no bytes has one slice, whose raw size is 0.
//
// Key space `meta`, key "next_payload": 8 bytes big-endian, the number that the next payload gets.
#include "payload/payload_store.hpp"

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace tracelite::payload {
namespace {

using store::KeySpace;

constexpr Bytes kCounterKey = "next_payload";
constexpr PayloadNumber kMaximumPayloadNumber = (PayloadNumber{1} << 48) - 1;
constexpr std::uint64_t kMaximumSliceNumber = (std::uint64_t{1} << 32) - 1;
constexpr std::uint64_t kMaximumPieceNumber = (std::uint64_t{1} << 16) - 1;

constexpr std::uint8_t kRaw = 0;
constexpr std::uint8_t kZstd = 1;
constexpr std::uint8_t kMoreFollows = 0x80;  // beside the coding
constexpr std::size_t kMaximumHeaderSizeBytes = 1 + 3 + 3;
static_assert(kSliceSizeBytes < (std::size_t{1} << 21), "three varint bytes");

// Where to cut. A value of more than 2,010 bytes takes whole pages of LMDB, so full pages come
// first; what is left over goes into pieces of which four share a page, unless it nearly fills a
// page of its own. Measured on recorded payloads (39.1 MB when compressed): 43.0 MB of pages this
// way, 43.7 MB if the rest is one piece, 44.6 MB if it is cut into pieces of 2,010 bytes at most
// (LMDB leaves too much free where two share a page), 50 MB if slices are not cut at all.
constexpr std::size_t kSharedPieceSizeBytes = 990;
constexpr std::size_t kOwnPageSizeBytes = 3600;
static_assert(kSliceSizeBytes / kSharedPieceSizeBytes < kMaximumPieceNumber,
              "piece numbers have two bytes");
static_assert(kMaximumHeaderSizeBytes < kSharedPieceSizeBytes, "the first piece has the header");

std::size_t piece_size(std::size_t rest) {
  if (rest >= store::kOnePageValueSizeBytes) return store::kOnePageValueSizeBytes;
  if (rest > kOwnPageSizeBytes || rest <= kSharedPieceSizeBytes) return rest;
  const std::size_t pieces = (rest + kSharedPieceSizeBytes - 1) / kSharedPieceSizeBytes;
  return (rest + pieces - 1) / pieces;
}

// How hard to compress. Measured on recorded payloads, microseconds for one slice -> ratio:
//     bytes          level -1       level 1        level 3
//     64..255        1.7 -> 1.0     5.7 -> 1.1     5.8 -> 1.1    so not at all
//     256..511       2.7 -> 1.2     6.7 -> 1.5     8.0 -> 1.5
//     512..1,023     4.3 -> 1.4     8.8 -> 1.7      11 -> 1.7
//     1,024..2,047   7.5 -> 1.9      11 -> 2.4      14 -> 2.4
//     16,384..       78 -> 2.5       91 -> 3.0     108 -> 3.1
// In short slices, level 1 takes twice the time of level -1, most of it for tables of its own; in
// long ones it costs a sixth and saves a fifth of the bytes.
constexpr std::size_t kShortSliceSizeBytes = 2048;
constexpr int kShortSliceLevel = -1;
constexpr int kLevel = 1;

// Compressed only if it saves at least a sixteenth.
bool pays(std::size_t compressed, std::size_t raw) { return compressed <= raw - raw / 16; }

constexpr std::size_t kNumberSizeBytes = 6;
constexpr std::size_t kSliceNumberSizeBytes = 4;
constexpr std::size_t kPieceNumberSizeBytes = 2;

class Key {
 public:
  Key(PayloadNumber number, std::uint64_t slice, std::uint64_t piece) {
    char* at = bytes_.data();
    for (int shift = 40; shift >= 0; shift -= 8)
      *at++ = static_cast<char>((number >> shift) & 0xff);
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<char>((slice >> shift) & 0xff);
    for (int shift = 8; shift >= 0; shift -= 8) *at++ = static_cast<char>((piece >> shift) & 0xff);
  }
  [[nodiscard]] Bytes bytes() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, kNumberSizeBytes + kSliceNumberSizeBytes + kPieceNumberSizeBytes> bytes_{};
};

bool belongs_to(Bytes key, PayloadNumber number) {
  return key.size() > kNumberSizeBytes &&
         read_big_endian(key.substr(0, kNumberSizeBytes)) == number;
}

bool is_payload_number(PayloadNumber number) {
  return number != 0 && number <= kMaximumPayloadNumber;
}

Error no_payload(PayloadNumber number) {
  return make_error(Code::not_found, "there is no payload " + std::to_string(number));
}

struct SliceHeader {
  bool compressed = false;
  bool more_follows = false;
  std::size_t raw_size_bytes = 0;
  std::size_t stored_size_bytes = 0;
  Bytes body_start;  // what of the body is in the first piece
};

// nullopt unless the header keeps to what the writer promises: nothing is allocated before.
std::optional<SliceHeader> parse_header(Bytes first_piece) {
  ByteReader reader(first_piece);
  const std::uint8_t first = reader.byte();
  const std::uint64_t raw = reader.varint();
  const std::uint64_t stored = reader.varint();
  const Bytes body_start = reader.rest();
  const int coding = first & ~kMoreFollows;
  const bool sizes_agree = coding == kRaw ? stored == raw : stored < raw;
  if (reader.failed() || coding > kZstd || raw > kSliceSizeBytes || !sizes_agree ||
      body_start.size() > stored) {
    return std::nullopt;
  }
  return SliceHeader{coding == kZstd, (first & kMoreFollows) != 0, static_cast<std::size_t>(raw),
                     static_cast<std::size_t>(stored), body_start};
}

struct CompressionContextDeleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct DecompressionContextDeleter {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Walks the slices of one payload in order. Touches no entry of another payload, whose damage must
// not matter here.
class SliceWalk {
 public:
  SliceWalk(const store::Transaction& transaction, PayloadNumber number)
      : transaction_(transaction), number_(number) {}

  // Goes to the first slice, then to the one after; false behind the last. Errors: not_found (no
  // slice at all), corrupt, io.
  Result<bool> next() {
    if (started_) ++slice_;
    const bool expected = !started_ || header_.more_follows;
    started_ = true;
    std::optional<Bytes> value;
    if (is_payload_number(number_) && slice_ <= kMaximumSliceNumber) {
      TL_TRY_ASSIGN(found, transaction_.get(KeySpace::payload, Key(number_, slice_, 0).bytes()));
      value = found;
    }
    if (!value) {
      if (slice_ == 0) return no_payload(number_);
      if (expected) return damage("it is missing");
      return false;
    }
    const auto header = parse_header(*value);
    if (!header) return damage("its header is wrong");
    header_ = *header;
    return true;
  }

  [[nodiscard]] const SliceHeader& header() const { return header_; }

  // The stored body of the present slice: in place if it has one piece, else joined in `buffer`.
  Result<Bytes> body(std::string& buffer) const {
    if (header_.body_start.size() == header_.stored_size_bytes) return header_.body_start;
    buffer.assign(header_.body_start);
    store::Cursor cursor = transaction_.cursor(KeySpace::payload);
    for (std::uint64_t piece = 1; buffer.size() < header_.stored_size_bytes; ++piece) {
      const Key key(number_, slice_, piece);
      TL_TRY_ASSIGN(found, piece == 1 ? cursor.seek(key.bytes()) : cursor.next());
      if (!found || cursor.key() != key.bytes()) return damage("a piece is missing");
      const Bytes value = cursor.value();
      if (value.empty() || value.size() > header_.stored_size_bytes - buffer.size()) {
        return damage("a piece has the wrong size");
      }
      buffer.append(value);
    }
    return Bytes(buffer);
  }

  [[nodiscard]] Error damage(const char* what) const {
    return make_error(Code::corrupt, "payload " + std::to_string(number_) + ", slice " +
                                         std::to_string(slice_) + ": " + what);
  }

 private:
  const store::Transaction& transaction_;
  PayloadNumber number_;
  std::uint64_t slice_ = 0;
  bool started_ = false;
  SliceHeader header_;
};

}  // namespace

// ---------------------------------------------------------------------------------------- reading

struct PayloadReader::State {
  std::unique_ptr<ZSTD_DCtx, DecompressionContextDeleter> context;
  std::string joined;   // the body of a slice that has several pieces
  std::string decoded;  // a slice of which only a part is wanted

  Status append_slice(SliceWalk& walk, std::size_t offset, std::size_t size_bytes,
                      std::string& out);
  Status decompress(const SliceWalk& walk, Bytes body, char* out);
};

// Appends size_bytes bytes from offset of the present slice, which has them.
Status PayloadReader::State::append_slice(SliceWalk& walk, std::size_t offset,
                                          std::size_t size_bytes, std::string& out) {
  TL_TRY_ASSIGN(body, walk.body(joined));
  const std::size_t raw_size_bytes = walk.header().raw_size_bytes;
  if (!walk.header().compressed) {
    out.append(body.substr(offset, size_bytes));
  } else if (size_bytes == raw_size_bytes) {
    const std::size_t size_before = out.size();
    out.resize(size_before + raw_size_bytes);
    TL_TRY(decompress(walk, body, out.data() + size_before));
  } else {
    decoded.resize(raw_size_bytes);
    TL_TRY(decompress(walk, body, decoded.data()));
    out.append(decoded, offset, size_bytes);
  }
  return {};
}

// Writes the raw size of the present slice at `out`.
Status PayloadReader::State::decompress(const SliceWalk& walk, Bytes body, char* out) {
  if (!context) context.reset(ZSTD_createDCtx());
  if (!context) return make_error(Code::no_memory, "there is no memory to decompress a payload");
  const std::size_t raw_size_bytes = walk.header().raw_size_bytes;
  const std::size_t size =
      ZSTD_decompressDCtx(context.get(), out, raw_size_bytes, body.data(), body.size());
  if (ZSTD_isError(size) != 0 || size != raw_size_bytes) {
    return walk.damage("its bytes do not decompress to the size in its header");
  }
  return {};
}

PayloadReader::PayloadReader(const store::Transaction& transaction)
    : transaction_(transaction), state_(std::make_unique<State>()) {}
PayloadReader::~PayloadReader() = default;
PayloadReader::PayloadReader(PayloadReader&&) noexcept = default;

Result<std::uint64_t> PayloadReader::size_bytes(PayloadNumber number) const {
  SliceWalk walk(transaction_, number);
  std::uint64_t size_bytes = 0;
  for (;;) {
    TL_TRY_ASSIGN(more, walk.next());
    if (!more) return size_bytes;
    size_bytes += walk.header().raw_size_bytes;
  }
}

Result<std::string> PayloadReader::read_all(PayloadNumber number) const {
  std::string out;
  TL_TRY(read(number, 0, UINT64_MAX, out));
  return out;
}

Status PayloadReader::read(PayloadNumber number, std::uint64_t offset, std::uint64_t size_bytes,
                           std::string& out) const {
  const std::size_t size_before = out.size();
  const auto undo = [&](Error error) {
    out.resize(size_before);
    return error;
  };
  SliceWalk walk(transaction_, number);
  do {
    auto more = walk.next();
    if (!more) return undo(std::move(more).error());
    if (!*more) break;
    const std::size_t raw_size_bytes = walk.header().raw_size_bytes;
    if (offset >= raw_size_bytes) {
      offset -= raw_size_bytes;
      continue;
    }
    const auto start = static_cast<std::size_t>(offset);
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(size_bytes, raw_size_bytes - start));
    Status status = state_->append_slice(walk, start, wanted, out);
    if (!status) return undo(std::move(status).error());
    size_bytes -= wanted;
    offset = 0;
  } while (size_bytes > 0);
  return {};
}

// ---------------------------------------------------------------------------------------- writing

namespace {

Result<bool> has_slice(const store::Transaction& transaction, PayloadNumber number,
                       std::uint64_t slice) {
  if (slice > kMaximumSliceNumber) return false;
  auto found = transaction.get(KeySpace::payload, Key(number, slice, 0).bytes());
  if (found) return found->has_value();
  if (found.error().code == Code::corrupt) return true;
  return std::move(found).error();
}

// The number of the slice that an append makes: the first that the payload does not have. Found in
// growing and then shrinking steps, because a cursor would stumble over a damaged neighbour.
Result<std::uint64_t> next_slice(const store::Transaction& transaction, PayloadNumber number) {
  TL_TRY_ASSIGN(any, has_slice(transaction, number, 0));
  if (!any) return std::uint64_t{0};
  std::uint64_t present = 0;
  std::uint64_t step = 1;
  for (bool growing = true; step != 0;) {
    TL_TRY_ASSIGN(found, has_slice(transaction, number, present + step));
    if (found) present += step;
    growing = growing && found;
    step = growing ? step * 2 : step / 2;
  }
  return present + 1;
}

// Erases what a damaged file may hold of a payload behind a gap in its numbers. A damaged entry may
// belong to another payload, so it ends the search and is no error.
Status erase_leftovers(store::WriteTransaction& transaction, PayloadNumber number) {
  for (;;) {
    std::string key;
    {
      store::Cursor cursor = transaction.cursor(KeySpace::payload);
      auto found = cursor.seek(Key(number, 0, 0).bytes());
      if (!found && found.error().code != Code::corrupt) return std::move(found).error();
      if (!found || !*found || !belongs_to(cursor.key(), number)) return {};
      key = cursor.key();
    }
    TL_TRY(transaction.erase(KeySpace::payload, key));
  }
}

}  // namespace

struct PayloadWriter::State {
  std::unique_ptr<ZSTD_CCtx, CompressionContextDeleter> context;
  std::string compressed;  // one slice; never shrinks

  Status put_slices(store::WriteTransaction& transaction, PayloadNumber number, std::uint64_t slice,
                    Bytes bytes);
  Status put_slice(store::WriteTransaction& transaction, PayloadNumber number, std::uint64_t slice,
                   Bytes raw, bool more_follows);
  Result<Bytes> compress(Bytes raw);
};

// What zstd makes of the slice, valid until the next call.
Result<Bytes> PayloadWriter::State::compress(Bytes raw) {
  if (!context) {
    context.reset(ZSTD_createCCtx());
    if (!context) return make_error(Code::no_memory, "there is no memory to compress a payload");
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 1);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0);
  }
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel,
                         raw.size() < kShortSliceSizeBytes ? kShortSliceLevel : kLevel);
  if (compressed.empty()) compressed.resize(ZSTD_compressBound(kSliceSizeBytes));
  const std::size_t size =
      ZSTD_compress2(context.get(), compressed.data(), compressed.size(), raw.data(), raw.size());
  if (ZSTD_isError(size) != 0) {
    return make_error(Code::no_memory, std::string("zstd: ") + ZSTD_getErrorName(size), {},
                      static_cast<int>(ZSTD_getErrorCode(size)));
  }
  return Bytes(compressed).substr(0, size);
}

Status PayloadWriter::State::put_slice(store::WriteTransaction& transaction, PayloadNumber number,
                                       std::uint64_t slice, Bytes raw, bool more_follows) {
  unsigned coding = kRaw;
  Bytes body = raw;
  if (raw.size() >= kMinimumCompressedSizeBytes) {
    TL_TRY_ASSIGN(smaller, compress(raw));
    if (pays(smaller.size(), raw.size())) {
      coding = kZstd;
      body = smaller;
    }
  }
  std::string header;
  header.push_back(static_cast<char>(coding | (more_follows ? kMoreFollows : 0U)));
  append_varint(header, raw.size());
  append_varint(header, body.size());

  std::uint64_t piece = 0;
  Bytes start = header;
  do {
    const std::size_t from_body = piece_size(start.size() + body.size()) - start.size();
    const std::array<Bytes, 2> parts = {start, body.substr(0, from_body)};
    TL_TRY(transaction.put(KeySpace::payload, Key(number, slice, piece).bytes(),
                           std::span<const Bytes>(parts)));
    body.remove_prefix(from_body);
    start = {};
    ++piece;
  } while (!body.empty());
  return {};
}

// At least one slice, even of no bytes: then the payload exists.
Status PayloadWriter::State::put_slices(store::WriteTransaction& transaction, PayloadNumber number,
                                        std::uint64_t slice, Bytes bytes) {
  do {
    if (slice > kMaximumSliceNumber) {
      return make_error(Code::limit, "payload " + std::to_string(number) + " has too many parts");
    }
    const Bytes raw = bytes.substr(0, kSliceSizeBytes);
    bytes.remove_prefix(raw.size());
    TL_TRY(put_slice(transaction, number, slice, raw, !bytes.empty()));
    ++slice;
  } while (!bytes.empty());
  return {};
}

PayloadWriter::PayloadWriter() : state_(std::make_unique<State>()) {}
PayloadWriter::~PayloadWriter() = default;

Result<PayloadNumber> PayloadWriter::create(store::WriteTransaction& transaction) {
  TL_TRY_ASSIGN(counter, transaction.get(KeySpace::meta, kCounterKey));
  PayloadNumber number = 1;
  if (counter) {
    number = read_big_endian(*counter);
    if (counter->size() != sizeof number || number == 0) {
      return make_error(Code::corrupt, "the counter of payload numbers is wrong");
    }
  }
  if (number > kMaximumPayloadNumber) {
    return make_error(Code::limit, "the file has used up its payload numbers");
  }
  std::string next;
  append_big_endian(next, number + 1);
  TL_TRY(transaction.put(KeySpace::meta, kCounterKey, next));
  return number;
}

Status PayloadWriter::append(store::WriteTransaction& transaction, PayloadNumber number,
                             Bytes bytes) {
  if (!is_payload_number(number)) return no_payload(number);
  TL_TRY_ASSIGN(slice, next_slice(transaction, number));
  if (bytes.empty() && slice > 0) return {};
  return state_->put_slices(transaction, number, slice, bytes);
}

Result<PayloadNumber> PayloadWriter::put(store::WriteTransaction& transaction, Bytes bytes) {
  TL_TRY_ASSIGN(number, create(transaction));
  TL_TRY(state_->put_slices(transaction, number, 0, bytes));
  return number;
}

Status PayloadWriter::erase(store::WriteTransaction& transaction, PayloadNumber number) {
  if (!is_payload_number(number)) return {};
  // By key alone, so that damaged values go as well.
  for (std::uint64_t slice = 0; slice <= kMaximumSliceNumber; ++slice) {
    std::uint64_t piece = 0;
    for (; piece <= kMaximumPieceNumber; ++piece) {
      TL_TRY_ASSIGN(erased,
                    transaction.erase(KeySpace::payload, Key(number, slice, piece).bytes()));
      if (!erased) break;
    }
    if (piece == 0) break;
  }
  return erase_leftovers(transaction, number);
}

}  // namespace tracelite::payload
