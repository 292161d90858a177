"""What reading gives: frozen rows, whose payloads are fetched when they are first asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Protocol, Tuple, Union

from . import _c
from ._c import Field, Kind, ReadMode, text_of
from ._errors import MisuseError
from ._values import (
    DataType,
    Form,
    Level,
    ObservationType,
    Payload,
    Phase,
    Source,
    time_of,
)

if TYPE_CHECKING:
    from ._cursor import Rows


class Origin(Protocol):
    """Where a row came from, and what it can get from there later."""

    def payload(
        self,
        kind: Kind,
        trace_id: Optional[str],
        id: str,
        field: Field,
        form: Form,
        size: int,
        mode: ReadMode,
    ) -> Payload:
        """A payload of the entity, of this form and size when the row was read."""

    def tree(self, trace_id: str) -> Tuple[Observation, ...]:
        """The observations of the trace."""

    def replay(
        self, session_id: str, speed: float, max_gap: Union[float, timedelta, None]
    ) -> Rows[Step]:
        """The steps of the session."""

    def traces(self, session_id: str) -> Rows[Trace]:
        """The traces of the session, the first one first."""


class _Nowhere:
    """The origin of a row that was pickled: it cannot get anything any more."""

    def payload(
        self,
        kind: Kind,
        trace_id: Optional[str],
        id: str,
        field: Field,
        form: Form,
        size: int,
        mode: ReadMode,
    ) -> Payload:
        raise MisuseError(f"the {field.name.lower()} was not fetched before the row was pickled")

    def tree(self, trace_id: str) -> Tuple[Observation, ...]:
        raise MisuseError("the observations were not fetched before the trace was pickled")

    def replay(
        self, session_id: str, speed: float, max_gap: Union[float, timedelta, None]
    ) -> Rows[Step]:
        raise MisuseError("a session that was pickled cannot be replayed: ask a store for it")

    def traces(self, session_id: str) -> Rows[Trace]:
        raise MisuseError("a session that was pickled has no traces: ask a store for it")


# -------------------------------------------------------------------------------------- payloads


class _Later:
    """The payloads of a row, known by form and size, fetched once each."""

    def __init__(
        self,
        origin: Origin,
        kind: Kind,
        trace_id: Optional[str],
        id: str,
        known: Mapping[Field, Tuple[Form, int]],
        fetched: Dict[Field, Payload],
    ) -> None:
        self.origin = origin
        self.kind = kind
        self.trace_id = trace_id
        self.id = id
        self.known = known
        self.fetched = fetched

    def __reduce__(self) -> Tuple[Any, ...]:
        state = (self.kind, self.trace_id, self.id, self.known, self.fetched)
        return _Later, (_Nowhere(), *state)

    def __deepcopy__(self, memo: object) -> _Later:
        return self

    def form(self, wanted: Field) -> Form:
        return self.known.get(wanted, (Form.ABSENT, 0))[0]

    def size_bytes(self, wanted: Field) -> int:
        return self.known.get(wanted, (Form.ABSENT, 0))[1]

    def get(self, wanted: Field) -> Payload:
        payload = self.fetched.get(wanted)
        if payload is None:
            payload = self.read(wanted, ReadMode.GIVEN)
            self.fetched[wanted] = payload
        return payload

    def read(self, wanted: Field, mode: ReadMode) -> Payload:
        form, size_bytes = self.known.get(wanted, (Form.ABSENT, 0))
        if form is Form.ABSENT:
            return Payload.ABSENT
        if form is Form.NULL:
            return Payload(form, b"null")
        if form is Form.WITHHELD:
            return Payload(form, withheld_size_bytes=size_bytes)
        return self.origin.payload(
            self.kind, self.trace_id, self.id, wanted, form, size_bytes, mode
        )

    def bytes(self, wanted: Field) -> Optional[bytes]:
        payload = self.get(wanted)
        return None if payload.form in (Form.ABSENT, Form.WITHHELD) else payload.data

    def text(self, wanted: Field) -> Optional[str]:
        data = self.bytes(wanted)
        return None if data is None else data.decode()


def hide(row: object, **values: object) -> None:
    """Gives a row what belongs to no field: it is not compared, shown, or part of asdict()."""
    row.__dict__.update({f"_hidden_{name}": value for name, value in values.items()})


class _WithMetadata:
    @property
    def _later(self) -> _Later:
        later: _Later = self.__dict__["_hidden_later"]
        return later

    @property
    def metadata(self) -> Any:
        """The metadata as a Python value; None if absent."""
        return self._later.get(Field.METADATA).value

    @property
    def metadata_bytes(self) -> Optional[bytes]:
        """The metadata byte for byte; None if absent."""
        return self._later.bytes(Field.METADATA)

    @property
    def metadata_text(self) -> Optional[str]:
        """The exact text of the metadata; None if absent."""
        return self._later.text(Field.METADATA)

    @property
    def metadata_as_stored(self) -> Payload:
        """The metadata with references in the place of media (see read_media); read anew each
        time."""
        return self._later.read(Field.METADATA, ReadMode.STORED)

    @property
    def metadata_form(self) -> Form:
        return self._later.form(Field.METADATA)

    @property
    def metadata_size_bytes(self) -> int:
        return self._later.size_bytes(Field.METADATA)


class _WithPayloads(_WithMetadata):
    @property
    def input(self) -> Any:
        """The input as a Python value (see Payload.value); None if absent."""
        return self._later.get(Field.INPUT).value

    @property
    def input_bytes(self) -> Optional[bytes]:
        """The input byte for byte; None if absent."""
        return self._later.bytes(Field.INPUT)

    @property
    def input_text(self) -> Optional[str]:
        """The exact text of the input; None if absent. Raises UnicodeDecodeError for bytes that
        are not UTF-8."""
        return self._later.text(Field.INPUT)

    @property
    def input_as_stored(self) -> Payload:
        """The input with references in the place of media (see read_media); read anew each
        time."""
        return self._later.read(Field.INPUT, ReadMode.STORED)

    @property
    def input_form(self) -> Form:
        return self._later.form(Field.INPUT)

    @property
    def input_size_bytes(self) -> int:
        """The size, known without fetching; of WITHHELD text what is held back."""
        return self._later.size_bytes(Field.INPUT)

    @property
    def output(self) -> Any:
        """The output as a Python value (see Payload.value); None if absent."""
        return self._later.get(Field.OUTPUT).value

    @property
    def output_bytes(self) -> Optional[bytes]:
        """The output byte for byte; None if absent."""
        return self._later.bytes(Field.OUTPUT)

    @property
    def output_text(self) -> Optional[str]:
        """The exact text of the output; None if absent. Raises UnicodeDecodeError for bytes that
        are not UTF-8."""
        return self._later.text(Field.OUTPUT)

    @property
    def output_as_stored(self) -> Payload:
        """The output with references in the place of media (see read_media); read anew each
        time."""
        return self._later.read(Field.OUTPUT, ReadMode.STORED)

    @property
    def output_form(self) -> Form:
        return self._later.form(Field.OUTPUT)

    @property
    def output_size_bytes(self) -> int:
        """The size, known without fetching; of WITHHELD text what is held back."""
        return self._later.size_bytes(Field.OUTPUT)


def _time(time_ns: Optional[int]) -> Optional[datetime]:
    return None if time_ns is None else time_of(time_ns)


# ------------------------------------------------------------------------------------------ rows


@dataclass(frozen=True)
class Media:
    """A medium that payloads held as base64, or a part of it: size_bytes is of the whole."""

    mime: str
    size_bytes: int
    use_count: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Aggregate:
    """The sums of a trace or session, or of all that name a user, tag, environment, name or model
    (then `key` is that; a trace has none: ""). Costs are exact.

    Of a day `key` is its date ("2026-11-21") and `model` one of its models, or "" for observations
    without one; trace_count and latency are 0 there."""

    key: str
    trace_count: int
    observation_count: int
    score_count: int
    debug_count: int
    default_count: int
    warning_count: int
    error_count: int
    unfinished_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: Decimal
    first_activity_ns: int
    last_activity_ns: int
    latency_ns: int
    model: str = ""

    @property
    def first_activity(self) -> datetime:
        return time_of(self.first_activity_ns)

    @property
    def last_activity(self) -> datetime:
        return time_of(self.last_activity_ns)

    @property
    def latency(self) -> float:
        """Latest end minus earliest start in seconds; 0 if nothing has ended."""
        return self.latency_ns / 1e9


@dataclass(frozen=True)
class Trace(_WithPayloads):
    """A trace. is_derived: it has no record of its own and is read from its observations."""

    id: str
    timestamp_ns: Optional[int]
    name: Optional[str]
    user_id: Optional[str]
    session_id: Optional[str]
    release: Optional[str]
    version: Optional[str]
    environment: Optional[str]
    tags: Tuple[str, ...]
    is_public: bool
    is_bookmarked: bool
    is_derived: bool
    aggregate: Optional[Aggregate]

    @property
    def timestamp(self) -> Optional[datetime]:
        return _time(self.timestamp_ns)

    @property
    def observations(self) -> Tuple[Observation, ...]:
        """All observations of the trace, each before its children, siblings in the order of time.
        In a row of a list they are fetched when first asked for."""
        if "_hidden_observations" not in self.__dict__:
            hide(self, observations=self._later.origin.tree(self.id))
        rows: Tuple[Observation, ...] = self.__dict__["_hidden_observations"]
        return rows

    @property
    def roots(self) -> Tuple[Observation, ...]:
        """The observations without a parent."""
        return tuple(each for each in self.observations if each.depth == 1)


@dataclass(frozen=True)
class Observation(_WithPayloads):
    """An observation. depth (1 for a root) and children are known in a tree only, depth in a
    replay as well; elsewhere they are 0 and ()."""

    id: str
    trace_id: str
    parent_observation_id: Optional[str]
    type: ObservationType
    name: Optional[str]
    start_time_ns: Optional[int]
    end_time_ns: Optional[int]
    completion_start_time_ns: Optional[int]
    level: Level
    status_message: Optional[str]
    version: Optional[str]
    environment: Optional[str]
    user_id: Optional[str]
    session_id: Optional[str]
    tags: Tuple[str, ...]
    model: Optional[str]
    model_parameters_text: Optional[str]
    usage_details: Mapping[str, int] = field(hash=False)
    cost_details: Mapping[str, Decimal] = field(hash=False)
    prompt_name: Optional[str]
    prompt_version: Optional[int]
    is_unfinished: bool
    depth: int = field(compare=False)

    @property
    def children(self) -> Tuple[Observation, ...]:
        """The observations right below this one, in the order of time."""
        children: Tuple[Observation, ...] = self.__dict__.get("_hidden_children", ())
        return children

    @property
    def start_time(self) -> Optional[datetime]:
        return _time(self.start_time_ns)

    @property
    def end_time(self) -> Optional[datetime]:
        return _time(self.end_time_ns)

    @property
    def completion_start_time(self) -> Optional[datetime]:
        return _time(self.completion_start_time_ns)

    @property
    def model_parameters(self) -> Dict[str, Any]:
        parameters: Dict[str, Any] = json.loads(self.model_parameters_text or "{}")
        return parameters


@dataclass(frozen=True)
class Score(_WithMetadata):
    """A score of a trace, an observation or a session: value is a number (a BOOLEAN is 0 or 1),
    string_value a text."""

    id: str
    trace_id: Optional[str]
    observation_id: Optional[str]
    session_id: Optional[str]
    name: str
    value: Optional[float]
    string_value: Optional[str]
    data_type: DataType
    source: Source
    comment: Optional[str]
    config_id: Optional[str]
    environment: Optional[str]
    timestamp_ns: Optional[int]
    author_user_id: Optional[str]

    @property
    def timestamp(self) -> Optional[datetime]:
        return _time(self.timestamp_ns)


@dataclass(frozen=True)
class Session:
    """A session; all but its flags and environment is in the aggregate."""

    id: str
    environment: Optional[str]
    is_public: bool
    is_bookmarked: bool
    aggregate: Optional[Aggregate]

    def replay(
        self, *, speed: float = 1.0, max_gap: Union[float, timedelta, None] = None
    ) -> Rows[Step]:
        """Replays the session, as `replay` of a store does."""
        return self._origin.replay(self.id, speed, max_gap)

    def traces(self) -> Rows[Trace]:
        """The traces of the session, in the order of time."""
        return self._origin.traces(self.id)

    @property
    def _origin(self) -> Origin:
        way: _Way = self.__dict__["_hidden_way"]
        return way.origin


class _Way:
    """The way back of a session, which a pickled one does not have."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def __reduce__(self) -> Tuple[Any, ...]:
        return _Way, (_Nowhere(),)

    def __deepcopy__(self, memo: object) -> _Way:
        return self


@dataclass(frozen=True)
class Step:
    """One step of a replay: exactly one of trace and observation begins, ends, or happens.

    wait_ns  how long to wait before showing it, at the pace asked for
    depth    0 for a trace, 1 for its root observations, ...
    """

    phase: Phase
    at_ns: int
    wait_ns: int
    depth: int
    trace: Optional[Trace]
    observation: Optional[Observation]

    @property
    def at(self) -> datetime:
        return time_of(self.at_ns)

    @property
    def wait(self) -> float:
        """wait_ns in seconds."""
        return self.wait_ns / 1e9


# -------------------------------------------------------------------------------------- decoding

_BIT = {each: 1 << each for each in Field}


def _number(struct: Any, set_mask: int, which: Field, member: str) -> Any:
    return getattr(struct, member) if set_mask & _BIT[which] else None


def _tags(struct: Any) -> Tuple[str, ...]:
    tags = struct.tags
    return tuple(text_of(tags[n].data, tags[n].size_bytes) or "" for n in range(struct.tag_count))


_PAYLOADS = (
    (Field.METADATA, "metadata_form", "metadata_size_bytes"),
    (Field.INPUT, "input_form", "input_size_bytes"),
    (Field.OUTPUT, "output_form", "output_size_bytes"),
)


def _later(
    struct: Any,
    origin: Origin,
    kind: Kind,
    trace_id: Optional[str],
    id: str,
    payloads: int,
) -> _Later:
    known = {}
    for which, form, size_bytes in _PAYLOADS[:payloads]:
        code = getattr(struct, form)
        if code:
            known[which] = (Form.of(code), getattr(struct, size_bytes))
    return _Later(origin, kind, trace_id, id, known, {})


def _aggregate(pointer: Any) -> Optional[Aggregate]:
    if not pointer:
        return None
    struct = pointer.contents
    return Aggregate(
        key=text_of(struct.key, struct.key_size_bytes) or "",
        trace_count=struct.trace_count,
        observation_count=struct.observation_count,
        score_count=struct.score_count,
        debug_count=struct.debug_count,
        default_count=struct.default_count,
        warning_count=struct.warning_count,
        error_count=struct.error_count,
        unfinished_count=struct.unfinished_count,
        input_tokens=struct.input_tokens,
        output_tokens=struct.output_tokens,
        total_tokens=struct.total_tokens,
        total_cost=Decimal(text_of(struct.total_cost, struct.total_cost_size_bytes) or "0"),
        first_activity_ns=struct.first_activity_ns,
        last_activity_ns=struct.last_activity_ns,
        latency_ns=struct.latency_ns,
        model=text_of(struct.model, struct.model_size_bytes) or "",
    )


def trace_of(row: _c.Row, origin: Origin) -> Trace:
    struct = row.trace.contents
    mask = struct.set_mask
    id = text_of(struct.id, struct.id_size_bytes) or ""
    entity = Trace(
        id=id,
        timestamp_ns=_number(struct, mask, Field.TIMESTAMP, "timestamp_ns"),
        name=text_of(struct.name, struct.name_size_bytes),
        user_id=text_of(struct.user_id, struct.user_id_size_bytes),
        session_id=text_of(struct.session_id, struct.session_id_size_bytes),
        release=text_of(struct.release, struct.release_size_bytes),
        version=text_of(struct.version, struct.version_size_bytes),
        environment=text_of(struct.environment, struct.environment_size_bytes),
        tags=_tags(struct),
        is_public=bool(struct.is_public),
        is_bookmarked=bool(struct.is_bookmarked),
        is_derived=bool(row.is_derived),
        aggregate=_aggregate(row.aggregate),
    )
    hide(entity, later=_later(struct, origin, Kind.TRACE, None, id, 3))
    return entity


def observation_of(row: _c.Row, origin: Origin) -> Observation:
    struct = row.observation.contents
    mask = struct.set_mask
    id = text_of(struct.id, struct.id_size_bytes) or ""
    trace_id = text_of(struct.trace_id, struct.trace_id_size_bytes) or ""
    usage, cost = struct.usage_details, struct.cost_details
    entity = Observation(
        id=id,
        trace_id=trace_id,
        parent_observation_id=text_of(
            struct.parent_observation_id, struct.parent_observation_id_size_bytes
        ),
        type=ObservationType.of(struct.type) if struct.type else ObservationType.SPAN,
        name=text_of(struct.name, struct.name_size_bytes),
        start_time_ns=_number(struct, mask, Field.START_TIME, "start_time_ns"),
        end_time_ns=_number(struct, mask, Field.END_TIME, "end_time_ns"),
        completion_start_time_ns=_number(
            struct, mask, Field.COMPLETION_START_TIME, "completion_start_time_ns"
        ),
        level=Level.of(struct.level) if struct.level else Level.DEFAULT,
        status_message=text_of(struct.status_message, struct.status_message_size_bytes),
        version=text_of(struct.version, struct.version_size_bytes),
        environment=text_of(struct.environment, struct.environment_size_bytes),
        user_id=text_of(struct.user_id, struct.user_id_size_bytes),
        session_id=text_of(struct.session_id, struct.session_id_size_bytes),
        tags=_tags(struct),
        model=text_of(struct.model, struct.model_size_bytes),
        model_parameters_text=text_of(struct.model_parameters, struct.model_parameters_size_bytes),
        usage_details={
            text_of(usage[n].name, usage[n].name_size_bytes) or "": usage[n].amount
            for n in range(struct.usage_count)
        },
        cost_details={
            text_of(cost[n].name, cost[n].name_size_bytes)
            or "": Decimal(text_of(cost[n].amount, cost[n].amount_size_bytes) or "0")
            for n in range(struct.cost_count)
        },
        prompt_name=text_of(struct.prompt_name, struct.prompt_name_size_bytes),
        prompt_version=_number(struct, mask, Field.PROMPT_VERSION, "prompt_version"),
        is_unfinished=bool(row.is_unfinished),
        depth=row.depth,
    )
    hide(entity, later=_later(struct, origin, Kind.OBSERVATION, trace_id, id, 3))
    return entity


def score_of(row: _c.Row, origin: Origin) -> Score:
    struct = row.score.contents
    mask = struct.set_mask
    id = text_of(struct.id, struct.id_size_bytes) or ""
    entity = Score(
        id=id,
        trace_id=text_of(struct.trace_id, struct.trace_id_size_bytes),
        observation_id=text_of(struct.observation_id, struct.observation_id_size_bytes),
        session_id=text_of(struct.session_id, struct.session_id_size_bytes),
        name=text_of(struct.name, struct.name_size_bytes) or "",
        value=_number(struct, mask, Field.VALUE, "value"),
        string_value=text_of(struct.string_value, struct.string_value_size_bytes),
        data_type=DataType.of(struct.data_type),
        source=Source.of(struct.source),
        comment=text_of(struct.comment, struct.comment_size_bytes),
        config_id=text_of(struct.config_id, struct.config_id_size_bytes),
        environment=text_of(struct.environment, struct.environment_size_bytes),
        timestamp_ns=_number(struct, mask, Field.TIMESTAMP, "timestamp_ns"),
        author_user_id=text_of(struct.author_user_id, struct.author_user_id_size_bytes),
    )
    hide(entity, later=_later(struct, origin, Kind.SCORE, None, id, 1))
    return entity


def session_of(row: _c.Row, origin: Origin) -> Session:
    struct = row.session.contents
    entity = Session(
        id=text_of(struct.id, struct.id_size_bytes) or "",
        environment=text_of(struct.environment, struct.environment_size_bytes),
        is_public=bool(struct.is_public),
        is_bookmarked=bool(struct.is_bookmarked),
        aggregate=_aggregate(row.aggregate),
    )
    hide(entity, way=_Way(origin))
    return entity


def group_of(row: _c.Row, origin: Origin) -> Aggregate:
    aggregate = _aggregate(row.aggregate)
    assert aggregate is not None
    return aggregate


def step_of(row: _c.Row, origin: Origin) -> Step:
    return Step(
        phase=Phase.of(row.phase),
        at_ns=row.at_ns,
        wait_ns=row.wait_ns,
        depth=row.depth,
        trace=trace_of(row, origin) if row.trace else None,
        observation=observation_of(row, origin) if row.observation else None,
    )


def with_children(rows: List[Observation]) -> Tuple[Observation, ...]:
    """Links the rows of a tree, each given before its children, without recursion."""
    path: List[List[Observation]] = []  # the children found so far of each row on the way down
    owners: List[Observation] = []
    for row in rows:
        while len(owners) >= row.depth:
            _adopt(owners.pop(), path.pop())
        if path:
            path[-1].append(row)
        owners.append(row)
        path.append([])
    while owners:
        _adopt(owners.pop(), path.pop())
    return tuple(rows)


def _adopt(row: Observation, children: List[Observation]) -> None:
    if children:
        hide(row, children=tuple(children))
