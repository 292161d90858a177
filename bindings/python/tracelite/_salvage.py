"""Bringing out of a damaged file what can still be read."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import List, Optional, Tuple

from . import _c
from ._events import Caught, Path, Progress
from ._reports import Finding, noting
from ._values import encoded_path


@dataclass(frozen=True)
class SalvageReport:
    """What salvage has brought out, and what it has left behind."""

    trace_count: int
    observation_count: int
    score_count: int
    session_count: int
    medium_count: int
    payload_count: int
    lost_page_count: int
    lost_value_count: int
    lost_record_count: int
    lost_payload_count: int
    doubtful_count: int
    findings: Tuple[Finding, ...] = ()

    @property
    def is_all(self) -> bool:
        """Whether everything was brought out, and nothing of it may be older than it was."""
        lost = self.lost_page_count + self.lost_value_count
        return lost + self.lost_record_count + self.lost_payload_count + self.doubtful_count == 0


def salvage(path: Path, new_path: Path, *, progress: Optional[Progress] = None) -> SalvageReport:
    """Brings everything that can still be read of a damaged file, which nobody may have open, into
    a new one at new_path, which must not exist. The damaged file is only read, and safely. If it
    fails, or progress raises, nothing is left at new_path."""
    old, new = encoded_path(path), encoded_path(new_path)
    lib = _c.library()
    findings: List[Finding] = []
    report = _c.SalvageReport()
    report.struct_size = ctypes.sizeof(report)
    with Caught() as caught:
        status = lib.tl_salvage(
            old, new, noting(findings, caught), None, caught.progress(progress), None, report
        )
        caught.check(lib, status)
    counts = {name: getattr(report, name) for name, *_ in report._fields_[1:]}
    return SalvageReport(findings=tuple(findings), **counts)
