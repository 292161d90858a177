// The window moves what is left to the front before it grows, so it is never larger than twice
// what the reader holds on to.
#include "exchange/json_stream.hpp"

#include <cstring>
#include <new>
#include <utility>

namespace tracelite::exchange {

Status StreamWindow::fill() {
  if (at_end_) return {};
  TL_TRY(make_room());
  const std::size_t room = capacity_ - end_;
  const std::int64_t count = read_(buffer_.get() + end_, room);
  if (count < 0) return make_error(Code::cancelled, "the read function stopped the import");
  if (static_cast<std::uint64_t>(count) > room) {
    return make_error(Code::misuse, "the read function gave more bytes than it was asked for");
  }
  at_end_ = count == 0;
  end_ += static_cast<std::size_t>(count);
  read_bytes_ += static_cast<std::uint64_t>(count);
  return {};
}

Status StreamWindow::make_room() {
  const std::size_t held = end_ - begin_;
  if (begin_ > 0 && held <= capacity_ / 2) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  } else if (end_ == capacity_) {
    const std::size_t capacity = capacity_ == 0 ? kFirstSizeBytes : capacity_ * 2;
    std::unique_ptr<char[]> larger(new (std::nothrow) char[capacity]);
    if (!larger) return make_error(Code::no_memory, "no memory for a line of the import");
    if (held > 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(larger);
    capacity_ = capacity;
  } else {
    return {};
  }
  begin_ = 0;
  end_ = held;
  return {};
}

}  // namespace tracelite::exchange
