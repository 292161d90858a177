"""Any value as a payload, and every field in the ways that Langfuse's users give it."""

import asyncio
import dataclasses
import enum
import importlib
import queue
import sys
import types
import unittest
import uuid
from collections import ChainMap, OrderedDict, deque, namedtuple
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Dict, List, Tuple
from unittest import mock

from langfuse_support import LangfuseCase
from tracelite import Form, Json
from tracelite.langfuse import Langfuse
from tracelite.langfuse._serialize import masked, payload
from tracelite.langfuse.media import LangfuseMedia


class Color(enum.Enum):
    RED = "red"


class Count(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    y: Any = None


class Plain:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a = 1


class Raises:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no")


class StreamingAnswer:
    def __str__(self) -> str:
        return "text so far"


Pair = namedtuple("Pair", "a b")


def cycle() -> List[Any]:
    found: List[Any] = [1]
    found.append(found)
    return found


def circle() -> Plain:
    found = Plain(name="x")
    found.me = found  # type: ignore[attr-defined]
    return found


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


WHEN = datetime(2024, 5, 15, 15, 0, 0, 5, timezone.utc)
ID = uuid.UUID(int=7)

# value: what comes back
TABLE: List[Tuple[str, Any, Any]] = [
    ("dict", {"a": [1, None, True, 0.5]}, {"a": [1, None, True, 0.5]}),
    ("tuple", (1, (2,)), [1, [2]]),
    ("named tuple", Pair(1, 2), [1, 2]),
    ("bool", False, False),
    ("text", "語 🙂 \u2028", "語 🙂 \u2028"),
    ("text that looks like JSON", '{"a":1}', '{"a":1}'),
    ("zero byte", "a\0b", "a\0b"),
    ("lone surrogate", "a\ud800", "a\ud800"),
    ("nested lone surrogate", {"a\udfff": "b\ud800"}, {"a\udfff": "b\ud800"}),
    ("NaN", float("nan"), "NaN"),
    ("infinities", [float("inf"), -float("inf")], ["Infinity", "-Infinity"]),
    ("NaN among others", {"a": float("nan"), "b": 2**70}, {"a": "NaN", "b": 2**70}),
    ("big integer", 10**30, 10**30),
    ("integer beyond Python's digits", [1 << 20000], [hex(1 << 20000)]),
    ("UTF-8 bytes", b"abc", "abc"),
    ("bytes", b"\xff\x00", b"\xff\x00"),
    ("nested bytes", {"a": b"abc", "b": b"\xff"}, {"a": "abc", "b": "<not serializable bytes>"}),
    ("bytearray and memoryview", [bytearray(b"a"), memoryview(b"b")], ["a", "b"]),
    ("datetime", WHEN, "2024-05-15T15:00:00.000005Z"),
    ("datetime with an offset", WHEN.astimezone(timezone(timedelta(hours=2))),
     "2024-05-15T17:00:00.000005+02:00"),
    ("date and time", [date(2024, 5, 15), time(15)], ["2024-05-15", "15:00:00"]),
    ("duration", timedelta(seconds=90), "0:01:30"),
    ("UUID", ID, str(ID)),
    ("path", Path("/a/b"), "/a/b"),
    ("Decimal", Decimal("0.10"), "0.10"),
    ("enum", [Color.RED, Count.ONE], ["red", 1]),
    ("exception", ValueError("no"), "ValueError: no"),
    ("nested exception", [KeyError("k")], ["KeyError: 'k'"]),
    ("dataclass", Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
    ("dataclass type", Point, "<class Point>"),
    ("object", Plain(a=1, b=[Plain(c=2)]), {"a": 1, "b": [{"c": 2}]}),
    ("slots", Slotted(), {"a": 1, "b": None}),
    ("object without fields", object(), "<object>"),
    ("object that raises", Raises(), "<not serializable object of type: Raises>"),
    ("nested object that raises", [1, Raises()],
     [1, "<not serializable object of type: Raises>"]),
    ("function and module", [deep, len, sys],
     ["<function deep>", "<function len>", "<module sys>"]),
    ("set", {1}, [1]),
    ("frozenset", frozenset("a"), ["a"]),
    ("deque", deque([1, 2]), [1, 2]),
    ("range", range(3), [0, 1, 2]),
    ("mappings", [OrderedDict(a=1), ChainMap({"b": 2}), types.MappingProxyType({"c": 3})],
     [{"a": 1}, {"b": 2}, {"c": 3}]),
    ("generator", (x for x in "a"), "<generator>"),
    ("queues", [asyncio.Queue, queue.Queue()], ["<class Queue>", "Queue"]),
    ("streaming answer", StreamingAnswer(), "text so far"),
    ("cycle", cycle(), [1, "list"]),
    ("cycle of objects", circle(), {"name": "x", "me": "Plain"}),
    ("the same twice is no cycle", [[1]] * 2, [[1], [1]]),
    ("keys", {1: "a", None: "b", True: "c", 0.5: "d"},
     {"1": "c", "null": "b", "0.5": "d"}),
    ("other keys", {(1, 2): "a", WHEN: "b", Color.RED: "c"},
     {"(1, 2)": "a", "2024-05-15T15:00:00.000005Z": "b", "red": "c"}),
    ("NaN as a key", {float("nan"): 1}, {"nan": 1}),
    ("exact JSON", Json('{"a" : 1.0}'), {"a": 1.0}),
    ("exact JSON within", [Json('{"a" : 1.0}')], [{"a": 1.0}]),
]  # fmt: skip


class PayloadTest(LangfuseCase):
    def test_table(self) -> None:
        for name, value, _ in TABLE:
            self.client.start_span(name=name, input=value, output={"v": 1}).end()
        found = self.observations()
        for name, _, expected in TABLE:
            with self.subTest(name):
                self.assertEqual(found[name].input, expected)
                self.assertEqual(found[name].output, {"v": 1})

    def test_deep_nesting(self) -> None:
        for levels in (100, 900, 100_000):
            self.client.start_span(name=str(levels), input=deep(levels)).end()
        found = self.observations()
        self.assertEqual(found["100"].input, deep(100))
        self.assertIn(b"[[[[", found["900"].input_bytes or b"")
        self.assertIn(b"<list>", found["100000"].input_bytes or b"")

    def test_many_objects_are_bounded(self) -> None:
        def tree(depth: int) -> Plain:
            return Plain(n=float("nan"), a=[tree(depth - 1)] * 10 if depth else 0)

        data = payload(tree(12))
        assert data is not None
        self.assertLess(len(data.data), 10_000_000)

    def test_a_naive_datetime_is_local(self) -> None:
        found = payload(datetime(2024, 5, 15))
        assert found is not None
        self.assertEqual(
            datetime.fromisoformat(found.text.replace("Z", "+00:00")).tzinfo is None, 0
        )

    def test_large_text(self) -> None:
        text = "x" * 100_000_000
        self.client.start_span(name="a", input=text).end()
        self.assertEqual(self.observation("a").input_size_bytes, len(text))

    def test_pydantic(self) -> None:
        pydantic = _installed("pydantic")
        if pydantic is None:
            self.skipTest("pydantic is not installed")

        class Inner(pydantic.BaseModel):  # type: ignore
            at: datetime

        class Outer(pydantic.BaseModel):  # type: ignore
            inner: List[Inner]
            share: float = float("nan")

        found = payload({"m": Outer(inner=[Inner(at=WHEN)])})
        assert found is not None
        inner = [{"at": "2024-05-15T15:00:00.000005Z"}]
        self.assertEqual(found.value, {"m": {"inner": inner, "share": "NaN"}})

    def test_numpy(self) -> None:
        numpy = _installed("numpy") or _like_numpy()
        value = {"s": numpy.float32(0.5), "a": numpy.array([[1, 2]]), "n": numpy.float64("nan")}
        found = payload(value)
        assert found is not None
        self.assertEqual(found.value, {"s": 0.5, "a": [[1, 2]], "n": "NaN"})

    def test_a_value_that_changes_later(self) -> None:
        value = {"a": [1]}
        span = self.client.start_span(name="a", input=value)
        value["a"].append(2)
        span.end()
        self.assertEqual(self.observation("a").input, {"a": [1]})

    def test_media(self) -> None:
        image = b"\x89PNG" + bytes(range(256)) * 8
        path = self.folder / "a.png"
        path.write_bytes(image)
        uri = "data:image/png;base64,iVBORw0KGgo="
        media = {
            "bytes": LangfuseMedia(content_bytes=image, content_type="image/png"),
            "file": LangfuseMedia(file_path=str(path)),
            "uri": LangfuseMedia(base64_data_uri=uri),
            "lost": LangfuseMedia(file_path=str(self.folder / "no.png")),
        }
        self.client.start_span(name="a", input=media, output=media["file"]).end()
        row = self.observation("a")
        self.assertEqual(row.input["uri"], uri)
        self.assertEqual(row.input["bytes"], row.input["file"])
        stored = row.input_as_stored.value["bytes"]
        self.assertTrue(stored.startswith("@@@langfuseMedia:type=image/png|id="), stored)
        self.assertEqual(self.store().read_media(stored).data, image)
        self.assertEqual(media["bytes"]._media_id, stored.split("id=")[1].split("|")[0])


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _like_numpy() -> Any:
    """What is used of numpy, where it is not installed."""

    class Number(float):
        __module__ = "numpy"

        def item(self) -> float:
            return float(self)

    class Array:
        __module__ = "numpy"

        def __init__(self, values: Any) -> None:
            self._values = values

        def tolist(self) -> Any:
            return self._values

    return types.SimpleNamespace(float32=Number, float64=Number, array=Array)


class MaskTest(LangfuseCase):
    def test_a_mask_sees_values_and_runs_on_this_thread(self) -> None:
        import threading

        seen: List[Any] = []

        def mask(data: Any) -> Any:
            seen.append((data, threading.current_thread()))
            return "REDACTED" if data == "SECRET_1" else data

        client = Langfuse(mask=mask)
        with client.start_as_current_span(name="a", input="SECRET_1", metadata={"k": 1}) as span:
            span.update(output={"x": "SECRET_1"})
            span.update_trace(input="SECRET_1")
        row = self.observation("a")
        self.assertEqual((row.input, row.output), ("REDACTED", {"x": "SECRET_1"}))
        self.assertEqual(self.only_trace().input, "REDACTED")
        self.assertEqual({thread for _, thread in seen}, {threading.main_thread()})
        self.assertIn({"k": 1}, [value for value, _ in seen])

    def test_ways_to_write_a_mask(self) -> None:
        def by_keyword(*, data: Any, **others: Any) -> Any:
            return 1

        def by_position(value: Any) -> Any:
            return 1

        masks: List[Any] = [by_keyword, by_position, lambda data: 1, lambda **named: 1]
        masks.append(mock.Mock(return_value=1))
        for mask in masks:
            client = Langfuse(mask=mask)
            client.start_span(name="a", input="secret").end()
        self.assertEqual({row.input for row in self.store().observations()}, {1})

    def test_a_mask_that_fails(self) -> None:
        client = Langfuse(mask=lambda data: data.nothing)
        for _ in range(2):
            client.start_span(name="a", input="secret", metadata={"k": "secret"}).end()
        row = self.observation("a")
        self.assertEqual(row.input, "<fully masked due to failed mask function>")
        self.assertNotIn("secret", str(row.metadata))
        self.assertEqual(len([each for each in self.heard if "mask" in each]), 1)
        self.assertNotIn("secret", "".join(self.heard))

    def test_a_mask_that_drops(self) -> None:
        self.assertIsNone(masked("secret", lambda data: None))
        found = masked(b"\xff", lambda data: data)
        assert found is not None
        self.assertIs(found.form, Form.BYTES)


class FieldTest(LangfuseCase):
    def check_usage(self, given: Any, expected: Dict[str, int], **more: Any) -> None:
        name = str(len(self.observations()))
        self.client.start_generation(name=name, usage_details=given, **more).end()
        self.assertEqual(dict(self.observation(name).usage_details), expected)

    def test_usage(self) -> None:
        self.check_usage({"input": 1, "output": 2}, {"input": 1, "output": 2})
        self.check_usage({"input": "3", "x": 4.0, "y": None}, {"input": 3, "x": 4})
        self.check_usage({"a": -1, "b": 1.5, "c": True, "d": "x", "e": [1], "f": 5}, {"f": 5})
        self.check_usage(7, {})
        completions = {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": None},
            "completion_tokens_details": {"reasoning_tokens": 2},
        }
        expected = {"input": 6, "output": 3, "total": 15}
        expected.update(input_cached_tokens=4, output_reasoning_tokens=2)
        self.check_usage(completions, expected)
        self.check_usage(Plain(**completions), expected)
        responses = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
        self.check_usage(responses, {"input": 3, "output": 2, "total": 5})
        pair = {"input_tokens": 3, "output_tokens": 2}
        self.check_usage(pair, pair)

    def test_as_the_import_of_events_does(self) -> None:
        """The two ways in agree on what a usage object means."""
        shapes: List[Dict[str, Any]] = [
            {"prompt_tokens": 10, "completion_tokens": 5},
            {"prompt_tokens": 10, "completion_tokens": 5, "other": 1},
            {"completion_tokens": 5, "completion_tokens_details": {"a": 9}},
            {"input_tokens": 3, "output_tokens_details": {"a": 1}},
            {"total_tokens": 3},
            {"promptTokens": 3, "completionTokens": 4, "totalTokens": 7},
        ]
        for number, shape in enumerate(shapes):
            self.client.start_generation(name=f"a{number}", usage_details=shape).end()
            key = "usage" if "promptTokens" in shape else "usageDetails"
            body = {"id": f"b{number}", "traceId": "t", "name": f"b{number}", key: shape}
            when = "2024-05-15T15:00:00Z"
            event = {"id": f"e{number}", "timestamp": when, "body": body}
            self.store().import_events([{**event, "type": "generation-create"}])
        found = self.observations()
        for number, shape in enumerate(shapes):
            with self.subTest(shape=shape):
                ours, theirs = found[f"a{number}"], found[f"b{number}"]
                self.assertEqual(dict(ours.usage_details), dict(theirs.usage_details))

    def test_cost(self) -> None:
        cost: Any = {"a": 0.1, "b": "0.25", "c": Decimal("1e-12"), "d": 2, "e": None}
        bad: Any = {"f": "x", "g": True, "h": float("nan"), "i": 1e30}
        self.client.start_generation(name="a", cost_details={**cost, **bad}).end()
        found = dict(self.observation("a").cost_details)
        expected = {"a": Decimal("0.1"), "b": Decimal("0.25"), "c": Decimal("1e-12"), "d": 2}
        self.assertEqual(found, expected)

    def test_bad_fields_do_not_cost_the_others(self) -> None:
        bad: Dict[str, Any] = {
            "level": "LOUD",
            "version": 7,
            "status_message": Raises(),
            "model": 7,
            "model_parameters": 7,
            "completion_start_time": "yesterday",
            "prompt": object(),
            "unknown": 1,
        }
        self.client.start_generation(name="a", input=1, **bad).update(**bad).end()
        row = self.observation("a")
        self.assertEqual((row.input, row.level, row.version, row.model), (1, "DEFAULT", None, "7"))
        self.assertGreaterEqual(len(self.heard), 6)

    def test_names(self) -> None:
        names: List[Any] = ["x" * 1000, "x" * 1001, 7, None, "\ud800", ""]
        for name in names:
            self.client.start_span(name=name, input=str(name)[:5]).end()
        self.assertEqual(len(list(self.store().observations())), len(names))

    def test_levels_in_small_letters(self) -> None:
        self.client.start_span(name="a", level="warning").end()
        self.assertEqual(self.observation("a").level, "WARNING")


if __name__ == "__main__":
    unittest.main()
