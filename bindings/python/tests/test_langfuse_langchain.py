"""The callback handler for LangChain and LangGraph: what runs becomes a tree of observations."""

import asyncio
import contextlib
import contextvars
import copy
import importlib
import importlib.util
import io
import random
import threading
import unittest
from types import SimpleNamespace
from typing import Any, Dict, List

from langchain_support import (
    OPENAI,
    AgentAction,
    AgentFinish,
    AIMessage,
    Call,
    ChatMessage,
    GraphInterrupt,
    HumanMessage,
    ToolMessage,
    chat_result,
    generation,
    play,
    rag_chain,
    run_id,
    tell,
    text_result,
)
from langfuse_support import LangfuseCase
from support import blocks
from tracelite import ObservationType
from tracelite.langfuse import get_client, observe, propagate_attributes
from tracelite.langfuse._context import EMPTY, PassingScope, current, here
from tracelite.langfuse.langchain import CallbackHandler, LangchainCallbackHandler


class LangchainCase(LangfuseCase):
    def setUp(self) -> None:
        super().setUp()
        self.handler = CallbackHandler()

    def tell(self, callback: str, run: str, parent: Any = None, **given: Any) -> None:
        tell(self.handler, (callback, run, parent, given))


class ChainTest(LangchainCase):
    def test_a_chain(self) -> None:
        play(self.handler, rag_chain())
        trace = self.only_trace()
        self.assertEqual(trace.id, run_id("root").hex)
        self.assertEqual(self.handler.last_trace_id, trace.id)
        self.assertEqual((trace.name, trace.output), ("guide", "In Norway."))
        self.assertEqual(trace.input, {"question": "Where is Oslo?"})
        self.assertEqual((trace.session_id, trace.user_id), ("holidays", "ada"))
        self.assertEqual(trace.tags, ("geography",))
        rows = self.observations()
        found = {name: (row.type, row.level) for name, row in rows.items()}
        expected = {
            "guide": (ObservationType.CHAIN, "DEFAULT"),
            "VectorStoreRetriever": (ObservationType.RETRIEVER, "DEFAULT"),
            "ChatPromptTemplate": (ObservationType.CHAIN, "DEBUG"),
            "ChatOpenAI": (ObservationType.GENERATION, "DEFAULT"),
        }
        self.assertEqual(found, expected)
        self.assertEqual([depth for depth, _ in self.tree()], [1, 2, 2, 2])
        self.assertFalse(any(row.is_unfinished for row in rows.values()))
        for row in rows.values():
            self.assertEqual((row.session_id, row.user_id), ("holidays", "ada"))
        self.assertEqual(rows["guide"].metadata, {"tags": ["prod"], "customer": "x"})
        documents = rows["VectorStoreRetriever"].output
        self.assertEqual(documents[0]["page_content"], "Oslo is in Norway.")
        self.assertEqual(self.heard, [])

    def test_a_model(self) -> None:
        play(self.handler, rag_chain())
        row = self.observation("ChatOpenAI")
        expected = [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Where is Oslo?"},
        ]
        self.assertEqual(row.input, expected)
        self.assertEqual(row.output, {"role": "assistant", "content": "In Norway."})
        self.assertEqual((row.model, row.model_parameters), ("gpt-4o", {"temperature": 0.5}))
        self.assertIsNotNone(row.completion_start_time_ns)
        usage = {"input": 20, "output": 4, "total": 37}
        parts = {"input_cache_read": 10, "input_audio": 0, "output_reasoning": 3}
        self.assertEqual(dict(row.usage_details), {**usage, **parts})
        self.assertEqual(row.metadata["ls_provider"], "openai")
        self.assertNotIn("langfuse_session_id", row.metadata)

    def test_a_text_model(self) -> None:
        self.tell("llm_start", "m", serialized={"id": ["langchain", "llms", "OpenAI"]},
                  prompts=["Say yes"], invocation_params={"model_name": "davinci", "n": 1})  # fmt: skip
        usage = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
        result = text_result(" yes", {"token_usage": usage, "model_name": "davinci-002"})
        self.tell("llm_end", "m", response=result)
        row = self.observation("OpenAI")
        self.assertEqual((row.type, row.input, row.output), ("GENERATION", "Say yes", " yes"))
        self.assertEqual((row.model, row.model_parameters), ("davinci-002", {"n": 1}))
        self.assertEqual(dict(row.usage_details), {"input": 2, "output": 1, "total": 3})
        self.assertEqual(self.only_trace().id, run_id("m").hex)

    def test_several_prompts_and_candidates(self) -> None:
        self.tell("llm_start", "m", prompts=["a", "b"], name="m")
        result = SimpleNamespace(generations=[[generation("x"), generation("y")]], llm_output=None)
        self.tell("llm_end", "m", response=result)
        row = self.observation("m")
        self.assertEqual((row.input, row.output), (["a", "b"], ["x", "y"]))

    def test_messages(self) -> None:
        call = {"name": "map", "args": {"city": "Oslo"}, "id": "c1", "type": "tool_call"}
        image = [{"type": "text", "text": "Where?"}, {"type": "image_url", "image_url": "u"}]
        tool = {"type": "function", "function": {"name": "map", "parameters": {}}}
        messages = [
            HumanMessage(image, name="ada"),
            AIMessage("", tool_calls=[call], additional_kwargs={"refusal": None}),
            ToolMessage("Norway", tool_call_id="c1"),
            ChatMessage("hm", role="critic"),
            {"role": "user", "content": "a dict"},
            ("human", "a pair"),
        ]
        self.tell("chat_model_start", "m", serialized=OPENAI, messages=[messages], name="m",
                  invocation_params={"tools": [tool]})  # fmt: skip
        self.tell("llm_end", "m", response=chat_result(AIMessage("ok", tool_calls=[call])))
        row = self.observation("m")
        expected = [
            {"role": "user", "content": image, "name": "ada"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [call],
                "additional_kwargs": {"refusal": None},
            },
            {"role": "tool", "content": "Norway", "tool_call_id": "c1"},
            {"role": "critic", "content": "hm"},
            {"role": "user", "content": "a dict"},
            ["human", "a pair"],
            {"role": "tool", "content": tool},
        ]
        self.assertEqual(row.input, expected)
        self.assertEqual(row.output, {"role": "assistant", "content": "ok", "tool_calls": [call]})

    def test_a_tool(self) -> None:
        self.tell("chain_start", "root", inputs={}, name="root")
        self.tell("tool_start", "t", "root", serialized={"name": "map", "description": "maps"},
                  input_str="{'city': 'Oslo'}", inputs={"city": "Oslo"}, tool_call_id="c1",
                  color=None, metadata={"langgraph_node": "tools", "langgraph_step": 2})  # fmt: skip
        self.tell("tool_end", "t", "root", output="Norway")
        self.tell("chain_end", "root", outputs=None)
        row = self.observation("map")
        self.assertEqual((row.type, row.input, row.output), ("TOOL", "{'city': 'Oslo'}", "Norway"))
        node = {"langgraph_node": "tools", "langgraph_step": 2}
        self.assertEqual(row.metadata, {**node, "inputs": {"city": "Oslo"}, "tool_call_id": "c1"})
        self.assertFalse(self.observation("root").is_unfinished)

    def test_an_agent(self) -> None:
        executor = {"id": ["langchain", "agents", "agent", "AgentExecutor"]}
        self.tell("chain_start", "a", serialized=executor, inputs={"input": "?"})
        self.tell("chain_start", "b", "a", inputs={}, name="planner")
        self.tell("agent_action", "b", "a", action=AgentAction("map", {"city": "Oslo"}, "look"))
        self.tell("agent_finish", "b", "a", finish=AgentFinish({"output": "Norway"}, "done"))
        rows = self.observations()
        self.assertEqual((rows["AgentExecutor"].type, rows["planner"].type), ("AGENT", "AGENT"))
        self.assertEqual(rows["planner"].output["return_values"], {"output": "Norway"})
        self.assertTrue(rows["planner"].is_unfinished)
        self.tell("chain_end", "b", "a", outputs={"output": "Norway"})
        self.tell("chain_end", "a", outputs={"output": "Norway"})
        self.assertEqual(self.observation("planner").output, {"output": "Norway"})
        self.assertEqual(self.only_trace().output, {"output": "Norway"})

    def test_an_embedding(self) -> None:
        serialized = {"id": ["langchain", "embeddings", "OpenAIEmbeddings"]}
        self.tell("chain_start", "e", serialized=serialized, inputs=["a"])
        self.tell("chain_end", "e", outputs=[[0.5]])
        self.assertIs(self.observation("OpenAIEmbeddings").type, ObservationType.EMBEDDING)

    def test_errors(self) -> None:
        self.tell("chain_start", "root", inputs={}, name="root")
        inputs: Dict[str, Any] = {"llm": ["p"], "tool": "i", "retriever": "q"}
        for kind, given in inputs.items():
            more = {{"llm": "prompts", "tool": "input_str", "retriever": "query"}[kind]: given}
            self.tell(kind + "_start", kind, "root", name=kind, **more)
            self.tell(kind + "_error", kind, "root", error=ValueError(f"no {kind}"))
        self.tell("chain_error", "root", error=KeyError("root"))
        rows = self.observations()
        for kind in ("llm", "tool", "retriever"):
            self.assertEqual((rows[kind].level, rows[kind].status_message), ("ERROR", f"no {kind}"))
        self.assertEqual((rows["root"].level, rows["root"].status_message), ("ERROR", "'root'"))
        self.assertFalse(any(row.is_unfinished for row in rows.values()))

    def test_a_stream_that_breaks_keeps_what_came(self) -> None:
        self.tell("llm_start", "m", prompts=["p"], name="m")
        self.tell("llm_new_token", "m", token="In ")
        self.tell("llm_new_token", "m", token="Nor")
        self.assertEqual(self.observation("m").output, "In Nor")
        self.tell("llm_error", "m", error=ConnectionError("reset"))
        row = self.observation("m")
        self.assertEqual((row.output, row.level, row.status_message), ("In Nor", "ERROR", "reset"))

    def test_an_error_with_a_partial_answer(self) -> None:
        self.tell("chat_model_start", "m", messages=[[HumanMessage("?")]], name="m")
        usage = {"input_tokens": 3, "output_tokens": 1}
        response = chat_result(AIMessage("In", usage_metadata=usage))
        self.tell("llm_error", "m", error=ConnectionError("reset"), response=response)
        row = self.observation("m")
        self.assertEqual(row.output, {"role": "assistant", "content": "In"})
        self.assertEqual(dict(row.usage_details), {"input": 3, "output": 1})

    def test_an_interrupt_is_no_error(self) -> None:
        self.tell("chain_start", "g", inputs={}, name="LangGraph")
        self.tell("chain_start", "n", "g", inputs={}, name="ask",
                  metadata={"langgraph_node": "ask", "langgraph_step": 1})  # fmt: skip
        self.tell("chain_error", "n", "g", error=GraphInterrupt("approve?"))
        self.tell("chain_end", "g", outputs={})
        row = self.observation("ask")
        self.assertEqual((row.level, row.status_message), ("DEFAULT", "approve?"))
        self.assertEqual(row.metadata, {"langgraph_node": "ask", "langgraph_step": 1})

    def test_a_reader_that_stops_is_no_error(self) -> None:
        self.tell("chain_start", "c", inputs={}, name="c")
        self.tell("chain_error", "c", error=GeneratorExit())
        row = self.observation("c")
        self.assertEqual((row.level, row.status_message), ("DEFAULT", None))
        self.assertFalse(row.is_unfinished)

    def test_points_in_time(self) -> None:
        self.tell("llm_start", "m", prompts=["p"], name="m")
        error = ValueError("busy")
        outcome = SimpleNamespace(failed=True, exception=lambda: error)
        state = SimpleNamespace(outcome=outcome, attempt_number=2, idle_for=0.5)
        self.tell("retry", "m", retry_state=state)
        self.tell("custom_event", "m", event="progress", data={"percent": 10}, tags=["x"])
        self.tell("text", "m", text="for a log")
        rows = self.observations()
        self.assertEqual((rows["retry"].type, rows["retry"].level), ("EVENT", "WARNING"))
        self.assertEqual(rows["retry"].status_message, "ValueError: busy")
        self.assertEqual(rows["retry"].metadata, {"attempt": 2, "idle_s": 0.5})
        self.assertEqual(
            (rows["progress"].type, rows["progress"].input), ("EVENT", {"percent": 10})
        )
        self.assertEqual(rows["progress"].parent_observation_id, rows["m"].id)
        self.tell("llm_end", "m", response=text_result("x"))

    def test_a_prompt_of_langfuse(self) -> None:
        prompt = {"name": "greet", "version": 3}
        self.tell("chain_start", "root", inputs={}, name="root")
        self.tell(
            "chain_start", "p", "root", inputs={}, name="p", metadata={"langfuse_prompt": prompt}
        )
        self.tell("chain_end", "p", "root", outputs={})
        self.tell("chain_start", "inner", "root", inputs={}, name="inner")
        for name in ("first", "second"):
            self.tell("llm_start", name, "inner", prompts=["p"], name=name)
            self.tell("llm_end", name, "inner", response=text_result("x"))
        self.tell("chain_end", "inner", "root", outputs={})
        self.tell("chain_end", "root", outputs={})
        rows = self.observations()
        self.assertEqual((rows["first"].prompt_name, rows["first"].prompt_version), ("greet", 3))
        self.assertIsNone(rows["second"].prompt_name)
        self.assertIsNone(rows["p"].metadata)


class PlaceTest(LangchainCase):
    def test_below_what_is_current(self) -> None:
        @observe()
        def application() -> None:
            with propagate_attributes(session_id="s"):
                play(self.handler, rag_chain()[:-1])
                with get_client().start_as_current_observation(name="in the chain"):
                    pass
                play(self.handler, rag_chain()[-1:])

        application()
        names = {name: depth for depth, name in self.tree()}
        self.assertEqual((names["application"], names["guide"], names["in the chain"]), (1, 2, 3))
        self.assertEqual(self.observation("in the chain").session_id, "holidays")
        self.assertEqual(self.only_trace().name, "application")

    def test_a_trace_context(self) -> None:
        self.handler = CallbackHandler(trace_context={"trace_id": "t1", "parent_span_id": "p1"})
        play(self.handler, rag_chain())
        row = self.observation("guide")
        self.assertEqual((row.trace_id, row.parent_observation_id), ("t1", "p1"))

    def test_update_trace(self) -> None:
        self.handler = CallbackHandler(update_trace=True, public_key="pk")
        with self.client.start_as_current_observation(name="application"):
            play(self.handler, rag_chain())
        trace = self.only_trace()
        self.assertEqual((trace.name, trace.output), ("guide", "In Norway."))
        self.assertEqual(trace.metadata["customer"], "x")

    def test_an_unknown_parent(self) -> None:
        self.tell("llm_start", "m", "never seen", prompts=["p"], name="m")
        self.tell("llm_end", "m", "never seen", response=text_result("x"))
        row = self.observation("m")
        self.assertEqual((row.trace_id, row.parent_observation_id), (run_id("m").hex, None))

    def test_ends_without_a_begin(self) -> None:
        for call in rag_chain():
            if not call[0].endswith("_start"):
                tell(self.handler, call)
        self.tell("agent_action", "x", action=AgentAction("t", {}, ""))
        self.tell("retry", "x", retry_state=SimpleNamespace())
        self.assertTrue(self.is_empty())
        self.assertEqual(self.heard, [])

    def test_what_a_run_calls_is_below_it(self) -> None:
        @observe()
        def helper() -> None:
            pass

        self.tell("tool_start", "t", input_str="i", name="tool")
        helper()
        self.tell("tool_end", "t", output="o")
        helper()
        rows = {row.trace_id: row for row in self.store().observations(name="helper")}
        self.assertEqual(len(rows), 2)
        below = rows[run_id("t").hex]
        self.assertEqual(below.parent_observation_id, self.observation("tool").id)

    def test_runs_that_overlap_leave_nothing_current(self) -> None:
        seed = random.randrange(2**32)
        generator = random.Random(seed)
        names = [str(number) for number in range(50)]
        live: List[str] = []
        while names or live:
            if names and (not live or generator.random() < 0.5):
                live.append(names.pop())
                self.tell("llm_start", live[-1], prompts=["p"], name=live[-1])
            else:
                run = live.pop(generator.randrange(len(live)))
                self.tell("llm_end", run, response=text_result("x"))
        self.assertIs(here(), EMPTY, seed)
        self.assertIs(current.get(), EMPTY, seed)

    def test_runs_that_overlap_for_ever_make_no_chain(self) -> None:
        self.tell("llm_start", "0", prompts=["p"], name="m")
        for number in range(20):
            self.tell("llm_start", str(number + 1), prompts=["p"], name="m")
            self.tell("llm_end", str(number), response=text_result("x"))
        scope, length = current.get(), 0
        while isinstance(scope, PassingScope):
            scope, length = scope.outer, length + 1
        self.assertLessEqual(length, 2)
        self.tell("llm_end", "20", response=text_result("x"))

    def test_an_end_in_a_copy_of_the_context(self) -> None:
        calls = rag_chain()

        async def main() -> None:
            for call in calls:  # LangChain's asynchronous managers shield their ends
                if call[0].endswith("_start"):
                    tell(self.handler, call)
                else:
                    await asyncio.shield(self.later(call))
            self.assertIs(here(), EMPTY)
            with self.client.start_as_current_observation(name="after"):
                pass

        asyncio.run(main())
        self.assertIsNone(self.observation("after").parent_observation_id)
        self.assertNotEqual(self.observation("after").trace_id, run_id("root").hex)
        self.assertEqual(len(self.trace(run_id("root").hex).observations), 4)

    async def later(self, call: Call) -> None:
        tell(self.handler, call)

    def test_tasks_at_once(self) -> None:
        async def one(number: int) -> None:
            for call in rag_chain(f"root {number}"):
                await asyncio.sleep(0)
                tell(self.handler, call)

        async def main() -> None:
            await asyncio.gather(*(one(number) for number in range(50)))

        asyncio.run(main())
        self.check_all("root {}", 50)

    def test_threads_at_once(self) -> None:
        barrier = threading.Barrier(16)

        def one(number: int) -> None:
            barrier.wait()
            for turn in range(5):
                play(self.handler, rag_chain(f"root {number * 5 + turn}"))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.check_all("root {}", 80)

    def test_a_run_over_several_threads(self) -> None:
        for call in rag_chain():
            thread = threading.Thread(
                target=contextvars.Context().run, args=(tell, self.handler, call)
            )
            thread.start()
            thread.join()
        self.assertEqual([depth for depth, _ in self.tree()], [1, 2, 2, 2])

    def check_all(self, name: str, count: int) -> None:
        self.assertEqual(self.handler._runs, {})
        for number in range(count):
            rows = list(self.trace(run_id(name.format(number)).hex).observations)
            self.assertEqual([row.depth for row in rows], [1, 2, 2, 2])
            self.assertTrue(all(row.parent_observation_id == rows[0].id for row in rows[1:]))
            self.assertFalse(any(row.is_unfinished for row in rows))


class HandlerTest(LangchainCase):
    def test_what_callback_managers_read(self) -> None:
        names = ("llm", "retry", "chain", "agent", "retriever", "chat_model", "custom_event")
        for name in names:
            self.assertIs(getattr(self.handler, "ignore_" + name), False)
        self.assertIs(getattr(self.handler, "raise_error"), False)
        self.assertIs(self.handler.run_inline, True)
        self.assertIs(CallbackHandler, LangchainCallbackHandler)
        self.assertIs(copy.deepcopy(self.handler), self.handler)
        self.assertIs(copy.copy(self.handler), self.handler)

    def test_it_never_raises(self) -> None:
        class Bad:
            def __getattribute__(self, name: str) -> Any:
                raise RuntimeError("no")

        bad: Any = Bad()
        for kind in ("chain", "tool", "retriever", "llm", "chat_model"):
            start = getattr(self.handler, f"on_{kind}_start")
            start(bad, bad, run_id=run_id(kind), tags=bad, metadata=bad, invocation_params=bad)
            start({}, bad, run_id=run_id(kind))
        for name in ("chain_end", "tool_end", "retriever_end", "llm_end", "llm_new_token", "retry"):
            getattr(self.handler, "on_" + name)(bad, run_id=run_id(name.split("_")[0]))
        for name in ("chain", "tool", "retriever", "llm"):
            getattr(self.handler, f"on_{name}_error")(bad, run_id=run_id(name))
        self.handler.on_custom_event(bad, bad, run_id=run_id("x"))
        self.handler.on_chain_start({}, {}, run_id="no uuid", parent_run_id="x", name="odd")
        self.handler.on_chain_end({}, run_id="no uuid")
        self.assertEqual(self.observation("odd").trace_id, "no uuid")
        for run in list(self.handler._runs):
            self.handler.on_chain_end(None, run_id=run)

    def test_disabled(self) -> None:
        self.client = type(self.client)(path=self.path, tracing_enabled=False)
        self.handler = CallbackHandler()
        play(self.handler, rag_chain())
        self.assertTrue(self.is_empty())

    def test_unfinished_runs_are_bounded(self) -> None:
        import tracelite.langfuse._langchain_handler as module

        before, module.RUN_COUNT_MAX = module.RUN_COUNT_MAX, 3
        self.addCleanup(setattr, module, "RUN_COUNT_MAX", before)
        for number in range(5):
            self.tell("llm_start", str(number), prompts=["p"], name="m")
        self.assertEqual(len(self.handler._runs), 3)
        self.assertEqual(len(self.heard), 1)
        for number in range(5):
            self.tell("llm_end", str(number), response=text_result("x"))
        self.assertEqual(self.handler._runs, {})


class ReadmeTest(LangfuseCase):
    def test_its_block(self) -> None:
        class Chain:
            def invoke(self, inputs: Any, config: Any) -> str:
                self.config = config
                (handler,) = config["callbacks"]
                play(handler, rag_chain("root", config["metadata"]))
                return "In Norway."

        chain, printed = Chain(), io.StringIO()
        (code,) = [block for block in blocks("py") if "langchain import" in block]
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "README.md", "exec"), {"chain": chain})
        self.assertEqual(printed.getvalue(), f"In Norway. {run_id('root').hex}\n")
        self.assertEqual(self.only_trace().session_id, "holidays")


class RealTest(LangchainCase):
    """Against LangChain itself, where it is installed."""

    def setUp(self) -> None:
        super().setUp()
        if importlib.util.find_spec("langchain_core") is None:
            self.skipTest("langchain_core is not installed")

    def chain(self, *answers: str) -> Any:
        core: Dict[str, Any] = {
            name: importlib.import_module("langchain_core." + name)
            for name in ("language_models.fake_chat_models", "messages", "prompts")
        }
        messages = iter([core["messages"].AIMessage(answer) for answer in answers])
        model = core["language_models.fake_chat_models"].GenericFakeChatModel(messages=messages)
        return core["prompts"].ChatPromptTemplate.from_messages([("user", "{q}")]) | model

    def config(self) -> Dict[str, Any]:
        return {"callbacks": [self.handler], "run_id": run_id("root")}

    def test_it_is_a_handler(self) -> None:
        callbacks: Any = importlib.import_module("langchain_core.callbacks")
        self.assertIsInstance(self.handler, callbacks.BaseCallbackHandler)

    def test_a_chain(self) -> None:
        answer = self.chain("In Norway.").invoke({"q": "Where?"}, config=self.config())
        self.assertEqual(answer.content, "In Norway.")
        rows = list(self.trace(run_id("root").hex).observations)
        self.assertEqual([row.depth for row in rows], [1, 2, 2])
        self.assertEqual(rows[2].output["content"], "In Norway.")
        self.assertEqual(self.heard, [])

    def test_a_stream(self) -> None:
        parts = self.chain("In Norway.").stream({"q": "Where?"}, config=self.config())
        self.assertEqual("".join(part.content for part in parts), "In Norway.")
        row = list(self.trace(run_id("root").hex).observations)[2]
        self.assertIsNotNone(row.completion_start_time_ns)

    def test_asyncio(self) -> None:
        chain = self.chain("In Norway.")

        async def main() -> None:
            await chain.ainvoke({"q": "Where?"}, config=self.config())
            self.assertIs(here(), EMPTY)

        asyncio.run(main())
        rows = list(self.trace(run_id("root").hex).observations)
        self.assertFalse(any(row.is_unfinished for row in rows))


if __name__ == "__main__":
    unittest.main()
