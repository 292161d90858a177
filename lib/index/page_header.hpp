// The header of a database on page 1, as SQLite's file format lays it out.
//
// Internal to index/.
#pragma once

#include <cstdint>
#include <string>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::index {

inline constexpr std::size_t kPageSizeOffset = 16;
inline constexpr std::size_t kFormatsOffset = 18;  // write and read version: 1 each, 2 is WAL
inline constexpr std::size_t kReservedOffset = 20;
inline constexpr std::size_t kCounterOffset = 24;
inline constexpr std::size_t kPageCountOffset = 28;
inline constexpr std::size_t kFreePageCountOffset = 36;
inline constexpr std::size_t kUserVersionOffset = 60;
inline constexpr std::size_t kValidForOffset = 92;
inline constexpr std::size_t kFieldSizeBytes = 4;

inline std::string field(std::uint32_t value) {
  std::string bytes;
  append_big_endian(bytes, value);
  return bytes;
}
inline std::uint32_t field_at(Bytes page, std::size_t offset) {
  return static_cast<std::uint32_t>(read_big_endian(page.substr(offset, kFieldSizeBytes)));
}

inline Error damaged_index(std::string what) {
  return make_error(Code::corrupt, "the index is damaged (" + std::move(what) + "); reindex");
}

// Of the page 1 that a transaction sees, beside so many pages that are not sealed. Errors: those of
// PageFile::attach.
Status check_header(Bytes page, const store::Transaction& transaction, std::uint64_t unsealed_count,
                    bool has_sealed);

}  // namespace tracelite::index
