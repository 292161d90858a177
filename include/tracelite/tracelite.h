/*
 * tracelite: records what an LLM application does into one file, and gives it back.
 *
 * This header is the whole C API and its manual, in the order of use:
 *
 *   1. Values      status codes, text, payloads, and the entities of the model
 *   2. Opening     tl_open, tl_flush, tl_drop_when_full, tl_close
 *   3. Recording   live observations (tl_begin .. tl_end) and upserts by id (tl_put_...)
 *   4. Events      Langfuse ingestion events in and out
 *   5. Reading     snapshots, lists, trees, replays, payloads, media, following what is recorded
 *   6. Keeping     statistics, counters, deleting, check, reindex, compact, backup, salvage
 *   7. Errors and version
 *
 * A program that records and reads back, error handling left out:
 *
 *     tl_store *store;
 *     tl_open("day.tl", NULL, &store);
 *
 *     tl_observation call = {.struct_size = sizeof call};
 *     call.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_INPUT);
 *     call.name = tl_str("answer");
 *     call.type = TL_TYPE_GENERATION;
 *     call.input = tl_json("{\"q\":\"why?\"}");
 *     tl_span *span;
 *     tl_begin(store, NULL, &call, &span);
 *     tl_append(span, TL_FIELD_OUTPUT, tl_str("because"));
 *     tl_end(span, NULL);
 *
 *     tl_flush(store, 1000, NULL);
 *     tl_close(store, 1000, NULL);
 *
 * Rules that hold for every function
 *
 *   Status     Every function that can fail returns a tl_status, TL_OK (0) on success. tl_error()
 *              then tells the reason, for the calling thread, until that thread's next call.
 *              TL_MISUSE is returned for a NULL required argument, TL_INVALID for a value that the
 *              model refuses, TL_FORKED for a handle inherited through fork(); these three are not
 *              repeated below. Nor are those that whatever touches the file may return: TL_IO,
 *              TL_CORRUPT, TL_NO_MEMORY, TL_BUSY (no slot for a reader, or somebody held what is
 *              needed for too long), TL_LIMIT, TL_INTERNAL, and, where others use the file:
 *              TL_UNSUPPORTED (another version of tracelite has made the index anew), TL_DISK_FULL
 *              (no address space for what it has grown by), TL_PERMISSION and TL_NOT_FOUND (it was
 *              compacted, and what took its place cannot be opened). They are named where they say
 *              more.
 *   Threads    A tl_store may be used from any number of threads at once. A tl_span, a tl_snapshot
 *              and a tl_cursor may be handed between threads, but used by one at a time (but see
 *              tl_cursor_cancel).
 *   Ownership  The library copies everything it is given before it returns. What it gives is valid
 *              as long as the function says, and never freed by the caller.
 *   Callbacks  A callback runs within the call that it was given to, or on the writer thread (log
 *              and mask); it must return (no exception, no longjmp). It must not record into,
 *              flush, delete from, keep or close the store that it is called for: that may wait
 *              for ever for the very call it runs in. What more it must not do is said where it is
 *              declared.
 *   Structs    Every struct that may grow starts with struct_size: set it to sizeof the struct, and
 *              zero the rest. A struct of an older or newer version of this header is understood.
 *   Units      Times are nanoseconds since 1970-01-01T00:00:00Z, sizes are bytes, durations carry
 *              their unit in the name. Text is UTF-8 with an explicit size; it may hold any bytes
 *              where the function says so.
 *   Forking    After fork() the child's inherited handles return TL_FORKED; opening the file anew
 *              works there, whatever other threads of the parent were doing. Freeing an inherited
 *              handle (tl_close, tl_end, ...) gives little memory back, and does not disturb the
 *              parent.
 *
 * Since version 0.1 unless a declaration says otherwise. C11; usable from C++ (see tracelite.hpp).
 */
#ifndef TRACELITE_H
#define TRACELITE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#if defined(TL_BUILDING)
#define TL_API __declspec(dllexport)
#else
#define TL_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define TL_API __attribute__((visibility("default")))
#else
#define TL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TL_VERSION_MAJOR 0
#define TL_VERSION_MINOR 1
#define TL_VERSION_PATCH 0

/* ============================================================================================== */
/* 1. Values                                                                                      */
/* ============================================================================================== */

/* What a call came to. The numbers are fixed for ever. */
typedef int32_t tl_status;
enum {
  TL_OK = 0,
  TL_DONE = 1,           /* tl_next: there is no further row                                     */
  TL_MISUSE = 2,         /* a NULL, closed or foreign handle, or a call that may not be made here */
  TL_INVALID = 3,        /* an argument or input field has a value that the model refuses         */
  TL_NOT_FOUND = 4,      /* no such file, trace, observation, score or session                    */
  TL_NOT_TRACELITE = 5,  /* the file is not a tracelite file                                      */
  TL_NEWER_FORMAT = 6,   /* the file was written by a newer version of tracelite                  */
  TL_OTHER_GEOMETRY = 7, /* the file has a page size that this machine cannot use                 */
  TL_CORRUPT = 8,        /* the file is damaged; tl_salvage brings out what can still be read     */
  TL_IO = 9,             /* the operating system refused a read, write, sync or lock              */
  TL_DISK_FULL = 10,     /* no room on the disk, or in the address space for the file             */
  TL_PERMISSION = 11,    /* the file or its folder may not be read or written                     */
  TL_READ_ONLY = 12,     /* a write on a store that was opened read-only                          */
  TL_NO_MEMORY = 13,
  TL_QUEUE_FULL = 14,  /* the recording queue is full, and the record was dropped and counted   */
  TL_TIMEOUT = 15,     /* the time given has run out; the work goes on in the background        */
  TL_BUSY = 16,        /* somebody holds what is needed; try again                              */
  TL_FORKED = 17,      /* the handle belongs to the parent process; open the file again         */
  TL_CANCELLED = 18,   /* a callback, or tl_cursor_cancel, asked to stop                        */
  TL_UNSUPPORTED = 19, /* this platform, file system or build cannot do it                      */
  TL_LIMIT = 20,       /* a named limit would be passed                                         */
  TL_INTERNAL = 21,    /* a bug in tracelite: please report it                                  */
  TL_EXPIRED = 22      /* what is asked for is not known any more; begin anew                   */
};

/* Bytes with their size; not terminated. data == NULL means "absent". */
typedef struct tl_text {
  const char *data;
  size_t size_bytes;
} tl_text;

/* The kinds of entity, and the other things that can be listed. */
typedef int32_t tl_kind;
enum {
  TL_KIND_TRACE = 1,
  TL_KIND_OBSERVATION = 2,
  TL_KIND_SCORE = 3,
  TL_KIND_SESSION = 4,
  TL_KIND_USER = 5, /* from here on: groups, which exist because entities name them */
  TL_KIND_TAG = 6,
  TL_KIND_ENVIRONMENT = 7,
  TL_KIND_NAME = 8, /* names of observations */
  TL_KIND_MODEL = 9,
  TL_KIND_DAY = 10 /* days (UTC) that observations began on, each with each of its models */
};

/* The type of an observation: those of Langfuse. */
typedef int32_t tl_type;
enum {
  TL_TYPE_ANY = 0, /* in a filter: every type; no type of an observation: unset reads as SPAN */
  TL_TYPE_SPAN = 1,
  TL_TYPE_EVENT = 2, /* a point in time */
  TL_TYPE_GENERATION = 3,
  TL_TYPE_AGENT = 4,
  TL_TYPE_TOOL = 5,
  TL_TYPE_CHAIN = 6,
  TL_TYPE_RETRIEVER = 7,
  TL_TYPE_EVALUATOR = 8,
  TL_TYPE_EMBEDDING = 9,
  TL_TYPE_GUARDRAIL = 10
};

typedef int32_t tl_level;
enum {
  TL_LEVEL_ANY = 0, /* in a filter: every level; none of an observation: unset reads as DEFAULT */
  TL_LEVEL_DEBUG = 1,
  TL_LEVEL_DEFAULT = 2,
  TL_LEVEL_WARNING = 3,
  TL_LEVEL_ERROR = 4
};

typedef int32_t tl_data_type;
enum {
  TL_DATA_TYPE_INFERRED = 0, /* number: NUMERIC, text: CATEGORICAL */
  TL_DATA_TYPE_NUMERIC = 1,
  TL_DATA_TYPE_BOOLEAN = 2,
  TL_DATA_TYPE_CATEGORICAL = 3,
  TL_DATA_TYPE_TEXT = 4, /* 1 to 500 characters */
  TL_DATA_TYPE_CORRECTION = 5
};

typedef int32_t tl_source;
enum { TL_SOURCE_API = 0, TL_SOURCE_EVAL = 1, TL_SOURCE_ANNOTATION = 2 };

/*
 * An input, output or metadata: comes back byte for byte as it was given (after masking).
 *
 * JSON is one valid JSON text, TEXT is UTF-8, BYTES is anything. Looking through a large payload
 * takes time, so that is done behind the queue: JSON that is not valid is kept as TEXT, and TEXT
 * that is not UTF-8 as BYTES, which is counted (TL_REASON_PAYLOAD) and told to log. Metadata that
 * is not a JSON object is kept under the key "metadata"; metadata merged from several events is
 * written anew with its keys sorted. An object below 64 keys, or below more than 512 bytes of keys,
 * is not merged by key, but replaced whole.
 *
 * NULL clears the field, as its bit in clear_mask does: it then reads back as ABSENT. The JSON text
 * null, given as JSON, is a value of an input or output like any other, and comes back as JSON;
 * metadata it clears. The JSON text {} counts only where nothing else was written, whenever that
 * was: it replaces nothing. ABSENT, given, leaves the field as it is.
 *
 * Media that a JSON or TEXT payload holds as base64 are stored once, see tl_payload_read; that
 * changes nothing of what comes back.
 *
 * In a row of a list, text.data is NULL and text.size_bytes tells the size: tl_payload_read fetches
 * the bytes on demand. An observation whose streamed text is held back by a mask until it ends has
 * the form WITHHELD, with the number of bytes withheld.
 */
typedef int32_t tl_form;
enum {
  TL_FORM_ABSENT = 0,
  TL_FORM_NULL = 1, /* given: clears the field */
  TL_FORM_JSON = 2,
  TL_FORM_TEXT = 3,
  TL_FORM_BYTES = 4,
  TL_FORM_WITHHELD = 5 /* only read, never given */
};
typedef struct tl_payload {
  tl_form form;
  tl_text text;
} tl_payload;

/* One entry of usage_details: a whole number of tokens (or other units) by name. */
typedef struct tl_usage {
  tl_text name;
  uint64_t amount;
} tl_usage;

/* One entry of cost_details: a decimal number as text, such as "0.00125", in US dollars; 12 decimal
 * places are kept. Text, because costs are summed exactly. */
typedef struct tl_cost {
  tl_text name;
  tl_text amount;
} tl_cost;

/* The fields of all entities. TL_BIT(field) is its bit in set_mask and clear_mask: a field takes
 * part if its bit is set. In a row, set_mask tells which fields have a value. */
typedef int32_t tl_field;
enum {
  TL_FIELD_TIMESTAMP = 0,
  TL_FIELD_NAME = 1,
  TL_FIELD_USER_ID = 2,
  TL_FIELD_SESSION_ID = 3,
  TL_FIELD_RELEASE = 4,
  TL_FIELD_VERSION = 5,
  TL_FIELD_ENVIRONMENT = 6,
  TL_FIELD_TAGS = 7,
  TL_FIELD_METADATA = 8,
  TL_FIELD_INPUT = 9,
  TL_FIELD_OUTPUT = 10,
  TL_FIELD_PUBLIC = 11,
  TL_FIELD_BOOKMARKED = 12,
  TL_FIELD_PARENT_OBSERVATION_ID = 13,
  TL_FIELD_TYPE = 14,
  TL_FIELD_START_TIME = 15,
  TL_FIELD_END_TIME = 16,
  TL_FIELD_COMPLETION_START_TIME = 17,
  TL_FIELD_LEVEL = 18,
  TL_FIELD_STATUS_MESSAGE = 19,
  TL_FIELD_MODEL = 20,
  TL_FIELD_MODEL_PARAMETERS = 21,
  TL_FIELD_USAGE_DETAILS = 22,
  TL_FIELD_COST_DETAILS = 23,
  TL_FIELD_PROMPT_NAME = 24,
  TL_FIELD_PROMPT_VERSION = 25,
  TL_FIELD_VALUE = 26,        /* a score's number */
  TL_FIELD_STRING_VALUE = 27, /* a score's text */
  TL_FIELD_DATA_TYPE = 28,
  TL_FIELD_SOURCE = 29,
  TL_FIELD_COMMENT = 30,
  TL_FIELD_CONFIG_ID = 31,
  TL_FIELD_AUTHOR_USER_ID = 32,
  TL_FIELD_TRACE_ID = 33,
  TL_FIELD_OBSERVATION_ID = 34
};
#define TL_BIT(field) (UINT64_C(1) << (field))

/*
 * A trace. Putting a trace with an id that exists adds to it: a field whose bit is in set_mask is
 * written, one whose bit is in clear_mask is cleared, all others stay. tags unite; metadata merges
 * by key; timestamp and environment keep the first value they were given. What unites or keeps its
 * first value is not cleared: its bit in clear_mask says nothing.
 *
 * Limits: id 1 to 800 bytes without control characters, name at most 1,000 characters, else
 * TL_INVALID. user_id, session_id, version and each tag 1 to 200 characters, else dropped with a
 * warning. environment is repaired with a warning where it must be. All that is no input, output or
 * metadata may have 63 MiB together, of whatever entity; what has more is dropped (see tl_flush).
 */
typedef struct tl_trace {
  uint32_t struct_size;
  uint64_t set_mask;
  uint64_t clear_mask;
  tl_text id;
  int64_t timestamp_ns;
  tl_text name;
  tl_text user_id;
  tl_text session_id;
  tl_text release;
  tl_text version;
  tl_text environment;
  const tl_text *tags;
  size_t tag_count;
  tl_payload metadata;
  tl_payload input;
  tl_payload output;
  int32_t is_public;
  int32_t is_bookmarked;
} tl_trace;

/*
 * An observation: a span, generation, tool call, ... inside a trace. Upserts as a trace does;
 * trace_id, start_time and environment keep the first value; usage_details, cost_details and
 * model_parameters are replaced as a whole. An id is unique within its trace. An observation
 * without a trace id is a trace of its own with the same id, until something names its trace.
 *
 * In a row without TL_FIELD_END_TIME in its set_mask the observation is unfinished: it was begun
 * and never ended (an EVENT is a point in time and is never unfinished).
 */
typedef struct tl_observation {
  uint32_t struct_size;
  uint64_t set_mask;
  uint64_t clear_mask;
  tl_text id;
  tl_text trace_id;
  tl_text parent_observation_id;
  tl_type type;
  tl_text name;
  int64_t start_time_ns;
  int64_t end_time_ns; /* an end before its start reads as the start */
  int64_t completion_start_time_ns;
  tl_level level;
  tl_text status_message;
  tl_text version;
  tl_text environment;
  tl_text user_id;
  tl_text session_id;
  const tl_text *tags;
  size_t tag_count;
  tl_payload input;
  tl_payload output;
  tl_payload metadata;
  tl_text model;
  tl_text model_parameters; /* a JSON object */
  const tl_usage *usage_details;
  size_t usage_count;
  const tl_cost *cost_details;
  size_t cost_count;
  tl_text prompt_name;
  int64_t prompt_version;
} tl_observation;

/* A score of exactly one of: a trace (trace_id), an observation (trace_id and observation_id), or a
 * session (session_id). Upserts by id: each put gives subject, name and a value (value, or
 * string_value) again; name must not be empty; subject, timestamp and environment keep the first
 * value. */
typedef struct tl_score {
  uint32_t struct_size;
  uint64_t set_mask;
  uint64_t clear_mask;
  tl_text id;
  tl_text trace_id;
  tl_text observation_id;
  tl_text session_id;
  tl_text name;
  double value;         /* a BOOLEAN is 0 or 1 */
  tl_text string_value; /* CATEGORICAL, TEXT, CORRECTION */
  tl_data_type data_type;
  tl_source source;
  tl_text comment;
  tl_payload metadata;
  tl_text config_id;
  tl_text environment;
  int64_t timestamp_ns;
  tl_text author_user_id;
} tl_score;

/* A session exists once anything carries its id; only its two flags are put by hand. */
typedef struct tl_session {
  uint32_t struct_size;
  uint64_t set_mask;
  uint64_t clear_mask;
  tl_text id;
  tl_text environment; /* only read: that of its earliest trace */
  int32_t is_public;
  int32_t is_bookmarked;
} tl_session;

/* A score, a string, a JSON payload from a terminated C string. */
static inline tl_text tl_str(const char *terminated) {
  tl_text text;
  text.data = terminated;
  text.size_bytes = terminated == NULL ? 0 : strlen(terminated);
  return text;
}
static inline tl_payload tl_json(const char *terminated) {
  tl_payload payload;
  payload.form = TL_FORM_JSON;
  payload.text = tl_str(terminated);
  return payload;
}
static inline tl_payload tl_plain(const char *terminated) {
  tl_payload payload;
  payload.form = TL_FORM_TEXT;
  payload.text = tl_str(terminated);
  return payload;
}

/* ============================================================================================== */
/* 2. Opening, flushing, closing                                                                  */
/* ============================================================================================== */

typedef struct tl_store tl_store;       /* an open file, with its recording queue and writer */
typedef struct tl_span tl_span;         /* a live observation: begun, not yet ended          */
typedef struct tl_snapshot tl_snapshot; /* a consistent view of the file at one commit       */
typedef struct tl_cursor tl_cursor;     /* a walk over rows                                  */

/* Why something was repaired, dropped, masked or refused: the argument of the log callback and of
 * tl_counter. tl_reason_name gives the short name that tools print. */
typedef int32_t tl_reason;
enum {
  TL_REASON_NONE = 0,          /* in a log message: nothing was lost */
  TL_REASON_QUEUE_FULL = 1,    /* dropped: the queue was full */
  TL_REASON_CLOSED = 2,        /* dropped: closing timed out with records still queued */
  TL_REASON_EVENT_REFUSED = 3, /* an event or put that the model refuses */
  TL_REASON_SESSION_ID = 4,    /* session id not 1 to 200 characters: dropped */
  TL_REASON_USER_ID = 5,       /* user id not 1 to 200 characters: dropped */
  TL_REASON_VERSION = 6,       /* version not 1 to 200 characters: dropped */
  TL_REASON_TAG = 7,           /* a tag not 1 to 200 characters: dropped */
  TL_REASON_ENVIRONMENT = 8,   /* environment repaired or replaced by "default" */
  TL_REASON_USAGE = 9,         /* a usage that is no whole number >= 0: dropped */
  TL_REASON_COST = 10,         /* a cost that is no decimal number: dropped */
  TL_REASON_MASKED = 11,       /* a value that the mask changed */
  TL_REASON_MASK_FAILED = 12,  /* the mask failed: the value was masked fully */
  TL_REASON_SAMPLED_OUT = 13,  /* not recorded: the sample rate left the trace out */
  TL_REASON_FIELD = 14,        /* a field of a wrong type that could be left out: dropped */
  TL_REASON_WRITE_FAILED = 15, /* an event that can never be written: dropped, see tl_flush */
  TL_REASON_PAYLOAD = 16,      /* a payload that is not of its form: kept in one that it is of */
  TL_REASON_RETENTION = 17,    /* traces that went by tl_options.retention_... */
  TL_REASON_COUNT = 18
};

typedef int32_t tl_log_level;
enum { TL_LOG_DEBUG = 1, TL_LOG_INFO = 2, TL_LOG_WARNING = 3, TL_LOG_ERROR = 4 };

/* Called for warnings and errors that no return value can tell, from the thread that met them (a
 * recording thread or the writer thread). Must not call back into the store. `message` is valid
 * during the call only. */
typedef void (*tl_log_fn)(void *context, tl_log_level level, tl_reason reason, const char *message);

/* Sees each input, output and metadata before it is stored, on the writer thread. Media have been
 * taken out already: where they were, *value has references (see tl_payload_read). A reference that
 * *masked still has, as often as *value had it, stands for its medium wherever it is now; one that
 * is missing takes its medium with it, and any other is text. *masked is *value on entry; replace
 * it to store something else (its bytes must stay valid until the next call or tl_close); with the
 * form NULL the field is cleared. A return value other than 0, a form that cannot be given, JSON
 * that is not valid, or TEXT that is not UTF-8 means that the mask failed: "<fully masked due to
 * failed mask function>" is stored instead, with a warning. Must not call back into the store. */
typedef int32_t (*tl_mask_fn)(void *context, tl_field field, const tl_payload *value,
                              tl_payload *masked);

/* Progress of long work, from the calling thread; a return value other than 0 cancels it. total is
 * 0 where it is not known. */
typedef int32_t (*tl_progress_fn)(void *context, uint64_t done, uint64_t total);

typedef int32_t tl_full_policy;
enum {
  TL_FULL_WAIT = 0, /* the recording call waits for room (until queue_wait_ms, then drops) */
  TL_FULL_DROP = 1  /* the record is dropped and counted, the call returns TL_QUEUE_FULL  */
};

/* What a power cut may take of what was recorded. Whatever it is: a crash of the program takes no
 * commit, the file is always sound, and what tl_flush has reported stays. Since 0.1.0. */
typedef int32_t tl_durability;
enum {
  TL_DURABILITY_SYNC = 0,       /* every commit is synced: no commit is lost                      */
  TL_DURABILITY_LAST_COMMIT = 1 /* half as many syncs: the last commit may be lost, never more    */
};

/* Flags of tl_options. */
typedef uint32_t tl_open_flags;
enum {
  /*
   * The file may come from anybody. All of it is looked through before anything is done with it:
   * its pages, every checksum and the sums of them, and the tables and pages of its index. What is
   * damaged, made up, or by the sums older than what was written last is refused with TL_CORRUPT,
   * also where it is a page of the index (opened without this flag, tl_reindex mends that, but for
   * one of a compacted file in a block with shared text; where only the sums are wrong tl_compact
   * makes them those of what is there). An index whose checksums are right, but which has other
   * tables than ours or is not sound, is never read: another is made in the file if it is opened
   * for writing, in memory if not. Of what the file says as it is opened; whoever writes it while
   * it is open is trusted. Without this flag a file is trusted as far as its head and its checksums
   * go, and one that was made to do harm can crash the process, or keep it at work for ever.
   *
   * It takes as long as reading the file, at about 1 GB a second from memory, and meanwhile no
   * other process and no other thread of this one can open or close it. If other processes have
   * it open already, what it says at that moment is looked through, while they go on; so it is if
   * this process has, unless it was opened with this flag then.
   */
  TL_OPEN_UNTRUSTED = 1,
  /*
   * Nobody writes the file while it is open, and who opens it answers for that: it is read without
   * a lock file, as from a read-only medium. For a file in a folder that may not be written, which
   * is refused otherwise. Needs read_only. TL_BUSY if a process has the file open with a lock file;
   * this process may, and then the flag means nothing.
   */
  TL_OPEN_IMMUTABLE = 2
};

/* Flags of tl_options.retention_flags. */
typedef uint32_t tl_retention_flags;
enum {
  /* Traces that are bookmarked stay, and those of a session that is. */
  TL_RETENTION_KEEP_BOOKMARKED = 1
};

/* How to open; zero means the default everywhere, so {.struct_size = sizeof(tl_options)} is the
 * same as NULL. */
typedef struct tl_options {
  uint32_t struct_size;
  int32_t read_only;           /* the file must exist; recording returns TL_READ_ONLY */
  uint32_t commit_interval_ms; /* default 50: how long a record may wait before it is durable */
  tl_full_policy full_policy;
  uint64_t queue_size_bytes; /* default 16 MiB, at most 64 GiB: what may wait to be written */
  uint32_t queue_wait_ms;    /* with TL_FULL_WAIT; default 0: without limit */
  int32_t sample_rate_set;   /* nonzero: sample_rate counts (so that a rate of 0 can be said) */
  double sample_rate;        /* 0 to 1, default 1: share of traces that is recorded, by trace id */
  tl_mask_fn mask;
  void *mask_context;
  tl_log_fn log;
  void *log_context;
  /* Of what is recorded without one. An environment that has to be repaired is told to the log
   * once, as tl_open returns; so is a release in a variable that is not UTF-8, and then there is
   * none. */
  tl_text default_environment; /* else LANGFUSE_TRACING_ENVIRONMENT, else "default" */
  tl_text default_release;     /* else LANGFUSE_RELEASE or the usual CI variables, else none */
  uint64_t map_size_bytes;     /* default 256 GiB: address space reserved for the file; grows */
  /* Of what this store records; whatever a file was written with, all can read it. */
  int32_t compression_level;      /* 1 to 19, default 3: zstd's; higher is smaller and slower */
  uint32_t dictionary_size_bytes; /* at most 1 MiB, default 32 KiB; below 256: no dictionaries */
  tl_durability durability;       /* of what this store records */
  uint32_t drain_on_sigterm_ms;   /* 0: not; see below */
  tl_open_flags flags;            /* TL_OPEN_..., added together */
  /* Default 0: none. While the disk has less room than this, nothing that is recorded is written:
   * it waits in the queue (see full_policy), tl_flush returns TL_DISK_FULL, the log is told, and it
   * goes on by itself when there is room. tl_delete, tl_delete_securely and tl_compact are not held
   * up, and write what is queued before; tl_reindex and tl_backup are. Since 0.1.0. */
  uint64_t free_disk_min_bytes;
  /* Caps that keep themselves, 0: none; see below. Since 0.1.0. */
  uint64_t retention_age_ms;     /* a trace goes when its last activity is older */
  uint64_t retention_size_bytes; /* the oldest traces go while more is in use; at least 1 MiB */
  tl_retention_flags retention_flags; /* TL_RETENTION_..., added together */
} tl_options;

/*
 * retention_age_ms, retention_size_bytes: traces go by themselves, as by tl_delete, when their last
 * activity (the latest of the trace's timestamp and of the starts and ends of its observations) is
 * older than so many milliseconds, and the oldest ones first while more bytes of the file are in
 * use. In use is what no commit can take for something else: the file's size without its free
 * pages, whatever the file system makes of these. Choose a size well above what is recorded at a
 * time: what is deleted while it is still recorded begins anew. What names no trace (a score whose
 * trace never came, a session that has only flags) stays until somebody deletes it.
 *
 * The file really gets smaller: when it takes more of the disk than is in use, by an eighth of that
 * and 4 MiB, the free pages that no snapshot can reach are given back as holes in the file, where
 * its file system can do that. The size that a folder lists stays; tl_compact makes that small as
 * well.
 *
 * The caps are those of the store, not of the file: whoever opens it says which hold while it is
 * open, and several stores, of one process or of many, may say different ones. The work is done by
 * the thread that writes: at the opening, after commits, and then for as long as there is something
 * to do and nothing to record; never by a timer. A step is one commit of at most some 2 MiB, after
 * which recording goes on. Under a flood that lasts, half of the thread's time is spent on it, so
 * the size may be exceeded for a while. Looking for what is too old happens 256 times in the age,
 * and not more often than once a second; deleting by size stops a 32nd below the cap. What was
 * deleted is told to the log, once for each run of steps, and counted by TL_REASON_RETENTION.
 *
 * The size may stay above the cap. Where the oldest traces share their text with those that stay,
 * deleting them makes little room, and is given up; where nothing may go that is left, too. The log
 * is told (TL_LOG_WARNING), and it is tried again when the file has grown by a 32nd of the cap.
 * tl_compact makes the room that sharing keeps.
 *
 * A clock that is ahead by more than a day of the newest trace in the file, when it is opened, or
 * of the time that has passed since is not believed before it has been so for an hour: until then
 * age is counted on from what was known. Traces that are dated into the future stay until then. No
 * effect on a store opened read-only. Since 0.1.0.
 */

/*
 * drain_on_sigterm_ms: what is queued when SIGTERM comes, or when the program ends by exit() or by
 * returning from main() with the store open, is made durable before it ends, for so many
 * milliseconds at most; after these (tl_flush would say TL_TIMEOUT) the rest is lost.
 *
 * Opening the first such store installs a handler of SIGTERM and starts a thread that sleeps until
 * the signal comes; closing the last one puts back what was there. When the signal has come and the
 * stores are drained, what would have happened without happens: the process ends of SIGTERM, or the
 * handler that was installed before is called. Other threads go on until then. A handler that is
 * installed later takes the place of this one, unless it calls it; it may call tl_flush outside the
 * signal instead, as must a program that blocks SIGTERM and takes it by sigwait(). Spans still live
 * stay in the file as unfinished. SIGKILL and _exit() give no time to anybody.
 *
 * A child of fork() drains nothing of its parent, and has the parent's handler of before; a store
 * that it opens may ask anew. No effect on a store opened read-only. Since 0.1.0.
 */

/*
 * Opens the file at `path` (terminated, UTF-8), creating it with mode 0600 unless read-only.
 *
 * One file may be opened any number of times, in any number of threads and processes; each store
 * has its own queue and writer, and writers take turns. While it is open a file with "-lock" added
 * to the name stands beside it; after the last close nothing but the file is left. A crash needs no
 * recovery: the next open finds every commit, and nothing half of one.
 *
 * A symbolic link leads to the file that it names, beside which the lock file lies then. Whoever
 * the file's mode lets write may write the lock file; one that root makes belongs to the file's
 * owner. A link in the place of the lock file is removed, or refused with TL_PERMISSION.
 *
 * An index that another version of tracelite has made is made anew, as by tl_reindex, when the file
 * is opened for writing; the log is told before, because it takes a while with a large file. Opened
 * read-only, one is made in memory, by the first query and whenever the file has changed since; the
 * log is told that with TL_LOG_WARNING. With TL_OPEN_UNTRUSTED the same becomes of an index that is
 * none that tracelite makes.
 *
 * Errors: TL_NOT_FOUND (read-only, or the folder is missing), TL_PERMISSION (also where the folder
 * may not be written, without which there is no lock file: see TL_OPEN_IMMUTABLE),
 * TL_NOT_TRACELITE, TL_NEWER_FORMAT, TL_OTHER_GEOMETRY, TL_CORRUPT (truncated or damaged; see
 * TL_OPEN_UNTRUSTED), TL_UNSUPPORTED (a network file system), TL_DISK_FULL, TL_IO, TL_NO_MEMORY,
 * TL_BUSY, TL_INVALID (an option is out of its range).
 */
TL_API tl_status tl_open(const char *path, const tl_options *options, tl_store **store);

/*
 * Waits until everything recorded before this call, by any thread, is durable on disk. *position
 * (may be NULL) receives the number of the newest commit then: it, or one before it, holds what was
 * recorded, and commits of others may be among them. That holds for every tl_options.durability:
 * where commits are not synced each by itself, this syncs the last one.
 *
 * timeout_ms: 0 asks without waiting; UINT32_MAX waits until it is durable or a try has failed.
 * Errors: TL_TIMEOUT (the work goes on); TL_DISK_FULL, TL_IO, TL_NO_MEMORY, TL_BUSY, and of a file
 * that was compacted by another process and then moved away or replaced also those of tl_open (it
 * cannot be written now; it is kept, and tried again until it can); TL_CORRUPT, TL_LIMIT,
 * TL_INTERNAL (all is durable but records that can never be written, because what they would change
 * is damaged, say: these were dropped, and counted by TL_REASON_WRITE_FAILED; told once).
 */
TL_API tl_status tl_flush(tl_store *store, uint32_t timeout_ms, uint64_t *position);

/*
 * Says whether the calls of this thread that record, into whatever store, drop when a queue is full
 * (nonzero), whatever the store's full_policy is, or follow that (0, as every thread does at
 * first). For threads that must not wait, such as that of an event loop. No errors. Since 0.1.0.
 */
TL_API void tl_drop_when_full(int32_t drops);

/* What tl_close found. */
typedef struct tl_close_report {
  uint32_t struct_size;
  uint32_t open_span_count; /* spans still live: they stay in the file as unfinished */
  uint64_t dropped_count;   /* records that were still queued when it gave up */
} tl_close_report;

/*
 * Drains the queue, waits until it is durable, closes the file and frees the store. No other call
 * on the store may be running but tl_wait, which returns TL_MISUSE then. Spans, snapshots and
 * cursors still open become invalid handles that may only be freed (tl_end, tl_snapshot_close,
 * tl_cursor_close), and return TL_MISUSE. The file, its lock file and what a snapshot still sees
 * stay until the last of them is freed.
 *
 * timeout_ms: what cannot be written (TL_DISK_FULL, TL_IO, ...) is tried again for as long, and
 * then it is lost; with UINT32_MAX it is lost when one try has failed. A commit that has begun is
 * waited for in any case, which may take as long as somebody else's tl_compact. report may be NULL.
 * Errors: TL_TIMEOUT (the store is closed all the same; report->dropped_count tells what was lost),
 * and those of tl_flush. The store is freed in every case but TL_MISUSE.
 */
TL_API tl_status tl_close(tl_store *store, uint32_t timeout_ms, tl_close_report *report);

/* ============================================================================================== */
/* 3. Recording                                                                                   */
/* ============================================================================================== */

/*
 * Upsert by id, in any order: an observation may come before its trace, an update before its
 * create. Each call copies its argument into the queue and returns; it never waits for the disk
 * (but see tl_options.full_policy). Durable after the next tl_flush, or about commit_interval_ms
 * later.
 *
 * Errors: TL_INVALID (tl_error names the field and the reason; nothing is recorded),
 * TL_READ_ONLY, TL_QUEUE_FULL (dropped and counted), TL_NO_MEMORY.
 */
TL_API tl_status tl_put_trace(tl_store *store, const tl_trace *trace);
TL_API tl_status tl_put_observation(tl_store *store, const tl_observation *observation);
TL_API tl_status tl_put_score(tl_store *store, const tl_score *score);
TL_API tl_status tl_put_session(tl_store *store, const tl_session *session);

/*
 * Begins a live observation. With a parent, it joins the parent's trace under it; without one it
 * joins observation->trace_id, or starts a new trace. id, trace_id and start_time_ns are made where
 * absent (random ids in W3C form, the clock). It is in the file from now on, unfinished until it
 * ends. `observation` may be NULL.
 *
 * *span is freed by tl_end. If recording it fails, *span is NULL, and a NULL span is accepted by
 * every function below (TL_MISUSE, nothing happens), so that a caller need not check.
 * Errors: as tl_put_observation.
 */
TL_API tl_status tl_begin(tl_store *store, tl_span *parent, const tl_observation *observation,
                          tl_span **span);

/* Adds to a live observation: the fields in set_mask and clear_mask (ids are ignored). Calls on one
 * span are ordered as they were made, even when the clock steps back.
 * Errors: as tl_put_observation. */
TL_API tl_status tl_update(tl_span *span, const tl_observation *observation);

/*
 * Appends text to TL_FIELD_OUTPUT (or TL_FIELD_INPUT) of a live observation, as a model streams it:
 * what was appended before a crash is in the file. The first append to the output also sets
 * completion_start_time, unless it was set. A later tl_update or tl_end that sets the field
 * replaces the streamed text, and an append after that begins a new one.
 *
 * The text may grow without limit, by pieces of any size: the library needs memory for the queue
 * (tl_options.queue_size_bytes) and some 48 MiB, however long it has grown and however much comes
 * at once. It is recorded in pieces of at most 512 KiB, cut between characters, so a reader may see
 * the begin of an append before the rest of it; and an append that fails with TL_QUEUE_FULL, or
 * TL_NO_MEMORY, may have recorded the begin of its text. tl_payload_read reads it back, in parts.
 *
 * When the observation ends, a streamed text of up to 4 MiB is treated like any other payload: it
 * shares what it has in common with others, and its media are taken out. A longer one stays as it
 * was streamed, with its media in its text. An end that is set earlier does not end the text. With
 * tl_options.mask set, text of any length is held back in memory, whole, until the observation
 * ends, because the mask sees it whole.
 *
 * Errors: as tl_put_observation.
 */
TL_API tl_status tl_append(tl_span *span, tl_field field, tl_text text);

/* Ends a live observation, at observation->end_time_ns or now, with last fields to add (observation
 * may be NULL). Always frees the span. Errors: as tl_put_observation; with TL_INVALID the end is
 * recorded all the same, without the fields. */
TL_API tl_status tl_end(tl_span *span, const tl_observation *observation);

/* The ids of a live observation, for scores, links and children elsewhere; valid until tl_end.
 * trace_id and observation_id may be NULL. */
TL_API tl_status tl_span_ids(const tl_span *span, tl_text *trace_id, tl_text *observation_id);

/* ============================================================================================== */
/* 4. Events in and out                                                                           */
/* ============================================================================================== */

typedef int32_t tl_format;
enum {
  TL_FORMAT_LANGFUSE = 1 /* Langfuse ingestion events; export writes one event a line */
};

/* Gives the next bytes of the input: returns how many were put into buffer, 0 at the end, less than
 * 0 to fail (tl_import then returns TL_CANCELLED). */
typedef int64_t (*tl_read_fn)(void *context, void *buffer, size_t capacity_bytes);

/* Takes bytes of the output; a return value other than 0 stops the export (TL_CANCELLED). */
typedef int32_t (*tl_write_fn)(void *context, const void *data, size_t size_bytes);

/* What became of one event. Texts are valid during the call only. */
typedef struct tl_outcome {
  uint32_t struct_size;
  uint64_t line;       /* of the input, from 1 */
  uint64_t index;      /* of the event in the input, from 0 */
  tl_text event_id;    /* absent if the event has none */
  int32_t http_status; /* 201: recorded; 400: refused; 207 is never used */
  int32_t is_warning;  /* nonzero: recorded, but something was repaired or dropped */
  tl_reason reason;
  tl_text field; /* the field at fault; absent if none */
  tl_text message;
} tl_outcome;

/* Called once for each failed event, once for each warning, and once for each event that succeeded
 * (with is_warning 0 and http_status 201). Of an event with more than 100 warnings, the last one of
 * a reason says how many more there were. */
typedef void (*tl_outcome_fn)(void *context, const tl_outcome *outcome);

typedef struct tl_import_report {
  uint32_t struct_size;
  uint64_t event_count;
  uint64_t succeeded_count; /* those with warnings included */
  uint64_t warned_count;    /* events with at least one warning */
  uint64_t failed_count;
  uint64_t ignored_count; /* sdk-log events: valid, nothing to record */
} tl_import_report;

/*
 * Reads ingestion events from read_fn until its end and records them: a batch object
 * {"batch":[...]}, an array, one event, or JSON Lines of any of these. Each event succeeds or fails
 * by itself; a bad one never spoils its neighbours. Memory is bounded by the queue and the largest
 * line, of at most 1 GiB (a longer one fails; a batch or array that spans lines is held whole, and
 * ends the import with TL_LIMIT if it is longer). Where the queue is full this waits, whatever
 * tl_options.full_policy and tl_drop_when_full say. Returns when everything is durable.
 *
 * outcome_fn, progress (in bytes read) and report may be NULL. *report is of what was read so far
 * where an error is returned, too.
 * Errors: TL_READ_ONLY, TL_CANCELLED, TL_LIMIT, and those of tl_flush. Failed events are not an
 * error of the call: report->failed_count tells.
 */
TL_API tl_status tl_import(tl_store *store, tl_format format, tl_read_fn read_fn,
                           void *read_context, tl_outcome_fn outcome_fn, void *outcome_context,
                           tl_progress_fn progress, void *progress_context,
                           tl_import_report *report);

/* What to list, export, ...: every condition that is given must hold. Zero means "any". */
typedef struct tl_filter {
  uint32_t struct_size;
  tl_text trace_id;
  tl_text session_id;
  tl_text user_id;
  const tl_text *tags; /* all of them; at most 200, else TL_LIMIT */
  size_t tag_count;
  tl_text environment;
  tl_text name;
  tl_text release;
  tl_text version;
  tl_level level;
  tl_type type;
  tl_text model;
  tl_text metadata_key;   /* a key at the top level of metadata, of at most 16 MiB of it */
  tl_text metadata_value; /* with metadata_key: its scalar value as text (3, true, abc) */
  int64_t from_ns;        /* inclusive; 0: no bound */
  int64_t to_ns;          /* exclusive; 0: no bound */
} tl_filter;

/*
 * How a filter applies to each kind:
 *   traces        session, user: the trace or one of its observations names it. tags, environment,
 *                 name, release, version, metadata, time: the trace's own. level, type, model: one
 *                 of its observations has all of those given.
 *   observations  environment, name, version, level, type, model, metadata, time: the
 *                 observation's own. session, user, tags, release: of its trace.
 *   scores        environment, name, time and metadata: the score's own. session: its session, or
 *                 one of its trace. user, tags, release, version: of its trace. level, type, model:
 *                 of its observation, or of one in its trace.
 *   sessions, users, tags, environments, names, models, days
 *                 those that the traces (names, models and days: observations) selected by the
 *                 filter name, with aggregates over just these. Days that are asked for with no
 *                 more than a model and times at midnight are kept summed up: the list takes no
 *                 longer however many observations there are.
 * Time is a trace's timestamp, an observation's start time, a score's timestamp.
 */

/* Writes everything, or what belongs to the traces (and session scores) that the filter selects, as
 * events in the order of time and id: importing them gives the same visible state, and exporting
 * that gives the same bytes; but TEXT comes back as JSON that is a string, and an input or output
 * that is the JSON text null, or WITHHELD, is left out. Each event is one line: what is longer than
 * 1 GiB is written, and refused by tl_import. snapshot may be NULL: as of now. filter and progress
 * may be NULL; progress counts traces.
 * Errors: TL_CANCELLED, TL_CORRUPT, TL_IO, TL_NO_MEMORY. */
TL_API tl_status tl_export(tl_store *store, tl_snapshot *snapshot, const tl_filter *filter,
                           tl_format format, tl_write_fn write_fn, void *write_context,
                           tl_progress_fn progress, void *progress_context);

/* ============================================================================================== */
/* 5. Reading                                                                                     */
/* ============================================================================================== */

/*
 * Opens a consistent view of the newest commit: all reads through it agree, and never wait for a
 * writer. A read with a NULL snapshot sees its own view of "now" for that call or cursor. Close
 * snapshots soon: the file cannot reuse pages that one still sees. (If the address space reserved
 * for the file must grow, an idle snapshot is renewed to a newer commit; its cursors go on from
 * their position, without what was deleted since. If the file was compacted since, reads answer
 * TL_BUSY instead.) What was recorded but not yet flushed is not seen.
 * Errors: TL_BUSY (too many readers), TL_IO, TL_NO_MEMORY.
 */
TL_API tl_status tl_snapshot_open(tl_store *store, tl_snapshot **snapshot);
TL_API void tl_snapshot_close(tl_snapshot *snapshot); /* NULL is fine; cursors on it stay valid */

/* The sums of a trace, or of all traces and observations that name a session, user, tag, ... For
 * TL_KIND_DAY those of the observations of one model, or of none, that began on one day: there
 * trace_count and latency_ns are 0, and the activities are the first and the last nanosecond of the
 * day. */
typedef struct tl_aggregate {
  uint32_t struct_size;
  tl_text key; /* groups: the user id, tag, environment, name or model; the day: "2026-11-21" */
  uint64_t trace_count;
  uint64_t observation_count;
  uint64_t score_count; /* traces and sessions */
  uint64_t debug_count; /* observations by level */
  uint64_t default_count;
  uint64_t warning_count;
  uint64_t error_count;
  uint64_t unfinished_count; /* observations that were begun and never ended */
  uint64_t input_tokens;
  uint64_t output_tokens;
  uint64_t total_tokens;
  tl_text total_cost;        /* an exact decimal number; "0" if none */
  int64_t first_activity_ns; /* the earliest start */
  int64_t last_activity_ns;  /* the latest start or end */
  int64_t latency_ns;        /* latest end minus earliest start; 0 if nothing has ended */
  tl_text model;             /* days: the model; empty: observations without one. Since 0.1.0 */
} tl_aggregate;

typedef int32_t tl_phase;
enum {
  TL_PHASE_NONE = 0, /* not a replay */
  TL_PHASE_BEGIN = 1,
  TL_PHASE_END = 2,
  TL_PHASE_POINT = 3 /* an EVENT: begin and end in one */
};

/* One row. Only the pointer that `kind` names is not NULL; `aggregate` comes with traces, sessions
 * and groups. Everything is valid until the next call on the cursor. */
typedef struct tl_row {
  uint32_t struct_size;
  tl_kind kind;
  const tl_trace *trace;
  const tl_observation *observation;
  const tl_score *score;
  const tl_session *session;
  const tl_aggregate *aggregate;
  uint32_t depth;     /* tree and replay: 0 for the trace, 1 for its roots, ... */
  tl_phase phase;     /* replay */
  int64_t at_ns;      /* replay: when this step happened */
  int64_t wait_ns;    /* replay: how long to wait before it, at the pace asked for */
  int32_t is_derived; /* a trace that has no record of its own: it is read from its observations */
  int32_t is_unfinished; /* an observation that never ended */
} tl_row;

typedef int32_t tl_order;
enum {
  TL_ORDER_TIME = 0,    /* timestamp, start time; groups: last activity; days: also the model */
  TL_ORDER_NAME = 1,    /* groups: the key; sessions: the id; days: the day, then the model */
  TL_ORDER_LATENCY = 2, /* this and the next two: not for scores */
  TL_ORDER_TOKENS = 3,
  TL_ORDER_COST = 4,
  TL_ORDER_ASCENDING = 0x100 /* add to one of the above; without it the largest come first */
};

/*
 * Lists entities or groups of one kind. snapshot and filter may be NULL. `after` is a position from
 * tl_position (or absent): the list goes on after that row, and stays right while rows are added.
 * limit 0 means all. Lists never read payloads; tl_preview shows how those of a row begin.
 * Errors: TL_INVALID (a position of another list; an order that the kind has not), TL_BUSY,
 * TL_CORRUPT, TL_IO, TL_NO_MEMORY.
 */
TL_API tl_status tl_list(tl_store *store, tl_snapshot *snapshot, tl_kind kind,
                         const tl_filter *filter, tl_order order, tl_text after, uint64_t limit,
                         tl_cursor **cursor);

/*
 * Walks a trace as a tree: the trace itself (depth 0), then its observations, each before its
 * children, siblings in the order of start time and id. A parent that is missing makes its child a
 * root; a cycle is cut at its earliest member. Any size and depth.
 * Errors: TL_NOT_FOUND, and those of tl_list.
 */
TL_API tl_status tl_tree(tl_store *store, tl_snapshot *snapshot, tl_text trace_id,
                         tl_cursor **cursor);

typedef struct tl_replay_options {
  uint32_t struct_size;
  double speed;       /* 1: as recorded (default), 10: ten times as fast */
  int64_t max_gap_ns; /* longer waits are shortened to this; 0: not */
} tl_replay_options;

/*
 * Replays a session: the begin and the end of every trace and observation of it in the order of
 * time (an end never before its begin; that of a trace before all in it, and at the same moment a
 * parent's before its children's). The library does not sleep: row.wait_ns tells how long to wait
 * before showing the row. options may be NULL.
 * Errors: TL_NOT_FOUND, and those of tl_list.
 */
TL_API tl_status tl_replay(tl_store *store, tl_snapshot *snapshot, tl_text session_id,
                           const tl_replay_options *options, tl_cursor **cursor);

/* The next row, or TL_DONE. row->struct_size must be set.
 * Errors: TL_CANCELLED (see tl_cursor_cancel), TL_BUSY (see tl_snapshot_open), TL_CORRUPT, TL_IO,
 * TL_NO_MEMORY. */
TL_API tl_status tl_next(tl_cursor *cursor, tl_row *row);

/* Makes tl_next return TL_CANCELLED: the call that is under way, within a millisecond or so, and
 * every later one. For a list that takes longer than its reader wants to wait. May be called by any
 * thread while another is in tl_next, but not once tl_cursor_close was called. Never waits. No
 * errors of its own. Since 0.1.0. */
TL_API tl_status tl_cursor_cancel(tl_cursor *cursor);

/* The position after the last row that tl_next gave, for `after` of a later tl_list with the same
 * kind, filter and order; printable text, valid until the next call on the cursor.
 * Errors: TL_MISUSE (a tree or replay, or before the first row). */
TL_API tl_status tl_position(tl_cursor *cursor, tl_text *position);

TL_API void tl_cursor_close(tl_cursor *cursor); /* NULL is fine */

/* One entity (or group, but not a day) by its id, as a cursor with one row. trace_id is needed for
 * an observation whose id is in several traces, and may be absent otherwise. Errors: TL_NOT_FOUND,
 * and those of tl_list. */
TL_API tl_status tl_get(tl_store *store, tl_snapshot *snapshot, tl_kind kind, tl_text trace_id,
                        tl_text id, tl_cursor **cursor);

/* How a payload is read. */
typedef int32_t tl_read_mode;
enum {
  TL_READ_AS_GIVEN = 0, /* byte for byte as it was given (after masking) */
  TL_READ_AS_STORED = 1 /* with references in the place of media */
};

/*
 * Reads input, output or metadata of the row that tl_next gave last: up to capacity_bytes from
 * offset into buffer; *size_bytes receives how many (less than capacity_bytes at the end only).
 * offset counts in the bytes of that mode. What is read bounds the memory needed, not how large the
 * payload or a medium in it is.
 *
 * Media are what payloads hold as base64 of at least 128 characters: data URIs
 * (data:image/png;base64,...) anywhere in text or in a JSON string; and in JSON the "data" of
 * {"type":"base64","media_type":...}, {"type":"media","mime_type":...} and
 * "inline_data":{"mime_type":...} (also "inlineData", "mimeType"). They are taken out where
 * encoding them again gives the identical text, and stored once for the whole file, as bytes. As
 * stored, a reference stands there instead:
 *     @@@langfuseMedia:type=image/png|id=22 characters|source=base64_data_uri@@@
 * A text that only looks like a reference, because somebody wrote it so, stays text in both modes.
 * Text of tl_append keeps its media until the observation has ended, and for good if it is longer
 * than 4 MiB.
 *
 * Errors: TL_NOT_FOUND (the field is absent), TL_INVALID (no such field or mode), TL_EXPIRED (the
 * snapshot was renewed, see tl_snapshot_open, and the payload was deleted or written anew since the
 * row was read: get the row again, and read from the begin), TL_BUSY, TL_CORRUPT, TL_IO,
 * TL_NO_MEMORY.
 */
TL_API tl_status tl_payload_read(tl_cursor *cursor, tl_field field, tl_read_mode mode,
                                 uint64_t offset, void *buffer, size_t capacity_bytes,
                                 size_t *size_bytes);

/* The size of a payload in a mode; as given it is what the row says. Errors: as tl_payload_read. */
TL_API tl_status tl_payload_size(tl_cursor *cursor, tl_field field, tl_read_mode mode,
                                 uint64_t *size_bytes);

/*
 * The begin of input, output or metadata of the row that tl_next gave last, for a list to show: up
 * to character_count characters (0: 200), as stored, that is with references in the place of media.
 * Of BYTES as many bytes. Reads no more of the payload than that needs. *preview is valid until the
 * next preview of this field or the next tl_next; empty where the field is absent or withheld.
 * Errors: TL_INVALID (no such field), and but for TL_NOT_FOUND those of tl_payload_read. Since
 * 0.1.0.
 */
TL_API tl_status tl_preview(tl_cursor *cursor, tl_field field, uint32_t character_count,
                            tl_text *preview);

typedef struct tl_medium {
  uint32_t struct_size;
  tl_text mime; /* its MIME type as it was first given; valid until this thread reads another */
  uint64_t size_bytes;
  uint64_t use_count; /* how often payloads of the file refer to it */
} tl_medium;

/*
 * Reads a medium, as bytes, by the id that references have (22 characters: the begin of the
 * URL-safe base64 of its SHA-256) or by a whole reference: up to capacity_bytes from offset into
 * buffer, *size_bytes receives how many. medium may be NULL; its struct_size must be set. snapshot
 * may be NULL: as of now. A medium is there as long as a payload refers to it.
 * Errors: TL_NOT_FOUND, TL_BUSY, TL_CORRUPT, TL_IO, TL_NO_MEMORY.
 */
TL_API tl_status tl_media_read(tl_store *store, tl_snapshot *snapshot, tl_text id, uint64_t offset,
                               void *buffer, size_t capacity_bytes, size_t *size_bytes,
                               tl_medium *medium);

/*
 * Following what is recorded, by whatever process:
 *
 *     uint64_t newest, position = statistics.commit_number;        from tl_stats: from now on
 *     while (tl_wait(store, position, UINT32_MAX, &newest) == TL_OK)
 *       if (tl_changes(store, position, NULL, &position, &cursor) == TL_EXPIRED)
 *         ... list anew, and go on from position
 *       else
 *         ... tl_next(cursor, &row), tl_cursor_close(cursor)
 */

/*
 * Waits until the newest commit is another one than `position`, by any thread or process, this
 * store's own included, and tells it in *newest. Costs nothing while nothing is committed: the
 * operating system tells of each. Any number of threads may wait. tl_compact by anybody is a
 * commit, after which positions go on. A position of another file returns at once.
 *
 * timeout_ms: 0 asks without waiting; UINT32_MAX waits without limit.
 * Errors: TL_TIMEOUT (none came; *newest is position), TL_CANCELLED (a signal came to this thread;
 * wait again), TL_MISUSE (the store was closed meanwhile), TL_UNSUPPORTED (not on Linux), TL_BUSY,
 * TL_IO (the system watches no more files: see fs.inotify), TL_NO_MEMORY. Since 0.1.0.
 */
TL_API tl_status tl_wait(tl_store *store, uint64_t position, uint32_t timeout_ms, uint64_t *newest);

/*
 * What changed in the commits behind `position`: the traces, observations and scores that came or
 * changed, each once, as it is now, in the order of time (a trace's timestamp, an observation's
 * start, a score's timestamp). That is also an observation whose start is long ago, and the end of
 * one begun before. What was deleted since is left out, and what only changed because something
 * else did: a trace whose sums grew, a session. *newest receives the position to go on from.
 *
 * The file remembers the changes of its newest commits only, some thousand entities, and none from
 * before a commit of more than 128, as an import makes them. If it does not go back to position,
 * the answer is TL_EXPIRED, and *newest is set: list what is needed, with a snapshot opened after
 * this call, and go on from *newest.
 *
 * filter may be NULL. It is about the row itself as in tl_list, with these differences: session_id
 * and user_id mean that the row or its trace's record names it; tags and release are those of the
 * trace's record; level, type and model select observations only; a filter by metadata is refused.
 * The cursor has no positions. Errors: TL_EXPIRED, TL_INVALID (a filter by metadata), and those of
 * tl_list. Since 0.1.0.
 */
TL_API tl_status tl_changes(tl_store *store, uint64_t position, const tl_filter *filter,
                            uint64_t *newest, tl_cursor **cursor);

/* ============================================================================================== */
/* 6. Keeping                                                                                     */
/* ============================================================================================== */

typedef struct tl_statistics {
  uint32_t struct_size;
  uint32_t format_version;
  uint64_t trace_count;
  uint64_t observation_count;
  uint64_t score_count;
  uint64_t session_count;
  uint64_t user_count;
  uint64_t payload_size_bytes; /* of all inputs, outputs and metadata, as they were given */
  uint64_t file_size_bytes;
  uint64_t commit_number;     /* of the newest commit */
  uint64_t oldest_reader_lag; /* commits that the oldest snapshot of any process is behind */
  uint64_t queued_size_bytes; /* of this store: recorded and not yet durable */
} tl_statistics;

/* Statistics of the newest commit, in constant time. Errors: TL_CORRUPT, TL_IO. */
TL_API tl_status tl_stats(tl_store *store, tl_statistics *statistics);

/* How often something was repaired, dropped, masked or refused for this reason, in this file since
 * it was created (what this store has counted since its last commit included). It never falls while
 * the store is open. Errors: TL_INVALID (no such reason), TL_CORRUPT, TL_IO. */
TL_API tl_status tl_counter(tl_store *store, tl_reason reason, uint64_t *count);
TL_API const char *tl_reason_name(tl_reason reason); /* NULL for a number that is no reason */

/* Called for each line of tl_space. table is empty but for SQLite's tables and indexes, which lie
 * in the key space "page". The texts are valid during the call. */
typedef void (*tl_space_fn)(void *context, tl_text key_space, tl_text table, uint64_t size_bytes);

/*
 * Tells where the bytes of the file are, in lines that add up to its size. "free" is what the next
 * commits will use, "lmdb" what LMDB keeps of its own. Reads the whole index. The callback must not
 * call the library. Errors: TL_CORRUPT, TL_IO, TL_NO_MEMORY.
 */
TL_API tl_status tl_space(tl_store *store, tl_space_fn line, void *context);

/* What tl_delete and tl_delete_securely have deleted: what lists and statistics counted before. */
typedef struct tl_delete_report {
  uint32_t struct_size;
  uint64_t trace_count;
  uint64_t observation_count;
  uint64_t score_count;
  uint64_t session_count;
  uint64_t zeroed_size_bytes;    /* tl_delete_securely: overwritten with zeros */
  uint64_t remaining_size_bytes; /* and what is free, but snapshots can still reach */
} tl_delete_report;

/*
 * Deletes the traces that the filter selects, as tl_list does for TL_KIND_TRACE, each with all its
 * observations and scores. With user_id that is every trace in which the trace or one of its
 * observations names the user; with to_ns every trace before a time. What was recorded before the
 * call is deleted, too; an event that comes later for an id that was deleted starts it anew.
 *
 * A session goes, with its flags and its scores, together with the last trace that belongs to it.
 * What has no trace goes as well where the filter is about nothing else:
 *   - trace_id or session_id alone: the scores of a trace that never came; the session;
 *   - only times, environment, trace_id and session_id: such scores, and sessions without traces,
 *     if the filter selects all the scores that are there; by times alone also a session that has
 *     nothing but flags, by when they were put.
 *
 * A filter without a condition is refused with TL_INVALID, so that nothing is deleted by accident;
 * to delete everything, give a time that covers it: from_ns = INT64_MIN.
 *
 * Works in commits of about 8 MiB, on the calling thread; others read and write in between. A
 * snapshot opened before goes on seeing everything. Traces disappear as a whole, except those with
 * thousands of observations: they lose them over several commits. If the call fails or is
 * cancelled, what was deleted stays deleted, and calling again goes on. The room is used by the
 * next commits.
 *
 * progress and report may be NULL; progress counts traces. Errors: TL_READ_ONLY, TL_CANCELLED,
 * TL_CORRUPT (a trace is damaged and stays; all others are deleted), TL_DISK_FULL, TL_BUSY, TL_IO,
 * TL_NO_MEMORY, and those of tl_flush. *report is filled in these cases, too.
 */
TL_API tl_status tl_delete(tl_store *store, const tl_filter *filter, tl_progress_fn progress,
                           void *progress_context, tl_delete_report *report);

/*
 * Deletes as tl_delete does, makes the index anew (tl_reindex), and then overwrites with zeros what
 * is free in the file: pages of these and of earlier deletions, and the bytes of other pages that
 * nothing lies in. Where the file system can do that, the pages are then given back to it as holes.
 * Everything is durable when it returns TL_OK: but for what is named below, no byte of the file
 * says any more what was deleted.
 *
 * A page that a snapshot of some process can still reach has to stay for it. timeout_ms says how
 * long to wait until these are closed (0: not at all, UINT32_MAX: without limit); then TL_TIMEOUT
 * comes, and report->remaining_size_bytes tells how much is left. Calling again, with the same
 * filter, goes on. Recording goes on meanwhile, but for the time that making the index anew takes.
 *
 * What it cannot reach, and tl_compact does:
 *   - text that payloads of other traces share, and payloads of a session of which other traces
 *     stay: its texts are kept together until the last one goes;
 *   - dictionaries that compress others, which were trained on what there was;
 *   - unused bytes that a later commit leaves, of a process that had the deleted records in memory.
 * Neither reaches copies outside the file: backups, exports, what a killed tl_salvage has left, the
 * blocks that a file system which copies on write, a journal or a flash disk keeps, memory and
 * swap. Since 0.1.0.
 *
 * progress counts traces. Errors: TL_TIMEOUT, and those of tl_delete. TL_CANCELLED, and TL_CORRUPT
 * where a trace that was selected is damaged, come before anything is overwritten; any other may
 * come when a part is, and calling again, with the same filter, goes on. *report is filled in these
 * cases, too.
 */
TL_API tl_status tl_delete_securely(tl_store *store, const tl_filter *filter, uint32_t timeout_ms,
                                    tl_progress_fn progress, void *progress_context,
                                    tl_delete_report *report);

/* Called for each thing that tl_check finds wrong, or tl_salvage leaves behind; `where` names the
 * key space or table, or "head", "key spaces", "free pages", "lost pages" or "sums". */
typedef void (*tl_finding_fn)(void *context, tl_text where, tl_text message);

/* Checks the whole file, as the newest commit has it: the structure of its pages, every checksum
 * and their sums, every record and payload, and the index against the records. Others may go on
 * writing. Where the structure is damaged, nothing further is looked at, and where a value is, not
 * the index; tl_salvage brings out the rest. Where only pages are lost, or sums are wrong because
 * something older is in the place of what was written last, tl_compact makes a sound file of what
 * is there. finding and progress (in pages) may be NULL. Errors: TL_CORRUPT (something was found),
 * TL_UNSUPPORTED (the index was made by another version; nothing else is wrong), TL_CANCELLED,
 * TL_IO, TL_NO_MEMORY. */
TL_API tl_status tl_check(tl_store *store, tl_finding_fn finding, void *finding_context,
                          tl_progress_fn progress, void *progress_context);

/* Rebuilds the index from the records; every answer is the same after it. Flushes first. Other
 * processes go on reading the old index until it is done, and wait to write. Errors: TL_READ_ONLY,
 * TL_CANCELLED (the old index stays), TL_DISK_FULL, TL_CORRUPT, TL_IO, TL_NO_MEMORY. */
TL_API tl_status tl_reindex(tl_store *store, tl_progress_fn progress, void *progress_context);

/*
 * Writes the whole file anew and puts the new one in its place: it becomes as small as its content
 * allows, and nothing of what was deleted is left in it. Flushes first. Every answer is the same
 * after it, and positions of lists stay good.
 *
 * Everybody else goes on meanwhile, in this process and in others: readers read; what is recorded
 * waits in queues until it is done, and processes that wait to write it get their turn in the new
 * file before this returns. Whoever has the file open goes over to the new one by itself; a
 * snapshot that is open stays on the old one, whose room on the disk is free again when all have
 * gone over. It needs that room up to twice more while it works, beside the file, and memory that
 * does not depend on its size. A crash or a power cut leaves the old file or the new one, whole,
 * and maybe what was made beside it, named like the file with "-compact-new" or "-compact-scratch"
 * behind it: that goes with the next tl_compact, or when a process opens the file alone to write.
 *
 * progress (may be NULL) counts steps. Errors, after each of which the file is as it was:
 * TL_READ_ONLY, TL_CANCELLED, TL_PERMISSION (the folder may not be written, or the file belongs to
 * another user), TL_UNSUPPORTED (the file has a second name by a hard link), TL_NOT_FOUND (it was
 * moved or removed), TL_DISK_FULL, TL_BUSY, TL_CORRUPT (tl_check tells more), TL_NO_MEMORY; and
 * TL_IO, which may also say that the new file is in place, but that a power cut might undo it.
 */
TL_API tl_status tl_compact(tl_store *store, tl_progress_fn progress, void *progress_context);

/*
 * Copies the newest commit to a new file at path, which must not exist: a store of its own, mode
 * 0600, durable when this returns TL_OK, without the room that is free in the original. Flushes
 * first, unless the store is read-only. Others go on reading and writing. If it fails, no file is
 * left at path. A file that a killed backup leaves is named path with "-backup-part" behind it, and
 * goes with the next backup to the same path.
 *
 * progress (may be NULL) counts entries. Errors: TL_INVALID (path exists), TL_NOT_FOUND (its folder
 * does not), TL_PERMISSION, TL_UNSUPPORTED (a network file system: copy it there afterwards),
 * TL_BUSY (another backup to this path is under way), TL_CANCELLED, TL_DISK_FULL, TL_CORRUPT,
 * TL_IO, TL_NO_MEMORY, and those of tl_flush.
 */
TL_API tl_status tl_backup(tl_store *store, const char *path, tl_progress_fn progress,
                           void *progress_context);

/* What tl_salvage has brought out, and what it has left behind. */
typedef struct tl_salvage_report {
  uint32_t struct_size;
  uint64_t trace_count; /* brought out, as tl_stats counts them */
  uint64_t observation_count;
  uint64_t score_count;
  uint64_t session_count;
  uint64_t medium_count;
  uint64_t payload_count;      /* inputs, outputs and metadata */
  uint64_t lost_page_count;    /* pages that could not be read, whether or not that cost anything */
  uint64_t lost_value_count;   /* stored values and blocks of them, as far as it can be told */
  uint64_t lost_record_count;  /* traces, observations, scores and sessions, likewise */
  uint64_t lost_payload_count; /* of records that were brought out: these lack the field */
  uint64_t doubtful_count;     /* stored values that may be older than what was there */
} tl_salvage_report;

/*
 * Brings everything that can still be read of a damaged file into a new one at new_path, which must
 * not exist: a store of its own, mode 0600, durable when this returns TL_OK, for which tl_check is
 * TL_OK. The damaged file is only read, and whatever bytes it has, that is safe. Nobody may have it
 * open meanwhile.
 *
 * A record comes out as it was, or not at all; but where a payload is damaged, its record comes
 * without that field. Of a trace whose own record is lost, observations come out under its id if a
 * score knows it, and else under a new one that begins with "salvaged-". doubtful_count is 0 unless
 * what tells old pages from new ones is damaged, too, or some of the newest changes are (they count
 * as one), or something older is in the place of what was written last (which counts as one for
 * each key space): then something that was changed or deleted may have come out as it was before.
 * Recorded last and not flushed yet is in no file.
 *
 * What a killed one leaves is named new_path with "-salvage-" and a word behind it, and goes with
 * the next one to the same path.
 *
 * TL_OK says that the new file is there; if nothing was left behind, all counts of what is lost or
 * doubtful in the report are 0. finding, called for each thing left behind, progress (in steps) and
 * report may be NULL. Otherwise nothing is left at new_path. Errors: TL_NOT_FOUND (no such file, or
 * no folder for the new one), TL_NOT_TRACELITE (there is nothing in it that tracelite has written),
 * TL_NEWER_FORMAT, TL_INVALID (new_path exists), TL_BUSY (somebody has the file open, or writes to
 * the same new_path), TL_PERMISSION, TL_UNSUPPORTED (a network file system), TL_CANCELLED,
 * TL_DISK_FULL (it takes room up to three times that of the file), TL_IO, TL_NO_MEMORY.
 */
TL_API tl_status tl_salvage(const char *path, const char *new_path, tl_finding_fn finding,
                            void *finding_context, tl_progress_fn progress, void *progress_context,
                            tl_salvage_report *report);

/* ============================================================================================== */
/* 7. Errors and version                                                                          */
/* ============================================================================================== */

/* Why the last call of this thread failed. Texts are terminated, never NULL, and valid until this
 * thread's next call. field has at most 255 bytes and message 5,119; what is longer is cut off
 * between characters. */
typedef struct tl_error_info {
  tl_status status;
  int32_t engine_code; /* errno or the code of LMDB, SQLite or zstd; 0 if none */
  const char *field;   /* the argument or field at fault; "" if none */
  const char *message; /* what is wrong and what to do about it */
} tl_error_info;

TL_API const tl_error_info *tl_error(void);
TL_API const char *tl_status_name(tl_status status); /* "TL_OK", ...; NULL for an unknown number */
TL_API const char *tl_version(void);                 /* of the library, such as "0.1.0" */

#ifdef __cplusplus
}
#endif

#endif /* TRACELITE_H */
