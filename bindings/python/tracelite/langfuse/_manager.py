"""`with client.start_as_current_observation(...)`: current within the block, and ended by it."""

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from ._blocks import BlockDecorator
from ._context import Entered, Scope, current, enter_scope, leave
from ._observation import LangfuseObservationWrapper, begin

if TYPE_CHECKING:
    from ._client import Langfuse


def enter(observation: LangfuseObservationWrapper) -> Entered:
    """Makes an observation current, with the attributes that it was begun with."""
    return enter_scope(Scope(observation, observation._attributes))


def leave_with(
    observation: LangfuseObservationWrapper,
    entered: Entered,
    error: Optional[BaseException],
    is_end: bool,
) -> None:
    leave(entered)
    if error is None or isinstance(error, GeneratorExit):
        if is_end:
            observation.end()
        return
    given: Dict[str, Any] = {"level": "ERROR", "status_message": message(error, True)}
    if is_end:
        observation.end_with(given)
    else:
        observation.update(**given)


def message(error: BaseException, with_type: bool) -> str:
    """The text of an exception, whatever its __str__ does."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = ""
    if not text:
        return name
    return f"{name}: {text}" if with_type else text


class ObservationManager(BlockDecorator):
    """A context manager that begins an observation when it is entered. Also a decorator, of
    functions and of coroutine functions: each call is a block of its own."""

    __slots__ = (
        "_client",
        "_as_type",
        "_name",
        "_fields",
        "_trace_context",
        "_handle",
        "_is_end",
        "_entered",
    )

    def __init__(
        self,
        client: "Langfuse",
        as_type: object,
        name: object,
        fields: Dict[str, Any],
        trace_context: Optional[Mapping[str, Any]],
        handle: Optional[LangfuseObservationWrapper],
        end_on_exit: Optional[bool],
    ) -> None:
        self._client = client
        self._as_type = as_type
        self._name = name
        self._fields = fields
        self._trace_context = trace_context
        self._handle = handle
        self._is_end = end_on_exit is not False
        self._entered: Any = None

    def __enter__(self) -> LangfuseObservationWrapper:
        observation = begin(
            self._client,
            self._as_type,
            self._name,
            self._fields,
            trace_context=self._trace_context,
            handle=self._handle,
        )
        scope = Scope(observation, observation._attributes)
        self._entered = (observation, (current.set(scope), scope), self._entered)
        return observation

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        observation, entered, self._entered = self._entered
        leave_with(observation, entered, error, self._is_end)

    def _again(self) -> "ObservationManager":
        return ObservationManager(
            self._client,
            self._as_type,
            self._name,
            self._fields,
            self._trace_context,
            self._handle,
            self._is_end,
        )
