"""For those who already trace with OpenTelemetry: their spans, in a tracelite file.

    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from tracelite.opentelemetry import TraceliteSpanExporter

    provider.add_span_processor(BatchSpanProcessor(TraceliteSpanExporter("day.tl")))

A span becomes an observation, by the mapping that Langfuse's server has for the attributes of
OpenTelemetry's GenAI conventions, OpenInference, TraceLoop, OpenLIT, the AI SDK, Pydantic AI,
Logfire, MLflow, Genkit, LiveKit, Google's ADK and Langfuse's own SDKs. `events_of_otlp` does the
same for spans that are in OTLP/JSON. OpenTelemetry's packages are used where they are installed.
"""

from __future__ import annotations

import enum
import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Union

from ._errors import ForkedError, InvalidError, MisuseError, TraceliteError
from ._events import ImportReport, Path
from ._otel_mapping import events_of_spans
from ._otel_span import span_of_sdk, spans_of_otlp
from ._store import Store
from .traceparent import Traceparent, format_traceparent, parse_traceparent

__all__ = [
    "Traceparent",
    "TraceliteSpanExporter",
    "events_of_otlp",
    "format_traceparent",
    "parse_traceparent",
]

_logger = logging.getLogger("tracelite")


class _ExportResult(enum.Enum):
    """Stands in for SpanExportResult where OpenTelemetry is not installed."""

    SUCCESS = 0
    FAILURE = 1


if TYPE_CHECKING:  # a type checker need not have OpenTelemetry either
    _Exporter = object
    _Result: Any = _ExportResult
else:
    try:
        from opentelemetry.sdk.trace.export import SpanExporter as _Exporter
        from opentelemetry.sdk.trace.export import SpanExportResult as _Result
    except ImportError:
        _Exporter, _Result = object, _ExportResult

_SHUTDOWN_TIMEOUT_S = 30.0


def events_of_otlp(document: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """The ingestion events of an OTLP/JSON document (`{"resourceSpans": [...]}`), as
    Store.import_events takes them. Raises InvalidError, which names the part that is wrong."""
    try:
        return events_of_spans(spans_of_otlp(document))
    except RecursionError:
        raise InvalidError("the document is nested too deeply", field="document") from None


class TraceliteSpanExporter(_Exporter):
    """Writes finished spans into a store: a SpanExporter of OpenTelemetry's SDK.

    Given a path it opens a store of its own, closes it at shutdown, and opens it again in a child
    process after a fork. A store that is given stays open; shut the provider down before the
    program exits, because at exit the store may be closed first, and the last spans are lost then.
    Spans are durable when `export` returns, so it belongs into a BatchSpanProcessor, whose thread
    can wait for the disk. It never raises.
    """

    def __init__(self, store: Union[Store, Path]) -> None:
        self._lock = threading.Lock()
        self._path: Optional[str] = None
        if isinstance(store, Store):
            self._store = store
        else:
            self._store = Store(store)
            # Opened again, it is the same file, wherever the program has gone.
            self._path = os.path.abspath(self._store.path)
        self._process = os.getpid()
        self._is_shut_down = False
        self._warned: Set[str] = set()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_new_lock_of(self))

    def export(self, spans: Sequence[Any]) -> Any:
        """Records the spans. SUCCESS if every one of them is in the file, else FAILURE, with the
        reason in the log."""
        if self._is_shut_down:
            self._warn("shut down", "spans that were exported after shutdown are lost")
            return _Result.FAILURE
        events: List[Dict[str, Any]] = []
        lost_count = 0
        for span in spans:
            try:
                events += events_of_spans([span_of_sdk(span)])
            except Exception as error:  # one bad span must not spoil its neighbours
                lost_count += 1
                self._warn(type(error).__name__, f"a span is lost: {error!r}")
        try:
            report = self._import(events)
        except Exception as error:
            self._warn(type(error).__name__, f"spans are lost: {error!r}")
            return _Result.FAILURE
        for outcome in report.failures:
            self._warn(
                f"{outcome.reason} {outcome.field}",
                f"an event of a span is refused: {outcome.field}: {outcome.message}",
            )
        return _Result.FAILURE if lost_count or report.failed_count else _Result.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Waits until everything that was recorded in the store is durable. False if the time has
        run out, or the disk refuses."""
        if self._is_shut_down or (self._path is not None and self._store.closed):
            return True
        try:
            self._store.flush(timeout_millis / 1000)
        except ForkedError:  # the parent's; nothing was recorded here
            return True
        except TraceliteError as error:
            self._warn(error.status.name, f"flushing: {error}")
            return False
        return True

    def shutdown(self) -> None:
        """Closes the store if it was opened here, else flushes it."""
        with self._lock:
            if self._is_shut_down:
                return
            self._is_shut_down = True
            try:
                if self._path is None:
                    self._store.flush(_SHUTDOWN_TIMEOUT_S)
                else:
                    self._store.close(_SHUTDOWN_TIMEOUT_S)
            except TraceliteError as error:
                self._warn(error.status.name, f"closing: {error}")

    def _import(self, events: List[Dict[str, Any]]) -> ImportReport:
        with self._lock:
            if self._is_shut_down:  # by another thread, meanwhile
                raise MisuseError("the exporter is shut down")
            # At exit tracelite closes what is open, maybe before the provider exports the rest.
            if self._path is not None and (os.getpid() != self._process or self._store.closed):
                self._store = Store(self._path)
                self._process = os.getpid()
            store = self._store
        return store.import_events(events)

    def _warn(self, reason: str, message: str) -> None:
        """Logs the first of a kind; a long run may have millions."""
        if reason not in self._warned:
            self._warned.add(reason)
            _logger.warning("OpenTelemetry: %s", message)


def _new_lock_of(exporter: TraceliteSpanExporter) -> Callable[[], None]:
    """For a child process: another thread of the parent may have held the lock."""
    reference = weakref.ref(exporter)

    def renew() -> None:
        found = reference()
        if found is not None:
            found._lock = threading.Lock()

    return renew
