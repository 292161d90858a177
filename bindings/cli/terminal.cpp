#include "terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <system_error>
#include <utility>

#include "human_text.hpp"

namespace cli {
namespace {

constexpr std::size_t kBufferSizeBytes = std::size_t{64} << 10;
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

volatile std::sig_atomic_t noted_signal = 0;
void note(int signal) { noted_signal = signal; }

std::size_t terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const long given = columns == nullptr ? 0 : std::strtol(columns, nullptr, 10);
  return given > 0 ? static_cast<std::size_t>(given) : 80;
}

bool wants_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

const char* escape_code(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\033[1m";
    case Style::dim:
      return "\033[2m";
    case Style::red:
      return "\033[31m";
    case Style::green:
      return "\033[32m";
    case Style::yellow:
      return "\033[33m";
    case Style::blue:
      return "\033[34m";
    case Style::magenta:
      return "\033[35m";
    case Style::cyan:
      return "\033[36m";
  }
  return "";
}

}  // namespace

void note_signals() {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = note;  // without SA_RESTART, so that a waiting read returns
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

bool is_interrupted() { return noted_signal != 0; }

void stop_if_interrupted() {
  if (is_interrupted()) throw Interrupted{noted_signal};
}

void sleep_for(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  timespec left{};
  left.tv_sec = seconds.count();
  left.tv_nsec = (duration - seconds).count();
  while (!is_interrupted() && nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  stop_if_interrupted();
}

void end_by(const Interrupted& interrupted) {
  std::signal(interrupted.signal, SIG_DFL);
  std::raise(interrupted.signal);
  std::_Exit(128 + interrupted.signal);
}

// ---------------------------------------------------------------------------------------- output

Output::Output()
    : is_terminal_(isatty(STDOUT_FILENO) != 0),
      has_colours_(is_terminal_ && wants_colours()),
      width_(is_terminal_ ? terminal_width() : 0) {
  buffer_.reserve(kBufferSizeBytes);
}

void Output::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBufferSizeBytes) flush();
}

void Output::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    stop_if_interrupted();
    const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      buffer_.clear();
      throw Interrupted{SIGPIPE};
    } else if (errno != EINTR) {
      const int code = errno;
      buffer_.clear();
      throw std::system_error(code, std::generic_category(), "cannot write the output");
    }
  }
  buffer_.clear();
}

std::string Output::paint(Style style, std::string_view text) const {
  if (!has_colours_ || style == Style::plain || text.empty()) return std::string(text);
  return std::string(escape_code(style)) + std::string(text) + "\033[0m";
}

Line& Line::add(std::string_view text, Style style) {
  if (text.empty() || width_ >= width_max_) return *this;
  const std::string fitting = fit(text, width_max_ - width_);
  // A piece that was cut is the last one.
  width_ = fitting.size() == text.size() ? width_ + display_width(fitting) : width_max_;
  text_ += output_.paint(style, fitting);
  return *this;
}

Line& Line::pad_to(std::size_t column) {
  if (width_ < column) add(std::string(column - width_, ' '));
  return *this;
}

std::size_t Line::room() const { return width_max_ - width_; }

void Line::end() {
  while (!text_.empty() && text_.back() == ' ') text_.pop_back();
  output_.write(text_ + "\n");
  drop();
}

void Line::drop() {
  text_.clear();
  width_ = 0;
}

bool ask(const std::string& question) {
  const std::string text = question + " [y/N] ";
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text.data(), text.size());
  std::string answer;
  for (char letter = 0; letter != '\n';) {
    const ssize_t got = ::read(STDIN_FILENO, &letter, 1);
    stop_if_interrupted();
    if (got > 0) {
      answer += letter;
    } else if (got == 0 || errno != EINTR) {
      break;
    }
  }
  return answer.starts_with('y') || answer.starts_with('Y');
}

// -------------------------------------------------------------------------------------- progress

ProgressLine::ProgressLine(std::string what, std::string unit)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      is_terminal_(isatty(STDERR_FILENO) != 0),
      next_(std::chrono::steady_clock::now() + kProgressInterval) {}

void ProgressLine::show(std::uint64_t done, std::uint64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!is_terminal_ || now < next_) return;
  next_ = now + kProgressInterval;
  std::string line = "\r\033[K" + what_ + " ";
  line += unit_ == "bytes" ? format_size(done) : format_count(done) + " " + unit_;
  if (total > 0) line += " of " + (unit_ == "bytes" ? format_size(total) : format_count(total));
  if (total > 0 && done <= total) line += ", " + std::to_string(done * 100 / total) + " %";
  is_shown_ = ::write(STDERR_FILENO, line.data(), line.size()) > 0;
}

void ProgressLine::erase() {
  if (!std::exchange(is_shown_, false)) return;
  constexpr std::string_view kErase = "\r\033[K";
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, kErase.data(), kErase.size());
}

std::int32_t ProgressLine::callback(void* context, std::uint64_t done, std::uint64_t total) {
  auto& self = *static_cast<ProgressLine*>(context);
  self.show(done, total > 0 ? total : self.total_);
  return is_interrupted() ? 1 : 0;
}

}  // namespace cli
