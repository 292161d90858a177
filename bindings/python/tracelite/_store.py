"""The store: opening and closing it, recording into it, and waiting for what is recorded."""

from __future__ import annotations

import ctypes
import os
import secrets
import time
import warnings
from contextlib import nullcontext
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from . import _c
from ._c import Status
from ._cursor import Rows
from ._errors import ExpiredError, InvalidError, TimedOutError, TraceliteError, check
from ._events import ImportReport, Outcome, Path, Progress, Source, read_events
from ._fields import (
    Draft,
    filter_struct,
    live_fields,
    observation_fields,
    observation_struct,
    score_fields,
    score_struct,
    session_fields,
    session_struct,
    takes,
    trace_fields,
    trace_struct,
)
from ._gate import drop_when_full, is_in_call
from ._keeper import Keeper
from ._opened import EXIT_TIMEOUT_S, Log, Mask, Opened, log_callback, logger, mask_callback
from ._parameters import following
from ._reader import Changed, Reader, changed_of
from ._reports import CloseReport
from ._snapshot import Snapshot
from ._span import Span
from ._values import (
    UINT64_MAX,
    Durability,
    FullPolicy,
    encoded_path,
    integer_of,
    milliseconds_of,
    text_bytes,
)

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

# In the library, before Python looks at signals and whether the store is being closed.
_WAIT_S = 1.0

_NOTHING = nullcontext()
_byref = ctypes.byref


class Store(Reader, Keeper):
    """An open file: records into it, and reads from it.

    Recording copies into a queue and returns, and a writer of its own makes it durable; `flush`
    waits for that. Any thread may use a store. A child process after a fork must open the file
    anew. Left open, a store is closed when the program exits.

    read_only           the file must exist; recording raises ReadOnlyError
    untrusted           the file may come from anybody: all of it is looked through first, which
                        takes as long as reading it, and refused if it is damaged; an index that
                        is none of ours is made anew, in memory if read_only
    immutable           nobody writes the file while it is open: it can be read in a folder that
                        may not be written. Needs read_only
    commit_interval_ms  how long a record may wait before it is durable (50)
    full_policy         "wait" or "drop" when the queue is full
    queue_size_bytes    what may wait to be written (16 MiB)
    queue_wait_ms       how long "wait" waits before it drops (without limit)
    sample_rate         share of traces that is recorded, 0 to 1, decided by trace id (1)
    mask                mask(field, payload) sees each input, output and metadata before it is
                        stored, and returns the payload, or what to store instead; if it raises,
                        the value is masked fully. Runs on the writer's thread, and must not use
                        the store
    log                 log(level, reason, message) gets what no return value can tell, with a level
                        of the logging module; from any thread, and must not use the store
    default_environment, default_release
                        else LANGFUSE_TRACING_ENVIRONMENT, LANGFUSE_RELEASE or what CI sets
    map_size_bytes      address space reserved for the file (256 GiB)
    compression_level   1 to 19, zstd's: higher is smaller and slower (3)
    dictionary_size_bytes
                        of the dictionaries that compress what is recorded, at most 1 MiB; below
                        256 there are none (32 KiB)
    durability          "sync", or "last_commit": half as many syncs, and a power cut may take the
                        last commit, never more. What flush has reported stays in both
    free_disk_min_bytes while the disk has less room than this, nothing that is recorded is written:
                        it waits, flush raises DiskFullError, and it goes on when there is room (0)
    retention_age       seconds: traces whose last activity is older go by themselves, in small steps
                        that ride on commits (for ever)
    retention_size_bytes
                        while more bytes of the file are in use the oldest traces go; at least 1 MiB
                        (without limit)
    retention_keeps_bookmarked
                        traces that are bookmarked, or of a session that is, stay
    drain_on_sigterm    seconds: what is queued when SIGTERM comes is made durable first, for that
                        long at most; then the process ends of it, or the handler that was there
                        before runs (off). A handler that is installed later takes its place; that
                        of tracelite.langfuse drains what it records itself. Leaving the program
                        closes what is open in any case
    """

    def __init__(
        self,
        path: Union[Path, bytes],
        *,
        read_only: bool = False,
        untrusted: bool = False,
        immutable: bool = False,
        commit_interval_ms: Optional[int] = None,
        full_policy: Union[FullPolicy, str] = FullPolicy.WAIT,
        queue_size_bytes: Optional[int] = None,
        queue_wait_ms: Optional[int] = None,
        sample_rate: Optional[float] = None,
        mask: Optional[Mask] = None,
        log: Optional[Log] = None,
        default_environment: Optional[str] = None,
        default_release: Optional[str] = None,
        map_size_bytes: Optional[int] = None,
        compression_level: Optional[int] = None,
        dictionary_size_bytes: Optional[int] = None,
        durability: Union[Durability, str] = Durability.SYNC,
        free_disk_min_bytes: Optional[int] = None,
        retention_age: Optional[float] = None,
        retention_size_bytes: Optional[int] = None,
        retention_keeps_bookmarked: bool = False,
        drain_on_sigterm: Optional[float] = None,
    ) -> None:
        self._lib = lib = _c.library()
        encoded = encoded_path(path)
        options = _c.Options()
        options.struct_size = ctypes.sizeof(options)
        options.read_only = 1 if read_only else 0
        options.flags = _c.OPEN_UNTRUSTED if untrusted else 0
        options.flags |= _c.OPEN_IMMUTABLE if immutable else 0
        if immutable and not read_only:
            raise InvalidError("immutable is for reading: set read_only as well", field="immutable")
        options.full_policy = FullPolicy.code_of(full_policy, "full_policy")
        options.durability = Durability.code_of(durability, "durability")
        if drain_on_sigterm is not None:
            options.drain_on_sigterm_ms = milliseconds_of(drain_on_sigterm, "drain_on_sigterm")
        if retention_age is not None:
            age_ms = milliseconds_of(retention_age, "retention_age", UINT64_MAX)
            options.retention_age_ms = age_ms
        if retention_keeps_bookmarked:
            options.retention_flags = _c.RETENTION_KEEP_BOOKMARKED
        for name, number, most in (
            ("commit_interval_ms", commit_interval_ms, 0xFFFFFFFF),
            ("queue_size_bytes", queue_size_bytes, UINT64_MAX),
            ("queue_wait_ms", queue_wait_ms, 0xFFFFFFFF),
            ("map_size_bytes", map_size_bytes, UINT64_MAX),
            ("compression_level", compression_level, 0x7FFFFFFF),
            ("dictionary_size_bytes", dictionary_size_bytes, 0xFFFFFFFF),
            ("free_disk_min_bytes", free_disk_min_bytes, UINT64_MAX),
            ("retention_size_bytes", retention_size_bytes, UINT64_MAX),
        ):
            if number is not None:
                setattr(options, name, integer_of(number, name, 0, most))
        if sample_rate is not None:
            options.sample_rate_set = 1
            options.sample_rate = sample_rate
        for name, text in (
            ("default_environment", default_environment),
            ("default_release", default_release),
        ):
            if text is not None:
                data = text_bytes(text, name)
                setattr(options, name, data)
                setattr(options, name + "_size_bytes", len(data))
        callbacks: List[object] = []
        if mask is not None:
            options.mask = mask_callback(mask)
            callbacks.append(options.mask)
        if log is not None:
            options.log = log_callback(lib, log)
            callbacks.append(options.log)
        handle = ctypes.c_void_p()
        check(lib, lib.tl_open(encoded, ctypes.byref(options), ctypes.byref(handle)))
        assert handle.value is not None
        self.path = os.fsdecode(encoded)
        self._opened = Opened(lib, handle.value, encoded, tuple(callbacks))
        self._gate = self._opened.gate
        # Without the conversions that cost more than the calls: they get pointers of ctypes only.
        self._begin, self._update, self._end = lib["tl_begin"], lib["tl_update"], lib["tl_end"]

    def __repr__(self) -> str:
        return f"<Store {self.path!r}{', closed' if self.closed else ''}>"

    @property
    def closed(self) -> bool:
        return self._gate.is_closed

    @staticmethod
    def drop_when_full(drops: bool) -> None:
        """Whether the calls of this thread that record, into whatever store, drop when the queue is
        full, and raise QueueFullError, whatever the store's full_policy: for a thread that must not
        wait, such as that of an event loop."""
        drop_when_full(_c.library(), drops)

    def flush(self, timeout: Optional[float] = None) -> int:
        """Waits until everything recorded before is durable, and returns the number of the commit
        that holds it. timeout in seconds, None is without limit. Raises TimedOutError (the work
        goes on), DiskFullError or IoError (what is queued is kept and tried again)."""
        return self._opened.flush(timeout)

    def wait(self, position: int, timeout: Optional[float] = None) -> int:
        """Waits until the newest commit, of any process, is another one than `position`, and
        returns its number. timeout in seconds, None is without limit. Raises TimedOutError."""
        position = integer_of(position, "position", 0, UINT64_MAX)
        newest = ctypes.c_uint64()
        milliseconds_of(timeout, "timeout")
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _WAIT_S if deadline is None else max(0.0, deadline - time.monotonic())
            timeout_ms = milliseconds_of(min(left, _WAIT_S), "timeout")
            with self._gate.call():
                store = self._gate.handle()
                status = self._lib.tl_wait(store, position, timeout_ms, ctypes.byref(newest))
                if status == Status.OK:
                    return newest.value
                is_over = deadline is not None and time.monotonic() >= deadline
                if status == Status.CANCELLED and is_over:  # by a signal, at the last moment
                    raise TimedOutError("nothing was committed in the time given")
                if status not in (Status.TIMEOUT, Status.CANCELLED) or is_over:
                    check(self._lib, status)

    def changes(self, position: int, **conditions: Any) -> Tuple[Rows[Changed], int]:
        """The traces, observations and scores that commits behind `position` changed, each once, as
        it is now, in the order of time; and the position to go on from. Filters as for
        observations, but for metadata: session_id and user_id mean that the row or its trace names
        it. Raises ExpiredError, whose `position` is the one to go on from after listing anew, if
        that is not known any more."""
        position = integer_of(position, "position", 0, UINT64_MAX)
        filter = filter_struct(conditions)
        newest = ctypes.c_uint64()
        rows = Rows(self, changed_of)
        with self._gate.call():
            store = self._gate.handle()
            status = self._lib.tl_changes(
                store, position, filter, ctypes.byref(newest), ctypes.byref(rows._handle)
            )
            try:
                check(self._lib, status)
            except ExpiredError as error:
                error.position = newest.value
                raise
        return rows, newest.value

    @takes(following)
    def follow(
        self, *, position: Optional[int] = None, timeout: Optional[float] = None, **conditions: Any
    ) -> Iterator[Changed]:
        """What is recorded from now on (or behind `position`), by any process, as it comes: a row
        of changes() whenever a trace, observation or score came or changed. Ends when nothing was
        committed for `timeout` seconds; None follows for ever. Raises ExpiredError if the loop is
        so slow that the file has forgotten changes that it has not seen."""
        newest = self.stats().commit_number
        if position is None:
            position = newest
        position = integer_of(position, "position", 0, UINT64_MAX)
        milliseconds_of(timeout, "timeout")
        self.changes(newest, **conditions)[0].close()  # the library looks at the conditions
        return self._follow(position, timeout, conditions)

    def _follow(
        self, position: int, timeout: Optional[float], conditions: Dict[str, Any]
    ) -> Iterator[Changed]:
        while True:
            try:
                self.wait(position, timeout)
            except TimedOutError:
                return
            rows, position = self.changes(position, **conditions)
            with rows:
                # Before they are given out, so that a slow loop keeps no snapshot open.
                changed = list(rows)
            yield from changed

    def close(self, timeout: Optional[float] = None) -> CloseReport:
        """Waits until everything recorded is durable, and closes the file. Closing again, or in a
        child process, does nothing. timeout as for flush; if it runs out, or the disk refuses, the
        file is closed all the same, and the dropped_count of the error tells how many records were
        lost. Raises BusyError, and stays open, if another thread does not leave a call in time.
        """
        return self._opened.close(timeout) or CloseReport(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        opened = getattr(self, "_opened", None)
        if opened is None or opened.gate.is_closed or opened.gate.is_forked:
            return
        try:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self)
        finally:  # the warning may be an error
            if not is_in_call():  # else it is closed at exit
                try:
                    opened.close(EXIT_TIMEOUT_S)
                except TraceliteError as error:
                    logger.error("closing a dropped store: %s", error)

    def _guard(self) -> ContextManager[object]:
        return _NOTHING

    def _snapshot_handle(self) -> Optional[int]:
        return None

    # -- recording

    @takes(trace_fields)
    def put_trace(self, id: Optional[str] = None, **fields: Any) -> str:
        """Adds to the trace with this id: what is given is written, None stays, CLEAR is taken
        away; tags unite, metadata merges by key, timestamp and environment keep the first value.
        Without an id it makes one. Returns the id."""
        if id is None:
            id = secrets.token_hex(16)
        struct = trace_struct(id, fields)
        with self._gate.call():
            store = self._gate.handle()
            check(self._lib, self._lib.tl_put_trace(store, ctypes.byref(struct)))
        return id

    @takes(observation_fields)
    def put_observation(self, id: Optional[str] = None, **fields: Any) -> str:
        """Adds to the observation with this id, as put_trace does; usage_details, cost_details and
        model_parameters are replaced whole. Returns the id."""
        if id is None:
            id = secrets.token_hex(8)
        struct = observation_struct(id, fields)
        with self._gate.call():
            store = self._gate.handle()
            check(self._lib, self._lib.tl_put_observation(store, ctypes.byref(struct)))
        return id

    @takes(score_fields)
    def put_score(self, id: Optional[str] = None, **fields: Any) -> str:
        """Adds to the score with this id, of a trace (trace_id), an observation (trace_id and
        observation_id) or a session (session_id). value is a number, a bool or a str. Returns the
        id."""
        if id is None:
            id = secrets.token_hex(16)
        struct = score_struct(id, fields)
        with self._gate.call():
            store = self._gate.handle()
            check(self._lib, self._lib.tl_put_score(store, ctypes.byref(struct)))
        return id

    @takes(session_fields)
    def put_session(self, id: str, **fields: Any) -> str:
        """Sets the flags of a session. Returns the id."""
        struct = session_struct(id, fields)
        with self._gate.call():
            store = self._gate.handle()
            check(self._lib, self._lib.tl_put_session(store, ctypes.byref(struct)))
        return id

    @takes(live_fields)
    def span(self, *, parent: Optional[Span] = None, **fields: Any) -> Span:
        """Begins a live observation: below the parent in its trace, else in the trace with
        trace_id, else in a new one. Ids and start_time are made where they are not given.
        """
        id = fields.pop("id", None)
        struct = observation_struct(id, fields)
        span = Span(self)
        with self._gate.call():
            store = self._gate.handle()
            if parent is None:
                span._begin(store, None, struct, (id, fields.get("trace_id")))
                return span
            if parent._store is not self:
                raise InvalidError("parent is a span of another store", field="parent")
            with parent._lock:
                if not parent._handle:  # it has ended, and only its ids are left
                    above = {
                        "trace_id": parent.trace_id,
                        "parent_observation_id": parent.id,
                    }
                    struct = observation_struct(id, {**fields, **above})
                span._begin(store, parent._handle.value, struct)
                return span

    begin = span

    def begin_draft(
        self,
        draft: Draft,
        id: str,
        trace_id: str,
        parent_id: Optional[str],
        start_ns: Optional[int],
        fields: Mapping[str, Any],
    ) -> Span:
        """As begin, of fields that were put together before, and ids that are known. For those who
        begin many."""
        struct = _byref(draft.struct(id, trace_id, parent_id, start_ns, fields))
        span = Span(self, id, trace_id)
        gate = self._gate
        with gate.call():
            status = self._begin(gate.pointer(), None, struct, _byref(span._handle))
            if status:
                check(self._lib, status)
        return span

    # -- events

    def import_events(
        self,
        source: Source,
        *,
        outcome: Optional[Callable[[Outcome], object]] = None,
        progress: Optional[Progress] = None,
    ) -> ImportReport:
        """Records Langfuse ingestion events (batch objects, arrays, events, or JSON Lines of these)
        and returns when they are durable. Each succeeds or fails by itself: the report tells.

        source is a path, a file, bytes, a str that begins with { or [, a dict, or an iterable of
        dicts. outcome, if given, gets each event's outcome, and the report lists none.
        progress(done, total) counts bytes. What a callback or the source raises stops the import.
        """
        with self._gate.call():
            self._gate.check_may_wait()
            store = self._gate.handle()
            return read_events(self._lib, store, source, outcome, progress)

    # -- reading

    def snapshot(self) -> Snapshot:
        """A view of the newest commit through which all reads agree. What is not flushed yet is
        not seen. Raises BusyError for too many readers."""
        return Snapshot(self)
