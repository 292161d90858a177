"""What reading gives: frozen rows, whose payloads are fetched when they are first asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Union

from ._c import Field, ReadMode
from ._errors import MisuseError
from ._origin import Later, Origin, Way, hide
from ._values import DataType, Form, Level, ObservationType, Payload, Phase, Source, time_of

if TYPE_CHECKING:
    from ._cursor import Rows


# -------------------------------------------------------------------------------------- payloads


_NOT_READ = (
    "this row was made by the program, by dataclasses.replace() say: it has no payloads and nothing "
    "below it; ask the one that was read"
)


class _WithMetadata:
    @property
    def _later(self) -> Later:
        later: Optional[Later] = self.__dict__.get("_hidden_later")
        if later is None:
            raise MisuseError(_NOT_READ)
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
        way: Optional[Way] = self.__dict__.get("_hidden_way")
        if way is None:
            raise MisuseError(_NOT_READ)
        return way.origin


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
