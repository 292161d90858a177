"""Deleting: what goes, what is told, what is refused."""

import unittest
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, List

from support import SECOND, T0, FolderCase, StoreCase
from tracelite import (
    DeleteReport,
    InvalidError,
    NotFoundError,
    ReadOnlyError,
    Store,
    TimedOutError,
)


class DeleteTest(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        store = self.store
        for n, user in enumerate(("ada", "bob", "ada")):
            id = f"t{n}"
            store.put_trace(id, timestamp=T0 + n * SECOND, session_id=f"s{n % 2}", tags=[user])
            store.put_observation("o", trace_id=id, user_id=user, start_time=T0 + n * SECOND)
            store.put_score(f"score{n}", trace_id=id, name="grade", value=n)

    def left(self) -> List[str]:
        self.assertEqual(self.store.check(), ())
        return sorted(trace.id for trace in self.store.traces())

    def test_by_filter(self) -> None:
        # What is only queued is deleted, too.
        report = self.store.delete(user_id="ada")
        self.assertEqual(report, DeleteReport(2, 2, 2, 1))
        self.assertEqual(self.left(), ["t1"])
        self.assertEqual([session.id for session in self.store.sessions()], ["s1"])
        with self.assertRaises(NotFoundError):
            self.store.get_trace("t0")
        self.assertEqual(self.store.delete(user_id="ada").trace_count, 0)

    def test_securely(self) -> None:
        self.store.flush()
        marker = b"grace-who-is-to-be-forgotten"
        self.store.put_trace("t9", timestamp=T0, user_id=marker.decode(), name="t9")
        self.store.flush()
        self.assertIn(marker, Path(self.store.path).read_bytes())
        report = self.store.delete_securely(user_id=marker.decode(), timeout=60)
        self.assertEqual(report.trace_count, 1)
        self.assertGreater(report.zeroed_size_bytes, 0)
        self.assertNotIn(marker, Path(self.store.path).read_bytes())
        self.assertEqual(self.left(), ["t0", "t1", "t2"])
        with self.store.snapshot():
            with self.assertRaises(TimedOutError) as raised:
                self.store.delete_securely(trace_id="t0", timeout=0)
        done = raised.exception.report
        assert isinstance(done, DeleteReport)
        self.assertEqual(done.trace_count, 1)
        self.assertGreater(done.remaining_size_bytes, 0)
        self.store.delete_securely(trace_id="t0", timeout=60)
        with self.assertRaises(InvalidError):
            self.store.delete_securely(timeout=0)

    def test_by_trace_session_tags_and_time(self) -> None:
        self.store.delete(trace_id="t0")
        self.assertEqual(self.left(), ["t1", "t2"])
        self.store.delete(tags=["bob"])
        self.assertEqual(self.left(), ["t2"])
        self.store.put_trace("old", timestamp=datetime(2001, 1, 1, tzinfo=timezone.utc))
        self.store.flush()
        self.store.delete(to_time=datetime(2020, 1, 1, tzinfo=timezone.utc))
        self.assertEqual(self.left(), ["t2"])
        self.store.delete(session_id="s0")
        self.assertEqual(self.left(), [])

    def test_everything(self) -> None:
        self.store.put_session("flags", is_public=True)
        report = self.store.delete(from_time=-(2**63))
        self.assertEqual((report.trace_count, report.session_count), (3, 3))
        statistics = self.store.stats()
        self.assertEqual((statistics.trace_count, statistics.payload_size_bytes), (0, 0))
        self.store.put_trace("t0", name="anew")
        self.store.flush()
        trace = self.store.get_trace("t0")
        self.assertEqual((trace.name, trace.session_id, list(trace.tags)), ("anew", None, []))

    def test_the_beginning_of_time_is_a_bound(self) -> None:
        times: List[Any] = [0, datetime.fromtimestamp(0, timezone.utc)]
        for time in times:
            self.assertEqual(self.store.delete(to_time=time).trace_count, 0)
        self.assertEqual(len(self.left()), 3)

    def test_what_is_refused(self) -> None:
        calls: List[Any] = [{}, {"user_id": None}, {"tags": []}]
        for conditions in calls:
            with self.assertRaisesRegex(InvalidError, "from_time"):
                self.store.delete(**conditions)
        with self.assertRaises(TypeError):
            self.store.delete(id="t0")  # type: ignore[call-arg]
        self.store.flush()
        self.assertEqual(len(self.left()), 3)

    def test_progress_sees_and_stops(self) -> None:
        class Stop(Exception):
            pass

        seen: List[Any] = []
        self.store.delete(trace_id="t0", progress=lambda done, total: seen.append((done, total)))
        self.assertEqual(seen, [(1, 1)])

        def stop(done: int, total: int) -> None:
            raise Stop

        with self.assertRaises(Stop):
            self.store.delete(from_time=-(2**63), progress=stop)
        self.assertEqual(self.store.check(), ())


class ReadOnlyDeleteTest(FolderCase):
    def test_it_is_refused(self) -> None:
        Store(self.path).close()
        with Store(self.path, read_only=True) as store:
            with self.assertRaises(ReadOnlyError):
                store.delete(user_id="ada")


if __name__ == "__main__":
    unittest.main()
