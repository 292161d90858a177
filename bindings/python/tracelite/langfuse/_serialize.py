"""Any Python value as a payload: what JSON can say exactly, everything else as Langfuse writes it.

Values go through the C encoder of `json`, which asks `_foreign` about what it does not know. Only
what that way refuses (NaN, cycles, odd keys, very deep nesting) is walked in Python. Nothing here
raises: a value that cannot be written is named instead.
"""

import enum
import json
import json.encoder
import math
from collections.abc import Mapping as MappingLike
from collections.abc import Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type
from uuid import UUID

from .._values import Form, Payload
from ._warn import logger, warn_once

DEPTH_MAX = 200  # levels of containers and objects, where a value must be walked in Python
OBJECT_DEPTH_MAX = 20  # levels of objects that are written by their attributes
OBJECT_COUNT_MAX = 10_000  # such objects in one value

MASK_FAILED = "<fully masked due to failed mask function>"
_UNREADABLE_BYTES = "<not serializable bytes>"


def payload(value: object) -> Optional[Payload]:
    """The payload of a value, None for None."""
    if value is None:
        return None
    kind = type(value)
    if kind is dict or kind is list:
        return _json(json_text(value))
    try:
        return _payload(value)
    except Exception as error:
        return Payload(Form.TEXT, _failed(value, error).encode())


def _payload(value: object) -> Payload:
    if isinstance(value, str):
        try:
            return Payload(Form.TEXT, str.encode(value))
        except UnicodeEncodeError:  # a lone surrogate: UTF-8 has no place for it, JSON has
            return Payload(Form.JSON, json.dumps(value).encode())
    if isinstance(value, Payload):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        try:
            data.decode()
            return Payload(Form.TEXT, data)
        except UnicodeDecodeError:
            return Payload(Form.BYTES, data)
    if not isinstance(value, (dict, list, tuple, int, float)):
        try:
            simple = _simple(value)
        except Exception as error:
            simple = (_failed(value, error),)
        if simple is not None:
            if isinstance(simple[0], str):
                return _payload(simple[0])
            value = simple[0]
    return _json(json_text(value))


def _json(data: bytes) -> Payload:
    # As Payload(Form.JSON, data), in a third of the time: a frozen dataclass is slow to make.
    made = _new_payload(Payload)
    members = made.__dict__
    members["form"] = _FORM_JSON
    members["data"] = data
    return made


_FORM_JSON = Form.JSON
_new_payload: Callable[[Type[Payload]], Payload] = object.__new__


def masked(value: object, mask: Optional[Callable[..., Any]]) -> Optional[Payload]:
    """The payload of what a mask makes of the value. The mask is called on this thread."""
    if mask is None or value is None:
        return payload(value)
    try:
        return payload(mask(data=value))
    except Exception as error:  # without its message, which may hold the value
        warn_once(("mask", type(error)), "the mask failed with %s", type(error).__name__)
        return Payload(Form.TEXT, MASK_FAILED.encode())


def with_members(members: Mapping[str, str], given: Optional[Payload]) -> Payload:
    """Metadata with further members; its own win."""
    own: Dict[str, Any] = {}
    if given is not None:
        value = _as_value(given)
        own = value if isinstance(value, dict) else {"metadata": value}
    return Payload(Form.JSON, json_text({**members, **own}))


def json_text(value: object) -> bytes:
    """A JSON text of the value, whatever it is."""
    try:
        return _join(_encode(value, 0)).encode()
    except UnicodeEncodeError:
        try:
            return _TO_ASCII.encode(value).encode()
        except Exception:
            pass
    except Exception:
        pass
    try:
        return _TO_ASCII.encode(_Walk().plain(value, 0)).encode()
    except Exception as error:
        return json.dumps(_failed(value, error)).encode()


# ---------------------------------------------------------------------------------- one by one


def _failed(value: object, error: BaseException) -> str:
    logger.debug("%s cannot be written: %r", type(value).__name__, type(error))
    return f"<not serializable object of type: {type(value).__name__}>"


def _foreign(value: object) -> Any:
    """Something nearer to JSON in the place of a value that `json` does not know."""
    try:
        simple = _simple(value)
        return _members(value) if simple is None else simple[0]
    except RecursionError:  # a cycle, perhaps: the value goes the long way
        raise
    except Exception as error:
        return _failed(value, error)


def _simple(value: Any) -> Optional[Tuple[Any]]:
    """Of a value that is one thing to JSON; in a tuple, because that may be None."""
    kind = type(value)
    if isinstance(value, datetime):
        return (_datetime_text(value),)
    if isinstance(value, (date, time)):
        return (value.isoformat(),)
    if isinstance(value, (UUID, PurePath, Decimal, timedelta)):
        return (str(value),)
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            return (bytes(value).decode(),)
        except UnicodeDecodeError:
            return (_UNREADABLE_BYTES,)
    if isinstance(value, enum.Enum):
        return (value.value,)
    if isinstance(value, BaseException):
        return (f"{kind.__name__}: {value}",)
    if isinstance(value, Payload):
        return (_as_value(value),)
    reference = getattr(kind, "__tracelite_payload__", None)
    if reference is not None:
        return (reference(value),)
    if kind.__module__.split(".")[0] == "numpy":
        if hasattr(value, "tolist"):
            return (value.tolist(),)
        if hasattr(value, "item"):
            return (value.item(),)
    if "Streaming" in kind.__name__:  # its content is for the caller alone to read
        return (str(value),)
    if kind.__name__.endswith("Queue") and hasattr(value, "put"):
        return (kind.__name__,)
    if isinstance(value, type):
        return (f"<class {value.__name__}>",)
    if isinstance(value, (FunctionType, BuiltinFunctionType, MethodType)):
        return (f"<function {value.__name__}>",)
    if isinstance(value, ModuleType):
        return (f"<module {value.__name__}>",)
    return None


def _members(value: Any) -> Any:
    """Of a value that consists of others."""
    kind = type(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in fields(value)}
    if hasattr(kind, "model_fields") and callable(getattr(value, "model_dump", None)):
        return value.model_dump()
    if hasattr(kind, "__fields__") and callable(getattr(value, "dict", None)):
        return value.dict()
    if getattr(kind, "lc_serializable", None) is not None and hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, MappingLike):
        return dict(value)
    if isinstance(value, (Set, Sequence)):
        return list(value)
    if kind.__name__ == "deque":
        return list(value)
    attributes = _attributes(value)
    return f"<{kind.__name__}>" if attributes is None else attributes


def _attributes(value: object) -> Optional[Dict[str, Any]]:
    found: Optional[Dict[str, Any]] = None
    slots = [getattr(kind, "__slots__", ()) for kind in reversed(type(value).__mro__)]
    names = [name for each in slots for name in ([each] if isinstance(each, str) else each)]
    if names:
        found = {name: getattr(value, name, None) for name in names if not name.startswith("__")}
    if hasattr(value, "__dict__"):
        found = {**(found or {}), **vars(value)}
    return found


def _as_value(given: Payload) -> Any:
    try:
        return given.value
    except Exception:
        return given.data.decode("utf-8", "replace")


def _datetime_text(value: datetime) -> str:
    if value.tzinfo is None:
        value = value.astimezone()  # as Langfuse: a time without a zone is local
    text = value.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


# --------------------------------------------------------------------------------- the long way


class _Walk:
    """Makes of a value what `json` writes without a question: finite numbers, text keys, no cycles,
    bounded depth."""

    def __init__(self) -> None:
        self._above: Dict[int, object] = {}
        self._object_depth = 0
        self._object_count = 0

    def plain(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, (str, bool)):
            return _text(value) if isinstance(value, str) else value
        if isinstance(value, int):
            return _whole(value)
        if isinstance(value, float):
            return _finite(value)
        if depth >= DEPTH_MAX:
            return f"<{type(value).__name__}>"
        if id(value) in self._above:
            return type(value).__name__  # a cycle is cut where it closes
        self._above[id(value)] = value
        try:
            return self._inside(value, depth + 1)
        except Exception as error:
            return _failed(value, error)
        finally:
            del self._above[id(value)]

    def _inside(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {_key(key): self.plain(each, depth) for key, each in list(value.items())}
        if isinstance(value, (list, tuple)):
            return [self.plain(each, depth) for each in list(value)]
        simple = _simple(value)
        if simple is not None:
            return self.plain(simple[0], depth)
        if self._object_depth >= OBJECT_DEPTH_MAX or self._object_count >= OBJECT_COUNT_MAX:
            return f"<{type(value).__name__}>"
        self._object_depth += 1
        self._object_count += 1
        try:
            return self.plain(_members(value), depth)
        finally:
            self._object_depth -= 1


def _text(value: str) -> str:
    return value if type(value) is str else str.__str__(value)


def _whole(value: int) -> Any:
    try:
        repr(value)
        return value
    except ValueError:  # more digits than Python converts
        return hex(value)


def _finite(value: float) -> Any:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return float(value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return _text(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    try:
        simple = _simple(key)
        return str(key if simple is None else simple[0])
    except Exception as error:
        return _failed(key, error)


# ------------------------------------------------------------------------------------- encoders

_TO_ASCII = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_foreign)
_TO_UTF8 = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_foreign
)


def _fastest() -> Callable[[object, int], "List[str] | Tuple[str, ...] | str"]:
    """The C encoder itself where there is one: JSONEncoder makes one anew for each value. Without
    markers it does not look for cycles, but runs into the limit of recursion, and the value goes
    the long way."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    quote: Any = getattr(json.encoder, "c_encode_basestring", None)
    if make is None or quote is None:
        return _slowly
    try:
        encoder = make(None, _foreign, quote, None, ":", ",", False, False, False)
        if "".join(encoder({"a": [1, "é", None]}, 0)) != '{"a":[1,"é",null]}':
            return _slowly
    except Exception:
        return _slowly
    return encoder  # type: ignore[no-any-return]


def _slowly(value: object, indent: int) -> str:
    return _TO_UTF8.encode(value)


_encode = _fastest()
_join = "".join
