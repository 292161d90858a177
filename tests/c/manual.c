/* The example at the top of tracelite.h, as a C11 program, with its errors handled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracelite/tracelite.h"

static void must(tl_status status) {
  if (status == TL_OK) return;
  fprintf(stderr, "%s: %s\n", tl_status_name(status), tl_error()->message);
  exit(1);
}

static int fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  return 1;
}

int main(void) {
  char folder[] = "/tmp/tracelite-manual-XXXXXX";
  if (mkdtemp(folder) == NULL) return 77;
  if (chdir(folder) != 0) return 77;

  tl_store* store;
  must(tl_open("day.tl", NULL, &store));

  tl_observation call = {.struct_size = sizeof call};
  call.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_INPUT);
  call.name = tl_str("answer");
  call.type = TL_TYPE_GENERATION;
  call.input = tl_json("{\"q\":\"why?\"}");
  tl_span* span;
  must(tl_begin(store, NULL, &call, &span));
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("because")));
  must(tl_end(span, NULL));

  must(tl_flush(store, UINT32_MAX, NULL));

  tl_cursor* cursor;
  must(tl_list(store, NULL, TL_KIND_OBSERVATION, NULL, TL_ORDER_TIME, (tl_text){NULL, 0}, 0,
               &cursor));
  tl_row row = {.struct_size = sizeof row};
  must(tl_next(cursor, &row));
  if (row.is_unfinished) return fail("the observation is unfinished");
  char output[16];
  size_t size_bytes = 0;
  must(tl_payload_read(cursor, TL_FIELD_OUTPUT, TL_READ_AS_GIVEN, 0, output, sizeof output,
                       &size_bytes));
  if (size_bytes != 7 || memcmp(output, "because", 7) != 0) return fail("the output differs");
  if (tl_next(cursor, &row) != TL_DONE) return fail("there is more than one observation");
  tl_cursor_close(cursor);

  must(tl_close(store, UINT32_MAX, NULL));
  if (unlink("day.tl") != 0 || rmdir(folder) != 0) return fail("something else is left behind");
  return 0;
}
