"""Reading a client's file: rows of the library as the models that Langfuse's client returns.

What was recorded is flushed first, so a program reads what it wrote. Here, other than where
recording goes on, what goes wrong is raised, as Langfuse's client does.
"""

from contextlib import contextmanager
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterator,
    List,
    Optional,
    Tuple,
    TypeVar,
)

from .. import _errors, _rows
from .._c import Field
from .._cursor import Rows
from .._reader import Reader
from .._store import Store
from .._values import Payload
from ._api_errors import ApiError, Error, NotFoundError
from ._models import (
    MetaResponse,
    ObservationsView,
    Page,
    Score,
    Session,
    SessionWithTraces,
    Trace,
    TraceOfScore,
    TraceWithDetails,
    TraceWithFullDetails,
    Usage,
)
from ._recorder import flush_path

if TYPE_CHECKING:
    from ._client import Langfuse

_M = TypeVar("_M")

FLUSH_TIMEOUT_S = 10.0  # before reading goes on with what is in the file
LIMIT_DEFAULT = 50  # rows of a page
PLACES_MAX = 256  # pages whose place in a list is remembered

Keep = Callable[[Any], bool]
Key = Callable[[Any], Any]


@contextmanager
def reading(client: "Langfuse") -> Iterator[Tuple[Reader, int]]:
    """A view of the file with everything that was recorded, and the number of its commit."""
    flush_path(client.settings.path, FLUSH_TIMEOUT_S)
    store = client.recorder.store() if client.settings.enabled else None
    own: Optional[Store] = None
    try:
        if store is None:
            store = own = Store(client.settings.path, read_only=True)
        # Read first: a place that is remembered for an older commit than it is of is not used.
        commit = store.stats().commit_number
        with store.snapshot() as snapshot:
            yield snapshot, commit
    except _errors.NotFoundError as error:
        raise NotFoundError(body=_body("LangfuseNotFoundError", error)) from error
    except _errors.InvalidError as error:
        raise Error(body=_body("InvalidRequestError", error)) from error
    except _errors.TraceliteError as error:
        raise ApiError(status_code=500, body=_body(type(error).__name__, error)) from error
    finally:
        if own is not None:
            own.close()


def _body(kind: str, error: Exception) -> Dict[str, str]:
    return {"message": str(error), "error": kind}


def refused(message: str) -> Error:
    return Error(body={"message": message, "error": "InvalidRequestError"})


# --------------------------------------------------------------------------------------- pages


class Places:
    """Where pages begin, and how many rows lists have: good as long as nobody commits."""

    def __init__(self) -> None:
        self._found: Dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        return self._found.get(key)

    def put(self, key: Any, value: Any) -> None:
        while len(self._found) >= PLACES_MAX:
            self._found.pop(next(iter(self._found), None), None)
        self._found[key] = value


def page_of(
    rows_of: Callable[..., Rows[Any]],
    query: Dict[str, Any],
    convert: Callable[[Any], _M],
    *,
    page: Optional[int],
    limit: Optional[int],
    cursor: Optional[str] = None,
    keep: Optional[Keep] = None,
    sort: Optional[Tuple[Key, bool]] = None,
    places: Places,
    place_key: Tuple[Any, ...],
) -> "Page[_M]":
    """One page of a list. `keep` is a condition that the library does not know, `sort` an order
    that it does not know (the key, and whether the largest comes first)."""
    number = _counted(page, "page", 1)
    size = _counted(limit, "limit", LIMIT_DEFAULT)
    if sort is not None:
        return _sorted_page(rows_of(**query), convert, number, size, keep, sort)
    if cursor is not None:
        with rows_of(after=cursor, **query) as rows:
            taken = _take(rows, convert, size, keep)
            position = rows.position
            is_last = not _count(rows, 1, keep)
        return Page(taken, MetaResponse(None, size, None, None, None if is_last else position))

    begin = (number - 1) * size
    place = (*place_key, size)
    total = places.get((*place, "total"))
    after = places.get((*place, number))
    with rows_of(after=after, **query) as rows:
        before = begin if after is not None else _count(rows, begin, keep)
        taken = _take(rows, convert, size, keep)
        position = rows.position
        if total is None:
            total = before + len(taken) + _count(rows, None, keep)
    is_last = before + len(taken) >= total
    places.put((*place, "total"), total)
    if not is_last:
        places.put((*place, number + 1), position)
    return Page(taken, _meta(number, size, total, None if is_last else position))


def _sorted_page(
    rows: Rows[Any],
    convert: Callable[[Any], _M],
    number: int,
    size: int,
    keep: Optional[Keep],
    sort: Tuple[Key, bool],
) -> "Page[_M]":
    key, is_descending = sort
    with rows:
        found = [row for row in rows if keep is None or keep(row)]
    found.sort(key=lambda row: _sortable(key(row)), reverse=is_descending)
    part = found[(number - 1) * size : number * size]
    return Page([convert(row) for row in part], _meta(number, size, len(found), None))


def _sortable(value: Any) -> Tuple[bool, Any]:
    return (False, "") if value is None else (True, value)


def _meta(number: int, size: int, total: int, cursor: Optional[str]) -> MetaResponse:
    return MetaResponse(number, size, total, -(-total // size), cursor)


def _take(
    rows: Rows[Any], convert: Callable[[Any], _M], count: int, keep: Optional[Keep]
) -> List[_M]:
    taken: List[_M] = []
    while len(taken) < count:
        row = next(rows, None)
        if row is None:
            break
        if keep is None or keep(row):
            taken.append(convert(row))
    return taken


def _count(rows: Rows[Any], most: Optional[int], keep: Optional[Keep]) -> int:
    """Passes over so many rows, or all; how many there were."""
    if keep is None:
        return rows.skip(most)
    count = 0
    while most is None or count < most:
        row = next(rows, None)
        if row is None:
            break
        count += keep(row)
    return count


def _counted(value: Optional[int], name: str, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise refused(f"{name} is {value!r}, but must be a whole number of 1 or more")
    return value


# ------------------------------------------------------------------------- rows as models

GROUPS = frozenset({"core", "io", "scores", "observations", "metrics"})


def groups_of(given: Optional[str]) -> FrozenSet[str]:
    """The groups of fields that a caller wants, of a text with commas between them."""
    if given is None:
        return GROUPS
    return frozenset(word.strip() for word in given.split(",")) & GROUPS


def _value_of(payload: Payload) -> Any:
    try:
        return payload.value
    except (ValueError, RecursionError):  # deeper, or a longer integer, than Python reads
        return payload.data.decode("utf-8", "replace")


def _payloads_of(row: Any) -> Dict[str, Any]:
    return {
        "input": _value_of(row._later.get(Field.INPUT)),
        "output": _value_of(row._later.get(Field.OUTPUT)),
        "metadata": _value_of(row._later.get(Field.METADATA)),
    }


def trace_fields(row: _rows.Trace, groups: FrozenSet[str]) -> Dict[str, Any]:
    """The fields of Trace."""
    found: Dict[str, Any] = {
        "id": row.id,
        "timestamp": row.timestamp,
        "name": row.name,
        "session_id": row.session_id,
        "release": row.release,
        "version": row.version,
        "user_id": row.user_id,
        "tags": list(row.tags),
        "public": row.is_public,
        "bookmarked": row.is_bookmarked,
        "environment": row.environment,
    }
    if "io" in groups:
        found.update(_payloads_of(row))
    return found


def _metrics_of(row: _rows.Trace, groups: FrozenSet[str]) -> Dict[str, Any]:
    if "metrics" not in groups or row.aggregate is None:
        return {"latency": -1.0, "total_cost": -1.0}  # as Langfuse says what was not asked for
    return {"latency": row.aggregate.latency, "total_cost": float(row.aggregate.total_cost)}


def trace_with_details(
    client: "Langfuse", reader: Reader, row: _rows.Trace, groups: FrozenSet[str]
) -> TraceWithDetails:
    observations: List[str] = []
    scores: List[str] = []
    if "observations" in groups:
        with reader.observations(trace_id=row.id, ascending=True) as found:
            observations = [each.id for each in found]
    if "scores" in groups:
        with reader.scores(trace_id=row.id, ascending=True) as found_scores:
            scores = [each.id for each in found_scores]
    return TraceWithDetails(
        html_path=client.get_trace_url(trace_id=row.id) or "",
        observations=observations,
        scores=scores,
        **_metrics_of(row, groups),
        **trace_fields(row, groups),
    )


def full_trace(
    client: "Langfuse", reader: Reader, id: str, groups: FrozenSet[str]
) -> TraceWithFullDetails:
    row = reader.get_trace(id)
    fields = trace_fields(row, groups)
    observations: List[ObservationsView] = []
    if "observations" in groups:
        observations = [observation_view(each) for each in reader.trace(id).observations]
    scores: List[Score] = []
    if "scores" in groups:
        with reader.scores(trace_id=id, ascending=True) as found:
            scores = [score_model(each, None) for each in found]
    return TraceWithFullDetails(
        html_path=client.get_trace_url(trace_id=id) or "",
        observations=observations,
        scores=scores,
        **_metrics_of(row, groups),
        **fields,
    )


def _seconds(begin: Optional[int], end: Optional[int]) -> Optional[float]:
    return None if begin is None or end is None else max(0, end - begin) / 1e9


def _sums(details: Dict[str, Any]) -> Tuple[Any, Any, Any]:
    """Input, output and total of usage or costs by their names: what is not said is the sum."""
    if not details:
        return None, None, None
    input = [value for name, value in details.items() if "input" in name]
    output = [value for name, value in details.items() if "output" in name]
    total = details.get("total")
    if total is None:
        total = sum(value for name, value in details.items() if name != "total")
    return sum(input) if input else None, sum(output) if output else None, total


def observation_view(row: _rows.Observation) -> ObservationsView:
    usage: Dict[str, int] = dict(row.usage_details)
    costs = {name: float(cost) for name, cost in row.cost_details.items()}
    usage_sums, cost_sums = _sums(usage), _sums(costs)
    if usage_sums[2] is not None:
        usage["total"] = usage_sums[2]
    if cost_sums[2] is not None:
        costs["total"] = cost_sums[2]
    end_ns = row.end_time_ns
    return ObservationsView(
        id=row.id,
        trace_id=row.trace_id,
        type=str(row.type),
        start_time=row.start_time,
        level=row.level,
        name=row.name,
        end_time=row.end_time,
        completion_start_time=row.completion_start_time,
        model=row.model,
        model_parameters=row.model_parameters if row.model_parameters_text else None,
        version=row.version,
        usage=Usage(*usage_sums, "TOKENS", *cost_sums),
        status_message=row.status_message,
        parent_observation_id=row.parent_observation_id,
        usage_details=usage,
        cost_details=costs,
        environment=row.environment,
        prompt_name=row.prompt_name,
        prompt_version=row.prompt_version,
        calculated_input_cost=cost_sums[0],
        calculated_output_cost=cost_sums[1],
        calculated_total_cost=cost_sums[2],
        latency=_seconds(row.start_time_ns, end_ns),
        time_to_first_token=_seconds(row.start_time_ns, row.completion_start_time_ns),
        provided_model_name=row.model,
        total_cost=cost_sums[2],
        user_id=row.user_id,
        session_id=row.session_id,
        tags=list(row.tags),
        **_payloads_of(row),
    )


def score_model(row: _rows.Score, trace: Optional[TraceOfScore]) -> Score:
    value: Any = row.value
    string_value = row.string_value
    if str(row.data_type) == "BOOLEAN" and value is not None:
        string_value = "True" if value else "False"
    return Score(
        id=row.id,
        name=row.name,
        source=row.source,
        data_type=row.data_type,
        timestamp=row.timestamp,
        trace_id=row.trace_id,
        session_id=row.session_id,
        observation_id=row.observation_id,
        value=string_value if value is None else value,
        string_value=string_value,
        created_at=row.timestamp,
        updated_at=row.timestamp,
        author_user_id=row.author_user_id,
        comment=row.comment,
        metadata=_value_of(row._later.get(Field.METADATA)),
        config_id=row.config_id,
        environment=row.environment,
        trace=trace,
    )


class TracesOfScores:
    """What the scores of one page say of their traces, each read once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._found: Dict[str, Optional[TraceOfScore]] = {}

    def get(self, trace_id: Optional[str]) -> Optional[TraceOfScore]:
        if trace_id is None:
            return None
        if trace_id not in self._found:
            self._found[trace_id] = self._read(trace_id)
        return self._found[trace_id]

    def _read(self, trace_id: str) -> Optional[TraceOfScore]:
        try:
            row = self._reader.get_trace(trace_id)
        except _errors.NotFoundError:  # a score may come before its trace
            return None
        return TraceOfScore(row.user_id, list(row.tags), row.environment, row.session_id)


def _session_fields(row: _rows.Session) -> Dict[str, Any]:
    created_at: Optional[datetime] = None
    if row.aggregate is not None:
        created_at = row.aggregate.first_activity
    return {
        "id": row.id,
        "created_at": created_at,
        "environment": row.environment,
        "public": row.is_public,
        "bookmarked": row.is_bookmarked,
    }


def session_model(row: _rows.Session) -> Session:
    return Session(**_session_fields(row))


def session_with_traces(reader: Reader, id: str) -> SessionWithTraces:
    session = reader.get_session(id)
    with reader.traces(session_id=id, ascending=True) as rows:
        traces = [Trace(**trace_fields(row, GROUPS)) for row in rows]
    return SessionWithTraces(traces=traces, **_session_fields(session))


# Fields of a trace that a list can be sorted by in Python, by their names in Langfuse.
SORTED_BY: Dict[str, Key] = {
    "id": lambda row: row.id,
    "name": lambda row: row.name,
    "userId": lambda row: row.user_id,
    "release": lambda row: row.release,
    "version": lambda row: row.version,
    "public": lambda row: row.is_public,
    "bookmarked": lambda row: row.is_bookmarked,
    "sessionId": lambda row: row.session_id,
    "environment": lambda row: row.environment,
}
ORDERED_BY = {
    "timestamp": "time",
    "latency": "latency",
    "totalCost": "cost",
    "totalTokens": "tokens",
}


def order_of(order_by: Optional[str]) -> Tuple[Dict[str, Any], Optional[Tuple[Key, bool]]]:
    """The order of a list of traces, of a text such as "timestamp.desc": as arguments of the
    library's list, and what is to be sorted here."""
    if order_by is None:
        return {}, None
    name, _, direction = order_by.partition(".")
    if direction.lower() not in ("", "asc", "desc"):
        raise refused(f"order_by is {order_by!r}, but must end in .asc or .desc")
    is_descending = direction.lower() == "desc"
    if name in ORDERED_BY:
        return {"order": ORDERED_BY[name], "ascending": not is_descending}, None
    if name in SORTED_BY:
        return {}, (SORTED_BY[name], is_descending)
    names = ", ".join([*ORDERED_BY, *SORTED_BY])
    raise refused(f"order_by is {order_by!r}, but must be one of {names}")
