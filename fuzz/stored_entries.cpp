// Aims at: lib/payload/group_reader.cpp lib/payload/group_format.cpp lib/payload/payload_store.cpp
//   lib/payload/block.cpp lib/payload/segment_store.cpp lib/payload/media_store.cpp
//   lib/payload/group_check.cpp lib/record/runs.cpp lib/record/changes.cpp
//   lib/record/statistics.cpp
//
// Entries of a stranger's file, with sound checksums and whatever in them, read as readers do: an
// error or an answer. They are put in a write transaction that is dropped at the end.
//
// An input is a list of entries: where, how long, the bytes.

#include <array>
#include <map>
#include <memory>

#include "fuzz/input.hpp"
#include "payload/group_check.hpp"
#include "payload/group_format.hpp"
#include "payload/media_store.hpp"
#include "payload/payload_store.hpp"
#include "payload/segment_store.hpp"
#include "record/changes.hpp"
#include "record/runs.hpp"
#include "record/statistics.hpp"
#include "store/packed_space.hpp"
#include "store/sealed.hpp"

namespace tracelite::fuzz {
namespace {

using store::KeySpace;

constexpr payload::GroupNumber kGroup = 1;
constexpr payload::PayloadNumber kPayload = 2;
constexpr std::size_t kEntryCountMax = 16;

std::string number_key(std::uint64_t number, int size_bytes) {
  std::string key;
  append_big_endian(key, number, size_bytes);
  return key;
}

// A value that is refused is as good as none.
void put(store::WriteTransaction& transaction, KeySpace space, const std::string& key,
         Bytes value) {
  if (store::is_packed(space)) {
    must(store::PackedSpace::of(transaction, space).put(key, value));
  } else {
    must(transaction.put(space, key, value));
  }
}

void put_entry(store::WriteTransaction& transaction, Input& input) {
  const std::size_t kind = input.below(13);
  const std::uint8_t at = input.byte();
  const std::size_t size_bytes = input.number(2) % 2048;
  const Bytes value = input.take(size_bytes);
  switch (kind) {
    case 0:
      return put(transaction, KeySpace::frame, payload::head_key(kGroup), value);
    case 1:
    case 2:
      return put(transaction, KeySpace::frame,
                 payload::chunk_key(kGroup, kind == 1 ? at : std::uint64_t{at} * 256), value);
    case 3:
      return put(transaction, KeySpace::frame, payload::slots_key(kGroup, at % 2), value);
    case 4:
      return put(transaction, KeySpace::segment, number_key(at % 4, 8), value);
    case 5:
      return put(transaction, KeySpace::segment_bytes,
                 number_key(1 + at % 4, 6) + static_cast<char>(at / 64), value);
    case 6:
    case 7:
      return put(transaction, kind == 6 ? KeySpace::payload : KeySpace::media,
                 number_key(kPayload, 6) + number_key(at / 8 % 4, 4) + number_key(at % 8, 2),
                 value);
    case 8:
      return put(transaction, KeySpace::media, std::string(32, static_cast<char>(at % 2)), value);
    case 9:
      return put(transaction, KeySpace::meta,
                 std::string(store::kKeySpaceNames[static_cast<std::size_t>(KeySpace::directory)]),
                 value);
    case 10:
      return must(store::put_sealable(transaction, KeySpace::directory,
                                      number_key(at / 4 % 4, 4) + number_key(at % 4, 4), value));
    case 11:
      return put(transaction, KeySpace::meta,
                 at % 3 == 0   ? "changes"
                 : at % 3 == 1 ? "statistics"
                               : "counters",
                 value);
    default:
      return put(transaction, KeySpace::change, number_key(at, 8), value);
  }
}

void read_payload(const payload::PayloadReader& reader, payload::PayloadNumber number) {
  const auto size_bytes = reader.size_bytes(number);
  std::array<char, 5000> buffer{};
  for (const std::uint64_t offset : {0U, 1U, 300U, 4000U}) {
    const auto read = reader.read_into(number, offset, buffer);
    if (!read) continue;
    require(*read <= buffer.size(), "no more is read than there is room for");
    require(size_bytes && offset + *read <= std::max<std::uint64_t>(*size_bytes, offset),
            "no more is read than there is");
  }
  const auto all = reader.read_all(number);
  if (all) require(size_bytes && all->size() == *size_bytes, "a payload has its size");
}

void read_all(const store::Transaction& transaction) {
  const payload::PayloadReader reader(transaction);
  for (const std::uint64_t position : {0U, 1U, 17U, 255U, 256U}) {
    read_payload(reader, payload::payload_number({kGroup, position}));
  }
  read_payload(reader, kPayload);
  read_payload(reader, payload::kInMedia | kPayload);
  for (payload::SegmentNumber number = 1; number <= 4; ++number) {
    (void)payload::read_segment(transaction, number);
  }
  for (std::uint64_t hash = 0; hash < 4; ++hash) (void)payload::segment_use(transaction, hash);
  (void)payload::check_groups(transaction, {{kGroup, 1}}, [](Bytes, Bytes) {});
  for (const char byte : {'\0', '\1'}) {
    const auto medium = payload::find_medium(transaction, std::string(32, byte));
    if (medium && *medium) read_payload(reader, (*medium)->number);
  }

  const auto runs = record::read_runs(transaction, KeySpace::directory);
  if (runs) {
    std::vector<record::ContainerNumber> found;
    for (const std::uint32_t hash : {0U, 1U, 0x61616161U, 0x7fffffffU}) {
      (void)record::find_in_runs(transaction, KeySpace::directory, *runs, hash, found);
    }
  }
  (void)record::run_entry_count(transaction, KeySpace::directory);
  for (const std::uint64_t behind : {0U, 1U, 100U}) (void)record::read_changes(transaction, behind);
  (void)record::read_statistics(transaction);
  (void)record::read_counters(transaction);
}

// What writers do with what is there.
void write_on(store::WriteTransaction& transaction, payload::PayloadWriter& writer) {
  (void)record::add_changes(transaction, {{1, record::RecordKind::header, 0}});
  (void)record::add_run(transaction, KeySpace::directory, {{5, 1}});
  const auto number = writer.put(transaction, kGroup, std::string(3000, 'x'));
  if (number) {
    const auto read = payload::PayloadReader(transaction).read_all(*number);
    if (read) require(*read == std::string(3000, 'x'), "what is put comes back");
  }
  (void)writer.append(transaction, kPayload, "abc");
  (void)writer.flush(transaction);
  (void)writer.erase(transaction, payload::payload_number({kGroup, 0}));
  (void)writer.erase(transaction, kPayload);
  (void)writer.flush(transaction);
}

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite;
  using namespace tracelite::fuzz;
  static const Folder folder;
  static const auto environment = must(store::Environment::open(folder.file("entries.tl"), {}));
  Input input(as_bytes(data, size_bytes));
  const bool writes = input.below(2) != 0;
  payload::PayloadWriter writer;  // readers of the transaction look into it
  auto transaction = must(environment->begin_write());
  for (std::size_t i = 0; i < kEntryCountMax && !input.empty(); ++i) put_entry(transaction, input);
  read_all(transaction);
  if (writes) {
    write_on(transaction, writer);
    read_all(transaction);
  }
  return 0;
}
