"""Streams and asynchronous calls of OpenAI's clients: what was streamed is kept, whatever ends it,
and the caller sees the stream as it is."""

import asyncio
import gc
import unittest
from types import SimpleNamespace
from typing import Any, Dict, List

from langfuse_support import LangfuseCase
from openai_support import (
    COUNTS,
    USAGE,
    WORDS,
    AsyncOpenAI,
    AsyncStream,
    OpenAI,
    Stream,
    chat,
    chat_chunk,
    model,
    usage_chunk,
)
from tracelite import Observation
from tracelite.langfuse.openai import observe_openai

ASK: List[Dict[str, Any]] = [{"role": "user", "content": "Where is Oslo?"}]


def event(kind: str, **members: Any) -> Any:
    return model({"type": "response." + kind, **members})


class StreamCase(LangfuseCase):
    def stream(self, *chunks: Any, error: Any = None, **named: Any) -> Any:
        self.original = Stream(list(chunks), error)
        client = observe_openai(OpenAI(self.original))
        return client.chat.completions.create(model="tiny", messages=ASK, stream=True, **named)

    def responses(self, *events: Any, error: Any = None) -> Any:
        client = observe_openai(OpenAI(Stream(list(events), error)))
        return client.responses.create(model="tiny", input="Where?", stream=True)

    def row(self) -> Observation:
        return self.observation("OpenAI-generation")

    def check(self, output: Any, **others: Any) -> Observation:
        row = self.row()
        self.assertEqual((row.output, row.is_unfinished), (output, False))
        self.assertEqual(self.only_trace().output, output)
        for name, value in others.items():
            self.assertEqual(getattr(row, name), value, name)
        return row


class StreamTest(StreamCase):
    def test_a_whole_stream(self) -> None:
        chunks = [*WORDS, chat_chunk(), usage_chunk(USAGE)]
        stream = self.stream(*chunks, stream_options={"include_usage": True})
        self.assertTrue(self.row().is_unfinished)
        self.assertEqual(list(stream), chunks)
        row = self.check("In Norway.", model="tiny-2024", metadata={"finish_reason": "stop"})
        self.assertEqual(dict(row.usage_details), COUNTS)
        self.assertIsNotNone(row.completion_start_time_ns)
        self.assertEqual(list(stream), [])

    def test_the_usage_of_groq(self) -> None:
        list(self.stream(*WORDS, model({"choices": [], "x_groq": {"usage": USAGE}})))
        self.assertEqual(dict(self.check("In Norway.").usage_details), COUNTS)

    def test_the_request_is_not_changed(self) -> None:
        client = observe_openai(OpenAI(Stream(WORDS)))
        list(client.chat.completions.create(model="tiny", messages=ASK, stream=True))
        self.assertEqual(client.calls, [{"model": "tiny", "messages": ASK, "stream": True}])

    def test_the_text_is_in_the_file_as_it_streams(self) -> None:
        stream = self.stream(*WORDS)
        for _ in range(3):
            next(stream)
        row = self.row()
        self.assertEqual((row.output, row.is_unfinished), ("In Norway.", True))
        stream.close()

    def test_a_mask_sees_it_whole(self) -> None:
        type(self.client)(path=self.path, mask=lambda data: [data] if data == "In Norway." else "m")
        stream = self.stream(*WORDS)
        for _ in range(3):
            next(stream)
        self.assertIsNone(self.row().output)
        stream.close()
        self.assertEqual(self.row().output, ["In Norway."])

    def test_a_break(self) -> None:
        stream = self.stream(*WORDS)
        for chunk in stream:
            if chunk.choices[0].delta.content == "In ":
                break
        self.check("In ", level="DEFAULT")
        stream.close()

    def test_reading_on_after_a_break(self) -> None:
        stream = self.stream(*WORDS)
        for _ in stream:
            break
        self.assertEqual(list(stream), WORDS[1:])
        self.check("In Norway.")

    def test_a_stream_that_is_let_go(self) -> None:
        stream = self.stream(*WORDS)
        next(stream), next(stream)
        del stream
        gc.collect()
        self.check("In ")

    def test_a_context(self) -> None:
        with self.stream(*WORDS) as stream:
            self.assertEqual(stream.response, "the response")
            next(stream), next(stream)
        self.assertTrue(self.original.is_closed)
        self.check("In ")

    def test_a_context_that_its_caller_leaves_by_an_error(self) -> None:
        with self.assertRaisesRegex(KeyError, "mine"):
            with self.stream(*WORDS) as stream:
                next(stream), next(stream)
                raise KeyError("mine")
        self.check("In ", level="DEFAULT")

    def test_a_close(self) -> None:
        stream = self.stream(*WORDS)
        next(stream), next(stream)
        stream.close()
        self.assertTrue(self.original.is_closed)
        self.check("In ")

    def test_an_error(self) -> None:
        seen = []
        with self.assertRaisesRegex(ConnectionError, "^reset$"):
            for chunk in self.stream(*WORDS[:2], error=ConnectionError("reset")):
                seen.append(chunk)
        self.assertEqual(seen, WORDS[:2])
        self.check("In ", level="ERROR", status_message="reset")

    def test_it_stands_for_the_stream(self) -> None:
        stream = self.stream()
        self.assertIsInstance(stream, Stream)
        self.assertIs(stream._iterator, self.original._iterator)
        self.assertEqual(repr(stream), repr(self.original))
        self.assertFalse(hasattr(stream, "aclose"))
        with self.assertRaises(AttributeError):
            stream.surprise
        stream.close()

    def test_chunks_that_cannot_be_read(self) -> None:
        chunks: List[Any] = [None, 5, {}, model({"choices": None}), model({"choices": [None]})]
        self.assertEqual(list(self.stream(*chunks)), chunks)
        self.assertFalse(self.row().is_unfinished)


class JoinTest(StreamCase):
    def test_tool_calls(self) -> None:
        def call(index: int, id: Any, name: Any, arguments: str) -> Any:
            function = {"name": name, "arguments": arguments}
            return [{"index": index, "id": id, "type": "function", "function": function}]

        list(
            self.stream(
                chat_chunk(role="assistant"),
                chat_chunk(tool_calls=call(0, "a", "map", "")),
                chat_chunk(tool_calls=call(0, None, None, '{"city":')),
                chat_chunk(tool_calls=call(1, "b", "time", "{}")),
                chat_chunk(tool_calls=call(0, None, None, '"Oslo"}')),
                chat_chunk(finish_reason="tool_calls"),
            )
        )
        first = {"name": "map", "arguments": '{"city":"Oslo"}'}
        second = {"name": "time", "arguments": "{}"}
        calls = [
            {"id": "a", "type": "function", "function": first},
            {"id": "b", "type": "function", "function": second},
        ]
        expected = {"role": "assistant", "content": None, "tool_calls": calls}
        self.check(expected, metadata={"finish_reason": "tool_calls"})

    def test_text_before_a_tool_call(self) -> None:
        call = [{"id": "a", "function": {"name": "map", "arguments": "{}"}}]
        list(self.stream(chat_chunk(content="I "), chat_chunk(content="look", tool_calls=call)))
        function = {"name": "map", "arguments": "{}"}
        calls = [{"id": "a", "function": function}]
        self.check({"role": "assistant", "content": "I look", "tool_calls": calls})

    def test_functions_refusals_and_reasoning(self) -> None:
        list(self.stream(chat_chunk(function_call={"name": "f", "arguments": "{"}),
                         chat_chunk(function_call={"name": None, "arguments": "}"}),
                         chat_chunk(refusal="No"), chat_chunk(refusal="."),
                         chat_chunk(reasoning_content="hm")))  # fmt: skip
        function = {"name": "f", "arguments": "{}"}
        said = {"refusal": "No.", "reasoning_content": "hm", "function_call": function}
        self.check({"role": "assistant", "content": None, **said})

    def test_audio(self) -> None:
        list(self.stream(chat_chunk(audio={"id": "a", "transcript": "In "}),
                         chat_chunk(audio={"transcript": "Norway.", "data": "AAAA"})))  # fmt: skip
        audio = {"id": "a", "transcript": "In Norway.", "data": "AAAA"}
        self.check({"role": "assistant", "content": None, "audio": audio})

    def test_several_candidates(self) -> None:
        chunks = [chat_chunk(content=text) for text in ("a", "b", "c")]
        chunks[1].choices[0].index = 1
        list(self.stream(*chunks, n=2))
        self.check(["ac", "b"])

    def test_a_text_completion(self) -> None:
        chunks = [model({"choices": [{"index": 0, "text": text}]}) for text in ("In ", "Norway.")]
        client = observe_openai(OpenAI(Stream(chunks)))
        list(client.completions.create(model="m", prompt="p", stream=True))
        self.check("In Norway.")


class ResponsesTest(StreamCase):
    ITEM = {"type": "message", "content": [{"type": "output_text", "text": "In Norway."}]}
    BEGIN = (
        event("created", response={"model": "tiny-2024"}),
        event("output_item.added", output_index=0, item={"type": "message", "content": []}),
        event("output_text.delta", output_index=0, delta="In "),
    )

    def test_a_whole_stream(self) -> None:
        usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
        whole = {"id": "r", "model": "tiny-2024", "output": [self.ITEM], "usage": usage}
        end = event("completed", response={**whole, "status": "completed"})
        list(self.responses(*self.BEGIN, event("output_text.delta", output_index=0, delta="Norway."), end))  # fmt: skip
        row = self.check(self.ITEM, metadata={"response_id": "r", "status": "completed"})
        self.assertEqual(dict(row.usage_details), {"input": 3, "output": 2, "total": 5})

    def test_a_stream_that_breaks(self) -> None:
        with self.assertRaises(ConnectionError):
            list(self.responses(*self.BEGIN, error=ConnectionError("reset")))
        self.check("In ", level="ERROR", model="tiny-2024")

    def test_a_tool_call_that_breaks(self) -> None:
        item = {"type": "function_call", "name": "map", "arguments": ""}
        with self.assertRaises(ConnectionError):
            list(self.responses(
                event("output_item.added", output_index=0, item={"type": "reasoning"}),
                event("output_item.done", output_index=0, item={"type": "reasoning", "id": "x"}),
                event("output_item.added", output_index=1, item=item),
                event("function_call_arguments.delta", output_index=1, delta='{"ci'),
                error=ConnectionError("reset"),
            ))  # fmt: skip
        self.check([{"type": "reasoning", "id": "x"}, {"item": item, "partial": '{"ci'}])

    def test_a_failed_answer(self) -> None:
        failed = {
            "model": "m",
            "status": "failed",
            "output": [],
            "error": {"message": "overloaded"},
        }
        list(self.responses(*self.BEGIN, event("failed", response=failed)))
        row = self.row()
        self.assertEqual((row.level, row.status_message), ("ERROR", "overloaded"))


class AsyncTest(StreamCase):
    def test_a_call(self) -> None:
        answer = chat("In Norway.", USAGE)

        async def main() -> Any:
            client = observe_openai(AsyncOpenAI(answer))
            with self.client.start_as_current_observation(name="application"):
                return await client.chat.completions.create(model="tiny", messages=ASK)

        self.assertIs(asyncio.run(main()), answer)
        self.assertEqual(self.tree(), [(1, "application"), (2, "OpenAI-generation")])
        self.assertEqual(self.row().output, {"role": "assistant", "content": "In Norway."})

    def test_errors_and_cancelling(self) -> None:
        async def main() -> None:
            client = observe_openai(AsyncOpenAI(ValueError("bad"), asyncio.CancelledError()))
            with self.assertRaisesRegex(ValueError, "^bad$"):
                await client.chat.completions.create(model="tiny", messages=ASK, name="a")
            with self.assertRaises(asyncio.CancelledError):
                await client.chat.completions.parse(model="tiny", messages=ASK, name="b")

        asyncio.run(main())
        rows = self.observations()
        self.assertEqual((rows["a"].level, rows["a"].status_message), ("ERROR", "bad"))
        self.assertEqual((rows["b"].level, rows["b"].status_message), ("ERROR", "CancelledError"))

    def test_an_argument_that_the_client_does_not_take(self) -> None:
        class Embeddings:
            async def create(self, *, model: str, input: str) -> None:
                pass

        async def main() -> None:
            client = observe_openai(SimpleNamespace(embeddings=Embeddings()))
            with self.assertRaisesRegex(TypeError, "modle"):
                await client.embeddings.create(modle="m")

        asyncio.run(main())
        row = self.observation("OpenAI-embedding")
        self.assertEqual((row.level, row.is_unfinished), ("ERROR", False))
        self.assertIn("modle", row.status_message or "")

    def test_coroutine_functions_stay_such(self) -> None:
        client = observe_openai(AsyncOpenAI())
        self.assertTrue(asyncio.iscoroutinefunction(client.chat.completions.parse))

    async def begin(self, *chunks: Any, error: Any = None) -> Any:
        self.source = AsyncStream(list(chunks), error)
        client = observe_openai(AsyncOpenAI(self.source))
        return await client.chat.completions.create(model="tiny", messages=ASK, stream=True)

    def test_a_whole_stream(self) -> None:
        async def main() -> Any:
            stream = await self.begin(*WORDS)
            self.assertIsInstance(stream, AsyncStream)
            return [chunk async for chunk in stream]

        self.assertEqual(asyncio.run(main()), WORDS)
        self.check("In Norway.", metadata={"finish_reason": "stop"})

    def test_a_break(self) -> None:
        async def main() -> None:
            stream = await self.begin(*WORDS)
            async for chunk in stream:
                if chunk.choices[0].delta.content == "In ":
                    break
            kept.append(stream)

        kept: List[Any] = []
        asyncio.run(main())
        self.check("In ")

    def test_a_context_and_a_close(self) -> None:
        async def main() -> None:
            async with await self.begin(*WORDS) as stream:
                await stream.__anext__()
                await stream.__anext__()

        asyncio.run(main())
        self.assertTrue(self.source.is_closed)
        self.check("In ")

    def test_a_close(self) -> None:
        async def main() -> None:
            stream = await self.begin(*WORDS)
            await stream.__anext__()
            await stream.__anext__()
            await stream.close()

        asyncio.run(main())
        self.assertTrue(self.source.is_closed)
        self.check("In ")

    def test_an_error(self) -> None:
        async def main() -> None:
            with self.assertRaisesRegex(ConnectionError, "^reset$"):
                async for _ in await self.begin(*WORDS[:2], error=ConnectionError("reset")):
                    pass

        asyncio.run(main())
        self.check("In ", level="ERROR", status_message="reset")


if __name__ == "__main__":
    unittest.main()
