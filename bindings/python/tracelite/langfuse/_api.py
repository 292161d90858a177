"""`client.api`: reading by the names and arguments of Langfuse's API client, SDK v2, v3 and v4.

Each method flushes what was recorded, reads one state of the file, and returns models of _models.
"""

import asyncio
from datetime import datetime
from functools import partial
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from .._values import Time
from . import _reading
from ._models import (
    DeleteTraceResponse,
    ObservationsView,
    Page,
    Score,
    Session,
    SessionWithTraces,
    TraceWithDetails,
    TraceWithFullDetails,
)
from ._reading import Keep, Places, refused
from ._values import time_ns

if TYPE_CHECKING:
    from ._client import Langfuse

Words = Union[str, Sequence[str], None]
When = Union[datetime, str, int, None]

# Arguments that change nothing here.
_UNUSED = frozenset({"request_options", "expand_metadata", "parse_io_as_json", "start_time"})


class Resource:
    """What the parts of the API have in common."""

    def __init__(self, client: "Langfuse", places: Places) -> None:
        self._client = client
        self._places = places

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._client!r}>"


def _times(begin: When, end: When) -> Dict[str, Optional[Time]]:
    return {"from_time": _time(begin), "to_time": _time(end)}


def _time(value: When) -> Optional[int]:
    if value is None:
        return None
    found = time_ns(value, "time")
    if found is None:
        raise refused(f"{value!r} is no time: give a datetime, or a text such as ISO 8601 has it")
    return found


def _words(value: Words) -> List[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _listed(value: Words) -> Optional[Set[str]]:
    """The members of a list, or of a text with commas between them."""
    if value is None:
        return None
    each = value.split(",") if isinstance(value, str) else value
    return {word.strip() for word in each}


class _Conditions:
    """What a list is asked for: what the library filters by, and what is left to look at here."""

    def __init__(self, **query: Any) -> None:
        self.query = {name: value for name, value in query.items() if value is not None}
        self._rest: List[Tuple[Any, Keep]] = []

    def environments(self, given: Words) -> None:
        """One of these."""
        wanted = _words(given)
        if len(wanted) == 1:
            self.query["environment"] = wanted[0]
        elif wanted:
            self.one_of("environment", wanted)

    def one_of(self, name: str, wanted: Optional[Iterable[str]]) -> None:
        if wanted is not None:
            found = frozenset(wanted)
            self.also((name, found), lambda row: getattr(row, name) in found)

    def also(self, key: Any, keep: Keep) -> None:
        self._rest.append((key, keep))

    @property
    def keep(self) -> Optional[Keep]:
        if not self._rest:
            return None
        each = [keep for _, keep in self._rest]
        return lambda row: all(keep(row) for keep in each)

    def key(self) -> Any:
        return repr(sorted(self.query.items())), repr([key for key, _ in self._rest])


def _checked(others: Dict[str, Any]) -> None:
    for name, value in others.items():
        if name not in _UNUSED and value is not None:
            raise refused(f"{name} is not supported here")


# -------------------------------------------------------------------------------------- traces


class TraceClient(Resource):
    def get(
        self, trace_id: str, *, fields: Optional[str] = None, **others: Any
    ) -> TraceWithFullDetails:
        """The trace with its observations and scores. fields: which of core, io, observations,
        scores and metrics. Raises NotFoundError."""
        _checked(others)
        with _reading.reading(self._client) as (reader, _):
            return _reading.full_trace(self._client, reader, trace_id, _reading.groups_of(fields))

    def list(
        self,
        *,
        page: Optional[int] = None,
        limit: Optional[int] = None,
        user_id: Optional[str] = None,
        name: Optional[str] = None,
        session_id: Optional[str] = None,
        from_timestamp: When = None,
        to_timestamp: When = None,
        order_by: Optional[str] = None,
        tags: Words = None,
        version: Optional[str] = None,
        release: Optional[str] = None,
        environment: Words = None,
        fields: Optional[str] = None,
        **others: Any,
    ) -> "Page[TraceWithDetails]":
        """Traces, the newest first: all of the tags, one of the environments, from_timestamp
        included, to_timestamp not. order_by is a field with .asc or .desc; fields as for get."""
        _checked(others)
        groups = _reading.groups_of(fields)
        order, sort = _reading.order_of(order_by)
        conditions = _Conditions(
            user_id=user_id,
            name=name,
            session_id=session_id,
            tags=_words(tags) or None,
            version=version,
            release=release,
            **_times(from_timestamp, to_timestamp),
            **order,
        )
        conditions.environments(environment)
        with _reading.reading(self._client) as (reader, commit):
            return _reading.page_of(
                reader.traces,
                conditions.query,
                partial(_reading.trace_with_details, self._client, reader, groups=groups),
                page=page,
                limit=limit,
                keep=conditions.keep,
                sort=sort,
                places=self._places,
                place_key=("traces", commit, conditions.key()),
            )

    def delete(self, trace_id: str, **others: Any) -> DeleteTraceResponse:
        """Deletes the trace with its observations and scores."""
        return self.delete_multiple(trace_ids=[trace_id], **others)

    def delete_multiple(self, *, trace_ids: Sequence[str], **others: Any) -> DeleteTraceResponse:
        _checked(others)
        with _reading.reading(self._client):
            store = self._client.recorder.store()
            if store is None:
                raise refused(f"{self._client.settings.path} cannot be written")
            for trace_id in trace_ids:
                store.delete(trace_id=trace_id)
        return DeleteTraceResponse(f"deleted {len(trace_ids)} traces")


# -------------------------------------------------------------------------------- observations


class ObservationsClient(Resource):
    def get(self, observation_id: str, **others: Any) -> ObservationsView:
        """The observation. Raises NotFoundError."""
        _checked(others)
        with _reading.reading(self._client) as (reader, _):
            return _reading.observation_view(reader.get_observation(observation_id))

    def get_many(
        self,
        *,
        page: Optional[int] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
        name: Optional[str] = None,
        user_id: Optional[str] = None,
        type: Optional[str] = None,
        trace_id: Optional[str] = None,
        level: Optional[str] = None,
        parent_observation_id: Optional[str] = None,
        environment: Words = None,
        from_start_time: When = None,
        to_start_time: When = None,
        version: Optional[str] = None,
        fields: Optional[str] = None,
        **others: Any,
    ) -> "Page[ObservationsView]":
        """Observations, the newest first, by pages or by cursor. All fields are always given."""
        _checked(others)
        conditions = _Conditions(
            name=name,
            user_id=user_id,
            type=type,
            trace_id=trace_id,
            level=level,
            version=version,
            **_times(from_start_time, to_start_time),
        )
        conditions.environments(environment)
        if parent_observation_id is not None:
            conditions.one_of("parent_observation_id", [parent_observation_id])
        with _reading.reading(self._client) as (reader, commit):
            return _reading.page_of(
                reader.observations,
                conditions.query,
                _reading.observation_view,
                page=page,
                limit=limit,
                cursor=cursor,
                keep=conditions.keep,
                places=self._places,
                place_key=("observations", commit, conditions.key()),
            )

    list = get_many


# ------------------------------------------------------------------------------------ sessions


class SessionsClient(Resource):
    def get(self, session_id: str, **others: Any) -> SessionWithTraces:
        """The session with its traces, in the order of time. Raises NotFoundError."""
        _checked(others)
        with _reading.reading(self._client) as (reader, _):
            return _reading.session_with_traces(reader, session_id)

    def list(
        self,
        *,
        page: Optional[int] = None,
        limit: Optional[int] = None,
        from_timestamp: When = None,
        to_timestamp: When = None,
        environment: Words = None,
        **others: Any,
    ) -> "Page[Session]":
        """The sessions that have traces in that time, the newest first."""
        _checked(others)
        conditions = _Conditions(**_times(from_timestamp, to_timestamp))
        conditions.environments(environment)
        with _reading.reading(self._client) as (reader, commit):
            return _reading.page_of(
                reader.sessions,
                conditions.query,
                _reading.session_model,
                page=page,
                limit=limit,
                keep=conditions.keep,
                places=self._places,
                place_key=("sessions", commit, conditions.key()),
            )


# -------------------------------------------------------------------------------------- scores

_COMPARE: Dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def _comparison(operator: str, value: float) -> Keep:
    compare = _COMPARE.get(operator)
    if compare is None:
        raise refused(f"operator is {operator!r}, but must be one of {', '.join(_COMPARE)}")
    found = compare
    return lambda row: row.value is not None and found(row.value, value)


class ScoresClient(Resource):
    def get(self, score_id: Optional[str] = None, **filters: Any) -> Any:
        """The score with this id, or, without one, as get_many."""
        return self.get_many(**filters) if score_id is None else self.get_by_id(score_id, **filters)

    def get_by_id(self, score_id: str, **others: Any) -> Score:
        """The score. Raises NotFoundError."""
        _checked(others)
        with _reading.reading(self._client) as (reader, _):
            return _reading.score_model(reader.get_score(score_id), None)

    def get_many(
        self,
        *,
        page: Optional[int] = None,
        limit: Optional[int] = None,
        cursor: Optional[str] = None,
        user_id: Optional[str] = None,
        name: Optional[str] = None,
        from_timestamp: When = None,
        to_timestamp: When = None,
        environment: Words = None,
        source: Optional[str] = None,
        operator: Optional[str] = None,
        value: Optional[float] = None,
        score_ids: Words = None,
        config_id: Optional[str] = None,
        session_id: Optional[str] = None,
        trace_id: Optional[str] = None,
        observation_id: Words = None,
        data_type: Optional[str] = None,
        trace_tags: Words = None,
        fields: Optional[str] = None,
        **others: Any,
    ) -> "Page[Score]":
        """Scores of traces, observations and sessions, the newest first. score_ids and
        observation_id may be several, with commas between them; session_id is that of a score of
        the session itself; operator compares with value."""
        _checked(others)
        conditions = _Conditions(
            user_id=user_id,
            name=name,
            trace_id=trace_id,
            tags=_words(trace_tags) or None,
            **_times(from_timestamp, to_timestamp),
        )
        conditions.environments(environment)
        conditions.one_of("id", _listed(score_ids))
        conditions.one_of("observation_id", _listed(observation_id))
        for field, wanted in (
            ("config_id", config_id),
            ("session_id", session_id),
            ("source", source),
            ("data_type", data_type),
        ):
            conditions.one_of(field, None if wanted is None else [wanted])
        if value is not None:
            conditions.also((operator, value), _comparison(operator or "=", value))
        shows_trace = "trace" in (_listed(fields) or {"trace"})
        with _reading.reading(self._client) as (reader, commit):
            traces = _reading.TracesOfScores(reader)
            return _reading.page_of(
                reader.scores,
                conditions.query,
                lambda row: _reading.score_model(
                    row, traces.get(row.trace_id) if shows_trace else None
                ),
                page=page,
                limit=limit,
                cursor=cursor,
                keep=conditions.keep,
                places=self._places,
                place_key=("scores", commit, conditions.key()),
            )

    list = get_many


# ----------------------------------------------------------------------------------- the whole


class LegacyClient:
    """The names that SDK v4 has for the lists of v3."""

    def __init__(self, observations: ObservationsClient, scores: ScoresClient) -> None:
        self.observations_v1 = observations
        self.score_v1 = scores
        self.scores_v2 = scores


class LangfuseAPI:
    """The parts of the API that read: trace, observations, sessions and scores."""

    def __init__(self, client: "Langfuse") -> None:
        places = Places()
        self.trace = TraceClient(client, places)
        self.observations = self.observations_v_2 = ObservationsClient(client, places)
        self.sessions = SessionsClient(client, places)
        self.scores = self.score = self.score_v_2 = ScoresClient(client, places)
        self.legacy = LegacyClient(self.observations, self.scores)


class _Awaited:
    """The same methods as coroutines: each runs in a thread, so the loop goes on."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __repr__(self) -> str:
        return f"<awaited {self._target!r}>"

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if callable(found):
            return partial(asyncio.to_thread, found)
        return _Awaited(found)


class AsyncLangfuseAPI(_Awaited):
    """LangfuseAPI with methods to await."""

    def __init__(self, client: "Langfuse") -> None:
        super().__init__(LangfuseAPI(client))
