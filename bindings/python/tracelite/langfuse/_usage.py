"""Token counts in the shapes of the providers, brought to the names that Langfuse has for them.

The counts of the result do not overlap: a part that a provider counts within its input (cached
tokens, say) is taken out of the input, so that the sum over all names stays the total.
"""

from typing import Any, Dict, List, Mapping, Optional, Tuple

from ._values import whole_amount

Usage = Dict[str, int]

_INPUT = (
    "input_tokens",  # Anthropic, OpenAI's responses, LangChain's usage_metadata, Cohere, Tongyi
    "prompt_tokens",  # OpenAI, Azure, Mistral, Groq, Fireworks, DeepSeek, Bedrock's older models
    "prompt_token_count",  # Gemini, Vertex
    "promptTokenCount",
    "inputTokenCount",  # Bedrock's invocation metrics
    "inputTokens",  # Bedrock's Converse
    "promptTokens",
    "input_token_count",  # watsonx
    "prompt_eval_count",  # Ollama
    "input",
)
_OUTPUT = (
    "output_tokens",
    "completion_tokens",
    "candidates_token_count",
    "candidatesTokenCount",
    "outputTokenCount",
    "outputTokens",
    "completionTokens",
    "generated_token_count",
    "response_tokens",  # Cohere's older clients
    "eval_count",
    "output",
)
_TOTAL = ("total_tokens", "total_token_count", "totalTokenCount", "totalTokens", "total")

# Parts that the input or output holds, as a mapping of names or as Gemini's list of modalities.
_PARTS = (
    ("input", "input_token_details"),  # LangChain
    ("input", "input_tokens_details"),
    ("input", "prompt_tokens_details"),
    ("input", "promptTokensDetails"),
    ("output", "output_token_details"),
    ("output", "output_tokens_details"),
    ("output", "completion_tokens_details"),
    ("output", "completionTokensDetails"),
    ("output", "candidates_tokens_details"),
    ("output", "candidatesTokensDetails"),
)
_CACHED_MODALITIES = ("cache_tokens_details", "cacheTokensDetails")

# Parts of the input that stand beside it under a name of their own.
_CACHED = (
    "cached_content_token_count",  # Gemini
    "cachedContentTokenCount",
    "prompt_cache_hit_tokens",  # DeepSeek
    "cached_tokens",
)
# What is counted beside input and output, and not within them.
_BESIDE = (
    ("output_reasoning", "thoughts_token_count"),  # Gemini
    ("output_reasoning", "thoughtsTokenCount"),
    ("input_tool_use", "tool_use_prompt_token_count"),
    ("input_tool_use", "toolUsePromptTokenCount"),
    ("cache_read_input_tokens", "cacheReadInputTokens"),  # Bedrock's Converse, as Anthropic
    ("cache_creation_input_tokens", "cacheWriteInputTokens"),
    ("cache_creation_input_tokens", "cache_write_input_tokens"),
)
_SAID_OTHERWISE = ("prompt_cache_miss_tokens", "num_tokens")


def members(value: object) -> Dict[str, Any]:
    """The members of a mapping or an object; none of what has none."""
    try:
        if isinstance(value, Mapping):
            return {str(name): each for name, each in value.items()}
        dump = getattr(value, "model_dump", None) or getattr(value, "dict", None)
        found = dump() if callable(dump) else vars(value)
        return {str(name): each for name, each in found.items()}
    except Exception:
        return {}


def usage_of(given: object) -> Usage:
    """The counts of one usage object; empty if it holds none."""
    rest = members(given)
    usage: Usage = {}
    for name, keys in (("input", _INPUT), ("output", _OUTPUT), ("total", _TOTAL)):
        counts = [
            count for count in (_count(rest.pop(key, None)) for key in keys) if count is not None
        ]
        if counts:
            usage[name] = counts[0]
    for whole, key in _PARTS:
        _take_parts(usage, whole, rest.pop(key, None))
    _take_cached(usage, rest)
    for name, key in _BESIDE:
        count = _count(rest.pop(key, None))
        if count is not None:
            usage[name] = count
    for key, value in rest.items():
        count = _count(value)
        if count is not None and "token" in key.lower() and key not in _SAID_OTHERWISE:
            usage.setdefault(key, count)
    return usage


def _take_parts(usage: Usage, whole: str, parts: object) -> None:
    if isinstance(parts, (list, tuple)):
        named = {f"{whole}_modality_{modality}": count for modality, count in _modalities(parts)}
    elif parts is None:
        return
    else:
        counts = {f"{whole}_{name}": _count(each) for name, each in members(parts).items()}
        named = {name: count for name, count in counts.items() if count is not None}
    for name, count in named.items():
        usage[name] = count
        _take(usage, whole, count)


def _take_cached(usage: Usage, rest: Dict[str, Any]) -> None:
    """Cached tokens are of some modality: they are taken out of that where it is counted."""
    modalities: List[Tuple[str, int]] = []
    for key in _CACHED_MODALITIES:
        modalities += _modalities(rest.pop(key, None))
    counts = [
        count for count in (_count(rest.pop(key, None)) for key in _CACHED) if count is not None
    ]
    for modality, count in modalities:
        own = f"input_modality_{modality}"
        _take(usage, own if own in usage else "input", count)
        usage[f"input_cached_modality_{modality}"] = count
    if counts and not modalities and "input_cached_tokens" not in usage:
        text = "input_modality_TEXT"
        _take(usage, text if text in usage else "input", counts[0])
        usage["input_cached_tokens"] = counts[0]


def _take(usage: Usage, whole: str, count: int) -> None:
    if whole in usage:
        usage[whole] = max(0, usage[whole] - count)


def _modalities(parts: object) -> List[Tuple[str, int]]:
    found: List[Tuple[str, int]] = []
    for part in parts if isinstance(parts, (list, tuple)) else ():
        each = members(part)
        modality = each.get("modality")
        count = _count(each.get("token_count", each.get("tokenCount")))
        if modality is not None and count is not None:
            found.append((str(getattr(modality, "name", modality)), count))
    return found


def _count(value: object) -> Optional[int]:
    if isinstance(value, (list, tuple)):  # Bedrock's, joined of a stream's chunks
        counts = [whole_amount(each) for each in value]
        known = [count for count in counts if count is not None]
        return sum(known) if known else None
    return whole_amount(value)
