"""Values of the model: types and levels, payloads, times, amounts."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Dict, Optional, Type, TypeVar, Union

from ._errors import InvalidError, UnsupportedError

_C = TypeVar("_C", bound="Code")
_members: Dict[Any, Dict[int, Any]] = {}


class Code(str, Enum):
    """A word of the model that is a number in the C API. Equal to the word as a str."""

    code: int

    def __new__(cls, word: str, code: int) -> Code:
        member = str.__new__(cls, word)
        member._value_ = word
        member.code = code
        return member

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def of(cls: Type[_C], code: int) -> _C:
        """The member with this number."""
        if not _members.get(cls):
            _members[cls] = {member.code: member for member in cls}
        try:
            member: _C = _members[cls][code]
        except KeyError:
            raise UnsupportedError(
                f"the library gave {code} for a {cls.__name__}, which this package does not know"
            ) from None
        return member

    @classmethod
    def code_of(cls, word: str, field: str) -> int:
        """The number of a member, or of a word in upper or lower case."""
        if isinstance(word, cls):
            return word.code
        try:
            return cls[word.upper()].code
        except (KeyError, AttributeError):
            raise InvalidError(
                f"{field} is {word!r}, but must be one of {', '.join(cls.__members__)}",
                field=field,
            ) from None


class ObservationType(Code):
    """The type of an observation. An EVENT is a point in time."""

    SPAN = "SPAN", 1
    EVENT = "EVENT", 2
    GENERATION = "GENERATION", 3
    AGENT = "AGENT", 4
    TOOL = "TOOL", 5
    CHAIN = "CHAIN", 6
    RETRIEVER = "RETRIEVER", 7
    EVALUATOR = "EVALUATOR", 8
    EMBEDDING = "EMBEDDING", 9
    GUARDRAIL = "GUARDRAIL", 10


class Level(Code):
    """How much an observation matters."""

    DEBUG = "DEBUG", 1
    DEFAULT = "DEFAULT", 2
    WARNING = "WARNING", 3
    ERROR = "ERROR", 4


class DataType(Code):
    """What a score's value is."""

    INFERRED = "INFERRED", 0
    NUMERIC = "NUMERIC", 1
    BOOLEAN = "BOOLEAN", 2
    CATEGORICAL = "CATEGORICAL", 3
    TEXT = "TEXT", 4
    CORRECTION = "CORRECTION", 5


class Source(Code):
    """Where a score comes from."""

    API = "API", 0
    EVAL = "EVAL", 1
    ANNOTATION = "ANNOTATION", 2


class Form(Code):
    """What an input, output or metadata is. WITHHELD is streamed text that a mask holds back until
    its observation ends."""

    ABSENT = "ABSENT", 0
    NULL = "NULL", 1
    JSON = "JSON", 2
    TEXT = "TEXT", 3
    BYTES = "BYTES", 4
    WITHHELD = "WITHHELD", 5


class Phase(Code):
    """What a step of a replay is; an EVENT observation is a POINT, begin and end in one."""

    NONE = "NONE", 0
    BEGIN = "BEGIN", 1
    END = "END", 2
    POINT = "POINT", 3


class Order(Code):
    """What a list is ordered by, the largest first. TIME is the timestamp or start time, of groups
    the last activity; NAME is a group's key or a session's id."""

    TIME = "TIME", 0
    NAME = "NAME", 1
    LATENCY = "LATENCY", 2
    TOKENS = "TOKENS", 3
    COST = "COST", 4


class FullPolicy(Code):
    """What a recording call does when the queue is full: wait for room, or drop the record, count
    it and raise QueueFullError."""

    WAIT = "WAIT", 0
    DROP = "DROP", 1


class Durability(Code):
    """What a power cut may take of what was recorded: with SYNC no commit, with LAST_COMMIT, which
    syncs half as often, the last one, unless a flush came behind it."""

    SYNC = "SYNC", 0
    LAST_COMMIT = "LAST_COMMIT", 1


class Clear:
    """The type of CLEAR, which takes a field's value away."""

    def __repr__(self) -> str:
        return "CLEAR"


CLEAR = Clear()

# -------------------------------------------------------------------------------------- payloads


@dataclass(frozen=True, eq=False)
class Payload:
    """An input, output or metadata as it is stored, byte for byte.

    Given as a value it is stored just so; `value` is what Python makes of it. Of WITHHELD text only
    the size is known.
    """

    ABSENT: ClassVar[Payload]

    form: Form
    data: bytes = b""
    withheld_size_bytes: int = 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Payload):
            return NotImplemented
        return (self.form, self.data) == (other.form, other.data)

    def __hash__(self) -> int:
        return hash((self.form, self.data))

    def __repr__(self) -> str:
        shown = self.data if len(self.data) <= 60 else self.data[:60] + b"..."
        return f"Payload({self.form}, {shown!r})"

    @property
    def text(self) -> str:
        """The exact text. Raises UnicodeDecodeError for bytes that are not UTF-8."""
        return self.data.decode()

    @property
    def value(self) -> Any:
        """TEXT as a str, BYTES as bytes, JSON as json.loads reads it (and with its errors: for
        nesting or an integer too large for Python), everything else as None."""
        if self.form is Form.JSON:
            return json.loads(self.data)
        if self.form is Form.TEXT:
            return self.data.decode()
        if self.form is Form.BYTES:
            return self.data
        return None


Payload.ABSENT = Payload(Form.ABSENT)


class Json(Payload):
    """A JSON text that is stored exactly as it stands, or as text, with a warning, where it is not
    JSON."""

    def __init__(self, text: Union[str, bytes]) -> None:
        super().__init__(Form.JSON, text.encode() if isinstance(text, str) else bytes(text))

    def __reduce__(self) -> Any:
        return Json, (self.data,)


NULL = Json("null")


_TO_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def payload_of(value: object, field: str) -> Payload:
    """str becomes TEXT, bytes BYTES, a Payload stays, everything else becomes JSON.

    Raises InvalidError for what JSON cannot say (NaN, cycles), TypeError for what json.dumps does
    not take.
    """
    if isinstance(value, str):
        try:
            return Payload(Form.TEXT, value.encode())
        except UnicodeEncodeError:  # lone surrogates: UTF-8 has no place for them, JSON has
            return Payload(Form.JSON, json.dumps(value).encode())
    if isinstance(value, Payload):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Payload(Form.BYTES, bytes(value))
    return Payload(Form.JSON, json_bytes(value, field))


def json_bytes(value: object, field: str) -> bytes:
    """The value as a compact JSON text. Raises as payload_of does."""
    try:
        try:
            return _TO_JSON.encode(value).encode()
        except UnicodeEncodeError:  # lone surrogates are escaped
            return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"{field} cannot be written as JSON: {error}", field=field) from error
    except TypeError as error:
        raise TypeError(f"{field}: {error}") from error


# ----------------------------------------------------------------------------- times and amounts

Time = Union[datetime, int]
Amount = Union[Decimal, int, float, str]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
INT64_MAX = 2**63 - 1
UINT64_MAX = 2**64 - 1


def nanoseconds_of(time: Time, field: str) -> int:
    """Nanoseconds since 1970 of an aware datetime, or of an int that is just that."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise InvalidError(
                f"{field} is a datetime without a time zone: give it one, "
                f"such as datetime.now(timezone.utc)",
                field=field,
            )
        return integer_of((time - _EPOCH) // _MICROSECOND * 1000, field)
    return integer_of(time, field)


def time_of(time_ns: int) -> datetime:
    """The UTC datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def integer_of(
    value: object, field: str, least: int = -INT64_MAX - 1, most: int = INT64_MAX
) -> int:
    """An int within bounds. Raises InvalidError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidError(f"{field} is {value!r}, but must be a whole number", field=field)
    if not least <= value <= most:
        raise InvalidError(f"{field} is {value}, but must be {least} to {most}", field=field)
    return value


def text_bytes(value: object, field: str) -> bytes:
    """The text as UTF-8. Raises InvalidError."""
    if not isinstance(value, str):
        raise InvalidError(f"{field} is {value!r}, but must be a str", field=field)
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise InvalidError(f"{field} holds a lone surrogate", field=field) from None


def amount_text(value: Amount, field: str) -> str:
    """A decimal number as exact text; a float as its shortest text."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # Not a subclass's own, such as "np.float64(0.5)".
        text = float.__repr__(value) if isinstance(value, float) else int.__repr__(value)
        if text not in ("inf", "-inf", "nan"):
            return text
    raise InvalidError(f"{field} is {value!r}, but must be a decimal number", field=field)


def milliseconds_of(seconds: Optional[float], field: str, most: int = 0xFFFFFFFE) -> int:
    """A time-out for the C API: None is without limit, a fraction is rounded up."""
    if seconds is None:
        return 0xFFFFFFFF
    if seconds == math.inf:
        return most
    if not seconds >= 0:
        raise InvalidError(f"{field} is {seconds!r}, but must not be negative", field=field)
    return int(min(-(-seconds * 1000 // 1), most))


def encoded_path(path: Union[str, bytes, os.PathLike[str]]) -> bytes:
    """As the library takes it."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise InvalidError("path holds a zero byte", field="path")
    return encoded
