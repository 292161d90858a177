/*
 * Replays a session from a file as it happened, waits shortened to a tenth of a second. Where there
 * is no file yet, it records a small session first.
 *
 *     replay [FILE [SESSION_ID]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#include "tracelite/tracelite.h"

static void must(tl_status status) {
  if (status == TL_OK) return;
  const tl_error_info* error = tl_error();
  fprintf(stderr, "replay: %s: %s\n", tl_status_name(error->status), error->message);
  exit(1);
}

/* Puts an observation that is over already, with an id and times of its own: a second long, begun
 * so many seconds after the session. */
static void put_step(tl_store* store, int64_t began_ns, int number, const char* name) {
  char id[32];
  snprintf(id, sizeof id, "step-%d", number);
  tl_observation step = {.struct_size = sizeof step};
  step.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_NAME) |
                  TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_END_TIME) | TL_BIT(TL_FIELD_OUTPUT);
  step.id = tl_str(id);
  step.trace_id = tl_str("trace-1");
  step.session_id = tl_str("recorded");
  step.name = tl_str(name);
  step.start_time_ns = began_ns + number * INT64_C(1500000000);
  step.end_time_ns = step.start_time_ns + INT64_C(1000000000);
  step.output = tl_json("{\"done\":true}");
  must(tl_put_observation(store, &step));
}

static void record(const char* path) {
  tl_store* store = NULL;
  must(tl_open(path, NULL, &store));
  const int64_t began_ns = (int64_t)time(NULL) * INT64_C(1000000000);
  put_step(store, began_ns, 1, "read the question");
  put_step(store, began_ns, 2, "look it up");
  put_step(store, began_ns, 3, "write the answer");
  must(tl_close(store, UINT32_MAX, NULL));
}

/* Up to 60 bytes of an output; the cursor fetches it on demand. */
static void show_output(tl_cursor* cursor, const tl_payload* output) {
  char text[61];
  size_t size = 0;
  if (output->form == TL_FORM_ABSENT) return;
  must(tl_payload_read(cursor, TL_FIELD_OUTPUT, TL_READ_AS_GIVEN, 0, text, sizeof text - 1, &size));
  printf("  -> %.*s", (int)size, text);
}

static void show_step(tl_cursor* cursor, const tl_row* row, int64_t began_ns) {
  const int is_end = row->phase == TL_PHASE_END;
  const char* phases[] = {"", "begin", "end  ", "event"};
  printf("%7.3f s  %s  %*s", (double)(row->at_ns - began_ns) / 1e9, phases[row->phase],
         (int)(2 * row->depth), "");
  if (row->trace != NULL) {
    printf("trace %.*s", (int)row->trace->id.size_bytes, row->trace->id.data);
  } else {
    const tl_observation* step = row->observation;
    printf("%.*s", (int)step->name.size_bytes, step->name.data);
    if (is_end) show_output(cursor, &step->output);
  }
  printf("\n");
  fflush(stdout);
}

static void replay(const char* path, const char* session_id) {
  tl_options options = {.struct_size = sizeof options, .read_only = 1};
  tl_replay_options pace = {.struct_size = sizeof pace, .speed = 1, .max_gap_ns = 100000000};
  tl_store* store = NULL;
  tl_cursor* cursor = NULL;
  must(tl_open(path, &options, &store));
  must(tl_replay(store, NULL, tl_str(session_id), &pace, &cursor));

  tl_row row = {.struct_size = sizeof row};
  int64_t began_ns = INT64_MIN;
  tl_status status;
  while ((status = tl_next(cursor, &row)) == TL_OK) {
    if (began_ns == INT64_MIN) began_ns = row.at_ns;
    /* The library never sleeps; it says how long to. */
    struct timespec wait = {row.wait_ns / 1000000000, row.wait_ns % 1000000000};
    thrd_sleep(&wait, NULL);
    show_step(cursor, &row, began_ns);
  }
  if (status != TL_DONE) must(status);
  tl_cursor_close(cursor);
  must(tl_close(store, UINT32_MAX, NULL));
}

int main(int argc, char** argv) {
  char path[4096];
  const char* folder = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
  snprintf(path, sizeof path, "%s/tracelite-replay.tl", folder);
  if (argc > 1) snprintf(path, sizeof path, "%s", argv[1]);
  FILE* found = fopen(path, "r");
  if (found == NULL) record(path);
  if (found != NULL) fclose(found);
  replay(path, argc > 2 ? argv[2] : "recorded");
  return 0;
}
