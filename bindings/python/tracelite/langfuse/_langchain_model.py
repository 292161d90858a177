"""What a run of LangChain is called, and the model and parameters of a model's call: LangChain has
them in its metadata, in the call's parameters, or in the model's serialised form."""

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ._usage import members

# Where a model's name stands, by how much it says.
_MODEL_KEYS = (
    "model",
    "model_name",
    "model_id",
    "azure_deployment",
    "deployment_name",
    "engine",
    "model_uid",
    "repo_id",
    "model_path",
    "endpoint_name",
)
_IN_TEXT = re.compile(
    r"\b(?:model|model_name|model_id|model_uid|deployment_name|repo_id)=['\"]([^'\"]+)['\"]"
)

_PARAMETERS = (
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
    "max_new_tokens",
    "min_new_tokens",
    "num_predict",
    "num_ctx",
    "top_p",
    "top_k",
    "min_p",
    "n",
    "seed",
    "stop",
    "stop_sequences",
    "frequency_penalty",
    "presence_penalty",
    "repeat_penalty",
    "repetition_penalty",
    "request_timeout",
    "decoding_method",
    "reasoning",
    "reasoning_effort",
    "thinking",
    "thinking_budget",
    "verbosity",
    "service_tier",
    "tool_choice",
    "parallel_tool_calls",
    "logprobs",
    "top_logprobs",
)
# Under which some providers have them.
_NESTED = ("params", "options", "model_kwargs", "generation_config")


def run_name(serialized: Optional[Mapping[str, Any]], given: Mapping[str, Any]) -> str:
    """The name of a run: its own, else that of what runs."""
    for name in (given.get("name"), members(serialized).get("name"), _class_name(serialized)):
        if name:
            return str(name)
    return "<unknown>"


def class_path(serialized: Optional[Mapping[str, Any]]) -> List[str]:
    path = members(serialized).get("id")
    return [str(part) for part in path] if isinstance(path, (list, tuple)) else []


def _class_name(serialized: Optional[Mapping[str, Any]]) -> Optional[str]:
    path = class_path(serialized)
    return path[-1] if path else None


def observation_kind(callback: str, serialized: Optional[Mapping[str, Any]], name: str) -> str:
    """The type of observation for a run, as Langfuse tells chains and agents apart."""
    words = [name, *class_path(serialized)]
    if callback in ("chain", "generation"):
        last = words[-1] if len(words) > 1 else name
        if "embedding" in last.lower():
            return "embedding"
    if callback == "chain" and any("agent" in word.lower() for word in words):
        return "agent"
    return callback


def model_parameters(given: Mapping[str, Any]) -> Dict[str, Any]:
    """The parameters of a model's call, by those of its callback."""
    found: Dict[str, Any] = {}
    parameters = call_parameters(given)
    places = [parameters, *(members(parameters.get(name)) for name in _NESTED)]
    places.append(members(given.get("options")))
    for place in places:
        for name in _PARAMETERS:
            value = place.get(name)
            if value is not None:
                found.setdefault(name, value)
    return found


def call_parameters(given: Mapping[str, Any]) -> Dict[str, Any]:
    return members(given.get("invocation_params"))


def model_name(
    serialized: Optional[Mapping[str, Any]],
    metadata: Optional[Mapping[str, Any]],
    given: Mapping[str, Any],
) -> Optional[str]:
    """The model of a call, as far as it is known before its answer."""
    own = members(members(serialized).get("kwargs"))
    parameters = call_parameters(given)
    name = first_text(members(metadata), ("ls_model_name",))
    name = name or first_text(parameters, _MODEL_KEYS[:3])
    name = name or first_text(own, _MODEL_KEYS[:3])
    name = (
        name
        or first_text(parameters, _MODEL_KEYS)
        or _deployment(own)
        or first_text(own, _MODEL_KEYS)
    )
    name = name or first_text(given, _MODEL_KEYS[:3])
    if name is None:
        text = members(serialized).get("repr")
        match = _IN_TEXT.search(text) if isinstance(text, str) else None
        name = None if match is None else match.group(1)
    return name


def _deployment(own: Mapping[str, Any]) -> Optional[str]:
    """Azure's models are called as somebody named them, with a version."""
    name = first_text(own, ("deployment_name", "azure_deployment"))
    version = first_text(own, ("deployment_version",))
    return f"{name}-{version}" if name and version and version not in name else name


def first_text(found: Mapping[str, Any], names: Iterable[str]) -> Optional[str]:
    """The first of the members that is a text with something in it."""
    for name in names:
        value = found.get(name)
        if isinstance(value, str) and value:
            return value
    return None
