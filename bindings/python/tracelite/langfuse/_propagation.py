"""`propagate_attributes`: what the current observation and all that begin within the block carry."""

from typing import Any, Dict, List, Mapping, Optional

from . import _values
from ._blocks import BlockDecorator
from ._context import Attributes, Entered, Scope, enter_scope, here, leave
from ._settings import repaired_environment
from ._warn import logger, warn_once


class propagate_attributes(BlockDecorator):
    """Within the block, the current observation, its trace, and every observation that begins carry
    these attributes. Blocks nest: an inner value replaces the outer one, tags unite, metadata
    merges by key.

    user_id, session_id, version, trace_name, each tag and each value of metadata (as its text) have
    1 to 200 characters; others are dropped with a warning, never truncated. as_baggage is accepted
    and unused. Also a decorator, of functions and of coroutine functions.
    """

    def __init__(
        self,
        *,
        user_id: Optional[str] = None,
        session_id: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        version: Optional[str] = None,
        tags: Optional[List[str]] = None,
        trace_name: Optional[str] = None,
        environment: Optional[str] = None,
        prompt: Optional[Any] = None,
        as_baggage: bool = False,
        **others: Any,
    ) -> None:
        for name in others:
            warn_once(("propagate", name), "attribute %s is not known, and was dropped", name)
        self._given = Attributes(
            _short(user_id, "user_id"),
            _short(session_id, "session_id"),
            _short(version, "version"),
            () if tags is None else tuple(dict.fromkeys(_values.tags(tags))),
            {} if metadata is None else _metadata(metadata),
            _short(trace_name, "trace_name"),
            None if environment is None else repaired_environment(environment),
            None if prompt is None else _values.prompt(prompt),
        )
        self._entered: List[Entered] = []

    def __enter__(self) -> None:
        scope = here()
        given = self._given
        merged = given if scope.attributes is None else scope.attributes.merged(given)
        self._entered.append(enter_scope(Scope(scope.observation, merged)))
        if scope.observation is not None:
            try:
                scope.observation._propagate(given, merged)
            except Exception as error:
                logger.debug("attributes were not put on the current observation: %r", error)

    def __exit__(self, *exception: object) -> None:
        leave(self._entered.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *exception: object) -> None:
        self.__exit__()

    def _again(self) -> "propagate_attributes":
        again = propagate_attributes()
        again._given = self._given
        return again


def _short(value: object, field: str) -> Optional[str]:
    return None if value is None else _values.short(value, field)


def _metadata(given: Mapping[str, Any]) -> Dict[str, str]:
    found = _values.mapping(given, "metadata")
    kept: Dict[str, str] = {}
    for name, value in (found or {}).items():
        if value is None:
            continue
        try:
            text = value if isinstance(value, str) else str(value)
        except Exception:
            warn_once(
                ("short", "metadata", "text"), "metadata.%s was dropped: it has no text", name
            )
            continue
        if _values.short(text, f"metadata.{name}") and _values.text(name, "metadata") == name:
            kept[name] = text
    return kept
