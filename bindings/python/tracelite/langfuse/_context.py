"""What surrounds a call: the current observation, and the attributes that are propagated.

Both travel in one context variable, because a context variable is looked at by every observation.
asyncio tasks inherit it; a new thread does not, and takes a handle or a `trace_context` instead.
"""

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

if TYPE_CHECKING:
    from ._observation import LangfuseObservationWrapper


class Attributes:
    """Attributes that are propagated to observations; never changed once it is made."""

    __slots__ = (
        "user_id",
        "session_id",
        "version",
        "tags",
        "metadata",
        "trace_name",
        "environment",
        "prompt",
        "shared",
    )

    def __init__(
        self,
        user_id: Optional[str] = None,
        session_id: Optional[str] = None,
        version: Optional[str] = None,
        tags: Tuple[str, ...] = (),
        metadata: Mapping[str, str] = {},
        trace_name: Optional[str] = None,
        environment: Optional[str] = None,
        prompt: Optional[Tuple[str, int]] = None,
    ) -> None:
        self.user_id = user_id
        self.session_id = session_id
        self.version = version
        self.tags = tags
        self.metadata = metadata
        self.trace_name = trace_name
        self.environment = environment
        self.prompt = prompt
        # What every observation carries, but for environment, metadata and prompt.
        of_all = {"user_id": user_id, "session_id": session_id, "version": version, "tags": tags}
        self.shared = tuple((name, value) for name, value in of_all.items() if value)

    def merged(self, inner: "Attributes") -> "Attributes":
        """These with the inner ones over them: tags unite, metadata merges by key."""
        return Attributes(
            inner.user_id or self.user_id,
            inner.session_id or self.session_id,
            inner.version or self.version,
            self.tags + tuple(tag for tag in inner.tags if tag not in self.tags),
            {**self.metadata, **inner.metadata},
            inner.trace_name or self.trace_name,
            inner.environment or self.environment,
            inner.prompt or self.prompt,
        )

    def of_observation(self) -> Dict[str, Any]:
        """As fields of an observation, metadata aside."""
        fields: Dict[str, Any] = {
            "user_id": self.user_id,
            "session_id": self.session_id,
            "version": self.version,
            "tags": self.tags or None,
            "environment": self.environment,
        }
        return fields

    def of_trace(self) -> Dict[str, Any]:
        """As fields of a trace, metadata aside."""
        fields = self.of_observation()
        fields["name"] = self.trace_name
        return fields


class Scope:
    __slots__ = ("observation", "attributes")

    def __init__(
        self,
        observation: "Optional[LangfuseObservationWrapper]",
        attributes: Optional[Attributes],
    ) -> None:
        self.observation = observation
        self.attributes = attributes


class PassingScope(Scope):
    """A scope that may be left from elsewhere than it was entered: a callback handler is told of a
    run's begin in one context, and of its end in a copy of it. Once it is left, `here` looks
    through it, in every context that still holds it."""

    outer: Scope
    is_left: bool


EMPTY = Scope(None, None)

current: "ContextVar[Scope]" = ContextVar("tracelite_langfuse_scope", default=EMPTY)


def here() -> Scope:
    """The current scope."""
    scope = current.get()
    return scope if type(scope) is Scope else _not_left(scope)


def _not_left(scope: Scope) -> Scope:
    while isinstance(scope, PassingScope) and scope.is_left:
        scope = scope.outer
    return scope


def enter_passing(scope: PassingScope) -> None:
    """Makes a scope current until `leave_passing`, from wherever that is called."""
    outer = here()
    if isinstance(outer, PassingScope):  # runs that overlap without end make no chain without end
        outer.outer = _not_left(outer.outer)
    scope.outer, scope.is_left = outer, False
    current.set(scope)


def leave_passing(scope: PassingScope) -> None:
    scope.is_left = True
    now = current.get()
    if isinstance(now, PassingScope) and now.is_left:
        current.set(_not_left(now))


Entered = Tuple["Token[Scope]", Scope]


def enter_scope(scope: Scope) -> Entered:
    """Makes a scope current; for `leave`."""
    return current.set(scope), scope


def leave(entered: Entered) -> None:
    """Makes current again what was before. In another context than it was entered in (a generator
    that is resumed or closed elsewhere, a task's teardown) only if the scope is current there."""
    token, scope = entered
    try:
        current.reset(token)
    except (ValueError, RuntimeError):
        if current.get() is scope:
            before = token.old_value
            current.set(EMPTY if before is Token.MISSING else before)
