"""The surface of Langfuse's SDK v2: traces, spans, generations and events as handles.

Nothing here looks at the current observation: a handle's children are begun from it.
"""

import importlib
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, TypeVar

from ._arguments import fields_of
from ._ids import checked_id, new_trace_id
from ._observation import LangfuseObservationWrapper, begin
from ._trace import TraceState
from ._warn import warn_once

if TYPE_CHECKING:
    from ._client import Langfuse

_S = TypeVar("_S", bound="StatefulClient")


class StatefulClient:
    """A trace or an observation that can be added to by its handle."""

    client: "Langfuse"
    id: str
    trace_id: str

    def _state(self) -> TraceState:
        raise NotImplementedError

    def _parent_id(self) -> Optional[str]:
        raise NotImplementedError

    def span(self, **fields: Any) -> "StatefulSpanClient":
        """Begins a span below this. Fields: id, name, start_time, end_time, metadata, input, output,
        level, status_message, version."""
        return StatefulSpanClient(self._begin("span", fields))

    def generation(self, **fields: Any) -> "StatefulGenerationClient":
        """As span, and completion_start_time, model, model_parameters, usage, usage_details,
        cost_details, prompt."""
        return StatefulGenerationClient(self._begin("generation", fields))

    def event(self, **fields: Any) -> "StatefulSpanClient":
        """Records a point in time below this."""
        return StatefulSpanClient(self._begin("event", fields))

    def score(self: _S, *, name: str, value: Any, id: Optional[str] = None, **others: Any) -> _S:
        """Scores this. Returns itself."""
        self.client.create_score(
            name=name,
            value=value,
            score_id=id,
            trace_id=self.trace_id,
            observation_id=self._parent_id(),
            **others,
        )
        return self

    def get_trace_url(self) -> Optional[str]:
        return self.client.get_trace_url(trace_id=self.trace_id)

    def get_langchain_handler(self, update_parent: bool = False) -> Any:
        """A callback handler for LangChain that records below this."""
        try:
            module = importlib.import_module(f"{__package__}.callback")
        except ImportError:
            warn_once("callback", "there is no handler for LangChain yet")
            return None
        return module.CallbackHandler(stateful_client=self, update_stateful_client=update_parent)

    def _begin(self, kind: str, fields: Dict[str, Any]) -> LangfuseObservationWrapper:
        return begin_older(self.client, kind, fields, self._state(), self._parent_id())


class StatefulTraceClient(StatefulClient):
    """A trace."""

    def __init__(self, client: "Langfuse", id: str) -> None:
        self.client = client
        self.id = self.trace_id = id
        self._trace = TraceState(id)

    def __repr__(self) -> str:
        return f"<trace {self.id}>"

    def _state(self) -> TraceState:
        return self._trace

    def _parent_id(self) -> Optional[str]:
        return None

    def update(self, **fields: Any) -> "StatefulTraceClient":
        """Adds name, user_id, session_id, version, release, input, output, metadata, tags, public or
        timestamp. Returns itself."""
        if self.client.settings.enabled:
            self._trace.put(self.client, fields_of(self.client, fields))
        return self


class StatefulSpanClient(StatefulClient):
    """A span or an event."""

    def __init__(self, observation: LangfuseObservationWrapper) -> None:
        self.client = observation._client
        self.id = observation.id
        self.trace_id = observation.trace_id
        self.observation = observation

    def __repr__(self) -> str:
        return f"<observation {self.id} of trace {self.trace_id}>"

    @property
    def observation_id(self) -> str:
        return self.id

    def _state(self) -> TraceState:
        return self.observation._state

    def _parent_id(self) -> Optional[str]:
        return self.id

    def update(self: _S, **fields: Any) -> _S:
        """Adds to the observation. Returns itself."""
        _observation_of(self).update(**fields)
        return self

    def end(self: _S, **fields: Any) -> _S:
        """Ends the observation now, or at end_time, with last fields to add. Returns itself."""
        _observation_of(self).end_with(fields)
        return self


class StatefulGenerationClient(StatefulSpanClient):
    """A generation."""


def _observation_of(handle: Any) -> LangfuseObservationWrapper:
    observation: LangfuseObservationWrapper = handle.observation
    return observation


class OlderClient:
    """The methods that SDK v2 has on `Langfuse`."""

    def trace(self, *, id: Optional[str] = None, **fields: Any) -> StatefulTraceClient:
        """Begins or updates a trace. Fields: name, user_id, session_id, version, release, input,
        output, metadata, tags, timestamp, public."""
        trace_id = checked_id(id, "id") or new_trace_id()
        handle = StatefulTraceClient(_client_of(self), trace_id)
        return handle.update(**fields)

    def span(self, **fields: Any) -> StatefulSpanClient:
        """Begins a span in the trace trace_id, below parent_observation_id, or in a trace of its
        own."""
        return StatefulSpanClient(self._begin_older("span", fields))

    def generation(self, **fields: Any) -> StatefulGenerationClient:
        return StatefulGenerationClient(self._begin_older("generation", fields))

    def event(self, **fields: Any) -> StatefulSpanClient:
        return StatefulSpanClient(self._begin_older("event", fields))

    def score(
        self, *, name: str, value: Any, id: Optional[str] = None, **others: Any
    ) -> "OlderClient":
        """As create_score. Returns itself."""
        _client_of(self).create_score(name=name, value=value, score_id=id, **others)
        return self

    def join(self) -> None:
        """As flush."""
        _client_of(self).flush()

    def get_trace_id(self) -> Optional[str]:
        return _client_of(self).get_current_trace_id()

    def _begin_older(self, kind: str, fields: Dict[str, Any]) -> LangfuseObservationWrapper:
        fields = dict(fields)
        trace_id = checked_id(fields.pop("trace_id", None), "trace_id")
        parent_id = checked_id(fields.pop("parent_observation_id", None), "parent_observation_id")
        state = TraceState(trace_id or new_trace_id())
        return begin_older(_client_of(self), kind, fields, state, parent_id, trace_id is None)


def _client_of(client: Any) -> "Langfuse":
    found: "Langfuse" = client
    return found


def begin_older(
    client: "Langfuse",
    kind: str,
    given: Mapping[str, Any],
    state: TraceState,
    parent_id: Optional[str],
    is_new_trace: bool = False,
) -> LangfuseObservationWrapper:
    """Begins an observation where SDK v2 says, whatever is current."""
    fields = dict(given)
    name = fields.pop("name", None)
    id = checked_id(fields.pop("id", None), "id")
    own = checked_id(fields.pop("parent_observation_id", None), "parent_observation_id")
    parent_id = parent_id if own is None else own
    end_time = fields.pop("end_time", None)
    observation = begin(
        client, kind, name, fields, place=(state, parent_id, None), id=id, is_shown=is_new_trace
    )
    if end_time is not None:
        observation.end(end_time=end_time)
    return observation
