"""Ids: made, made from a seed, and checked."""

import hashlib
import os
import random
from typing import Optional

from ._warn import warn_once

ID_SIZE_BYTES_MAX = 800

# A generator of its own, so that an application that seeds `random` does not repeat its ids, and
# one that is seeded anew in a child process, so that a fork does not.
_generator = random.Random()
_bits = _generator.getrandbits

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_generator.seed)


def new_trace_id() -> str:
    return f"{_bits(128):032x}"


def new_observation_id() -> str:
    return f"{_bits(64):016x}"


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
