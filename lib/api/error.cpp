// tl_error, and the names of codes.
#include "api/error.hpp"

#include <algorithm>
#include <cstring>

#include "model/bytes.hpp"
#include "model/field.hpp"
#include "model/limits.hpp"

namespace tracelite::api {
namespace {

// Of fixed size: where memory is short, neither keeping an error nor making room for the first one
// of a thread may fail. A message has room for the longest path and what is said of it.
struct LastError {
  char field[model::kErrorFieldSizeBytesMax + 1];
  char message[model::kErrorMessageSizeBytesMax + 1];
  tl_error_info info;
};

constexpr tl_error_info kNoError = {TL_OK, 0, "", ""};
// Most calls succeed after others that did: they look at nothing else.
constinit thread_local bool thread_has_error = false;
constinit thread_local LastError last_error = {};

// As much of a text as there is room for, cut between characters.
template <std::size_t kSize>
void keep(Bytes text, char (&room)[kSize]) {
  std::size_t size = std::min(text.size(), kSize - 1);
  const auto is_inside_character = [](char byte) { return (byte & 0xc0) == 0x80; };
  while (size < text.size() && size > 0 && is_inside_character(text[size])) --size;
  if (size > 0) std::memcpy(room, text.data(), size);
  room[size] = '\0';
}

constexpr const char* kStatusNames[] = {"TL_OK",           "TL_DONE",           "TL_MISUSE",
                                        "TL_INVALID",      "TL_NOT_FOUND",      "TL_NOT_TRACELITE",
                                        "TL_NEWER_FORMAT", "TL_OTHER_GEOMETRY", "TL_CORRUPT",
                                        "TL_IO",           "TL_DISK_FULL",      "TL_PERMISSION",
                                        "TL_READ_ONLY",    "TL_NO_MEMORY",      "TL_QUEUE_FULL",
                                        "TL_TIMEOUT",      "TL_BUSY",           "TL_FORKED",
                                        "TL_CANCELLED",    "TL_UNSUPPORTED",    "TL_LIMIT",
                                        "TL_INTERNAL",     "TL_EXPIRED"};

static_assert(static_cast<tl_status>(Code::ok) == TL_OK);
static_assert(static_cast<tl_status>(Code::done) == TL_DONE);
static_assert(static_cast<tl_status>(Code::misuse) == TL_MISUSE);
static_assert(static_cast<tl_status>(Code::invalid) == TL_INVALID);
static_assert(static_cast<tl_status>(Code::not_found) == TL_NOT_FOUND);
static_assert(static_cast<tl_status>(Code::not_tracelite) == TL_NOT_TRACELITE);
static_assert(static_cast<tl_status>(Code::newer_format) == TL_NEWER_FORMAT);
static_assert(static_cast<tl_status>(Code::other_geometry) == TL_OTHER_GEOMETRY);
static_assert(static_cast<tl_status>(Code::corrupt) == TL_CORRUPT);
static_assert(static_cast<tl_status>(Code::io) == TL_IO);
static_assert(static_cast<tl_status>(Code::disk_full) == TL_DISK_FULL);
static_assert(static_cast<tl_status>(Code::permission) == TL_PERMISSION);
static_assert(static_cast<tl_status>(Code::read_only) == TL_READ_ONLY);
static_assert(static_cast<tl_status>(Code::no_memory) == TL_NO_MEMORY);
static_assert(static_cast<tl_status>(Code::queue_full) == TL_QUEUE_FULL);
static_assert(static_cast<tl_status>(Code::timeout) == TL_TIMEOUT);
static_assert(static_cast<tl_status>(Code::busy) == TL_BUSY);
static_assert(static_cast<tl_status>(Code::forked) == TL_FORKED);
static_assert(static_cast<tl_status>(Code::cancelled) == TL_CANCELLED);
static_assert(static_cast<tl_status>(Code::unsupported) == TL_UNSUPPORTED);
static_assert(static_cast<tl_status>(Code::limit) == TL_LIMIT);
static_assert(static_cast<tl_status>(Code::internal) == TL_INTERNAL);
static_assert(static_cast<tl_status>(Code::expired) == TL_EXPIRED);
static_assert(model::kReasonCount == TL_REASON_COUNT);

}  // namespace

tl_status succeeded() {
  if (thread_has_error) thread_has_error = false;
  return TL_OK;
}

tl_status report(Code code, const char* message) noexcept {
  keep({}, last_error.field);
  keep(message, last_error.message);
  last_error.info = {static_cast<tl_status>(code), 0, last_error.field, last_error.message};
  thread_has_error = true;
  return last_error.info.status;
}

tl_status report(const Error& error) noexcept {
  report(error.code, "");
  keep(error.field, last_error.field);
  keep(error.message, last_error.message);
  last_error.info.engine_code = error.engine_code;
  return last_error.info.status;
}

tl_status report(const Status& status) noexcept {
  return status ? succeeded() : report(status.error());
}

}  // namespace tracelite::api

const tl_error_info* tl_error(void) {
  namespace api = tracelite::api;
  return api::thread_has_error ? &api::last_error.info : &api::kNoError;
}

const char* tl_status_name(tl_status status) {
  using tracelite::api::kStatusNames;
  if (status < 0 || static_cast<std::size_t>(status) >= std::size(kStatusNames)) return nullptr;
  return kStatusNames[status];
}

const char* tl_reason_name(tl_reason reason) {
  if (reason < 0 || reason >= TL_REASON_COUNT) return nullptr;
  return tracelite::model::kReasonNames[reason].data();
}

const char* tl_version(void) {
#define TL_TEXT_INNER(x) #x
#define TL_TEXT(x) TL_TEXT_INNER(x)
  return TL_TEXT(TL_VERSION_MAJOR) "." TL_TEXT(TL_VERSION_MINOR) "." TL_TEXT(TL_VERSION_PATCH);
#undef TL_TEXT
#undef TL_TEXT_INNER
}
