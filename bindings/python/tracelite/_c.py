"""The C API as ctypes sees it: a mirror of include/tracelite/tracelite.h, and nothing more.

The tests compare everything here with the header. Two liberties make the structs quick to fill and
to read: a tl_text member `x` is laid out flat as `x` and `x_size_bytes` (a payload also as
`x_form`), and each struct that comes out has a twin whose texts are plain addresses, because
ctypes would end a char pointer at its first zero byte.
"""

import ctypes
import os
import threading
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from enum import IntEnum
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Type

from ._library import LibraryError, load

VERSION = "0.1.0"

# ------------------------------------------------------------------------------------- constants


class Status(IntEnum):
    """What a call came to; the numbers are fixed for ever."""

    OK = 0
    DONE = 1
    MISUSE = 2
    INVALID = 3
    NOT_FOUND = 4
    NOT_TRACELITE = 5
    NEWER_FORMAT = 6
    OTHER_GEOMETRY = 7
    CORRUPT = 8
    IO = 9
    DISK_FULL = 10
    PERMISSION = 11
    READ_ONLY = 12
    NO_MEMORY = 13
    QUEUE_FULL = 14
    TIMEOUT = 15
    BUSY = 16
    FORKED = 17
    CANCELLED = 18
    UNSUPPORTED = 19
    LIMIT = 20
    INTERNAL = 21
    EXPIRED = 22


class Kind(IntEnum):
    TRACE = 1
    OBSERVATION = 2
    SCORE = 3
    SESSION = 4
    USER = 5
    TAG = 6
    ENVIRONMENT = 7
    NAME = 8
    MODEL = 9
    DAY = 10


class ReadMode(IntEnum):
    GIVEN = 0
    STORED = 1


class Field(IntEnum):
    TIMESTAMP = 0
    NAME = 1
    USER_ID = 2
    SESSION_ID = 3
    RELEASE = 4
    VERSION = 5
    ENVIRONMENT = 6
    TAGS = 7
    METADATA = 8
    INPUT = 9
    OUTPUT = 10
    PUBLIC = 11
    BOOKMARKED = 12
    PARENT_OBSERVATION_ID = 13
    TYPE = 14
    START_TIME = 15
    END_TIME = 16
    COMPLETION_START_TIME = 17
    LEVEL = 18
    STATUS_MESSAGE = 19
    MODEL = 20
    MODEL_PARAMETERS = 21
    USAGE_DETAILS = 22
    COST_DETAILS = 23
    PROMPT_NAME = 24
    PROMPT_VERSION = 25
    VALUE = 26
    STRING_VALUE = 27
    DATA_TYPE = 28
    SOURCE = 29
    COMMENT = 30
    CONFIG_ID = 31
    AUTHOR_USER_ID = 32
    TRACE_ID = 33
    OBSERVATION_ID = 34


class Reason(IntEnum):
    NONE = 0
    QUEUE_FULL = 1
    CLOSED = 2
    EVENT_REFUSED = 3
    SESSION_ID = 4
    USER_ID = 5
    VERSION = 6
    TAG = 7
    ENVIRONMENT = 8
    USAGE = 9
    COST = 10
    MASKED = 11
    MASK_FAILED = 12
    SAMPLED_OUT = 13
    FIELD = 14
    WRITE_FAILED = 15
    PAYLOAD = 16
    RETENTION = 17
    COUNT = 18


class LogLevel(IntEnum):
    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4


FORMAT_LANGFUSE = 1
OPEN_UNTRUSTED = 1
OPEN_IMMUTABLE = 2
RETENTION_KEEP_BOOKMARKED = 1
ORDER_ASCENDING = 0x100
WITHOUT_LIMIT_MS = 0xFFFFFFFF

# --------------------------------------------------------------------------------------- structs

# In the member lists below.
_TEXT = "text"
_PAYLOAD = "payload"


def _members(*members: Tuple[str, Any]) -> List[Tuple[str, Any]]:
    flat: List[Tuple[str, Any]] = []
    for name, kind in members:
        if kind is _PAYLOAD:
            flat.append((name + "_form", c_int32))
        if kind is _PAYLOAD or kind is _TEXT:
            flat += [(name, c_char_p), (name + "_size_bytes", c_size_t)]
        else:
            flat.append((name, kind))
    return flat


def _as_addresses(struct: Type[Structure]) -> List[Tuple[str, Any]]:
    twins = {c_char_p: c_void_p, POINTER(Text): POINTER(TextOut)}
    twins.update({POINTER(Usage): POINTER(UsageOut), POINTER(Cost): POINTER(CostOut)})
    return [(member[0], twins.get(member[1], member[1])) for member in struct._fields_]


class Text(Structure):
    _fields_ = [("data", c_char_p), ("size_bytes", c_size_t)]


class TextOut(Structure):
    _fields_ = [("data", c_void_p), ("size_bytes", c_size_t)]


class Payload(Structure):
    _fields_ = [("form", c_int32), ("data", c_void_p), ("size_bytes", c_size_t)]


class Usage(Structure):
    _fields_ = _members(("name", _TEXT), ("amount", c_uint64))


class UsageOut(Structure):
    _fields_ = [("name", c_void_p), ("name_size_bytes", c_size_t), ("amount", c_uint64)]


class Cost(Structure):
    _fields_ = _members(("name", _TEXT), ("amount", _TEXT))


class CostOut(Structure):
    _fields_ = [
        ("name", c_void_p),
        ("name_size_bytes", c_size_t),
        ("amount", c_void_p),
        ("amount_size_bytes", c_size_t),
    ]


class Trace(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("set_mask", c_uint64),
        ("clear_mask", c_uint64),
        ("id", _TEXT),
        ("timestamp_ns", c_int64),
        ("name", _TEXT),
        ("user_id", _TEXT),
        ("session_id", _TEXT),
        ("release", _TEXT),
        ("version", _TEXT),
        ("environment", _TEXT),
        ("tags", POINTER(Text)),
        ("tag_count", c_size_t),
        ("metadata", _PAYLOAD),
        ("input", _PAYLOAD),
        ("output", _PAYLOAD),
        ("is_public", c_int32),
        ("is_bookmarked", c_int32),
    )


class Observation(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("set_mask", c_uint64),
        ("clear_mask", c_uint64),
        ("id", _TEXT),
        ("trace_id", _TEXT),
        ("parent_observation_id", _TEXT),
        ("type", c_int32),
        ("name", _TEXT),
        ("start_time_ns", c_int64),
        ("end_time_ns", c_int64),
        ("completion_start_time_ns", c_int64),
        ("level", c_int32),
        ("status_message", _TEXT),
        ("version", _TEXT),
        ("environment", _TEXT),
        ("user_id", _TEXT),
        ("session_id", _TEXT),
        ("tags", POINTER(Text)),
        ("tag_count", c_size_t),
        ("input", _PAYLOAD),
        ("output", _PAYLOAD),
        ("metadata", _PAYLOAD),
        ("model", _TEXT),
        ("model_parameters", _TEXT),
        ("usage_details", POINTER(Usage)),
        ("usage_count", c_size_t),
        ("cost_details", POINTER(Cost)),
        ("cost_count", c_size_t),
        ("prompt_name", _TEXT),
        ("prompt_version", c_int64),
    )


class Score(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("set_mask", c_uint64),
        ("clear_mask", c_uint64),
        ("id", _TEXT),
        ("trace_id", _TEXT),
        ("observation_id", _TEXT),
        ("session_id", _TEXT),
        ("name", _TEXT),
        ("value", c_double),
        ("string_value", _TEXT),
        ("data_type", c_int32),
        ("source", c_int32),
        ("comment", _TEXT),
        ("metadata", _PAYLOAD),
        ("config_id", _TEXT),
        ("environment", _TEXT),
        ("timestamp_ns", c_int64),
        ("author_user_id", _TEXT),
    )


class Session(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("set_mask", c_uint64),
        ("clear_mask", c_uint64),
        ("id", _TEXT),
        ("environment", _TEXT),
        ("is_public", c_int32),
        ("is_bookmarked", c_int32),
    )


class TraceOut(Structure):
    _fields_ = _as_addresses(Trace)


class ObservationOut(Structure):
    _fields_ = _as_addresses(Observation)


class ScoreOut(Structure):
    _fields_ = _as_addresses(Score)


class SessionOut(Structure):
    _fields_ = _as_addresses(Session)


ReadFn = CFUNCTYPE(c_int64, c_void_p, c_void_p, c_size_t)
WriteFn = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)
ProgressFn = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)
LogFn = CFUNCTYPE(None, c_void_p, c_int32, c_int32, c_char_p)
MaskFn = CFUNCTYPE(c_int32, c_void_p, c_int32, POINTER(Payload), POINTER(Payload))
FindingFn = CFUNCTYPE(None, c_void_p, TextOut, TextOut)
SpaceFn = CFUNCTYPE(None, c_void_p, TextOut, TextOut, c_uint64)


class Options(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("read_only", c_int32),
        ("commit_interval_ms", c_uint32),
        ("full_policy", c_int32),
        ("queue_size_bytes", c_uint64),
        ("queue_wait_ms", c_uint32),
        ("sample_rate_set", c_int32),
        ("sample_rate", c_double),
        ("mask", MaskFn),
        ("mask_context", c_void_p),
        ("log", LogFn),
        ("log_context", c_void_p),
        ("default_environment", _TEXT),
        ("default_release", _TEXT),
        ("map_size_bytes", c_uint64),
        ("compression_level", c_int32),
        ("dictionary_size_bytes", c_uint32),
        ("durability", c_int32),
        ("drain_on_sigterm_ms", c_uint32),
        ("flags", c_uint32),
        ("free_disk_min_bytes", c_uint64),
        ("retention_age_ms", c_uint64),
        ("retention_size_bytes", c_uint64),
        ("retention_flags", c_uint32),
    )


class CloseReport(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("open_span_count", c_uint32),
        ("dropped_count", c_uint64),
    ]


class Outcome(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("line", c_uint64),
        ("index", c_uint64),
        ("event_id", _TEXT),
        ("http_status", c_int32),
        ("is_warning", c_int32),
        ("reason", c_int32),
        ("field", _TEXT),
        ("message", _TEXT),
    )


class OutcomeOut(Structure):
    _fields_ = _as_addresses(Outcome)


OutcomeFn = CFUNCTYPE(None, c_void_p, POINTER(OutcomeOut))


class ImportReport(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("event_count", c_uint64),
        ("succeeded_count", c_uint64),
        ("warned_count", c_uint64),
        ("failed_count", c_uint64),
        ("ignored_count", c_uint64),
    ]


class Filter(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("trace_id", _TEXT),
        ("session_id", _TEXT),
        ("user_id", _TEXT),
        ("tags", POINTER(Text)),
        ("tag_count", c_size_t),
        ("environment", _TEXT),
        ("name", _TEXT),
        ("release", _TEXT),
        ("version", _TEXT),
        ("level", c_int32),
        ("type", c_int32),
        ("model", _TEXT),
        ("metadata_key", _TEXT),
        ("metadata_value", _TEXT),
        ("from_ns", c_int64),
        ("to_ns", c_int64),
    )


class Aggregate(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("key", _TEXT),
        ("trace_count", c_uint64),
        ("observation_count", c_uint64),
        ("score_count", c_uint64),
        ("debug_count", c_uint64),
        ("default_count", c_uint64),
        ("warning_count", c_uint64),
        ("error_count", c_uint64),
        ("unfinished_count", c_uint64),
        ("input_tokens", c_uint64),
        ("output_tokens", c_uint64),
        ("total_tokens", c_uint64),
        ("total_cost", _TEXT),
        ("first_activity_ns", c_int64),
        ("last_activity_ns", c_int64),
        ("latency_ns", c_int64),
        ("model", _TEXT),
    )


class AggregateOut(Structure):
    _fields_ = _as_addresses(Aggregate)


class Row(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("trace", POINTER(TraceOut)),
        ("observation", POINTER(ObservationOut)),
        ("score", POINTER(ScoreOut)),
        ("session", POINTER(SessionOut)),
        ("aggregate", POINTER(AggregateOut)),
        ("depth", c_uint32),
        ("phase", c_int32),
        ("at_ns", c_int64),
        ("wait_ns", c_int64),
        ("is_derived", c_int32),
        ("is_unfinished", c_int32),
    ]


class ReplayOptions(Structure):
    _fields_ = [("struct_size", c_uint32), ("speed", c_double), ("max_gap_ns", c_int64)]


class Medium(Structure):
    _fields_ = _members(
        ("struct_size", c_uint32),
        ("mime", _TEXT),
        ("size_bytes", c_uint64),
        ("use_count", c_uint64),
    )


class MediumOut(Structure):
    _fields_ = _as_addresses(Medium)


class Statistics(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("format_version", c_uint32),
        ("trace_count", c_uint64),
        ("observation_count", c_uint64),
        ("score_count", c_uint64),
        ("session_count", c_uint64),
        ("user_count", c_uint64),
        ("payload_size_bytes", c_uint64),
        ("file_size_bytes", c_uint64),
        ("commit_number", c_uint64),
        ("oldest_reader_lag", c_uint64),
        ("queued_size_bytes", c_uint64),
    ]


class DeleteReport(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("trace_count", c_uint64),
        ("observation_count", c_uint64),
        ("score_count", c_uint64),
        ("session_count", c_uint64),
        ("zeroed_size_bytes", c_uint64),
        ("remaining_size_bytes", c_uint64),
    ]


class SalvageReport(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("trace_count", c_uint64),
        ("observation_count", c_uint64),
        ("score_count", c_uint64),
        ("session_count", c_uint64),
        ("medium_count", c_uint64),
        ("payload_count", c_uint64),
        ("lost_page_count", c_uint64),
        ("lost_value_count", c_uint64),
        ("lost_record_count", c_uint64),
        ("lost_payload_count", c_uint64),
        ("doubtful_count", c_uint64),
    ]


class ErrorInfo(Structure):
    _fields_ = [
        ("status", c_int32),
        ("engine_code", c_int32),
        ("field", c_char_p),
        ("message", c_char_p),
    ]


# ------------------------------------------------------------------------------------- functions

_Handle = c_void_p  # tl_store, tl_span, tl_snapshot and tl_cursor
_STATUS = c_int32

# name: (result, arguments)
FUNCTIONS: Dict[str, Tuple[Any, Sequence[Any]]] = {
    "tl_open": (_STATUS, [c_char_p, POINTER(Options), POINTER(_Handle)]),
    "tl_flush": (_STATUS, [_Handle, c_uint32, POINTER(c_uint64)]),
    "tl_wait": (_STATUS, [_Handle, c_uint64, c_uint32, POINTER(c_uint64)]),
    "tl_changes": (
        _STATUS,
        [_Handle, c_uint64, POINTER(Filter), POINTER(c_uint64), POINTER(_Handle)],
    ),
    "tl_drop_when_full": (None, [c_int32]),
    "tl_close": (_STATUS, [_Handle, c_uint32, POINTER(CloseReport)]),
    "tl_put_trace": (_STATUS, [_Handle, POINTER(Trace)]),
    "tl_put_observation": (_STATUS, [_Handle, POINTER(Observation)]),
    "tl_put_score": (_STATUS, [_Handle, POINTER(Score)]),
    "tl_put_session": (_STATUS, [_Handle, POINTER(Session)]),
    "tl_begin": (_STATUS, [_Handle, _Handle, POINTER(Observation), POINTER(_Handle)]),
    "tl_update": (_STATUS, [_Handle, POINTER(Observation)]),
    "tl_append": (_STATUS, [_Handle, c_int32, Text]),
    "tl_end": (_STATUS, [_Handle, POINTER(Observation)]),
    "tl_span_ids": (_STATUS, [_Handle, POINTER(TextOut), POINTER(TextOut)]),
    "tl_import": (
        _STATUS,
        [
            _Handle,
            c_int32,
            ReadFn,
            c_void_p,
            OutcomeFn,
            c_void_p,
            ProgressFn,
            c_void_p,
            POINTER(ImportReport),
        ],
    ),
    "tl_export": (
        _STATUS,
        [
            _Handle,
            _Handle,
            POINTER(Filter),
            c_int32,
            WriteFn,
            c_void_p,
            ProgressFn,
            c_void_p,
        ],
    ),
    "tl_snapshot_open": (_STATUS, [_Handle, POINTER(_Handle)]),
    "tl_snapshot_close": (None, [_Handle]),
    "tl_list": (
        _STATUS,
        [
            _Handle,
            _Handle,
            c_int32,
            POINTER(Filter),
            c_int32,
            Text,
            c_uint64,
            POINTER(_Handle),
        ],
    ),
    "tl_tree": (_STATUS, [_Handle, _Handle, Text, POINTER(_Handle)]),
    "tl_replay": (
        _STATUS,
        [_Handle, _Handle, Text, POINTER(ReplayOptions), POINTER(_Handle)],
    ),
    "tl_next": (_STATUS, [_Handle, POINTER(Row)]),
    "tl_cursor_cancel": (_STATUS, [_Handle]),
    "tl_position": (_STATUS, [_Handle, POINTER(TextOut)]),
    "tl_cursor_close": (None, [_Handle]),
    "tl_get": (_STATUS, [_Handle, _Handle, c_int32, Text, Text, POINTER(_Handle)]),
    "tl_payload_read": (
        _STATUS,
        [_Handle, c_int32, c_int32, c_uint64, c_void_p, c_size_t, POINTER(c_size_t)],
    ),
    "tl_preview": (_STATUS, [_Handle, c_int32, c_uint32, POINTER(TextOut)]),
    "tl_payload_size": (_STATUS, [_Handle, c_int32, c_int32, POINTER(c_uint64)]),
    "tl_media_read": (
        _STATUS,
        [
            _Handle,
            _Handle,
            Text,
            c_uint64,
            c_void_p,
            c_size_t,
            POINTER(c_size_t),
            POINTER(MediumOut),
        ],
    ),
    "tl_stats": (_STATUS, [_Handle, POINTER(Statistics)]),
    "tl_counter": (_STATUS, [_Handle, c_int32, POINTER(c_uint64)]),
    "tl_reason_name": (c_char_p, [c_int32]),
    "tl_space": (_STATUS, [_Handle, SpaceFn, c_void_p]),
    "tl_delete": (
        _STATUS,
        [_Handle, POINTER(Filter), ProgressFn, c_void_p, POINTER(DeleteReport)],
    ),
    "tl_delete_securely": (
        _STATUS,
        [_Handle, POINTER(Filter), c_uint32, ProgressFn, c_void_p, POINTER(DeleteReport)],
    ),
    "tl_check": (_STATUS, [_Handle, FindingFn, c_void_p, ProgressFn, c_void_p]),
    "tl_reindex": (_STATUS, [_Handle, ProgressFn, c_void_p]),
    "tl_compact": (_STATUS, [_Handle, ProgressFn, c_void_p]),
    "tl_backup": (_STATUS, [_Handle, c_char_p, ProgressFn, c_void_p]),
    "tl_salvage": (
        _STATUS,
        [c_char_p, c_char_p, FindingFn, c_void_p, ProgressFn, c_void_p, POINTER(SalvageReport)],
    ),
    "tl_error": (POINTER(ErrorInfo), []),
    "tl_status_name": (c_char_p, [c_int32]),
    "tl_version": (c_char_p, []),
}

_library: Optional[ctypes.CDLL] = None
_loading = threading.RLock()

if hasattr(os, "register_at_fork"):
    # Held over a fork: the child would wait forever for a thread that it does not have.
    os.register_at_fork(
        before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release
    )


def library() -> ctypes.CDLL:
    """The library with its prototypes declared, loaded at the first call. Raises LibraryError."""
    global _library
    if _library is None:
        with _loading:
            if _library is None:
                _library = _declare(load())
    return _library


def _declare(lib: ctypes.CDLL) -> ctypes.CDLL:
    missing = [name for name in FUNCTIONS if not hasattr(lib, name)]
    if missing:
        raise LibraryError(f"{lib._name} is not tracelite {VERSION}: it lacks {missing[0]}")
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    version = lib.tl_version().decode()
    # Before 1.0 a minor version may change the header.
    if version.split(".")[:2] != VERSION.split(".")[:2]:
        raise LibraryError(f"{lib._name} is tracelite {version}, this package is {VERSION}")
    return lib


def text_of(address: Optional[int], size_bytes: int) -> Optional[str]:
    """The text at this address; None if it is absent."""
    if not address:
        return None
    return ctypes.string_at(address, size_bytes).decode("utf-8", "surrogateescape")


def text_array(texts: Iterable[bytes]) -> "ctypes.Array[Text]":
    """An array of tl_text that keeps the bytes alive."""
    entries = [Text(text, len(text)) for text in texts]
    return (Text * len(entries))(*entries)
