// Verifies the checksum of a stored value that comes in pieces, so that a long one need not be in
// memory (checksum.cpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "store/environment.hpp"

namespace tracelite::store {

class ValueChecker {
 public:
  // `stored_size_bytes` is the value's size with its checksum; the key must outlive this.
  ValueChecker(KeySpace space, Bytes key, std::uint64_t stored_size_bytes);
  ~ValueChecker();
  ValueChecker(const ValueChecker&) = delete;
  ValueChecker& operator=(const ValueChecker&) = delete;

  void add(Bytes piece);
  // Once every piece has been added; nullopt if it does not match.
  [[nodiscard]] std::optional<std::uint64_t> matching_checksum() const;

 private:
  struct Hash;

  KeySpace space_;
  Bytes key_;
  std::uint64_t value_left_bytes_ = 0;
  bool is_too_short_ = false;
  std::unique_ptr<Hash> hash_;  // of a value that came in several pieces
  std::uint64_t sum_ = 0;       // of one that came at once
  std::string stored_sum_;
};

}  // namespace tracelite::store
