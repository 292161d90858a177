// Where the program writes: standard output with its width and colours, progress on standard
// error, and how both end early (a closed pipe, Ctrl-C).
//
// Knows the operating system. Must not know what is shown.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace cli {

// Thrown to leave quietly by a signal: SIGINT, SIGTERM, or SIGPIPE where the reader has gone.
struct Interrupted {
  int signal;
};

// From now on SIGINT and SIGTERM are noted instead of ending the program, so that files are closed
// properly. Called first thing, before there is any other thread.
void note_signals();
// Throws Interrupted if a signal was noted.
void stop_if_interrupted();
[[nodiscard]] bool is_interrupted();
// Sleeps that long, or until a signal; throws Interrupted then.
void sleep_for(std::chrono::nanoseconds duration);
// Ends the program the way that the signal would have ended it.
[[noreturn]] void end_by(const Interrupted& interrupted);

// Asks on the terminal; true if the answer begins with y.
bool ask(const std::string& question);

enum class Style : std::uint8_t { plain, bold, dim, red, green, yellow, blue, magenta, cyan };

// Standard output, buffered. Errors are thrown: Interrupted for a closed pipe, else
// std::system_error.
class Output {
 public:
  Output();
  ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text);
  void flush();
  // Forgets what was not flushed.
  void drop() { buffer_.clear(); }
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }
  // In columns; 0: no limit, because it is not a terminal.
  [[nodiscard]] std::size_t width() const { return width_; }
  // The same for lines that are always cut: some width even where there is no limit.
  [[nodiscard]] std::size_t line_width() const { return width_ > 0 ? width_ : 120; }
  // The text in that style, where there are colours.
  [[nodiscard]] std::string paint(Style style, std::string_view text) const;

 private:
  std::string buffer_;
  bool is_terminal_;
  bool has_colours_;
  std::size_t width_;
};

// A line of pieces in different styles that is cut with … where the width ends. Texts must be
// printable() already.
class Line {
 public:
  Line(Output& output, std::size_t width) : output_(output), width_max_(width) {}
  Line& add(std::string_view text, Style style = Style::plain);
  // Spaces up to this column, or nothing where the line is longer.
  Line& pad_to(std::size_t column);
  // Columns that are left; never less than 0.
  [[nodiscard]] std::size_t room() const;
  void end();
  // Forgets what was added.
  void drop();

 private:
  Output& output_;
  std::size_t width_max_;
  std::size_t width_ = 0;
  std::string text_;
};

// One line on standard error that shows how far long work has come, where that is a terminal.
class ProgressLine {
 public:
  // what: "importing"; unit: "bytes" shows sizes, anything else is written after the number.
  ProgressLine(std::string what, std::string unit);
  ~ProgressLine() { erase(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void set_total(std::uint64_t total) { total_ = total; }
  void erase();
  // A tl_progress_fn, with a ProgressLine as its context: shows it, and cancels after a signal.
  static std::int32_t callback(void* context, std::uint64_t done, std::uint64_t total);

 private:
  void show(std::uint64_t done, std::uint64_t total);
  std::string what_;
  std::string unit_;
  std::uint64_t total_ = 0;
  bool is_terminal_;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace cli
