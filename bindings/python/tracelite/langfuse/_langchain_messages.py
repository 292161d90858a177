"""LangChain's messages, answers and names in the shape that Langfuse stores them.

Known by their public attributes, and not by their classes, so that nothing of LangChain is needed.
"""

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from ._langchain_model import first_text
from ._usage import Usage, members, usage_of

_ROLES = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "ToolMessageChunk": "tool",
    "function": "function",
    "FunctionMessageChunk": "function",
}


def message_dict(message: Any) -> Any:
    """role, content, and what else the message has; what is no message stays as it is."""
    if isinstance(message, Mapping) or not hasattr(message, "content"):
        return message
    kind = getattr(message, "type", None)
    role = _ROLES.get(str(kind)) or getattr(message, "role", None) or kind or "user"
    found: Dict[str, Any] = {"role": role, "content": message.content}
    for name in ("tool_calls", "invalid_tool_calls", "tool_call_id"):
        value = getattr(message, name, None)
        if value:
            found[name] = value
    others = getattr(message, "additional_kwargs", None)
    own_name = getattr(message, "name", None) or (others or {}).get("name")
    if own_name:
        found["name"] = own_name
    if others:
        found["additional_kwargs"] = others
    return found


def prompt_of_messages(batches: Iterable[Any]) -> List[Any]:
    """The messages of a chat model's call, which LangChain gives as a list of lists."""
    found: List[Any] = []
    for batch in batches:
        for message in batch if isinstance(batch, (list, tuple)) else [batch]:
            found.append(message_dict(message))
    return found


def with_tools(prompt: Any, parameters: Mapping[str, Any]) -> Any:
    """The prompt with the definitions of tools that the model was given."""
    tools: List[Any] = []
    for name in ("tools", "functions"):
        given = parameters.get(name)
        if isinstance(given, (list, tuple)):
            tools.extend(given)
    if not tools:
        return prompt
    before = list(prompt) if isinstance(prompt, (list, tuple)) else [prompt]
    return [*before, *({"role": "tool", "content": tool} for tool in tools)]


def answer_of(response: Any) -> Any:
    """What a model said: a message or a text; of several candidates a list of them."""
    batches = getattr(response, "generations", None) or [[]]
    answers = [_candidate(each) for each in _as_list(batches[-1])]
    if not answers:
        return None
    return answers[0] if len(answers) == 1 else answers


def _candidate(generation: Any) -> Any:
    message = getattr(generation, "message", None)
    if message is not None:
        return message_dict(message)
    text = getattr(generation, "text", None)
    return "" if text is None else text


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


# ------------------------------------------------------------------- tokens and model of an answer


def response_usage(response: Any) -> Optional[Usage]:
    """The tokens of an answer, from wherever its provider says them: nearest to the message."""
    for batch in getattr(response, "generations", None) or ():
        for generation in _as_list(batch):
            found = _usage_of_generation(generation)
            if found:
                return found
    output = members(getattr(response, "llm_output", None))
    for name in ("token_usage", "usage", "usage_metadata"):
        found = usage_of(output.get(name))
        if found:
            return found
    return _estimated(output) or None


def _usage_of_generation(generation: Any) -> Usage:
    info = members(getattr(generation, "generation_info", None))
    message = getattr(generation, "message", None)
    said = members(getattr(message, "response_metadata", None))
    for given in (
        info.get("usage_metadata"),  # Vertex and Gemini
        said.get("usage"),  # Anthropic, also on Bedrock
        said.get("amazon-bedrock-invocationMetrics"),
        getattr(message, "usage_metadata", None),  # LangChain's own
        said.get("token_usage"),
        said.get("usage_metadata"),
        said.get("token_count"),  # Cohere
        info.get("token_usage"),
        info.get("usage"),
        info.get("token_count"),
        _estimated(said),
        _estimated(info),
    ):
        found = usage_of(given) if given else {}
        if found:
            return found
    return {}


def _estimated(given: Mapping[str, Any]) -> Usage:
    """Counts that stand beside other things: Ollama's and watsonx's."""
    names = ("prompt_eval_count", "eval_count", "input_token_count", "generated_token_count")
    return usage_of({name: given[name] for name in names if name in given})


def response_model(response: Any) -> Optional[str]:
    """The model that the provider says it was (Azure's deployments say it here alone)."""
    output = members(getattr(response, "llm_output", None))
    return first_text(output, ("model_name", "model"))


def response_model_of_message(response: Any) -> Optional[str]:
    """The same as the message says it; joined of chunks it may stand there several times."""
    for batch in getattr(response, "generations", None) or ():
        for generation in _as_list(batch):
            message = getattr(generation, "message", None)
            for said in (
                members(getattr(message, "response_metadata", None)),
                members(getattr(generation, "generation_info", None)),
            ):
                found = first_text(said, ("model_name", "model", "model_id"))
                if found:
                    return found
    return None
