"""Langfuse's ways to give a field, brought into the form that the library takes. What cannot be
brought there is dropped with a warning, and the rest is kept."""

from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .._values import INT64_MAX, UINT64_MAX, Json, Level, ObservationType, nanoseconds_of
from ._serialize import json_text
from ._warn import shown, warn_once

TYPES = {each.value.lower(): each for each in ObservationType}

_LEVELS = {level.value: level for level in Level}


def observation_type(word: object) -> ObservationType:
    if type(word) is str and word in TYPES:
        return TYPES[word]
    if issubclass(type(word), str):
        kind = TYPES.get(str.lower(word))  # type: ignore[arg-type]
        if kind is not None:
            return kind
    if word is not None:
        warn_once(("as_type", shown(word)), "as_type %s is not known: it is a span", shown(word))
    return ObservationType.SPAN


def level(word: object) -> Optional[Level]:
    if isinstance(word, str):
        found = _LEVELS.get(str.upper(word))
        if found is not None:
            return found
    warn_once(("level", shown(word)), "level was dropped: %s is none", shown(word))
    return None


def text(value: object, field: str) -> Optional[str]:
    """A text that UTF-8 has a place for; other values as their text."""
    try:
        found = value if type(value) is str else str(value)
    except Exception:
        warn_once(("text", field), "%s was dropped: it must be a str", field)
        return None
    try:
        str.encode(found)
        return found
    except UnicodeEncodeError:  # a lone surrogate
        return str.encode(found, "utf-8", "backslashreplace").decode()


def time_ns(value: object, field: str) -> Optional[int]:
    """Of a datetime (local, if it has no zone), an ISO 8601 text, or nanoseconds since 1970."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if isinstance(value, datetime):
            return nanoseconds_of(value if value.tzinfo else value.astimezone(), field)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INT64_MAX:
            return value
    except Exception:
        pass
    warn_once(("time", field), "%s was dropped: %s is no time", field, shown(value))
    return None


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


# ------------------------------------------------------------------------------ usage and costs


def mapping(value: Any, field: str) -> Optional[Dict[str, Any]]:
    """The members of a mapping, or of an object such as OpenAI's usage."""
    try:
        if isinstance(value, Mapping):
            found = dict(value)
        elif callable(getattr(value, "model_dump", None)):
            found = value.model_dump()
        elif callable(getattr(value, "dict", None)):
            found = value.dict()
        else:
            found = dict(vars(value))
        return {str(name): each for name, each in found.items()}
    except Exception:
        warn_once(("mapping", field), "%s was dropped: it must be a mapping of names", field)
        return None


# input, output, total, details of input, details of output
_SHAPES = (
    (
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
    ),
    (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "input_tokens_details",
        "output_tokens_details",
    ),
    (
        "promptTokens",
        "completionTokens",
        "totalTokens",
        "promptTokensDetails",
        "completionTokensDetails",
    ),
)


def usage_details(given: object) -> Optional[Dict[str, int]]:
    """A map of names, or one of the shapes that OpenAI's clients produce: the details are taken out
    of input and output, so that the sum over all names stays the total."""
    found = mapping(given, "usage_details")
    if found is None:
        return None
    shape = _shape_of(found)
    if shape is None:
        return _amounts(found)
    details: Dict[str, int] = {}
    sums: Dict[str, int] = {}
    for name, whole, parts in (("input", shape[0], shape[3]), ("output", shape[1], shape[4])):
        rest = _amounts({name: found.get(whole)})
        within = found.get(parts)
        for part, count in _amounts(mapping(within, parts) or {} if within else {}).items():
            details[f"{name}_{part}"] = count
            if name in rest:
                rest[name] = max(0, rest[name] - count)
        sums.update(rest)
    return {**sums, **_amounts({"total": found.get(shape[2])}), **details}


def _shape_of(found: Mapping[str, object]) -> Optional[Tuple[str, ...]]:
    for shape in _SHAPES:
        if not (shape[0] in found or shape[1] in found):
            continue
        if shape[0] == "input_tokens" and not any(name in found for name in shape[2:]):
            return None  # Anthropic's pair stays as it is
        return shape if all(name in shape for name in found) else None
    return None


def _amounts(found: Mapping[str, object]) -> Dict[str, int]:
    amounts: Dict[str, int] = {}
    for name, value in found.items():
        if value is None:
            continue
        amount = whole_amount(value)
        if amount is None:
            warn_once(
                ("usage", name),
                "usage_details.%s was dropped: it must be a whole number of 0 or more",
                name,
            )
        else:
            amounts[text(name, "usage_details") or "?"] = amount
    return amounts


def whole_amount(value: object) -> Optional[int]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
        whole = int(number)
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return whole if whole == number and 0 <= whole <= UINT64_MAX else None


def cost_details(given: object) -> Optional[Dict[str, str]]:
    found = mapping(given, "cost_details")
    if found is None:
        return None
    costs: Dict[str, str] = {}
    for name, value in found.items():
        if value is None:
            continue
        try:
            if isinstance(value, bool):
                raise ValueError
            number = Decimal(float.__repr__(value) if isinstance(value, float) else value)
            if not number.is_finite() or abs(number) >= 10**20:
                raise ValueError
            costs[text(name, "cost_details") or "?"] = format(number, "f")
        except (InvalidOperation, ValueError, TypeError):
            warn_once(
                ("cost", name), "cost_details.%s was dropped: it must be a decimal number", name
            )
    return costs


def older_usage(given: object) -> Tuple[Optional[Dict[str, int]], Optional[Dict[str, str]]]:
    """Usage and costs of the `usage` of SDK v2: input, output, total, unit, input_cost, ..."""
    found = mapping(given, "usage")
    if found is None:
        return None, None
    found.pop("unit", None)
    costs: Dict[str, Any] = {}
    for name in ("input", "output", "total"):
        for key in (name + "_cost", name + "Cost"):
            value = found.pop(key, None)
            if value is not None:
                costs[name] = value
    return usage_details(found) or None, cost_details(costs) or None


# ------------------------------------------------------------------------------------ the others


def model_parameters(given: object) -> Optional[Json]:
    found = mapping(given, "model_parameters")
    return None if found is None else Json(json_text(found))


def prompt(given: Any) -> Optional[Tuple[str, int]]:
    """Name and version of a prompt: of a mapping, or of an object. Fallbacks are not linked."""
    try:
        get = given.get if isinstance(given, Mapping) else lambda name: getattr(given, name, None)
        if get("is_fallback"):
            return None
        name, version = get("name"), get("version")
        if isinstance(version, str) and version.isdigit():
            version = int(version)
        if isinstance(name, str) and name and type(version) is int and abs(version) <= INT64_MAX:
            return name, version
    except Exception:
        pass
    warn_once("prompt", "prompt was dropped: it must have a name and a whole number as version")
    return None


def tags(given: object) -> List[str]:
    """The tags that the model takes: 1 to 200 characters each. A single text is one tag."""
    try:
        each: List[Any] = [given] if isinstance(given, str) else list(given)  # type: ignore[call-overload]
    except Exception:
        warn_once("tags", "tags were dropped: they must be a list of str")
        return []
    return [tag for tag in (short(tag, "tags") for tag in each) if tag is not None]


SHORT_CHARACTERS_MAX = 200


def short(value: object, field: str) -> Optional[str]:
    """The text, if it has 1 to 200 characters; else None, with a warning. Nothing is truncated."""
    is_text = issubclass(type(value), str)
    length = str.__len__(value) if is_text else 0  # type: ignore[arg-type]
    if is_text and 1 <= length <= SHORT_CHARACTERS_MAX:
        text: str = str.__str__(value)
        try:
            text.encode()
            return text
        except UnicodeEncodeError:
            warn_once(("short", field, "utf-8"), "%s was dropped: it holds a lone surrogate", field)
            return None
    what = f"{length} characters" if is_text else type(value).__name__
    warn_once(
        ("short", field, is_text),
        "%s was dropped: it must be a str of 1 to 200 characters, not %s",
        field,
        what,
    )
    return None
