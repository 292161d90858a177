"""What the library calls: masks and logs."""

import os
import sys
import unittest
from functools import partial
from typing import Any, Callable, Dict, List, Tuple
from unittest import mock

import tracelite
from support import FolderCase, run_python
from tracelite import Form, Json, MisuseError, Payload, Store


class MaskTest(FolderCase):
    def test_mask(self) -> None:
        seen: List[Tuple[str, Payload]] = []

        def mask(field: str, payload: Payload) -> object:
            seen.append((field, payload))
            if payload.form is Form.TEXT:
                return payload.text.replace("secret", "***")
            if field == "metadata":
                return {"masked": True}
            if payload.form is Form.BYTES:
                return None
            return payload

        with Store(self.path, mask=mask) as store:
            store.put_trace(
                "t", input="a secret", output=Json('{ "kept": 1 }'), metadata={"k": "v"}
            )
            store.put_observation("o", trace_id="t", input=b"bytes", output={"kept": 2})
            store.flush()
            trace, row = store.get_trace("t"), store.get_observation("o")
            self.assertEqual(trace.input, "a ***")
            self.assertEqual(trace.output_text, '{ "kept": 1 }')
            self.assertEqual(trace.metadata, {"masked": True})
            self.assertEqual((row.input, row.output), (None, {"kept": 2}))
            self.assertEqual(store.counters()["masked"], 3)
        self.assertIn(("input", Payload(Form.TEXT, b"a secret")), seen)
        self.assertEqual({field for field, _ in seen}, {"input", "output", "metadata"})

    def test_streamed_text_is_withheld_until_it_can_be_masked(self) -> None:
        def mask(field: str, payload: Payload) -> object:
            return payload.text.replace("secret", "***")

        with Store(self.path, mask=mask) as store:
            span = store.begin(name="stream")
            span.append("my sec")
            span.append("ret is")
            store.flush()
            (row,) = store.observations()
            self.assertIs(row.output_form, Form.WITHHELD)
            self.assertEqual(row.output_size_bytes, 12)
            self.assertIsNone(row.output)
            self.assertIsNone(row.output_bytes)
            span.end()
            store.flush()
            (row,) = store.observations()
            self.assertEqual(row.output, "my *** is")

    def test_a_failing_mask(self) -> None:
        logged: List[Any] = []

        def mask(field: str, payload: Payload) -> object:
            raise ValueError("with a secret")

        with Store(self.path, mask=mask, log=lambda *a: logged.append(a)) as store:
            with self.assertLogs("tracelite", "ERROR") as python_log:
                store.put_trace("t", input="a secret")
                store.flush()
            self.assertEqual(
                store.get_trace("t").input, "<fully masked due to failed mask function>"
            )
            self.assertEqual(store.counters()["mask_failed"], 1)
        self.assertNotIn("secret", str(logged) + str(python_log.output))
        self.assertIn("ValueError", str(python_log.output))
        self.assertIn("mask_failed", [reason for _, reason, _ in logged])

    def test_what_a_mask_may_not_return(self) -> None:
        for bad in (object(), Json("{"), float("nan")):
            path = self.folder / f"{len(os.listdir(self.folder))}.tl"
            with Store(path, mask=lambda field, payload: bad) as store:
                with mock.patch("tracelite._opened.logger"):
                    store.put_trace("t", input="x")
                    store.flush()
                self.assertIn("fully masked", store.get_trace("t").input)


class LogTest(FolderCase):
    def test_repairs_reach_the_log_and_the_counters(self) -> None:
        logged: List[Any] = []
        with Store(self.path, log=lambda *a: logged.append(a)) as store:
            store.put_trace("t", session_id="s" * 201, environment="Prod!")
            store.flush()
            trace = store.get_trace("t")
            self.assertEqual((trace.session_id, trace.environment), (None, "default"))
            counters = store.counters()
            self.assertEqual((counters["session_id"], counters["environment"]), (1, 1))
            self.assertEqual(counters["tag"], 0)
        reasons = {reason: (level, message) for level, reason, message in logged}
        self.assertEqual(set(reasons), {"session_id", "environment"})
        for level, message in reasons.values():
            self.assertEqual(level, 30)  # logging.WARNING
        self.assertIn("201", reasons["session_id"][1])

    def test_a_failing_log_changes_nothing(self) -> None:
        def log(*arguments: object) -> None:
            raise ValueError("log")

        with Store(self.path, log=log) as store:
            with mock.patch("sys.unraisablehook") as hook:
                store.put_trace("t", name="t", session_id="s" * 201)
                store.flush()
            self.assertTrue(hook.called)
            self.assertIsNone(store.get_trace("t").session_id)


FULL = """
import sys, threading, tracelite
from tracelite import QueueFullError, Store

may_write = threading.Event()
may_write.set()

def hold(field, payload):
    may_write.wait()
    return payload

store = Store(sys.argv[1], queue_size_bytes=1 << 20, mask=hold)
for n in range(3):
    store.put_observation(f"o{n}", trace_id=f"t{n}", input="x" * 1000)
store.flush()

def record(*_):
    may_write.clear()  # between two transactions of a deletion it could
    try:
        for n in range(8):
            Store.drop_when_full(n % 2 == 1)  # has no say here
            store.put_trace(f"u{n}", input="x" * (1 << 18))
    except QueueFullError:
        refused.append(n)
    finally:
        may_write.set()
        Store.drop_when_full(False)

for keep in (
    lambda: store.reindex(progress=record),
    lambda: store.compact(progress=record),
    lambda: store.delete(trace_id="t0", progress=record),
    lambda: store.delete_securely(trace_id="t1", progress=record),
):
    refused = []
    keep()
    print(len(refused) > 0, end=" ")
    # The queue is written again, and who records waits for room in it.
    for n in range(16):
        store.put_trace(f"v{n}", input="x" * (1 << 18))
    store.flush()
store.close()
"""


class ProgressTest(FolderCase):
    def test_recording_never_waits_for_the_call_that_it_is_done_in(self) -> None:
        result = run_python(FULL, str(self.path), timeout=60)
        self.assertEqual((result.stdout, result.stderr), ("True True True True ", ""))

    def test_what_would_wait_for_its_own_call_is_refused(self) -> None:
        with Store(self.path) as store:
            for n in range(3):
                store.put_trace(f"t{n}", input="x" * 1000)
            store.flush()
            copy = self.folder / "copy.tl"
            waiting: List[Callable[[], object]] = [
                store.flush,
                store.compact,
                store.reindex,
                lambda: store.import_events(b""),
                lambda: store.delete(trace_id="nobody"),
                lambda: store.delete_securely(trace_id="nobody"),
                lambda: store.backup(copy),
            ]
            keeps: Dict[str, Callable[..., object]] = {
                "reindex": store.reindex,
                "compact": store.compact,
                "delete": partial(store.delete, trace_id="t0"),
                "delete_securely": partial(store.delete_securely, trace_id="t1"),
            }
            for name, keep in keeps.items():
                refused: List[MisuseError] = []
                call_count = 0

                def progress(done: int, total: int) -> None:
                    nonlocal call_count
                    call_count += 1
                    self.assertIn("t2", [row.id for row in store.traces()])  # reading is fine
                    for wait in waiting:
                        try:
                            wait()
                        except MisuseError as error:
                            refused.append(error)

                with self.subTest(name):
                    keep(progress=progress)
                    self.assertGreater(call_count, 0)
                    self.assertEqual(len(refused), len(waiting) * call_count)
                    self.assertFalse(copy.exists())
                    store.flush()

    def test_a_backup_holds_nobody_up(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", input="x" * 1000)
            store.flush()
            positions: List[int] = []

            def progress(done: int, total: int) -> None:
                store.put_trace(f"u{len(positions)}")
                positions.append(store.flush())

            store.backup(self.folder / "copy.tl", progress=progress)
            self.assertGreater(len(positions), 0)
            self.assertEqual(store.stats().trace_count, 1 + len(positions))
            with Store(self.folder / "copy.tl") as copy:
                self.assertEqual([row.id for row in copy.traces()], ["t"])


if __name__ == "__main__":
    unittest.main()
