// Long runs first, then what stands around them.
#include "payload/media_scan.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "model/media.hpp"
#include "payload/base64.hpp"
#include "payload/byte_scan.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::payload {
namespace {

using model::Form;
using model::MediaHeader;
using model::MediaUse;

constexpr Bytes kUriMark = ";base64,";
constexpr Bytes kUriStart = "data:";
// Characters after a line break from which on it looks as if base64 went on.
constexpr std::size_t kNextLineSizeBytes = 16;

constexpr std::array<bool, 256> make_run_characters() {
  std::array<bool, 256> in_run{};
  for (const char c : Bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\\")) {
    in_run[static_cast<unsigned char>(c)] = true;
  }
  return in_run;
}
constexpr std::array<bool, 256> kInRun = make_run_characters();

bool is_in_run(char c) { return kInRun[static_cast<unsigned char>(c)]; }
bool is_base64(char c) { return is_in_run(c) && c != '\\'; }

struct Run {
  std::size_t begin = 0, end = 0;
};

// Runs of at least model::kMediaTextSizeBytesMin characters of base64 or backslashes.
class RunFinder {
 public:
  explicit RunFinder(Bytes text) : text_(text) {}

  std::optional<Run> next() {
    // Any such run covers one of the probes whole.
    while (at_ + kProbeSizeBytes <= text_.size()) {
      if (!probe(text_.data() + at_)) {
        at_ += kStrideBytes;
        continue;
      }
      Run run{at_, at_ + kProbeSizeBytes};
      while (run.begin > from_ && is_in_run(text_[run.begin - 1])) --run.begin;
      while (run.end < text_.size() && is_in_run(text_[run.end])) ++run.end;
      go_on_at(run.end);
      if (run.end - run.begin >= model::kMediaTextSizeBytesMin) return run;
    }
    return std::nullopt;
  }

  void go_on_at(std::size_t offset) { from_ = at_ = offset; }

 private:
  static constexpr std::size_t kProbeSizeBytes = 16;
  static constexpr std::size_t kStrideBytes = model::kMediaTextSizeBytesMin - kProbeSizeBytes;

  // Words are short: of most texts the spaces and quotes decide, and all letters that are not
  // ASCII.
  static bool probe(const char* at) {
    for (std::size_t i = 0; i < kProbeSizeBytes; i += ScanBlock::kSizeBytes) {
      if (ScanBlock(at + i).below_or_not_ascii('+') != 0) return false;
    }
    return std::all_of(at, at + kProbeSizeBytes, is_in_run);
  }

  Bytes text_;
  std::size_t from_ = 0;  // runs begin here or later
  std::size_t at_ = 0;
};

struct Found {
  std::size_t begin = 0;         // of what the reference replaces
  std::size_t base64_begin = 0;  // behind the header
  std::size_t end = 0;
  bool is_uri = false;
  bool has_escaped_slashes = false;
  std::string mime;  // empty until it is known
};

// ------------------------------------------------------------------------------- what is around

// Fills in the end and the escapes. False if what begins there is no base64 of the right size, or
// is only the first line of one.
bool measure(Bytes text, Found& found) {
  std::size_t at = found.base64_begin;
  std::size_t digits = 0;
  bool has_plain_slash = false;
  for (; at < text.size(); ++at, ++digits) {
    if (text[at] == '\\') {
      if (at + 1 == text.size() || text[at + 1] != '/') break;
      found.has_escaped_slashes = true;
      ++at;
    } else if (text[at] == '/') {
      has_plain_slash = true;
    } else if (!is_base64(text[at])) {
      break;
    }
  }
  std::size_t padding = 0;
  while (padding < 2 && at < text.size() && text[at] == '=') ++at, ++padding;
  found.end = at;
  if (found.has_escaped_slashes &&
      (has_plain_slash || at - found.base64_begin > model::kEscapedMediaTextSizeBytesMax)) {
    return false;
  }
  if (digits < model::kMediaTextSizeBytesMin || (digits + padding) % 4 != 0) return false;
  if (padding > 0) return true;
  // A line break, escaped or not, and then more of it.
  std::size_t line = at;
  while (line < text.size() && (text[line] == '\r' || text[line] == '\n')) ++line;
  while (line + 1 < text.size() && text[line] == '\\' &&
         (text[line + 1] == 'n' || text[line + 1] == 'r' || text[line + 1] == '\\')) {
    line += 2;
  }
  if (line == at) return true;
  const Bytes rest = text.substr(line, kNextLineSizeBytes);
  return rest.size() < kNextLineSizeBytes || !std::all_of(rest.begin(), rest.end(), is_base64);
}

std::string without_escapes(Bytes text) {
  std::string plain;
  for (const char c : text) {
    if (c != '\\') plain.push_back(c);
  }
  return plain;
}

// The header of a data URI whose base64 begins here: where it begins, and its MIME type.
bool find_header(Bytes text, std::size_t from, Found& found) {
  const Bytes before = text.substr(from, found.base64_begin - from);
  if (!before.ends_with(kUriMark)) return false;
  const std::size_t window = std::min(before.size(), model::kMediaHeaderSizeBytesMax);
  const Bytes near = before.substr(before.size() - window);
  const std::size_t start = near.rfind(kUriStart);
  if (start == Bytes::npos || start + kUriStart.size() > near.size() - kUriMark.size()) {
    return false;
  }
  // The MIME type, then parameters.
  Bytes inner = near.substr(start + kUriStart.size());
  inner.remove_suffix(kUriMark.size());
  const Bytes parameters = inner.substr(std::min(inner.find(';'), inner.size()));
  const bool plain = std::all_of(parameters.begin(), parameters.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '"' && c != '\\' && c != ',';
  });
  std::string mime(inner.substr(0, inner.size() - parameters.size()));
  if (const std::size_t escaped = mime.find("\\/"); escaped != std::string::npos) {
    mime.erase(escaped, 1);
  }
  if (!plain || !model::is_mime(mime)) return false;
  found.begin = found.base64_begin - near.size() + start;
  found.is_uri = true;
  found.mime = std::move(mime);
  return true;
}

// --------------------------------------------------------------------------- what objects it is in

std::string unquoted(Bytes value) {
  if (value.size() < 2 || value.front() != '"') return {};
  std::string text(value.substr(1, value.size() - 2));
  if (const std::size_t escaped = text.find("\\/"); escaped != std::string::npos) {
    text.erase(escaped, 1);
  }
  return text;
}

// Tells the strings that are the data of an object which says what they are. Walks into nothing
// that holds none of them.
class ObjectFinder {
 public:
  // `strings`: those whose MIME type is empty are looked for; ascending.
  ObjectFinder(Bytes json, std::vector<Found*> strings)
      : json_(json), strings_(std::move(strings)) {}

  void run() {
    waiting_.push_back({json_, {}, 0});
    while (!waiting_.empty()) {
      const Container container = waiting_.back();
      waiting_.pop_back();
      visit(container);
    }
  }

 private:
  struct Container {
    Bytes text;
    Bytes key;  // it is the value of
    std::size_t depth = 0;
  };

  // The first of the strings in this part of the text.
  Found* first_in(Bytes part) const {
    const auto begin = static_cast<std::size_t>(part.data() - json_.data());
    const auto at = std::lower_bound(
        strings_.begin(), strings_.end(), begin,
        [](const Found* found, std::size_t offset) { return found->base64_begin < offset; });
    return at != strings_.end() && (*at)->base64_begin < begin + part.size() ? *at : nullptr;
  }

  void visit(const Container& container) {
    Bytes type, mime;
    Found* data = nullptr;
    unsigned data_count = 0;
    unsigned mime_count = 0;
    bool is_anthropic = false;
    JsonWalker walker(container.text);
    while (walker.next()) {
      const Bytes key = walker.key();
      const Bytes value = walker.value();
      if (key == "type") {
        type = value;
      } else if (key == "media_type" || key == "mime_type" || key == "mimeType") {
        is_anthropic = key == "media_type";
        mime = value;
        ++mime_count;
      } else if (key == "data") {
        ++data_count;
      }
      Found* const found = first_in(value);
      if (found == nullptr) continue;
      if (value.front() == '"') {
        if (key == "data") data = found;
      } else if (container.depth < model::kMediaDepthMax) {
        waiting_.push_back({value, key, container.depth + 1});
      }
    }
    if (data == nullptr || data_count != 1 || mime_count != 1) return;
    const bool matches = is_anthropic ? type == "\"base64\""
                                      : type == "\"media\"" || container.key == "inline_data" ||
                                            container.key == "inlineData";
    std::string name = unquoted(mime);
    if (matches && model::is_mime(name)) data->mime = std::move(name);
  }

  Bytes json_;
  std::vector<Found*> strings_;
  std::vector<Container> waiting_;
};

// -------------------------------------------------------------------------------------- together

// Candidates, ascending; of those that are no data URI the MIME type is known if they are media.
std::vector<Found> find_media(Form form, Bytes text) {
  std::vector<Found> all;
  RunFinder runs(text);
  std::size_t from = 0;  // behind what was found before
  bool any_string = false;
  while (const auto run = runs.next()) {
    Found found;
    found.begin = found.base64_begin = run->begin;
    const bool is_string = form == Form::json && run->begin > 0 && text[run->begin - 1] == '"' &&
                           (run->begin < 2 || text[run->begin - 2] != '\\');
    if (!find_header(text, from, found) && !is_string) continue;
    if (!measure(text, found)) continue;
    if (!found.is_uri) {
      if (found.end == text.size() || text[found.end] != '"') continue;
      any_string = true;
    }
    from = found.end;
    runs.go_on_at(found.end);
    all.push_back(std::move(found));
  }
  if (any_string) {
    std::vector<Found*> strings;
    for (Found& found : all) {
      if (!found.is_uri) strings.push_back(&found);
    }
    ObjectFinder(text, std::move(strings)).run();
  }
  std::erase_if(all, [](const Found& found) { return found.mime.empty(); });
  return all;
}

std::vector<std::size_t> places_of(Bytes text, Bytes part) {
  std::vector<std::size_t> places;
  for (std::size_t at = text.find(part); at != Bytes::npos;
       at = text.find(part, at + part.size())) {
    places.push_back(at);
  }
  return places;
}

}  // namespace

std::string escape_slashes(Bytes base64) {
  std::string text;
  text.reserve(base64.size() + base64.size() / 32);
  for (const char c : base64) {
    if (c == '/') text.push_back('\\');
    text.push_back(c);
  }
  return text;
}

std::optional<WithoutMedia> take_out_media(Form form, Bytes payload) {
  if (form != Form::json && form != Form::text) return std::nullopt;
  WithoutMedia result;
  model::MediaListBuilder list;
  std::map<std::string, std::size_t> known;  // hashes
  std::size_t copied = 0;                    // of the payload
  std::size_t count = 0;
  for (const Found& found : find_media(form, payload)) {
    if (count == model::kMediaPerPayloadMax) break;
    const Bytes base64 = payload.substr(found.base64_begin, found.end - found.base64_begin);
    auto bytes = decode_base64(found.has_escaped_slashes ? without_escapes(base64) : base64);
    if (!bytes) continue;
    ++count;
    const Bytes header = payload.substr(found.begin, found.base64_begin - found.begin);
    const std::string hash = media_hash(*bytes);
    MediaUse use;
    use.given_size_bytes = found.end - found.begin;
    use.hash = hash;
    use.mime = found.mime;
    use.has_escaped_slashes = found.has_escaped_slashes;
    if (found.is_uri) {
      use.header_kind = MediaHeader::data_uri;
      if (use.header() != header) use.header_kind = MediaHeader::given;
      use.given_header = header;
    }
    result.text.append(payload.substr(copied, found.begin - copied));
    use.offset = result.text.size();
    result.text.append(use.reference());
    list.add(use);
    copied = found.end;
    if (known.emplace(hash, result.media.size()).second) {
      result.media.push_back({hash, found.mime, std::move(*bytes)});
    }
  }
  if (list.empty()) return std::nullopt;
  result.text.append(payload.substr(copied));
  result.list = list.finish();
  result.given_size_bytes = payload.size();
  return result;
}

std::optional<WithoutMedia> keep_media(const model::PayloadValue& before, std::string changed) {
  struct Reference {
    std::vector<std::size_t> before, after;
  };
  std::map<std::string, Reference> references;
  std::map<std::size_t, MediaUse> kept;  // by their place now
  model::MediaWalker walker(before.media_list);
  while (walker.next()) {
    const std::string text = walker.use().reference();
    const auto [at, is_new] = references.try_emplace(text);
    if (is_new) at->second = {places_of(before.bytes, text), places_of(changed, text)};
    const Reference& reference = at->second;
    if (reference.before.size() != reference.after.size()) continue;
    const auto place =
        std::find(reference.before.begin(), reference.before.end(), walker.use().offset);
    if (place == reference.before.end()) continue;
    MediaUse use = walker.use();
    use.offset = reference.after[static_cast<std::size_t>(place - reference.before.begin())];
    kept.emplace(use.offset, use);
  }
  if (kept.empty()) return std::nullopt;
  model::MediaListBuilder list;
  std::uint64_t end = 0;
  for (const auto& [offset, use] : kept) {
    if (offset < end) continue;  // two that share their ends cannot both be what they seem
    list.add(use);
    end = use.end();
  }
  WithoutMedia result;
  result.given_size_bytes = list.given_size_bytes(changed.size());
  result.list = list.finish();
  result.text = std::move(changed);
  return result;
}

}  // namespace tracelite::payload
