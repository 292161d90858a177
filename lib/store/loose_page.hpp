// A page of a file that may be damaged: read by itself, and each of its entries looked at by
// itself.
//
// Knows LMDB's page layout. Must not know what lies in trees, nor where they begin.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/page_layout.hpp"

namespace tracelite::store {

// `bytes` must have all of it.
template <class T>
T value_at(Bytes bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

class LoosePage {
 public:
  struct Entry {
    Bytes key;
    std::uint16_t flags = 0;       // of a leaf: 0, kOverflowNode or kTreeNode
    std::uint64_t size_bytes = 0;  // of its value
    Bytes value;                   // if it lies here
    std::uint64_t page = 0;        // else the first page of its run; of a branch, the child
  };

  // `page` must outlive this.
  LoosePage(Bytes page, std::uint64_t number);
  [[nodiscard]] bool is_branch() const { return is_good_ && header_.flags == layout::kBranchPage; }
  [[nodiscard]] bool is_leaf() const { return is_good_ && header_.flags == layout::kLeafPage; }
  [[nodiscard]] std::size_t count() const { return count_; }
  // nullopt: it makes no sense.
  [[nodiscard]] std::optional<Entry> entry(std::size_t index) const;

 private:
  Bytes page_;
  layout::PageHeader header_{};
  std::size_t count_ = 0;
  bool is_good_ = false;
};

// Reads as much as there is of a page; false if that is not all of it. Errors: io.
Result<bool> read_loose_page(int descriptor, const std::string& path, std::uint32_t page_size,
                             std::uint64_t number, std::string& page);

}  // namespace tracelite::store
