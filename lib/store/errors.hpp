// Turns LMDB's and the operating system's error numbers into ours, so that every file of this room
// says the same thing about the same failure.
#pragma once

#include <string>
#include <string_view>

#include "model/result.hpp"

namespace tracelite::store {

// `code` is what an LMDB function returned: one of LMDB's own (negative) codes or an errno value.
// The message reads "cannot <doing> <path>: <reason>".
Error engine_error(int code, std::string_view doing, const std::string& path);

// The same for an errno value of a call of our own.
Error system_error(int error_number, std::string_view doing, const std::string& path);

// Bytes as hexadecimal digits for a message, cut off where they get too long to read.
std::string hexadecimal(std::string_view bytes);

}  // namespace tracelite::store
