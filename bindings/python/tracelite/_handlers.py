"""Exchanges the handlers of signals that Python runs, and leaves alone what the system runs.

signal.signal() does both: it puts Python's own handler over one that a library installed in C (as
drain_on_sigterm does), and undoes signal.siginterrupt().
"""

from __future__ import annotations

import ctypes
import signal
from typing import Any, Optional

_ACTION_SIZE_BYTES = 1024  # no system's struct sigaction is larger


def _find() -> Optional[Any]:
    try:
        # Without letting go of the interpreter's lock, so that no other thread comes between.
        function = ctypes.PyDLL(None).sigaction
    except (AttributeError, OSError, TypeError):  # not a POSIX system
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    function.restype = ctypes.c_int
    return function


_sigaction = _find()


def exchange(number: int, handler: Any) -> None:
    """signal.signal(), of which the system learns nothing. For the main thread, and a signal that
    has a handler of Python's. What the signals that are due raise comes out, before or after."""
    if _sigaction is None:
        signal.signal(number, handler)
        return
    action = ctypes.create_string_buffer(_ACTION_SIZE_BYTES)
    is_known = _sigaction(number, None, action) == 0
    try:
        signal.signal(number, handler)
    finally:
        if is_known:
            _sigaction(number, action, None)
