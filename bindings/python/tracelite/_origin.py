"""What a row gets later from where it came from: its payloads, and what else belongs to it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Protocol, Tuple, Union

from ._c import Field, Kind, ReadMode
from ._errors import MisuseError
from ._values import Form, Payload

if TYPE_CHECKING:
    from ._cursor import Rows
    from ._rows import Observation, Step, Trace


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


class Later:
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
        return Later, (_Nowhere(), *state)

    def __deepcopy__(self, memo: object) -> Later:
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


class Way:
    """The way back of a session, which a pickled one does not have."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def __reduce__(self) -> Tuple[Any, ...]:
        return Way, (_Nowhere(),)

    def __deepcopy__(self, memo: object) -> Way:
        return self


def hide(row: object, **values: object) -> None:
    """Gives a row what belongs to no field: it is not compared, shown, or part of asdict()."""
    row.__dict__.update({f"_hidden_{name}": value for name, value in values.items()})
