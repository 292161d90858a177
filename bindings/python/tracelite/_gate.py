"""Guards a store's handle: calls pass while it is open, closing waits for those inside.

The C API forbids a call beside tl_close and anything but freeing after it, and a fork takes the
store away from the child. All that is decided here, so that no Python program can pass a stale
handle to the library.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, List, Optional, Tuple, TypeVar

from ._errors import BusyError, ForkedError, MisuseError

_R = TypeVar("_R")
_Freeing = Tuple[Callable[..., Any], Tuple[Any, ...]]

# One entry for each call under way: the thread and the gate it went through. Lists are used for
# what their single operations are: atomic, so that a call costs no lock.
_calls: List[Tuple[int, Optional[Gate]]] = []
_fork_count = 0


def _after_fork_in_child() -> None:
    global _fork_count
    _fork_count += 1
    _calls.clear()  # the other threads are gone


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def is_in_call() -> bool:
    """Whether this thread is in a call of the library or a callback of it, where a destructor may
    not call it: a failed call's tl_error would be lost, or the writer would wait for itself."""
    ident = threading.get_ident()
    return any(caller == ident for caller, _ in tuple(_calls))


class _CallbackOfWriter:
    """`with callback_of_writer` surrounds what runs in a thread that the library made."""

    def __enter__(self) -> None:
        _calls.append((threading.get_ident(), None))

    def __exit__(self, *exception: object) -> None:
        _calls.remove((threading.get_ident(), None))


callback_of_writer = _CallbackOfWriter()


class Gate:
    """Holds the handle of an open store. `with gate as handle:` surrounds every call on it, the
    look at tl_error included.

    Raises MisuseError once the store is closed, ForkedError in a child process.
    """

    __slots__ = ("_handle", "_closing", "_closing_lock", "_fork_count", "_waste", "_kept")

    def __init__(self, handle: int) -> None:
        self._handle: Optional[int] = handle
        self._closing = False
        self._closing_lock = threading.Lock()
        self._fork_count = _fork_count
        # Handles without an owner that wait to be freed: at the next chance, after the close.
        self._waste: List[_Freeing] = []
        self._kept: List[_Freeing] = []

    @property
    def is_forked(self) -> bool:
        return self._fork_count != _fork_count

    @property
    def is_closed(self) -> bool:
        return self._handle is None

    def __enter__(self) -> int:
        if self._fork_count != _fork_count:
            raise ForkedError(
                "the store was opened before a fork and belongs to the parent process: "
                "open the file again in this one"
            )
        _calls.append((threading.get_ident(), self))
        handle = self._handle
        if self._closing or handle is None:
            self.__exit__()
            raise MisuseError("the store is closed")
        return handle

    def __exit__(self, *exception: object) -> None:
        if self._fork_count == _fork_count:
            _calls.remove((threading.get_ident(), self))
            if self._waste:
                self._sweep()

    def free(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls a function that frees a handle of this store, now or as soon as it can be done.
        Never raises: for __del__, which may run at any point of any thread."""
        if self._fork_count == _fork_count:  # else it is the parent's
            self._waste.append((function, arguments))
            self._sweep()

    def free_when_closed(self, function: Callable[..., Any], *arguments: Any) -> None:
        """As free, but not before the store is closed."""
        if self._handle is None:
            self.free(function, *arguments)
        elif self._fork_count == _fork_count:
            self._kept.append((function, arguments))

    def close(self, timeout: Optional[float], function: Callable[[int], _R]) -> Optional[_R]:
        """Waits for the calls of other threads to return, and calls a function that closes the
        handle. None if the store is closed already, or is the parent's.

        Raises BusyError if the calls do not return in time, MisuseError inside a call of this
        thread; the store stays open in both cases.
        """
        if self._fork_count != _fork_count:
            return None
        with self._closing_lock:
            handle = self._handle
            if handle is None:
                return None
            if (threading.get_ident(), self) in _calls:
                raise MisuseError("a callback of a running call cannot close the store")
            self._closing = True
            try:
                self._wait_until_alone(timeout)
                result = function(handle)
                self._handle = None
            finally:
                self._closing = False
        self._waste += self._kept
        self._kept.clear()
        self._sweep()
        return result

    def _wait_until_alone(self, timeout: Optional[float]) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.0001
        while any(gate is self for _, gate in tuple(_calls)):
            if deadline is not None and time.monotonic() >= deadline:
                raise BusyError("the store cannot be closed: another thread is in a call on it")
            time.sleep(pause)
            pause = min(2 * pause, 0.01)

    def _sweep(self) -> None:
        if is_in_call():
            return
        call = (threading.get_ident(), self)
        _calls.append(call)
        try:
            while self._waste and not self._closing:
                try:
                    function, arguments = self._waste.pop()
                except IndexError:  # another thread was faster
                    break
                function(*arguments)
        finally:
            _calls.remove(call)
