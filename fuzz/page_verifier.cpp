// Aims at: lib/store/page_verifier.cpp lib/store/page_tree.cpp lib/store/free_list.cpp
//   lib/store/file_header.cpp lib/store/format.cpp lib/store/damaged_file.cpp
//   lib/store/loose_page.cpp lib/store/page_salvage.cpp lib/maintain/record_mender.cpp
//   lib/maintain/salvage.cpp lib/index/schema_check.cpp lib/index/memory_image.cpp
//
// A whole file from a stranger. Opened as untrusted it is refused, or everything can be asked of it
// without a crash; and what is salvaged from it is sound. Where check finds nothing in the file,
// salvage brings out all of it.
//
// An input names a file of files/ (or is one itself, behind its first byte) and what is changed in
// it: bytes, fields of heads, pages, entries and trees, whole pages, its length. A value is changed
// together with its checksum, so that what reads it later is reached.

#include <zstd.h>

#include <array>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <vector>

#include "fuzz/input.hpp"
#include "store/environment.hpp"
#include "store/page_layout.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {
namespace {

namespace layout = store::layout;

// The first three are from before there were sums (store/content_sums.hpp), so that a value that is
// changed with its checksum is read.
constexpr std::array kBases = {"small.tl", "compacted.tl", "other_index.tl", "recorded.tl"};
constexpr std::size_t kBaseSizeBytesMax = std::size_t{1} << 20;
constexpr std::size_t kPageSize = 4096;
constexpr std::size_t kChangesMax = 24;

std::string read_base(const std::string& name) {
  std::ifstream in(std::string(TL_FUZZ_DIR "/files/") + name + ".zst", std::ios::binary);
  const std::string packed(std::istreambuf_iterator<char>(in), {});
  std::string content(kBaseSizeBytesMax, '\0');
  const std::size_t size =
      ZSTD_decompress(content.data(), content.size(), packed.data(), packed.size());
  require(ZSTD_isError(size) == 0 && size > 0, "a file of fuzz/files cannot be read");
  content.resize(size);
  return content;
}

// ------------------------------------------------------------------------------ the file

class File {
 public:
  explicit File(std::string content) : content_(std::move(content)) {}
  [[nodiscard]] const std::string& content() const { return content_; }

  void change(Input& input) {
    const std::size_t kind = input.below(9);
    const std::size_t page = page_count() == 0 ? 0 : input.number(2) % page_count();
    switch (kind) {
      case 0: {
        const std::size_t at = input.number(2) % kPageSize;
        return overwrite(page * kPageSize + at, input.take(1 + input.below(16)));
      }
      case 1:
        return content_.resize(input.below(2) == 0 ? page * kPageSize
                                                   : input.number(3) % (content_.size() + 1));
      case 2:
        return copy_page(page, input);
      case 3: {
        const std::size_t at = input.below(sizeof(layout::PageHeader));
        const std::size_t size_bytes = 1 + input.below(2);
        return set(page * kPageSize + at, input.number(size_bytes), 2);
      }
      case 4: {
        const std::size_t node = node_at(page, input.byte());
        const std::size_t at = input.below(16);
        return set(node + at, input.number(2), 2);
      }
      case 5: {  // where the entry is
        const std::size_t index = input.below(64);
        return set(page * kPageSize + sizeof(layout::PageHeader) + 2 * index, input.number(2), 2);
      }
      case 6: {
        const std::size_t head = input.below(2);
        const std::size_t at = input.below(sizeof(layout::Meta));
        const std::uint64_t value = input.number(2);
        return set(head * kPageSize + sizeof(layout::PageHeader) + at, value, 1 + input.below(8));
      }
      default:
        return change_value(page, input);
    }
  }

 private:
  [[nodiscard]] std::size_t page_count() const { return content_.size() / kPageSize; }

  void overwrite(std::size_t at, Bytes bytes) {
    for (std::size_t i = 0; i < bytes.size() && at + i < content_.size(); ++i) {
      content_[at + i] = bytes[i];
    }
  }
  void set(std::size_t at, std::uint64_t value, std::size_t size_bytes) {
    overwrite(at, {reinterpret_cast<const char*>(&value), std::min(size_bytes, sizeof value)});
  }
  void copy_page(std::size_t page, Input& input) {
    if (page_count() == 0) return;
    const std::size_t to = input.number(2) % page_count();
    const std::string bytes = content_.substr(page * kPageSize, kPageSize);
    overwrite(to * kPageSize, bytes);
    if (input.below(2) == 0) set(to * kPageSize, to, sizeof(std::uint64_t));
  }
  template <class T>
  [[nodiscard]] T at(std::size_t offset) const {
    T value{};
    if (offset + sizeof value <= content_.size()) {
      std::memcpy(&value, content_.data() + offset, sizeof value);
    }
    return value;
  }
  [[nodiscard]] std::size_t node_at(std::size_t page, std::size_t index) const {
    const auto header = at<layout::PageHeader>(page * kPageSize);
    const std::size_t count =
        header.lower < sizeof header ? 0 : (header.lower - sizeof header) / sizeof(std::uint16_t);
    if (count == 0) return page * kPageSize;
    return page * kPageSize +
           at<std::uint16_t>(page * kPageSize + sizeof header + 2 * (index % count));
  }
  // With the checksum that it then must have.
  void change_value(std::size_t page, Input& input) {
    const std::size_t start = node_at(page, input.byte());
    const auto node = at<layout::Node>(start);
    const std::size_t key_at = start + sizeof node;
    std::size_t value_at = key_at + node.key_size_bytes;
    const std::size_t size = layout::value_size_of(node);
    if (node.flags == layout::kOverflowNode) {
      value_at =
          at<std::uint64_t>(value_at) % (page_count() + 1) * kPageSize + sizeof(layout::PageHeader);
    }
    if (size < store::kChecksumSizeBytes || value_at > content_.size() ||
        size > content_.size() - value_at || key_at > value_at) {
      return;
    }
    const std::size_t body = size - store::kChecksumSizeBytes;
    const std::string key = content_.substr(key_at, node.key_size_bytes);
    const auto sum_of = [&](std::size_t space) {
      return store::checksum(static_cast<store::KeySpace>(space), key,
                             Bytes(content_).substr(value_at, body));
    };
    std::size_t space = 0;
    while (space < store::kKeySpaceCount && sum_of(space) != at<std::uint64_t>(value_at + body)) {
      ++space;
    }
    if (space == store::kKeySpaceCount || body == 0) return;
    const std::size_t offset = input.number(2) % body;
    const Bytes bytes = input.take(1 + input.below(16));
    overwrite(value_at + offset, bytes.substr(0, body - offset));
    set(value_at + body, sum_of(space), sizeof(std::uint64_t));
  }

  std::string content_;
};

// ------------------------------------------------------------------------------ what must hold

using Lines = std::multiset<std::string>;

std::int32_t write_some(void* context, const void* data, std::size_t size) {
  static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
  return 0;
}

// False where a call failed, which it may.
bool is_good(tl_status status) {
  if (status == TL_INTERNAL || status == TL_MISUSE) {
    fail(std::string("unexpected ") + tl_status_name(status) + ": " + tl_error()->message);
  }
  return status == TL_OK;
}

struct CloseStore {
  void operator()(tl_store* store) const { tl_close(store, UINT32_MAX, nullptr); }
};
using Store = std::unique_ptr<tl_store, CloseStore>;

bool read_rows(tl_cursor* cursor) {
  const std::unique_ptr<tl_cursor, decltype(&tl_cursor_close)> owned(cursor, tl_cursor_close);
  std::array<char, 512> buffer{};
  for (;;) {
    tl_row row{};
    row.struct_size = sizeof row;
    const tl_status status = tl_next(cursor, &row);
    if (status != TL_OK) return status == TL_DONE || is_good(status);
    std::size_t size = 0;
    if (row.kind != TL_KIND_OBSERVATION) continue;
    for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_METADATA}) {
      is_good(
          tl_payload_read(cursor, field, TL_READ_AS_GIVEN, 0, buffer.data(), buffer.size(), &size));
    }
  }
}

// True if check found nothing and all could be read.
bool read_all(tl_store* store, Lines& lines) {
  bool good = true;
  for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE, TL_KIND_SESSION,
                             TL_KIND_USER, TL_KIND_NAME, TL_KIND_DAY}) {
    tl_cursor* cursor = nullptr;
    good &= is_good(tl_list(store, nullptr, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor)) &&
            read_rows(cursor);
  }
  for (const char* id : {"t0", "t1", "t2", "stray"}) {
    tl_cursor* cursor = nullptr;
    const tl_status status = tl_tree(store, nullptr, tl_str(id), &cursor);
    if (status != TL_NOT_FOUND) good &= is_good(status) && read_rows(cursor);
  }
  std::string all;
  good &= is_good(
      tl_export(store, nullptr, nullptr, TL_FORMAT_LANGFUSE, write_some, &all, nullptr, nullptr));
  std::istringstream in(all);
  for (std::string line; std::getline(in, line);) lines.insert(line);
  return is_good(tl_check(store, nullptr, nullptr, nullptr, nullptr)) && good;
}

bool open_untrusted(const std::string& path, Lines& lines) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.flags = TL_OPEN_UNTRUSTED;
  options.read_only = 1;
  tl_store* opened = nullptr;
  if (!is_good(tl_open(path.c_str(), &options, &opened))) return false;
  const Store store(opened);
  return read_all(opened, lines);
}

void tell(void* context, tl_text where, tl_text message) {
  auto& text = *static_cast<std::string*>(context);
  text.append(where.data, where.size_bytes).append(": ");
  text.append(message.data, message.size_bytes).append("\n");
}

void salvage(const std::string& path, const std::string& made, const Lines* expected) {
  tl_salvage_report report{};
  report.struct_size = sizeof report;
  std::string told;
  const tl_status status =
      tl_salvage(path.c_str(), made.c_str(), tell, &told, nullptr, nullptr, &report);
  if (status == TL_CORRUPT) fail(std::string("salvage gave up: ") + tl_error()->message);
  if (!is_good(status)) {
    require(expected == nullptr, "salvage refused a sound file");
    return;
  }
  tl_options options{};
  options.struct_size = sizeof options;
  tl_store* opened = nullptr;
  require(tl_open(made.c_str(), &options, &opened) == TL_OK, "what was salvaged does not open");
  const Store store(opened);
  std::string findings;
  if (tl_check(opened, tell, &findings, nullptr, nullptr) != TL_OK) {
    fail("what was salvaged is not sound: " + findings + "salvage said: " + told);
  }
  Lines lines;
  const bool sound = read_all(opened, lines);
  require(sound, "what was salvaged cannot be read");
  if (expected != nullptr && lines != *expected) fail("salvage of a sound file differs: " + told);
}

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  static const Folder folder;
  static const std::vector<std::string> bases = [] {
    std::vector<std::string> contents;
    for (const char* name : kBases) contents.push_back(read_base(name));
    return contents;
  }();
  Input input(as_bytes(data, size_bytes));
  const std::size_t base = input.below(bases.size() + 1);
  File file(base < bases.size() ? bases[base] : std::string(input.rest()));
  for (std::size_t i = 0; base < bases.size() && i < kChangesMax && !input.empty(); ++i) {
    file.change(input);
  }
  const std::string path = folder.file("a.tl");
  const std::string made = folder.file("b.tl");
  const auto write = [&] {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << file.content();
  };
  write();
  Lines lines;
  const bool sound = open_untrusted(path, lines);
  write();
  salvage(path, made, sound ? &lines : nullptr);
  unlink(made.c_str());
  unlink(path.c_str());
  return 0;
}
