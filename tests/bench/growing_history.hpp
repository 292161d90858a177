// One session of model calls that each send all messages so far, as events; in the ways in which
// real histories fail to be an exact repetition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

enum class Growth : std::uint8_t {
  plain,          // two messages more with each call
  cache_control,  // a marker moves to the last message with each call
  compacted,      // half way, a summary takes the place of all messages so far
  growing_first,  // the first message grows in place with each call
  escaped,        // the messages are JSON inside of a JSON string
};
inline constexpr Growth kGrowths[] = {Growth::plain, Growth::cache_control, Growth::compacted,
                                      Growth::growing_first, Growth::escaped};
std::string_view name_of(Growth growth);

class GrowingHistory {
 public:
  GrowingHistory(Growth growth, std::uint32_t call_count);

  // For tl_import: the lines of the events, one call after the other.
  std::size_t read(char* buffer, std::size_t capacity_bytes);

  [[nodiscard]] std::uint64_t raw_size_bytes() const { return raw_size_bytes_; }
  // Of the texts that are in no earlier event.
  [[nodiscard]] std::uint64_t new_text_size_bytes() const { return new_text_size_bytes_; }

 private:
  void make_call();
  [[nodiscard]] std::string input(const std::string& question) const;
  void append(std::string& history, std::string_view role, const std::string& text) const;
  [[nodiscard]] std::string message(std::string_view role, const std::string& text,
                                    bool is_marked = false) const;
  std::string new_text(std::size_t word_count_min, std::size_t word_count_max);

  const Growth growth_;
  const std::uint32_t call_count_;
  std::mt19937_64 random_;
  std::vector<std::string> words_;
  std::string first_text_;  // of the system's message
  std::string history_;     // the messages behind it, each with a comma in front
  std::string lines_;       // of the call that is being read
  std::size_t read_bytes_ = 0;
  std::uint32_t made_count_ = 0;
  std::uint64_t raw_size_bytes_ = 0;
  std::uint64_t new_text_size_bytes_ = 0;
};

}  // namespace bench
