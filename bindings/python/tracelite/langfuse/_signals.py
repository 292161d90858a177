"""SIGTERM loses nothing: where nobody handles it, a handler makes everything durable and lets the
process die of it as it would have."""

import os
import signal
import threading
from typing import Callable, List

_drains: List[Callable[[], None]] = []

# Whether the handler waits for the main thread to come by: Python lets no other one install it.
is_pending = False


def drain_on_sigterm(drain: Callable[[], None]) -> None:
    """Installs the handler, over the default one only."""
    global is_pending
    if drain not in _drains:
        _drains.append(drain)
    is_pending = threading.current_thread() is not threading.main_thread()
    if is_pending:
        return
    try:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _on_sigterm)
    except (ValueError, OSError, AttributeError):  # a subinterpreter, or no such signal
        pass


def _on_sigterm(number: int, frame: object) -> None:
    for drain in list(_drains):
        try:
            drain()
        except Exception:
            pass
    if signal.getsignal(number) is not _on_sigterm:
        return  # whoever chained to this one decides what follows
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
