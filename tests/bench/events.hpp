// The events that the benchmark works on: JSON Lines in memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

class Events {
 public:
  // The recorded conversations of this source, made by shared/corpus/make_events.py; a small
  // synthetic stream, and a note that says so, where there is no such corpus.
  static Events of_source(const std::string& source);
  static Events of_file(const std::string& path);

  // Of the source; "events" for those of a file, "synthetic" for what stands in for a source.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string_view text() const { return {bytes_.data(), size_bytes_}; }
  // Without their line feeds. There are at least kPaddingSizeBytes readable bytes after each.
  [[nodiscard]] const std::vector<std::string_view>& lines() const { return lines_; }
  static constexpr std::size_t kPaddingSizeBytes = 64;  // what simdjson may read too far

 private:
  Events(std::string name, std::string text);

  std::string name_;
  std::string bytes_;
  std::size_t size_bytes_ = 0;
  std::vector<std::string_view> lines_;
};

}  // namespace bench
