"""Keeping the file: what is in it, deleting, checking, making it anew, and copying it."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, List, Optional, Tuple

from . import _c
from ._c import Status
from ._errors import InvalidError, check
from ._events import Caught, Path, Progress, reason_name
from ._fields import filter_struct, takes
from ._gate import Gate, KeepingCallback
from ._parameters import deleting, deleting_securely
from ._reports import DeleteReport, Finding, Space, Statistics, noting
from ._values import encoded_path, milliseconds_of

_NO_FILTER = "delete needs a filter; for everything, give from_time=-2**63"


class Keeper:
    """What a store does for its file as a whole."""

    _lib: ctypes.CDLL
    _gate: Gate

    def stats(self) -> Statistics:
        """Statistics of the newest commit, in constant time."""
        struct = _c.Statistics()
        struct.struct_size = ctypes.sizeof(struct)
        with self._gate.call():
            store = self._gate.handle()
            check(self._lib, self._lib.tl_stats(store, ctypes.byref(struct)))
        names = [name for name, *_ in struct._fields_ if name != "struct_size"]
        return Statistics(**{name: getattr(struct, name) for name in names})

    def counters(self) -> Dict[str, int]:
        """How often something was repaired, dropped, masked or refused, by reason, in this file
        since it was created."""
        counts: Dict[str, int] = {}
        count = ctypes.c_uint64()
        with self._gate.call():
            store = self._gate.handle()
            for reason in range(1, 1000):
                if self._lib.tl_reason_name(reason) is None:
                    break
                check(self._lib, self._lib.tl_counter(store, reason, ctypes.byref(count)))
                counts[reason_name(self._lib, reason)] = count.value
        return counts

    def space(self) -> Tuple[Space, ...]:
        """Where the bytes of the file are; the sizes add up to its size. "free" is what the next
        commits will use, "lmdb" what LMDB keeps of its own."""
        lines: List[Space] = []
        with self._gate.call(), Caught() as caught:
            store = self._gate.handle()

            def add(context: object, key_space: Any, table: Any, size_bytes: int) -> None:
                with caught.kept():
                    lines.append(
                        Space(
                            _c.text_of(key_space.data, key_space.size_bytes) or "",
                            _c.text_of(table.data, table.size_bytes) or "",
                            size_bytes,
                        )
                    )

            caught.check(self._lib, self._lib.tl_space(store, _c.SpaceFn(add), None))
        return tuple(lines)

    @takes(deleting)
    def delete(self, *, progress: Optional[Progress] = None, **conditions: Any) -> DeleteReport:
        """Deletes the traces that `traces` lists with the same filters, each with its observations
        and scores; a session goes with its last trace. At least one filter is needed; for
        everything, give a time that covers it: `from_time=-2**63`. What is recorded later for an
        id that was deleted starts it anew. progress(done, total) counts traces; what it raises
        stops, and what was deleted stays deleted. Recording in progress is as for reindex.
        """
        return self._delete(None, progress, conditions)

    @takes(deleting_securely)
    def delete_securely(
        self,
        *,
        timeout: Optional[float] = None,
        progress: Optional[Progress] = None,
        **conditions: Any,
    ) -> DeleteReport:
        """Deletes as `delete` does, makes the index anew, and overwrites what is free in the file
        with zeros, so that no byte of it says any more what was deleted. What `tl_delete_securely`
        in tracelite.h says of its limits holds here. Pages that a snapshot of some process can
        still reach are waited for, timeout seconds at most (None is without limit); then it raises
        TimedOutError, whose report tells how much remains, and calling again with the same filters
        goes on."""
        return self._delete(milliseconds_of(timeout, "timeout"), progress, conditions)

    def _delete(
        self, secure_ms: Optional[int], progress: Optional[Progress], conditions: Dict[str, Any]
    ) -> DeleteReport:
        filter = filter_struct(conditions)
        if filter is None:
            raise InvalidError(_NO_FILTER, field="filter")
        report = _c.DeleteReport()
        report.struct_size = ctypes.sizeof(report)
        with self._gate.call(), self._gate.keeping(), Caught() as caught:
            store = self._gate.handle()
            told = caught.progress(progress, KeepingCallback(self._lib, self._gate))
            if secure_ms is None:
                status = self._lib.tl_delete(store, filter, told, None, ctypes.byref(report))
            else:
                status = self._lib.tl_delete_securely(
                    store, filter, secure_ms, told, None, ctypes.byref(report)
                )
            done = DeleteReport(
                trace_count=report.trace_count,
                observation_count=report.observation_count,
                score_count=report.score_count,
                session_count=report.session_count,
                zeroed_size_bytes=report.zeroed_size_bytes,
                remaining_size_bytes=report.remaining_size_bytes,
            )
            try:
                caught.check(self._lib, status, done)
            except InvalidError as error:
                if error.field == "filter":  # tags=[], say
                    raise InvalidError(_NO_FILTER, field="filter") from None
                raise
        return done

    def check(self, *, progress: Optional[Progress] = None) -> Tuple[Finding, ...]:
        """Checks the whole file, and returns what is wrong: nothing, if it is sound."""
        findings: List[Finding] = []
        with self._gate.call(), Caught() as caught:
            store = self._gate.handle()
            status = self._lib.tl_check(
                store, noting(findings, caught), None, caught.progress(progress), None
            )
            caught.check(self._lib, 0 if status == Status.CORRUPT and findings else status)
        return tuple(findings)

    def reindex(self, *, progress: Optional[Progress] = None) -> None:
        """Rebuilds the index from the records; every answer is the same after it. What progress
        raises stops it, and the old index stays. Nothing can be written meanwhile: recording in
        progress raises QueueFullError once the queue is full, whatever full_policy says."""
        with self._gate.call(), self._gate.keeping(), Caught() as caught:
            store = self._gate.handle()
            told = caught.progress(progress, KeepingCallback(self._lib, self._gate))
            caught.check(self._lib, self._lib.tl_reindex(store, told, None))

    def compact(self, *, progress: Optional[Progress] = None) -> None:
        """Writes the whole file anew and puts the new one in its place, under whoever uses it: as
        small as its content allows, and with nothing left of what was deleted. What progress raises
        stops it, and the file stays as it was. Recording in progress is as for reindex."""
        with self._gate.call(), self._gate.keeping(), Caught() as caught:
            store = self._gate.handle()
            told = caught.progress(progress, KeepingCallback(self._lib, self._gate))
            caught.check(self._lib, self._lib.tl_compact(store, told, None))

    def backup(self, path: Path, *, progress: Optional[Progress] = None) -> None:
        """Copies the newest commit to a new file, a store of its own, while others go on writing.
        The path must not exist; if it fails, or progress raises, nothing is left there."""
        encoded = encoded_path(path)
        with self._gate.call(), Caught() as caught:
            self._gate.check_may_wait()
            store = self._gate.handle()
            caught.check(
                self._lib,
                self._lib.tl_backup(store, encoded, caught.progress(progress), None),
            )
