// Reads all that can be read of a store, through whatever fails, and notes what came of it.
// Allocates nothing.
#pragma once

#include <cstdint>

#include "failure/progress.hpp"

namespace tracelite::failure {

class Reading {
 public:
  Reading(Progress& progress, tl_store* store, tl_snapshot* snapshot = nullptr)
      : progress_(progress), store_(store), snapshot_(snapshot) {}

  void list_all();
  void list_some();
  void tree_of_base();
  void replay();
  void get_base();
  void export_all();
  // Of the commits behind a position, or of as many as are known if there is none.
  void follow(std::uint64_t position, bool is_known);
  // The answer is exact if the thing has to be there.
  void get(const char* what, tl_kind kind, const char* trace_id, const char* id, bool is_there,
           bool whole);
  // base-gone has been deleted: it may not be found.
  void miss_what_is_deleted();

 private:
  bool did(const char* what, tl_status status, bool has_handle, Answers also = Answers::nothing) {
    return note(progress_, what, status, has_handle, also);
  }
  Answer& walk(const char* what, tl_status opened, tl_cursor* cursor,
               Answers also = Answers::nothing);
  bool add_row(Answer& answer, tl_cursor* cursor, const tl_row& row);
  bool add_payloads(Hash& hash, tl_cursor* cursor, const tl_row& row);
  bool add_payload(Hash& hash, tl_cursor* cursor, tl_field field, bool is_there,
                   std::uint64_t size_bytes);
  bool is_base(const tl_row& row) const;
  bool is_base(const tl_text& trace_id) const;

  Progress& progress_;
  tl_store* store_;
  tl_snapshot* snapshot_;
};

}  // namespace tracelite::failure
