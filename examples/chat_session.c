/*
 * A chat, recorded as it happens: a session of three turns, each a trace with one generation whose
 * answer is streamed. Then the file is asked what the session came to.
 *
 *     chat_session [FILE]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tracelite/tracelite.h"

/* Recording is cheap to check in one place; an application may prefer to go on without its trace.
 */
static void must(tl_status status) {
  if (status == TL_OK) return;
  const tl_error_info* error = tl_error();
  fprintf(stderr, "chat_session: %s: %s\n", tl_status_name(error->status), error->message);
  exit(1);
}

/* Stands for a model that streams its answer word by word. */
static void ask_model(tl_span* call, const char* answer) {
  while (*answer != '\0') {
    size_t size = 1 + strcspn(answer + 1, " ");
    tl_text piece = {answer, size};
    must(tl_append(call, TL_FIELD_OUTPUT, piece));
    printf("%.*s", (int)size, answer);
    answer += size;
  }
  printf("\n");
}

static void chat_turn(tl_store* store, const char* session, const char* question,
                      const char* answer) {
  printf("user   %s\nmodel  ", question);

  /* A generation without a parent begins a trace of its own. Its session is what joins the turns.
   */
  tl_observation call = {.struct_size = sizeof call};
  call.set_mask = TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_MODEL) |
                  TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_USER_ID) | TL_BIT(TL_FIELD_INPUT);
  call.type = TL_TYPE_GENERATION;
  call.name = tl_str("chat");
  call.model = tl_str("example-model");
  call.session_id = tl_str(session);
  call.user_id = tl_str("ada");
  call.input = tl_plain(question);
  tl_span* span = NULL;
  must(tl_begin(store, NULL, &call, &span));

  ask_model(span, answer);

  const tl_usage usage[] = {{tl_str("input"), strlen(question) / 4},
                            {tl_str("output"), strlen(answer) / 4}};
  tl_observation last = {.struct_size = sizeof last};
  last.set_mask = TL_BIT(TL_FIELD_USAGE_DETAILS);
  last.usage_details = usage;
  last.usage_count = sizeof usage / sizeof usage[0];
  must(tl_end(span, &last));
}

static void show_session(tl_store* store, const char* session) {
  tl_cursor* cursor = NULL;
  must(tl_get(store, NULL, TL_KIND_SESSION, (tl_text){0}, tl_str(session), &cursor));
  tl_row row = {.struct_size = sizeof row};
  must(tl_next(cursor, &row));
  const tl_aggregate* sums = row.aggregate;
  printf("\nsession %.*s: %" PRIu64 " turns, %" PRIu64 " tokens in, %" PRIu64 " tokens out\n",
         (int)row.session->id.size_bytes, row.session->id.data, sums->trace_count,
         sums->input_tokens, sums->output_tokens);
  tl_cursor_close(cursor);
}

int main(int argc, char** argv) {
  char path[4096];
  const char* folder = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
  snprintf(path, sizeof path, "%s/tracelite-chat.tl", folder);
  if (argc > 1) snprintf(path, sizeof path, "%s", argv[1]);

  char session[64];
  snprintf(session, sizeof session, "chat-%lld", (long long)time(NULL));

  tl_store* store = NULL;
  must(tl_open(path, NULL, &store));
  chat_turn(store, session, "Why is the sky blue?", "Air scatters blue light more than red.");
  chat_turn(store, session, "And at sunset?",
            "The light's way is longer: the blue is gone, the red is left.");
  chat_turn(store, session, "On Mars?",
            "The other way round: a butterscotch sky and a blue sunset.");

  must(tl_flush(store, UINT32_MAX, NULL)); /* what is flushed is durable, and is seen by readers */
  show_session(store, session);
  must(tl_close(store, UINT32_MAX, NULL));
  printf("recorded in %s\n", path);
  return 0;
}
