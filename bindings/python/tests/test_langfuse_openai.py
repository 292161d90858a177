"""OpenAI's clients and those that are compatible with them: each call is a generation."""

import contextlib
import importlib
import io
import sys
import unittest
from typing import Any, Dict, List
from unittest import mock

from langfuse_support import LangfuseCase
from openai_support import (
    COUNTS,
    NOT_GIVEN,
    USAGE,
    WORDS,
    OpenAI,
    Stream,
    chat,
    fake_package,
    model,
)
from support import blocks, run_python
from tracelite import ObservationType
from tracelite.langfuse import observe, propagate_attributes
from tracelite.langfuse import openai as shim
from tracelite.langfuse.openai import observe_openai

ASK: List[Dict[str, Any]] = [{"role": "user", "content": "Where is Oslo?"}]


class ChatTest(LangfuseCase):
    def ask(self, answer: Any, **named: Any) -> Any:
        self.fake = observe_openai(OpenAI(answer))
        return self.fake.chat.completions.create(**{"model": "tiny", "messages": ASK, **named})

    def test_a_call(self) -> None:
        answer = chat("In Norway.", USAGE)
        self.assertIs(self.ask(answer, temperature=0.5, max_tokens=NOT_GIVEN), answer)
        row = self.observation("OpenAI-generation")
        self.assertIs(row.type, ObservationType.GENERATION)
        self.assertEqual((row.input, row.model), (ASK, "tiny-2024"))
        self.assertEqual(row.output, {"role": "assistant", "content": "In Norway."})
        self.assertEqual(dict(row.usage_details), COUNTS)
        self.assertEqual(row.model_parameters, {"temperature": 0.5})
        self.assertEqual(row.metadata, {"finish_reason": "stop"})
        self.assertFalse(row.is_unfinished)
        trace = self.only_trace()
        self.assertEqual((trace.name, trace.input), ("OpenAI-generation", ASK))
        self.assertEqual(trace.output, row.output)
        self.assertEqual(self.heard, [])

    def test_its_own_arguments(self) -> None:
        self.ask(
            chat("x"),
            name="guide",
            metadata={"customer": "x", "langfuse_user_id": "bob", "langfuse_tags": ["b"]},
            trace_id="t1",
            parent_observation_id="p1",
            session_id="s",
            user_id="ada",
            tags=["a"],
            langfuse_prompt={"name": "greet", "version": 3},
            langfuse_public_key="pk",
        )
        self.assertEqual(self.fake.calls, [{"model": "tiny", "messages": ASK}])
        row = self.observation("guide")
        self.assertEqual((row.trace_id, row.parent_observation_id), ("t1", "p1"))
        self.assertEqual((row.session_id, row.user_id), ("s", "ada"))
        self.assertEqual((row.prompt_name, row.prompt_version), ("greet", 3))
        self.assertEqual(row.metadata, {"customer": "x", "finish_reason": "stop"})
        trace = self.only_trace()
        self.assertEqual((trace.session_id, trace.user_id), ("s", "ada"))
        self.assertEqual(trace.tags, ("a", "b"))

    def test_metadata_that_the_client_stores(self) -> None:
        self.ask(chat("x"), store=True, metadata={"a": "1", "langfuse_session_id": "s"})
        self.assertEqual(self.fake.calls[0]["metadata"], {"a": "1"})
        self.assertEqual(self.only_trace().session_id, "s")

    def test_below_what_is_current(self) -> None:
        @observe()
        def application() -> None:
            with propagate_attributes(session_id="s"):
                self.ask(chat("x"), name="call", parent_observation_id=None)

        application()
        self.assertEqual(self.tree(), [(1, "application"), (2, "call")])
        self.assertEqual(self.observation("call").session_id, "s")

    def test_a_parent_without_a_trace(self) -> None:
        self.ask(chat("x"), parent_observation_id="p")
        self.assertEqual(len(self.heard), 1)
        with self.client.start_as_current_observation(name="current") as current:
            self.ask(chat("x"), name="call", parent_observation_id="p")
        row = self.observation("call")
        self.assertEqual((row.trace_id, row.parent_observation_id), (current.trace_id, "p"))

    def test_tools(self) -> None:
        function = {"name": "map", "arguments": '{"city":"Oslo"}'}
        call = {"id": "c1", "type": "function", "function": function}
        tools = [{"type": "function", "function": {"name": "map"}}]
        self.ask(chat(None, tool_calls=[call], refusal=None), tools=tools, tool_choice="auto")
        row = self.observation("OpenAI-generation")
        self.assertEqual(row.input, {"tools": tools, "messages": ASK})
        self.assertEqual(row.output, {"role": "assistant", "tool_calls": [call], "content": None})
        self.assertEqual(row.model_parameters, {"tool_choice": "auto"})

    def test_several_candidates(self) -> None:
        answer = chat("x")
        answer.choices.append(chat("y").choices[0])
        self.ask(answer, n=2)
        row = self.observation("OpenAI-generation")
        self.assertEqual([each["content"] for each in row.output], ["x", "y"])
        self.assertEqual(row.metadata, {"finish_reason": ["stop", "stop"]})

    def test_a_parsed_answer(self) -> None:
        class Place:
            @classmethod
            def model_json_schema(cls) -> Dict[str, Any]:
                return {"title": "Place"}

        self.fake = observe_openai(OpenAI(chat('{"city":"Oslo"}', parsed=Place())))
        self.fake.chat.completions.parse(model="tiny", messages=ASK, response_format=Place)
        row = self.observation("OpenAI-generation")
        self.assertEqual(row.output, {"role": "assistant", "content": '{"city":"Oslo"}'})
        self.assertEqual(row.metadata["response_format"], {"title": "Place"})
        self.assertIs(self.fake.calls[0]["response_format"], Place)

    def test_an_error(self) -> None:
        with self.assertRaisesRegex(ConnectionError, "^gone$") as caught:
            self.ask(ConnectionError("gone"))
        self.assertIsNone(caught.exception.__cause__)
        row = self.observation("OpenAI-generation")
        self.assertEqual((row.level, row.status_message, row.model), ("ERROR", "gone", "tiny"))
        self.assertFalse(row.is_unfinished)

    def test_a_raw_response_is_left_alone(self) -> None:
        raw = chat("x", USAGE)  # to be read by its caller, once
        fake = observe_openai(OpenAI(raw))
        found = fake.chat.completions.with_raw_response.create(model="tiny", messages=ASK)
        self.assertIs(found, raw)
        row = self.observation("OpenAI-generation")
        self.assertEqual((row.input, row.output, row.is_unfinished), (ASK, None, False))
        self.assertEqual(dict(row.usage_details), {})

    def test_costs_of_openrouter(self) -> None:
        self.ask(chat("x", {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25}))
        self.assertEqual(str(self.observation("OpenAI-generation").cost_details["total"]), "0.25")

    def test_what_cannot_be_read(self) -> None:
        class Odd:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

        odd = Odd()
        self.assertIs(self.ask(odd), odd)
        self.assertFalse(self.observation("OpenAI-generation").is_unfinished)
        self.assertEqual(self.ask(chat("x"), messages=odd, model=odd, tags=odd, name=odd).id, "c1")

    def test_a_mask_and_switching_off(self) -> None:
        type(self.client)(path=self.path, mask=lambda data: "masked")
        self.ask(chat("secret"), name="a")
        row = self.observation("a")
        self.assertEqual((row.input, row.output), ("masked", "masked"))
        type(self.client)(path=self.path, tracing_enabled=False)
        self.assertEqual(self.ask(chat("x"), name="b").id, "c1")
        self.assertEqual(list(self.observations()), ["a"])


class OthersTest(LangfuseCase):
    def test_a_text_completion(self) -> None:
        answer = model({"model": "m", "choices": [{"text": " yes", "finish_reason": "stop"}]})
        observe_openai(OpenAI(answer)).completions.create(model="m", prompt="Say yes")
        row = self.observation("OpenAI-generation")
        self.assertEqual((row.input, row.output), ("Say yes", " yes"))

    def test_embeddings(self) -> None:
        vectors = [{"embedding": [0.5, 0.5, 0.5]}, {"embedding": [0.5, 0.5, 0.5]}]
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        answer = model({"model": "e", "data": vectors, "usage": usage})
        observe_openai(OpenAI(answer)).embeddings.create(model="e", input=["a", "b"], dimensions=3)
        row = self.observation("OpenAI-embedding")
        self.assertIs(row.type, ObservationType.EMBEDDING)
        self.assertEqual((row.input, row.output), (["a", "b"], {"dimensions": 3, "count": 2}))
        self.assertEqual(dict(row.usage_details), {"input": 4, "total": 4})
        self.assertEqual(row.model_parameters, {"dimensions": 3})

    def test_responses(self) -> None:
        item = {"type": "message", "content": [{"type": "output_text", "text": "In Norway."}]}
        usage = {
            "input_tokens": 10,
            "output_tokens": 5,
            "total_tokens": 15,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 2},
        }
        answer = model(
            {"id": "r1", "model": "m", "status": "completed", "output": [item], "usage": usage}
        )
        fake = observe_openai(OpenAI(answer))
        self.assertIs(
            fake.responses.create(model="m", input="Where?", instructions="Be short."), answer
        )
        row = self.observation("OpenAI-generation")
        system, user = {"role": "system", "content": "Be short."}, {
            "role": "user",
            "content": "Where?",
        }
        self.assertEqual((row.input, row.output), ([system, user], item))
        self.assertEqual(row.metadata, {"response_id": "r1", "status": "completed"})
        expected = {"input_cached_tokens": 4, "output_reasoning_tokens": 2}
        self.assertEqual(
            dict(row.usage_details), {"input": 6, "output": 3, "total": 15, **expected}
        )

    def test_responses_with_tools_and_errors(self) -> None:
        calls = [{"type": "reasoning"}, {"type": "function_call", "name": "map"}]
        error = {"code": "server_error", "message": "overloaded"}
        fake = observe_openai(OpenAI(model({"output": calls, "error": error})))
        tools = [{"type": "web_search"}]
        fake.responses.parse(model="m", input=ASK, tools=tools)
        row = self.observation("OpenAI-generation")
        self.assertEqual((row.input, row.output), ({"tools": tools, "input": ASK}, calls))
        self.assertEqual((row.level, row.status_message), ("ERROR", "overloaded"))


class ClientTest(LangfuseCase):
    def test_copies_of_a_client(self) -> None:
        fake = observe_openai(OpenAI(chat("a"), chat("b"), chat("c")))
        self.assertIs(observe_openai(fake), fake)
        for number, each in enumerate((fake, fake.with_options(timeout=1), fake.copy().copy())):
            each.chat.completions.create(model="tiny", messages=ASK, name=str(number))
        self.assertEqual(sorted(self.observations()), ["0", "1", "2"])
        self.assertEqual(len(list(self.store().observations())), 3)
        self.assertEqual(fake.with_options(timeout=1).options, {"timeout": 1})

    def test_a_client_of_dicts(self) -> None:
        class Llama:  # as of llama_cpp
            def create_chat_completion(self, messages: Any, model: Any = None, **more: Any) -> Any:
                if more.get("stream"):
                    return (chunk for chunk in chunks)
                return {"model": "local", "choices": [{"message": {"role": "a", "content": "x"}}]}

        chunks = [{"choices": [{"delta": {"content": text}}]} for text in ("In ", "Norway.")]
        llama = observe_openai(Llama())
        llama.create_chat_completion(ASK)
        row = self.observation("OpenAI-generation")
        self.assertEqual((row.input, row.output), (ASK, {"role": "a", "content": "x"}))
        self.assertEqual(list(llama.create_chat_completion(ASK, stream=True)), chunks)
        outputs = [row.output for row in self.store().observations()]
        self.assertIn("In Norway.", outputs)

    def test_clients_that_cannot_be_recorded(self) -> None:
        class Anew:
            @property
            def chat(self) -> Any:
                return OpenAI(chat("x")).chat

        class Slots:
            __slots__ = ()

            def create_completion(self, prompt: str) -> str:
                return prompt

        for client in (Anew(), Slots(), object(), None):
            self.assertIs(observe_openai(client), client)
        self.assertEqual(Slots().create_completion("x"), "x")
        self.assertEqual(len(self.heard), 6)


class PackageTest(LangfuseCase):
    def setUp(self) -> None:
        super().setUp()
        self.modules = fake_package()
        patch = mock.patch.dict(sys.modules, self.modules)
        patch.start()
        self.addCleanup(patch.stop)
        shim._package.clear()
        self.addCleanup(shim._package.clear)

    def test_a_drop_in(self) -> None:
        from tracelite.langfuse.openai import OpenAI as Client
        from tracelite.langfuse.openai import openai

        self.assertIs(openai, self.modules["openai"])
        self.assertIs(Client, openai.OpenAI)
        self.assertIs(Client, importlib.import_module("tracelite.langfuse.openai").OpenAI)
        made: Any = Client(chat("a"), chat("b"), chat("c"))
        made.chat.completions.create(model="tiny", messages=ASK, name="a")
        made.with_options(timeout=1).chat.completions.create(model="t", messages=ASK, name="b")
        observe_openai(made).chat.completions.create(model="tiny", messages=ASK, name="c")
        self.assertEqual(sorted(self.observations()), ["a", "b", "c"])
        self.assertEqual(len(list(self.store().observations())), 3)
        self.assertTrue(openai.langfuse_auth_check())
        openai.flush_langfuse()

    def test_streams_are_of_their_class(self) -> None:
        made: Any = shim.OpenAI(Stream(WORDS))
        stream = made.chat.completions.create(model="tiny", messages=ASK, stream=True)
        self.assertIsInstance(stream, Stream)
        self.assertEqual(list(stream), WORDS)

    def test_switching_off(self) -> None:
        package = shim.openai
        package.langfuse_enabled = False
        made: Any = package.OpenAI(chat("a"))
        made.chat.completions.create(model="tiny", messages=ASK, name="a")
        self.assertEqual(made.calls, [{"model": "tiny", "messages": ASK}])
        self.assertTrue(self.is_empty())

    def test_an_older_package(self) -> None:
        for name in [name for name in self.modules if name != "openai"]:
            del sys.modules[name]
        self.assertIsNotNone(shim.openai)
        self.assertEqual(len(self.heard), 1)

    def test_the_block_of_the_readme(self) -> None:
        (code,) = [block for block in blocks("py") if "langfuse.openai" in block]
        code = code.replace("OpenAI(base_url", "OpenAI(answer, base_url")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, "README.md", "exec"), {"answer": chat("In Norway.")})
        self.assertEqual(output.getvalue(), "In Norway.\n")
        self.assertEqual(self.only_trace().session_id, "holidays")

    def test_other_names(self) -> None:
        with self.assertRaises(AttributeError):
            shim.surprise
        self.assertTrue(shim.auth_check())


class AbsentTest(LangfuseCase):
    def test_without_the_package(self) -> None:
        code = (
            "import sys; sys.modules['openai'] = None\n"
            "from tracelite.langfuse.openai import observe_openai\n"
            "for name in ('openai', 'OpenAI'):\n"
            "    try:\n"
            "        exec(f'from tracelite.langfuse.openai import {name}')\n"
            "    except ImportError as error:\n"
            "        print(error)\n"
        )
        done = run_python(code)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertIn("pip install openai", line)
            self.assertIn("observe_openai(client)", line)


if __name__ == "__main__":
    unittest.main()
