"""The names that programs import from `langfuse.api`: errors, and the types of what reading gives."""

from .._api import AsyncLangfuseAPI, LangfuseAPI
from .._api_errors import (
    AccessDeniedError,
    ApiError,
    Error,
    MethodNotAllowedError,
    NotFoundError,
    UnauthorizedError,
)
from .._models import (
    DeleteTraceResponse,
    MetaResponse,
    Observation,
    ObservationLevel,
    ObservationsView,
    Page,
    Score,
    ScoreDataType,
    ScoreSource,
    Session,
    SessionWithTraces,
    Trace,
    TraceWithDetails,
    TraceWithFullDetails,
    Usage,
)

__all__ = [
    "AccessDeniedError",
    "ApiError",
    "AsyncLangfuseAPI",
    "DeleteTraceResponse",
    "Error",
    "LangfuseAPI",
    "MetaResponse",
    "MethodNotAllowedError",
    "NotFoundError",
    "Observation",
    "ObservationLevel",
    "ObservationsView",
    "Page",
    "Score",
    "ScoreDataType",
    "ScoreSource",
    "Session",
    "SessionWithTraces",
    "Trace",
    "TraceWithDetails",
    "TraceWithFullDetails",
    "UnauthorizedError",
    "Usage",
]
