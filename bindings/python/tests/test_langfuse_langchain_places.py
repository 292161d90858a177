"""Where the handler for LangChain records: below what is current, in traces of their own, from any
thread and task; and the handler as LangChain sees it."""

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
    AgentAction,
    Call,
    LangchainCase,
    play,
    rag_chain,
    run_id,
    tell,
    text_result,
)
from support import blocks, run_python
from tracelite.langfuse import get_client, observe, propagate_attributes
from tracelite.langfuse._context import EMPTY, PassingScope, current, here
from tracelite.langfuse.langchain import CallbackHandler, LangchainCallbackHandler


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

    def test_it_is_one_of_langchain_s_where_that_is_there(self) -> None:
        code = """
import sys
from types import ModuleType
core, callbacks = ModuleType("langchain_core"), ModuleType("langchain_core.callbacks")
class BaseCallbackHandler:
    raise_error = run_inline = False
    ignore_llm = property(lambda self: False)
callbacks.BaseCallbackHandler = BaseCallbackHandler
sys.modules.update({"langchain_core": core, "langchain_core.callbacks": callbacks})
from tracelite.langfuse.callback import CallbackHandler as Older
from tracelite.langfuse.langchain import CallbackHandler
for handler in (CallbackHandler(), Older()):
    print(isinstance(handler, BaseCallbackHandler), handler.run_inline, handler.ignore_llm)
"""
        done = run_python(code, environment={"TRACELITE_PATH": str(self.path)})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines(), ["True True False"] * 2)

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


class ReadmeTest(LangchainCase):
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
