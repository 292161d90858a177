// Every argument of every C function, wrong in one way at a time: what a call can be given, and
// what must come of it. The header says which functions and arguments there are; misuse_test.cpp
// compares the tables with it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/support.hpp"

namespace tracelite::api::test::misuse {

// How an argument is wrong.
enum class How {
  null,
  empty,    // a path without a character
  no_size,  // a struct whose struct_size is 0
  low,      // a number below those that mean something
  high,     // one above them
  absent,   // a text without bytes
  no_data,  // a text that has a size, but no bytes
  closed,   // a handle whose store has been closed
  other,    // a handle of another store
  forked    // a handle inherited through fork()
};

// An argument that a function gets the address of.
template <class Value>
struct Pointed {
  Value value{};
  Value* pointer = &value;

  Pointed() {
    if constexpr (requires { value.struct_size; }) value.struct_size = sizeof value;
  }
  Pointed(const Pointed&) = delete;
  Pointed& operator=(const Pointed&) = delete;
};

// An open store with something of everything in its file.
struct Scene {
  explicit Scene(const Folder& folder, const std::string& name = "a.tl");

  const Folder& folder;
  std::string path;
  Store store;
  std::string medium;  // a reference to it
};

// Arguments under their names in the header, so that each function succeeds; handles of their own,
// so that a call may free them.
struct Arguments {
  Arguments(const Scene& scene, std::string_view function);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  // Frees what the last call gave.
  void free_outputs();
  // Whether it gave no handle.
  [[nodiscard]] bool gave_nothing() const;

  tl_store* store;
  tl_store* own_store = nullptr;  // for tl_close
  tl_span* span = nullptr;
  tl_span* parent = nullptr;
  tl_snapshot* snapshot = nullptr;
  tl_cursor* cursor = nullptr;  // at its first row
  Pointed<tl_store*> opened_store;
  Pointed<tl_span*> begun_span;
  Pointed<tl_snapshot*> opened_snapshot;
  Pointed<tl_cursor*> opened_cursor;

  std::string path_text, new_path_text;
  const char* path;
  const char* new_path;
  Pointed<tl_options> options;
  Pointed<tl_replay_options> replay_options;
  Pointed<tl_trace> trace;
  Pointed<tl_observation> observation;
  Pointed<tl_score> score;
  Pointed<tl_session> session;
  Pointed<tl_filter> filter;
  Pointed<tl_row> row;
  Pointed<tl_medium> medium;
  Pointed<tl_statistics> statistics;
  Pointed<tl_close_report> close_report;
  Pointed<tl_import_report> import_report;
  Pointed<tl_delete_report> delete_report;
  Pointed<tl_salvage_report> salvage_report;

  tl_field field = TL_FIELD_INPUT;
  tl_format format = TL_FORMAT_LANGFUSE;
  tl_kind kind = TL_KIND_OBSERVATION;
  tl_order order = TL_ORDER_TIME;
  tl_read_mode mode = TL_READ_AS_GIVEN;
  tl_reason reason = TL_REASON_TAG;
  tl_status status = TL_BUSY;

  tl_text text = tl_str("text");
  tl_text after = {};
  tl_text trace_id = tl_str("t");
  tl_text session_id = tl_str("s");
  tl_text id = tl_str("o");
  Pointed<tl_text> position_text, preview, found_trace_id, found_observation_id;

  std::uint64_t position;  // of the newest commit
  Pointed<std::uint64_t> position_number, newest, count, whole_size_bytes;
  char room[8] = {};
  void* buffer = room;
  Pointed<std::size_t> size_bytes;

  tl_read_fn read_fn;
  tl_write_fn write_fn;
  tl_outcome_fn outcome_fn;
  tl_progress_fn progress;
  tl_space_fn line;
  tl_finding_fn finding;
};

// Makes an argument wrong; `stranger` has the handles that are closed, of another store, or forked.
// False: an argument of this name cannot be wrong in this way.
bool spoil(Arguments& arguments, std::string_view parameter, How how, Arguments* stranger);

struct Function {
  std::string_view name;
  tl_status (*call)(Arguments&);  // one without a status: TL_INVALID where it gives NULL
  tl_status again;                // what the same call gives a second time, or kFreed
  bool tells_errors = true;       // by tl_error()
};
constexpr tl_status kFreed = -1;  // it frees its handle
std::span<const Function> functions();

struct Row {
  std::string_view function;
  std::string_view parameter;  // as the header writes it
  How how;
  tl_status status;
  std::string_view field;  // of tl_error()
};
std::span<const Row> rows();

}  // namespace tracelite::api::test::misuse
