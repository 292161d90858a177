"""What kind of observation a span is, and how much it matters.

Each convention has its own words for it; they are tables here. Langfuse's own attribute comes
first, then what libraries declare, then what can be told from a model's or tool's name.
"""

from __future__ import annotations

import re
from typing import Optional, Tuple

from ._otel_attributes import first, text
from ._otel_span import OtelSpan
from ._otel_usage import is_genkit_model, model_of, named_model

_LIVEKIT_SCOPE = "livekit-agents"
_LANGFUSE_SCOPE = "langfuse-sdk"


def is_of_langfuse_sdk(span: OtelSpan) -> bool:
    """Whether one of Langfuse's SDKs made the span, which tells all in attributes of its own."""
    return (span.scope.name or "").startswith(_LANGFUSE_SCOPE)


_LEVELS = {
    "TRACE": "DEBUG",
    "DEBUG": "DEBUG",
    "DEFAULT": "DEFAULT",
    "LOG": "DEFAULT",
    "INFO": "DEFAULT",
    "NOTICE": "DEFAULT",
    "WARN": "WARNING",
    "WARNING": "WARNING",
    "ERR": "ERROR",
    "ERROR": "ERROR",
    "CRITICAL": "ERROR",
    "FATAL": "ERROR",
}
# LiveKit's plumbing, which is in the way of what was said.
_LIVEKIT_DEBUG = frozenset(
    (
        "agent_speaking",
        "drain_agent_activity",
        "eou_detection",
        "llm_request_run",
        "on_exit",
        "start_agent_activity",
        "tts_fallback_adapter",
        "tts_node",
        "tts_request_run",
        "tts_stream_adapter",
        "user_speaking",
    )
)


def level_of(span: OtelSpan) -> str:
    given = text(span.attributes, ("langfuse.observation.level",))
    level = _LEVELS.get((given or "").upper())
    if level is not None:
        return level
    if span.is_error:
        return "ERROR"
    is_plumbing = span.scope.name == _LIVEKIT_SCOPE and span.name in _LIVEKIT_DEBUG
    return "DEBUG" if is_plumbing else "DEFAULT"


_TYPES = frozenset(
    (
        "span",
        "event",
        "generation",
        "agent",
        "tool",
        "chain",
        "retriever",
        "evaluator",
        "embedding",
        "guardrail",
    )
)
_OPENINFERENCE_TYPES = {
    "LLM": "generation",
    "CHAIN": "chain",
    "RETRIEVER": "retriever",
    "EMBEDDING": "embedding",
    "AGENT": "agent",
    "TOOL": "tool",
    "GUARDRAIL": "guardrail",
    "EVALUATOR": "evaluator",
}
_GENAI_TYPES = {
    "chat": "generation",
    "completion": "generation",
    "text_completion": "generation",
    "generate_content": "generation",
    "generate": "generation",
    "embeddings": "embedding",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "execute_tool": "tool",
}
_LIVEKIT_TYPES = {
    "agent_turn": "agent",
    "start_agent_activity": "agent",
    "function_tool": "tool",
}
_AI_SDK_TYPES: Tuple[Tuple[str, str], ...] = (
    ("ai.generateText", "generation"),
    ("ai.streamText", "generation"),
    ("ai.generateObject", "generation"),
    ("ai.streamObject", "generation"),
    ("ai.embed", "embedding"),
    ("ai.embedMany", "embedding"),
    ("ai.toolCall", "tool"),
)
# What makes a generation of a span that an old SDK of Langfuse called a span.
_GENERATION_KEYS = (
    "langfuse.observation.model.name",
    "langfuse.observation.model.parameters",
    "langfuse.observation.usage_details",
    "langfuse.observation.cost_details",
    "langfuse.observation.completion_start_time",
    "langfuse.observation.prompt.name",
    "langfuse.observation.prompt.version",
)
_LAST_SDK_WITH_SPANS = (3, 3, 0)


def type_of(span: OtelSpan) -> str:
    """The type of the observation, in lower case."""
    attributes = span.attributes
    given = attributes.get("langfuse.observation.type")
    if given == "span" and _is_mistaken_span(span):
        return "generation"
    if isinstance(given, str) and given in _TYPES:
        return given
    kind = _OPENINFERENCE_TYPES.get(str(attributes.get("openinference.span.kind")).upper())
    kind = kind or _GENAI_TYPES.get(str(attributes.get("gen_ai.operation.name")))
    if kind is None and span.scope.name == _LIVEKIT_SCOPE:
        kind = _LIVEKIT_TYPES.get(span.name)
    kind = kind or _ai_sdk_type(span)
    if kind is None and first(attributes, ("gen_ai.tool.name", "gen_ai.tool.call.id")) is not None:
        kind = "tool"
    if kind is None and (is_genkit_model(span) or named_model(span) is not None):
        kind = "generation"
    return kind or "span"


def _ai_sdk_type(span: OtelSpan) -> Optional[str]:
    for key in ("operation.name", "ai.operationId"):
        # The name of the application's function may follow: `ai.embed.doEmbed find-documents`.
        operation = str(span.attributes.get(key, "")).partition(" ")[0]
        for prefix, kind in _AI_SDK_TYPES:
            if operation == prefix or operation.startswith(prefix + "."):
                return kind if kind == "tool" or model_of(span) is not None else None
    return None


def _is_mistaken_span(span: OtelSpan) -> bool:
    if not is_of_langfuse_sdk(span) or span.resource.get("telemetry.sdk.language") != "python":
        return False
    version = re.match(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", span.scope.version or "")
    if version is None or tuple(int(each) for each in version.groups()) > _LAST_SDK_WITH_SPANS:
        return False
    return first(span.attributes, _GENERATION_KEYS) is not None
