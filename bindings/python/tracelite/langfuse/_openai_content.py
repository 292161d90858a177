"""What goes into an OpenAI-compatible model and comes out of it, in the shapes that Langfuse stores.

Answers are objects of some client's classes, or plain dicts: they are read by their members.
"""

from typing import Any, Dict, List, Mapping, Optional

from ._usage import Usage, members, usage_of

CHAT, COMPLETION, RESPONSES, EMBEDDING = "chat", "completion", "responses", "embedding"

_PARAMETERS = (
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repeat_penalty",
    "seed",
    "n",
    "best_of",
    "stop",
    "logprobs",
    "top_logprobs",
    "reasoning",
    "reasoning_effort",
    "verbosity",
    "truncation",
    "service_tier",
    "tool_choice",
    "parallel_tool_calls",
    "modalities",
    "dimensions",
    "encoding_format",
)


def is_given(value: object) -> bool:
    """OpenAI's client has objects of its own for what is not given."""
    return value is not None and type(value).__name__ not in ("NotGiven", "Omit")


def given_of(named: Mapping[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in named.items() if is_given(value)}


def input_of(kind: str, given: Mapping[str, Any]) -> Any:
    """The input of a call: with the definitions of tools, where it has any."""
    if kind == CHAT:
        found: Dict[str, Any] = {
            name: given[name] for name in ("functions", "function_call", "tools") if name in given
        }
        messages = given.get("messages", [])
        return {**found, "messages": messages} if found else messages
    if kind == COMPLETION:
        return given.get("prompt")
    if kind == EMBEDDING:
        return given.get("input")
    prompt = _with_instructions(given.get("input"), given.get("instructions"))
    return {"tools": given["tools"], "input": prompt} if given.get("tools") else prompt


def _with_instructions(prompt: Any, instructions: Any) -> Any:
    if instructions is None:
        return prompt
    first = {"role": "system", "content": instructions}
    if isinstance(prompt, str):
        return [first, {"role": "user", "content": prompt}]
    return [first, *prompt] if isinstance(prompt, (list, tuple)) else [first]


def parameters_of(given: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    return {name: given[name] for name in _PARAMETERS if name in given} or None


def format_of(given: Mapping[str, Any]) -> Dict[str, Any]:
    """The form that the answer is to have, as metadata: a class by its schema."""
    for name in ("response_format", "text_format"):
        value = given.get(name)
        if value is not None:
            schema = getattr(value, "model_json_schema", None)
            return {"response_format": schema() if callable(schema) else value}
    return {}


# ------------------------------------------------------------------------------------- answers

# What an answer gives: fields of a generation.
Fields = Dict[str, Any]


def answer_fields(kind: str, response: Any) -> Fields:
    """Output, model, tokens and cost of a whole answer."""
    fields: Fields = {}
    model = part(response, "model")
    if isinstance(model, str) and model:
        fields["model"] = model
    fields.update(usage_fields(part(response, "usage")))
    if kind == EMBEDDING:
        fields["output"] = _of_embeddings(part(response, "data") or [])
    elif kind == RESPONSES:
        fields.update(responses_fields(response))
    else:
        fields.update(_of_choices(kind, part(response, "choices") or []))
    return fields


def part(value: Any, name: str) -> Any:
    """A member of an object or a dict; None, if it has none."""
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None)


def plain(value: Any) -> Any:
    """An object of a client as a dict; what is none of a client's stays as it is."""
    dump = getattr(value, "model_dump", None)
    if not callable(dump):
        return value
    try:
        return dump(exclude_none=True, warnings=False)
    except TypeError:
        return dump()


def usage_fields(usage: Any) -> Fields:
    if usage is None:
        return {}
    counts: Usage = usage_of(usage)
    fields: Fields = {"usage_details": counts} if counts else {}
    cost = part(usage, "cost")  # OpenRouter's
    if isinstance(cost, (int, float)) and not isinstance(cost, bool):
        fields["cost_details"] = {"total": cost}
    return fields


def _of_choices(kind: str, choices: List[Any]) -> Fields:
    if kind == CHAT:
        answers = [message_of(part(choice, "message")) for choice in choices]
    else:
        answers = [part(choice, "text") for choice in choices]
    reasons = [part(choice, "finish_reason") for choice in choices]
    return candidates_fields(answers, reasons)


def candidates_fields(answers: List[Any], reasons: List[Any]) -> Fields:
    """Output and reason: of one candidate its own, of several a list."""
    fields: Fields = {}
    if answers:
        fields["output"] = answers[0] if len(answers) == 1 else answers
    if any(reason is not None for reason in reasons):
        fields["metadata"] = {"finish_reason": reasons[0] if len(reasons) == 1 else reasons}
    return fields


def message_of(message: Any) -> Any:
    """A message of the model without what it has not said."""
    if message is None:
        return None
    found = members(plain(message))
    kept = {
        name: plain(value)
        for name, value in found.items()
        if value is not None and value != [] and name not in ("role", "content", "parsed")
    }
    return {"role": found.get("role"), **kept, "content": found.get("content")}


def _of_embeddings(data: List[Any]) -> Dict[str, Any]:
    vector = part(data[0], "embedding") if data else None
    length = len(vector) if isinstance(vector, (list, tuple)) else None
    return {"dimensions": length, "count": len(data)}


def responses_fields(response: Any) -> Fields:
    """Output, and error, of an answer of the responses API."""
    items = part(response, "output")
    fields: Fields = {}
    if isinstance(items, (list, tuple)):
        found = [plain(item) for item in items]
        fields["output"] = found[0] if len(found) == 1 else found
    about = {
        name: value
        for name, value in (
            ("response_id", part(response, "id")),
            ("status", part(response, "status")),
            ("incomplete_details", plain(part(response, "incomplete_details"))),
        )
        if value is not None
    }
    if about:
        fields["metadata"] = about
    error = part(response, "error")
    if error is not None:
        fields.update(level="ERROR", status_message=str(part(error, "message") or error))
    return fields
