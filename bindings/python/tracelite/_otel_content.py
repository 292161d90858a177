"""Which attributes and events of a span are its input and output.

Every library has words of its own for them. A convention is a row of CONVENTIONS or a function
below; the first that finds anything decides both, as in Langfuse. What any of them could have taken
is left out of the attributes that are kept as metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ._otel_attributes import compact, first, has_any, nested, parsed, parsed_list, parsed_object
from ._otel_span import Attributes, OtelSpan

# "input" and "output", each there if it is known; null is known to be nothing.
Content = Dict[str, Any]

_INSTRUCTIONS = "gen_ai.system_instructions"
AI_SDK_SCOPE = "ai"


@dataclass(frozen=True)
class _Convention:
    """The keys that a library puts inputs and outputs into, the most telling first."""

    library: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]

    def find(self, attributes: Mapping[str, Any]) -> Optional[Content]:
        return _content(first(attributes, self.inputs), first(attributes, self.outputs))


_LANGFUSE = _Convention(
    "Langfuse's SDKs", ("langfuse.observation.input",), ("langfuse.observation.output",)
)
_AI_SDK = _Convention(
    "AI SDK",
    (
        "ai.prompt.messages",
        "ai.prompt",
        "ai.toolCall.args",
        "ai.value",
        "ai.values",
        "gen_ai.input.messages",
        "gen_ai.tool.call.arguments",
    ),
    (
        "ai.response.text",
        "ai.response.object",
        "ai.response.toolCalls",
        "ai.result.text",
        "ai.result.object",
        "ai.result.toolCalls",
        "ai.toolCall.result",
        "ai.embedding",
        "ai.embeddings",
        "gen_ai.output.messages",
        "gen_ai.tool.call.result",
    ),
)
_GOOGLE_ADK = _Convention(
    "Google ADK",
    ("gcp.vertex.agent.llm_request", "gcp.vertex.agent.tool_call_args"),
    ("gcp.vertex.agent.llm_response", "gcp.vertex.agent.tool_response"),
)
_GENAI = _Convention(
    "OpenTelemetry GenAI",
    ("gen_ai.input.messages", "gen_ai.tool.call.arguments"),
    ("gen_ai.output.messages", "gen_ai.tool.call.result"),
)
_PYDANTIC_AGENT = _Convention(
    "Pydantic AI", ("pydantic_ai.all_messages", "all_messages_events"), ("final_result",)
)
_PYDANTIC_TOOL = _Convention("Pydantic AI", ("tool_arguments",), ("tool_response",))
_GENKIT = _Convention("Genkit", ("genkit:input",), ("genkit:output",))

CONVENTIONS: Tuple[_Convention, ...] = (
    _Convention(
        "LiveKit",
        ("lk.input_text", "lk.user_transcript", "lk.chat_ctx", "lk.function_tool.arguments"),
        ("lk.response.text", "lk.function_tool.output", "lk.response.function_calls"),
    ),
    _Convention("MLflow", ("mlflow.spanInputs",), ("mlflow.spanOutputs",)),
    _Convention("TraceLoop", ("traceloop.entity.input",), ("traceloop.entity.output",)),
    _PYDANTIC_TOOL,
    _Convention("Logfire", ("input",), ("output",)),
    _Convention("OpenInference", ("input.value",), ("output.value",)),
)
# These spread a message over keys: `gen_ai.prompt.0.content`.
_SPREAD: Tuple[Tuple[str, str], ...] = (
    ("gen_ai.prompt", "gen_ai.completion"),  # TraceLoop, OpenLIT
    ("llm.input_messages", "llm.output_messages"),  # OpenInference
)

_TAKEN_KEYS = frozenset(
    key
    for convention in (
        _LANGFUSE,
        _AI_SDK,
        _GOOGLE_ADK,
        _GENAI,
        _PYDANTIC_AGENT,
        _GENKIT,
        *(each for each in CONVENTIONS if each is not _PYDANTIC_TOOL),
    )
    for key in convention.inputs + convention.outputs
) | {_INSTRUCTIONS, "langfuse.trace.input", "langfuse.trace.output"}
_TAKEN_PREFIXES = tuple(name + "." for pair in _SPREAD for name in pair)
_TAKEN_SPREAD = frozenset(name for pair in _SPREAD for name in pair)


def is_content(key: str) -> bool:
    """Whether an attribute with this key is input or output, and so no metadata."""
    return key in _TAKEN_KEYS or key in _TAKEN_SPREAD or key.startswith(_TAKEN_PREFIXES)


def content_of(span: OtelSpan) -> Content:
    """The span's input and output."""
    for find in _FINDERS:
        content = find(span)
        if content is not None:
            return content
    return {"input": None, "output": None}


def _content(input: Any, output: Any) -> Optional[Content]:
    content = {"input": input, "output": output}
    return {name: value for name, value in content.items() if value is not None} or None


# --------------------------------------------------------------------------- attributes that need


def _of_langfuse(span: OtelSpan) -> Optional[Content]:
    return _LANGFUSE.find(span.attributes)


def _of_ai_sdk(span: OtelSpan) -> Optional[Content]:
    if span.scope.name != AI_SDK_SCOPE:
        return None
    content = _AI_SDK.find(span.attributes) or {}
    _put_instructions(content, span.attributes)
    words = span.attributes.get("ai.response.text")
    calls = span.attributes.get("ai.response.toolCalls")
    if words and calls:  # neither may get lost
        content["output"] = {"role": "assistant", "content": words, "tool_calls": parsed(calls)}
    return content


def _of_google_adk(span: OtelSpan) -> Optional[Content]:
    # What its capture of content leaves out, it writes as an empty object.
    return _GOOGLE_ADK.find({key: each for key, each in span.attributes.items() if each != "{}"})


def _of_pydantic_agent(span: OtelSpan) -> Optional[Content]:
    content = _PYDANTIC_AGENT.find(span.attributes)
    if content is not None:
        _put_instructions(content, span.attributes)
    return content


def _of_conventions(span: OtelSpan) -> Optional[Content]:
    for convention in CONVENTIONS:
        content = convention.find(span.attributes)
        if content is not None:
            return content
    return None


def _of_genai(span: OtelSpan) -> Optional[Content]:
    content = _GENAI.find(span.attributes) or {}
    _put_instructions(content, span.attributes)
    return content or None


def _of_genkit(span: OtelSpan) -> Optional[Content]:
    content = _GENKIT.find(span.attributes)
    if content is None:
        return None
    for name, part in (("input", "messages"), ("output", "message")):
        whole = parsed_object(content.get(name))
        if part in whole:
            content[name] = whole[part]
    return content


def _of_spread_keys(span: OtelSpan) -> Optional[Content]:
    for input, output in _SPREAD:
        if has_any(span.attributes, input) or has_any(span.attributes, output):
            return {
                "input": nested(span.attributes, input),
                "output": nested(span.attributes, output),
            }
    return None


def _put_instructions(content: Content, attributes: Mapping[str, Any]) -> None:
    """Puts the system's instructions, which have a key of their own, before the messages."""
    words = _instructions(attributes.get(_INSTRUCTIONS))
    if not words:
        return
    messages = parsed_list(content.get("input", "[]"))
    if messages is None or any(
        isinstance(each, dict) and each.get("role") == "system" for each in messages
    ):
        return
    content["input"] = compact([{"role": "system", "content": words}, *messages])


def _instructions(value: Any) -> str:
    parts = parsed(value)
    if not isinstance(parts, list):
        return value if isinstance(value, str) else ""
    words = (each.get("content") if isinstance(each, dict) else each for each in parts)
    return "\n".join(each for each in words if isinstance(each, str))


# ------------------------------------------------------------------------------ events of the span

_PROMPT_EVENT = "gen_ai.content.prompt"
_COMPLETION_EVENT = "gen_ai.content.completion"
_DETAILS_EVENT = "gen_ai.client.inference.operation.details"
_CHOICE_EVENT = "gen_ai.choice"
_MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def _of_content_events(span: OtelSpan) -> Optional[Content]:
    """OpenLIT: one event for the prompt, one for the completion."""
    prompt = _event(span, _PROMPT_EVENT)
    completion = _event(span, _COMPLETION_EVENT)
    if prompt is None and completion is None:
        return None
    return {
        "input": (prompt or {}).get("gen_ai.prompt", prompt or {}),
        "output": (completion or {}).get("gen_ai.completion", completion or {}),
    }


def _of_message_events(span: OtelSpan) -> Optional[Content]:
    """Semantic Kernel and others: an event for each message."""
    messages: List[Any] = []
    choices: List[Any] = []
    for name, attributes in span.events:
        if name in _MESSAGE_EVENTS:
            messages.append({"role": _MESSAGE_EVENTS[name], **attributes})
        elif name == _CHOICE_EVENT:
            choices.append(attributes)
    if not messages and not choices:
        return None
    output = choices[0] if len(choices) == 1 else choices
    return {"input": messages or None, "output": output or None}


def _of_details_event(span: OtelSpan) -> Optional[Content]:
    attributes = _event(span, _DETAILS_EVENT)
    if attributes is None:
        return None
    content = _GENAI.find(attributes) or {}
    _put_instructions(content, attributes)
    return content or None


def _event(span: OtelSpan, name: str) -> Optional[Attributes]:
    return next((attributes for each, attributes in span.events if each == name), None)


_FINDERS: Tuple[Callable[[OtelSpan], Optional[Content]], ...] = (
    _of_langfuse,
    _of_ai_sdk,
    _of_content_events,
    _of_message_events,
    _of_details_event,
    _of_google_adk,
    _of_pydantic_agent,
    _of_conventions,
    _of_genai,
    _of_genkit,
    _of_spread_keys,
)

# ------------------------------------------------------------------------------------------ tools

_TOOL_KEYS = ("gen_ai.tool.definitions", "ai.prompt.tools")


def move_tools(body: Dict[str, Any]) -> None:
    """Moves the tools that a model was offered from an observation's metadata into its input,
    beside the messages."""
    metadata = body["metadata"]
    attributes = metadata.get("attributes", {})
    messages = parsed_list(body.get("input"))
    if messages is None:
        return
    for key in _TOOL_KEYS:
        tools = parsed_list(attributes.get(key))
        if tools is not None:
            break
    else:
        return
    tools = [parsed(each) for each in tools]
    body["input"] = {"messages": messages, "tools": tools}
    kept = {name: value for name, value in attributes.items() if name != key}
    if kept:
        metadata["attributes"] = kept
    else:
        del metadata["attributes"]
    if parsed_list(metadata.get("tools")) == tools:  # the AI SDK's metadata may repeat them
        del metadata["tools"]
