"""The traceparent header of W3C Trace Context, by which a trace spans processes.

    headers["traceparent"] = format_traceparent(span.trace_id, span.id)

and in the process that is called:

    parent = parse_traceparent(headers.get("traceparent"))
    span = store.begin(name="serve", **(parent.fields if parent else {}))
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Optional

from ._errors import InvalidError

__all__ = ["Traceparent", "format_traceparent", "parse_traceparent"]

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_PARENT_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")
_SAMPLED = 0x01


@dataclass(frozen=True)
class Traceparent:
    """A caller's place in a trace: the trace, the caller's span, and whether it is recorded."""

    trace_id: str
    parent_id: str
    is_sampled: bool = True

    def __post_init__(self) -> None:
        for field, pattern, digits in (
            ("trace_id", _TRACE_ID, 32),
            ("parent_id", _PARENT_ID, 16),
        ):
            value = getattr(self, field)
            if not isinstance(value, str) or not pattern.fullmatch(value):
                raise InvalidError(
                    f"{field} is {value!r}, but a traceparent needs {digits} lowercase "
                    f"hexadecimal digits that are not all zero",
                    field=field,
                )

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.parent_id}-{_SAMPLED if self.is_sampled else 0:02x}"

    @property
    def fields(self) -> Dict[str, str]:
        """What Store.begin takes for an observation below the caller's."""
        return {"trace_id": self.trace_id, "parent_observation_id": self.parent_id}


def parse_traceparent(header: Optional[str]) -> Optional[Traceparent]:
    """What a traceparent header says, or None if there is none or it is not valid: then a new trace
    starts. Of a version later than 00 it reads what 00 has, as the recommendation says."""
    if not isinstance(header, str):
        return None
    match = _HEADER.fullmatch(header.strip(" \t"))  # HTTP allows this space around a value
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    try:
        return Traceparent(trace_id, parent_id, bool(int(flags, 16) & _SAMPLED))
    except InvalidError:
        return None


def format_traceparent(trace_id: str, parent_id: str, is_sampled: bool = True) -> str:
    """The header for a call made in this observation. Raises InvalidError for ids that are not in
    the form of W3C, as those that the library makes are."""
    return str(Traceparent(trace_id, parent_id, is_sampled))
