"""The surface of Langfuse's SDK v2: handles, and the decorators' context."""

import asyncio
import unittest
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Iterator

from langfuse_support import LangfuseCase
from tracelite import ObservationType
from tracelite.langfuse import get_client
from tracelite.langfuse.decorators import langfuse_context, observe

START = datetime(2024, 5, 15, 15, tzinfo=timezone.utc)


class HandleTest(LangfuseCase):
    def test_a_trace(self) -> None:
        trace = self.client.trace(
            id="my-trace",
            name="chat",
            user_id="ada",
            session_id="morning",
            version="2",
            release="1.0",
            input={"q": 1},
            output="draft",
            metadata={"a": 1},
            tags=["x"],
            timestamp=START,
            public=True,
        )
        self.assertIs(trace.update(output="final", metadata={"b": 2}, tags=["y"]), trace)
        self.assertEqual((trace.id, trace.trace_id), ("my-trace", "my-trace"))
        found = self.only_trace()
        self.assertEqual((found.name, found.user_id, found.session_id), ("chat", "ada", "morning"))
        self.assertEqual((found.version, found.release), ("2", "1.0"))
        self.assertEqual((found.input, found.output), ({"q": 1}, "final"))
        self.assertEqual((found.metadata, found.tags), ({"a": 1, "b": 2}, ("x", "y")))
        self.assertEqual((found.timestamp, found.is_public), (START, True))

    def test_a_trace_is_not_shown_by_its_root(self) -> None:
        trace = self.client.trace(name="chat")
        trace.span(name="step", input=1).end(output=2)
        found = self.only_trace()
        self.assertEqual((found.name, found.input, found.output), ("chat", None, None))

    def test_nested(self) -> None:
        trace = self.client.trace(name="t")
        span = trace.span(name="a", input=1, metadata={"k": 1})
        inner = span.span(name="b")
        generation = inner.generation(name="c", model="m")
        generation.event(name="d", input=3)
        generation.end(output="x", usage={"input": 3, "output": 1, "unit": "TOKENS"})
        inner.end()
        trace.event(name="e")
        trace.generation(name="f").end()
        self.assertIs(span.update(output=2), span)
        self.assertIs(span.end(), span)
        expected = [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (1, "e"), (1, "f")]
        self.assertEqual(self.tree(), expected)
        rows = self.observations()
        self.assertEqual((rows["a"].input, rows["a"].output), (1, 2))
        self.assertEqual((rows["c"].model, rows["c"].output), ("m", "x"))
        self.assertEqual(dict(rows["c"].usage_details), {"input": 3, "output": 1})
        self.assertIs(rows["d"].type, ObservationType.EVENT)
        self.assertEqual((span.id, span.trace_id), (rows["a"].id, trace.id))
        self.assertFalse(any(row.is_unfinished for row in rows.values()))

    def test_times_and_costs(self) -> None:
        end = START + timedelta(seconds=2)
        self.client.trace(id="t").generation(
            id="g",
            name="g",
            start_time=START,
            end_time=end,
            completion_start_time=START + timedelta(seconds=1),
            model="m",
            model_parameters={"n": 1},
            usage={"promptTokens": 3, "completionTokens": 4, "totalTokens": 7},
            cost_details={"total": 0.5},
            level="ERROR",
            status_message="bad",
            version="1",
            prompt=SimpleNamespace(name="greet", version=3, is_fallback=False),
        )
        self.client.trace(id="t").generation(
            name="h", usage={"input": 1, "input_cost": 0.25, "totalCost": "0.5"}
        ).end()
        row, other = self.observation("g"), self.observation("h")
        self.assertEqual((row.id, row.start_time, row.end_time), ("g", START, end))
        self.assertEqual(row.completion_start_time, START + timedelta(seconds=1))
        self.assertEqual(dict(row.usage_details), {"input": 3, "output": 4, "total": 7})
        self.assertEqual((row.level, row.status_message, row.version), ("ERROR", "bad", "1"))
        self.assertEqual((row.prompt_name, row.prompt_version), ("greet", 3))
        self.assertEqual(dict(other.usage_details), {"input": 1})
        expected = {"input": Decimal("0.25"), "total": Decimal("0.5")}
        self.assertEqual(dict(other.cost_details), expected)

    def test_by_ids_on_the_client(self) -> None:
        self.client.trace(id="t", name="t")
        self.client.span(trace_id="t", id="a", name="a").end()
        self.client.generation(trace_id="t", parent_observation_id="a", name="b").end()
        self.client.event(trace_id="t", parent_observation_id="a", name="c")
        self.client.score(trace_id="t", observation_id="a", name="n", value=1, id="s")
        self.assertEqual(self.tree(), [(1, "a"), (2, "b"), (2, "c")])
        (score,) = self.store().scores()
        self.assertEqual((score.id, score.observation_id), ("s", "a"))

    def test_without_a_trace(self) -> None:
        span = self.client.span(name="alone", input=1)
        span.end(output=2)
        trace = self.only_trace()
        self.assertEqual((trace.id, trace.name, trace.output), (span.trace_id, "alone", 2))

    def test_scores(self) -> None:
        trace = self.client.trace(id="t")
        span = trace.span(id="o", name="a")
        self.assertIs(trace.score(name="x", value=0.5, comment="c"), trace)
        self.assertIs(span.score(name="y", value="good", data_type="CATEGORICAL"), span)
        span.end()
        scores = {score.name: score for score in self.store().scores()}
        self.assertEqual((scores["x"].trace_id, scores["x"].observation_id), ("t", None))
        self.assertEqual((scores["y"].trace_id, scores["y"].observation_id), ("t", "o"))
        self.assertEqual((scores["x"].comment, scores["y"].string_value), ("c", "good"))

    def test_an_end_again(self) -> None:
        span = self.client.trace(id="t").span(name="a")
        span.end(output=1)
        ended = self.observation("a").end_time_ns
        span.end()
        self.assertEqual(self.observation("a").end_time_ns, ended)
        span.end(output=2)
        self.assertEqual(self.observation("a").output, 2)

    def test_a_handle_looks_at_nothing_current(self) -> None:
        with self.client.start_as_current_span(name="current"):
            self.client.trace(id="t").span(name="a").end()
        self.assertEqual(self.observation("a").trace_id, "t")
        self.assertIsNone(self.observation("a").parent_observation_id)

    def test_a_handler_for_langchain(self) -> None:
        trace = self.client.trace(id="t")
        for handle in (trace, trace.span(name="a")):
            handler = handle.get_langchain_handler()
            self.assertIs(handler.stateful_client, handle)

    def test_addresses_and_ids(self) -> None:
        trace = self.client.trace(id="t")
        self.assertIn("t", trace.get_trace_url() or "")
        self.assertIn("t", trace.span(name="a").get_trace_url() or "")
        self.assertEqual(self.client.trace(id="bad\n").id.count("\n"), 0)
        self.client.join()


class ContextTest(LangfuseCase):
    def test_updates(self) -> None:
        @observe()
        def inner() -> None:
            langfuse_context.update_current_observation(
                level="WARNING", status_message="This is a warning", metadata={"k": 1}
            )

        @observe(as_type="generation")
        def call() -> None:
            langfuse_context.update_current_observation(
                model="m", usage={"input": 1}, input="in", output="own", session_id="s"
            )
            langfuse_context.score_current_observation(name="x", value=1, id="x1")

        @observe()
        def main() -> str:
            langfuse_context.update_current_trace(
                name="mine", user_id="u", tags=["t"], release="1", metadata={"a": 1}, public=True
            )
            inner()
            call()
            langfuse_context.score_current_trace(name="y", value="good")
            self.assertEqual(
                langfuse_context.get_current_trace_id(), get_client().get_current_trace_id()
            )
            self.assertIsNotNone(langfuse_context.get_current_observation_id())
            self.assertIsNotNone(langfuse_context.get_current_trace_url())
            return "done"

        self.assertEqual(main(), "done")
        langfuse_context.flush()
        trace = self.only_trace()
        self.assertEqual((trace.name, trace.user_id, trace.session_id), ("mine", "u", "s"))
        self.assertEqual((trace.tags, trace.release, trace.output), (("t",), "1", "done"))
        self.assertTrue(trace.is_public)
        rows = self.observations()
        self.assertEqual(
            (rows["inner"].level, rows["inner"].status_message), ("WARNING", "This is a warning")
        )
        self.assertEqual((rows["call"].model, rows["call"].input), ("m", "in"))
        self.assertEqual(dict(rows["call"].usage_details), {"input": 1})
        self.assertEqual(self.tree(), [(1, "main"), (2, "inner"), (2, "call")])
        scores = {score.name: score for score in self.store().scores()}
        self.assertEqual((scores["x"].id, scores["x"].observation_id), ("x1", rows["call"].id))
        self.assertIsNone(scores["y"].observation_id)

    def test_ids_of_a_call(self) -> None:
        @observe()
        def inner() -> None:
            pass

        @observe()
        def main() -> None:
            inner(langfuse_observation_id="my-observation")  # type: ignore[call-arg]

        main(langfuse_observation_id="my-trace")  # type: ignore[call-arg]
        inner(langfuse_parent_trace_id="my-trace", langfuse_parent_observation_id="p")  # type: ignore[call-arg]
        self.assertEqual({row.trace_id for row in self.store().observations()}, {"my-trace"})
        self.assertIn("my-observation", {row.id for row in self.store().observations()})

    def test_an_own_output_is_kept(self) -> None:
        @observe()
        def call() -> str:
            langfuse_context.update_current_observation(output="own")
            return "result"

        @observe()
        def stream() -> Iterator[str]:
            yield "a"
            langfuse_context.update_current_observation(output="own")
            yield "b"

        call()
        list(stream())
        self.assertEqual({row.output for row in self.store().observations()}, {"own"})

    def test_a_stream(self) -> None:
        @observe(as_type="generation")
        def stream() -> Iterator[str]:
            yield "a"
            langfuse_context.update_current_observation(model="m")
            yield "b"

        self.assertEqual(list(stream()), ["a", "b"])
        row = self.observation("stream")
        self.assertEqual((row.output, row.model), ("ab", "m"))

    def test_async(self) -> None:
        @observe()
        async def inner(n: int) -> None:
            await asyncio.sleep(0)
            langfuse_context.update_current_observation(metadata={"n": n})

        @observe()
        async def main() -> None:
            await asyncio.gather(*(inner(n) for n in range(10)))

        asyncio.run(main())
        (root,) = self.only_trace().roots
        for child in root.children:
            self.assertEqual(child.input["args"], [child.metadata["n"]])

    def test_configure(self) -> None:
        langfuse_context.configure(mask=lambda data: "masked", environment="prod", threads=1)

        @observe()
        def main() -> str:
            return "secret"

        main()
        row = self.observation("main")
        self.assertEqual((row.output, row.environment), ("masked", "prod"))
        self.assertTrue(langfuse_context.auth_check())
        self.assertIs(langfuse_context.client_instance, get_client())

    def test_nothing_is_current(self) -> None:
        langfuse_context.update_current_observation(output=1)
        langfuse_context.update_current_trace(name="x")
        langfuse_context.score_current_observation(name="x", value=1)
        self.assertIsNone(langfuse_context.get_current_langchain_handler())
        self.assertIsNone(langfuse_context.get_current_trace_id())
        self.assertEqual(len(self.heard), 4)


if __name__ == "__main__":
    unittest.main()
