"""The mapping of OpenTelemetry's spans, by small cases that need nothing from outside."""

import json
import unittest
from typing import Any, Dict, List, Optional, Tuple

from otel_support import SPAN, TRACE, otlp_document, otlp_span
from support import T0
from tracelite import InvalidError
from tracelite._otel_attributes import INDEX_MAX, as_text, nested, number, parsed
from tracelite._otel_mapping import events_of_spans, iso_time
from tracelite._otel_span import spans_of_otlp
from tracelite.opentelemetry import events_of_otlp

CHILD = "b7ad6b7169203331"


def bodies(
    attributes: Optional[Dict[str, Any]] = None, scope: str = "tests", **fields: Any
) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """The bodies of a root's trace and observation."""
    document = otlp_document(otlp_span(attributes, **fields), scope={"name": scope})
    trace, observation = events_of_otlp(document)
    return trace["body"], observation["body"]


def observation_of(
    attributes: Optional[Dict[str, Any]] = None, scope: str = "tests", **fields: Any
) -> Dict[str, Any]:
    return bodies(attributes, scope, **fields)[1]


def kinds(*spans: Dict[str, Any], scope: str = "tests", version: str = "") -> List[str]:
    document = otlp_document(*spans, scope={"name": scope, "version": version})
    return [event["type"] for event in events_of_otlp(document)]


class SpanTest(unittest.TestCase):
    def test_a_plain_span(self) -> None:
        trace, observation = bodies({"color": "red", "size": 3, "sharp": True, "ratio": 0.00001})
        self.assertEqual((trace["id"], trace["name"]), (TRACE, "work"))
        self.assertEqual((observation["traceId"], observation["id"]), (TRACE, SPAN))
        self.assertIsNone(observation["parentObservationId"])
        self.assertEqual(observation["startTime"], "2024-05-15T15:00:00.000000000Z")
        self.assertEqual(observation["endTime"], "2024-05-15T15:00:01.000000000Z")
        self.assertEqual(
            observation["metadata"]["attributes"],
            {"color": "red", "size": "3", "sharp": "true", "ratio": "0.00001"},
        )
        self.assertEqual(observation["metadata"]["scope"], {"name": "tests", "attributes": {}})

    def test_nanoseconds_stay(self) -> None:
        body = observation_of(startTimeUnixNano=T0 + 1, endTimeUnixNano=str(T0 + 123_456_789))
        self.assertEqual(body["startTime"], "2024-05-15T15:00:00.000000001Z")
        self.assertEqual(body["endTime"], "2024-05-15T15:00:00.123456789Z")
        self.assertEqual(iso_time(T0 + 999_999_999, 3), "2024-05-15T15:00:00.999Z")

    def test_times_that_are_missing(self) -> None:
        body = observation_of(startTimeUnixNano="0")
        self.assertEqual(body["startTime"], body["endTime"])
        (span,) = spans_of_otlp(
            otlp_document(otlp_span(startTimeUnixNano=None, endTimeUnixNano=None))
        )
        trace, observation = events_of_spans([span], now_ns=lambda: T0 + 5)
        for time in (trace["body"]["timestamp"], observation["body"]["endTime"]):
            self.assertEqual(time, "2024-05-15T15:00:00.000000005Z")

    def test_a_child_says_nothing_of_its_trace(self) -> None:
        child = otlp_span(id=CHILD, parentSpanId=SPAN)
        self.assertEqual(kinds(child), ["span-create"])
        self.assertEqual(kinds(child, otlp_span()), ["span-create", "trace-create", "span-create"])

    def test_a_child_that_says_something_of_its_trace(self) -> None:
        cases: List[Tuple[Dict[str, Any], Dict[str, Any]]] = [
            ({"langfuse.trace.name": "n"}, {"name": "n"}),
            ({"user.id": "ada"}, {"userId": "ada"}),
            ({"langfuse.user.id": "ada", "user.id": "bob"}, {"userId": "ada"}),
            ({"gen_ai.conversation.id": "c"}, {"sessionId": "c"}),
            ({"langfuse.trace.public": True}, {"public": True}),
            ({"langfuse.trace.tags": ["a", "b"]}, {"tags": ["a", "b"]}),
            ({"langfuse.trace.output": "out"}, {"output": "out"}),
        ]
        for attributes, expected in cases:
            with self.subTest(attributes):
                child = otlp_span(attributes, id=CHILD, parentSpanId=SPAN)
                trace, observation = events_of_otlp(otlp_document(child))
                self.assertEqual(trace["type"], "trace-create")
                for key, value in expected.items():
                    self.assertEqual(trace["body"][key], value)
                for key in {"name", "userId", "public", "input", "output"} - set(expected):
                    self.assertNotIn(key, trace["body"])
                self.assertNotIn("attributes", trace["body"]["metadata"])

    def test_traces_that_are_known(self) -> None:
        spans = list(
            spans_of_otlp(
                otlp_document(
                    *(otlp_span(id=f"{i:016x}", parentSpanId=SPAN) for i in range(1, 4)),
                )
            )
        )
        events = events_of_spans(spans, set())
        self.assertEqual([e["type"] for e in events], ["trace-create"] + ["span-create"] * 3)
        self.assertEqual(set(events[0]["body"]), {"id", "timestamp", "environment"})
        self.assertEqual(len(events_of_spans(spans, {TRACE})), 3)

    def test_an_empty_parent_is_none(self) -> None:
        self.assertIsNone(observation_of(parentSpanId="")["parentObservationId"])

    def test_tags(self) -> None:
        for given, tags in (
            (["a", "b"], ["a", "b"]),
            ('["a", "b"]', ["a", "b"]),
            ("a, b,,", ["a", "b"]),
            ("a", ["a"]),
            (3, ["3"]),
            ("", []),
        ):
            with self.subTest(given):
                self.assertEqual(bodies({"langfuse.tags": given})[0]["tags"], tags)

    def test_environment(self) -> None:
        for given, environment in (
            ("Prod", "prod"),
            ("langfuse-eval", "eval"),
            ("no way", "default"),
            ("x" * 50, "x" * 40),
            ("langfuse", "default"),
        ):
            with self.subTest(given):
                trace, observation = bodies({"deployment.environment.name": given})
                self.assertEqual(trace["environment"], environment)
                self.assertEqual(observation["environment"], environment)


class KindTest(unittest.TestCase):
    def test_types(self) -> None:
        for attributes, kind in (
            ({}, "span"),
            ({"langfuse.observation.type": "event"}, "event"),
            ({"langfuse.observation.type": "dance"}, "span"),
            ({"openinference.span.kind": "llm"}, "generation"),
            ({"gen_ai.operation.name": "text_completion"}, "generation"),
            ({"gen_ai.tool.call.id": "c"}, "tool"),
            ({"llm.model_name": "m"}, "generation"),
            ({"llm.model_name": ""}, "span"),
            ({"operation.name": "ai.streamText answer", "ai.model.id": "m"}, "generation"),
            ({"operation.name": "ai.streamText"}, "span"),
            ({"operation.name": "ai.generateTextile", "ai.model.id": "m"}, "span"),
            ({"genkit:metadata:subtype": "model"}, "generation"),
            ({"langfuse.observation.type": ["agent"]}, "span"),
        ):
            with self.subTest(attributes):
                self.assertEqual(kinds(otlp_span(attributes)), ["trace-create", f"{kind}-create"])

    def test_old_sdks_that_call_generations_spans(self) -> None:
        span = otlp_span(
            {"langfuse.observation.type": "span", "langfuse.observation.model.name": "m"}
        )
        document = otlp_document(span, resource={"telemetry.sdk.language": "python"})
        for version, kind in (
            ("3.3.0", "generation-create"),
            ("2.60.3", "generation-create"),
            ("3.3.1", "span-create"),
            ("3.10.0", "span-create"),
            ("", "span-create"),
        ):
            scope = {"name": "langfuse-sdk", "version": version}
            document["resourceSpans"][0]["scopeSpans"][0]["scope"] = scope
            self.assertEqual(events_of_otlp(document)[1]["type"], kind, version)

    def test_levels(self) -> None:
        error = {"code": 2, "message": "broken"}
        for level, status, expected in (
            (None, {}, "DEFAULT"),
            (None, error, "ERROR"),
            (None, {"code": "STATUS_CODE_ERROR"}, "ERROR"),
            ("warn", error, "WARNING"),
            ("critical", {}, "ERROR"),
            ("trace", {}, "DEBUG"),
            ("???", error, "ERROR"),
        ):
            given = {} if level is None else {"langfuse.observation.level": level}
            with self.subTest(level=level, status=status):
                self.assertEqual(observation_of(given, status=status)["level"], expected)
        self.assertEqual(observation_of(status=error)["statusMessage"], "broken")


class ContentTest(unittest.TestCase):
    def test_where_nothing_is_said(self) -> None:
        body = observation_of()
        self.assertEqual((body["input"], body["output"]), (None, None))

    def test_langfuse_comes_first(self) -> None:
        body = observation_of(
            {"input.value": "theirs", "langfuse.observation.input": "ours", "kept": "yes"}
        )
        self.assertEqual(body["input"], "ours")
        self.assertEqual(body["metadata"]["attributes"], {"kept": "yes"})

    def test_messages_over_many_keys(self) -> None:
        body = observation_of(
            {
                "gen_ai.prompt.1.role": "user",
                "gen_ai.prompt.0.role": "system",
                "gen_ai.prompt.1.tool_calls.0.name": "f",
                "gen_ai.completion.0.content": "yes",
            }
        )
        self.assertEqual(
            body["input"], [{"role": "system"}, {"role": "user", "tool_calls": [{"name": "f"}]}]
        )
        self.assertEqual(body["output"], [{"content": "yes"}])

    def test_instructions_come_before_messages(self) -> None:
        for given, words in (
            ("Be brief.", "Be brief."),
            ('[{"type":"text","content":"Be"},{"type":"text","content":"brief."}]', "Be\nbrief."),
        ):
            body = observation_of(
                {
                    "gen_ai.system_instructions": given,
                    "gen_ai.input.messages": '[{"role":"user","content":"hi"}]',
                }
            )
            self.assertEqual(
                json.loads(body["input"]),
                [{"role": "system", "content": words}, {"role": "user", "content": "hi"}],
            )

    def test_events(self) -> None:
        def event(name: str, **attributes: str) -> Dict[str, Any]:
            return {
                "name": name,
                "attributes": [
                    {"key": key, "value": {"stringValue": value}}
                    for key, value in attributes.items()
                ],
            }

        body = observation_of(
            events=[
                event("gen_ai.user.message", content="hi"),
                event("gen_ai.choice", message="a"),
                event("gen_ai.choice", message="b"),
                event("exception", message="no matter"),
            ]
        )
        self.assertEqual(body["input"], [{"role": "user", "content": "hi"}])
        self.assertEqual(body["output"], [{"message": "a"}, {"message": "b"}])

    def test_words_and_tool_calls_of_the_ai_sdk(self) -> None:
        body = observation_of(
            {"ai.response.text": "Wait.", "ai.response.toolCalls": '[{"toolName":"f"}]'}, "ai"
        )
        self.assertEqual(
            body["output"],
            {"role": "assistant", "content": "Wait.", "tool_calls": [{"toolName": "f"}]},
        )

    def test_tools_go_beside_the_messages(self) -> None:
        attributes = {
            "gen_ai.input.messages": '[{"role":"user"}]',
            "gen_ai.tool.definitions": ['{"name":"f"}'],
            "other": "x",
        }
        trace, observation = bodies(attributes)
        self.assertEqual(
            observation["input"], {"messages": [{"role": "user"}], "tools": [{"name": "f"}]}
        )
        self.assertEqual(observation["metadata"]["attributes"], {"other": "x"})
        self.assertEqual(trace["input"], '[{"role":"user"}]')
        body = observation_of({"gen_ai.tool.definitions": "[]", "input": "no messages"})
        self.assertEqual(body["input"], "no messages")
        self.assertEqual(body["metadata"]["attributes"], {"gen_ai.tool.definitions": "[]"})


class ModelTest(unittest.TestCase):
    def test_usage_of_parts_that_are_in_sums(self) -> None:
        cases: List[Tuple[Dict[str, Any], Dict[str, int]]] = [
            (
                {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 4},
                {"input": 6, "input_cached_tokens": 4},
            ),
            (
                {"llm.token_count.prompt": "10", "llm.token_count.prompt_details.audio": 3},
                {"input": 7, "input_audio_tokens": 3},
            ),
            ({"gen_ai.usage.input_tokens": "many"}, {}),
            ({"gen_ai.usage.input_tokens": "1e999"}, {}),
            ({"gen_ai.usage.output_tokens": True}, {}),
        ]
        for attributes, usage in cases:
            with self.subTest(attributes):
                self.assertEqual(observation_of(attributes)["usageDetails"], usage)

    def test_what_langfuse_says_is_taken_as_it_is(self) -> None:
        body = observation_of(
            {
                "langfuse.observation.usage_details": '{"a": 1, "b": "2", "c": null}',
                "langfuse.observation.cost_details": '{"a": 0.1}',
                "langfuse.observation.model.parameters": '{"temperature": 0.5}',
                "gen_ai.usage.input_tokens": 9,
                "gen_ai.request.top_p": 1,
            }
        )
        self.assertEqual(body["usageDetails"], {"a": 1, "b": 2})
        self.assertEqual(body["costDetails"], {"a": 0.1})
        self.assertEqual(body["modelParameters"], {"temperature": 0.5})

    def test_first_token(self) -> None:
        for given, expected in (
            ("2025-09-17T22:16:28.152+02:00", "2025-09-17T22:16:28.152+02:00"),
            ('"2025-09-17T22:16:28Z"', "2025-09-17T22:16:28Z"),
            ("2025-13-17T22:16:28Z", None),
            ("soon", None),
            ("", None),
        ):
            with self.subTest(given):
                key = "langfuse.observation.completion_start_time"
                self.assertEqual(observation_of({key: given})["completionStartTime"], expected)
        body = observation_of({"ai.response.msToFirstChunk": 12.5})
        self.assertEqual(body["completionStartTime"], "2024-05-15T15:00:00.012500000Z")

    def test_prompt_of_the_ai_sdk(self) -> None:
        prompt = '{"name": "p", "version": 3, "prompt": "long"}'
        body = observation_of(
            {
                "langfuse.observation.type": "generation",
                "ai.telemetry.metadata.langfusePrompt": prompt,
            }
        )
        self.assertEqual((body["promptName"], body["promptVersion"]), ("p", 3))
        self.assertEqual(
            body["metadata"]["attributes"], {"langfuse.observation.type": "generation"}
        )


class HostileTest(unittest.TestCase):
    def test_an_index_cannot_ask_for_much(self) -> None:
        for keys, expected in (
            ([f"{INDEX_MAX}.a"], INDEX_MAX + 1),
            ([f"{INDEX_MAX + 1}.a"], 0),
            (["9" * 5000], 0),
            ([f"{i}.{INDEX_MAX}.{INDEX_MAX}" for i in range(100)], 0),
            ([".".join("0" * 2000)], 0),
        ):
            found = nested({f"p.{key}": "x" for key in keys}, "p")
            self.assertEqual(len(found), expected)

    def test_keys_that_contradict(self) -> None:
        self.assertEqual(nested({"p.a": 1, "p.a.b": 2, "p.c.d": 3, "p.c": 4}, "p")["a"], 1)
        self.assertEqual(nested({"p.c.d": 3, "p.c": 4}, "p"), {"c": {"d": 3}})
        self.assertEqual(nested({"p.0": 3, "p.a": 4}, "p"), {"0": 3, "a": 4})

    def test_json_that_is_none(self) -> None:
        for text in ("NaN", "[Infinity]", "1e999", "{", "[" * 100_000, "9" * 10_000):
            self.assertEqual(parsed(text), text)
            self.assertIsNone(number(text))

    def test_values(self) -> None:
        for value, text in (
            (1e-7, "1e-07"),
            (0.1, "0.1"),
            (None, "null"),
            ({"a": [1]}, '{"a":[1]}'),
        ):
            self.assertEqual(as_text(value), text)
        body = observation_of({"nan": float("nan"), "whole": 2.0, "map": {"k": [1, "x"]}})
        self.assertEqual(
            body["metadata"]["attributes"],
            {"nan": "nan", "whole": "2", "map": '{"k":[1,"x"]}'},
        )

    def test_documents_that_are_none(self) -> None:
        def spoilt(**fields: Any) -> Dict[str, Any]:
            return otlp_document(otlp_span(**fields))

        span = "resourceSpans[0].scopeSpans[0].spans[0]"
        cases: List[Tuple[Any, str]] = [
            ([], "document"),
            ({"resourceSpans": {}}, "resourceSpans"),
            ({"resourceSpans": [3]}, "resourceSpans[0]"),
            ({"resourceSpans": [{"scopeSpans": "x"}]}, "resourceSpans[0].scopeSpans"),
            (spoilt(traceId="12"), f"{span}.traceId"),
            (spoilt(spanId=None), f"{span}.spanId"),
            (spoilt(parentSpanId="x"), f"{span}.parentSpanId"),
            (spoilt(startTimeUnixNano="soon"), f"{span}.startTimeUnixNano"),
            (spoilt(endTimeUnixNano=-1), f"{span}.endTimeUnixNano"),
            (spoilt(endTimeUnixNano=10**30), f"{span}.endTimeUnixNano"),
            (spoilt(attributes=[{"value": {}}]), f"{span}.attributes[0].key"),
            (
                spoilt(attributes=[{"key": "a", "value": {"intValue": "x"}}]),
                f"{span}.attributes[0].value.intValue",
            ),
            (
                spoilt(attributes=[{"key": "a", "value": {"stringValue": 3}}]),
                f"{span}.attributes[0].value.stringValue",
            ),
            (
                spoilt(attributes=[{"key": "a", "value": {"doubleValue": "x"}}]),
                f"{span}.attributes[0].value.doubleValue",
            ),
        ]
        for document, field in cases:
            with self.subTest(field):
                with self.assertRaises(InvalidError) as caught:
                    events_of_otlp(document)
                self.assertEqual(caught.exception.field, field)

    def test_a_document_that_is_nested_without_end(self) -> None:
        value: Dict[str, Any] = {"stringValue": "x"}
        for _ in range(5_000):
            value = {"arrayValue": {"values": [value]}}
        with self.assertRaises(InvalidError):
            events_of_otlp(otlp_document(otlp_span(attributes=[{"key": "a", "value": value}])))


if __name__ == "__main__":
    unittest.main()
