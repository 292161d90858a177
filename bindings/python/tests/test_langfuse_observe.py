"""`observe`: calls as observations, their arguments, results, errors and streams."""

import asyncio
import contextvars
import inspect
import os
import unittest
from typing import Any, AsyncIterator, Dict, Iterator, List
from unittest import mock

from langfuse_support import LangfuseCase
from tracelite.langfuse import Langfuse, get_client, observe


class CallTest(LangfuseCase):
    def test_a_function(self) -> None:
        @observe()
        def answer(question: str, *, tone: str = "dry") -> str:
            """Answers."""
            return question + "!"

        self.assertEqual(answer("why", tone="warm"), "why!")
        self.assertEqual((answer.__name__, answer.__doc__), ("answer", "Answers."))
        self.assertEqual(list(inspect.signature(answer).parameters), ["question", "tone"])
        row = self.observation("answer")
        self.assertEqual(row.input, {"args": ["why"], "kwargs": {"tone": "warm"}})
        self.assertEqual((row.output, row.type, row.level), ("why!", "SPAN", "DEFAULT"))

    def test_without_parentheses_and_with_options(self) -> None:
        @observe
        def plain() -> Dict[str, int]:
            return {"a": 1}

        @observe(name="named", as_type="tool", capture_input=False, capture_output=False)
        def other(secret: str) -> str:
            return secret

        plain()
        other("x")
        self.assertEqual(self.observation("plain").output, {"a": 1})
        row = self.observation("named")
        self.assertEqual((row.type, row.input, row.output), ("TOOL", None, None))

    def test_nested(self) -> None:
        @observe()
        def inner() -> None:
            get_client().update_current_span(metadata={"k": 1})

        @observe(as_type="agent")
        def outer() -> None:
            inner()
            with get_client().start_as_current_generation(name="call"):
                inner()

        outer()
        self.assertEqual(self.tree(), [(1, "outer"), (2, "inner"), (2, "call"), (3, "inner")])
        self.assertEqual(self.observation("inner").metadata, {"k": 1})

    def test_methods(self) -> None:
        class Guide:
            @observe()
            def tell(self, city: str) -> str:
                return city

            @classmethod
            @observe()
            def make(cls, kind: str) -> "Guide":
                return cls()

            @staticmethod
            @observe()
            def fixed(number: int) -> int:
                return number

        Guide.make("x").tell("Oslo")
        Guide.fixed(3)
        rows = self.observations()
        self.assertEqual(rows["tell"].input, {"args": ["Oslo"], "kwargs": {}})
        self.assertEqual(rows["make"].input, {"args": ["x"], "kwargs": {}})
        self.assertEqual(rows["fixed"].input, {"args": [3], "kwargs": {}})

    def test_an_exception(self) -> None:
        @observe()
        def fails() -> None:
            raise KeyError("lost")

        @observe()
        async def fails_later() -> None:
            raise RuntimeError

        with self.assertRaises(KeyError) as caught:
            fails()
        self.assertEqual(caught.exception.args, ("lost",))
        with self.assertRaises(RuntimeError):
            asyncio.run(fails_later())
        row = self.observation("fails")
        self.assertEqual((row.level, row.status_message), ("ERROR", "'lost'"))
        row = self.observation("fails_later")
        self.assertEqual((row.level, row.status_message), ("ERROR", "RuntimeError"))
        self.assertFalse(row.is_unfinished)

    def test_an_exit(self) -> None:
        @observe()
        def leaves() -> None:
            raise SystemExit(3)

        with self.assertRaises(SystemExit):
            leaves()
        self.assertFalse(self.observation("leaves").is_unfinished)

    def test_a_coroutine_function(self) -> None:
        @observe(as_type="generation")
        async def inner(number: int) -> int:
            await asyncio.sleep(0)
            return number * 2

        @observe()
        async def outer() -> List[int]:
            return list(await asyncio.gather(*(inner(number) for number in range(5))))

        self.assertTrue(inspect.iscoroutinefunction(outer))
        self.assertEqual(asyncio.run(outer()), [0, 2, 4, 6, 8])
        (root,) = self.only_trace().roots
        self.assertEqual([child.output for child in root.children], [0, 2, 4, 6, 8])
        self.assertEqual(root.output, [0, 2, 4, 6, 8])

    def test_a_cancelled_coroutine(self) -> None:
        @observe()
        async def waits() -> None:
            await asyncio.Event().wait()

        async def main() -> None:
            task = asyncio.ensure_future(waits())
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        row = self.observation("waits")
        self.assertEqual((row.level, row.status_message), ("ERROR", "CancelledError"))

    def test_ids_of_a_call(self) -> None:
        @observe()
        def function(**named: object) -> Dict[str, object]:
            return named

        trace_id = Langfuse.create_trace_id(seed="x")
        got = function(
            langfuse_trace_id=trace_id,
            langfuse_parent_observation_id="parent",
            langfuse_public_key="pk",
            a=1,
        )
        self.assertEqual(got, {"a": 1})
        row = self.observation("function")
        self.assertEqual((row.trace_id, row.parent_observation_id), (trace_id, "parent"))
        self.assertEqual(row.input, {"args": [], "kwargs": {"a": 1}})

    def test_the_result_is_the_very_object(self) -> None:
        kept = {"a": [1]}

        @observe()
        def function() -> Dict[str, List[int]]:
            return kept

        self.assertIs(function(), kept)

    def test_capture_by_environment(self) -> None:
        name = "LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED"
        for number, word in enumerate(("false", "False", "0", "true", "")):
            with mock.patch.dict(os.environ, {name: word}):

                @observe(name=f"default {number}")
                def by_default(x: int) -> int:
                    return x

                @observe(name=f"told {number}", capture_input=True, capture_output=True)
                def told(x: int) -> int:
                    return x

            by_default(1)
            told(1)
        for name, row in self.observations().items():
            kept = name.startswith("told") or name[-1] in "34"
            self.assertEqual(row.output, 1 if kept else None, name)
            self.assertEqual(row.input is None, not kept, name)


class StreamTest(LangfuseCase):
    def test_a_generator(self) -> None:
        @observe(as_type="generation")
        def words() -> Iterator[str]:
            self.assertIsNotNone(get_client().get_current_observation_id())
            for word in ("be", "cau", "se"):
                get_client().create_event(name="event")
                yield word

        stream = words()
        self.assertTrue(self.observation("words").is_unfinished)
        self.assertIsNone(get_client().get_current_observation_id())
        self.assertEqual(next(stream), "be")
        self.assertIsNone(get_client().get_current_observation_id())
        self.assertEqual(self.observation("words").output, "be")  # as it streams
        self.assertEqual(list(stream), ["cau", "se"])
        row = self.observation("words")
        self.assertEqual((row.output, row.is_unfinished), ("because", False))
        self.assertEqual(self.tree(), [(1, "words"), *[(2, "event")] * 3])
        self.assertEqual(self.only_trace().output, "because")

    def test_an_async_generator(self) -> None:
        @observe()
        async def words() -> AsyncIterator[str]:
            for word in ("be", "cau", "se"):
                await asyncio.sleep(0)
                get_client().create_event(name="event")
                yield word

        async def main() -> List[str]:
            return [word async for word in words()]

        self.assertEqual(asyncio.run(main()), ["be", "cau", "se"])
        self.assertEqual(self.observation("words").output, "because")
        self.assertEqual(self.tree(), [(1, "words"), *[(2, "event")] * 3])

    def test_items_that_are_no_text(self) -> None:
        @observe(name="items")
        def items() -> Iterator[object]:
            yield "a"
            yield {"b": 1}

        @observe(name="numbers", transform_to_string=lambda items: "+".join(map(str, items)))
        def numbers() -> Iterator[int]:
            yield from (1, 2)

        @observe(name="hidden", capture_output=False)
        def hidden() -> Iterator[str]:
            yield "secret"

        @observe(name="broken", transform_to_string=lambda items: items.no)  # type: ignore
        def broken() -> Iterator[int]:
            yield 1

        for function in (items, numbers, hidden, broken):
            list(function())
        outputs = {name: row.output for name, row in self.observations().items()}
        self.assertEqual(
            outputs, {"items": ["a", {"b": 1}], "numbers": "1+2", "hidden": None, "broken": [1]}
        )

    def test_an_exception_keeps_what_came_before(self) -> None:
        @observe()
        def words() -> Iterator[str]:
            yield "so "
            yield "far"
            raise ValueError("cut off")

        @observe()
        async def later() -> AsyncIterator[str]:
            yield "so "
            yield "far"
            raise ValueError("cut off")

        async def main() -> None:
            async for _ in later():
                pass

        with self.assertRaisesRegex(ValueError, "cut off"):
            list(words())
        with self.assertRaisesRegex(ValueError, "cut off"):
            asyncio.run(main())
        for name in ("words", "later"):
            row = self.observation(name)
            self.assertEqual((row.output, row.level), ("so far", "ERROR"))
            self.assertEqual((row.status_message, row.is_unfinished), ("cut off", False))

    def test_a_stream_that_is_closed_or_dropped(self) -> None:
        @observe()
        def words(end: str) -> Iterator[str]:
            yield "so "
            yield "far"

        stream: Any = words("close", langfuse_trace_id="close")  # type: ignore[call-arg]
        next(stream)
        stream.close()
        stream = words("drop", langfuse_trace_id="drop")  # type: ignore[call-arg]
        next(stream)
        del stream
        words("never begun", langfuse_trace_id="never")  # type: ignore[call-arg]
        outputs = {row.trace_id: row.output for row in self.store().observations()}
        self.assertEqual(outputs, {"close": "so ", "drop": "so ", "never": ""})
        for row in self.store().observations():
            self.assertEqual((row.level, row.is_unfinished), ("DEFAULT", False))

    def test_the_whole_protocol_of_generators(self) -> None:
        @observe()
        def echo() -> Any:
            got = yield "first"
            try:
                got = yield got
            except KeyError:
                got = yield "caught"
            return got

        def drive() -> Any:
            return (yield from echo())

        generator = drive()
        self.assertEqual(next(generator), "first")
        self.assertEqual(generator.send("second"), "second")
        self.assertEqual(generator.throw(KeyError("x")), "caught")
        with self.assertRaises(StopIteration) as stopped:
            generator.send("last")
        self.assertEqual(stopped.exception.value, "last")
        self.assertEqual(self.observation("echo").output, "firstsecondcaught")
        self.assertIsNone(echo().gi_yieldfrom)

    def test_the_whole_protocol_of_async_generators(self) -> None:
        @observe()
        async def echo() -> Any:
            got = yield "first"
            try:
                yield got
            except KeyError:
                yield "caught"

        async def main() -> None:
            generator = echo()
            self.assertEqual(await generator.__anext__(), "first")
            self.assertEqual(await generator.asend("second"), "second")
            self.assertEqual(await generator.athrow(KeyError("x")), "caught")
            await generator.aclose()

        asyncio.run(main())
        row = self.observation("echo")
        self.assertEqual((row.output, row.is_unfinished), ("firstsecondcaught", False))

    def test_blocks_that_span_yields(self) -> None:
        @observe()
        def stream() -> Iterator[str]:
            with get_client().start_as_current_span(name="block"):
                yield "a"
                get_client().create_event(name="within")
                yield "b"
            get_client().create_event(name="after")

        # Each step in a context of its own, as threads and tasks would have it.
        generator = stream()
        for _ in range(3):
            contextvars.copy_context().run(lambda: next(generator, None))
        self.assertEqual(self.tree(), [(1, "stream"), (2, "block"), (3, "within"), (2, "after")])

    def test_the_generator_sees_the_context_of_its_reader(self) -> None:
        variable = contextvars.ContextVar("variable", default="unset")

        @observe()
        def reads() -> Iterator[str]:
            while True:
                yield variable.get()
                variable.set("by the generator")

        stream = reads()
        variable.set("by the reader")
        self.assertEqual(next(stream), "by the reader")
        self.assertEqual(next(stream), "by the generator")
        self.assertEqual(variable.get(), "by the generator")

    def test_a_response_that_streams(self) -> None:
        class StreamingResponse:
            def __init__(self, body: Any) -> None:
                self.body_iterator = body

        async def body() -> AsyncIterator[str]:
            yield "chunk "
            yield "chunk"

        @observe()
        async def endpoint() -> StreamingResponse:
            return StreamingResponse(body())

        async def main() -> List[str]:
            return [chunk async for chunk in (await endpoint()).body_iterator]

        self.assertEqual(asyncio.run(main()), ["chunk ", "chunk"])
        row = self.observation("endpoint")
        self.assertEqual((row.output, row.is_unfinished), ("chunk chunk", False))


class MaskTest(LangfuseCase):
    settings = {"mask": lambda data: data.replace("secret", "***") if isinstance(data, str) else 1}

    def test_a_streamed_output_is_masked_whole(self) -> None:
        @observe()
        def words() -> Iterator[str]:
            yield "a sec"
            self.assertIsNone(self.observation("words").output)
            yield "ret"

        list(words())
        row = self.observation("words")
        self.assertEqual((row.input, row.output), (1, "a ***"))


if __name__ == "__main__":
    unittest.main()
