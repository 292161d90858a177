"""The client: what Langfuse's SDK v3 and v4 call `Langfuse`, over one local file."""

import math
import os
import threading
from typing import Any, Dict, List, Mapping, Optional, Union

from .._fields import Draft
from . import _values
from ._context import here
from ._fetch import ReadingClient
from ._ids import checked_id, new_observation_id, new_trace_id
from ._ids import observation_id_of_seed, trace_id_of_seed
from ._manager import ObservationManager
from ._observation import LangfuseObservationWrapper, begin
from ._older import OlderClient
from ._recorder import Recorder, drain_all, recorder_of
from ._serialize import masked
from ._settings import Mask, Settings, repaired_environment, settings_of
from ._signals import drain_on_sigterm
from ._warn import shown, warn_once

# Arguments of Langfuse's constructors that say nothing without a server.
_UNUSED = frozenset(
    {
        "base_url",
        "timeout",
        "httpx_client",
        "flush_at",
        "flush_interval",
        "media_upload_thread_count",
        "blocked_instrumentation_scopes",
        "should_export_span",
        "additional_headers",
        "tracer_provider",
        "span_exporter",
        "mask_otel_spans",
        "threads",
        "max_retries",
        "sdk_integration",
        "id_generator",
    }
)


class Langfuse(OlderClient, ReadingClient):
    """Records into one file: `path`, else TRACELITE_PATH, else tracelite.tl in the working folder.

    Keys and host are accepted and unused. environment, release, sample_rate, tracing_enabled, mask
    and debug are as in Langfuse, and so are their environment variables. What is not given is taken
    from the client that the program made before, and the newest client is the one that `observe`
    and `get_client` use. Nothing here raises: what cannot be recorded is logged, once.
    """

    def __init__(
        self,
        public_key: Optional[str] = None,
        secret_key: Optional[str] = None,
        host: Optional[str] = None,
        release: Optional[str] = None,
        debug: bool = False,
        *,
        path: Optional[Any] = None,
        tracing_enabled: Optional[bool] = None,
        enabled: Optional[bool] = None,
        environment: Optional[str] = None,
        sample_rate: Optional[float] = None,
        mask: Optional[Mask] = None,
        **unused: Any,
    ) -> None:
        base = registered(public_key)
        for name in unused:
            if name not in _UNUSED:
                warn_once(
                    ("client", name), "Langfuse(%s=...) is not known, and has no effect", name
                )
        self._setup(
            settings_of(
                path=path,
                environment=environment,
                release=release,
                sample_rate=sample_rate,
                enabled=tracing_enabled
                if enabled is None
                else enabled and tracing_enabled is not False,
                mask=mask,
                debug=debug,
                base=None if base is None else base.settings,
            )
        )
        _register(public_key, self)

    def _setup(self, settings: Settings) -> None:
        self.settings = settings
        self._drafts: Dict[Any, Draft] = {}
        self.recorder: Recorder = recorder_of(settings.path, settings.sample_rate)
        if settings.enabled:
            drain_on_sigterm(drain_all)

    @classmethod
    def with_settings(cls, settings: Settings) -> "Langfuse":
        """A client that is nobody's default: of a callback handler, for example."""
        client = cls.__new__(cls)
        client._setup(settings)
        return client

    def __repr__(self) -> str:
        return f"<Langfuse {self.settings.path!r}>"

    # -- observations

    def start_observation(
        self,
        *,
        trace_context: Optional[Mapping[str, Any]] = None,
        name: str,
        as_type: str = "span",
        **fields: Any,
    ) -> LangfuseObservationWrapper:
        """Begins an observation, which `end` ends: below the current one, or where trace_context
        says (trace_id, parent_span_id). It does not become current.

        Fields: input, output, metadata, version, level, status_message, completion_start_time,
        model, model_parameters, usage_details, cost_details, prompt.
        """
        return begin(self, as_type, name, fields, trace_context=trace_context)

    def start_as_current_observation(
        self,
        *,
        trace_context: Optional[Mapping[str, Any]] = None,
        name: str,
        as_type: str = "span",
        end_on_exit: Optional[bool] = None,
        **fields: Any,
    ) -> ObservationManager:
        """As start_observation, current within a `with` block and ended by it."""
        return ObservationManager(self, as_type, name, fields, trace_context, None, end_on_exit)

    def start_span(self, name: str, **fields: Any) -> LangfuseObservationWrapper:
        return self.start_observation(name=name, as_type="span", **fields)

    def start_generation(self, name: str, **fields: Any) -> LangfuseObservationWrapper:
        return self.start_observation(name=name, as_type="generation", **fields)

    def start_as_current_span(self, name: str, **fields: Any) -> ObservationManager:
        return self.start_as_current_observation(name=name, as_type="span", **fields)

    def start_as_current_generation(self, name: str, **fields: Any) -> ObservationManager:
        return self.start_as_current_observation(name=name, as_type="generation", **fields)

    def create_event(
        self,
        *,
        trace_context: Optional[Mapping[str, Any]] = None,
        name: str,
        **fields: Any,
    ) -> LangfuseObservationWrapper:
        """Records a point in time below the current observation, or where trace_context says."""
        return begin(self, "event", name, fields, trace_context=trace_context)

    # -- the current observation and its trace

    def update_current_span(self, **fields: Any) -> None:
        """As the current observation's `update`."""
        observation = _current("update_current_span")
        if observation is not None:
            observation.update(**fields)

    def update_current_generation(self, **fields: Any) -> None:
        observation = _current("update_current_generation")
        if observation is not None:
            observation.update(**fields)

    def update_current_trace(self, **fields: Any) -> None:
        """Adds name, user_id, session_id, version, input, output, metadata, tags or public to the
        trace of the current observation."""
        observation = _current("update_current_trace")
        if observation is not None:
            observation.update_trace(**fields)

    def set_current_trace_io(
        self, *, input: Optional[Any] = None, output: Optional[Any] = None
    ) -> None:
        self.update_current_trace(input=input, output=output)

    def set_current_trace_as_public(self) -> None:
        self.update_current_trace(public=True)

    def get_current_trace_id(self) -> Optional[str]:
        observation = here().observation
        return None if observation is None else observation.trace_id

    def get_current_observation_id(self) -> Optional[str]:
        observation = here().observation
        return None if observation is None else observation.id

    # -- scores

    def create_score(
        self,
        *,
        name: str,
        value: Union[float, str],
        session_id: Optional[str] = None,
        dataset_run_id: Optional[str] = None,
        trace_id: Optional[str] = None,
        observation_id: Optional[str] = None,
        score_id: Optional[str] = None,
        data_type: Optional[str] = None,
        comment: Optional[str] = None,
        config_id: Optional[str] = None,
        metadata: Optional[Any] = None,
        timestamp: Optional[Any] = None,
        environment: Optional[str] = None,
        **others: Any,
    ) -> None:
        """Scores a trace (trace_id), an observation (trace_id and observation_id) or a session
        (session_id). With the score_id of an earlier score it replaces that."""
        for other in others:
            warn_once(("score", other), "create_score(%s=...) is not known", other)
        if dataset_run_id is not None:
            warn_once("dataset_run_id", "a score of a dataset run is not kept: there are none")
        if not self.settings.enabled:
            return
        attributes = here().attributes
        if environment is None and attributes is not None:
            environment = attributes.environment
        environment = self.settings.environment if environment is None else environment
        fields: Dict[str, Any] = {
            "id": checked_id(score_id, "score_id"),
            "name": _values.text(name, "name"),
            "trace_id": checked_id(trace_id, "trace_id"),
            "observation_id": checked_id(observation_id, "observation_id"),
            "metadata": masked(metadata, self.settings.mask),
        }
        for field, given, convert in (
            ("value", value, _score_value),
            ("data_type", data_type, _data_type),
            ("comment", comment, _values.text),
            ("config_id", config_id, _values.text),
            ("timestamp", timestamp, _values.time_ns),
            ("environment", environment, _environment),
        ):
            try:
                fields[field] = None if given is None else convert(given, field)
            except Exception as error:
                warn_once(("score", field), "%s was dropped: %s", field, type(error).__name__)
        if fields["trace_id"] is None:  # of a trace and a session the trace is meant
            if observation_id is not None:
                return warn_once("score trace", "a score of an observation needs its trace_id")
            if session_id is not None:
                fields["session_id"] = _values.short(session_id, "session_id")
            if fields.get("session_id") is None:
                return warn_once("score", "a score of nothing was dropped: %s", name)
        self.recorder.put_score(fields)

    def score_current_span(self, *, name: str, value: Union[float, str], **others: Any) -> None:
        """Scores the current observation; others are those of create_score."""
        observation = _current("score_current_span")
        if observation is not None:
            observation.score(name=name, value=value, **others)

    def score_current_trace(self, *, name: str, value: Union[float, str], **others: Any) -> None:
        observation = _current("score_current_trace")
        if observation is not None:
            observation.score_trace(name=name, value=value, **others)

    # -- ids

    @staticmethod
    def create_trace_id(*, seed: Optional[str] = None) -> str:
        """A new trace id; the same one for the same seed."""
        return new_trace_id() if seed is None else trace_id_of_seed(seed)

    @staticmethod
    def create_observation_id(*, seed: Optional[str] = None) -> str:
        """A new observation id; the same one for the same seed."""
        return new_observation_id() if seed is None else observation_id_of_seed(seed)

    def get_trace_url(self, *, trace_id: Optional[str] = None) -> Optional[str]:
        """The file and the trace in it; there is no page to visit."""
        trace_id = trace_id or self.get_current_trace_id()
        return None if trace_id is None else f"file://{self.settings.path}?trace={trace_id}"

    # -- the file

    def flush(self) -> None:
        """Returns when everything that was recorded is durable."""
        self.recorder.flush()

    def shutdown(self) -> None:
        """Makes everything durable and closes the file. A later record opens it again."""
        self.recorder.close()

    def auth_check(self) -> bool:
        """Whether the file can be recorded into."""
        return self.recorder.store() is not None


def _current(what: str) -> Optional[LangfuseObservationWrapper]:
    observation = here().observation
    if observation is None:
        warn_once(what, "%s: there is no current observation", what)
    return observation


def _score_value(value: Any, field: str) -> Union[float, str, None]:
    if isinstance(value, str):
        return _values.text(value, field)
    if isinstance(value, bool):
        return value
    try:  # a Decimal and a number of numpy, too
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _values.text(value, field)
    if math.isfinite(number):
        return number
    warn_once("score value", "a score was dropped: its value is %s", str(number))
    return None


def _data_type(data_type: Any, field: str) -> Optional[str]:
    word = str(getattr(data_type, "value", data_type)).upper()
    if word in ("NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"):
        return word
    warn_once((field, word), "%s was dropped: %s is none", field, shown(data_type))
    return None


def _environment(environment: object, field: str) -> Optional[str]:
    return repaired_environment(environment)


# --------------------------------------------------------------------------- clients by their key

_clients: Dict[Optional[str], Langfuse] = {}
_newest: List[Langfuse] = []
_clients_lock = threading.RLock()

if hasattr(os, "register_at_fork"):
    # Held over a fork: the child would wait forever for a thread that it does not have.
    os.register_at_fork(
        before=_clients_lock.acquire,
        after_in_parent=_clients_lock.release,
        after_in_child=_clients_lock.release,
    )


def registered(public_key: Optional[str]) -> Optional[Langfuse]:
    try:
        if public_key is not None and public_key in _clients:
            return _clients[public_key]
    except Exception:  # no key at all
        pass
    return _newest[0] if _newest else None


def _register(public_key: Optional[str], client: Langfuse) -> None:
    with _clients_lock:
        _newest[:] = [client]
        if type(public_key) is str:
            _clients[public_key] = client


def get_client(*, public_key: Optional[str] = None) -> Langfuse:
    """The client with this key, else the newest one, else one that the environment describes."""
    if public_key is None:
        try:
            return _newest[0]
        except IndexError:
            pass
    with _clients_lock:
        found = registered(public_key)
        return Langfuse() if found is None else found


def forget_clients() -> None:
    """Lets the next `get_client` make a new one; for tests."""
    with _clients_lock:
        _clients.clear()
        _newest.clear()
