// Base64 (RFC 4648 with padding), strict in one way only: text is accepted if encoding its bytes
// again gives the identical text. And the export form of bytes, {"$bytes":"<base64>"}.
#pragma once

#include <optional>
#include <string>

#include "model/bytes.hpp"

namespace tracelite::payload {

void append_base64(std::string& out, Bytes bytes);
std::optional<std::string> decode_base64(Bytes text);

void append_bytes_json(std::string& out, Bytes bytes);
// The bytes, if the text is an object whose single member "$bytes" holds canonical base64.
std::optional<std::string> bytes_from_json(Bytes checked_json);

}  // namespace tracelite::payload
