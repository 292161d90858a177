"""Names of types that Langfuse's users write into their annotations."""

from typing import Any, List, Optional, TypedDict, Union

__all__ = ["MapValue", "MaskFunction", "ScoreDataType", "SpanLevel", "TraceContext"]

SpanLevel = str  # "DEBUG", "DEFAULT", "WARNING" or "ERROR"
ScoreDataType = str  # "NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT" or "CORRECTION"
ObservationTypeLiteral = str
MapValue = Union[Optional[str], Optional[int], Optional[bool], Optional[List[str]]]
MaskFunction = Any  # called as mask(data=...)


class TraceContext(TypedDict, total=False):
    """Where an observation begins, if not below the current one."""

    trace_id: str
    parent_span_id: Optional[str]
