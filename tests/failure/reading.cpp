#include "failure/reading.hpp"

#include <array>

namespace tracelite::failure {
namespace {

std::array<char, std::size_t{64} << 10> buffer;  // not on the stack, and nothing is allocated

std::string_view view_of(const tl_text& text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size_bytes);
}

// The payloads of a row, which says what it has.
struct Payloads {
  std::uint64_t set_mask = 0;
  tl_payload input{};
  tl_payload output{};
  tl_payload metadata{};
};
Payloads payloads_of(const tl_row& row) {
  if (row.trace != nullptr) {
    return {row.trace->set_mask, row.trace->input, row.trace->output, row.trace->metadata};
  }
  if (row.observation != nullptr) {
    const tl_observation& one = *row.observation;
    return {one.set_mask, one.input, one.output, one.metadata};
  }
  if (row.score != nullptr) return {row.score->set_mask, {}, {}, row.score->metadata};
  return {};
}

void add_entity(Hash& hash, const tl_row& row) {
  hash.add(static_cast<std::uint64_t>(row.kind));
  hash.add(static_cast<std::uint64_t>(row.is_derived * 2 + row.is_unfinished));
  if (row.trace != nullptr) {
    for (const tl_text& text :
         {row.trace->id, row.trace->name, row.trace->session_id, row.trace->user_id}) {
      hash.add(text);
    }
    for (std::size_t i = 0; i < row.trace->tag_count; ++i) hash.add(row.trace->tags[i]);
  } else if (row.observation != nullptr) {
    const tl_observation& one = *row.observation;
    for (const tl_text& text :
         {one.id, one.trace_id, one.parent_observation_id, one.name, one.model}) {
      hash.add(text);
    }
    hash.add(static_cast<std::uint64_t>(one.level));
    hash.add(one.usage_count);
    hash.add(one.cost_count);
  } else if (row.score != nullptr) {
    for (const tl_text& text : {row.score->id, row.score->trace_id, row.score->name}) {
      hash.add(text);
    }
    hash.add(static_cast<std::uint64_t>(row.score->value * 1000));
  } else if (row.session != nullptr) {
    hash.add(row.session->id);
    hash.add(static_cast<std::uint64_t>(row.session->is_bookmarked));
  }
}

void add_place(Hash& hash, const tl_row& row) {
  hash.add(row.depth);
  hash.add(static_cast<std::uint64_t>(row.phase));
  if (row.aggregate == nullptr) return;
  const tl_aggregate& sums = *row.aggregate;
  for (const tl_text& text : {sums.key, sums.total_cost, sums.model}) hash.add(text);
  for (const std::uint64_t count : {sums.trace_count, sums.observation_count, sums.score_count,
                                    sums.error_count, sums.unfinished_count, sums.total_tokens}) {
    hash.add(count);
  }
}

// Lines as they come in pieces, without their digits: the times at which something was recorded.
struct Lines {
  Answer* answer;
  bool without_deleted;
  std::uint64_t line_hash = 0;
  std::uint64_t last_bytes = 0;
  bool has_base = false;
  bool has_deleted = false;

  void add(char byte) {
    if (byte == '\n') {
      ++answer->row_count;
      answer->hash += line_hash;
      if (has_base && !(has_deleted && without_deleted)) {
        ++answer->base_row_count;
        answer->base_hash += line_hash;
      }
      line_hash = 0;
      has_base = has_deleted = false;
      return;
    }
    constexpr std::uint64_t kBase = 0x2262617365;            // "base
    constexpr std::uint64_t kDeleted = 0x6173652d676f6e65U;  // ase-gone
    last_bytes = last_bytes << 8U | static_cast<unsigned char>(byte);
    has_base = has_base || (last_bytes & 0xffffffffffU) == kBase;
    has_deleted = has_deleted || last_bytes == kDeleted;
    if (byte >= '0' && byte <= '9') return;
    line_hash = (line_hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  }
};
std::int32_t take_lines(void* context, const void* data, std::size_t size) {
  auto& lines = *static_cast<Lines*>(context);
  for (const char byte : std::string_view(static_cast<const char*>(data), size)) lines.add(byte);
  return 0;
}

}  // namespace

bool Reading::is_base(const tl_text& trace_id) const {
  const std::string_view id = view_of(trace_id);
  return id == "base" || id == "other" || (id == "base-gone" && !progress_.may_delete);
}

bool Reading::is_base(const tl_row& row) const {
  if (row.trace != nullptr) return is_base(row.trace->id);
  if (row.observation != nullptr) return is_base(row.observation->trace_id);
  if (row.session != nullptr) return view_of(row.session->id) == "session";
  if (row.score != nullptr || row.aggregate == nullptr) return false;
  const std::string_view key = view_of(row.aggregate->key);
  return key == "user" || key == "default";
}

bool Reading::add_payload(Hash& hash, tl_cursor* cursor, tl_field field, bool is_there,
                          std::uint64_t size_bytes) {
  const Answers also = is_there ? Answers::nothing : Answers::absence;
  std::uint64_t read_bytes = 0;
  for (std::size_t size = buffer.size(); size == buffer.size();) {
    const tl_status status = tl_payload_read(cursor, field, TL_READ_AS_GIVEN, read_bytes,
                                             buffer.data(), buffer.size(), &size);
    if (!did("tl_payload_read", status, true, also)) return status == TL_NOT_FOUND;
    hash.add(std::string_view(buffer.data(), size));
    read_bytes += size;
  }
  if (!is_there || read_bytes != size_bytes) {
    progress_.say_wrong("tl_payload_read", "the row says another size");
  }
  std::uint64_t stored_size_bytes = 0;
  const bool has_size =
      did("tl_payload_size", tl_payload_size(cursor, field, TL_READ_AS_STORED, &stored_size_bytes),
          true, also);
  hash.add(stored_size_bytes);
  return has_size;
}

bool Reading::add_payloads(Hash& hash, tl_cursor* cursor, const tl_row& row) {
  const Payloads payloads = payloads_of(row);
  bool is_complete = true;
  tl_text preview{};
  for (const auto& [field, payload] :
       {std::pair{TL_FIELD_INPUT, payloads.input}, std::pair{TL_FIELD_OUTPUT, payloads.output},
        std::pair{TL_FIELD_METADATA, payloads.metadata}}) {
    const bool is_there = (payloads.set_mask & TL_BIT(field)) != 0;
    is_complete &= add_payload(hash, cursor, field, is_there, payload.text.size_bytes);
  }
  is_complete &=
      did("tl_preview", tl_preview(cursor, TL_FIELD_INPUT, 0, &preview), true, Answers::absence);
  hash.add(preview);
  return is_complete;
}

// A group has other sums while other things are recorded.
bool Reading::add_row(Answer& answer, tl_cursor* cursor, const tl_row& row) {
  const bool base = is_base(row);
  const bool is_group = row.trace == nullptr && row.observation == nullptr;
  Hash hash;
  add_entity(hash, row);
  add_place(hash, row);
  const bool is_complete = is_group || add_payloads(hash, cursor, row);
  ++answer.row_count;
  answer.hash = answer.hash * 31 + hash.value();
  if (!base) return is_complete;
  ++answer.base_row_count;
  if (!is_group) answer.base_hash = answer.base_hash * 31 + hash.value();
  return is_complete;
}

// All rows, with everything that can be asked of them.
Answer& Reading::walk(const char* what, tl_status opened, tl_cursor* cursor, Answers also) {
  Answer& answer = progress_.begin_answer(what);
  bool is_complete = did(what, opened, store_ != nullptr, also);
  if (is_complete != (cursor != nullptr)) progress_.say_wrong(what, "the cursor is not as it says");
  auto row = sized<tl_row>();
  tl_status status = tl_next(cursor, &row);
  while (did(what, status, cursor != nullptr)) {
    is_complete &= add_row(answer, cursor, row);
    status = tl_next(cursor, &row);
  }
  answer.is_complete = is_complete && status == TL_DONE;
  tl_cursor_close(cursor);
  return answer;
}

void Reading::list_all() {
  constexpr std::array kNames = {"traces", "observations", "scores", "sessions", "users",
                                 "tags",   "environments", "names",  "models",   "days"};
  for (tl_kind kind = TL_KIND_TRACE; kind <= TL_KIND_DAY; ++kind) {
    tl_cursor* cursor = nullptr;
    const tl_status listed =
        tl_list(store_, snapshot_, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor);
    walk(kNames.at(static_cast<std::size_t>(kind - TL_KIND_TRACE)), listed, cursor);
  }
}

void Reading::list_some() {
  Answer& answer = progress_.begin_answer("a list with a filter");
  auto filter = sized<tl_filter>();
  const tl_text tag = tl_str("a");
  filter.tags = &tag;
  filter.tag_count = 1;
  filter.session_id = tl_str("session");
  filter.user_id = tl_str("user");
  tl_cursor* cursor = nullptr;
  did("tl_list", tl_list(store_, nullptr, TL_KIND_TRACE, &filter, TL_ORDER_COST, {}, 10, &cursor),
      store_ != nullptr);
  auto row = sized<tl_row>();
  const tl_status found = tl_next(cursor, &row);
  answer.is_complete = found == TL_DONE;
  if (did("tl_next", found, cursor != nullptr)) {
    ++answer.row_count;
    tl_text position{};
    answer.is_complete = did("tl_position", tl_position(cursor, &position), true);
  }
  tl_cursor_cancel(cursor);
  tl_cursor_close(cursor);
}

void Reading::tree_of_base() {
  tl_cursor* cursor = nullptr;
  const tl_status tree = tl_tree(store_, snapshot_, tl_str("base"), &cursor);
  walk("tl_tree", tree, cursor);
}

void Reading::replay() {
  tl_cursor* cursor = nullptr;
  const tl_status replayed = tl_replay(store_, snapshot_, tl_str("session"), nullptr, &cursor);
  walk("tl_replay", replayed, cursor);
}

void Reading::get_base() {
  tl_cursor* cursor = nullptr;
  did("tl_get",
      tl_get(store_, nullptr, TL_KIND_OBSERVATION, tl_str("base"), tl_str("base-observation"),
             &cursor),
      store_ != nullptr);
  auto row = sized<tl_row>();
  const bool has_row = did("tl_next", tl_next(cursor, &row), cursor != nullptr);
  Answer& answer = progress_.begin_answer("a medium");
  std::size_t size = 0;
  const bool has_text = did("tl_payload_read",
                            tl_payload_read(cursor, TL_FIELD_INPUT, TL_READ_AS_STORED, 0,
                                            buffer.data(), buffer.size(), &size),
                            has_row);
  tl_cursor_close(cursor);
  if (!has_text) return;
  // A reference in what was stored names its medium.
  constexpr std::size_t kIdSizeBytes = 22;
  const std::string_view stored(buffer.data(), size);
  const std::size_t id = stored.find("id=");
  if (id == std::string_view::npos || id + 3 + kIdSizeBytes > size) {
    progress_.say_wrong("tl_payload_read", "what was stored has no reference");
    return;
  }
  auto medium = sized<tl_medium>();
  answer.is_complete = did("tl_media_read",
                           tl_media_read(store_, nullptr, {buffer.data() + id + 3, kIdSizeBytes}, 0,
                                         buffer.data(), buffer.size(), &size, &medium),
                           true);
  if (!answer.is_complete) return;
  Hash hash;
  hash.add(std::string_view(buffer.data(), size));
  hash.add(medium.mime);
  answer.base_row_count = 1;
  answer.base_hash = hash.value();
}

void Reading::export_all() {
  Answer& answer = progress_.begin_answer("tl_export");
  Lines lines{.answer = &answer, .without_deleted = progress_.may_delete};
  answer.is_complete = did("tl_export",
                           tl_export(store_, snapshot_, nullptr, TL_FORMAT_LANGFUSE, take_lines,
                                     &lines, nullptr, nullptr),
                           store_ != nullptr);
}

void Reading::follow(std::uint64_t position, bool is_known) {
  std::uint64_t newest = 0;
  did("tl_wait", tl_wait(store_, 1, 0, &newest), store_ != nullptr);
  tl_cursor* changes = nullptr;
  const tl_status told = tl_changes(store_, position, nullptr, &newest, &changes);
  Answer& answer = walk("tl_changes", told, changes, Answers::expiry);
  answer.is_complete = answer.is_complete && is_known;
}

void Reading::get(const char* what, tl_kind kind, const char* trace_id, const char* id,
                  bool is_there, bool whole) {
  tl_cursor* cursor = nullptr;
  const tl_status found =
      tl_get(store_, nullptr, kind, trace_id == nullptr ? tl_text{} : tl_str(trace_id), tl_str(id),
             &cursor);
  Answer& answer = progress_.begin_answer(what);
  answer.is_exact = is_there;
  answer.is_complete = true;
  auto row = sized<tl_row>();
  Hash hash;
  if (did("tl_get", found, true, is_there ? Answers::nothing : Answers::absence) &&
      did("tl_next", tl_next(cursor, &row), true)) {
    ++answer.row_count;
    if (whole) add_entity(hash, row);
    if (whole) add_payloads(hash, cursor, row);
  }
  answer.hash = hash.value();
  tl_cursor_close(cursor);
}

void Reading::miss_what_is_deleted() {
  tl_cursor* cursor = nullptr;
  const tl_status trace = tl_get(store_, nullptr, TL_KIND_TRACE, {}, tl_str("base-gone"), &cursor);
  if (did("tl_get", trace, store_ != nullptr, Answers::absence)) {
    progress_.say_wrong("tl_delete", "the trace is still there");
  }
  tl_cursor_close(cursor);
  cursor = nullptr;
  const tl_status observation = tl_get(store_, nullptr, TL_KIND_OBSERVATION, tl_str("base-gone"),
                                       tl_str("base-gone-1"), &cursor);
  if (did("tl_get", observation, store_ != nullptr, Answers::absence)) {
    progress_.say_wrong("tl_delete", "an observation is still there");
  }
  tl_cursor_close(cursor);
}

}  // namespace tracelite::failure
