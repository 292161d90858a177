"""Reading attributes: the first of several keys, JSON inside of text, objects spread over keys."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any, Dict, Iterable, List, Mapping, NoReturn, Optional, Union

# An index in a key makes a list that long, so a few bytes from a stranger could ask for gigabytes.
INDEX_MAX = 9_999
LIST_ITEMS_MAX = 20_000  # of one object, in all of its lists
DEPTH_MAX = 64

# Names that are not data where a reader of the file is written in JavaScript.
_REFUSED = ("__proto__", "constructor", "prototype")
_INDEX = re.compile("[0-9]+", re.ASCII)


def first(attributes: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """The value of the first key that has one; None and empty text are none."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return value
    return None


def text(attributes: Mapping[str, Any], keys: Iterable[str]) -> Optional[str]:
    """The first value, as text."""
    value = first(attributes, keys)
    return None if value is None else as_text(value)


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"JSON has no {word}")


def _finite(word: str) -> float:
    found = float(word)
    if not math.isfinite(found):
        _refuse(word)
    return found


_JSON = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def parsed(value: Any) -> Any:
    """What a JSON text says; anything else, and what could not be written again, as it is."""
    if isinstance(value, str):
        try:
            return _JSON.decode(value)
        except (ValueError, RecursionError):
            pass
    return value


def parsed_object(value: Any) -> Dict[str, Any]:
    """The object that a value or a JSON text is; an empty one if it is none."""
    found = parsed(value)
    return dict(found) if isinstance(found, dict) else {}


def parsed_list(value: Any) -> Optional[List[Any]]:
    """The array that a value or a JSON text is; None if it is none."""
    found = parsed(value)
    return found if isinstance(found, list) else None


def number(value: Any) -> Optional[Union[int, float]]:
    """A number, or the number that a text is."""
    found = parsed(value)
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def compact(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_text(value: Any) -> str:
    """The value as Langfuse writes it where it keeps only text."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and 1e-6 <= abs(value) < 1e21:
        return format(Decimal(float.__repr__(value)), "f")
    return compact(value)


def below(attributes: Mapping[str, Any], prefix: str) -> Dict[str, Any]:
    """The attributes whose keys begin with the prefix and a dot, without it."""
    start = prefix + "."
    return {key[len(start) :]: value for key, value in attributes.items() if key.startswith(start)}


def has_any(attributes: Mapping[str, Any], prefix: str) -> bool:
    """Whether there is a value at the key, or below it."""
    return prefix in attributes or any(key.startswith(prefix + ".") for key in attributes)


# --------------------------------------------------------------- an object spread over many keys


class _Node:
    __slots__ = ("children", "length", "value")

    def __init__(self) -> None:
        self.children: Dict[str, _Node] = {}
        self.length = 0  # the highest index below it, plus one
        self.value: Any = None

    def result(self) -> Any:
        if not self.children:
            return self.value
        if self.length and all(_INDEX.fullmatch(name) for name in self.children):
            items: List[Any] = [None] * self.length
            for name, child in self.children.items():
                items[int(name)] = child.result()
            return items
        return {name: child.result() for name, child in self.children.items()}


def nested(attributes: Mapping[str, Any], prefix: str) -> Any:
    """The value at the key, or the object that is spread over the keys below it: `p.0.role`,
    `p.0.content`, `p.1.role` are a list of objects. Nothing is an empty object."""
    if prefix in attributes:
        return attributes[prefix]
    root = _Node()
    left = LIST_ITEMS_MAX
    for key, value in below(attributes, prefix).items():
        path = key.split(".")
        if len(path) > DEPTH_MAX or any(name in _REFUSED or _is_too_far(name) for name in path):
            continue
        needed = _items_needed(root, path)
        if needed > left or not _is_free(root, path):
            continue
        left -= needed
        node = root
        for name in path:
            if _INDEX.fullmatch(name):
                node.length = max(node.length, int(name) + 1)
            node = node.children.setdefault(name, _Node())
        node.value = value
    return root.result() if root.children else {}


def _is_too_far(name: str) -> bool:
    return bool(_INDEX.fullmatch(name)) and (len(name) > 5 or int(name) > INDEX_MAX)


def _items_needed(root: _Node, path: List[str]) -> int:
    node: Optional[_Node] = root
    needed = 0
    for name in path:
        if _INDEX.fullmatch(name):
            needed += max(0, int(name) + 1 - (node.length if node else 0))
        node = node.children.get(name) if node else None
    return needed


def _is_free(root: _Node, path: List[str]) -> bool:
    """Whether a value fits there: not below another value, not over an object."""
    node = root
    for name in path:
        child = node.children.get(name)
        if child is None:
            return node is root or bool(node.children)
        node = child
    return not node.children
