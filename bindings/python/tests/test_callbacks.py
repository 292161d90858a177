"""What the library calls: masks and logs."""

import os
import sys
import unittest
from typing import Any, List, Tuple
from unittest import mock

import tracelite
from support import FolderCase
from tracelite import Form, Json, Payload, Store


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


if __name__ == "__main__":
    unittest.main()
