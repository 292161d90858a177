"""Methods of an OpenAI-compatible client, made to record each of their calls as a generation.

A method is called with what it was given, less Langfuse's own arguments, and what it returns or
raises reaches the caller as it is; only a stream is stood for by an object that behaves as it does.
"""

import inspect
from functools import wraps
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Tuple

from ._client import get_client
from ._context import here
from ._manager import message
from ._observation import LangfuseObservationWrapper, begin, place_of
from ._openai_content import (
    CHAT,
    COMPLETION,
    EMBEDDING,
    RESPONSES,
    answer_fields,
    format_of,
    given_of,
    input_of,
    parameters_of,
)
from ._openai_stream import observed_stream
from ._trace_metadata import OF_TRACE, attributes, attributes_of, with_attributes
from ._warn import shown, warn_once

# Langfuse's arguments of a call, which the client does not see.
_OWN = (
    "name",
    "metadata",
    "trace_id",
    "session_id",
    "user_id",
    "tags",
    "parent_observation_id",
    "langfuse_prompt",
    "langfuse_public_key",
)
_RAW_HEADER = "x-stainless-raw-response"

# The methods of a client that are recorded, by where they stand on it.
METHODS: Tuple[Tuple[str, str], ...] = (
    ("chat.completions.create", CHAT),
    ("chat.completions.parse", CHAT),
    ("beta.chat.completions.parse", CHAT),
    ("completions.create", COMPLETION),
    ("responses.create", RESPONSES),
    ("responses.parse", RESPONSES),
    ("embeddings.create", EMBEDDING),
    ("create_chat_completion", CHAT),  # llama_cpp
    ("create_completion", COMPLETION),
    ("create_embedding", EMBEDDING),
)

_NAMES = {EMBEDDING: "OpenAI-embedding"}
_MARK = "__tracelite_observed__"


def is_observed(function: object) -> bool:
    return hasattr(function, _MARK)


def observed(
    function: Callable[..., Any], kind: str, is_on: Callable[[], bool] = lambda: True
) -> Callable[..., Any]:
    """The function, recording its calls while is_on."""
    names = _names_of(function)

    def prepared(
        arguments: Tuple[Any, ...], named: Dict[str, Any]
    ) -> Tuple[Optional[LangfuseObservationWrapper], Dict[str, Any]]:
        passed = _without_own(named)
        if not is_on():
            return None, passed
        try:
            return _begin(kind, {**dict(zip(names, arguments)), **named}), passed
        except Exception as error:
            warn_once(("openai", type(error)), "a call is not recorded: %s", shown(error))
            return None, passed

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call_later(*arguments: Any, **named: Any) -> Any:
            observation, passed = prepared(arguments, named)
            if observation is None:
                return await function(*arguments, **passed)
            try:
                awaitable = function(*arguments, **passed)
            except BaseException as error:  # of an argument that it does not take
                _fail(observation, error)
                raise
            return await _finish_later(observation, kind, named, awaitable)

        setattr(call_later, _MARK, True)
        return call_later

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        observation, passed = prepared(arguments, named)
        if observation is None:
            return function(*arguments, **passed)
        try:
            response = function(*arguments, **passed)
        except BaseException as error:
            _fail(observation, error)
            raise
        if inspect.isawaitable(response):  # of a decorated coroutine function
            return _finish_later(observation, kind, named, response)
        return _finish(observation, kind, named, response)

    setattr(call, _MARK, True)
    return call


def _names_of(function: Callable[..., Any]) -> Tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


def _without_own(named: Dict[str, Any]) -> Dict[str, Any]:
    passed = {name: value for name, value in named.items() if name not in _OWN}
    if named.get("store") and "metadata" in named:  # OpenAI stores it with the answer
        metadata = named["metadata"]
        if isinstance(metadata, dict):
            metadata = {name: each for name, each in metadata.items() if name not in OF_TRACE}
        passed["metadata"] = metadata
    return passed


def _begin(kind: str, all_named: Mapping[str, Any]) -> LangfuseObservationWrapper:
    given = given_of(all_named)
    metadata = given.get("metadata")
    about = dict(metadata) if isinstance(metadata, Mapping) else {}
    own = attributes(given.get("session_id"), given.get("user_id"), given.get("tags"))
    of_metadata = attributes_of(about)
    if own is not None and of_metadata is not None:
        own = of_metadata.merged(own)
    for name in OF_TRACE:
        about.pop(name, None)
    about.update(format_of(given))
    if metadata is not None and not isinstance(metadata, Mapping):
        about["metadata"] = metadata
    fields = {
        "input": input_of(kind, given),
        "metadata": about or None,
        "model": given.get("model"),
        "model_parameters": parameters_of(given),
        "prompt": given.get("langfuse_prompt"),
    }
    place = place_of(here(), None, _trace_context(given))
    return begin(
        get_client(public_key=given.get("langfuse_public_key")),
        "embedding" if kind == EMBEDDING else "generation",
        given.get("name") or _NAMES.get(kind, "OpenAI-generation"),
        fields,
        place=with_attributes(place, own or of_metadata),
    )


def _trace_context(given: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    trace_id, parent_id = given.get("trace_id"), given.get("parent_observation_id")
    if trace_id is None:
        if parent_id is None:
            return None
        above = here().observation
        if above is None:
            warn_once("parent_observation_id", "parent_observation_id needs a trace_id beside it")
            return None
        trace_id = above.trace_id
    return {"trace_id": trace_id, "parent_span_id": parent_id}


async def _finish_later(
    observation: LangfuseObservationWrapper,
    kind: str,
    named: Mapping[str, Any],
    awaitable: Awaitable[Any],
) -> Any:
    try:
        response = await awaitable
    except BaseException as error:
        _fail(observation, error)
        raise
    return _finish(observation, kind, named, response)


def _finish(
    observation: LangfuseObservationWrapper, kind: str, named: Mapping[str, Any], response: Any
) -> Any:
    """Ends the observation with the response, or lets its stream do so. Returns the response."""
    try:
        if _is_raw(named):  # only its caller may read it
            observation.end()
            return response
        if named.get("stream"):
            stream = observed_stream(response, observation, kind)
            if stream is not None:
                return stream
        observation.end_with(answer_fields(kind, response))
    except Exception as error:
        warn_once(("openai", type(error)), "an answer is not recorded: %s", shown(error))
        observation.end()
    return response


def _is_raw(named: Mapping[str, Any]) -> bool:
    headers = named.get("extra_headers")
    return isinstance(headers, Mapping) and any(
        str(name).lower() == _RAW_HEADER for name in headers
    )


def _fail(observation: LangfuseObservationWrapper, error: BaseException) -> None:
    try:
        observation.end_with(
            {
                "level": "ERROR",
                "status_message": message(error, False),
                "cost_details": {"total": 0},
            }
        )
    except Exception as problem:
        warn_once(("openai", type(problem)), "an error is not recorded: %s", shown(problem))


# ------------------------------------------------------------------------------------ one client


def observe_methods(client: Any) -> int:
    """Makes the methods of this client record; how many."""
    count = 0
    for path, kind in METHODS:
        *owners, name = path.split(".")
        owner = client
        for each in owners:
            owner = getattr(owner, each, None)
        method = getattr(owner, name, None)
        if method is None or not callable(method):
            continue
        if not is_observed(method):
            setattr(owner, name, observed(method, kind))
        if not is_observed(_found_again(client, path)):
            warn_once(
                ("client", path),
                "%s makes its methods anew: %s is not recorded",
                type(client).__name__,
                path,
            )
            continue
        count += 1
    for name in ("with_options", "copy"):
        method = getattr(client, name, None)
        if count and callable(method) and not is_observed(method):
            setattr(client, name, _copying(method))
    return count


def _found_again(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name, None)
    return client


def _copying(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def copy(*arguments: Any, **named: Any) -> Any:
        made = method(*arguments, **named)
        try:
            observe_methods(made)
        except Exception as error:
            warn_once(("copy", type(error)), "a copy of a client is not recorded: %s", shown(error))
        return made

    setattr(copy, _MARK, True)
    return copy
