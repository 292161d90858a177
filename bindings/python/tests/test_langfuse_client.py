"""The surface of Langfuse's SDK v3 and v4: what each call leaves in the file."""

import unittest
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Dict

from langfuse_support import LangfuseCase
from tracelite import ObservationType
from tracelite.langfuse import (
    Langfuse,
    LangfuseAgent,
    LangfuseEvent,
    LangfuseGeneration,
    LangfuseSpan,
    get_client,
)

TYPES = "span generation agent tool chain retriever evaluator embedding guardrail".split()

FIELDS: Dict[str, Any] = {
    "input": {"q": "why?"},
    "output": ["because"],
    "metadata": {"k": 1},
    "version": "2",
    "level": "WARNING",
    "status_message": "slow",
    "completion_start_time": datetime(2024, 5, 15, 15, tzinfo=timezone.utc),
    "model": "m-1",
    "model_parameters": {"temperature": 0.5},
    "usage_details": {"input": 3, "output": 2},
    "cost_details": {"input": 0.1, "total": "0.3"},
    "prompt": {"name": "greet", "version": 7},
}


class ObservationTest(LangfuseCase):
    def check_fields(self, name: str) -> None:
        row = self.observation(name)
        self.assertEqual(row.input, {"q": "why?"})
        self.assertEqual(row.output, ["because"])
        self.assertEqual(row.metadata, {"k": 1})
        self.assertEqual((row.version, row.level), ("2", "WARNING"))
        self.assertEqual(row.status_message, "slow")
        self.assertEqual(row.completion_start_time, FIELDS["completion_start_time"])
        self.assertEqual((row.model, row.model_parameters), ("m-1", {"temperature": 0.5}))
        self.assertEqual(dict(row.usage_details), {"input": 3, "output": 2})
        self.assertEqual(row.cost_details["input"], Decimal("0.1"))
        self.assertEqual(row.cost_details["total"], Decimal("0.3"))
        self.assertEqual((row.prompt_name, row.prompt_version), ("greet", 7))

    def test_every_type_as_the_current_one(self) -> None:
        for as_type in TYPES:
            with self.client.start_as_current_observation(name=as_type, as_type=as_type) as it:
                self.assertEqual(type(it).__name__, "Langfuse" + as_type.capitalize())
                self.assertEqual(self.client.get_current_observation_id(), it.id)
                self.assertEqual(self.client.get_current_trace_id(), it.trace_id)
        self.assertIsNone(self.client.get_current_observation_id())
        self.assertIsNone(self.client.get_current_trace_id())
        for name, row in self.observations().items():
            self.assertEqual(row.type, name.upper())
            self.assertFalse(row.is_unfinished)

    def test_all_fields_at_the_start(self) -> None:
        self.client.start_observation(name="x", as_type="generation", **FIELDS).end()
        self.check_fields("x")

    def test_all_fields_by_update(self) -> None:
        observation = self.client.start_generation(name="x")
        self.assertIs(observation.update(**FIELDS), observation)
        self.assertIs(observation.end(), observation)
        self.check_fields("x")

    def test_all_fields_by_the_current_one(self) -> None:
        with self.client.start_as_current_generation(name="old"):
            self.client.update_current_generation(name="x", **FIELDS)
        self.check_fields("x")

    def test_update_current_span(self) -> None:
        with self.client.start_as_current_span(name="x", input=1):
            self.client.update_current_span(output=2, metadata={"k": 3}, level="DEBUG")
        row = self.observation("x")
        self.assertEqual((row.input, row.output, row.metadata), (1, 2, {"k": 3}))
        self.assertEqual(row.level, "DEBUG")

    def test_nesting(self) -> None:
        with self.client.start_as_current_span(name="a") as a:
            with self.client.start_as_current_generation(name="b"):
                self.client.start_span(name="c").end()
            with a.start_as_current_observation(name="d", as_type="tool") as d:
                d.start_observation(name="e", as_type="agent").end()
                d.start_span(name="f").end()
                d.start_generation(name="g").end()
                with d.start_as_current_span(name="h"), self.client.start_as_current_span(name="i"):
                    pass
                with d.start_as_current_generation(name="j"):
                    pass
        expected = [(1, "a"), (2, "b"), (3, "c"), (2, "d"), (3, "e"), (3, "f"), (3, "g")]
        self.assertEqual(self.tree(), [*expected, (3, "h"), (4, "i"), (3, "j")])

    def test_a_started_one_is_not_current(self) -> None:
        a = self.client.start_span(name="a")
        b = self.client.start_span(name="b")
        self.assertNotEqual(a.trace_id, b.trace_id)
        self.assertIsInstance(a, LangfuseSpan)
        a.end()
        b.end()

    def test_a_started_one_as_a_block(self) -> None:
        with self.client.start_observation(name="a", as_type="agent") as a:
            self.assertIsInstance(a, LangfuseAgent)
            with self.client.start_generation(name="b") as b:
                self.assertIsInstance(b, LangfuseGeneration)
        self.assertEqual(self.tree(), [(1, "a"), (2, "b")])
        self.assertFalse(self.observation("a").is_unfinished)

    def test_end_on_exit(self) -> None:
        with self.client.start_as_current_span(name="a", end_on_exit=False) as a:
            pass
        self.assertTrue(self.observation("a").is_unfinished)
        a.update(output=1)
        a.end()
        row = self.observation("a")
        self.assertEqual((row.output, row.is_unfinished), (1, False))

    def test_unfinished(self) -> None:
        self.client.start_span(name="a", input="evidence")
        row = self.observation("a")
        self.assertTrue(row.is_unfinished)
        self.assertEqual(row.input, "evidence")

    def test_after_the_end(self) -> None:
        a = self.client.start_span(name="a")
        a.end(end_time=a.end().update(output="late") and None)
        a.start_span(name="below").end()
        row = self.observation("a")
        self.assertEqual((row.output, row.is_unfinished), ("late", False))
        self.assertEqual(self.observation("below").parent_observation_id, a.id)

    def test_an_end_time(self) -> None:
        a = self.client.start_span(name="a")
        a.end(end_time=2**62)
        self.assertEqual(self.observation("a").end_time_ns, 2**62)

    def test_an_exception(self) -> None:
        with self.assertRaisesRegex(ValueError, "no"):
            with self.client.start_as_current_span(name="a"):
                with self.client.start_as_current_span(name="b"):
                    raise ValueError("no")
        for name in "ab":
            row = self.observation(name)
            self.assertEqual((row.level, row.status_message), ("ERROR", "ValueError: no"))
            self.assertFalse(row.is_unfinished)

    def test_as_a_decorator(self) -> None:
        @self.client.start_as_current_span(name="a")
        def function(x: int) -> int:
            return x + 1

        self.assertEqual((function(1), function(2)), (2, 3))
        self.assertEqual(len(list(self.store().observations(name="a"))), 2)

    def test_an_event(self) -> None:
        with self.client.start_as_current_span(name="a") as a:
            event = self.client.create_event(name="b", input=1, output=2, level="ERROR")
            a.create_event(name="c", metadata={"k": 1})
            a.start_observation(name="d", as_type="event")
        self.assertIsInstance(event, LangfuseEvent)
        self.assertEqual(self.tree(), [(1, "a"), (2, "b"), (2, "c"), (2, "d")])
        row = self.observation("b")
        self.assertIs(row.type, ObservationType.EVENT)
        self.assertEqual((row.id, row.input, row.output, row.level), (event.id, 1, 2, "ERROR"))
        self.assertFalse(row.is_unfinished)

    def test_an_unknown_type_is_a_span(self) -> None:
        self.client.start_observation(name="a", as_type="spanner").end()
        self.assertEqual(self.observation("a").type, "SPAN")
        self.assertIn("'spanner'", "".join(self.heard))


class TraceTest(LangfuseCase):
    def test_a_trace_is_shown_by_its_root(self) -> None:
        with self.client.start_as_current_span(name="root", input="in") as root:
            root.start_span(name="child", input="no", output="no").end()
            root.update(output="out")
        trace = self.only_trace()
        self.assertEqual((trace.name, trace.input, trace.output), ("root", "in", "out"))
        self.assertTrue(trace.is_derived)

    def test_an_updated_trace_still_shows_its_root(self) -> None:
        with self.client.start_as_current_span(name="root", input="in", version="7") as root:
            with self.client.start_as_current_span(name="child", input="no") as child:
                child.update_trace(session_id="s", tags=["b", "a"])
                child.update(output="no")
            self.client.update_current_trace(user_id="u", metadata={"k": {"l": 1}}, public=True)
            root.update(output="out")
        trace = self.only_trace()
        self.assertEqual((trace.name, trace.input, trace.output), ("root", "in", "out"))
        self.assertEqual((trace.session_id, trace.user_id), ("s", "u"))
        self.assertEqual((trace.tags, trace.metadata), (("a", "b"), {"k": {"l": 1}}))
        self.assertEqual((trace.version, trace.is_public), ("7", True))
        self.assertEqual(trace.timestamp_ns, self.observation("root").start_time_ns)

    def test_what_is_said_of_a_trace_wins_over_its_root(self) -> None:
        with self.client.start_as_current_span(name="root", input="in") as root:
            root.update_trace(name="mine", input=1, output=2, version="8")
            root.update(output="out")
        trace = self.only_trace()
        self.assertEqual((trace.name, trace.input, trace.output), ("mine", 1, 2))
        self.assertEqual(trace.version, "8")

    def test_input_and_output_of_v4(self) -> None:
        with self.client.start_as_current_span(name="root") as root:
            root.set_trace_io(input=1)
            self.client.set_current_trace_io(output=2)
            root.set_trace_as_public()
            self.client.set_current_trace_as_public()
        trace = self.only_trace()
        self.assertEqual((trace.input, trace.output, trace.is_public), (1, 2, True))

    def test_trace_context(self) -> None:
        trace_id = Langfuse.create_trace_id(seed="order-7")
        context: Any = {"trace_id": trace_id}
        with self.client.start_as_current_span(name="a", trace_context=context) as a:
            self.assertEqual(a.trace_id, trace_id)
            self.client.start_span(name="b").end()
        context = {"trace_id": trace_id, "parent_span_id": a.id}
        self.client.start_observation(name="c", trace_context=context).end()
        self.client.create_event(name="d", trace_context=context)
        self.assertEqual(self.tree(), [(1, "a"), (2, "b"), (2, "c"), (2, "d")])

    def test_trace_context_wins_over_the_current_one(self) -> None:
        with self.client.start_as_current_span(name="a") as a:
            context: Any = {"trace_id": "of its own"}
            with self.client.start_as_current_span(name="b", trace_context=context) as b:
                self.assertEqual(b.trace_id, "of its own")
            self.assertEqual(self.client.get_current_observation_id(), a.id)
        self.assertIsNone(self.observation("b").parent_observation_id)

    def test_a_bad_trace_context(self) -> None:
        for number, context in enumerate(({"trace_id": ""}, {"trace_id": "a\n"}, {}, "no", 7)):
            given: Any = context
            self.client.start_span(name=str(number), trace_context=given).end()
        self.assertEqual(len(self.observations()), 5)

    def test_ids_of_a_seed(self) -> None:
        # SHA-256 of "seed": a fixed point for every process and language.
        self.assertEqual(
            self.client.create_trace_id(seed="seed"), "19b25856e1c150ca834cffc8b59b23ad"
        )
        self.assertEqual(self.client.create_observation_id(seed="seed"), "19b25856e1c150ca")
        self.assertNotEqual(Langfuse.create_trace_id(), Langfuse.create_trace_id())
        self.assertRegex(Langfuse.create_trace_id(), "^[0-9a-f]{32}$")

    def test_the_address_of_a_trace(self) -> None:
        self.assertIsNone(self.client.get_trace_url())
        with self.client.start_as_current_span(name="a") as a:
            self.assertIn(a.trace_id, self.client.get_trace_url() or "")


class ScoreTest(LangfuseCase):
    def test_subjects(self) -> None:
        create = self.client.create_score
        create(name="t", value=0.5, trace_id="tr", comment="so so", metadata={"k": 1})
        create(name="o", value=1, trace_id="tr", observation_id="ob", data_type="BOOLEAN")
        create(name="s", value="good", session_id="se", config_id="c", score_id="mine")
        scores = {score.name: score for score in self.store().scores()}
        self.assertEqual((scores["t"].trace_id, scores["t"].value), ("tr", 0.5))
        self.assertEqual((scores["t"].comment, scores["t"].metadata), ("so so", {"k": 1}))
        self.assertEqual((scores["o"].observation_id, scores["o"].data_type), ("ob", "BOOLEAN"))
        self.assertEqual((scores["s"].session_id, scores["s"].string_value), ("se", "good"))
        self.assertEqual((scores["s"].id, scores["s"].config_id), ("mine", "c"))

    def test_of_handles_and_of_what_is_current(self) -> None:
        with self.client.start_as_current_span(name="a") as a:
            a.score(name="1", value=1.0)
            a.score_trace(name="2", value="x", data_type="CATEGORICAL", comment="c")
            self.client.score_current_span(name="3", value=True)
            self.client.score_current_trace(name="4", value=2, score_id="four")
        found = {score.name: score for score in self.store().scores()}
        subjects = {name: (each.trace_id, each.observation_id) for name, each in found.items()}
        of_trace, of_span = (a.trace_id, None), (a.trace_id, a.id)
        self.assertEqual(subjects, {"1": of_span, "2": of_trace, "3": of_span, "4": of_trace})
        self.assertEqual((found["2"].comment, found["4"].id), ("c", "four"))
        self.assertEqual(found["3"].data_type, "BOOLEAN")

    def test_a_score_replaces_the_one_with_its_id(self) -> None:
        for value in (1, 2):
            self.client.create_score(name="n", value=value, trace_id="t", score_id="s")
        (score,) = self.store().scores()
        self.assertEqual(score.value, 2)

    def test_bad_scores(self) -> None:
        bad: Any = object()
        self.client.create_score(name="n", value=1)
        self.client.create_score(name="", value=1, trace_id="t")
        self.client.create_score(name="n", value=float("nan"), trace_id="t")
        self.client.create_score(name="n", value=1, observation_id="o")
        self.client.create_score(name="n", value=1, trace_id="t\n")
        self.client.score_current_span(name="n", value=1)
        self.client.score_current_trace(name="n", value=1)
        self.client.create_score(name="kept", value=bad, trace_id="t", data_type="NONE")
        self.assertLessEqual({score.name for score in self.store().scores()}, {"kept", "n"})
        self.assertGreater(len(self.heard), 3)


class ClientTest(LangfuseCase):
    def test_get_client(self) -> None:
        self.assertIs(get_client(), self.client)
        other = Langfuse(public_key="pk-2", secret_key="sk", host="http://nowhere")
        self.assertIs(get_client(public_key="pk-2"), other)
        self.assertEqual(other.settings.path, self.client.settings.path)
        self.assertIs(get_client(), other)

    def test_langfuse_arguments_are_accepted(self) -> None:
        Langfuse("pk", "sk", "http://nowhere", timeout=3, flush_at=1, flush_interval=0.1)
        Langfuse(base_url="x", media_upload_thread_count=1, additional_headers={}, threads=1)
        self.assertEqual(self.heard, [])
        Langfuse(pth="x")
        self.assertIn("pth", "".join(self.heard))

    def test_a_later_client_keeps_what_it_is_not_told(self) -> None:
        Langfuse(path=self.path, environment="prod", mask=lambda data: "masked")
        get_client()
        Langfuse().start_span(name="a", input="secret").end()
        row = self.observation("a")
        self.assertEqual((row.environment, row.input), ("prod", "masked"))

    def test_flush_and_shutdown(self) -> None:
        self.client.start_span(name="a").end()
        self.client.flush()
        self.client.shutdown()
        self.client.shutdown()
        self.client.flush()
        late = self.client.start_span(name="b")
        self.client.shutdown()
        late.end()
        self.assertEqual(set(self.observations()), {"a", "b"})
        self.assertFalse(self.observation("b").is_unfinished)

    def test_auth_check(self) -> None:
        self.assertTrue(self.client.auth_check())
        self.assertFalse(Langfuse(path=self.folder / "no" / "folder.tl").auth_check())

    def test_a_file_that_cannot_be_opened(self) -> None:
        client = Langfuse(path=self.folder / "no" / "folder.tl")
        with client.start_as_current_span(name="a") as a:
            a.update(output=1)
            a.score(name="n", value=1)
            a.update_trace(user_id="u")
        client.create_event(name="e")
        client.flush()
        client.shutdown()
        told = [message for message in self.heard if "cannot be opened" in message]
        self.assertEqual(len(told), 1)

    def test_nothing_is_current(self) -> None:
        self.client.update_current_span(output=1)
        self.client.update_current_generation(output=1)
        self.client.update_current_trace(user_id="u")
        self.assertEqual(len(self.heard), 3)
        self.client.update_current_span(output=1)
        self.assertEqual(len(self.heard), 3)


if __name__ == "__main__":
    unittest.main()
