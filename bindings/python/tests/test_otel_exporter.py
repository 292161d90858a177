"""The SpanExporter: spans of OpenTelemetry's SDK, or of stand-ins for it, in a file."""

import json
import os
import random
import re
import subprocess
import sys
import unittest
from types import ModuleType
from typing import Any, Dict, List, Optional
from unittest import mock

from otel_support import (
    SPAN,
    TRACE,
    Event,
    ReadableSpan,
    Resource,
    Scope,
    SpanContext,
    Status,
    StatusCode,
    otlp_document,
    otlp_span,
)
from support import PACKAGE, SECOND, T0, FolderCase, StoreCase, blocks, run_python
from tracelite import MisuseError, Observation, Store, Trace
from tracelite.opentelemetry import TraceliteSpanExporter, events_of_otlp

try:
    import opentelemetry.sdk.trace as sdk  # type: ignore[import]
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # type: ignore[import]
except ImportError:
    sdk = None

SCOPES = ("ai", "gcp.vertex.agent", "livekit-agents", "langfuse-sdk", "tests")
EVENTS = (
    "gen_ai.content.prompt",
    "gen_ai.user.message",
    "gen_ai.choice",
    "gen_ai.client.inference.operation.details",
)
ODD_VALUES: List[Any] = ["", "x", "{}", "[]", "null", '{"a":1}', '[{"role":"user"}]', "[1,null,[]]"]
ODD_VALUES += [0, -1, 3, 2.5, True, False, (), ("a", ""), (1, 2), (True,), {}, {"a": [{}]}, None]
ODD_VALUES += ['{"name":3,"version":"x"}', "1e999", "-5", "\ud800", "é" * 300, 2**63, b"\xff"]
ODD_VALUES += ['{"usage":[],"bedrock":3}', '{"completion":null,"rawRequest":[]}', "soon"]
ODD_VALUES += [
    '"2025-10-01T08:45:26.112648Z"',
    "2025-13-45T08:45:26Z",
    '{"messages":3}',
    "[" * 9_999,
]

ROOT_CONTEXT = SpanContext(int(TRACE, 16), int(SPAN, 16))


def child(id: int, **fields: Any) -> ReadableSpan:
    return ReadableSpan(
        context=SpanContext(int(TRACE, 16), id), parent=fields.pop("parent", ROOT_CONTEXT), **fields
    )


class ExportTest(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.exporter = TraceliteSpanExporter(self.store)

    def export(self, *spans: Any) -> str:
        return str(self.exporter.export(spans).name)

    def by_name(self) -> Dict[Optional[str], Observation]:
        return {row.name: row for row in self.store.trace(TRACE).observations}

    def trace(self) -> Trace:
        return self.store.get_trace(TRACE)

    def test_an_agent_with_a_model_and_a_tool(self) -> None:
        # Children end before their parents, and so come first.
        spans = [
            child(
                2,
                name="chat",
                start_time=T0 + 123_456_789,
                attributes={
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "tiny-1",
                    "gen_ai.request.temperature": 0.5,
                    "gen_ai.usage.input_tokens": 12,
                    "gen_ai.usage.output_tokens": 3,
                    "gen_ai.usage.cost": 0.0001,
                    "gen_ai.input.messages": '[{"role":"user","content":"Where is Oslo?"}]',
                    "gen_ai.output.messages": '[{"role":"assistant","content":"Norway"}]',
                },
                instrumentation_scope=Scope("genai", "1.2", {"k": "v"}),
                resource=Resource({"service.name": "guide", "service.version": "7"}),
            ),
            child(
                3,
                name="execute_tool",
                attributes={
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": "map",
                    "gen_ai.tool.call.arguments": '{"city":"Oslo"}',
                },
                status=Status(StatusCode.ERROR, "no map"),
            ),
            ReadableSpan(
                name="agent",
                attributes={
                    "gen_ai.operation.name": "invoke_agent",
                    "session.id": "holidays",
                    "user.id": "ada",
                    "langfuse.trace.tags": ("geography", "test"),
                    "deployment.environment.name": "Staging",
                },
                events=[
                    Event("gen_ai.user.message", {"content": "Where is Oslo?"}),
                    Event("gen_ai.choice", {"message": "In Norway.", "index": 0}),
                ],
            ),
        ]
        self.assertEqual(self.export(spans[0], spans[1]), "SUCCESS")
        self.assertTrue(self.trace().is_derived)
        self.assertEqual(self.export(spans[2]), "SUCCESS")

        trace = self.trace()
        self.assertEqual(
            (trace.name, trace.user_id, trace.session_id), ("agent", "ada", "holidays")
        )
        self.assertEqual((trace.tags, trace.environment), (("geography", "test"), "staging"))
        self.assertEqual(trace.timestamp_ns, T0)
        self.assertEqual(trace.input, [{"role": "user", "content": "Where is Oslo?"}])
        rows = self.by_name()
        self.assertEqual(
            {name: (row.type.value, row.parent_observation_id) for name, row in rows.items()},
            {"agent": ("AGENT", None), "chat": ("GENERATION", SPAN), "map": ("TOOL", SPAN)},
        )
        chat = rows["chat"]
        self.assertEqual(chat.start_time_ns, T0 + 123_456_789)
        self.assertEqual((chat.model, chat.version), ("tiny-1", "7"))
        self.assertEqual(dict(chat.usage_details), {"input": 12, "output": 3})
        self.assertEqual(str(chat.cost_details["total"]), "0.0001")
        self.assertEqual(json.loads(chat.output), [{"role": "assistant", "content": "Norway"}])
        self.assertEqual(chat.metadata["scope"]["version"], "1.2")
        self.assertEqual(chat.metadata["resourceAttributes"]["service.name"], "guide")
        tool = rows["map"]
        self.assertEqual((tool.level.value, tool.status_message), ("ERROR", "no map"))

    def test_the_same_as_from_otlp(self) -> None:
        attributes: Dict[str, Any] = {
            "a": "text",
            "b": 3,
            "c": 0.5,
            "d": True,
            "e": ["x", "y"],
            "gen_ai.request.model": "m",
        }
        self.assertEqual(self.export(ReadableSpan(attributes=attributes)), "SUCCESS")
        with Store(self.folder / "other.tl") as other:
            document = otlp_document(otlp_span(attributes))
            report = other.import_events(events_of_otlp(document))
            self.assertEqual((report.failures, report.warnings), ((), ()))
            ours, theirs = self.trace(), other.get_trace(TRACE)
            self.assertEqual(ours.metadata, theirs.metadata)
            (row,) = other.trace(TRACE).observations
            mine = self.by_name()["work"]
            for field in ("metadata", "model", "type", "start_time_ns", "end_time_ns", "level"):
                self.assertEqual(getattr(mine, field), getattr(row, field), field)

    def test_exporting_again_changes_nothing(self) -> None:
        span = ReadableSpan(attributes={"user.id": "ada", "input": "x"})
        self.export(span)
        self.export(span)
        (row,) = self.store.trace(TRACE).observations
        self.assertEqual(row.input, "x")

    def test_a_child_does_not_undo_what_the_root_said(self) -> None:
        self.export(ReadableSpan(attributes={"langfuse.trace.name": "n", "user.id": "ada"}))
        self.export(child(2, start_time=T0 + SECOND, attributes={"session.id": "s"}))
        trace = self.trace()
        self.assertEqual((trace.name, trace.user_id, trace.session_id), ("n", "ada", "s"))

    def test_odd_spans(self) -> None:
        class Odd:
            def __str__(self) -> str:
                return "odd"

        span = ReadableSpan(
            name="odd",
            attributes={
                "odd": Odd(),
                "bytes": b"\x00",
                "none": None,
                "lone": "\ud800",
                "inf": 1e999,
            },
            instrumentation_scope=None,
            start_time=None,
            end_time=None,
        )
        self.assertEqual(self.export(span), "SUCCESS")
        self.assertEqual(
            self.by_name()["odd"].metadata["attributes"],
            {"odd": "odd", "bytes": "AA==", "lone": "\ud800", "inf": "inf"},
        )

    def test_a_bad_span_does_not_spoil_its_neighbours(self) -> None:
        with self.assertLogs("tracelite", "WARNING") as logs:
            self.assertEqual(self.export(object(), ReadableSpan(name="good")), "FAILURE")
            self.assertEqual(self.export(object()), "FAILURE")
        self.assertEqual(len(logs.output), 1)  # the first of its kind
        self.assertEqual(list(self.by_name()), ["good"])

    def test_what_the_library_refuses(self) -> None:
        span = ReadableSpan(context=SpanContext(0, 1), start_time=2**64, end_time=2**64)
        with self.assertLogs("tracelite", "WARNING") as logs:
            self.assertEqual(self.export(span, ReadableSpan(name="good")), "FAILURE")
        self.assertIn("refused", logs.output[0])
        self.assertEqual(list(self.by_name()), ["good"])

    def test_a_name_that_is_too_long_for_a_trace(self) -> None:
        self.assertEqual(self.export(ReadableSpan(name="n" * 1001)), "SUCCESS")
        self.assertEqual(self.trace().name, "n" * 1000)
        self.assertEqual(list(self.by_name()), ["n" * 1001])

    def test_any_value_under_any_key(self) -> None:
        """Whatever attributes hold, the mapping does not fail and the library takes its events."""
        keys = sorted(
            {
                key
                for module in (PACKAGE / "tracelite").glob("_otel_*.py")
                for key in re.findall(r'"([a-z_]+[.:][\w.:]+)"', module.read_text(encoding="utf-8"))
            }
        )
        self.assertGreater(len(keys), 100)
        seed = random.randrange(sys.maxsize)
        source = random.Random(seed)
        spans = []
        for id in range(1, 1_001):
            names = source.sample(keys, 20)
            attributes = {key: source.choice(ODD_VALUES) for key in names}
            scope = Scope(source.choice(SCOPES), source.choice(("3.1.0", "4", "", None)))
            fields: Dict[str, Any] = {
                "attributes": {key: attributes[key] for key in names[:16]},
                "resource": Resource({key: attributes[key] for key in names[16:]}),
                "instrumentation_scope": scope,
                "events": [
                    Event(source.choice(EVENTS), {names[0]: source.choice(ODD_VALUES)})
                    for _ in range(source.choice((0, 0, 1, 3)))
                ],
                "parent": source.choice((None, ROOT_CONTEXT)),
            }
            spans.append(child(id, **fields))
        self.assertEqual(self.export(*spans), "SUCCESS", f"seed {seed}")
        self.assertEqual(len(list(self.store.trace(TRACE).observations)), 1_000, f"seed {seed}")

    def test_nothing_is_a_success(self) -> None:
        self.assertEqual(self.export(), "SUCCESS")
        self.assertTrue(self.exporter.force_flush())

    def test_a_store_that_was_given_stays_open(self) -> None:
        self.export(ReadableSpan())
        self.exporter.shutdown()
        self.exporter.shutdown()
        self.assertFalse(self.store.closed)
        with self.assertLogs("tracelite", "WARNING"):
            self.assertEqual(self.export(child(2)), "FAILURE")
        self.assertEqual(len(self.by_name()), 1)

    def test_a_store_that_is_closed(self) -> None:
        self.store.close()
        with self.assertLogs("tracelite", "WARNING"):
            self.assertEqual(self.export(ReadableSpan()), "FAILURE")
        with self.assertLogs("tracelite", "WARNING"):
            self.assertFalse(self.exporter.force_flush(10))
        self.exporter.shutdown()


class OwnStoreTest(FolderCase):
    def test_a_path(self) -> None:
        exporter = TraceliteSpanExporter(self.path)
        self.assertEqual(exporter.export([ReadableSpan()]).name, "SUCCESS")
        exporter.shutdown()
        with Store(self.path) as store:
            self.assertEqual(len(list(store.observations())), 1)

    @unittest.skipUnless(hasattr(os, "fork"), "no fork on this system")
    def test_a_child_process_opens_it_again(self) -> None:
        code = (
            "import os, sys\n"
            f"sys.path.insert(0, {str(PACKAGE / 'tests')!r})\n"
            "from otel_support import *\n"
            "from tracelite.opentelemetry import TraceliteSpanExporter\n"
            "exporter = TraceliteSpanExporter(sys.argv[1])\n"
            "exporter.export([ReadableSpan(name='parent')])\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    assert exporter.force_flush()\n"
            "    span = ReadableSpan(name='child', context=SpanContext(int(TRACE, 16), 2))\n"
            "    result = exporter.export([span])\n"
            "    exporter.shutdown()\n"
            "    os._exit(result.value)\n"
            "assert os.waitpid(child, 0)[1] == 0\n"
            "exporter.shutdown()\n"
        )
        result = run_python(code, str(self.path))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with Store(self.path) as store:
            names = {row.name for row in store.observations()}
        self.assertEqual(names, {"parent", "child"})

    # What is registered before tracelite is imported, is called after it has closed its stores.
    PREFIX = f"""
import atexit, os, sys
atexit.register(lambda: end())
end = lambda: None
sys.path.insert(0, {str(PACKAGE / 'tests')!r})
from otel_support import *
os.chdir(sys.argv[1])
"""

    def left(self, code: str) -> List[str]:
        """The names of what a program has left in `test.tl` of the folder that it begins in."""
        result = run_python(self.PREFIX + code, str(self.folder))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "SUCCESS\n", ""))
        with Store(self.path, read_only=True) as store:
            return sorted(row.name or "" for row in store.observations())

    def test_an_exit_that_closes_tracelite_first(self) -> None:
        # As where the provider was made before tracelite was imported.
        code = """
def end():
    assert exporter.force_flush()
    print(exporter.export([ReadableSpan(name="last")]).name)
    exporter.shutdown()
from tracelite.opentelemetry import TraceliteSpanExporter
exporter = TraceliteSpanExporter("test.tl")
exporter.export([ReadableSpan(name="first", context=SpanContext(int(TRACE, 16), 2))])
"""
        self.assertEqual(self.left(code), ["first", "last"])

    def test_nothing_is_opened_again_after_shutdown(self) -> None:
        exporter = TraceliteSpanExporter(self.path)
        exporter.shutdown()
        with self.assertLogs("tracelite", "WARNING"):
            self.assertEqual(exporter.export([ReadableSpan()]).name, "FAILURE")
        with self.assertRaisesRegex(MisuseError, "shut down"):  # by another thread, meanwhile
            exporter._import([])
        self.assertTrue(exporter._store.closed)
        self.assertTrue(exporter.force_flush())

    @unittest.skipUnless(hasattr(os, "fork"), "no fork on this system")
    def test_a_relative_path_where_the_folder_changes(self) -> None:
        code = """
from tracelite.opentelemetry import TraceliteSpanExporter
exporter = TraceliteSpanExporter("test.tl")
os.mkdir("elsewhere")
os.chdir("elsewhere")
if os.fork() == 0:
    print(exporter.export([ReadableSpan(name="child")]).name, flush=True)
    exporter.shutdown()
    os._exit(0)
assert os.wait()[1] == 0
exporter.shutdown()
assert os.listdir() == []
"""
        self.assertEqual(self.left(code), ["child"])


class LoadingTest(unittest.TestCase):
    def run_without_packages(self, code: str) -> List[str]:
        result = subprocess.run(
            [sys.executable, "-S", "-c", code],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
            universal_newlines=True,
            check=True,
        )
        return result.stdout.split()

    def test_it_needs_no_other_package(self) -> None:
        code = (
            "import sys, tracelite.opentelemetry as module\n"
            "print(module.TraceliteSpanExporter.__bases__[0].__name__)\n"
            "print('opentelemetry' in sys.modules)\n"
        )
        self.assertEqual(self.run_without_packages(code), ["object", "False"])

    def test_tracelite_alone_does_not_load_it(self) -> None:
        code = "import sys, tracelite; print('tracelite.opentelemetry' in sys.modules)"
        self.assertEqual(self.run_without_packages(code), ["False"])


class ReadmeTest(FolderCase):
    def test_the_block_that_needs_the_sdk(self) -> None:
        """Run with stand-ins where OpenTelemetry is not installed."""
        (code,) = [block for block in blocks("py") if "opentelemetry" in block]
        trace, export = ModuleType("opentelemetry.sdk.trace"), ModuleType("export")
        setattr(trace, "TracerProvider", mock.MagicMock())
        setattr(export, "BatchSpanProcessor", mock.Mock(side_effect=lambda exporter: exporter))
        modules = {
            "opentelemetry": ModuleType("opentelemetry"),
            "opentelemetry.sdk": ModuleType("opentelemetry.sdk"),
            "opentelemetry.sdk.trace": trace,
            "opentelemetry.sdk.trace.export": export,
        }
        names: Dict[str, Any] = {}
        with mock.patch.dict(sys.modules, {} if sdk else modules):
            exec(code.replace("day.tl", str(self.path)), names)
        if sdk:
            names["provider"].get_tracer("tests").start_span("work").end()
            names["provider"].shutdown()
        else:
            (exporter,) = names["provider"].add_span_processor.call_args[0]
            exporter.export([ReadableSpan()])
            exporter.shutdown()
        with Store(self.path) as store:
            self.assertEqual([row.name for row in store.observations()], ["work"])


@unittest.skipIf(sdk is None, "opentelemetry-sdk is not installed")
class RealSdkTest(FolderCase):
    """The same with the real package, where it can be had."""

    def test_spans_of_a_tracer(self) -> None:
        from opentelemetry.sdk.trace.export import SpanExporter

        exporter = TraceliteSpanExporter(self.path)
        self.assertIsInstance(exporter, SpanExporter)
        provider = sdk.TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("tests", "1.0")
        with tracer.start_as_current_span("agent", attributes={"session.id": "s"}):
            with self.assertRaises(ValueError):
                with tracer.start_as_current_span("tool") as span:
                    span.set_attribute("gen_ai.operation.name", "execute_tool")
                    span.set_attribute("gen_ai.tool.name", "map")
                    raise ValueError("no map")
        self.assertTrue(provider.force_flush())
        provider.shutdown()
        with Store(self.path) as store:
            rows = {row.name: row for row in store.observations()}
            self.assertEqual(set(rows), {"agent", "map"})
            self.assertEqual(rows["map"].parent_observation_id, rows["agent"].id)
            self.assertEqual((rows["map"].type.value, rows["map"].level.value), ("TOOL", "ERROR"))
            self.assertEqual(rows["map"].status_message, "ValueError: no map")
            self.assertEqual([session.id for session in store.sessions()], ["s"])


if __name__ == "__main__":
    unittest.main()
