// How every room reports failure: values, never exceptions.
//
// A Result<T> holds a T or an Error; a Status is a Result without a value. The codes are those of
// the C API (include/tracelite/tracelite.h), so that an error crosses the API unchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace tracelite {

// The fixed values of tl_status. api/error.cpp asserts that they agree with the C header.
enum class Code : std::int32_t {
  ok = 0,
  done = 1,            // a cursor has no further row
  misuse = 2,          // NULL, closed or foreign handle; call from the wrong place
  invalid = 3,         // an argument or input field has a value that the model refuses
  not_found = 4,       // no such file, trace, observation, session, ...
  not_tracelite = 5,   // the file is not a tracelite file
  newer_format = 6,    // the file was written by a newer format version
  other_geometry = 7,  // the file has another page size than this machine can use
  corrupt = 8,         // a checksum, a structure or an index row is wrong
  io = 9,              // the operating system refused a read, write, sync or lock
  disk_full = 10,      // no room on the disk, or the address space for the file is used up
  permission = 11,     // the file or its folder may not be read or written
  read_only = 12,      // a write on a store opened read-only
  no_memory = 13,
  queue_full = 14,   // the recording queue is full and the policy is to drop
  timeout = 15,      // the time given ran out; the work goes on
  busy = 16,         // somebody holds what is needed; try again
  forked = 17,       // the handle belongs to the parent of this process; open again
  cancelled = 18,    // a progress or write callback asked to stop
  unsupported = 19,  // this platform, file system or build cannot do it
  limit = 20,        // a named limit of the model or the file would be passed
  internal = 21,     // a bug in tracelite
  expired = 22,      // what is asked for was there and has made room; begin anew
};

struct Error {
  Code code = Code::internal;
  int engine_code = 0;  // errno, or LMDB's, SQLite's or zstd's own code; 0 if none
  std::string field;    // the argument or input field at fault; empty if none
  std::string message;  // one sentence: what is wrong, and what to do about it
};

inline Error make_error(Code code, std::string message, std::string field = {},
                        int engine_code = 0) {
  return Error{code, engine_code, std::move(field), std::move(message)};
}

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const { return held_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(held_); }
  const T& value() const& { return std::get<0>(held_); }
  T&& value() && { return std::get<0>(std::move(held_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & { return std::get<1>(held_); }
  const Error& error() const& { return std::get<1>(held_); }
  Error&& error() && { return std::get<1>(std::move(held_)); }

 private:
  std::variant<T, Error> held_;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

// Returns the error of a failed Status or Result to the caller.
#define TL_TRY(expression)                             \
  do {                                                 \
    if (auto tl_status_ = (expression); !tl_status_) { \
      return std::move(tl_status_).error();            \
    }                                                  \
  } while (false)

#define TL_CONCAT_INNER(a, b) a##b
#define TL_CONCAT(a, b) TL_CONCAT_INNER(a, b)

// Declares `name` with the value of a Result, or returns its error.
#define TL_TRY_ASSIGN(name, expression) \
  TL_TRY_ASSIGN_INNER(TL_CONCAT(tl_result_, __LINE__), name, expression)
#define TL_TRY_ASSIGN_INNER(temporary, name, expression) \
  auto temporary = (expression);                         \
  if (!temporary) return std::move(temporary).error();   \
  auto name = std::move(temporary).value()

}  // namespace tracelite
