"""Nothing raises into the application, whatever it gives, and results never change."""

import inspect
import unittest
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from langfuse_support import LangfuseCase
from tracelite.langfuse import Langfuse, observe, propagate_attributes
from tracelite.langfuse.decorators import langfuse_context


class Hostile:
    """An object that raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("hostile")

    def __repr__(self) -> str:
        raise RuntimeError("hostile")

    def __str__(self) -> str:
        raise RuntimeError("hostile")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("hostile")

    def __hash__(self) -> int:
        raise RuntimeError("hostile")

    def __bool__(self) -> bool:
        raise RuntimeError("hostile")

    def __len__(self) -> int:
        raise RuntimeError("hostile")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("hostile")


class HostileText(str):
    """A text whose methods raise."""

    def encode(self, *arguments: Any) -> bytes:
        raise RuntimeError("hostile")

    def lower(self) -> str:
        raise RuntimeError("hostile")

    def upper(self) -> str:
        raise RuntimeError("hostile")


GARBAGE: List[Any] = [
    Hostile(),
    HostileText("x"),
    object(),
    7,
    -1.5,
    float("nan"),
    10**400,
    True,
    b"\xff",
    "",
    "\ud800",
    "x" * 300,
    "x" * 2000,
    "a\nb\0",
    [],
    [Hostile()],
    {},
    {"k": Hostile()},
    {Hostile.__name__: 1, 2: 3},
    lambda: 1,
    type,
    ValueError("x"),
]

FIELDS = """name input output metadata version level status_message completion_start_time model
model_parameters usage_details cost_details prompt usage start_time end_time unknown""".split()
OF_TRACE = """name user_id session_id version release input output metadata tags public timestamp
unknown""".split()
OF_SCORE = """name value trace_id observation_id session_id score_id data_type comment config_id
metadata timestamp environment dataset_run_id unknown""".split()
OF_CONTEXT = """user_id session_id metadata version tags trace_name environment prompt as_baggage
unknown""".split()


class GarbageTest(LangfuseCase):
    def each(
        self, names: List[str], call: Callable[..., object], base: Optional[Dict[str, Any]] = None
    ) -> None:
        for name in names:
            for number, garbage in enumerate(GARBAGE):
                try:
                    call(**{**(base or {}), name: garbage})
                except Exception as error:
                    self.fail(f"{call} with {name} and garbage {number} raised {error!r}")

    def test_observations(self) -> None:
        base = {"name": "a"}
        client = self.client
        self.each([*FIELDS, "as_type", "trace_context"], client.start_observation, base)
        self.each(FIELDS, client.create_event, base)
        self.each(FIELDS, client.start_span, base)
        with client.start_as_current_span(name="current") as span:
            self.each(FIELDS, span.update)
            self.each(FIELDS, client.update_current_generation)
            self.each(["end_time"], lambda end_time: client.start_span("a").end(end_time=end_time))
            self.each(FIELDS, span.start_generation, base)
            span.update(output="still fine", level="WARNING")
        row = self.observation("current") if "current" in self.observations() else None
        rows = [each for each in self.store().observations() if each.id == span.id]
        self.assertTrue(row is None or row.id == span.id)
        self.assertEqual([(each.output, each.level) for each in rows], [("still fine", "WARNING")])

    def test_blocks(self) -> None:
        def block(**fields: Any) -> None:
            with self.client.start_as_current_observation(**fields):
                pass

        self.each([*FIELDS, "as_type", "trace_context", "end_on_exit"], block, {"name": "a"})

    def test_traces_and_scores(self) -> None:
        with self.client.start_as_current_span(name="current") as span:
            self.each(OF_TRACE, span.update_trace)
            self.each(OF_TRACE, self.client.update_current_trace)
            self.each(["name", "value", "comment"], span.score, {"name": "n", "value": 1})
        base = {"name": "n", "value": 1, "trace_id": "t"}
        self.each(OF_SCORE, self.client.create_score, base)
        self.each(["session_id"], self.client.create_score, {"name": "n", "value": 1})
        self.assertGreater(len(list(self.store().scores())), 100)

    def test_attributes(self) -> None:
        def block(**fields: Any) -> None:
            with propagate_attributes(**fields):
                self.client.start_generation(name="a").end()

        self.each(OF_CONTEXT, block)
        with self.client.start_as_current_span(name="current"):
            self.each(OF_CONTEXT, block)
        self.assertEqual(
            len(list(self.store().observations(name="a"))), 2 * len(OF_CONTEXT) * len(GARBAGE)
        )

    def test_older(self) -> None:
        client = self.client
        self.each([*OF_TRACE, "id"], client.trace)
        trace = client.trace(name="t")
        self.each(OF_TRACE, trace.update)
        self.each([*FIELDS, "id", "parent_observation_id"], trace.span)
        self.each([*FIELDS, "id"], trace.generation)
        self.each([*FIELDS, "trace_id", "parent_observation_id"], client.generation)
        self.each(FIELDS, trace.event)
        self.each(FIELDS, lambda **fields: trace.span().update(**fields).end(**fields))
        self.each(["name", "value", "id"], trace.score, {"name": "n", "value": 1})

        @observe()
        def within() -> None:
            self.each(FIELDS, langfuse_context.update_current_observation)
            self.each(OF_TRACE, langfuse_context.update_current_trace)

        within()

    def test_clients(self) -> None:
        names = "path environment release sample_rate tracing_enabled enabled mask debug public_key"
        for name in names.split():
            for garbage in GARBAGE[1:]:
                arguments: Dict[str, Any] = {"path": self.path, name: garbage}
                if name == "path" and isinstance(garbage, (str, bytes)):
                    continue  # these are paths
                Langfuse(**arguments)

    def test_results_and_arguments(self) -> None:
        @observe()
        def back(value: Any) -> Any:
            return value

        @observe()
        def stream() -> Iterator[Any]:
            yield from GARBAGE

        for garbage in GARBAGE:
            self.assertTrue(back(garbage) is garbage)
        for given, got in zip(GARBAGE, stream()):
            self.assertTrue(given is got)
        self.assertEqual(len(list(self.store().observations(name="back"))), len(GARBAGE))

    def test_arguments_of_a_call(self) -> None:
        @observe()
        def function() -> int:
            return 1

        calls: List[Tuple[str, Any]] = [
            (name, garbage)
            for name in (
                "langfuse_trace_id",
                "langfuse_parent_observation_id",
                "langfuse_public_key",
            )
            for garbage in GARBAGE
        ]
        for name, garbage in calls:
            self.assertEqual(function(**{name: garbage}), 1)

    def test_a_wrong_call_fails_as_it_would(self) -> None:
        @observe()
        def function(number: int) -> int:
            return number

        with self.assertRaisesRegex(TypeError, "missing 1 required positional argument"):
            function()  # type: ignore[call-arg]
        self.assertEqual(list(inspect.signature(function).parameters), ["number"])


if __name__ == "__main__":
    unittest.main()
