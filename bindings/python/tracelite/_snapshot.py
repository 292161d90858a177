"""A snapshot of a store: what was in it at one moment."""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any, ContextManager

from ._errors import MisuseError, check
from ._reader import Reader

if TYPE_CHECKING:
    import sys

    if sys.version_info >= (3, 11):
        from typing import Self
    else:
        from typing_extensions import Self

    from ._store import Store


class Snapshot(Reader):
    """A consistent view of a store: reads as a store does. Close it soon, it keeps the file from
    reusing pages; rows and iterators that came from it stay good."""

    def __init__(self, store: Store) -> None:
        self._handle = ctypes.c_void_p()
        self._store = store
        self._lib = store._lib
        self._gate = store._gate
        self._free = self._lib.tl_snapshot_close
        self._lock: Any = threading.RLock()  # the handle is for one thread at a time
        with self._gate.call():
            opened = self._gate.handle()
            check(
                self._lib,
                self._lib.tl_snapshot_open(opened, ctypes.byref(self._handle)),
            )

    def close(self) -> None:
        """More than one close is fine."""
        if not self._gate.is_forked:
            with self._guard():
                self._close()

    def _close(self) -> None:
        handle = self._handle.value
        if handle is not None:
            self._handle.value = None
            self._gate.free(self._free, handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._close()

    def _guard(self) -> ContextManager[object]:
        if self._lock._is_owned():
            raise MisuseError("a callback of an export cannot use the snapshot that is exported")
        lock: ContextManager[object] = self._lock
        return lock

    def _snapshot_handle(self) -> int:
        handle = self._handle.value
        if handle is None:
            raise MisuseError("the snapshot is closed")
        return handle

    def _lasting(self) -> Reader:
        return self if self._handle else self._store
