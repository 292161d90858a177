"""LangChain's callbacks as they were seen, without LangChain: its classes by their public
attributes, and a player of callback sequences."""

import uuid
from types import SimpleNamespace
from typing import Any, Dict, Iterable, List, Optional, Tuple

from langfuse_support import LangfuseCase
from tracelite.langfuse.langchain import CallbackHandler

# (callback without its `on_`, name of the run, name of its parent, arguments)
Call = Tuple[str, str, Optional[str], Dict[str, Any]]

# The names of the first argument of each callback.
_FIRST = {
    "chain_end": "outputs",
    "chain_error": "error",
    "llm_error": "error",
    "tool_error": "error",
    "retriever_error": "error",
    "llm_new_token": "token",
    "llm_end": "response",
    "tool_end": "output",
    "retriever_end": "documents",
    "agent_action": "action",
    "agent_finish": "finish",
    "retry": "retry_state",
}
_SECOND = {
    "chain_start": "inputs",
    "chat_model_start": "messages",
    "llm_start": "prompts",
    "tool_start": "input_str",
    "retriever_start": "query",
}


def run_id(name: str) -> uuid.UUID:
    """The id of a run by its name in a sequence."""
    return uuid.uuid5(uuid.NAMESPACE_URL, name)


def tell(handler: Any, call: Call) -> None:
    """One callback, with the arguments in the places where LangChain's managers give them."""
    callback, run, parent, given = call
    named = dict(given)
    arguments: List[Any] = []
    if callback in _SECOND:
        arguments = [named.pop("serialized", None), named.pop(_SECOND[callback])]
    elif callback in _FIRST:
        arguments = [named.pop(_FIRST[callback])]
    elif callback == "custom_event":
        arguments = [named.pop("event"), named.pop("data")]
    if callback != "custom_event":
        named["parent_run_id"] = None if parent is None else run_id(parent)
    getattr(handler, "on_" + callback)(*arguments, run_id=run_id(run), **named)


def play(handler: Any, calls: Iterable[Call]) -> None:
    for call in calls:
        tell(handler, call)


class Message:
    def __init__(self, content: Any, **others: Any) -> None:
        self.content = content
        self.additional_kwargs: Dict[str, Any] = {}
        self.response_metadata: Dict[str, Any] = {}
        self.name: Optional[str] = None
        self.__dict__.update(others)


class HumanMessage(Message):
    type = "human"


class SystemMessage(Message):
    type = "system"


class AIMessage(Message):
    type = "ai"


class ToolMessage(Message):
    type = "tool"


class ChatMessage(Message):
    type = "chat"


def generation(text: str, info: Any = None, message: Any = None) -> Any:
    made = SimpleNamespace(text=text, generation_info=info)
    if message is not None:
        made.message = message
    return made


def chat_result(message: Message, llm_output: Any = None, info: Any = None) -> Any:
    text = message.content if isinstance(message.content, str) else ""
    return SimpleNamespace(
        generations=[[generation(text, info, message)]], llm_output=llm_output, run=None
    )


def text_result(text: str, llm_output: Any = None, info: Any = None) -> Any:
    return SimpleNamespace(generations=[[generation(text, info)]], llm_output=llm_output, run=None)


class Document:
    def __init__(self, page_content: str, **metadata: Any) -> None:
        self.page_content = page_content
        self.metadata = metadata


class AgentAction:
    def __init__(self, tool: str, tool_input: Any, log: str) -> None:
        self.tool = tool
        self.tool_input = tool_input
        self.log = log


class AgentFinish:
    def __init__(self, return_values: Dict[str, Any], log: str) -> None:
        self.return_values = return_values
        self.log = log


class GraphBubbleUp(Exception):
    """As langgraph.errors has it."""


class GraphInterrupt(GraphBubbleUp):
    pass


OPENAI = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "chat_models", "openai", "ChatOpenAI"],
    "kwargs": {"model_name": "gpt-4o", "openai_api_key": {"lc": 1, "type": "secret"}},
}


OF_TRACE = {"langfuse_session_id": "holidays", "langfuse_user_id": "ada"}


def rag_chain(root: str = "root", of_trace: Dict[str, Any] = OF_TRACE) -> List[Call]:
    """prompt | model, with a retriever before it, as LCEL runs it."""
    metadata: Dict[str, Any] = {**of_trace, "customer": "x"}
    question = {"question": "Where is Oslo?"}
    documents = [Document("Oslo is in Norway.", source="atlas")]
    answer = AIMessage(
        "In Norway.",
        response_metadata={"finish_reason": "stop", "model_name": "gpt-4o-2024-08-06"},
        usage_metadata={
            "input_tokens": 30,
            "output_tokens": 7,
            "total_tokens": 37,
            "input_token_details": {"cache_read": 10, "audio": 0},
            "output_token_details": {"reasoning": 3},
        },
    )
    messages = [[SystemMessage("Be short."), HumanMessage("Where is Oslo?")]]
    of_model = {"ls_provider": "openai", "ls_model_name": "gpt-4o", "ls_model_type": "chat"}
    sequence = {"id": ["langchain", "schema", "runnable", "RunnableSequence"], "name": "Sequence"}
    parameters = {"model": "gpt-4o", "temperature": 0.5, "stop": None, "_type": "openai-chat"}
    return [
        ("chain_start", root, None, {
            "serialized": sequence, "inputs": question, "tags": ["prod"],
            "metadata": {**metadata, "langfuse_tags": ["geography"]}, "name": "guide",
        }),
        ("retriever_start", root + ".r", root, {
            "serialized": {"id": ["langchain", "VectorStoreRetriever"]},
            "query": "Where is Oslo?", "tags": ["seq:step:1"], "metadata": metadata,
        }),
        ("retriever_end", root + ".r", root, {"documents": documents, "tags": []}),
        ("chain_start", root + ".p", root, {
            "serialized": {"name": "ChatPromptTemplate"}, "inputs": question,
            "tags": ["seq:step:2", "langsmith:hidden"], "metadata": metadata,
        }),
        ("chain_end", root + ".p", root, {"outputs": {"messages": messages[0]}, "tags": []}),
        ("chat_model_start", root + ".m", root, {
            "serialized": OPENAI, "messages": messages, "tags": ["seq:step:3"],
            "metadata": {**metadata, **of_model}, "invocation_params": parameters,
            "options": {"stop": None}, "name": "ChatOpenAI", "batch_size": 1,
        }),
        ("llm_new_token", root + ".m", root, {"token": "In ", "chunk": None}),
        ("llm_new_token", root + ".m", root, {"token": "Norway.", "chunk": None}),
        ("llm_end", root + ".m", root, {"response": chat_result(answer, {})}),
        ("chain_end", root, None, {"outputs": "In Norway.", "tags": ["prod"]}),
    ]  # fmt: skip


def react_graph() -> List[Call]:
    """LangGraph's agent that calls a tool: two nodes, taking turns, with their edges."""

    def at(node: str, step: int) -> Dict[str, Any]:
        about = {"langgraph_node": node, "langgraph_step": step, "langgraph_path": ["pull", node]}
        return {"thread_id": "t", **about}

    call = {"name": "map", "args": {"city": "Oslo"}, "id": "c1", "type": "tool_call"}
    asks = AIMessage("", tool_calls=[call])
    says = AIMessage("In Norway.")
    tool = ToolMessage("Norway", tool_call_id="c1")
    first = [HumanMessage("Where is Oslo?")]
    calls: List[Call] = [
        ("chain_start", "g", None, {"inputs": {"messages": first}, "name": "LangGraph",
                                    "metadata": {"thread_id": "t"}}),
    ]  # fmt: skip
    for turn, (messages, answer) in enumerate(((first, asks), ([*first, asks, tool], says))):
        node, model, step = f"agent {turn}", f"model {turn}", 1 + 2 * turn
        metadata, hidden = at("agent", step), ["seq:step:2", "langsmith:hidden"]
        calls += [
            ("chain_start", node, "g", {"inputs": {"messages": messages}, "name": "agent",
                                        "tags": [f"graph:step:{step}"], "metadata": metadata}),
            ("chat_model_start", model, node, {"serialized": OPENAI, "messages": [messages],
                                               "metadata": metadata, "name": "ChatOpenAI"}),
            ("llm_end", model, node, {"response": chat_result(answer)}),
            ("chain_start", "edge" + node, node, {"inputs": {}, "name": "should_continue",
                                                  "tags": hidden, "metadata": metadata}),
            ("chain_end", "edge" + node, node, {"outputs": "tools" if turn == 0 else "__end__"}),
            ("chain_end", node, "g", {"outputs": {"messages": [answer]}}),
        ]  # fmt: skip
        if turn == 0:
            metadata = at("tools", 2)
            calls += [
                ("chain_start", "tools", "g", {"inputs": {}, "name": "tools", "metadata": metadata}),
                ("tool_start", "map", "tools", {"serialized": {"name": "map"}, "metadata": metadata,
                                                "input_str": "{'city': 'Oslo'}",
                                                "inputs": {"city": "Oslo"}}),
                ("tool_end", "map", "tools", {"output": tool}),
                ("chain_end", "tools", "g", {"outputs": {"messages": [tool]}}),
            ]  # fmt: skip
    return [*calls, ("chain_end", "g", None, {"outputs": {"messages": [*first, says]}})]


class LangchainCase(LangfuseCase):
    def setUp(self) -> None:
        super().setUp()
        self.handler = CallbackHandler()

    def tell(self, callback: str, run: str, parent: Any = None, **given: Any) -> None:
        tell(self.handler, (callback, run, parent, given))
