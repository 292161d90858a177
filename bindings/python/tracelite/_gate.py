"""Guards a store's handle: calls pass while it is open, closing waits for those inside.

The C API forbids a call beside tl_close and anything but freeing after it, and a fork takes the
store away from the child. All that is decided here, so that no Python program can pass a stale
handle to the library.

Each thread has a lock of its own for each store, and holds it during a call: nobody else wants it
but who closes the store. They are locks, and not a count, because `with lock` cannot be torn in two
by a KeyboardInterrupt.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
import weakref
from typing import Any, Callable, List, Optional, Tuple, TypeVar

from ._errors import BusyError, ForkedError, MisuseError

_R = TypeVar("_R")
_Freeing = Tuple[Callable[..., Any], Tuple[Any, ...]]

_fork_count = 0


def _after_fork_in_child() -> None:
    global _fork_count
    _fork_count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


class _Thread(threading.local):
    """What a thread knows of its own locks."""

    def __init__(self) -> None:
        self.callback: Any = threading.RLock()
        self.calls: List[weakref.ref[Any]] = []
        self.drops = False  # what the program has said
        self.must_drop = False


_thread = _Thread()


def callback_of_writer() -> Any:
    """A lock to hold in a callback that the library runs on a thread of its own."""
    return _thread.callback


def is_in_call() -> bool:
    """Whether this thread is in a call of the library or a callback of its writer, where a
    destructor may not call it: a failed call's tl_error would be lost, or the writer would wait for
    itself."""
    if _thread.callback._is_owned():
        return True
    return any(lock._is_owned() for lock in _alive(_thread.calls))


def drop_when_full(lib: ctypes.CDLL, drops: bool) -> None:
    """tl_drop_when_full, as the program says it."""
    _thread.drops = drops
    lib.tl_drop_when_full(1 if drops or _thread.must_drop else 0)


class Dropping:
    """Surrounds calls of a thread that must not wait: recording drops what has no room, whatever
    the program has said, which holds again after it."""

    def __init__(self, lib: ctypes.CDLL) -> None:
        self._lib = lib
        self._before = False

    def __enter__(self) -> None:
        self._before, _thread.must_drop = _thread.must_drop, True
        self._lib.tl_drop_when_full(1)

    def __exit__(self, *exception: object) -> None:
        _thread.must_drop = self._before
        drop_when_full(self._lib, _thread.drops)


class KeepingCallback(Dropping):
    """Surrounds callbacks of what keeps the queue from being written, so that nothing in them makes
    the call wait for itself: recording drops what has no room, and what was read leaves no snapshot
    open."""

    def __init__(self, lib: ctypes.CDLL, gate: Gate) -> None:
        super().__init__(lib)
        self._gate = gate

    def __exit__(self, *exception: object) -> None:
        self._gate._free_waste()
        super().__exit__(*exception)


def _alive(locks: List[weakref.ref[Any]]) -> List[Any]:
    return [lock for lock in [reference() for reference in locks] if lock is not None]


def _register(locks: List[weakref.ref[Any]], lock: Any) -> None:
    locks[:] = [each for each in locks if each() is not None]
    locks.append(weakref.ref(lock))


class Gate:
    """Holds the handle of an open store. Every call on it, the look at tl_error included, goes

    with gate.call():
        handle = gate.handle()
    """

    def __init__(self, handle: int) -> None:
        self._handle: Optional[int] = handle
        self._pointer = ctypes.c_void_p(handle)
        self._closing = False
        self._closing_lock = threading.Lock()
        self._fork_count = _fork_count
        self._own = threading.local()
        self._calls: List[weakref.ref[Any]] = []  # the locks of all threads
        self._calls_lock = threading.RLock()
        # Handles without an owner that wait to be freed: at the next chance, after the close.
        self._waste: List[_Freeing] = []
        self._kept: List[_Freeing] = []

    @property
    def is_forked(self) -> bool:
        return self._fork_count != _fork_count

    @property
    def is_closed(self) -> bool:
        return self._handle is None

    def call(self) -> Any:
        """This thread's lock, to hold during a call, and to take before any other lock: in a child
        process handle() must have its say before locks that other threads held at the fork.
        """
        try:
            return self._own.lock
        except AttributeError:
            self._check_fork()
            lock = threading.RLock()
            with self._calls_lock:
                _register(self._calls, lock)
            _register(_thread.calls, lock)
            self._own.lock = lock
            return lock

    def keeping(self) -> Any:
        """This thread's lock, to hold beside call() in what keeps others from writing meanwhile."""
        self.check_may_wait()
        return self._own.keeping

    def check_may_wait(self) -> None:
        """For what waits until something is written. Raises MisuseError in a callback of what keeps
        that from happening: it would wait for itself."""
        try:
            lock = self._own.keeping
        except AttributeError:
            lock = self._own.keeping = threading.RLock()
        if lock._is_owned():
            raise MisuseError(
                "a callback of a running call cannot flush, import into or keep the store"
            )

    def handle(self) -> int:
        """The handle, good as long as call() is held. Raises MisuseError once the store is closed,
        ForkedError in a child process."""
        self._check_fork()
        handle = self._handle
        if self._closing or handle is None:
            raise MisuseError("the store is closed")
        if self._waste:
            self._free_waste()
        return handle

    def pointer(self) -> ctypes.c_void_p:
        """As handle(), for functions of the library that are called without conversions."""
        if self._closing or self._handle is None or self._waste:
            self.handle()
        if self._fork_count != _fork_count:
            self._check_fork()
        return self._pointer

    def _check_fork(self) -> None:
        if self._fork_count != _fork_count:
            raise ForkedError(
                "the store was opened before a fork and belongs to the parent process: "
                "open the file again in this one"
            )

    def free(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Calls a function that frees a handle of this store, now or as soon as it can be done.
        Never raises: for __del__, which may run at any point of any thread."""
        if self._fork_count != _fork_count:
            return  # it is the parent's
        self._waste.append((function, arguments))
        if not is_in_call():
            with self.call():
                if not self._closing:
                    self._free_waste()

    def free_when_closed(self, function: Callable[..., Any], *arguments: Any) -> None:
        """As free, but not before the store is closed."""
        if self._handle is None:
            self.free(function, *arguments)
        elif self._fork_count == _fork_count:
            self._kept.append((function, arguments))

    def _free_waste(self) -> None:
        while self._waste:
            try:
                function, arguments = self._waste.pop()
            except IndexError:  # another thread was faster
                break
            function(*arguments)

    def close(self, timeout: Optional[float], function: Callable[[int], _R]) -> Optional[_R]:
        """Waits for the calls of other threads to return, and calls a function that closes the
        handle. None if the store is closed already, or is the parent's.

        Raises BusyError if the calls do not return in time, MisuseError inside a call of this
        thread; the store stays open in both cases.
        """
        if self._fork_count != _fork_count:
            return None
        if self.call()._is_owned():
            raise MisuseError("a callback of a running call cannot close the store")
        with self._closing_lock:
            handle = self._handle
            if handle is None:
                return None
            self._closing = True
            try:
                self._wait_until_alone(timeout)
                try:
                    result = function(handle)
                finally:
                    self._handle = None  # whatever happened: a KeyboardInterrupt, too
            finally:
                self._closing = False
        self._waste += self._kept
        self._kept.clear()
        self._free_waste()
        return result

    def _wait_until_alone(self, timeout: Optional[float]) -> None:
        # New calls turn back at handle(), so it is enough to have held each lock once.
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._calls_lock:
            locks = _alive(self._calls)
        for lock in locks:
            left = -1.0 if deadline is None else max(0.0, deadline - time.monotonic())
            if not lock.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
                raise BusyError("the store cannot be closed: another thread is in a call on it")
            lock.release()
