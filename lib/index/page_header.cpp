#include "index/page_header.hpp"

#include <string_view>

#include "index/page_file.hpp"
#include "index/schema.hpp"
#include "store/sealed.hpp"

namespace tracelite::index {
namespace {

using namespace std::string_view_literals;

constexpr Bytes kMagic = "SQLite format 3\0"sv;

Status check_version(Bytes page, const store::Transaction& transaction) {
  const std::uint32_t version = field_at(page, kUserVersionOffset);
  if (version == kSchemaVersion) return {};
  const std::string path = transaction.environment()->path();
  return make_error(Code::unsupported,
                    "the index of " + path + " was made by another version of tracelite (index " +
                        std::to_string(version) + ", this one has index " +
                        std::to_string(kSchemaVersion) +
                        "); open it once for writing, or run `tracelite reindex " + path + "`");
}

}  // namespace

Status check_header(Bytes page, const store::Transaction& transaction, std::uint64_t unsealed_count,
                    bool has_sealed) {
  if (page.substr(0, kMagic.size()) != kMagic) {
    return damaged_index("its first page is no database");
  }
  const auto page_size = read_big_endian(page.substr(kPageSizeOffset, 2));
  const auto reserved = static_cast<unsigned char>(page[kReservedOffset]);
  if (page_size != kPageSizeBytes || reserved != kReservedSizeBytes) {
    return make_error(Code::other_geometry, "the index has pages of " + std::to_string(page_size) +
                                                " bytes with " + std::to_string(reserved) +
                                                " reserved, not 4096 with 32; reindex");
  }
  if (page.substr(kFormatsOffset, 2) != "\x01\x01"sv) return damaged_index("it is in WAL mode");
  TL_TRY(check_version(page, transaction));
  const std::uint32_t page_count = field_at(page, kPageCountOffset);
  // What is sealed need not be pages: all of these may have been written since.
  if (has_sealed ? unsealed_count > page_count : unsealed_count != page_count) {
    return damaged_index(std::to_string(unsealed_count) + " pages where its header says " +
                         std::to_string(page_count));
  }
  return {};
}

Status check_schema_version(const store::Transaction& transaction) {
  const auto page = store::get_sealable(transaction, store::KeySpace::page, field(1));
  if (!page || !*page || (*page)->size() != kStoredPageSizeBytes) return {};
  return check_version(**page, transaction);
}

std::uint64_t free_page_count(const store::Transaction& transaction) {
  const auto page = store::get_sealable(transaction, store::KeySpace::page, field(1));
  if (!page || !*page || (*page)->size() != kStoredPageSizeBytes) return 0;
  return field_at(**page, kFreePageCountOffset);
}

}  // namespace tracelite::index
