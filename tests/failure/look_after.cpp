#include "failure/look_after.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include "failure/reading.hpp"

namespace tracelite::failure {
namespace {

constexpr std::uint32_t kFlushTimeoutMs = 10'000;

void print_finding(void* /*context*/, tl_text where, tl_text message) {
  std::fprintf(stderr, "found: %.*s: %.*s\n", static_cast<int>(where.size_bytes), where.data,
               static_cast<int>(message.size_bytes), message.data);
}

// What the system's failure left undone may be told once more.
bool goes_on(tl_store* store) {
  auto trace = sized<tl_trace>();
  trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP);
  trace.id = tl_str("after");
  trace.timestamp_ns = 1;
  if (tl_put_trace(store, &trace) != TL_OK) return false;
  constexpr int kTriesMax = 3;
  for (int i = 0; i < kTriesMax; ++i) {
    if (tl_flush(store, kFlushTimeoutMs, nullptr) == TL_OK) return true;
  }
  return false;
}

const char* finish(Progress& progress) {
  if (progress.store == nullptr) return nullptr;
  if (!goes_on(progress.store)) return "it does not go on";
  progress.durable |= progress.recorded & ~bit(Thing::lazy);
  if (progress.span != nullptr && tl_end(progress.span, nullptr) != TL_OK) {
    return "what is live cannot be ended";
  }
  return tl_close(progress.store, kFlushTimeoutMs, nullptr) == TL_OK ? nullptr
                                                                     : "it does not close";
}

bool has_large_output(tl_store* store) {
  tl_cursor* cursor = nullptr;
  auto row = sized<tl_row>();
  std::string output(large_text().size_bytes + 1, '\0');
  std::size_t size = 0;
  const bool was_read = tl_get(store, nullptr, TL_KIND_OBSERVATION, tl_str("first"), tl_str("put"),
                               &cursor) == TL_OK &&
                        tl_next(cursor, &row) == TL_OK &&
                        tl_payload_read(cursor, TL_FIELD_OUTPUT, TL_READ_AS_GIVEN, 0, output.data(),
                                        output.size(), &size) == TL_OK;
  tl_cursor_close(cursor);
  return was_read && std::string_view(output).substr(0, size) ==
                         std::string_view(large_text().data, large_text().size_bytes);
}

void look_for_things(tl_store* store, Progress& progress) {
  Reading reading(progress, store);
  const auto get = [&](Thing thing, const char* what, tl_kind kind, const char* trace_id,
                       const char* id) {
    reading.get(what, kind, trace_id, id, (progress.durable & bit(thing)) != 0,
                thing != Thing::begun);
  };
  get(Thing::first, "the first trace", TL_KIND_TRACE, nullptr, "first");
  get(Thing::put, "the observation", TL_KIND_OBSERVATION, "first", "put");
  get(Thing::score, "the score", TL_KIND_SCORE, nullptr, "score");
  get(Thing::session, "the session", TL_KIND_SESSION, nullptr, "session");
  get(Thing::parent, "the live observation", TL_KIND_OBSERVATION, "live", "parent");
  get(Thing::begun, "the one begun under it", TL_KIND_OBSERVATION, "live", "child");
  get(Thing::child, "the one ended under it", TL_KIND_OBSERVATION, "live", "child");
  get(Thing::imported, "the imported trace", TL_KIND_TRACE, nullptr, "imported");
  get(Thing::imported, "the imported generation", TL_KIND_OBSERVATION, "imported", "o");
  get(Thing::lazy, "the trace of the other store", TL_KIND_TRACE, nullptr, "lazy");
  get(Thing::second, "the second trace", TL_KIND_TRACE, nullptr, "second");
}

const char* look_at_copy(const char* path, bool is_there, Progress& progress) {
  tl_store* store = nullptr;
  if (is_there && tl_open(path, nullptr, &store) != TL_OK) return "a copy does not open";
  if (is_there && tl_check(store, print_finding, nullptr, nullptr, nullptr) != TL_OK) {
    return "a copy is damaged";
  }
  Reading reading(progress, store);
  reading.tree_of_base();
  reading.export_all();
  if (is_there && progress.has_deleted) reading.miss_what_is_deleted();
  if (!is_there) return nullptr;
  if (tl_close(store, kFlushTimeoutMs, nullptr) != TL_OK) return "a copy does not close";
  return unlink(path) == 0 ? nullptr : "a copy cannot be removed";
}

const char* look_at_store(const Paths& paths, Progress& progress) {
  tl_store* store = nullptr;
  if (tl_open(paths.store, nullptr, &store) != TL_OK) return "it does not open again";
  if (tl_check(store, print_finding, nullptr, nullptr, nullptr) != TL_OK) return "it is damaged";
  Reading reading(progress, store);
  reading.list_all();
  reading.tree_of_base();
  reading.replay();
  reading.export_all();
  if (progress.has_deleted) reading.miss_what_is_deleted();
  look_for_things(store, progress);
  if ((progress.durable & bit(Thing::put)) != 0 && !has_large_output(store)) {
    return "the long output is not what it was";
  }
  reading.get("what came after", TL_KIND_TRACE, nullptr, "after", progress.store != nullptr, true);
  if (!goes_on(store)) return "nothing can be recorded any more";
  return tl_close(store, kFlushTimeoutMs, nullptr) == TL_OK ? nullptr : "it does not close again";
}

// Besides the files that a trial begins with.
const char* look_for_remains(const Paths& paths) {
  const std::string name = std::filesystem::path(paths.store).filename();
  const std::string other = std::filesystem::path(paths.other).filename();
  const std::filesystem::path folder = std::filesystem::path(paths.store).parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string found = entry.path().filename();
    if (found == name || found == other || found == "base.tl" || found == "trial.tl") continue;
    if (found == other + "-lock")
      continue;  // of an open without memory; the next one takes it away
    std::fprintf(stderr, "there is %s\n", found.c_str());
    return "a file was left behind";
  }
  return nullptr;
}

}  // namespace

const char* look_after(const Paths& paths, Progress& progress) {
  const bool was_exact = progress.is_exact();  // when it was copied
  if (const char* wrong = finish(progress)) return wrong;
  const std::size_t copies = progress.answer_count;
  if (const char* wrong = look_at_copy(paths.backup, progress.has_backup, progress)) return wrong;
  if (const char* wrong = look_at_copy(paths.salvaged, progress.has_salvaged, progress)) {
    return wrong;
  }
  for (std::size_t i = copies; i < progress.answer_count; ++i) {
    progress.answers[i].is_exact = was_exact;
  }
  if (const char* wrong = look_at_store(paths, progress)) return wrong;
  return look_for_remains(paths);
}

}  // namespace tracelite::failure
