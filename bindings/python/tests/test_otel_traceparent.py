"""The traceparent header, by the rules of W3C Trace Context, and a trace over two processes."""

import random
import string
import sys
import unittest

from support import FolderCase, run_python
from tracelite import InvalidError, Store
from tracelite.traceparent import Traceparent, format_traceparent, parse_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"


class ParseTest(unittest.TestCase):
    def test_valid(self) -> None:
        recorded = Traceparent(TRACE, PARENT, True)
        for header, expected in (
            (HEADER, recorded),
            (f"00-{TRACE}-{PARENT}-00", Traceparent(TRACE, PARENT, False)),
            (f"00-{TRACE}-{PARENT}-ff", recorded),  # only the lowest bit says "recorded"
            (f"00-{TRACE}-{PARENT}-02", Traceparent(TRACE, PARENT, False)),
            (f" \t{HEADER}\t ", recorded),
            (f"cc-{TRACE}-{PARENT}-01", recorded),  # a later version
            (f"cc-{TRACE}-{PARENT}-01-", recorded),
            (f"cc-{TRACE}-{PARENT}-01-what the future brings", recorded),
            (f"fe-{TRACE}-{PARENT}-00-1", Traceparent(TRACE, PARENT, False)),
        ):
            with self.subTest(header):
                self.assertEqual(parse_traceparent(header), expected)

    def test_invalid(self) -> None:
        for header in (
            None,
            "",
            "-",
            HEADER[:-1],
            HEADER + "-",
            HEADER + "-01",
            HEADER + "1",
            HEADER + "\n",
            HEADER.upper(),
            HEADER + "," + HEADER,
            HEADER.replace("-", "_"),
            f"ff-{TRACE}-{PARENT}-01",
            f"FF-{TRACE}-{PARENT}-01",
            f"0-{TRACE}-{PARENT}-01",
            f"000-{TRACE}-{PARENT}-01",
            f".0-{TRACE}-{PARENT}-01",
            f"cc-{TRACE}-{PARENT}-01.what",
            f"cc-{TRACE}-{PARENT}-011",
            f"00-{'0' * 32}-{PARENT}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE[:-1]}-{PARENT}-01",
            f"00-{TRACE}0-{PARENT}-01",
            f"00-{TRACE[:-1]}.-{PARENT}-01",
            f"00-{TRACE}-{PARENT[:-1]}-01",
            f"00-{TRACE}-{PARENT}0-01",
            f"00-{TRACE}-{PARENT[:-1]}G-01",
            f"00-{TRACE}-{PARENT}-1",
            f"00-{TRACE}-{PARENT}-.0",
            f"00-{TRACE}-{PARENT}-0A",
            "00-" + "\uff11" * 32 + f"-{PARENT}-01",  # digits, but not of ASCII
        ):
            with self.subTest(header):
                self.assertIsNone(parse_traceparent(header))
        self.assertIsNone(parse_traceparent(HEADER.encode()))  # type: ignore[arg-type]

    def test_anything_is_valid_or_none(self) -> None:
        seed = random.randrange(sys.maxsize)
        source = random.Random(seed)
        valid_count = 0
        for _ in range(5_000):
            header = list(HEADER)
            for _ in range(source.randrange(3)):
                header[source.randrange(len(header))] = source.choice(string.printable)
            found = parse_traceparent("".join(header))
            if found is not None:
                valid_count += 1
                self.assertEqual(parse_traceparent(str(found)), found, f"seed {seed}")
        self.assertGreater(valid_count, 1_000, f"seed {seed}")


class FormatTest(unittest.TestCase):
    def test_round_trip(self) -> None:
        self.assertEqual(format_traceparent(TRACE, PARENT), HEADER)
        self.assertEqual(format_traceparent(TRACE, PARENT, False), HEADER[:-1] + "0")
        self.assertEqual(str(parse_traceparent(f"cc-{TRACE}-{PARENT}-ff-x")), HEADER)

    def test_ids_that_have_no_place_in_it(self) -> None:
        for trace_id, parent_id, field in (
            ("my-trace", PARENT, "trace_id"),
            (TRACE.upper(), PARENT, "trace_id"),
            ("0" * 32, PARENT, "trace_id"),
            (TRACE, "", "parent_id"),
            (TRACE, "0" * 16, "parent_id"),
            (TRACE, PARENT + "\n", "parent_id"),
        ):
            with self.assertRaises(InvalidError) as caught:
                format_traceparent(trace_id, parent_id)
            self.assertEqual(caught.exception.field, field)


class TwoProcessesTest(FolderCase):
    def test_a_trace_spans_them(self) -> None:
        code = (
            "import sys\n"
            "from tracelite import Store\n"
            "from tracelite.traceparent import parse_traceparent\n"
            "parent = parse_traceparent(sys.argv[2])\n"
            "with Store(sys.argv[1]) as store:\n"
            "    with store.span(name='callee', **parent.fields):\n"
            "        pass\n"
        )
        with Store(self.path) as store:
            with store.span(name="caller") as span:
                header = format_traceparent(span.trace_id, span.id)
                result = run_python(code, str(self.path), header)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
            store.flush()
            observations = store.trace(span.trace_id).observations
            rows = [(row.name, row.parent_observation_id) for row in observations]
        self.assertEqual(rows, [("caller", None), ("callee", span.id)])


if __name__ == "__main__":
    unittest.main()
