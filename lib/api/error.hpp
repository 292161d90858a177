// How a Result becomes a tl_status: the message is kept for tl_error(), and no exception crosses.
#pragma once

#include <tracelite/tracelite.h>

#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "model/result.hpp"

namespace tracelite::api {

// Keeps the error for this thread's tl_error() and returns its code; TL_OK clears it.
tl_status report(const Status& status) noexcept;
tl_status report(const Error& error) noexcept;
tl_status report(Code code, const char* message) noexcept;
tl_status succeeded();

inline Error misuse(const char* what, const char* field = "") {
  return make_error(Code::misuse, what, field);
}
inline Error null_argument(const char* name) {
  return make_error(Code::misuse, std::string(name) + " must not be NULL", name);
}

// Runs the body of a C function. The body returns a Status.
template <class Body>
tl_status guarded(Body&& body) {
  try {
    return report(body());
  } catch (const std::bad_alloc&) {
    return report(Code::no_memory, "out of memory");
  } catch (const std::exception& error) {
    return report(Code::internal, error.what());
  } catch (...) {
    return report(Code::internal, "unexpected exception");
  }
}

// A struct of the caller's version: what is beyond its size reads as zero. False if struct_size is
// not set.
template <class Struct>
bool copy_in(const Struct* given, Struct& own) {
  own = Struct{};
  if (given->struct_size < sizeof(given->struct_size)) return false;
  const std::size_t size =
      given->struct_size < sizeof(Struct) ? given->struct_size : sizeof(Struct);
  std::memcpy(static_cast<void*>(&own), given, size);
  return true;
}

// A struct of the caller's version, whose struct_size is set, as ours: a copy only where the
// versions differ. NULL: nothing is set.
template <class Struct>
class Given {
 public:
  explicit Given(const Struct* given) : struct_(given) {
    if (given != nullptr && given->struct_size == sizeof(Struct)) return;
    struct_ = &own_.emplace();
    if (given != nullptr) copy_in(given, *own_);
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
  const Struct& operator*() const { return *struct_; }

 private:
  const Struct* struct_;
  std::optional<Struct> own_;
};

// Writes as much of our struct as the caller's version knows.
template <class Struct>
bool copy_out(Struct& own, Struct* given) {
  if (given->struct_size < sizeof(given->struct_size)) return false;
  own.struct_size = given->struct_size;
  const std::size_t size = own.struct_size < sizeof(Struct) ? own.struct_size : sizeof(Struct);
  std::memcpy(static_cast<void*>(given), &own, size);
  return true;
}

inline Error no_struct_size() {
  return make_error(Code::misuse, "struct_size must be set to the size of the struct",
                    "struct_size");
}

inline tl_text to_text(Bytes bytes) { return {bytes.data(), bytes.size()}; }
inline Bytes from_text(tl_text text) {
  return text.data == nullptr ? Bytes() : Bytes(text.data, text.size_bytes);
}

}  // namespace tracelite::api
