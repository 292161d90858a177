"""The fields of the model as keyword arguments, and how they get into the structs of the C API.

The functions `trace_fields`, `observation_fields`, ... are templates: they only lend their
signatures to the methods that take such fields (see `takes`).
"""

from __future__ import annotations

import ctypes
import inspect
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    Mapping,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from . import _c
from ._c import Field
from ._errors import InvalidError
from ._values import (
    UINT64_MAX,
    Amount,
    Clear,
    Code,
    DataType,
    Level,
    ObservationType,
    Payload,
    Source,
    Time,
    amount_text,
    integer_of,
    json_bytes,
    nanoseconds_of,
    payload_of,
    text_bytes,
)

_S = TypeVar("_S", bound=ctypes.Structure)

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    from ._span import Span

    _P = ParamSpec("_P")
    _R = TypeVar("_R")


def takes(
    template: Callable[_P, None],
) -> Callable[[Callable[..., _R]], Callable[Concatenate[Any, _P], _R]]:
    """Gives a method the parameters of a template, for type checkers and for help()."""

    def decorate(method: Callable[..., _R]) -> Callable[Concatenate[Any, _P], _R]:
        self = list(inspect.signature(method).parameters.values())[0]
        parameters = inspect.signature(template).parameters.values()
        setattr(method, "__signature__", inspect.Signature([self, *parameters]))
        return method

    return decorate


# ------------------------------------------------------------------------------------- templates

Text = Union[str, Clear, None]
When = Union[Time, Clear, None]
Texts = Union[Iterable[str], Clear, None]
Flag = Union[bool, Clear, None]


def trace_fields(
    id: Optional[str] = None,
    *,
    timestamp: Optional[Time] = None,
    name: Text = None,
    user_id: Text = None,
    session_id: Text = None,
    release: Text = None,
    version: Text = None,
    environment: Text = None,
    tags: Texts = None,
    metadata: object = None,
    input: object = None,
    output: object = None,
    is_public: Flag = None,
    is_bookmarked: Flag = None,
) -> None:
    pass


def observation_changes(
    *,
    type: Union[ObservationType, str, Clear, None] = None,
    name: Text = None,
    start_time: Optional[Time] = None,
    end_time: When = None,
    completion_start_time: When = None,
    level: Union[Level, str, Clear, None] = None,
    status_message: Text = None,
    version: Text = None,
    environment: Text = None,
    user_id: Text = None,
    session_id: Text = None,
    tags: Texts = None,
    input: object = None,
    output: object = None,
    metadata: object = None,
    model: Text = None,
    model_parameters: Union[Mapping[str, object], Clear, None] = None,
    usage_details: Union[Mapping[str, int], Clear, None] = None,
    cost_details: Union[Mapping[str, Amount], Clear, None] = None,
    prompt_name: Text = None,
    prompt_version: Union[int, Clear, None] = None,
) -> None:
    pass


def observation_fields(
    id: Optional[str] = None,
    *,
    trace_id: Optional[str] = None,
    parent_observation_id: Text = None,
    type: Union[ObservationType, str, Clear, None] = None,
    name: Text = None,
    start_time: Optional[Time] = None,
    end_time: When = None,
    completion_start_time: When = None,
    level: Union[Level, str, Clear, None] = None,
    status_message: Text = None,
    version: Text = None,
    environment: Text = None,
    user_id: Text = None,
    session_id: Text = None,
    tags: Texts = None,
    input: object = None,
    output: object = None,
    metadata: object = None,
    model: Text = None,
    model_parameters: Union[Mapping[str, object], Clear, None] = None,
    usage_details: Union[Mapping[str, int], Clear, None] = None,
    cost_details: Union[Mapping[str, Amount], Clear, None] = None,
    prompt_name: Text = None,
    prompt_version: Union[int, Clear, None] = None,
) -> None:
    pass


def live_fields(
    *,
    id: Optional[str] = None,
    trace_id: Optional[str] = None,
    parent: Optional[Span] = None,
    parent_observation_id: Optional[str] = None,
    type: Union[ObservationType, str, None] = None,
    name: Optional[str] = None,
    start_time: Optional[Time] = None,
    completion_start_time: Optional[Time] = None,
    level: Union[Level, str, None] = None,
    status_message: Optional[str] = None,
    version: Optional[str] = None,
    environment: Optional[str] = None,
    user_id: Optional[str] = None,
    session_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    input: object = None,
    output: object = None,
    metadata: object = None,
    model: Optional[str] = None,
    model_parameters: Optional[Mapping[str, object]] = None,
    usage_details: Optional[Mapping[str, int]] = None,
    cost_details: Optional[Mapping[str, Amount]] = None,
    prompt_name: Optional[str] = None,
    prompt_version: Optional[int] = None,
) -> None:
    pass


def child_fields(
    *,
    id: Optional[str] = None,
    type: Union[ObservationType, str, None] = None,
    name: Optional[str] = None,
    start_time: Optional[Time] = None,
    completion_start_time: Optional[Time] = None,
    level: Union[Level, str, None] = None,
    status_message: Optional[str] = None,
    version: Optional[str] = None,
    environment: Optional[str] = None,
    user_id: Optional[str] = None,
    session_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    input: object = None,
    output: object = None,
    metadata: object = None,
    model: Optional[str] = None,
    model_parameters: Optional[Mapping[str, object]] = None,
    usage_details: Optional[Mapping[str, int]] = None,
    cost_details: Optional[Mapping[str, Amount]] = None,
    prompt_name: Optional[str] = None,
    prompt_version: Optional[int] = None,
) -> None:
    pass


def score_fields(
    id: Optional[str] = None,
    *,
    trace_id: Optional[str] = None,
    observation_id: Optional[str] = None,
    session_id: Optional[str] = None,
    name: Optional[str] = None,
    value: Union[float, str, Clear, None] = None,
    data_type: Union[DataType, str, Clear, None] = None,
    source: Union[Source, str, Clear, None] = None,
    comment: Text = None,
    metadata: object = None,
    config_id: Text = None,
    environment: Optional[str] = None,
    timestamp: Optional[Time] = None,
    author_user_id: Text = None,
) -> None:
    pass


def session_fields(
    id: str,
    *,
    is_public: Flag = None,
    is_bookmarked: Flag = None,
) -> None:
    pass


# --------------------------------------------------------------------------------------- setters

# Puts a value into a struct, under the member's name.
_Setter = Callable[[Any, str, Any], None]


def _text(struct: Any, member: str, value: Any) -> None:
    try:
        data = str.encode(value)
    except (TypeError, UnicodeEncodeError):
        data = text_bytes(value, member)  # tells what is wrong
    setattr(struct, member, data)
    setattr(struct, member + "_size_bytes", len(data))


def _json_object(struct: Any, member: str, value: Any) -> None:
    data = value.data if isinstance(value, Payload) else json_bytes(value, member)
    setattr(struct, member, data)
    setattr(struct, member + "_size_bytes", len(data))


# One for each, because naming the members in the code makes it faster.
def _input(struct: Any, member: str, value: Any) -> None:
    payload = value if type(value) is Payload else payload_of(value, member)
    struct.input_form = payload.form.code
    struct.input = data = payload.data
    struct.input_size_bytes = len(data)


def _output(struct: Any, member: str, value: Any) -> None:
    payload = value if type(value) is Payload else payload_of(value, member)
    struct.output_form = payload.form.code
    struct.output = data = payload.data
    struct.output_size_bytes = len(data)


def _metadata(struct: Any, member: str, value: Any) -> None:
    payload = value if type(value) is Payload else payload_of(value, member)
    struct.metadata_form = payload.form.code
    struct.metadata = data = payload.data
    struct.metadata_size_bytes = len(data)


def _time(struct: Any, member: str, value: Any) -> None:
    setattr(struct, member + "_ns", nanoseconds_of(value, member))


def _flag(struct: Any, member: str, value: Any) -> None:
    setattr(struct, member, 1 if value else 0)


def _integer(struct: Any, member: str, value: Any) -> None:
    setattr(struct, member, integer_of(value, member))


def _code(words: Type[Code]) -> _Setter:
    def put(struct: Any, member: str, value: Any) -> None:
        setattr(struct, member, words.code_of(value, member))

    return put


def _tags(struct: Any, member: str, value: Any) -> None:
    if isinstance(value, (str, bytes)):
        raise InvalidError("tags is one text, but must be several: [text]", field="tags")
    array = _c.text_array(text_bytes(tag, "tags") for tag in value)
    struct.tags = array
    struct.tag_count = len(array)


def _usage(struct: Any, member: str, value: Any) -> None:
    array = (_c.Usage * len(value))()
    for entry, (name, amount) in zip(array, value.items()):
        _text(entry, "name", name)
        entry.amount = integer_of(amount, f"{member}.{name}", 0, UINT64_MAX)
    struct.usage_details = array
    struct.usage_count = len(array)


def _cost(struct: Any, member: str, value: Any) -> None:
    array = (_c.Cost * len(value))()
    for entry, (name, amount) in zip(array, value.items()):
        _text(entry, "name", name)
        _text(entry, "amount", amount_text(amount, f"{member}.{name}"))
    struct.cost_details = array
    struct.cost_count = len(array)


# keyword: (bit in set_mask and clear_mask, setter)
_Table = Dict[str, Tuple[int, _Setter]]


def _table(**entries: Tuple[Field, _Setter]) -> _Table:
    return {name: (1 << field, setter) for name, (field, setter) in entries.items()}


_TRACE = _table(
    timestamp=(Field.TIMESTAMP, _time),
    name=(Field.NAME, _text),
    user_id=(Field.USER_ID, _text),
    session_id=(Field.SESSION_ID, _text),
    release=(Field.RELEASE, _text),
    version=(Field.VERSION, _text),
    environment=(Field.ENVIRONMENT, _text),
    tags=(Field.TAGS, _tags),
    metadata=(Field.METADATA, _metadata),
    input=(Field.INPUT, _input),
    output=(Field.OUTPUT, _output),
    is_public=(Field.PUBLIC, _flag),
    is_bookmarked=(Field.BOOKMARKED, _flag),
)

_OBSERVATION = _table(
    trace_id=(Field.TRACE_ID, _text),
    parent_observation_id=(Field.PARENT_OBSERVATION_ID, _text),
    type=(Field.TYPE, _code(ObservationType)),
    name=(Field.NAME, _text),
    start_time=(Field.START_TIME, _time),
    end_time=(Field.END_TIME, _time),
    completion_start_time=(Field.COMPLETION_START_TIME, _time),
    level=(Field.LEVEL, _code(Level)),
    status_message=(Field.STATUS_MESSAGE, _text),
    version=(Field.VERSION, _text),
    environment=(Field.ENVIRONMENT, _text),
    user_id=(Field.USER_ID, _text),
    session_id=(Field.SESSION_ID, _text),
    tags=(Field.TAGS, _tags),
    input=(Field.INPUT, _input),
    output=(Field.OUTPUT, _output),
    metadata=(Field.METADATA, _metadata),
    model=(Field.MODEL, _text),
    model_parameters=(Field.MODEL_PARAMETERS, _json_object),
    usage_details=(Field.USAGE_DETAILS, _usage),
    cost_details=(Field.COST_DETAILS, _cost),
    prompt_name=(Field.PROMPT_NAME, _text),
    prompt_version=(Field.PROMPT_VERSION, _integer),
)

_SCORE = _table(
    trace_id=(Field.TRACE_ID, _text),
    observation_id=(Field.OBSERVATION_ID, _text),
    session_id=(Field.SESSION_ID, _text),
    name=(Field.NAME, _text),
    value=(Field.VALUE, setattr),
    string_value=(Field.STRING_VALUE, _text),
    data_type=(Field.DATA_TYPE, _code(DataType)),
    source=(Field.SOURCE, _code(Source)),
    comment=(Field.COMMENT, _text),
    metadata=(Field.METADATA, _metadata),
    config_id=(Field.CONFIG_ID, _text),
    environment=(Field.ENVIRONMENT, _text),
    timestamp=(Field.TIMESTAMP, _time),
    author_user_id=(Field.AUTHOR_USER_ID, _text),
)

_SESSION = _table(
    is_public=(Field.PUBLIC, _flag),
    is_bookmarked=(Field.BOOKMARKED, _flag),
)

# --------------------------------------------------------------------------------------- structs


def _fill(struct: Any, table: _Table, fields: Mapping[str, Any]) -> None:
    set_mask = clear_mask = 0
    for name, value in fields.items():
        if value is None:
            continue
        try:
            bit, setter = table[name]
        except KeyError:
            raise TypeError(f"unexpected keyword argument {name!r}") from None
        if type(value) is Clear:
            clear_mask |= bit
        else:
            setter(struct, name, value)
            set_mask |= bit
    struct.set_mask = set_mask
    if clear_mask:
        struct.clear_mask = clear_mask


def _new(kind: Type[_S], id: Optional[str]) -> _S:
    struct = kind(ctypes.sizeof(kind))
    if id is not None:
        _text(struct, "id", id)
    return struct


_OBSERVATION_SIZE_BYTES = ctypes.sizeof(_c.Observation)


def trace_struct(id: str, fields: Mapping[str, Any]) -> _c.Trace:
    struct = _new(_c.Trace, id)
    _fill(struct, _TRACE, fields)
    return struct


def observation_struct(id: Optional[str], fields: Mapping[str, Any]) -> _c.Observation:
    struct = _c.Observation(_OBSERVATION_SIZE_BYTES)
    if id is not None:
        _text(struct, "id", id)
    _fill(struct, _OBSERVATION, fields)
    return struct


class Draft:
    """What many observations have in common, put into a struct once: each of them starts from a
    copy of it."""

    __slots__ = ("fields", "_struct", "_set_mask")

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        self._struct = observation_struct(None, fields)
        self._struct.id_size_bytes, self._struct.trace_id_size_bytes = _ID_SIZES_BYTES
        self._set_mask = self._struct.set_mask | 1 << Field.TRACE_ID

    def struct(
        self,
        id: str,
        trace_id: str,
        parent_id: Optional[str],
        start_ns: Optional[int],
        fields: Mapping[str, Any],
    ) -> _c.Observation:
        """The struct of one observation, with further fields. Good as long as this lives."""
        struct = _copy_of(self._struct)
        set_mask = self._set_mask
        struct.id = own = id.encode()
        struct.trace_id = data = trace_id.encode()
        if (len(own), len(data)) != _ID_SIZES_BYTES:
            struct.id_size_bytes, struct.trace_id_size_bytes = len(own), len(data)
        if parent_id is not None:
            struct.parent_observation_id = data = parent_id.encode()
            struct.parent_observation_id_size_bytes = len(data)
            set_mask |= _PARENT_BIT
        if start_ns is not None:
            struct.start_time_ns = start_ns
            set_mask |= _START_BIT
        for name, value in fields.items():
            if value is not None:
                bit, setter = _OBSERVATION[name]
                setter(struct, name, value)
                set_mask |= bit
        struct.set_mask = set_mask
        return struct


_ID_SIZES_BYTES = (16, 32)  # of an observation and a trace, nearly always
_PARENT_BIT = 1 << Field.PARENT_OBSERVATION_ID
_START_BIT = 1 << Field.START_TIME
_copy_of = _c.Observation.from_buffer_copy


def score_struct(id: str, fields: Dict[str, Any]) -> _c.Score:
    """`value` is a number, a bool or a text; the data type follows, where it is not given."""
    value = fields.get("value")
    if isinstance(value, str):
        fields["string_value"] = fields.pop("value")
    elif isinstance(value, bool):
        if fields.get("data_type") is None:
            fields["data_type"] = DataType.BOOLEAN
    elif isinstance(value, Clear):
        fields["string_value"] = value
    elif not isinstance(value, (int, float, type(None))):
        raise InvalidError(
            f"value is {value!r}, but must be a number, a bool or a str", field="value"
        )
    elif isinstance(value, int):
        try:
            fields["value"] = float(value)
        except OverflowError:
            raise InvalidError("value is too large for a float", field="value") from None
    struct = _new(_c.Score, id)
    _fill(struct, _SCORE, fields)
    return struct


def session_struct(id: str, fields: Mapping[str, Any]) -> _c.Session:
    struct = _new(_c.Session, id)
    _fill(struct, _SESSION, fields)
    return struct


_FILTER: Dict[str, _Setter] = {
    "trace_id": _text,
    "session_id": _text,
    "user_id": _text,
    "tags": _tags,
    "environment": _text,
    "name": _text,
    "release": _text,
    "version": _text,
    "level": _code(Level),
    "type": _code(ObservationType),
    "model": _text,
    "metadata_key": _text,
    "metadata_value": _text,
}


def filter_struct(conditions: Mapping[str, Any]) -> Optional[_c.Filter]:
    """None if there is no condition."""
    struct: Any = None
    for name, value in conditions.items():
        if value is None:
            continue
        if struct is None:
            struct = _c.Filter()
            struct.struct_size = ctypes.sizeof(_c.Filter)
        if name == "from_time":
            struct.from_ns = nanoseconds_of(value, name) or -1  # 0 would be no bound
        elif name == "to_time":
            struct.to_ns = nanoseconds_of(value, name) or -1
        elif name in _FILTER:
            if name == "metadata_value" and not isinstance(value, str):
                value = json_bytes(value, name).decode()
            _FILTER[name](struct, name, value)
        else:
            raise TypeError(f"unexpected keyword argument {name!r}")
    return struct  # type: ignore[no-any-return]
