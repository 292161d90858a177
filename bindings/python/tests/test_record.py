"""Recording and reading back: every field of every entity, live observations, upserts."""

import gc
import unittest
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Callable, Generator, List

from support import SECOND, T0, StoreCase
from tracelite import (
    CLEAR,
    DataType,
    Form,
    InvalidError,
    Level,
    MisuseError,
    NotFoundError,
    ObservationType,
    Source,
    Store,
)
from tracelite._otel_attributes import as_text
from tracelite.langfuse._values import cost_details as langfuse_costs


class EntityTest(StoreCase):
    """What is put comes back, field by field."""

    def test_trace(self) -> None:
        when = datetime(2024, 5, 15, 17, 0, 0, 123456, timezone(timedelta(hours=2)))
        id = self.store.put_trace(
            "trace-1",
            timestamp=when,
            name="answer a question",
            user_id="ada",
            session_id="morning",
            release="1.2",
            version="v3",
            environment="staging",
            tags=["b", "a", "b"],
            metadata={"k": [1, None]},
            input={"q": "why?"},
            output="because",
            is_public=True,
            is_bookmarked=True,
        )
        self.assertEqual(id, "trace-1")
        self.store.flush()
        (trace,) = self.store.traces()
        self.assertEqual(trace, self.store.get_trace("trace-1"))
        self.assertEqual(trace.timestamp_ns, T0 + 123456000)
        self.assertEqual(trace.timestamp, when)
        self.assertEqual(trace.name, "answer a question")
        self.assertEqual(trace.user_id, "ada")
        self.assertEqual(trace.session_id, "morning")
        self.assertEqual(trace.release, "1.2")
        self.assertEqual(trace.version, "v3")
        self.assertEqual(trace.environment, "staging")
        self.assertEqual(trace.tags, ("a", "b"))
        self.assertEqual(trace.metadata, {"k": [1, None]})
        self.assertEqual(trace.input, {"q": "why?"})
        self.assertEqual(trace.output, "because")
        self.assertTrue(trace.is_public)
        self.assertTrue(trace.is_bookmarked)
        self.assertFalse(trace.is_derived)

    def test_observation(self) -> None:
        self.store.put_observation(
            "observation-1",
            trace_id="trace-1",
            parent_observation_id="nobody",
            type="GENERATION",
            name="call",
            start_time=T0,
            end_time=T0 + 2 * SECOND + 7,
            completion_start_time=T0 + SECOND,
            level=Level.WARNING,
            status_message="slow",
            version="v3",
            environment="staging",
            user_id="ada",
            session_id="morning",
            tags=("x",),
            input=[1, 2],
            output=b"\x00\xff",
            metadata={"k": "v"},
            model="gpt-4.1",
            model_parameters={"temperature": 0.5},
            usage_details={"input": 3, "output": 2**63},
            cost_details={
                "input": Decimal("0.000000000001"),
                "output": 0.1,
                "image": 2,
                "total": "1.50",
            },
            prompt_name="greet",
            prompt_version=7,
        )
        self.store.flush()
        (row,) = self.store.observations()
        self.assertEqual(row, self.store.get_observation("observation-1"))
        self.assertEqual(row, self.store.get_observation("observation-1", trace_id="trace-1"))
        self.assertEqual(row.id, "observation-1")
        self.assertEqual(row.trace_id, "trace-1")
        self.assertEqual(row.parent_observation_id, "nobody")
        self.assertIs(row.type, ObservationType.GENERATION)
        self.assertEqual(row.type, "GENERATION")
        self.assertEqual(row.name, "call")
        self.assertEqual(row.start_time_ns, T0)
        self.assertEqual(row.start_time, datetime(2024, 5, 15, 15, tzinfo=timezone.utc))
        self.assertEqual(row.end_time_ns, T0 + 2 * SECOND + 7)
        self.assertEqual(row.end_time, datetime(2024, 5, 15, 15, 0, 2, tzinfo=timezone.utc))
        self.assertEqual(row.completion_start_time_ns, T0 + SECOND)
        self.assertIs(row.level, Level.WARNING)
        self.assertEqual(row.status_message, "slow")
        self.assertEqual(row.version, "v3")
        self.assertEqual(row.environment, "staging")
        self.assertEqual(row.user_id, "ada")
        self.assertEqual(row.session_id, "morning")
        self.assertEqual(row.tags, ("x",))
        self.assertEqual(row.input, [1, 2])
        self.assertEqual(row.output, b"\x00\xff")
        self.assertEqual(row.metadata, {"k": "v"})
        self.assertEqual(row.model, "gpt-4.1")
        self.assertEqual(row.model_parameters, {"temperature": 0.5})
        self.assertEqual(row.usage_details["input"], 3)
        self.assertEqual(row.usage_details["output"], 2**63)
        self.assertEqual(row.cost_details["input"], Decimal("0.000000000001"))
        self.assertEqual(row.cost_details["output"], Decimal("0.1"))
        self.assertEqual(row.cost_details["image"], 2)
        self.assertEqual(row.cost_details["total"], Decimal("1.5"))
        self.assertEqual(row.prompt_name, "greet")
        self.assertEqual(row.prompt_version, 7)
        self.assertFalse(row.is_unfinished)
        self.assertIsInstance(hash(row), int)

    def test_scores(self) -> None:
        put = self.store.put_score
        put(
            "number",
            trace_id="t",
            name="quality",
            value=0.25,
            comment="so so",
            timestamp=T0,
        )
        put(
            "flag",
            trace_id="t",
            observation_id="o",
            name="ok",
            value=True,
            source="EVAL",
        )
        put(
            "word",
            session_id="s",
            name="mood",
            value="good",
            metadata={"k": 1},
            config_id="c",
        )
        put(
            "text",
            trace_id="t",
            name="note",
            value="a long text",
            data_type=DataType.TEXT,
        )
        put(
            "by",
            trace_id="t",
            name="n",
            value=3,
            source=Source.ANNOTATION,
            author_user_id="ada",
        )
        self.store.flush()
        scores = {score.id: score for score in self.store.scores()}
        self.assertEqual(set(scores), {"number", "flag", "word", "text", "by"})
        number, flag, word = scores["number"], scores["flag"], scores["word"]
        self.assertEqual(number, self.store.get_score("number"))
        self.assertEqual((number.trace_id, number.observation_id), ("t", None))
        self.assertEqual((number.name, number.value), ("quality", 0.25))
        self.assertIs(number.data_type, DataType.NUMERIC)
        self.assertIs(number.source, Source.API)
        self.assertEqual(number.comment, "so so")
        self.assertEqual(number.timestamp_ns, T0)
        self.assertEqual((flag.trace_id, flag.observation_id), ("t", "o"))
        self.assertIs(flag.data_type, DataType.BOOLEAN)
        self.assertEqual(flag.value, 1)
        self.assertIs(flag.source, Source.EVAL)
        self.assertEqual((word.trace_id, word.session_id), (None, "s"))
        self.assertIs(word.data_type, DataType.CATEGORICAL)
        self.assertEqual((word.value, word.string_value), (None, "good"))
        self.assertEqual(word.metadata, {"k": 1})
        self.assertEqual(word.config_id, "c")
        self.assertIs(scores["text"].data_type, DataType.TEXT)
        self.assertEqual(scores["text"].string_value, "a long text")
        self.assertEqual(scores["by"].author_user_id, "ada")

    def test_session(self) -> None:
        self.store.put_trace("t", session_id="s", environment="staging")
        self.store.put_session("s", is_bookmarked=True)
        self.store.flush()
        (session,) = self.store.sessions()
        self.assertEqual(session, self.store.get_session("s"))
        self.assertEqual(session.id, "s")
        self.assertEqual(session.environment, "staging")
        self.assertTrue(session.is_bookmarked)
        self.assertFalse(session.is_public)
        assert session.aggregate is not None
        self.assertEqual(session.aggregate.trace_count, 1)

    def test_ids_are_made_where_absent(self) -> None:
        trace_id = self.store.put_trace(name="t")
        id = self.store.put_observation(trace_id=trace_id)
        score_id = self.store.put_score(trace_id=trace_id, name="n", value=1)
        self.store.flush()
        self.assertEqual((len(trace_id), len(id)), (32, 16))
        self.assertEqual(self.store.get_observation(id).trace_id, trace_id)
        self.assertEqual(self.store.get_score(score_id).trace_id, trace_id)

    def test_upsert_and_clear(self) -> None:
        self.store.put_trace("t", name="one", user_id="ada", tags=["a"], metadata={"x": {"y": 1}})
        self.store.put_trace("t", name=None, version="2", tags=["b"], metadata={"x": {"z": 2}})
        self.store.put_trace("t", user_id=CLEAR)
        self.store.flush()
        trace = self.store.get_trace("t")
        self.assertEqual((trace.name, trace.version, trace.user_id), ("one", "2", None))
        self.assertEqual(trace.tags, ("a", "b"))
        self.assertEqual(trace.metadata, {"x": {"y": 1, "z": 2}})

    def test_an_observation_before_its_trace(self) -> None:
        self.store.put_observation("o", trace_id="t", name="root", input="in")
        self.store.flush()
        derived = self.store.get_trace("t")
        self.assertTrue(derived.is_derived)
        self.assertEqual((derived.name, derived.input), ("root", "in"))
        self.store.put_trace("t", name="mine")
        self.store.flush()
        self.assertEqual(self.store.get_trace("t").name, "mine")

    def test_absent_fields_read_as_none(self) -> None:
        self.store.put_trace("t", timestamp=T0, name="t")
        self.store.put_observation("o", trace_id="t", start_time=T0)
        self.store.flush()
        trace, row = self.store.get_trace("t"), self.store.get_observation("o")
        for absent in (trace.user_id, trace.session_id, trace.version, trace.input):
            self.assertIsNone(absent)
        self.assertIs(trace.input_form, Form.ABSENT)
        self.assertIsNone(trace.input_bytes)
        self.assertEqual((row.type, row.level), ("SPAN", "DEFAULT"))
        self.assertIsNone(row.end_time)
        self.assertIsNone(row.model)
        self.assertEqual(dict(row.usage_details), {})
        self.assertEqual(row.model_parameters, {})
        self.assertTrue(row.is_unfinished)


class ValueTest(StoreCase):
    """Values that are refused, each by the name of its field; nothing of them is recorded."""

    def refused(self, field: str, **fields: object) -> str:
        with self.assertRaises(InvalidError) as caught:
            self.store.put_observation("o", trace_id="t", **fields)  # type: ignore[arg-type]
        self.assertEqual(caught.exception.field, field)
        self.assertIsInstance(caught.exception, ValueError)
        self.store.flush()
        self.assertEqual(list(self.store.observations()), [])
        return str(caught.exception)

    def test_refusals(self) -> None:
        self.assertIn("time zone", self.refused("start_time", start_time=datetime(2024, 1, 1)))
        self.refused("start_time", start_time=2**63)
        self.refused("start_time", start_time=1.5)
        self.refused("level", level="LOUD")
        self.assertIn("GENERATION", self.refused("type", type="SPANNER"))
        self.refused("type", type=3)
        self.refused("name", name=3)
        self.refused("name", name="\ud800")
        self.refused("input", input=float("nan"))
        self.refused("tags", tags="one")
        self.refused("usage_details.input", usage_details={"input": 1.5})
        self.refused("usage_details.input", usage_details={"input": -1})
        self.refused("usage_details.input", usage_details={"input": 2**64})
        self.refused("cost_details.total", cost_details={"total": float("inf")})
        self.refused("cost_details.total", cost_details={"total": True})
        self.refused("prompt_version", prompt_version="1")

    def test_a_cycle_and_an_object_that_json_does_not_know(self) -> None:
        cycle: List[object] = []
        cycle.append(cycle)
        self.refused("input", input=cycle)
        with self.assertRaisesRegex(TypeError, "^output: "):
            self.store.put_observation("o", output=object())

    def test_an_unknown_field(self) -> None:
        with self.assertRaisesRegex(TypeError, "'outptu'"):
            self.store.put_observation("o", outptu=1)  # type: ignore[call-arg]
        with self.assertRaisesRegex(TypeError, "'nmae'"):
            self.store.traces(nmae="x")  # type: ignore[call-arg]

    def test_what_the_library_refuses(self) -> None:
        with self.assertRaises(InvalidError) as caught:
            self.store.put_trace("line\nbreak")
        self.assertEqual(caught.exception.field, "id")
        with self.assertRaises(InvalidError) as caught:
            self.store.put_trace("t", name="n" * 1001)
        self.assertEqual(caught.exception.field, "name")
        with self.assertRaises(InvalidError):
            self.store.put_score("s", trace_id="t", session_id="s", name="n", value=1)
        with self.assertRaises(InvalidError):
            self.store.put_score("s", trace_id="t", name="", value=1)

    def test_numbers_whose_class_shows_itself(self) -> None:
        # As those of NumPy do.
        class Float(float):
            def __repr__(self) -> str:
                return f"Float({float(self)})"

        class Integer(int):
            def __repr__(self) -> str:
                return f"Integer({int(self)})"

        costs = {"input": Float(0.5), "total": Integer(2)}
        self.store.put_observation("o", trace_id="t", cost_details=costs)
        self.store.put_score("s", trace_id="t", name="n", value=Float(0.5))
        self.store.flush()
        row = self.store.get_observation("o", trace_id="t")
        self.assertEqual(row.cost_details, {"input": Decimal("0.5"), "total": 2})
        self.assertEqual(self.store.get_score("s").value, 0.5)
        self.assertEqual(langfuse_costs(costs), {"input": "0.5", "total": "2"})
        self.assertEqual(as_text(Float(0.5)), "0.5")

    def test_a_value_of_a_score(self) -> None:
        with self.assertRaises(InvalidError) as caught:
            self.store.put_score("s", trace_id="t", name="n", value=[1])  # type: ignore[arg-type]
        self.assertEqual(caught.exception.field, "value")
        with self.assertRaises(InvalidError) as caught:
            self.store.put_score("s", trace_id="t", name="n", value=10**400)
        self.assertEqual(caught.exception.field, "value")


class LiveTest(StoreCase):
    """Observations from begin to end."""

    def test_nested(self) -> None:
        with self.store.span(name="agent", type="agent", session_id="s", input="task") as agent:
            with agent.span(name="search", type=ObservationType.TOOL) as tool:
                tool.update(output={"hits": 3})
            with agent.span(name="answer", type="generation", model="m") as generation:
                for word in ("be", "cau", "se"):
                    generation.append(word)
                generation.update(usage_details={"input": 5, "output": 1})
            agent.update(output="done", tags=["x"])
        self.store.flush()
        trace = self.store.trace(agent.trace_id)
        self.assertEqual([each.name for each in trace.observations], ["agent", "search", "answer"])
        (root,) = trace.roots
        self.assertEqual(root.id, agent.id)
        self.assertEqual((root.input, root.output, root.tags), ("task", "done", ("x",)))
        search, answer = root.children
        self.assertEqual((search.id, search.parent_observation_id), (tool.id, agent.id))
        self.assertEqual(search.output, {"hits": 3})
        self.assertEqual(answer.output, "because")
        self.assertEqual(answer.usage_details, {"input": 5, "output": 1})
        self.assertIsNotNone(answer.completion_start_time)
        for each in trace.observations:
            self.assertFalse(each.is_unfinished)
            assert each.start_time_ns is not None and each.end_time_ns is not None
            self.assertLessEqual(each.start_time_ns, each.end_time_ns)

    def test_explicit_parents(self) -> None:
        agent = self.store.begin(name="agent")
        tool = self.store.begin(name="tool", parent=agent)
        elsewhere = self.store.begin(
            name="elsewhere", trace_id=agent.trace_id, parent_observation_id=tool.id
        )
        agent.end()
        late = agent.begin(name="late")  # below one that has ended
        for span in (late, elsewhere, tool):
            span.end()
        self.store.flush()
        tree = self.store.trace(agent.trace_id)
        depths = {each.name: each.depth for each in tree.observations}
        self.assertEqual(depths, {"agent": 1, "tool": 2, "elsewhere": 3, "late": 2})

    def test_ids_and_times_can_be_given(self) -> None:
        span = self.store.begin(id="mine", trace_id="my trace", start_time=T0)
        self.assertEqual((span.id, span.trace_id), ("mine", "my trace"))
        span.end(end_time=T0 + SECOND)
        self.store.flush()
        row = self.store.get_observation("mine")
        self.assertEqual((row.start_time_ns, row.end_time_ns), (T0, T0 + SECOND))

    def test_an_exception(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "no such tool"):
            with self.store.span(name="outer") as outer:
                with outer.span(name="inner"):
                    raise RuntimeError("no such tool: \ud800")
        self.store.flush()
        outer_row, inner_row = self.store.trace(outer.trace_id).observations
        for row in (outer_row, inner_row):
            self.assertIs(row.level, Level.ERROR)
            self.assertEqual(row.status_message, "RuntimeError: no such tool: \\ud800")
            self.assertFalse(row.is_unfinished)

    def test_an_exception_without_a_text(self) -> None:
        class Mute(Exception):
            def __str__(self) -> str:
                raise ValueError

        for error in (KeyboardInterrupt(), Mute()):
            with self.assertRaises(type(error)):
                with self.store.span(name=type(error).__name__):
                    raise error
        self.store.flush()
        for row in self.store.observations():
            self.assertEqual((row.level, row.status_message), ("ERROR", row.name))

    def test_a_generator_that_is_closed_is_no_error(self) -> None:
        def stream() -> Generator[str, None, None]:
            with self.store.span(name="stream") as span:
                for word in "abc":
                    span.append(word)
                    yield word

        words = stream()
        next(words), next(words)
        words.close()
        self.store.flush()
        (row,) = self.store.observations()
        self.assertEqual((row.level, row.output, row.is_unfinished), ("DEFAULT", "ab", False))

    def test_end_within_the_block(self) -> None:
        with self.store.span(name="early") as span:
            span.end(output=1)
        self.store.flush()
        (row,) = self.store.observations()
        self.assertEqual(row.output, 1)
        calls: List[Callable[..., object]] = [
            span.end,
            span.update,
            lambda: span.append("x"),
        ]
        for call in calls:
            with self.assertRaisesRegex(MisuseError, "has ended"):
                call()

    def test_a_refused_field_leaves_the_span_live(self) -> None:
        span = self.store.begin(name="x")
        with self.assertRaises(InvalidError):
            span.end(level="LOUD")
        with self.assertRaises(InvalidError):
            span.update(end_time=datetime(2024, 1, 1))
        with self.assertRaises(InvalidError):
            span.append("text", field="metadata")
        with self.assertRaises(InvalidError):
            span.append(b"bytes")  # type: ignore[arg-type]
        span.end(output="fine")
        self.store.flush()
        (row,) = self.store.observations()
        self.assertEqual((row.output, row.is_unfinished), ("fine", False))

    def test_append_to_the_input_then_replace_the_output(self) -> None:
        span = self.store.begin()
        span.append("per", field="input")
        span.append("haps", field="input")
        span.append("draft")
        span.end(output="final")
        self.store.flush()
        (row,) = self.store.observations()
        self.assertEqual((row.input, row.output), ("perhaps", "final"))

    def test_what_was_appended_is_there_before_the_end(self) -> None:
        span = self.store.begin(name="stream")
        span.append("so far ")
        span.append("so good 語")
        self.store.flush()
        (row,) = self.store.observations()
        self.assertTrue(row.is_unfinished)
        self.assertEqual(row.output, "so far so good 語")
        span.end()

    def test_unfinished(self) -> None:
        kept = self.store.begin(name="kept")
        self.store.begin(name="dropped")  # nobody holds it
        event = self.store.begin(name="event", type="event")
        gc.collect()
        report = self.store.close()
        self.assertEqual(report.open_span_count, 3)
        with self.assertRaisesRegex(MisuseError, "closed"):
            kept.end()
        del kept, event
        with Store(self.path, read_only=True) as again:
            unfinished = {row.name: row.is_unfinished for row in again.observations()}
            self.assertEqual(unfinished, {"kept": True, "dropped": True, "event": False})
            for trace in again.traces(name="kept"):
                assert trace.aggregate is not None
                self.assertEqual(trace.aggregate.unfinished_count, 1)

    def test_a_parent_in_another_store(self) -> None:
        with Store(self.folder / "other.tl") as other:
            with other.span() as parent:
                with self.assertRaises(InvalidError) as caught:
                    self.store.span(parent=parent)
                self.assertEqual(caught.exception.field, "parent")


class NotFoundTest(StoreCase):
    def test_unknown_ids(self) -> None:
        calls: List[Callable[[str], object]] = [
            self.store.trace,
            self.store.get_trace,
            self.store.get_observation,
            self.store.get_score,
            self.store.get_session,
            self.store.replay,
        ]
        for call in calls:
            with self.subTest(call), self.assertRaises(NotFoundError) as caught:
                call("nobody")
            self.assertIsInstance(caught.exception, LookupError)


if __name__ == "__main__":
    unittest.main()
