// From the stream to events: lines or one document, then batches, then events one by one.
#include "exchange/langfuse_import.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "exchange/json_stream.hpp"
#include "exchange/langfuse_event.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::exchange {
namespace {

using payload::JsonError;

constexpr Bytes kByteOrderMark = "\xef\xbb\xbf";
// While a document is gathered, it is checked again whenever it has doubled; below this, whenever
// there is more of it.
constexpr std::size_t kCheckAlwaysBytes = std::size_t{64} << 10;
constexpr std::uint64_t kProgressEvents = 1024;

bool is_blank(Bytes text) { return trim_json_space(text).empty(); }

// Where the element at the start of an array's text ends. What is no event in any case ends where
// an event may begin; only between two commas is nothing.
std::size_t broken_element_size(Bytes text) {
  if (text.starts_with('{') || text.starts_with('[') || text.starts_with('"')) {
    return payload::skim_value(text).value_or(text.size());
  }
  return std::min(text.find_first_of("{[],\""), text.size());
}

// What is in one line or document, as events with their outcomes.
class EventTaker {
 public:
  EventTaker(const EventSink& sink, const OutcomeFunction& outcome,
             std::function<Status()> progress, ImportReport& report)
      : sink_(sink), outcome_(outcome), progress_(std::move(progress)), report_(report) {}

  // `text` is a line or a document that starts in `line`, with what check_json said of it.
  Status take(Bytes text, std::uint64_t line, const std::optional<JsonError>& error);
  void take_failure(std::uint64_t line, Bytes event_id, const Error& error);

 private:
  Status take_elements(Bytes array);
  Status take_envelope(Envelope& envelope);
  Status take_broken(Bytes text, const JsonError& error);
  Status take_broken_elements(Bytes array, const JsonError& error);
  // Of one element that may be broken; sets `broken` if it is.
  Status take_unchecked(Bytes text, bool& broken);
  Status take_object(Bytes checked);
  void move_to(const char* place);  // counts the lines up to there
  void fail(Bytes event_id, const Error& error) { take_failure(line_, event_id, error); }
  Status succeed(ParsedEvent&& parsed);
  void tell(const Outcome& outcome) const {
    if (outcome_) outcome_(outcome);
  }

  const EventSink& sink_;
  const OutcomeFunction& outcome_;
  std::function<Status()> progress_;
  ImportReport& report_;
  std::uint64_t line_ = 0;
  Bytes unread_;  // where the line number was counted to, and on
};

Status EventTaker::take(Bytes text, std::uint64_t line, const std::optional<JsonError>& error) {
  line_ = line;
  text = trim_json_space(text);
  unread_ = text;
  if (error) return take_broken(text, *error);
  if (text.starts_with('[')) return take_elements(text);
  if (!text.starts_with('{')) {
    take_failure(line_, {},
                 make_error(Code::invalid,
                            "an event is a JSON object, not " + std::string(type_name(text))));
    return {};
  }
  Envelope envelope = read_envelope(text);
  if (is_absent(envelope.type) && !is_absent(envelope.batch)) {
    if (envelope.batch.starts_with('[')) return take_elements(envelope.batch);
    take_failure(
        line_, {},
        make_error(Code::invalid,
                   "a batch is an array of events, not " + std::string(type_name(envelope.batch)),
                   "batch"));
    return {};
  }
  return take_envelope(envelope);
}

Status EventTaker::take_elements(Bytes array) {
  for (payload::JsonWalker walker(array); walker.next();) {
    move_to(walker.value().data());
    TL_TRY(take_object(walker.value()));
  }
  return {};
}

Status EventTaker::take_object(Bytes checked) {
  if (!checked.starts_with('{')) {
    fail({}, make_error(Code::invalid,
                        "an event is a JSON object, not " + std::string(type_name(checked))));
    return {};
  }
  Envelope envelope = read_envelope(checked);
  return take_envelope(envelope);
}

Status EventTaker::take_envelope(Envelope& envelope) {
  std::string event_id;
  Result<ParsedEvent> parsed = parse_event(envelope, event_id);
  if (parsed) return succeed(std::move(*parsed));
  fail(event_id, parsed.error());
  return {};
}

// A broken batch or array: each of its elements succeeds or fails by itself.
Status EventTaker::take_broken(Bytes text, const JsonError& error) {
  if (text.starts_with('[')) return take_broken_elements(text, error);
  for (MemberReader reader(text); reader.next();) {
    if (reader.key() == "batch" && reader.rest().starts_with('[')) {
      return take_broken_elements(reader.rest(), error);
    }
    if (!reader.take_value()) break;
  }
  fail(find_event_id(text), json_error(error));
  return {};
}

Status EventTaker::take_broken_elements(Bytes array, const JsonError& error) {
  bool any_broken = false;
  Bytes rest = trim_json_space(array.substr(1));
  while (!rest.empty() && !rest.starts_with(']')) {
    const std::size_t size = broken_element_size(rest);
    move_to(rest.data());
    if (size > 0) TL_TRY(take_unchecked(rest.substr(0, size), any_broken));
    rest = trim_json_space(rest.substr(size));
    if (rest.starts_with(',')) rest = trim_json_space(rest.substr(1));
  }
  // What is broken stands between the elements, or the end is missing: events may be lost.
  if (!any_broken) fail({}, json_error(error));
  return {};
}

Status EventTaker::take_unchecked(Bytes text, bool& broken) {
  if (const auto error = payload::check_json(text)) {
    broken = true;
    fail(find_event_id(text), json_error(*error));
    return {};
  }
  return take_object(text);
}

void EventTaker::move_to(const char* place) {
  for (;;) {
    const std::size_t line_end = unread_.find('\n');
    if (line_end == Bytes::npos || unread_.data() + line_end >= place) return;
    unread_.remove_prefix(line_end + 1);
    ++line_;
  }
}

void EventTaker::take_failure(std::uint64_t line, Bytes event_id, const Error& error) {
  Outcome outcome;
  outcome.line = line;
  outcome.index = report_.event_count++;
  outcome.event_id = event_id;
  outcome.http_status = 400;
  outcome.reason = model::Reason::event_refused;
  outcome.field = error.field;
  outcome.message = error.message;
  ++report_.failed_count;
  tell(outcome);
}

Status EventTaker::succeed(ParsedEvent&& parsed) {
  Outcome outcome;
  outcome.line = line_;
  outcome.index = report_.event_count;
  outcome.event_id = parsed.event_id;
  if (parsed.event) TL_TRY(sink_(*parsed.event));
  ++report_.event_count;
  ++(parsed.event ? report_.succeeded_count : report_.ignored_count);
  const std::vector<model::Warning> none;
  const std::vector<model::Warning>& warnings = parsed.event ? parsed.event->warnings() : none;
  if (!warnings.empty()) ++report_.warned_count;
  for (const model::Warning& warning : warnings) {
    const std::string text = warning.text();
    Outcome warned = outcome;
    warned.is_warning = true;
    warned.reason = warning.reason;
    warned.field = warning.field;
    warned.message = text;
    tell(warned);
  }
  tell(outcome);
  return report_.event_count % kProgressEvents == 0 ? progress_() : Status();
}

class Importer {
 public:
  Importer(const ReadFunction& read, const EventSink& sink, const OutcomeFunction& outcome,
           const ProgressFunction& progress, ImportReport& report, std::size_t size_bytes_max)
      : window_(read),
        progress_(progress),
        taker_(
            sink, outcome, [this] { return report_progress(); }, report),
        size_bytes_max_(size_bytes_max) {}

  Status run();

 private:
  enum class Shape : std::uint8_t { lines, document };

  Status report_progress();
  Status fill();
  // Makes the first line that is not blank the first in the window, whole.
  Status start();
  Result<std::optional<std::size_t>> find_line_end();
  Result<Shape> find_shape();
  Result<Shape> gather_document();
  std::optional<bool> second_line_is_json() const;
  Status take_lines();
  Status take_too_long_line();

  StreamWindow window_;
  const ProgressFunction& progress_;
  EventTaker taker_;
  std::size_t size_bytes_max_;
  std::uint64_t line_ = 1;  // the one at the start of the window
};

Status Importer::report_progress() {
  if (progress_ && progress_(window_.read_bytes())) {
    return make_error(Code::cancelled, "the progress function stopped the import");
  }
  return {};
}

Status Importer::fill() {
  TL_TRY(window_.fill());
  return report_progress();
}

// The end of the first line in the window; none if it is too long.
Result<std::optional<std::size_t>> Importer::find_line_end() {
  std::size_t seen = 0;
  for (;;) {
    const Bytes bytes = window_.bytes();
    const std::size_t end = bytes.find('\n', seen);
    const std::size_t size = std::min(end, bytes.size());
    if (size > size_bytes_max_) return std::optional<std::size_t>();
    if (end != Bytes::npos || window_.at_end()) return std::optional(size);
    seen = bytes.size();
    TL_TRY(fill());
  }
}

Status Importer::start() {
  while (window_.bytes().size() < kByteOrderMark.size() && !window_.at_end()) TL_TRY(fill());
  if (window_.bytes().starts_with(kByteOrderMark)) window_.drop(kByteOrderMark.size());
  for (;;) {
    TL_TRY_ASSIGN(end, find_line_end());
    if (!end || *end == window_.bytes().size() || !is_blank(window_.bytes().substr(0, *end))) {
      return {};
    }
    window_.drop(*end + 1);
    ++line_;
  }
}

// A document that spans lines begins with a line that is not complete, but could be continued.
Result<Importer::Shape> Importer::find_shape() {
  TL_TRY_ASSIGN(end, find_line_end());
  if (!end || *end == window_.bytes().size()) return Shape::lines;
  const auto error = payload::check_json(window_.bytes().substr(0, *end));
  if (!error || !error->at_end) return Shape::lines;
  return gather_document();
}

// Reads on while it could become one document. Half a line of JSON Lines at the start looks like
// that too, until the next line does not fit behind it; then the lines are taken one by one.
Result<Importer::Shape> Importer::gather_document() {
  std::size_t checked = 0;
  std::size_t searched = 0;
  bool fits = true;
  std::optional<bool> second;  // whether the second line is JSON; it may take long to find out
  for (;;) {
    const std::size_t size = window_.bytes().size();
    if (fits && (size >= checked * 2 || size < kCheckAlwaysBytes)) {
      const auto error = payload::check_json(window_.bytes());
      fits = !error || error->at_end;
      checked = size;
    }
    if (!fits && !second && (size >= searched * 2 || size < kCheckAlwaysBytes)) {
      second = second_line_is_json();
      searched = size;
    }
    if (!fits && second.value_or(false)) return Shape::lines;
    if (size > size_bytes_max_) {
      if (!fits) return Shape::lines;
      return make_error(Code::limit, "a document that spans lines may have at most " +
                                         std::to_string(size_bytes_max_) +
                                         " bytes: write one event a line");
    }
    if (window_.at_end()) break;
    TL_TRY(fill());
  }
  const Bytes text = window_.bytes();
  const auto error = payload::check_json(text);
  if (!error) return Shape::document;
  if (second_line_is_json().value_or(false)) return Shape::lines;
  if (error->at_end) return Shape::document;
  const auto skimmed = payload::skim_value(text);
  return skimmed && is_blank(text.substr(*skimmed)) ? Shape::document : Shape::lines;
}

// Of the second line in the window that is not blank; nullopt while it is not whole.
std::optional<bool> Importer::second_line_is_json() const {
  Bytes rest = window_.bytes();
  for (bool first = true;; first = false) {
    const std::size_t end = rest.find('\n');
    if (end == Bytes::npos && !window_.at_end()) return std::nullopt;
    const Bytes line = rest.substr(0, end);
    if (!first && !is_blank(line)) return !payload::check_json(line);
    if (end == Bytes::npos) return std::nullopt;
    rest.remove_prefix(end + 1);
  }
}

Status Importer::take_lines() {
  for (;;) {
    TL_TRY_ASSIGN(end, find_line_end());
    if (!end) {
      TL_TRY(take_too_long_line());
      continue;
    }
    const Bytes line = window_.bytes().substr(0, *end);
    if (!is_blank(line)) TL_TRY(taker_.take(line, line_, payload::check_json(line)));
    const bool is_last = *end == window_.bytes().size();
    if (is_last) return {};
    window_.drop(*end + 1);
    ++line_;
  }
}

Status Importer::take_too_long_line() {
  std::size_t end = window_.bytes().find('\n');
  const std::string event_id = find_event_id(window_.bytes().substr(0, end));
  taker_.take_failure(
      line_, event_id,
      make_error(Code::invalid, "a line may have at most " + std::to_string(size_bytes_max_) +
                                    " bytes: this one was passed over"));
  while (end == Bytes::npos && !(window_.bytes().empty() && window_.at_end())) {
    window_.drop(window_.bytes().size());
    TL_TRY(fill());
    end = window_.bytes().find('\n');
  }
  if (end != Bytes::npos) window_.drop(end + 1);
  ++line_;
  return {};
}

Status Importer::run() {
  TL_TRY(start());
  TL_TRY_ASSIGN(shape, find_shape());
  if (shape == Shape::lines) return take_lines();
  const Bytes text = window_.bytes();
  return taker_.take(text, line_, payload::check_json(text));
}

}  // namespace

Status import_langfuse(const ReadFunction& read, const EventSink& sink,
                       const OutcomeFunction& outcome, const ProgressFunction& progress,
                       ImportReport& report, std::size_t document_size_bytes_max) {
  return Importer(read, sink, outcome, progress, report, document_size_bytes_max).run();
}

}  // namespace tracelite::exchange
