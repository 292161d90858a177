"""What a span says of its model: name, parameters, tokens, cost."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Union

from ._otel_attributes import as_text, below, first, number, parsed_object, text
from ._otel_content import AI_SDK_SCOPE
from ._otel_span import OtelSpan

Amounts = Dict[str, Union[int, float]]

# What a span with one of these is about is a model, whatever else it says.
_MODEL_KEYS = (
    "langfuse.observation.model.name",
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
    "model",
)
_AI_SDK_MODEL_KEY = "ai.model.id"


def named_model(span: OtelSpan) -> Optional[str]:
    """The model that makes a generation of a span which does not say what it is."""
    model = text(span.attributes, _MODEL_KEYS)
    if model is None and is_genkit_model(span):
        model = text(span.attributes, ("genkit:name",))
    return model


def model_of(span: OtelSpan) -> Optional[str]:
    return named_model(span) or text(span.attributes, (_AI_SDK_MODEL_KEY,))


def is_genkit_model(span: OtelSpan) -> bool:
    return span.attributes.get("genkit:metadata:subtype") == "model"


# ------------------------------------------------------------------------------------- parameters

_PARAMETERS_JSON = (
    "langfuse.observation.model.parameters",
    "llm.invocation_parameters",
    "model_config",
)
_REQUEST = "gen_ai.request"
_AI_SDK_PARAMETERS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("maxSteps", ("ai.settings.maxSteps",)),
    ("toolChoice", ("ai.prompt.toolChoice",)),
    (
        "maxTokens",
        ("gen_ai.request.max_tokens", "ai.settings.maxTokens", "ai.settings.maxOutputTokens"),
    ),
    ("finishReason", ("gen_ai.response.finish_reasons", "ai.response.finishReason")),
    ("system", ("gen_ai.system",)),
    ("maxRetries", ("ai.settings.maxRetries",)),
    ("mode", ("ai.settings.mode",)),
    ("temperature", ("gen_ai.request.temperature", "ai.settings.temperature")),
    ("service_tier", ("gen_ai.request.service_tier",)),
)


def parameters_of(span: OtelSpan) -> Dict[str, Any]:
    attributes = span.attributes
    given = attributes.get(_PARAMETERS_JSON[0])
    if given is not None:
        return parsed_object(given)
    if span.scope.name == AI_SDK_SCOPE:
        return {name: text(attributes, keys) for name, keys in _AI_SDK_PARAMETERS}
    for key in _PARAMETERS_JSON[1:]:
        found = parsed_object(attributes.get(key))
        if found:
            return found
    return {
        name: value if number(value) is not None and not isinstance(value, str) else as_text(value)
        for name, value in below(attributes, _REQUEST).items()
        if name != "model"
    }


# ------------------------------------------------------------------------------------------ usage

_USAGE_JSON = "langfuse.observation.usage_details"
_GENAI = "gen_ai.usage"
_OPENINFERENCE = "llm.token_count"

# Langfuse's names of tokens, by the names below gen_ai.usage; of several, the first there counts.
_GENAI_USAGE: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("input", ("input_tokens", "prompt_tokens", "input")),
    ("output", ("output_tokens", "completion_tokens", "output")),
    ("total", ("total_tokens", "total")),
    (
        "input_cached_tokens",
        ("cache_read.input_tokens", "cache_read_input_tokens", "input_cached_tokens"),
    ),
    (
        "input_cache_creation",
        ("cache_creation.input_tokens", "cache_creation_input_tokens", "input_cache_creation"),
    ),
    ("output_reasoning_tokens", ("reasoning.output_tokens", "output_reasoning_tokens")),
)
_OPENINFERENCE_USAGE: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("input", ("prompt",)),
    ("output", ("completion",)),
    ("total", ("total",)),
    ("input_cached_tokens", ("prompt_details.cache_read",)),
    ("input_cache_creation", ("prompt_details.cache_write",)),
    ("input_audio_tokens", ("prompt_details.audio",)),
    ("output_reasoning_tokens", ("completion_details.reasoning",)),
    ("output_audio_tokens", ("completion_details.audio",)),
)
_GENKIT_USAGE: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("input", ("inputTokens",)),
    ("output", ("outputTokens",)),
    ("total", ("totalTokens",)),
    ("output_reasoning", ("thoughtsTokens",)),
)
# Of these the inputs and outputs that libraries report are sums; Langfuse's do not overlap.
_GENAI_PARTS = ("input_cached_tokens", "input_cache_creation", "output_reasoning_tokens")
_OPENINFERENCE_PARTS = _GENAI_PARTS + ("input_audio_tokens", "output_audio_tokens")


def usage_of(span: OtelSpan) -> Amounts:
    attributes = span.attributes
    given = attributes.get(_USAGE_JSON)
    if given is not None:
        return _amounts(parsed_object(given))
    if span.scope.name == AI_SDK_SCOPE:
        return _ai_sdk_usage(attributes)
    if is_genkit_model(span):
        usage = parsed_object(parsed_object(attributes.get("genkit:output")).get("usage"))
        return _apart(_renamed(usage, _GENKIT_USAGE), ("output_reasoning",))
    usage = _genai_usage(attributes)
    if span.scope.name == "gcp.vertex.agent" and "input_cached_tokens" not in usage:
        usage.update(_google_adk_cached(attributes))
    return {
        **_apart(
            _renamed(below(attributes, _OPENINFERENCE), _OPENINFERENCE_USAGE), _OPENINFERENCE_PARTS
        ),
        **_apart(usage, _GENAI_PARTS),
    }


def _genai_usage(attributes: Mapping[str, Any]) -> Amounts:
    usage = {name: value for name, value in below(attributes, _GENAI).items() if name != "cost"}
    known = {key for _, keys in _GENAI_USAGE for key in keys}
    others = {
        name[len("details.") :] if name.startswith("details.") else name: value
        for name, value in usage.items()
        if name not in known
    }
    return {**_amounts(others), **_renamed(usage, _GENAI_USAGE)}


def _google_adk_cached(attributes: Mapping[str, Any]) -> Amounts:
    response = parsed_object(attributes.get("gcp.vertex.agent.llm_response"))
    usage = parsed_object(response.get("usage_metadata"))
    return _renamed(usage, (("input_cached_tokens", ("cached_content_token_count",)),))


def _amounts(values: Mapping[str, Any]) -> Amounts:
    found = {name: number(value) for name, value in values.items()}
    return {name: value for name, value in found.items() if value is not None}


def _renamed(values: Mapping[str, Any], names: Iterable[Tuple[str, Tuple[str, ...]]]) -> Amounts:
    return _amounts({name: first(values, keys) for name, keys in names})


def _apart(usage: Amounts, parts: Iterable[str]) -> Amounts:
    """The usage with the parts taken out of the input and output that hold them."""
    for name in parts:
        whole = name.partition("_")[0]
        if name in usage and whole in usage:
            usage[whole] = max(0, usage[whole] - usage[name])
    return usage


# --------------------------------------------------------------------------- usage of the AI SDK

_AI_SDK_USAGE: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    (
        "input",
        (
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
        ),
    ),
    (
        "output",
        (
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "ai.usage.outputTokens",
            "ai.usage.completionTokens",
        ),
    ),
    ("total", ("gen_ai.usage.total_tokens", "ai.usage.totalTokens", "ai.usage.tokens")),
    (
        "input_cached_tokens",
        ("gen_ai.usage.cache_read.input_tokens", "ai.usage.cachedInputTokens"),
    ),
    ("input_cache_creation", ("gen_ai.usage.cache_creation.input_tokens",)),
    ("output_reasoning_tokens", ("ai.usage.reasoningTokens",)),
)
# What providers add, by where it stands in ai.response.providerMetadata.
_AI_SDK_PROVIDERS: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("input_cached_tokens", ("anthropic", "usage", "cache_read_input_tokens")),
    ("input_cache_creation", ("anthropic", "usage", "cache_creation_input_tokens")),
    (
        "input_cache_creation_5m",
        ("anthropic", "usage", "cache_creation", "ephemeral_5m_input_tokens"),
    ),
    (
        "input_cache_creation_1h",
        ("anthropic", "usage", "cache_creation", "ephemeral_1h_input_tokens"),
    ),
    ("input_cached_tokens", ("openai", "cachedPromptTokens")),
    ("output_reasoning_tokens", ("openai", "reasoningTokens")),
    ("input_cache_read", ("bedrock", "usage", "cacheReadInputTokens")),
    ("input_cache_write", ("bedrock", "usage", "cacheWriteInputTokens")),
    ("input_cache_creation", ("bedrock", "usage", "cacheCreationInputTokens")),
)


def _ai_sdk_usage(attributes: Mapping[str, Any]) -> Amounts:
    usage: Amounts = {"input": 0, "output": 0, **_renamed(attributes, _AI_SDK_USAGE)}
    metadata = parsed_object(attributes.get("ai.response.providerMetadata"))
    for name, path in _AI_SDK_PROVIDERS:
        amount = number(_at(metadata, path))
        if amount is not None:
            usage.setdefault(name, amount)
    if "input_cache_creation" in usage:  # Anthropic's is the sum of the two lifetimes
        lifetimes = [usage.get(f"input_cache_creation_{name}", 0) for name in ("5m", "1h")]
        usage["input_cache_creation"] = max(0, usage["input_cache_creation"] - sum(lifetimes))
    parts = [name for name in usage if name.startswith(("input_", "output_"))]
    return _apart(usage, parts)


def _at(value: Any, path: Iterable[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


# ------------------------------------------------------------------------------------------- cost

_COST_JSON = "langfuse.observation.cost_details"
_COST_KEYS = ("gen_ai.usage.cost", "llm.cost.total")


def cost_of(span: OtelSpan) -> Amounts:
    given = span.attributes.get(_COST_JSON)
    if given is not None:
        return _amounts(parsed_object(given))
    return _amounts({"total": first(span.attributes, _COST_KEYS)})
