"""The mapping against what Langfuse's server made of the same spans."""

import json
import os
import tempfile
import unittest
from typing import Any, Dict, Iterable, List, Set, Tuple

from support import ROOT
from tracelite import Store
from tracelite._otel_mapping import events_of_spans
from tracelite._otel_span import OtelSpan, spans_of_otlp

VECTORS = ROOT.parent / "shared" / "otlp" / "golden_vectors.json"
MILLISECOND_DIGITS = 3  # Langfuse's times have no more

APP_ROOT = "says that the span is its application's root, which has no field in the model"
TOOLS = "counts tools and their calls in columns that the model does not have"
OWN = "an environment of the server's own traces, which only the server may write"
DIFFERENT: Dict[int, str] = {
    14: APP_ROOT,
    15: APP_ROOT,
    18: "an empty parent id is no parent here, not a parent with an empty id",
    152: OWN,
    195: TOOLS,
    197: TOOLS,
}


def decoded(value: Any) -> Any:
    """The vectors hold what a protobuf library made of the request: ids as buffers of bytes, 64-bit
    numbers as two halves. OTLP/JSON has hexadecimal ids and decimal numbers."""
    if isinstance(value, list):
        return [decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) in ({"type", "data"}, {"data"}):
        return bytes(value["data"]).hex()
    if set(value) in ({"low", "high", "unsigned"}, {"low", "high"}):
        number = (value["high"] << 32) + (value["low"] & 0xFFFFFFFF)
        return str(number)
    return {key: decoded(each) for key, each in value.items()}


def spans_of(vector: Dict[str, Any]) -> List[OtelSpan]:
    return list(spans_of_otlp({"resourceSpans": decoded(vector["input"])}))


def made_now(vector: Dict[str, Any]) -> Iterable[Tuple[str, str]]:
    """The times in the expected output that are of the moment it was made."""
    has_edge = any(span.start_ns or span.end_ns for span in spans_of(vector))
    yield "event", "timestamp"
    if not has_edge:
        yield from (("body", key) for key in ("timestamp", "startTime", "endTime"))


def events_without_now(vector: Dict[str, Any], events: List[Dict[str, Any]]) -> List[Any]:
    left_out: Set[Tuple[str, str]] = set(made_now(vector))
    is_timeless = ("body", "timestamp") in left_out
    result = []
    for event in events:
        is_trace = event["type"] == "trace-create"
        result.append(
            {
                "type": event["type"],
                "timestamp": event["timestamp"] if is_trace and not is_timeless else None,
                "body": {
                    key: value
                    for key, value in event["body"].items()
                    if ("body", key) not in left_out
                },
            }
        )
    return result


# Langfuse's newer way writes rows instead of events, from the same mapping. What a row has more is
# of the server: who sent it and how large it was.
ROW_OF_OBSERVATION = {
    "traceId": "traceId",
    "id": "spanId",
    "parentObservationId": "parentSpanId",
    "name": "name",
    "environment": "environment",
    "version": "version",
    "startTime": "startTimeISO",
    "endTime": "endTimeISO",
    "level": "level",
    "statusMessage": "statusMessage",
    "promptName": "promptName",
    "promptVersion": "promptVersion",
    "modelParameters": "modelParameters",
    "model": "modelName",
    "completionStartTime": "completionStartTime",
    "usageDetails": "providedUsageDetails",
    "costDetails": "providedCostDetails",
    "input": "input",
    "output": "output",
    "metadata": "metadata",
}
OF_THE_SERVER = {
    "projectId": "test-project",
    "source": "otel",
    "ingestionApiKey": "",
    "ingestionSdkName": "",
    "ingestionSdkVersion": "",
}


def row_of(vector: Dict[str, Any]) -> Dict[str, Any]:
    (span,) = spans_of(vector)
    trace, observation = events_of_spans([span], digits=MILLISECOND_DIGITS)
    body = observation["body"]
    row = {ROW_OF_OBSERVATION[key]: value for key, value in body.items()}
    row["type"] = observation["type"].partition("-")[0].upper()
    if not row["providedUsageDetails"]:
        del row["providedUsageDetails"]
    for key in ("tags", "release", "public", "userId", "sessionId"):
        if key in trace["body"]:
            row[key] = trace["body"][key]
    row["traceName"] = span.attributes.get("langfuse.trace.name")
    row["isAppRoot"] = False
    for key, value in (
        ("serviceName", span.resource.get("service.name")),
        ("scopeName", span.scope.name),
        ("scopeVersion", span.scope.version),
    ):
        if value is not None:
            row[key] = value
    raw = vector["input"][0]["scopeSpans"][0]["spans"][0]
    row["eventBytes"] = len(json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode())
    return {**row, **OF_THE_SERVER}


class GoldenVectorTest(unittest.TestCase):
    maxDiff = None
    vectors: List[Dict[str, Any]] = []

    @classmethod
    def setUpClass(cls) -> None:
        if not VECTORS.is_file():
            raise unittest.SkipTest(f"no {VECTORS.name} beside the checkout")
        cls.vectors = json.loads(VECTORS.read_text(encoding="utf-8"))

    def assert_maps(self, vector: Dict[str, Any]) -> None:
        if vector["method"] == "processToEvent":
            (expected,) = vector["output"]
            row = row_of(vector)
            if not spans_of(vector)[0].end_ns:  # then it is the moment it was made
                for key in ("startTimeISO", "endTimeISO"):
                    expected = {**expected, key: row[key]}
            self.assert_same(row, expected)
            return
        known = set(vector["seenTraces"])
        events = events_of_spans(spans_of(vector), known, digits=MILLISECOND_DIGITS)
        self.assert_same(
            events_without_now(vector, events), events_without_now(vector, vector["output"])
        )

    def assert_same(self, found: Any, expected: Any) -> None:
        # As text, because to Python 1, 1.0 and True are equal.
        self.assertEqual(
            json.dumps(found, indent=1, sort_keys=True),
            json.dumps(expected, indent=1, sort_keys=True),
        )

    def test_all_but_the_listed_ones_map_exactly(self) -> None:
        for number, vector in enumerate(self.vectors):
            if number not in DIFFERENT:
                with self.subTest(number=number, test=vector["test"]):
                    self.assert_maps(vector)

    def test_the_list_is_true(self) -> None:
        for number, reason in DIFFERENT.items():
            with self.subTest(number=number, reason=reason):
                with self.assertRaises(AssertionError):
                    self.assert_maps(self.vectors[number])

    def test_the_library_takes_every_event(self) -> None:
        with tempfile.TemporaryDirectory(prefix="tracelite-test-") as folder:
            with Store(os.path.join(folder, "test.tl")) as store:
                spans = [span for vector in self.vectors for span in spans_of(vector)]
                report = store.import_events(events_of_spans(spans))
                self.assertEqual(report.failures, ())
                ids = {(row.trace_id, row.id) for row in store.observations()}
        self.assertEqual(ids, {(span.trace_id, span.id) for span in spans})

    def test_enough_of_them(self) -> None:
        self.assertEqual(len(self.vectors), 255)
        self.assertGreaterEqual(len(self.vectors) - len(DIFFERENT), 240)


if __name__ == "__main__":
    unittest.main()
