"""Ids: made, made from a seed, and checked."""

import hashlib
import os
from typing import List, Optional

from ._warn import warn_once

ID_SIZE_BYTES_MAX = 800

_BATCH_COUNT = 256

# Made many at once, from what the system gives: an application that seeds `random` does not repeat
# its ids, and a child process makes its own.
_made: List[str] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_made.clear)


def new_trace_id() -> str:
    try:
        return _made.pop() + _made.pop()
    except IndexError:
        return new_observation_id() + new_observation_id()


def new_observation_id() -> str:
    try:
        return _made.pop()
    except IndexError:
        digits = os.urandom(8 * _BATCH_COUNT).hex()
        _made.extend(digits[at : at + 16] for at in range(16, len(digits), 16))
        return digits[:16]


def trace_id_of_seed(seed: str) -> str:
    return _digest(seed)[:32]


def observation_id_of_seed(seed: str) -> str:
    return _digest(seed)[:16]


def _digest(seed: object) -> str:
    return hashlib.sha256(str(seed).encode("utf-8", "surrogatepass")).hexdigest()


def checked_id(value: object, what: str) -> Optional[str]:
    """The id as a text that the library takes; None, with a warning, if it is none."""
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else str(value)
        size_bytes = len(text.encode())
    except Exception:
        text, size_bytes = "", 0
    if not 1 <= size_bytes <= ID_SIZE_BYTES_MAX or any(c < " " or c == "\x7f" for c in text):
        warn_once(
            ("id", what),
            "%s was dropped: an id has 1 to 800 bytes of UTF-8 and no control characters",
            what,
        )
        return None
    return text
