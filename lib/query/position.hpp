// Where a list stands: the keys of its last row as printable text, bound to the question it
// answers.
//
// Format (base64url without padding): version (1 byte), fingerprint of kind, filter and order
// (8 bytes big-endian), then each value: its type (1 byte) and a zigzag varint, or a size and
// bytes.
#pragma once

#include <string>
#include <vector>

#include "model/result.hpp"
#include "query/query.hpp"
#include "query/statement.hpp"

namespace tracelite::query {

std::uint64_t fingerprint(Kind kind, const Filter& filter, ListOrder order);

std::string encode_position(std::uint64_t fingerprint, const std::vector<Value>& values);
// Errors: invalid, if it is no position, or one of another list.
Result<std::vector<Value>> decode_position(Bytes text, std::uint64_t fingerprint,
                                           std::size_t value_count);

}  // namespace tracelite::query
