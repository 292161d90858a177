"""From OpenTelemetry's spans to Langfuse's ingestion events, as Langfuse maps them.

A span becomes one observation. A root, or a span that says something of its trace, adds an event
for the trace. Times keep the digits that they are asked for.
"""

from __future__ import annotations

import re
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple

from ._environment import repaired
from ._otel_attributes import as_text, below, first, number, parsed, parsed_list, parsed_object
from ._otel_attributes import text
from ._otel_content import Content, content_of, is_content, move_tools
from ._otel_kind import is_of_langfuse_sdk, level_of, type_of
from ._otel_span import OtelSpan
from ._otel_usage import cost_of, model_of, parameters_of, usage_of

Body = Dict[str, Any]
Event = Dict[str, Any]

NANOSECOND_DIGITS = 9
TRACE_NAME_LENGTH_MAX = 1_000  # a longer one is refused; the root's observation has all of it


def events_of_spans(
    spans: Iterable[OtelSpan],
    known_traces: Optional[Set[str]] = None,
    *,
    digits: int = NANOSECOND_DIGITS,
    now_ns: Callable[[], int] = time.time_ns,
) -> List[Event]:
    """The ingestion events of the spans.

    Without known_traces, nothing is written of a trace that no span says anything of: it is
    derived from its observations. With known_traces, each trace that is not among them gets an
    event that says no more than that it is there, as Langfuse's server needs it.
    """
    spans = list(spans)
    told = {span.trace_id for span in spans if _is_about_trace(span)}
    mentioned = None if known_traces is None else set(known_traces)
    events: List[Event] = []
    for span in spans:
        mapped = _Mapped(span, digits, now_ns)
        if _is_about_trace(span):
            events.append(_event("trace-create", mapped.start, mapped.trace()))
        elif mentioned is not None and span.trace_id not in mentioned | told:
            events.append(_event("trace-create", mapped.start, mapped.bare_trace()))
        if mentioned is not None:
            mentioned.add(span.trace_id)
        kind = f"{type_of(span)}-create"
        events.append(_event(kind, iso_time(now_ns(), digits), mapped.observation()))
    return events


def _event(kind: str, timestamp: str, body: Body) -> Event:
    return {"id": str(uuid.uuid4()), "type": kind, "timestamp": timestamp, "body": body}


def iso_time(time_ns: int, digits: int) -> str:
    """ISO 8601 in UTC, cut to so many digits of a second."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{f'{nanoseconds:09}'[:digits]}Z"


class _Mapped:
    """The bodies of one span's events."""

    def __init__(self, span: OtelSpan, digits: int, now_ns: Callable[[], int]) -> None:
        self.span = span
        self.content = content_of(span)
        edges = [edge for edge in (span.start_ns, span.end_ns) if edge is not None] or [now_ns()]
        self._start_ns, self._end_ns, self._digits = edges[0], edges[-1], digits
        self.start, self.end = iso_time(edges[0], digits), iso_time(edges[-1], digits)

    def observation(self) -> Body:
        span = self.span
        is_generation = type_of(span) == "generation"
        model = model_of(span)
        body: Body = {
            "id": span.id,
            "traceId": span.trace_id,
            "parentObservationId": span.parent_id,
            "name": name_of(span),
            "startTime": self.start,
            "endTime": self.end,
            "environment": environment_of(span),
            "completionStartTime": self._completion_start(),
            "metadata": _metadata(span, _observation_metadata(span), with_attributes=True),
            "level": level_of(span),
            "statusMessage": text(span.attributes, (_STATUS_MESSAGE,)) or span.status_message,
            "version": version_of(span),
            "modelParameters": parameters_of(span),
            **({} if model is None else {"model": model}),
            "promptName": text(span.attributes, _PROMPT_NAME) if is_generation else None,
            "promptVersion": _prompt_version(span) if is_generation else None,
            "usageDetails": usage_of(span),
            "costDetails": cost_of(span),
            **self.content,
        }
        if is_generation:
            _link_ai_sdk_prompt(span, body)
        move_tools(body)
        return body

    def trace(self) -> Body:
        span = self.span
        fields: Body = {
            "userId": text(span.attributes, _USER_ID),
            "sessionId": text(span.attributes, _SESSION_ID),
            "public": _is_public(span),
        }
        name = text(span.attributes, (_TRACE_NAME,))
        if name is None and _is_root(span):
            name = name_of(span)
        return {
            **self.bare_trace(),
            **({} if name is None else {"name": name[:TRACE_NAME_LENGTH_MAX]}),
            "metadata": _metadata(span, _trace_metadata(span), with_attributes=_is_root(span)),
            "version": version_of(span),
            "release": text(span.attributes, (_RELEASE,)) or text(span.resource, (_RELEASE,)),
            **{key: value for key, value in fields.items() if value is not None},
            "tags": tags_of(span),
            **self._trace_content(),
        }

    def bare_trace(self) -> Body:
        return {
            "id": self.span.trace_id,
            "timestamp": self.start,
            "environment": environment_of(self.span),
        }

    def _trace_content(self) -> Content:
        given = {
            "input": self.span.attributes.get(_TRACE_INPUT),
            "output": self.span.attributes.get(_TRACE_OUTPUT),
        }
        content = dict(self.content) if _is_root(self.span) else {}
        content.update({key: value for key, value in given.items() if value is not None})
        return content

    def _completion_start(self) -> Optional[str]:
        # Some SDKs write it as JSON. What is no time stays among the attributes.
        given = parsed(self.span.attributes.get("langfuse.observation.completion_start_time"))
        if isinstance(given, str) and _is_time(given):
            return given
        first_chunk_ms = number(self.span.attributes.get("ai.response.msToFirstChunk"))
        if first_chunk_ms is None:
            return None
        first_chunk_ns = self._start_ns + int(first_chunk_ms * 1_000_000)
        is_within = self._start_ns <= first_chunk_ns <= self._end_ns
        return iso_time(first_chunk_ns, self._digits) if is_within else None


_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})([.][0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)


def _is_time(given: str) -> bool:
    match = _TIME.fullmatch(given)
    if match is None:
        return False
    try:
        datetime.fromisoformat(match.group(1))
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------------------ what a span says

_TRACE_NAME = "langfuse.trace.name"
_TRACE_INPUT = "langfuse.trace.input"
_TRACE_OUTPUT = "langfuse.trace.output"
_TRACE_METADATA = "langfuse.trace.metadata"
_OBSERVATION_METADATA = "langfuse.observation.metadata"
_METADATA = "langfuse.metadata"
_AI_SDK_METADATA = "ai.telemetry.metadata"
_RELEASE = "langfuse.release"
_STATUS_MESSAGE = "langfuse.observation.status_message"
_PROMPT_NAME = ("langfuse.observation.prompt.name", "langfuse.prompt.name")
_PROMPT_VERSION = ("langfuse.observation.prompt.version", "langfuse.prompt.version")
_PUBLIC = ("langfuse.trace.public", "langfuse.public")
_USER_ID = (
    "langfuse.user.id",
    "user.id",
    f"{_TRACE_METADATA}.langfuse_user_id",
    f"{_OBSERVATION_METADATA}.langfuse_user_id",
    f"{_AI_SDK_METADATA}.userId",
)
_SESSION_ID = (
    "langfuse.session.id",
    "session.id",
    "gen_ai.conversation.id",
    f"{_TRACE_METADATA}.langfuse_session_id",
    f"{_OBSERVATION_METADATA}.langfuse_session_id",
    f"{_AI_SDK_METADATA}.sessionId",
)
_TAGS = (
    "langfuse.trace.tags",
    "langfuse.tags",
    "tag.tags",
    f"{_TRACE_METADATA}.langfuse_tags",
    f"{_OBSERVATION_METADATA}.langfuse_tags",
    f"{_AI_SDK_METADATA}.tags",
)
_ABOUT_TRACE: Tuple[str, ...] = (
    _TRACE_NAME,
    _TRACE_INPUT,
    _TRACE_OUTPUT,
    _TRACE_METADATA,
    *_PUBLIC,
    *_USER_ID,
    *_SESSION_ID,
    *_TAGS,
)
_AI_SDK_METADATA_FIELDS = ("userId", "sessionId", "tags", "langfusePrompt")


def _is_root(span: OtelSpan) -> bool:
    return span.parent_id is None or _is_true(span.attributes.get("langfuse.internal.as_root"))


def _is_about_trace(span: OtelSpan) -> bool:
    return (
        _is_root(span)
        or first(span.attributes, _ABOUT_TRACE) is not None
        or bool(below(span.attributes, _TRACE_METADATA))
    )


def _is_true(value: Any) -> bool:
    return value is True or value == "true"


def _is_public(span: OtelSpan) -> Optional[bool]:
    value = first(span.attributes, _PUBLIC)
    return None if value is None else _is_true(value)


def name_of(span: OtelSpan) -> str:
    """Libraries that give every span of a kind one name say what it is about in an attribute."""
    operation = text(span.attributes, ("ai.operationId",))
    function = text(span.attributes, ("ai.telemetry.functionId",))
    if operation and function:
        operation = f"{function}:{operation}"
    named = ("gen_ai.tool.name", "ai.toolCall.name")
    return (
        text(span.attributes, named)
        or operation
        or text(span.attributes, ("logfire.msg", "genkit:name"))
        or span.name
    )


def version_of(span: OtelSpan) -> Optional[str]:
    key = "langfuse.version"
    return text(span.attributes, (key,)) or text(span.resource, (key, "service.version"))


def tags_of(span: OtelSpan) -> List[str]:
    """A list, a JSON list, or text with commas."""
    value = first(span.attributes, _TAGS)
    if value is None:
        return []
    tags = parsed_list(value)
    if tags is None:
        tags = as_text(value).split(",")
    return [tag for tag in (as_text(each).strip() for each in tags) if tag]


def _prompt_version(span: OtelSpan) -> Optional[int]:
    value = number(first(span.attributes, _PROMPT_VERSION))
    return None if value is None else int(value)


def _link_ai_sdk_prompt(span: OtelSpan, body: Body) -> None:
    if body["promptName"] is None:
        prompt = parsed_object(span.attributes.get(f"{_AI_SDK_METADATA}.langfusePrompt"))
        version = number(prompt.get("version"))
        if isinstance(prompt.get("name"), str) and version is not None:
            body["promptName"], body["promptVersion"] = prompt["name"], int(version)


# ---------------------------------------------------------------------------------------- metadata


def _metadata(span: OtelSpan, own: Body, with_attributes: bool) -> Body:
    scope = {"name": span.scope.name, "version": span.scope.version}
    metadata = {**_given_metadata(span), **own}
    if with_attributes and not is_of_langfuse_sdk(span):
        metadata["attributes"] = {
            key: as_text(value)
            for key, value in span.attributes.items()
            if value is not None and not is_content(key) and not _is_metadata(key)
        }
    metadata["resourceAttributes"] = span.resource
    metadata["scope"] = {
        **{key: value for key, value in scope.items() if value is not None},
        "attributes": span.scope.attributes,
    }
    return metadata


def _given_metadata(span: OtelSpan) -> Body:
    result: Body = {}
    for attributes in (span.resource, span.attributes):
        result.update(parsed_object(attributes.get(_METADATA)))
        result.update(below(attributes, _METADATA))
    return result


def _trace_metadata(span: OtelSpan) -> Body:
    return {
        **parsed_object(span.attributes.get(_TRACE_METADATA)),
        **below(span.attributes, _TRACE_METADATA),
        **_ai_sdk_metadata(span),
    }


def _observation_metadata(span: OtelSpan) -> Body:
    return {
        **parsed_object(span.attributes.get(_OBSERVATION_METADATA)),
        **below(span.attributes, _OBSERVATION_METADATA),
        **_ai_sdk_metadata(span),
    }


def _ai_sdk_metadata(span: OtelSpan) -> Body:
    return {
        key: value
        for key, value in below(span.attributes, _AI_SDK_METADATA).items()
        if key not in _AI_SDK_METADATA_FIELDS
    }


def _is_metadata(key: str) -> bool:
    return any(
        key == prefix or key.startswith(prefix + ".")
        for prefix in (_TRACE_METADATA, _OBSERVATION_METADATA, _AI_SDK_METADATA)
    )


# ------------------------------------------------------------------------------------- environment

_ENVIRONMENT_KEYS = (
    "langfuse.environment",
    "deployment.environment.name",
    "deployment.environment",
)


def environment_of(span: OtelSpan) -> str:
    return repaired(
        text(span.attributes, _ENVIRONMENT_KEYS)
        or text(span.resource, _ENVIRONMENT_KEYS)
        or _failed_evaluator(span)
        or ""
    )


def _failed_evaluator(span: OtelSpan) -> Optional[str]:
    """A request that failed leaves of Langfuse's own evaluators only what OpenRouter echoes."""
    attributes = span.attributes
    if (span.resource.get("service.name"), attributes.get("openrouter.source")) != (
        "openrouter",
        "openrouter",
    ):
        return None
    completion = parsed_object(attributes.get("gen_ai.completion"))
    if "completion" not in completion or completion["completion"] is not None:
        return None
    trace = parsed_object(parsed_object(completion.get("rawRequest")).get("trace"))
    environment = trace.get("environment")
    is_own = isinstance(environment, str) and environment.startswith("langfuse-")
    return environment if is_own else None
