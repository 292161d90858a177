// A stream of bytes as a growing window: what a reader of lines or of whole documents needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "model/bytes.hpp"
#include "model/result.hpp"

namespace tracelite::exchange {

class StreamWindow {
 public:
  using Read = std::function<std::int64_t(char* buffer, std::size_t capacity_bytes)>;

  explicit StreamWindow(const Read& read) : read_(read) {}

  // What was read and not yet dropped. Views into it end with fill().
  [[nodiscard]] Bytes bytes() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void drop(std::size_t size_bytes) { begin_ += size_bytes; }
  [[nodiscard]] bool at_end() const { return at_end_; }  // nothing more can be read
  [[nodiscard]] std::uint64_t read_bytes() const { return read_bytes_; }

  // Reads more behind what is there, once; at the end, nothing. Errors: cancelled, no_memory.
  Status fill();

 private:
  static constexpr std::size_t kFirstSizeBytes = std::size_t{256} << 10;

  Status make_room();

  const Read& read_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t read_bytes_ = 0;
  bool at_end_ = false;
};

}  // namespace tracelite::exchange
