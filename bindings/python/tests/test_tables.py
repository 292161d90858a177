"""Lists as tables of pandas and Arrow."""

import importlib.util
import json
import unittest
from dataclasses import fields
from decimal import Decimal
from typing import Any, Dict
from unittest import mock

from support import SECOND, T0, StoreCase
from tracelite import Aggregate, Observation, Score, Session, Step, Trace
from tracelite._tables import columns_of

PANDAS = importlib.util.find_spec("pandas") is not None
ARROW = importlib.util.find_spec("pyarrow") is not None


class TableCase(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.store.put_trace("t", timestamp=T0, session_id="s", tags=["b", "a"], input={"q": 1})
        self.store.put_observation(
            "o1",
            trace_id="t",
            name="first",
            type="generation",
            start_time=T0 + 1,
            end_time=T0 + 2 * SECOND,
            usage_details={"input": 3},
            cost_details={"total": "0.000000000001"},
            input="text",
            output={"a": [1]},
        )
        self.store.put_observation("o2", trace_id="t", start_time=T0 + SECOND, output=b"\xff")
        self.store.put_score("x", trace_id="t", name="good", value=True)
        self.store.flush()


class ColumnTest(unittest.TestCase):
    def test_every_field_has_a_column(self) -> None:
        for row_class in (Trace, Observation, Score, Session, Aggregate, Step):
            with self.subTest(row_class=row_class):
                names = [column.name for column in columns_of(row_class, True)]
                self.assertEqual(len(names), len(set(names)))
                for each in fields(row_class):
                    if each.name not in ("aggregate", "trace", "observation"):
                        self.assertIn(each.name.replace("_ns", ""), names)

    def test_payloads_are_left_out(self) -> None:
        names = {column.name for column in columns_of(Trace, False)}
        self.assertFalse(names & {"input", "output", "metadata"})
        self.assertIn("total_cost", names)


class MissingTest(TableCase):
    def test_what_is_missing_is_named(self) -> None:
        for module, method in (("pandas", "to_pandas"), ("pyarrow", "to_arrow")):
            with self.subTest(module=module), mock.patch.dict("sys.modules", {module: None}):
                rows = self.store.traces()
                with self.assertRaisesRegex(ImportError, f"needs {module}.*pip install") as caught:
                    getattr(rows, method)()
                self.assertEqual(caught.exception.name, module)
                self.assertEqual(list(rows), [])  # closed


@unittest.skipUnless(PANDAS, "pandas is not installed")
class PandasTest(TableCase):
    def test_observations(self) -> None:
        frame = self.store.observations(ascending=True).to_pandas()
        self.assertEqual(list(frame["id"]), ["o1", "o2"])
        self.assertEqual(str(frame["start_time"].dtype), "datetime64[ns, UTC]")
        self.assertEqual(frame["start_time"][0].value, T0 + 1)
        self.assertTrue(frame["end_time"].isna()[1])
        self.assertEqual(frame["type"][0], "GENERATION")
        self.assertEqual(frame["usage_details"][0], {"input": 3})
        self.assertEqual(list(frame["input"]), ["text", None])
        self.assertEqual(list(frame["output"]), [{"a": [1]}, b"\xff"])

    def test_each_list(self) -> None:
        trace = self.store.traces().to_pandas(payloads=False).iloc[0]
        self.assertEqual((trace["tags"], trace["observation_count"]), (["a", "b"], 2))
        self.assertAlmostEqual(trace["total_cost"], 1e-12)
        self.assertEqual(trace["latency"], (2 * SECOND - 1) / 1e9)
        self.assertEqual(self.store.scores().to_pandas()["value"][0], 1)
        self.assertEqual(self.store.sessions().to_pandas()["id"][0], "s")
        self.assertEqual(self.store.names().to_pandas().shape[0], 1)

    def test_a_replay(self) -> None:
        frame = self.store.session("s").replay().to_pandas()
        self.assertEqual(frame["phase"][0], "BEGIN")
        self.assertEqual(set(frame["trace_id"]), {"t"})
        self.assertIn("o1", set(frame["observation_id"]))

    def test_no_rows(self) -> None:
        frame = self.store.traces(name="nobody").to_pandas()
        self.assertEqual(len(frame), 0)
        self.assertIn("timestamp", frame)


@unittest.skipUnless(ARROW, "pyarrow is not installed")
class ArrowTest(TableCase):
    def test_observations(self) -> None:
        table = self.store.observations(ascending=True).to_arrow()
        rows: Any = table.to_pylist()
        self.assertEqual([row["id"] for row in rows], ["o1", "o2"])
        self.assertEqual(str(table.schema.field("start_time").type), "timestamp[ns, tz=UTC]")
        self.assertEqual(dict(rows[0]["usage_details"]), {"input": 3})
        self.assertEqual(dict(rows[0]["cost_details"])["total"], Decimal("0.000000000001"))
        self.assertEqual(
            [json.loads(row["output"]) for row in rows], [{"a": [1]}, {"$bytes": "/w=="}]
        )
        self.assertEqual(rows[0]["input"], '"text"')

    def test_each_list(self) -> None:
        tables: Dict[str, Any] = {
            name: getattr(self.store, name)().to_arrow()
            for name in ("traces", "scores", "sessions", "users", "tags", "names", "models")
        }
        self.assertEqual(tables["traces"].num_rows, 1)
        self.assertEqual(tables["users"].num_rows, 0)
        self.assertEqual(tables["tags"].column("key").to_pylist(), ["a", "b"])


if __name__ == "__main__":
    unittest.main()
