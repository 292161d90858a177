"""A finished span as the mapping sees it, read from OTLP/JSON or from OpenTelemetry's SDK.

Knows the two shapes that a span comes in; knows nothing of what its attributes mean.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

from ._errors import InvalidError
from ._values import UINT64_MAX

Attributes = Dict[str, Any]

_ERROR_CODES = (2, "2", "STATUS_CODE_ERROR")
_VALUE_TYPES: Dict[str, type] = {"stringValue": str, "boolValue": bool, "bytesValue": str}


@dataclass(frozen=True)
class OtelScope:
    """The library that made a span."""

    name: Optional[str]
    version: Optional[str]
    attributes: Attributes


@dataclass(frozen=True)
class OtelSpan:
    """A span. Ids are lowercase hexadecimal; attribute values are what JSON can say."""

    trace_id: str
    id: str
    parent_id: Optional[str]
    name: str
    start_ns: Optional[int]
    end_ns: Optional[int]
    attributes: Attributes
    events: Tuple[Tuple[str, Attributes], ...]
    is_error: bool
    status_message: Optional[str]
    scope: OtelScope
    resource: Attributes


# ------------------------------------------------------------------------------------- OTLP/JSON


def spans_of_otlp(document: Any) -> Iterator[OtelSpan]:
    """The spans of an OTLP/JSON export request. Raises InvalidError for what is none."""
    for i, resource_spans in enumerate(_list(_map(document, "document"), "resourceSpans", "")):
        where = f"resourceSpans[{i}]"
        resource = _part(_map(resource_spans, where), "resource", where)
        resource_attributes = _attributes(resource, f"{where}.resource")
        for j, scope_spans in enumerate(_list(resource_spans, "scopeSpans", where)):
            below = f"{where}.scopeSpans[{j}]"
            scope = _part(_map(scope_spans, below), "scope", below)
            made_by = OtelScope(
                _text(scope.get("name")),
                _text(scope.get("version")),
                _attributes(scope, f"{below}.scope"),
            )
            for k, span in enumerate(_list(scope_spans, "spans", below)):
                at = f"{below}.spans[{k}]"
                yield _span_of_otlp(_map(span, at), at, made_by, resource_attributes)


def _span_of_otlp(
    span: Mapping[str, Any], where: str, scope: OtelScope, resource: Attributes
) -> OtelSpan:
    status = _part(span, "status", where)
    events = tuple(
        (
            _text(_map(event, f"{where}.events[{i}]").get("name")) or "",
            _attributes(event, f"{where}.events[{i}]"),
        )
        for i, event in enumerate(_list(span, "events", where))
    )
    return OtelSpan(
        trace_id=_id(span.get("traceId"), 32, f"{where}.traceId"),
        id=_id(span.get("spanId"), 16, f"{where}.spanId"),
        parent_id=(
            _id(span.get("parentSpanId"), 16, f"{where}.parentSpanId")
            if span.get("parentSpanId")  # exporters write an empty one for a root
            else None
        ),
        name=_text(span.get("name")) or "",
        start_ns=_time(span.get("startTimeUnixNano"), f"{where}.startTimeUnixNano"),
        end_ns=_time(span.get("endTimeUnixNano"), f"{where}.endTimeUnixNano"),
        attributes=_attributes(span, where),
        events=events,
        is_error=status.get("code") in _ERROR_CODES,
        status_message=_text(status.get("message")),
        scope=scope,
        resource=resource,
    )


def _map(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidError(f"{where} must be an object", field=where)
    return value


def _part(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return {} if value is None else _map(value, f"{where}.{key}")


def _list(parent: Mapping[str, Any], key: str, where: str) -> Any:
    value = parent.get(key)
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        field = f"{where}.{key}" if where else key
        raise InvalidError(f"{field} must be an array", field=field)
    return value


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _id(value: Any, digits: int, where: str) -> str:
    if isinstance(value, str) and re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", value):
        return value.lower()
    raise InvalidError(f"{where} must be {digits} hexadecimal digits", field=where)


def _time(value: Any, where: str) -> Optional[int]:
    if value is None or value in (0, "0", ""):
        return None
    time_ns = _integer(value, where)
    if time_ns < 0:
        raise InvalidError(f"{where} must not be negative", field=where)
    return time_ns


def _integer(value: Any, where: str) -> int:
    # Proto3's JSON writes 64-bit integers as strings, and reads both.
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,20}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if -(2**63) <= value <= UINT64_MAX:
            return value
    raise InvalidError(f"{where} must be a whole number of 64 bits", field=where)


def _attributes(parent: Mapping[str, Any], where: str) -> Attributes:
    return _key_values(parent, "attributes", where)


def _key_values(parent: Mapping[str, Any], key: str, where: str) -> Attributes:
    result: Attributes = {}
    for i, pair in enumerate(_list(parent, key, where)):
        at = f"{where}.{key}[{i}]"
        name = _map(pair, at).get("key")
        if not isinstance(name, str):
            raise InvalidError(f"{at}.key must be text", field=f"{at}.key")
        result[name] = _value(pair.get("value"), f"{at}.value")
    return result


def _value(value: Any, where: str) -> Any:
    if value is None:
        return None
    for kind, content in _map(value, where).items():
        at = f"{where}.{kind}"
        if kind == "intValue":
            return _integer(content, at)
        if kind == "doubleValue":
            try:
                return _finite(float(content))
            except (TypeError, ValueError):
                raise InvalidError(f"{at} must be a number", field=at) from None
        if kind == "arrayValue":
            values = _list(_map(content, at), "values", at)
            return [_value(each, f"{at}.values[{i}]") for i, each in enumerate(values)]
        if kind == "kvlistValue":
            return _key_values(_map(content, at), "values", at)
        if kind in _VALUE_TYPES:
            if not isinstance(content, _VALUE_TYPES[kind]):
                raise InvalidError(f"{at} must be {_VALUE_TYPES[kind].__name__}", field=at)
            return content
    return None


def _finite(number: float) -> Any:
    """The number as JavaScript, which Langfuse is written in, would write it: whole ones without
    a fraction, and as text what JSON has no word for."""
    if not math.isfinite(number):
        return float.__repr__(number)
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


# ---------------------------------------------------------------------------- OpenTelemetry's SDK


def span_of_sdk(span: Any) -> OtelSpan:
    """A ReadableSpan of opentelemetry.sdk, or what has its attributes."""
    context = span.context
    parent = span.parent
    status = span.status
    scope = getattr(span, "instrumentation_scope", None)
    return OtelSpan(
        trace_id=f"{context.trace_id:032x}",
        id=f"{context.span_id:016x}",
        parent_id=f"{parent.span_id:016x}" if parent is not None and parent.span_id else None,
        name=str(span.name),
        start_ns=span.start_time,
        end_ns=span.end_time,
        attributes=_plain_map(span.attributes),
        events=tuple((event.name, _plain_map(event.attributes)) for event in span.events or ()),
        is_error=status is not None and status.status_code.name == "ERROR",
        status_message=status.description if status is not None else None,
        scope=OtelScope(
            getattr(scope, "name", None),
            getattr(scope, "version", None),
            _plain_map(getattr(scope, "attributes", None)),
        ),
        resource=_plain_map(getattr(span.resource, "attributes", None)),
    )


def _plain_map(values: Optional[Mapping[Any, Any]]) -> Attributes:
    return {str(key): _plain(value) for key, value in (values or {}).items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return _plain_map(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value)
