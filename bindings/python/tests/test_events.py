"""Langfuse ingestion events in and out, and long work with its callbacks."""

import io
import json
import os
import unittest
from pathlib import Path
from typing import Any, Dict, List

from support import ROOT, FolderCase, StoreCase
from tracelite import InvalidError, Outcome, Store


def event(kind: str, body: Dict[str, Any], id: str = "e") -> Dict[str, Any]:
    return {"id": id, "timestamp": "2024-05-15T15:00:00Z", "type": kind, "body": body}


EVENTS = [
    event("trace-create", {"id": "t", "name": "語", "sessionId": "s", "tags": ["a"]}, "e1"),
    event("span-create", {"id": "o", "traceId": "t", "input": {"q": [1]}}, "e2"),
    event("score-create", {"id": "c", "traceId": "t", "name": "n", "value": 0.5}, "e3"),
]
LINES = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in EVENTS)


class ImportTest(StoreCase):
    def assert_imported(self, source: Any) -> None:
        with Store(self.folder / "fresh.tl") as store:
            report = store.import_events(source)
            self.assertEqual(
                (report.event_count, report.succeeded_count, report.failed_count),
                (3, 3, 0),
            )
            self.assertEqual((report.failures, report.warnings), ((), ()))
            self.assertEqual(store.get_trace("t").name, "語")
            self.assertEqual(store.get_observation("o").input, {"q": [1]})
            self.assertEqual(store.get_score("c").value, 0.5)
        (self.folder / "fresh.tl").unlink()

    def test_sources(self) -> None:
        path = self.folder / "events.jsonl"
        path.write_text(LINES, encoding="utf-8")
        batch = {"batch": EVENTS}
        sources: Dict[str, Any] = {
            "a path": path,
            "a path as a str": str(path),
            "bytes": LINES.encode(),
            "a bytearray": bytearray(LINES.encode()),
            "text": LINES,
            "a text array": "  " + json.dumps(EVENTS, indent=1),
            "a batch": batch,
            "a text batch": json.dumps(batch),
            "a list": EVENTS,
            "a generator": (each for each in EVENTS),
            "a binary file": io.BytesIO(LINES.encode()),
            "a text file": io.StringIO(LINES),
        }
        for name, source in sources.items():
            with self.subTest(name):
                self.assert_imported(source)
        with open(path, "rb", buffering=0) as file:
            self.assert_imported(file)

    def test_nothing(self) -> None:
        sources: List[Any] = [b"", [], iter(()), io.BytesIO()]
        for source in sources:
            self.assertEqual(self.store.import_events(source).event_count, 0)

    def test_failures_and_warnings(self) -> None:
        long = "s" * 201
        events = [
            event("trace-create", {"id": "t1", "sessionId": long}, "long"),
            event("trace-create", {"id": "t2", "environment": "Prod!"}, "environment"),
            event(
                "generation-create",
                {
                    "id": "g",
                    "traceId": "t1",
                    "usageDetails": {"input": 1.5, "output": 2},
                },
                "usage",
            ),
            event("trace-create", {"id": "line\nbreak"}, "bad id"),
            event("span-dance", {"id": "x"}, "dance"),
            event("trace-create", {"id": "t3"}, "good"),
            event("sdk-log", {"log": "hello"}, "log"),
        ]
        source = "".join(json.dumps(each) + "\n" for each in events) + '{"half": '
        report = self.store.import_events(source)
        self.assertEqual(report.event_count, 8)
        self.assertEqual(report.failed_count, 3)
        self.assertEqual(report.warned_count, 3)
        self.assertEqual(report.ignored_count, 1)
        self.assertEqual(report.succeeded_count + report.ignored_count, 5)
        failures = {each.event_id: each for each in report.failures}
        self.assertEqual(set(failures), {"bad id", "dance", None})
        for each in report.failures:
            self.assertEqual((each.http_status, each.is_warning), (400, False))
            self.assertEqual(each.reason, "event_refused")
            self.assertTrue(each.message)
        self.assertEqual(failures["bad id"].field, "body.id")
        self.assertEqual((failures["dance"].line, failures["dance"].index), (5, 4))
        warnings = {each.event_id: each for each in report.warnings}
        self.assertEqual(warnings["long"].reason, "session_id")
        self.assertEqual(warnings["long"].field, "sessionId")
        self.assertEqual(warnings["environment"].reason, "environment")
        self.assertEqual(warnings["usage"].reason, "usage")
        self.assertTrue(all(each.http_status == 201 for each in report.warnings))

        self.assertIsNone(self.store.get_trace("t1").session_id)
        self.assertEqual(self.store.get_trace("t2").environment, "default")
        self.assertEqual(dict(self.store.get_observation("g").usage_details), {"output": 2})
        counters = self.store.counters()
        for reason in ("session_id", "environment", "usage"):
            self.assertEqual(counters[reason], 1, reason)
        self.assertEqual(counters["event_refused"], 3)

    def test_every_outcome(self) -> None:
        seen: List[Outcome] = []
        report = self.store.import_events(
            [*EVENTS, event("nothing", {}, "bad")], outcome=seen.append
        )
        self.assertEqual([each.http_status for each in seen], [201, 201, 201, 400])
        self.assertEqual([each.event_id for each in seen], ["e1", "e2", "e3", "bad"])
        self.assertEqual([each.line for each in seen], [1, 2, 3, 4])
        self.assertEqual((report.failed_count, report.failures), (1, ()))

    def test_what_a_callback_raises_stops_and_comes_out(self) -> None:
        class Stop(BaseException):
            pass

        def stop(*arguments: object) -> Any:
            raise Stop

        class Broken(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                raise Stop

        for arguments in (
            {"source": LINES, "outcome": stop},
            {"source": Broken()},
            {"source": (stop() for _ in range(2))},
        ):
            with self.assertRaises(Stop):
                self.store.import_events(**arguments)  # type: ignore[arg-type]
        with self.assertRaises(Stop):
            self.store.export_events(io.BytesIO(), progress=stop)
        with self.assertRaises(Stop):
            self.store.check(progress=stop)
        with self.assertRaises(Stop):
            self.store.reindex(progress=stop)
        self.assertEqual(self.store.import_events(LINES).succeeded_count, 3)
        self.assertEqual(self.store.check(), ())

    def test_bad_sources(self) -> None:
        with self.assertRaises(FileNotFoundError):
            self.store.import_events(self.folder / "nowhere")
        for bad in (3, ["{}"], None):
            with self.assertRaises(InvalidError):
                self.store.import_events(bad)  # type: ignore[arg-type]

    def test_progress(self) -> None:
        seen: List[int] = []
        self.store.import_events(LINES, progress=lambda done, total: seen.append(done))
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(seen[-1], len(LINES.encode()))


class ExportTest(FolderCase):
    def export(self, path: Path) -> bytes:
        out = io.BytesIO()
        with Store(path) as store:
            store.export_events(out)
        return out.getvalue()

    def test_round_trip(self) -> None:
        first = self.folder / "first.tl"
        with Store(first) as store:
            with store.span(name="agent", session_id="s", input="語") as span:
                span.span(name="tool", type="tool", output={"a": [1, 2.5, None]}).end()
                span.update(output=b"\x00\xff", cost_details={"total": "0.000000000001"})
                span.span(name="unfinished")
            store.put_score(trace_id=span.trace_id, name="n", value="good")
            store.put_score(session_id="s", name="n", value=1.5)
            store.put_session("s", is_bookmarked=True)
        exported = self.export(first)
        second = self.folder / "second.tl"
        with Store(second) as store:
            report = store.import_events(exported)
            self.assertEqual((report.failed_count, report.warned_count), (0, 0))
            self.assertTrue(store.get_session("s").is_bookmarked)
            (row,) = store.observations(name="agent")
            self.assertEqual((row.input, row.output), ("語", b"\x00\xff"))
        self.assertEqual(self.export(second), exported)

    def test_selection_and_targets(self) -> None:
        with Store(self.path) as store:
            store.put_trace("a", user_id="ada")
            store.put_trace("b", user_id="bob")
            store.flush()
            store.export_events(self.folder / "ada.jsonl", user_id="ada")
            (line,) = (self.folder / "ada.jsonl").read_text().splitlines()
            self.assertEqual(json.loads(line)["body"]["id"], "a")
            with open(self.folder / "raw.jsonl", "wb", buffering=0) as file:
                store.export_events(file)
            self.assertEqual(len((self.folder / "raw.jsonl").read_text().splitlines()), 2)
            with self.assertRaises(TypeError):
                store.export_events(io.StringIO())  # type: ignore[arg-type]
            with self.assertRaises(OSError):
                store.export_events(self.folder / "no" / "folder")

    def test_the_file_of_an_open_store_is_not_written_over(self) -> None:
        other = self.folder / "other.tl"
        link, hard_link = self.folder / "link.tl", self.folder / "hard.tl"
        link.symlink_to("test.tl")
        Store(self.path).close()
        with Store(link) as store, Store(other):
            os.link(self.path, hard_link)
            store.put_trace("a", name="a")
            store.flush()
            targets: List[Any] = [self.path, str(link), hard_link, other]
            targets.append(self.path.with_name("test.tl-lock"))
            targets.append(os.path.relpath(self.path))
            for target in targets:
                with self.subTest(target), self.assertRaises(InvalidError) as caught:
                    store.export_events(target)
                self.assertEqual(caught.exception.field, "target")
            with open(self.path, "r+b") as file, self.assertRaises(InvalidError):
                store.export_events(file)
            with store.snapshot() as snapshot, self.assertRaises(InvalidError):
                snapshot.export_events(self.path)
            self.assertEqual(store.check(), ())
            self.assertEqual(store.get_trace("a").name, "a")
            store.export_events(os.devnull)
        with Store(other) as store:
            store.export_events(self.folder / "events.jsonl")
            store.export_events(self.folder / "events.jsonl")  # a file of events may be

    def test_a_snapshot_is_exported_as_it_was(self) -> None:
        with Store(self.path) as store:
            store.put_trace("a", name="a")
            store.flush()
            with store.snapshot() as snapshot:
                store.put_trace("b", name="b")
                store.flush()
                out = io.BytesIO()
                snapshot.export_events(out)
                self.assertEqual(len(out.getvalue().splitlines()), 1)

    def test_the_file_may_read_the_store_meanwhile(self) -> None:
        with Store(self.path) as store:
            store.put_trace("a", name="a")
            store.flush()

            class Reading(io.BytesIO):
                def write(self, data: Any) -> int:
                    store.get_trace("a")
                    with store.snapshot() as other:
                        other.get_trace("a")
                    return super().write(data)

            store.export_events(Reading())
            with store.snapshot() as snapshot:

                class Nested(io.BytesIO):
                    def write(self, data: Any) -> int:
                        snapshot.get_trace("a")
                        return super().write(data)

                with self.assertRaisesRegex(Exception, "callback of an export"):
                    snapshot.export_events(Nested())
                snapshot.get_trace("a")


class WireTest(StoreCase):
    """What Langfuse's JavaScript client really sends."""

    def test_bodies(self) -> None:
        wire = ROOT.parent / "shared" / "langfuse_js_wire.json"
        if not wire.is_file():
            self.skipTest(f"no {wire.name}")
        requests = json.loads(wire.read_text(encoding="utf-8"))
        bodies = [r["body"] for r in requests if r.get("url") == "/api/public/ingestion"]
        for body in bodies:
            report = self.store.import_events(body)
            self.assertEqual(report.failures, ())
        (trace,) = [each for each in self.store.traces() if not each.is_derived]
        self.assertEqual((trace.name, trace.output), ("legacy-trace", "bye"))
        self.assertEqual(trace.tags, ("a", "b"))
        types = {row.type.value for row in trace.observations}
        self.assertEqual(types, {"SPAN", "GENERATION", "EVENT"})


if __name__ == "__main__":
    unittest.main()
