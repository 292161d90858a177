"""Live observations."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any, Mapping, Optional, Tuple

from . import _c
from ._c import Field
from ._errors import InvalidError, MisuseError, TraceliteError, check
from ._fields import child_fields, observation_changes, observation_struct, takes
from ._values import text_bytes

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

    from ._store import Store

_ENDED = ctypes.c_void_p()
_byref = ctypes.byref
_STREAMED = {"output": Field.OUTPUT, "input": Field.INPUT}


class Span:
    """A live observation: begun, in the file, and unfinished until it ends.

    As a context manager it ends with the block; an exception that leaves the block makes its level
    ERROR and its status_message the exception. A span that is dropped stays unfinished.
    """

    __slots__ = ("_store", "_handle", "_lock", "id", "trace_id", "__weakref__")

    id: str
    trace_id: str

    def __init__(self, store: Store, id: str = "", trace_id: str = "") -> None:
        # Made before the library fills it, so that no interruption can lose it.
        self._handle = ctypes.c_void_p()
        self._store = store
        self._lock = threading.Lock()
        self.id = id
        self.trace_id = trace_id

    def _begin(
        self,
        store: int,
        parent: Optional[int],
        struct: _c.Observation,
        ids: Tuple[Optional[str], Optional[str]] = (None, None),
    ) -> None:
        lib = self._store._lib
        handle = self._handle
        check(lib, lib.tl_begin(store, parent, ctypes.byref(struct), ctypes.byref(handle)))
        if ids[0] is not None and ids[1] is not None:
            self.id, self.trace_id = ids[0], ids[1]
            return
        trace_id, id = _c.TextOut(), _c.TextOut()
        check(lib, lib.tl_span_ids(handle, ctypes.byref(trace_id), ctypes.byref(id)))
        self.id = _c.text_of(id.data, id.size_bytes) or ""
        self.trace_id = _c.text_of(trace_id.data, trace_id.size_bytes) or ""

    def __repr__(self) -> str:
        state = "live" if self._handle else "ended"
        return f"<Span {self.id} of trace {self.trace_id}, {state}>"

    @takes(child_fields)
    def span(self, **fields: Any) -> Span:
        """Begins an observation below this one (which may have ended) in its trace."""
        return self._store.begin(parent=self, **fields)

    begin = span

    @takes(observation_changes)
    def update(self, **fields: Any) -> None:
        """Adds to the observation: what is given is written, None stays, CLEAR is taken away."""
        self.change(fields)

    def change(self, fields: Mapping[str, Any]) -> None:
        """As update."""
        struct = _byref(observation_struct(None, fields))
        store = self._store
        gate = store._gate
        with gate.call():
            gate.pointer()
            with self._lock:
                handle = self._handle
                if not handle:
                    self._live()
                status = store._update(handle, struct)
                if status:
                    check(store._lib, status)

    def append(self, text: str, field: str = "output") -> None:
        """Appends text to the output (or input), as a model streams it: what was appended before a
        crash is in the file. The first one sets completion_start_time, unless it was set.

        The text may grow without limit: the library's memory does not grow with it, unless a mask
        has to see it whole. Of one longer than 4 MiB the media stay in its text.
        """
        data = text_bytes(text, field)
        code = _STREAMED.get(field)
        if code is None:
            raise InvalidError(f"field is {field!r}, but must be output or input", field="field")
        gate, lib = self._store._gate, self._store._lib
        with gate.call():
            gate.handle()
            with self._lock:
                check(lib, lib.tl_append(self._live(), code, _c.Text(data, len(data))))

    @takes(observation_changes)
    def end(self, **fields: Any) -> None:
        """Ends the observation, at end_time or now, with last fields to add. If the library refuses
        one of them, it raises InvalidError, and the observation has ended without them.
        """
        self.finish(fields)

    def finish(self, fields: Mapping[str, Any]) -> None:
        """As end."""
        struct = _byref(observation_struct(None, fields)) if fields else None
        store = self._store
        gate = store._gate
        with gate.call():
            gate.pointer()
            with self._lock:
                handle = self._handle
                if not handle:
                    self._live()
                self._handle = _ENDED
                status = store._end(handle, struct)
                if status:
                    check(store._lib, status)

    def _live(self) -> int:
        handle = self._handle.value
        if handle is None:
            raise MisuseError("the observation has ended")
        return handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        if not self._handle:
            return
        if error is None or isinstance(error, GeneratorExit):
            self.end()
            return
        try:
            self.end(level="ERROR", status_message=_message(error))
        except TraceliteError:  # counted by the library; the caller's own error matters more
            pass

    def __del__(self) -> None:
        # Freeing it now would end the observation, which never ended.
        if getattr(self, "_handle", None):
            store = self._store
            store._gate.free_when_closed(store._lib.tl_end, self._handle.value, None)


def _message(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = ""
    return (f"{name}: {text}" if text else name).encode("utf-8", "backslashreplace").decode()
