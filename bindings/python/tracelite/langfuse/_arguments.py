"""The keyword arguments of Langfuse, by their names, as fields of the library."""

from typing import TYPE_CHECKING, Any, Dict

from . import _values
from ._serialize import masked, payload
from ._settings import repaired_environment
from ._warn import warn_once

if TYPE_CHECKING:
    from ._client import Langfuse


def fields_of(client: "Langfuse", given: Dict[str, Any]) -> Dict[str, Any]:
    """The keyword arguments of Langfuse as fields of the library; what is None is left out."""
    fields: Dict[str, Any] = {}
    mask = client.settings.mask
    for name, value in given.items():
        if value is None:
            continue
        if name == "input" or name == "output" or name == "metadata":
            fields[name] = payload(value) if mask is None else masked(value, mask)
        else:
            convert = _CONVERTERS.get(name)
            if convert is not None:
                try:
                    convert(fields, name, value)
                except Exception as error:
                    warn_once(("convert", name), "%s was dropped: %r", name, type(error))
            elif name not in _UNUSED:
                warn_once(("argument", name), "argument %s is not known, and was dropped", name)
    return fields


def _text(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.text(value, name)


def _short(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.short(value, name)


def _time(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.time_ns(value, name)


def _level(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.level(value)


def _model_parameters(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.model_parameters(value)


def _usage(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.usage_details(value)


def _cost(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.cost_details(value)


def _older_usage(fields: Dict[str, Any], name: str, value: object) -> None:
    usage, costs = _values.older_usage(value)
    if fields.get("usage_details") is None:
        fields["usage_details"] = usage
    if fields.get("cost_details") is None:
        fields["cost_details"] = costs


def _prompt(fields: Dict[str, Any], name: str, value: object) -> None:
    found = _values.prompt(value)
    if found is not None:
        fields["prompt_name"], fields["prompt_version"] = found


def _tags(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = _values.tags(value) or None


def _flag(fields: Dict[str, Any], name: str, value: object) -> None:
    fields["is_" + name] = bool(value)


def _environment(fields: Dict[str, Any], name: str, value: object) -> None:
    fields[name] = repaired_environment(value)


_CONVERTERS = {
    "name": _text,
    "version": _short,
    "user_id": _short,
    "session_id": _short,
    "status_message": _text,
    "model": _text,
    "release": _text,
    "level": _level,
    "start_time": _time,
    "end_time": _time,
    "completion_start_time": _time,
    "timestamp": _time,
    "model_parameters": _model_parameters,
    "usage_details": _usage,
    "cost_details": _cost,
    "usage": _older_usage,
    "prompt": _prompt,
    "tags": _tags,
    "public": _flag,
    "environment": _environment,
}

# Arguments of Langfuse that say nothing here.
_UNUSED = frozenset({"end_on_exit", "public_key"})
