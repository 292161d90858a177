"""The callback handler for LangChain and LangGraph: what runs becomes a tree of observations."""

import unittest
from types import SimpleNamespace
from typing import Any, Dict

from langchain_support import (
    OPENAI,
    AgentAction,
    AgentFinish,
    AIMessage,
    ChatMessage,
    GraphInterrupt,
    HumanMessage,
    LangchainCase,
    ToolMessage,
    chat_result,
    generation,
    play,
    rag_chain,
    react_graph,
    run_id,
    text_result,
)
from tracelite import ObservationType


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

    def test_a_graph(self) -> None:
        play(self.handler, react_graph())
        expected = [
            (1, "LangGraph"),
            (2, "agent"),
            (3, "ChatOpenAI"),
            (3, "should_continue"),
            (2, "tools"),
            (3, "map"),
            (2, "agent"),
            (3, "ChatOpenAI"),
            (3, "should_continue"),
        ]
        self.assertEqual(self.tree(), expected)
        rows = list(self.only_trace().observations)
        kinds = [str(row.type) for row in rows[:6]]
        self.assertEqual(kinds, ["CHAIN", "AGENT", "GENERATION", "CHAIN", "CHAIN", "TOOL"])
        levels = [row.level for row in rows if row.level != "DEFAULT"]
        self.assertEqual(levels, ["DEBUG", "DEBUG"])
        nodes = [
            (row.metadata["langgraph_node"], row.metadata["langgraph_step"])
            for row in rows
            if row.depth == 2
        ]
        self.assertEqual(nodes, [("agent", 1), ("tools", 2), ("agent", 3)])
        self.assertEqual(rows[2].output["tool_calls"][0]["name"], "map")
        self.assertEqual([each["role"] for each in rows[7].input], ["user", "assistant", "tool"])
        self.assertFalse(any(row.is_unfinished for row in rows))

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


if __name__ == "__main__":
    unittest.main()
