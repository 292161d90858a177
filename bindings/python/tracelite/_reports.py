"""What calls of a store tell when they are done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List

from . import _c
from ._events import Caught


@dataclass(frozen=True)
class CloseReport:
    """What closing found: observations that had not ended, and stay in the file as unfinished."""

    open_span_count: int


@dataclass(frozen=True)
class Statistics:
    """Statistics of the newest commit. oldest_reader_lag: commits that the oldest snapshot of any
    process is behind. queued_size_bytes: of this store, recorded and not yet durable.
    """

    format_version: int
    trace_count: int
    observation_count: int
    score_count: int
    session_count: int
    user_count: int
    payload_size_bytes: int
    file_size_bytes: int
    commit_number: int
    oldest_reader_lag: int
    queued_size_bytes: int


@dataclass(frozen=True)
class Space:
    """Bytes of the file: of a key space, or, in key space "page", of a table or index of SQLite."""

    key_space: str
    table: str
    size_bytes: int


@dataclass(frozen=True)
class DeleteReport:
    """What delete has deleted."""

    trace_count: int
    observation_count: int
    score_count: int
    session_count: int
    zeroed_size_bytes: int = 0
    """Of delete_securely: what was overwritten with zeros."""
    remaining_size_bytes: int = 0
    """Of a TimedOutError of delete_securely: what snapshots still reach."""


@dataclass(frozen=True)
class Finding:
    """Something that check found wrong, or salvage left behind; `where` names the key space or table."""

    where: str
    message: str


def noting(findings: List[Finding], caught: Caught) -> Any:
    """A callback for C that adds what it is told."""

    def find(context: object, where: Any, message: Any) -> None:
        with caught.kept():
            findings.append(
                Finding(
                    _c.text_of(where.data, where.size_bytes) or "",
                    _c.text_of(message.data, message.size_bytes) or "",
                )
            )

    return _c.FindingFn(find)
