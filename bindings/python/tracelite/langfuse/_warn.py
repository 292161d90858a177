"""What goes wrong is told through `logging`, each kind once, and never by an exception.

An application that is traced must not fail because its tracing does, and a limit that every call
passes must not fill its log.
"""

import logging
from typing import Hashable, Set

logger = logging.getLogger("tracelite.langfuse")

KIND_COUNT_MAX = 10_000  # kinds remembered; a program with more of them is told no further ones

_told: Set[Hashable] = set()


def shown(value: object) -> str:
    """A short text of a value of the application's, whatever its methods do."""
    try:
        return repr(value)[:100]
    except Exception:
        return f"<{type(value).__name__}>"


def warn_once(kind: Hashable, message: str, *arguments: object) -> None:
    """Logs a warning the first time that this kind of problem is met."""
    if kind in _told or len(_told) >= KIND_COUNT_MAX:
        return
    _told.add(kind)
    try:
        texts = [each if type(each) in (str, int) else shown(each) for each in arguments]
        logger.warning(message + " (told once)", *texts)
    except Exception:  # a handler of the application's own
        pass


def forget_warnings() -> None:
    """Lets every kind be told again."""
    _told.clear()
