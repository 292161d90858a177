"""SDK v2's handler: a trace of each root run, and handlers of traces and spans."""

import os
import unittest
from typing import Any, Dict
from unittest import mock

from langchain_support import AIMessage, HumanMessage, chat_result, play, rag_chain, run_id, tell
from langfuse_support import LangfuseCase
from support import run_python
from tracelite import ObservationType
from tracelite.langfuse import get_client
from tracelite.langfuse.callback import CallbackHandler
from tracelite.langfuse.decorators import langfuse_context, observe


class CallbackTest(LangfuseCase):
    def test_a_trace_of_the_root(self) -> None:
        handler = CallbackHandler(
            session_id="s",
            user_id="u",
            tags=["a", "b"],
            metadata={"key": "value"},
            release="r1",
            version="1.0",
            environment="production",
            trace_name="mine",
        )
        play(handler, rag_chain("root", {}))
        handler.flush()
        trace = self.only_trace()
        self.assertEqual(trace.id, str(run_id("root")))
        self.assertEqual(handler.get_trace_id(), trace.id)
        self.assertIn(trace.id, handler.get_trace_url() or "")
        self.assertEqual((trace.session_id, trace.user_id, trace.name), ("s", "u", "mine"))
        self.assertEqual((trace.release, trace.version), ("r1", "1.0"))
        self.assertEqual(trace.environment, "production")
        self.assertEqual(trace.tags, ("a", "b", "geography", "prod"))
        self.assertEqual(trace.metadata, {"key": "value", "tags": ["prod"], "customer": "x"})
        self.assertEqual(
            (trace.input, trace.output), ({"question": "Where is Oslo?"}, "In Norway.")
        )
        rows = self.observations()
        for row in rows.values():
            self.assertEqual((row.version, row.environment), ("1.0", "production"))
        self.assertIs(rows["ChatOpenAI"].type, ObservationType.GENERATION)
        self.assertEqual([depth for depth, _ in self.tree()], [1, 2, 2, 2])

    def test_what_the_metadata_of_a_run_says(self) -> None:
        play(CallbackHandler(session_id="s", user_id="u"), rag_chain())
        trace = self.only_trace()
        self.assertEqual(
            (trace.session_id, trace.user_id, trace.name), ("holidays", "ada", "guide")
        )

    def test_a_trace_for_each_root(self) -> None:
        handler = CallbackHandler(session_id="s")
        play(handler, rag_chain("one", {}))
        play(handler, rag_chain("two", {}))
        found = {trace.id for trace in self.store().traces(session_id="s")}
        self.assertEqual(found, {str(run_id("one")), str(run_id("two"))})
        self.assertEqual(handler._traces, {})

    def test_roots_at_once(self) -> None:
        handler = CallbackHandler()
        for calls in zip(rag_chain("one"), rag_chain("two")):
            play(handler, calls)
        for name in ("one", "two"):
            trace = self.trace(str(run_id(name)))
            self.assertEqual((len(list(trace.observations)), trace.output), (4, "In Norway."))

    def test_a_model_alone(self) -> None:
        handler = CallbackHandler(user_id="u")
        message = [[HumanMessage("?")]]
        tell(handler, ("chat_model_start", "m", None, {"messages": message, "name": "m"}))
        tell(handler, ("llm_end", "m", None, {"response": chat_result(AIMessage("!"))}))
        trace = self.only_trace()
        self.assertEqual((trace.user_id, trace.input), ("u", [{"role": "user", "content": "?"}]))
        self.assertEqual(trace.output, {"role": "assistant", "content": "!"})

    def test_a_mask(self) -> None:
        def masking_function(data: Any) -> Any:
            if isinstance(data, str) and data.startswith("SECRET_"):
                return "REDACTED"
            return data

        handler = CallbackHandler(mask=masking_function)
        tell(handler, ("tool_start", "t", None, {"input_str": "SECRET_1", "name": "t"}))
        tell(handler, ("tool_end", "t", None, {"output": "SECRET_2"}))
        trace, row = self.only_trace(), self.observation("t")
        self.assertEqual((trace.input, trace.output), ("REDACTED", "REDACTED"))
        self.assertEqual((row.input, row.output), ("REDACTED", "REDACTED"))
        self.assertIsNone(get_client().settings.mask)

    def test_a_masked_stream_is_seen_whole(self) -> None:
        handler = CallbackHandler(mask=lambda data: "masked")
        tell(handler, ("llm_start", "m", None, {"prompts": ["p"], "name": "m"}))
        tell(handler, ("llm_new_token", "m", None, {"token": "secret"}))
        self.assertIsNone(self.observation("m").output)
        tell(handler, ("llm_error", "m", None, {"error": ValueError("x")}))
        self.assertIsNone(self.observation("m").output)

    def test_sampling_and_switching_off(self) -> None:
        for settings in ({"sample_rate": 0.0}, {"enabled": False}):
            handler = CallbackHandler(**settings)  # type: ignore[arg-type]
            play(handler, rag_chain())
            handler.flush()
            handler.client.shutdown()
        self.assertTrue(self.is_empty())

    def test_settings(self) -> None:
        with mock.patch.dict(os.environ, {"LANGFUSE_TRACING_ENVIRONMENT": "from-variable"}):
            self.assertEqual(CallbackHandler().client.settings.environment, "from-variable")
            own = CallbackHandler(environment="production")
            self.assertEqual(own.client.settings.environment, "production")
        other = self.folder / "other.tl"
        handler = CallbackHandler("pk", "sk", "https://example.com", path=other, flush_at=1)
        self.assertEqual(handler.client.settings.path, str(other))
        self.assertTrue(handler.auth_check())
        handler.client.shutdown()
        self.assertEqual(self.heard, [])
        CallbackHandler(surprise=1)
        self.assertEqual(len(self.heard), 1)

    def test_it_does_not_look_at_what_is_current(self) -> None:
        with self.client.start_as_current_observation(name="application"):
            play(CallbackHandler(), rag_chain())
        self.assertEqual(self.observation("guide").trace_id, str(run_id("root")))

    def test_the_next_span(self) -> None:
        handler = CallbackHandler()
        handler.setNextSpan("my-span")
        play(handler, rag_chain())
        self.assertEqual(self.observation("guide").id, "my-span")


class HandleTest(LangfuseCase):
    def test_of_a_trace(self) -> None:
        trace = self.client.trace(id="t", name="mine", input="own")
        handler = trace.get_langchain_handler()
        play(handler, rag_chain("one"))
        play(handler, rag_chain("two"))
        found = self.only_trace()
        self.assertEqual((found.id, found.name, found.input), ("t", "mine", "own"))
        self.assertIsNone(found.output)
        self.assertEqual([depth for depth, _ in self.tree()], [1, 2, 2, 2] * 2)
        self.assertEqual(handler.get_trace_id(), "t")

    def test_of_a_span(self) -> None:
        span = self.client.trace(id="t").span(name="step")
        play(span.get_langchain_handler(), rag_chain())
        span.end()
        self.assertEqual([depth for depth, _ in self.tree()], [1, 2, 3, 3, 3])
        self.assertIsNone(self.observation("step").output)

    def test_with_an_update_of_its_parent(self) -> None:
        trace = self.client.trace(id="t")
        span = trace.span(name="step")
        for handle in (span, trace):
            play(handle.get_langchain_handler(update_parent=True), rag_chain(handle.id))
        span.end()
        rows = {row.id: row for row in self.store().observations()}
        row = rows[span.id]
        self.assertEqual((row.name, row.output), ("guide", "In Norway."))
        found = self.only_trace()
        self.assertEqual((found.name, found.output), ("guide", "In Norway."))
        self.assertEqual(found.session_id, "holidays")

    def test_of_the_decorator(self) -> None:
        @observe()
        def application() -> None:
            play(langfuse_context.get_current_langchain_handler(), rag_chain())

        application()
        self.assertEqual([depth for depth, _ in self.tree()], [1, 2, 3, 3, 3])
        self.assertEqual(self.only_trace().name, "application")
        self.assertIsNone(langfuse_context.get_current_langchain_handler())


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from langchain_support import play, rag_chain
from langfuse.callback import CallbackHandler
from langfuse.callback import LangchainCallbackHandler
from langfuse.langchain import CallbackHandler as Newer
play(CallbackHandler(session_id="s"), rag_chain("root", {}))
play(Newer(), rag_chain("newer"))
"""


class ProgramTest(LangfuseCase):
    def test_it_loads_without_langchain_and_loses_nothing_at_the_end(self) -> None:
        code = "from tracelite.langfuse._alias import install; install()\n" + PROGRAM
        environment: Dict[str, str] = {"TRACELITE_PATH": str(self.path)}
        done = run_python(code, os.path.dirname(__file__), environment=environment)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        (trace,) = self.store().traces(session_id="s")
        self.assertEqual(trace.id, str(run_id("root")))
        self.assertEqual(len(list(self.trace(run_id("newer").hex).observations)), 4)


if __name__ == "__main__":
    unittest.main()
