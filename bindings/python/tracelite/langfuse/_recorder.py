"""The store behind the clients: opened at the first record, opened anew in a child process, drained
before the process ends. Whatever goes wrong here is told, and never raised."""

import atexit
import os
import sys
import threading
import time
from typing import Any, Callable, Dict, Optional, Tuple, TypeVar

from .. import _c
from .._errors import ForkedError, InvalidError, MisuseError, QueueFullError, TraceliteError
from .._fields import Draft
from .._gate import Dropping
from .._span import Span
from .._store import Store
from . import _signals
from ._warn import warn_once

FLUSH_TIMEOUT_S = 60.0
SIGTERM_TIMEOUT_S = 10.0
QUEUE_SIZE_BYTES = 64 << 20  # waiting for the disk, before recording waits for it, too
REOPEN_INTERVAL_S = 5.0  # after a file could not be opened
REFUSED_FIELDS_MAX = 8  # fields of one record that are dropped one by one before it is given up

_R = TypeVar("_R")

_recorders: Dict[Tuple[str, float], "Recorder"] = {}
_is_exiting = False


def recorder_of(path: str, sample_rate: float) -> "Recorder":
    """The one recorder of this process for a file and a rate."""
    key = (path, sample_rate)
    found = _recorders.get(key)
    return _recorders.setdefault(key, Recorder(path, sample_rate)) if found is None else found


class Recorder:
    """Records into one file. Every method may be called from any thread and never raises."""

    def __init__(self, path: str, sample_rate: float) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self._store: Optional[Store] = None
        self._lock = threading.RLock()
        self._failed_at: Optional[float] = None

    # -- the store

    def store(self) -> Optional[Store]:
        """The open store; None if it cannot be opened."""
        store = self._store
        if store is not None and not store.closed:
            if _signals.is_pending:
                _signals.drain_on_sigterm(drain_all)
            return store
        with self._lock:
            store = self._store
            if store is not None and not store.closed:
                return store
            now = time.monotonic()
            if self._failed_at is not None and now - self._failed_at < REOPEN_INTERVAL_S:
                return None
            try:
                rate = self.sample_rate if self.sample_rate < 1 else None
                self._store = Store(self.path, sample_rate=rate, queue_size_bytes=QUEUE_SIZE_BYTES)
            except Exception as error:
                self._failed_at = now
                warn_once(
                    ("open", self.path),
                    "%s cannot be opened, and nothing is recorded: %s",
                    self.path,
                    error,
                )
                return None
            self._failed_at = None
        _signals.drain_on_sigterm(drain_all)
        return self._store

    def forget(self) -> None:
        """In a child process: the store is the parent's."""
        self._store = None
        self._lock = threading.RLock()
        self._failed_at = None

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Waits until everything recorded is durable; whether it is."""
        store = self._store
        if store is None or store.closed:
            return self._failed_at is None
        try:
            store.flush(timeout_s)
            return True
        except ForkedError:
            self.forget()
            return True
        except Exception as error:
            warn_once(("flush", self.path), "%s is not flushed: %s", self.path, error)
            return False

    def close(self) -> None:
        """Makes everything durable and lets the file go; a later record opens it again."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            try:
                store.close(FLUSH_TIMEOUT_S)
            except Exception as error:
                warn_once(("close", self.path), "closing %s: %s", self.path, error)

    # -- recording. What records asks first whether it may wait.

    def begin(self, fields: Dict[str, Any]) -> Optional[Span]:
        """A live observation; None if it cannot be begun."""
        span: Optional[Span] = self._record(Store.begin, fields)
        return span

    def begin_draft(
        self,
        draft: Draft,
        id: str,
        trace_id: str,
        parent_id: Optional[str],
        start_ns: Optional[int],
        fields: Dict[str, Any],
    ) -> Optional[Span]:
        """As begin, in less time."""
        store = self._store
        if store is not None and not (_signals.is_pending or _is_exiting):
            try:
                return _call(store.begin_draft, draft, id, trace_id, parent_id, start_ns, fields)
            except QueueFullError as error:  # dropped, and counted
                _tell(error)
                return None
            except Exception:  # it is closed, or of the parent process, or refuses a field
                pass
        return self.begin(_all_fields(draft, id, trace_id, parent_id, start_ns, fields))

    def put_draft(
        self,
        draft: Draft,
        id: str,
        trace_id: str,
        parent_id: Optional[str],
        start_ns: Optional[int],
        fields: Dict[str, Any],
    ) -> None:
        """As put_observation."""
        self.put_observation(_all_fields(draft, id, trace_id, parent_id, start_ns, fields))

    def put_observation(self, fields: Dict[str, Any]) -> None:
        self._record(Store.put_observation, fields)

    def put_trace(self, fields: Dict[str, Any]) -> None:
        self._record(Store.put_trace, fields)

    def put_score(self, fields: Dict[str, Any]) -> None:
        self._record(Store.put_score, fields)

    def write(
        self, live: Optional[Span], id: str, trace_id: str, fields: Dict[str, Any], is_end: bool
    ) -> Optional[Span]:
        """Adds fields to an observation, and ends it: on its handle while that is live in this
        process, else by its ids. Returns the handle, if it still is."""
        if live is not None:
            try:
                if is_end:
                    _call(live.finish, fields)
                    return None
                if fields:
                    _call(live.change, fields)
                return live
            except (ForkedError, MisuseError):
                live = None  # the parent's, ended, or of a store that was closed
            except InvalidError as error:
                rest = without_refused(fields, error)
                if rest is not None:
                    return self.write(live, id, trace_id, rest, is_end)
                if not is_end:
                    return live
                fields = {name: fields[name] for name in ("end_time",) if name in fields}
                live = None
            except Exception as error:
                _tell(error)
                return None if is_end else live
        if is_end:
            fields.setdefault("end_time", time.time_ns())
        if fields:
            self.put_observation({**fields, "id": id, "trace_id": trace_id})
        return None

    def append(self, live: Optional[Span], text: str) -> bool:
        """Streams text into the output; whether it could."""
        if live is None:
            return False
        try:
            _call(live.append, text)
            return True
        except Exception:  # ended, of another process, or a lone surrogate
            return False

    def _record(self, function: Callable[..., Any], fields: Dict[str, Any]) -> Any:
        for _ in range(REFUSED_FIELDS_MAX):
            store = self.store()
            if store is None:
                return None
            try:
                result = _call(function, store, **fields)
                if _is_exiting:
                    store.flush(SIGTERM_TIMEOUT_S)
                return result
            except ForkedError:
                self.forget()
            except MisuseError as error:
                if not store.closed:
                    return _tell(error)
            except InvalidError as error:
                rest = without_refused(fields, error)
                if rest is None:
                    return _tell(error)
                fields = rest
            except Exception as error:
                return _tell(error)
        return None


# ------------------------------------------------------------------------- threads and loops


def _call(function: Callable[..., _R], /, *arguments: Any, **fields: Any) -> _R:
    """Calls what records; on the thread of an event loop it drops what finds the queue full, in
    place of waiting."""
    if not _is_on_loop():
        return function(*arguments, **fields)
    with Dropping(_c.library()):
        return function(*arguments, **fields)


def _is_on_loop() -> bool:
    """Whether this thread runs an event loop, which must not wait for the disk."""
    if _running_loop is None:
        return _find_asyncio()
    return _running_loop() is not None


_running_loop: Any = None


def _find_asyncio() -> bool:
    global _running_loop
    events = sys.modules.get("asyncio.events")
    if events is None:  # nobody has imported it yet
        return False
    _running_loop = getattr(events, "_get_running_loop", None)
    return _running_loop is not None and _running_loop() is not None


def _all_fields(
    draft: Draft,
    id: str,
    trace_id: str,
    parent_id: Optional[str],
    start_ns: Optional[int],
    fields: Dict[str, Any],
) -> Dict[str, Any]:
    return {
        **draft.fields,
        **fields,
        "id": id,
        "trace_id": trace_id,
        "parent_observation_id": parent_id,
        "start_time": start_ns,
    }


def without_refused(fields: Dict[str, Any], error: TraceliteError) -> Optional[Dict[str, Any]]:
    """The fields without the one that was refused, with a warning; None if it is not known."""
    name = (error.field or "").split(".")[0]
    if name not in fields:
        name = "is_" + name
    if name not in fields or name in ("id", "trace_id"):
        return None
    warn_once(("refused", name), "%s was dropped: %s", name, error)
    return {each: value for each, value in fields.items() if each != name}


def _tell(error: BaseException) -> None:
    what = getattr(error, "field", None)
    warn_once(("record", type(error), what), "not recorded: %s: %s", type(error).__name__, error)


# -------------------------------------------------------------------- the ends of the process


def drain_all() -> None:
    for recorder in list(_recorders.values()):
        recorder.flush(SIGTERM_TIMEOUT_S)


def flush_path(path: str, timeout_s: float) -> None:
    """Makes what this process has recorded into a file durable, whatever its clients' rates."""
    for recorder in list(_recorders.values()):
        if recorder.path == path:
            recorder.flush(timeout_s)


def _after_fork_in_child() -> None:
    for recorder in list(_recorders.values()):
        recorder.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@atexit.register
def _on_exit() -> None:
    # Stores are closed by tracelite itself, right after this. What is recorded later still opens
    # the file again, and is durable at once, because nobody will close it any more.
    global _is_exiting
    _is_exiting = True
