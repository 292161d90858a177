"""The methods of the client that read: `api`, and the fetch_... and get_... of SDK v2."""

from typing import TYPE_CHECKING, Any

from ._api import AsyncLangfuseAPI, LangfuseAPI
from ._models import (
    ObservationsView,
    One,
    Page,
    Session,
    SessionWithTraces,
    TraceWithDetails,
    TraceWithFullDetails,
)

if TYPE_CHECKING:
    from ._client import Langfuse


class ReadingClient:
    _api: LangfuseAPI
    _async_api: AsyncLangfuseAPI

    @property
    def api(self) -> LangfuseAPI:
        """Reads the file: trace, observations, sessions, scores."""
        try:
            return self._api
        except AttributeError:
            self._api = LangfuseAPI(_client_of(self))
            return self._api

    @property
    def async_api(self) -> AsyncLangfuseAPI:
        """The same with methods to await."""
        try:
            return self._async_api
        except AttributeError:
            self._async_api = AsyncLangfuseAPI(_client_of(self))
            return self._async_api

    def fetch_trace(self, id: str) -> "One[TraceWithFullDetails]":
        """The trace, as `.data`. Raises NotFoundError."""
        return One(self.api.trace.get(id))

    def fetch_traces(self, **filters: Any) -> "Page[TraceWithDetails]":
        """A page of traces: filters are those of api.trace.list."""
        return self.api.trace.list(**filters)

    def fetch_observation(self, id: str) -> "One[ObservationsView]":
        """The observation, as `.data`. Raises NotFoundError."""
        return One(self.api.observations.get(id))

    def fetch_observations(self, **filters: Any) -> "Page[ObservationsView]":
        """A page of observations: filters are those of api.observations.get_many."""
        return self.api.observations.get_many(**filters)

    def fetch_session(self, id: str) -> "One[SessionWithTraces]":
        """The session with its traces, as `.data`. Raises NotFoundError."""
        return One(self.api.sessions.get(id))

    def fetch_sessions(self, **filters: Any) -> "Page[Session]":
        """A page of sessions: filters are those of api.sessions.list."""
        return self.api.sessions.list(**filters)

    def get_trace(self, id: str) -> TraceWithFullDetails:
        return self.api.trace.get(id)

    def get_traces(self, **filters: Any) -> "Page[TraceWithDetails]":
        return self.api.trace.list(**filters)

    def get_observation(self, id: str) -> ObservationsView:
        return self.api.observations.get(id)

    def get_observations(self, **filters: Any) -> "Page[ObservationsView]":
        return self.api.observations.get_many(**filters)

    def get_generations(self, **filters: Any) -> "Page[ObservationsView]":
        return self.api.observations.get_many(type="GENERATION", **filters)


def _client_of(client: Any) -> "Langfuse":
    found: "Langfuse" = client
    return found
