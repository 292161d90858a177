"""Payloads come back byte for byte, and as equal Python values."""

import copy
import dataclasses
import json
import pickle
import unittest
from typing import Any, Callable, List, Tuple, Union

from support import StoreCase
from tracelite import NULL, Form, Json, MisuseError, Payload

JSON_TEXTS = (
    '{"a" :\t[1 , 2,\r\n3 ] , "b":"\\/"}',
    "1e400",
    "-0",
    "123456789012345678901234567890",
    '"\\ud800"',
    '{"b":1,"a":2,"b":3}',
    "[]",
    " {} ",
    "true",
    '""',
    '"\u8a9e\\u8a9e \U0001f600"',
    '{"":null}',
)


class PayloadTest(StoreCase):
    def back(self, value: Any) -> Payload:
        """The value as it comes back as an input, on the row and by id; its size is right."""
        self.count = getattr(self, "count", 0) + 1
        trace_id = f"t{self.count}"
        self.store.put_observation("o", trace_id=trace_id, input=value)
        self.store.flush()
        row = self.store.get_observation("o", trace_id=trace_id)
        data = row.input_bytes
        assert data is not None
        self.assertEqual(row.input_size_bytes, len(data))
        for live in self.store.observations(trace_id=trace_id):
            self.assertEqual(live.input_bytes, data)
        return Payload(row.input_form, data)

    def test_json_byte_for_byte(self) -> None:
        for text in JSON_TEXTS:
            with self.subTest(text):
                payload = self.back(Json(text))
                self.assertEqual(payload, Payload(Form.JSON, text.encode()))
                self.assertEqual(payload.text, text)
                self.assertEqual(repr(payload.value), repr(json.loads(text)))

    def test_deep_json(self) -> None:
        deep = b"[" * 100_000 + b"]" * 100_000
        payload = self.back(Json(deep))
        self.assertEqual(payload.data, deep)
        with self.assertRaises(RecursionError):
            payload.value

    def test_python_values_come_back_equal(self) -> None:
        values: Tuple[Any, ...] = (
            "text",
            "",
            "line\nbreak, zero \0, 語, \U0001f600",
            "lone \ud800 surrogate",
            {"nested": {"list": [1, 2.5, True, None, "語", "\ud800"]}},
            [],
            {},
            0,
            -1.5,
            1e308,
            2**100,
            True,
            False,
            b"",
            b"\x00\xff\xfe",
        )
        for value in values:
            with self.subTest(repr(value)):
                payload = self.back(value)
                self.assertEqual(payload.value, value)
                self.assertIs(type(payload.value), type(value))

    def test_forms(self) -> None:
        self.assertIs(self.back("text").form, Form.TEXT)
        self.assertIs(self.back("lone \ud800").form, Form.JSON)
        self.assertIs(self.back(bytearray(b"x")).form, Form.BYTES)
        self.assertIs(self.back(3).form, Form.JSON)
        self.assertEqual(self.back({"a": "語"}).data, '{"a":"語"}'.encode())
        self.assertIs(self.back(Payload(Form.TEXT, b'{"not": "json"}')).form, Form.TEXT)

    def test_null_and_absent(self) -> None:
        self.store.put_observation("o", trace_id="t", input=NULL, output=None)
        self.store.flush()
        (row,) = self.store.observations()
        self.assertIsNone(row.input)
        self.assertEqual((row.input_form, row.input_text), (Form.JSON, "null"))
        self.assertIsNone(row.output)
        self.assertIs(row.output_form, Form.ABSENT)
        self.assertIsNone(row.output_bytes)
        self.assertIsNone(row.output_text)
        self.assertEqual(row.output_size_bytes, 0)

    def test_an_empty_object_replaces_nothing(self) -> None:
        self.store.put_observation("o", input=[1])
        self.store.put_observation("o", input={})
        self.store.flush()
        (row,) = self.store.observations()
        self.assertEqual(row.input, [1])

    def test_large(self) -> None:
        for value in ("語" * (8 * 1024 * 1024 // 3), bytes(range(256)) * (32 * 1024)):
            payload = self.back(value)
            self.assertEqual(payload.value, value)

    def test_all_three_fields_of_a_trace(self) -> None:
        self.store.put_trace("t", input="in", output=Json("[ 1 ]"), metadata=Json('{ "a" : 1 }'))
        self.store.flush()
        (trace,) = self.store.traces()
        self.assertEqual(trace.input_text, "in")
        self.assertEqual(trace.output_text, "[ 1 ]")
        self.assertEqual(trace.metadata_text, '{ "a" : 1 }')
        self.assertEqual((trace.metadata_form, trace.metadata_size_bytes), (Form.JSON, 11))
        self.assertEqual(trace.metadata_bytes, b'{ "a" : 1 }')

    def test_metadata_that_is_no_object(self) -> None:
        self.store.put_trace("t", metadata=[1, 2])
        self.store.flush()
        self.assertEqual(self.store.get_trace("t").metadata, {"metadata": [1, 2]})

    def test_kept_in_a_form_that_it_is_of(self) -> None:
        texts: Tuple[Union[str, bytes], ...] = (
            "",
            "{",
            "01",
            "[1,]",
            "NaN",
            "'x'",
            '"\\x"',
            "1 2",
            b"\xff",
            b'"\xff"',
        )
        for i, text in enumerate(texts):
            self.store.put_observation(f"o{i}", input=Json(text))
        self.store.put_observation("text", output=Payload(Form.TEXT, b"\xff"))
        self.store.flush()
        for i, text in enumerate(texts):
            with self.subTest(text):
                given = text.encode() if isinstance(text, str) else text
                row = self.store.get_observation(f"o{i}")
                form = Form.BYTES if b"\xff" in given else Form.TEXT
                self.assertEqual((row.input_form, row.input_bytes), (form, given))
        row = self.store.get_observation("text")
        self.assertEqual((row.output_form, row.output_bytes), (Form.BYTES, b"\xff"))

    def test_text_of_bytes(self) -> None:
        self.store.put_observation("o", input=b"\xff", output="x".encode())
        self.store.flush()
        (row,) = self.store.observations()
        self.assertEqual(row.output_text, "x")
        with self.assertRaises(UnicodeDecodeError):
            row.input_text

    def test_rows_outlive_their_list(self) -> None:
        for n in range(20):
            self.store.put_observation(f"o{n}", trace_id=f"t{n % 3}", input=n, output=str(n))
        self.store.flush()
        rows = list(self.store.observations())
        self.assertEqual(
            {row.id: (row.input, row.output) for row in rows},
            {f"o{n}": (n, str(n)) for n in range(20)},
        )
        one = next(self.store.observations())
        self.assertEqual(one.output, str(one.input))

    def test_a_row_of_a_snapshot_reads_through_it(self) -> None:
        self.store.put_trace("t", input="old", output="old")
        self.store.flush()
        with self.store.snapshot() as snapshot:
            trace = snapshot.get_trace("t")
            self.store.put_trace("t", input="new", output="new")
            self.store.flush()
            self.assertEqual(trace.input, "old")
            self.assertEqual(snapshot.get_trace("t").input, "old")
        self.assertEqual(trace.input, "old")  # it was fetched
        self.assertEqual(trace.output, "new")  # it was not: as of now

    def test_rows_are_plain_values(self) -> None:
        with self.store.span(name="root", input="in", output="out") as root:
            root.span(name="child").end()
        self.store.flush()
        trace = self.store.trace(root.trace_id)
        (row,) = trace.roots
        fields = dataclasses.asdict(row)
        self.assertEqual((fields["name"], fields["depth"]), ("root", 1))
        self.assertFalse([name for name in fields if name.startswith("_")])
        self.assertEqual(dataclasses.asdict(trace)["aggregate"]["observation_count"], 2)
        copied = copy.deepcopy(row)
        self.assertEqual((copied, copied.input), (row, "in"))
        sent = pickle.loads(pickle.dumps(trace))
        self.assertEqual(sent, trace)
        self.assertEqual([each.name for each in sent.observations], ["root", "child"])
        self.assertEqual(sent.roots[0].input, "in")  # it was fetched
        with self.assertRaisesRegex(MisuseError, "output was not fetched"):
            sent.roots[0].output
        made: List[Callable[[], object]] = [
            lambda: dataclasses.replace(row, name="new").input,
            lambda: dataclasses.replace(trace, name="new").observations,
        ]
        for each in made:
            with self.assertRaisesRegex(MisuseError, "made by the program"):
                each()
        self.assertEqual(dataclasses.replace(row, name="new").name, "new")

    def test_payload_objects(self) -> None:
        payload = Payload(Form.TEXT, b"x" * 100)
        self.assertEqual(payload, Payload(Form.TEXT, b"x" * 100))
        self.assertEqual(Json("1"), Payload(Form.JSON, b"1"))
        self.assertEqual(hash(Json("1")), hash(Payload(Form.JSON, b"1")))
        self.assertNotEqual(payload, "x" * 100)
        self.assertLess(len(repr(payload)), 100)
        with self.assertRaises(AttributeError):
            payload.data = b""  # type: ignore[misc]


if __name__ == "__main__":
    unittest.main()
