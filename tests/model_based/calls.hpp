// What the processes of a run share in calling the C API.
#pragma once

#include <string>

#include "api/support.hpp"
#include "model_based/world.hpp"

namespace tracelite::model_based {

using api::test::string_of;
using api::test::text_of;

inline void must(tl_status status, const std::string& what) {
  if (status == TL_OK) return;
  throw Broken(what + ": " + tl_status_name(status) + ": " + tl_error()->field + ": " +
               tl_error()->message);
}

// Points into the selection, and to `tag`.
inline tl_filter filter_of(const Selection& selection, tl_text& tag) {
  tl_filter filter = api::test::filter();
  if (!selection.trace_id.empty()) filter.trace_id = text_of(selection.trace_id);
  if (!selection.session_id.empty()) filter.session_id = text_of(selection.session_id);
  if (!selection.user_id.empty()) filter.user_id = text_of(selection.user_id);
  if (!selection.tag.empty()) {
    tag = text_of(selection.tag);
    filter.tags = &tag;
    filter.tag_count = 1;
  }
  return filter;
}

}  // namespace tracelite::model_based
