"""What reading gives, by the names that Langfuse's Python models have."""

import base64
import json
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, Dict, Generic, Iterator, List, Optional, TypeVar

from .._values import Code, DataType, Level, Source

_T = TypeVar("_T")


@lru_cache(maxsize=None)
def alias_of(name: str) -> str:
    """The name of a field in JSON: trace_id is traceId there."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


class Model:
    """A result: its fields are attributes, and never change."""

    def dict(
        self, *, by_alias: bool = True, exclude_none: bool = False, **unused: Any
    ) -> Dict[str, Any]:
        """The fields by their names in Langfuse's JSON, or, without by_alias, as they are here."""
        found: Dict[str, Any] = {}
        for each in fields(self):
            value = _plain(getattr(self, each.name), by_alias, exclude_none)
            if value is not None or not exclude_none:
                found[alias_of(each.name) if by_alias else each.name] = value
        return found

    def json(self, *, by_alias: bool = True, exclude_none: bool = False, **options: Any) -> str:
        """The same as a JSON text; options are those of json.dumps."""
        options.setdefault("default", _json_value)
        return json.dumps(self.dict(by_alias=by_alias, exclude_none=exclude_none), **options)

    model_dump = dict

    def model_dump_json(self, **options: Any) -> str:
        return self.json(**options)


def _plain(value: Any, by_alias: bool, exclude_none: bool) -> Any:
    if isinstance(value, Model):
        return value.dict(by_alias=by_alias, exclude_none=exclude_none)
    if isinstance(value, list):
        return [_plain(each, by_alias, exclude_none) for each in value]
    return str(value) if isinstance(value, Code) else value


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} is no JSON")


ObservationLevel = Level
ScoreDataType = DataType
ScoreSource = Source


@dataclass(frozen=True)
class Usage(Model):
    """Tokens and costs in the older shape: see usage_details and cost_details."""

    input: Optional[int] = None
    output: Optional[int] = None
    total: Optional[int] = None
    unit: Optional[str] = "TOKENS"
    input_cost: Optional[float] = None
    output_cost: Optional[float] = None
    total_cost: Optional[float] = None


@dataclass(frozen=True)
class Observation(Model):
    id: str
    trace_id: Optional[str]
    type: str
    start_time: Optional[datetime]
    level: Level
    name: Optional[str] = None
    end_time: Optional[datetime] = None
    completion_start_time: Optional[datetime] = None
    model: Optional[str] = None
    model_parameters: Optional[Dict[str, Any]] = None
    input: Any = None
    version: Optional[str] = None
    metadata: Any = None
    output: Any = None
    usage: Optional[Usage] = None
    status_message: Optional[str] = None
    parent_observation_id: Optional[str] = None
    prompt_id: Optional[str] = None
    usage_details: Optional[Dict[str, int]] = None
    cost_details: Optional[Dict[str, float]] = None
    environment: Optional[str] = None


@dataclass(frozen=True)
class ObservationsView(Observation):
    """As Langfuse lists observations, with the names that its older and newer lists have. There are
    no prices: a cost is known where it was given."""

    prompt_name: Optional[str] = None
    prompt_version: Optional[int] = None
    model_id: Optional[str] = None
    input_price: Optional[float] = None
    output_price: Optional[float] = None
    total_price: Optional[float] = None
    calculated_input_cost: Optional[float] = None
    calculated_output_cost: Optional[float] = None
    calculated_total_cost: Optional[float] = None
    latency: Optional[float] = None
    time_to_first_token: Optional[float] = None
    provided_model_name: Optional[str] = None
    total_cost: Optional[float] = None
    user_id: Optional[str] = None
    session_id: Optional[str] = None
    tags: Optional[List[str]] = None


ObservationsViewSingle = ObservationsView
ObservationV2 = ObservationsView


@dataclass(frozen=True)
class TraceOfScore(Model):
    """What a score says of its trace."""

    user_id: Optional[str] = None
    tags: Optional[List[str]] = None
    environment: Optional[str] = None
    session_id: Optional[str] = None


@dataclass(frozen=True)
class Score(Model):
    id: str
    name: str
    source: Source
    data_type: DataType
    timestamp: Optional[datetime]
    trace_id: Optional[str] = None
    session_id: Optional[str] = None
    observation_id: Optional[str] = None
    dataset_run_id: Optional[str] = None
    value: Any = None
    string_value: Optional[str] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None
    author_user_id: Optional[str] = None
    comment: Optional[str] = None
    metadata: Any = None
    config_id: Optional[str] = None
    queue_id: Optional[str] = None
    environment: Optional[str] = None
    trace: Optional[TraceOfScore] = None


@dataclass(frozen=True)
class Trace(Model):
    id: str
    timestamp: Optional[datetime]
    name: Optional[str] = None
    input: Any = None
    output: Any = None
    session_id: Optional[str] = None
    release: Optional[str] = None
    version: Optional[str] = None
    user_id: Optional[str] = None
    metadata: Any = None
    tags: List[str] = field(default_factory=list)
    public: bool = False
    bookmarked: bool = False
    environment: Optional[str] = None


@dataclass(frozen=True)
class TraceWithDetails(Trace):
    """A trace of a list: its observations and scores by their ids."""

    html_path: str = ""
    latency: float = 0.0
    total_cost: float = 0.0
    observations: List[str] = field(default_factory=list)
    scores: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class TraceWithFullDetails(Trace):
    """A trace with its observations, each before those below it, and its scores."""

    html_path: str = ""
    latency: Optional[float] = None
    total_cost: Optional[float] = None
    observations: List[ObservationsView] = field(default_factory=list)
    scores: List[Score] = field(default_factory=list)


@dataclass(frozen=True)
class Session(Model):
    id: str
    created_at: Optional[datetime]
    project_id: str = "tracelite"
    environment: Optional[str] = None
    public: bool = False
    bookmarked: bool = False


@dataclass(frozen=True)
class SessionWithTraces(Session):
    traces: List[Trace] = field(default_factory=list)


@dataclass(frozen=True)
class MetaResponse(Model):
    """Where a page is: by its number, of so many, or, where a cursor was given, by that. cursor
    leads to the next page, None after the last one."""

    page: Optional[int]
    limit: int
    total_items: Optional[int]
    total_pages: Optional[int]
    cursor: Optional[str] = None


@dataclass(frozen=True)
class Page(Model, Generic[_T]):
    """One page of a list: `data`, and where it is, `meta`. An iterator over it goes over its data."""

    data: List[_T]
    meta: MetaResponse

    def __iter__(self) -> Iterator[_T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with a row for each of `data`. Raises ImportError where there is no
        pandas."""
        from .._tables import import_or_explain

        pandas = import_or_explain("pandas", "to_pandas()")
        return pandas.DataFrame([_model(each).dict(by_alias=False) for each in self.data])

    def to_arrow(self) -> Any:
        """A pyarrow.Table; what has members or may be of any type is a JSON text. Raises ImportError
        where there is no pyarrow."""
        from .._tables import import_or_explain

        arrow = import_or_explain("pyarrow", "to_arrow()")
        return arrow.Table.from_pylist([_flat(_model(each)) for each in self.data])


def _model(each: Any) -> Model:
    found: Model = each
    return found


def _flat(row: Model) -> Dict[str, Any]:
    found = row.dict(by_alias=False)
    for name, value in found.items():
        if name in ("input", "output", "metadata", "value") or isinstance(value, (dict, list)):
            text = json.dumps(value, default=_json_value, ensure_ascii=False)
            found[name] = None if value is None else text
    return found


@dataclass(frozen=True)
class One(Model, Generic[_T]):
    """The response of SDK v2 for one entity."""

    data: _T


@dataclass(frozen=True)
class DeleteTraceResponse(Model):
    message: str
