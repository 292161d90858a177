"""Spans for the tests, as OpenTelemetry's SDK and as OTLP/JSON have them."""

import enum
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

from support import SECOND, T0

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def otlp_value(value: Any) -> Dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [otlp_value(each) for each in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": otlp_attributes(value)}}
    return {"stringValue": value}


def otlp_attributes(attributes: Any) -> List[Any]:
    """A list of pairs is one already, however wrong."""
    if isinstance(attributes, list):
        return attributes
    return [{"key": key, "value": otlp_value(value)} for key, value in attributes.items()]


def otlp_span(attributes: Any = None, id: str = SPAN, **fields: Any) -> Dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": id,
        "name": "work",
        "kind": 1,
        "startTimeUnixNano": str(T0),
        "endTimeUnixNano": str(T0 + SECOND),
        "attributes": otlp_attributes(attributes or {}),
        **fields,
    }


def otlp_document(
    *spans: Dict[str, Any],
    resource: Optional[Dict[str, Any]] = None,
    scope: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": otlp_attributes(resource or {})},
                "scopeSpans": [{"scope": scope or {"name": "tests"}, "spans": list(spans)}],
            }
        ]
    }


# ------------------------------------------------------ stand-ins for the classes of the Python SDK


class StatusCode(enum.Enum):
    UNSET = 0
    OK = 1
    ERROR = 2


@dataclass
class Status:
    status_code: StatusCode = StatusCode.UNSET
    description: Optional[str] = None


@dataclass
class SpanContext:
    trace_id: int
    span_id: int


@dataclass
class Event:
    name: str
    attributes: Dict[str, Any]
    timestamp: int = T0


@dataclass
class Scope:
    name: str = "tests"
    version: Optional[str] = None
    attributes: Optional[Dict[str, Any]] = None


@dataclass
class Resource:
    attributes: Dict[str, Any] = field(default_factory=dict)


@dataclass
class ReadableSpan:
    """What the exporter reads of opentelemetry.sdk.trace.ReadableSpan."""

    name: str = "work"
    context: SpanContext = field(default_factory=lambda: SpanContext(int(TRACE, 16), int(SPAN, 16)))
    parent: Optional[SpanContext] = None
    start_time: Optional[int] = T0
    end_time: Optional[int] = T0 + SECOND
    attributes: Optional[Dict[str, Any]] = None
    events: Sequence[Event] = ()
    status: Status = field(default_factory=Status)
    instrumentation_scope: Optional[Scope] = field(default_factory=Scope)
    resource: Resource = field(default_factory=Resource)
