"""Following what is recorded."""

import subprocess
import sys
import threading
import unittest
from typing import Any, Dict, List
from unittest import mock

from support import FolderCase
from tracelite import (
    ExpiredError,
    InvalidError,
    MisuseError,
    Observation,
    Status,
    Store,
    TimedOutError,
)


class FollowTest(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.path, commit_interval_ms=1)
        self.addCleanup(self.store.close)

    def test_rows_come_as_they_are_recorded_and_change(self) -> None:
        position = self.store.flush()
        span = self.store.span(name="call", type="tool", trace_id="t")
        self.store.flush()
        rows = self.store.follow(position=position, timeout=60)
        first: Any = next(rows)
        self.assertIsInstance(first, Observation)
        self.assertEqual(("call", None), (first.name, first.end_time))
        span.end()
        self.store.flush()
        second: Any = next(rows)
        self.assertEqual(first.id, second.id)
        self.assertIsNotNone(second.end_time)

    def test_following_ends_after_the_timeout(self) -> None:
        self.assertEqual([], list(self.store.follow(timeout=0)))

    def test_what_is_wrong_is_said_before_anything_is_waited_for(self) -> None:
        wrong: List[Dict[str, Any]] = [
            {"nmae": "x"},
            {"metadata_key": "k"},
            {"level": "LOUD"},
            {"position": -1},
            {"timeout": -1},
        ]
        for each in wrong:
            with self.subTest(each), self.assertRaises((InvalidError, TypeError)):
                self.store.follow(**{"timeout": 0, **each})  # type: ignore[arg-type]

    def test_filters_select(self) -> None:
        position = self.store.flush()
        self.store.put_trace("t", session_id="s", tags=["a"])
        self.store.put_observation("in", trace_id="t", level="ERROR", model="m")
        self.store.put_observation("out", trace_id="u")
        self.store.put_score("rated", trace_id="t", name="q", value=1)
        self.store.flush()

        def ids(**query: Any) -> List[str]:
            rows, newest = self.store.changes(position, **query)
            self.assertGreater(newest, position)
            with rows:
                return sorted(row.id for row in rows)

        self.assertEqual(["in", "out", "rated", "t"], ids())
        self.assertEqual(["in", "rated", "t"], ids(session_id="s"))
        self.assertEqual(["in", "rated", "t"], ids(tags=["a"]))
        self.assertEqual(["in"], ids(level="ERROR"))
        self.assertEqual(["in"], ids(model="m"))
        self.assertEqual(["rated"], ids(name="q"))
        self.assertEqual(["out"], ids(trace_id="u"))
        with self.assertRaises(InvalidError):
            self.store.changes(position, metadata_key="k")

    def test_changes_make_no_table(self) -> None:
        position = self.store.flush()
        self.store.put_trace("t")
        self.store.flush()
        for method in ("to_pandas", "to_arrow"):
            rows, _ = self.store.changes(position)
            with self.assertRaisesRegex(MisuseError, "no columns in common.*observations"):
                getattr(rows, method)()
            self.assertEqual([], list(rows))  # closed

    def test_who_fell_behind_is_told_where_to_go_on(self) -> None:
        position = self.store.flush()
        for n in range(2000):
            self.store.put_observation(trace_id=f"t{n % 7}")
        self.store.flush()
        for n in range(600):
            self.store.put_observation(trace_id="t")
        self.store.flush()
        with Store(self.path) as other:
            lines = []
            for n in range(1000):
                lines.append(
                    '{"id":"e%d","timestamp":"2026-01-01T00:00:00Z","type":"span-create",'
                    '"body":{"id":"i%d","traceId":"t"}}' % (n, n)
                )
            other.import_events(("\n".join(lines)).encode())
        with self.assertRaises(ExpiredError) as caught:
            self.store.changes(position)
        rows, newest = self.store.changes(caught.exception.position)
        with rows:
            self.assertEqual([], list(rows))
        self.assertEqual(caught.exception.position, newest)

    def test_waiting_sees_a_commit_of_another_process(self) -> None:
        position = self.store.flush()
        script = "import sys, tracelite\nwith tracelite.Store(sys.argv[1]) as s: s.put_trace('x')"
        child = subprocess.Popen([sys.executable, "-c", script, str(self.path)])
        try:
            self.assertGreater(self.store.wait(position, 60), position)
        finally:
            self.assertEqual(0, child.wait(60))

    def test_waiting_times_out_and_ends_with_the_store(self) -> None:
        position = self.store.flush()
        with self.assertRaises(TimedOutError):
            self.store.wait(position, 0)
        errors: List[BaseException] = []

        def wait() -> None:
            try:
                self.store.wait(position)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        self.store.close()
        thread.join(60)
        self.assertIsInstance(errors[0], MisuseError)

    def test_a_signal_at_the_last_moment_is_a_time_out(self) -> None:
        position = self.store.flush()
        cancelled = mock.patch.object(self.store._lib, "tl_wait", lambda *_: Status.CANCELLED)
        with cancelled, self.assertRaises(TimedOutError):
            self.store.wait(position, 0)
        with cancelled:
            self.assertEqual([], list(self.store.follow(timeout=0)))

    def test_a_store_that_need_not_sync_each_commit(self) -> None:
        with Store(self.path, durability="last_commit") as store:
            store.put_trace("t")
            self.assertGreater(store.flush(), 0)
        with self.assertRaises(InvalidError):
            Store(self.path, durability="never")


if __name__ == "__main__":
    unittest.main()
