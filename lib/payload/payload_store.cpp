// How a payload that is stored by itself lies in the file.
//
// Key space `payload`, or `media` for the bytes of a medium (media_store.hpp). A payload is slices
// 0, 1, 2, ...; each is a block (block.hpp) under
//     6 bytes  payload number  } big-endian, so that a payload is one range in order, and new
//     4 bytes  slice number    } payloads are added at the end of the key space
// marked if another slice must follow, because one was appended together with it, so that its loss
// would be noticed. A payload of no bytes has one slice, whose raw size is 0.
//
// Key space `meta`, key "next_payload": 8 bytes big-endian, the number that the next payload gets.
#include "payload/payload_store.hpp"

#include <algorithm>
#include <optional>

#include "payload/block.hpp"
#include "payload/group_reader.hpp"
#include "payload/group_writer.hpp"

namespace tracelite::payload {
namespace {

using store::KeySpace;

constexpr Bytes kCounterKey = "next_payload";
constexpr PayloadNumber kMaximumPayloadNumber = (PayloadNumber{1} << 48) - 1;
constexpr std::uint64_t kMaximumSliceNumber = (std::uint64_t{1} << 32) - 1;
constexpr std::size_t kNumberSizeBytes = 6;
constexpr std::size_t kSliceNumberSizeBytes = 4;
constexpr std::size_t kSampleSizeBytes = std::size_t{16} << 10;  // of a medium: does it compress
static_assert(kSliceSizeBytes <= kBlockSizeBytesMax);
static_assert(kMaximumPayloadNumber >> (8 * kNumberSizeBytes - 1) == 1);
static_assert(kMaximumPayloadNumber < kInMedia && kInMedia < kInGroup);
static_assert(kMaximumSliceNumber >> (8 * kSliceNumberSizeBytes - 1) == 1);

bool is_in_group(PayloadNumber number) { return (number & kInGroup) != 0; }

KeySpace space_of(PayloadNumber number) {
  return is_in_media(number) ? KeySpace::media : KeySpace::payload;
}

PayloadNumber in_its_space(PayloadNumber number) { return number & ~kInMedia; }

std::string slice_prefix(PayloadNumber number, std::uint64_t slice) {
  std::string key;
  append_big_endian(key, in_its_space(number), kNumberSizeBytes);
  append_big_endian(key, slice, kSliceNumberSizeBytes);
  return key;
}

// In key space `media` there are hashes beside the slices.
bool belongs_to(Bytes key, PayloadNumber number) {
  return key.size() == kNumberSizeBytes + kSliceNumberSizeBytes + 2 &&
         read_big_endian(key.substr(0, kNumberSizeBytes)) == in_its_space(number);
}

bool is_payload_number(PayloadNumber number) {
  return !is_in_group(number) && in_its_space(number) != 0 &&
         in_its_space(number) <= kMaximumPayloadNumber;
}

Error no_payload(PayloadNumber number) {
  return make_error(Code::not_found, "there is no payload " + std::to_string(number));
}

// Walks the slices of one payload in order. Touches no entry of another payload, whose damage must
// not matter here.
class SliceWalk {
 public:
  SliceWalk(const store::Transaction& transaction, PayloadNumber number,
            std::uint64_t first_slice = 0)
      : transaction_(transaction), number_(number), slice_(first_slice) {}

  // Goes to the first slice, then to the one after; false behind the last. Errors: not_found (no
  // slice at all), corrupt, io.
  Result<bool> next() {
    if (started_) ++slice_;
    const bool expected = !started_ || block_.marked;
    started_ = true;
    std::optional<Block> block;
    if (is_payload_number(number_) && slice_ <= kMaximumSliceNumber) {
      prefix_ = slice_prefix(number_, slice_);
      auto found = find_block(transaction_, space_of(number_), prefix_);
      if (!found) return told(std::move(found).error());
      block = *found;
    }
    if (!block) {
      if (slice_ == 0) return no_payload(number_);
      if (expected) return told(make_error(Code::corrupt, "it is missing"));
      return false;
    }
    block_ = *block;
    return true;
  }

  [[nodiscard]] const Block& block() const { return block_; }

  // Writes the present slice at `out`.
  Status read(BlockReader& reader, char* out) const {
    Status status = reader.read(transaction_, space_of(number_), prefix_, block_, out);
    return status ? Status() : Status(told(std::move(status).error()));
  }

 private:
  [[nodiscard]] Error told(Error error) const {
    error.message = "payload " + std::to_string(number_) + ", slice " + std::to_string(slice_) +
                    ": " + error.message;
    return error;
  }

  const store::Transaction& transaction_;
  PayloadNumber number_;
  std::uint64_t slice_;
  bool started_ = false;
  Block block_;
  std::string prefix_;
};

}  // namespace

// ---------------------------------------------------------------------------------------- reading

struct PayloadReader::State {
  BlockReader blocks;
  std::string decoded;  // a slice of which only a part is wanted
};

PayloadReader::PayloadReader(const store::Transaction& transaction)
    : transaction_(transaction), state_(std::make_unique<State>()) {}
PayloadReader::~PayloadReader() = default;
PayloadReader::PayloadReader(PayloadReader&&) noexcept = default;

Result<std::uint64_t> PayloadReader::size_bytes(PayloadNumber number) const {
  if (is_in_group(number)) {
    return GroupReader::of(transaction_).size_bytes(group_position(number));
  }
  SliceWalk walk(transaction_, number);
  std::uint64_t size_bytes = 0;
  for (;;) {
    TL_TRY_ASSIGN(more, walk.next());
    if (!more) return size_bytes;
    size_bytes += walk.block().raw_size_bytes;
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
  if (is_in_group(number)) {
    GroupReader& groups = GroupReader::of(transaction_);
    TL_TRY_ASSIGN(whole, groups.size_bytes(group_position(number)));
    if (whole > kSharedPayloadSizeBytesMax || offset >= whole) size_bytes = 0;
    out.resize(size_before + static_cast<std::size_t>(std::min(size_bytes, whole - offset)));
    const auto read =
        groups.read(group_position(number), offset, std::span<char>(out).subspan(size_before));
    if (!read) out.resize(size_before);
    return read ? Status() : Status(read.error());
  }
  const auto undo = [&](Error error) {
    out.resize(size_before);
    return error;
  };
  std::uint64_t first_slice = 0;
  if (is_in_media(number)) {  // all slices but the last are full: create_medium
    first_slice = offset / kSliceSizeBytes;
    offset %= kSliceSizeBytes;
  }
  SliceWalk walk(transaction_, number, first_slice);
  do {
    auto more = walk.next();
    if (!more) return undo(std::move(more).error());
    if (!*more) break;
    const std::size_t raw_size_bytes = walk.block().raw_size_bytes;
    if (offset >= raw_size_bytes) {
      offset -= raw_size_bytes;
      continue;
    }
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(size_bytes, raw_size_bytes - offset));
    const std::size_t end = out.size();
    Status status;
    if (wanted == raw_size_bytes) {
      out.resize(end + raw_size_bytes);
      status = walk.read(state_->blocks, out.data() + end);
    } else {
      state_->decoded.resize(raw_size_bytes);
      status = walk.read(state_->blocks, state_->decoded.data());
      if (status) out.append(state_->decoded, offset, wanted);
    }
    if (!status) return undo(std::move(status).error());
    offset = 0;
    size_bytes -= wanted;
  } while (size_bytes > 0);
  return {};
}

Result<std::size_t> PayloadReader::read_into(PayloadNumber number, std::uint64_t offset,
                                             std::span<char> out) const {
  if (is_in_group(number)) {
    return GroupReader::of(transaction_).read(group_position(number), offset, out);
  }
  std::string bytes;
  TL_TRY(read(number, offset, out.size(), bytes));
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return bytes.size();
}

// ---------------------------------------------------------------------------------------- writing

namespace {

Result<bool> has_slice(const store::Transaction& transaction, PayloadNumber number,
                       std::uint64_t slice) {
  if (slice > kMaximumSliceNumber) return false;
  auto found = transaction.get(space_of(number), piece_key(slice_prefix(number, slice), 0));
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
      store::Cursor cursor = transaction.cursor(space_of(number));
      auto found = cursor.seek(piece_key(slice_prefix(number, 0), 0));
      if (!found && found.error().code != Code::corrupt) return std::move(found).error();
      if (!found || !*found || !belongs_to(cursor.key(), number)) return {};
      key = cursor.key();
    }
    TL_TRY(transaction.erase(space_of(number), key));
  }
}

}  // namespace

struct PayloadWriter::State {
  BlockWriter blocks;
  BlockReader short_slices;
  GroupWriter groups;

  Status take_back_short_slices(store::WriteTransaction& transaction, PayloadNumber number,
                                std::uint64_t& slice, Bytes bytes, std::string& joined);
  Status put_slices(store::WriteTransaction& transaction, PayloadNumber number, std::uint64_t slice,
                    Bytes bytes);
};

// Takes the last slices before `slice` off the payload and puts their bytes in front of `bytes`, in
// `joined`, which stays empty if there is none to take. Taken is what is less than twice as long as
// what follows it: so each slice that stays is at least twice as long as the next, until it is as
// long as can be. Damaged ones stay.
Status PayloadWriter::State::take_back_short_slices(store::WriteTransaction& transaction,
                                                    PayloadNumber number, std::uint64_t& slice,
                                                    Bytes bytes, std::string& joined) {
  const KeySpace space = space_of(number);
  for (std::size_t size_bytes = bytes.size(); slice > 0; --slice) {
    const std::string prefix = slice_prefix(number, slice - 1);
    const auto found = find_block(transaction, space, prefix);
    if (!found && found.error().code != Code::corrupt) return found.error();
    if (!found || !*found || (*found)->marked) return {};
    const Block& block = **found;
    if (block.raw_size_bytes >= 2 * size_bytes ||
        block.raw_size_bytes + size_bytes > kSliceSizeBytes) {
      return {};
    }
    std::string before(block.raw_size_bytes, '\0');
    Status read = short_slices.read(transaction, space, prefix, block, before.data());
    if (!read && read.error().code != Code::corrupt) return read;
    if (!read) return {};
    TL_TRY(erase_block(transaction, space, prefix));
    joined = before.append(joined.empty() ? bytes : Bytes(joined));
    size_bytes = joined.size();
  }
  return {};
}

// At least one slice, even of no bytes: then the payload exists.
Status PayloadWriter::State::put_slices(store::WriteTransaction& transaction, PayloadNumber number,
                                        std::uint64_t slice, Bytes bytes) {
  const KeySpace space = space_of(number);
  bool compressible = true;
  if (space == KeySpace::media) {
    // The middle tells more than the begin, where some formats have text.
    const std::size_t half = bytes.size() / 2;
    const Bytes middle = bytes.substr(half - std::min(half, kSampleSizeBytes / 2));
    TL_TRY_ASSIGN(pays, blocks.is_compressible(middle.substr(0, kSampleSizeBytes)));
    compressible = pays;
  }
  do {
    if (slice > kMaximumSliceNumber) {
      return make_error(Code::limit, "payload " + std::to_string(number) + " has too many parts");
    }
    const Bytes raw = bytes.substr(0, kSliceSizeBytes);
    bytes.remove_prefix(raw.size());
    const std::string prefix = slice_prefix(number, slice);
    TL_TRY(compressible ? blocks.put(transaction, space, prefix, raw, !bytes.empty())
                        : BlockWriter::put_raw(transaction, space, prefix, raw, !bytes.empty()));
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

Result<PayloadNumber> PayloadWriter::create_medium(store::WriteTransaction& transaction) {
  TL_TRY_ASSIGN(number, create(transaction));
  return number | kInMedia;
}

Status PayloadWriter::append(store::WriteTransaction& transaction, PayloadNumber number,
                             Bytes bytes) {
  if (!is_payload_number(number)) return no_payload(number);
  TL_TRY_ASSIGN(slice, next_slice(transaction, number));
  if (bytes.empty() && slice > 0) return {};
  std::string joined;
  if (!is_in_media(number)) {
    TL_TRY(state_->take_back_short_slices(transaction, number, slice, bytes, joined));
  }
  return state_->put_slices(transaction, number, slice, joined.empty() ? bytes : Bytes(joined));
}

Result<PayloadNumber> PayloadWriter::put(store::WriteTransaction& transaction, Bytes bytes) {
  TL_TRY_ASSIGN(number, create(transaction));
  TL_TRY(state_->put_slices(transaction, number, 0, bytes));
  return number;
}

Result<PayloadNumber> PayloadWriter::put(store::WriteTransaction& transaction, GroupNumber group,
                                         Bytes bytes) {
  TL_TRY_ASSIGN(number, state_->groups.put(transaction, group, bytes));
  if (number) return *number;
  return put(transaction, bytes);
}

Result<std::uint64_t> PayloadWriter::kept_size_bytes(store::WriteTransaction& transaction,
                                                     GroupNumber group) const {
  return state_->groups.kept_size_bytes(transaction, group);
}

Status PayloadWriter::flush(store::WriteTransaction& transaction) {
  return state_->groups.flush(transaction);
}

void PayloadWriter::forget() { state_->groups.forget(); }

Status PayloadWriter::erase(store::WriteTransaction& transaction, PayloadNumber number) {
  if (is_in_group(number)) return state_->groups.erase(transaction, group_position(number));
  if (!is_payload_number(number)) return {};
  // By key alone, so that damaged values go as well.
  for (std::uint64_t slice = 0; slice <= kMaximumSliceNumber; ++slice) {
    TL_TRY_ASSIGN(erased, erase_block(transaction, space_of(number), slice_prefix(number, slice)));
    if (!erased) break;
  }
  return erase_leftovers(transaction, number);
}

}  // namespace tracelite::payload
