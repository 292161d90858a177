"""`@observe()`: each call of a function is an observation."""

import inspect
from functools import wraps
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar, Union, cast, overload

from ._client import get_client
from ._context import Scope, current, here, leave
from ._manager import message
from ._observation import LangfuseObservationWrapper, begin
from ._settings import captures_by_default
from ._streams import ObservedAsyncGenerator, ObservedGenerator, body_of, iterator_of
from ._values import TYPES
from ._warn import logger, warn_once

_F = TypeVar("_F", bound=Callable[..., Any])

# Keyword arguments of a call that are for the observation, and not for the function.
_TRACE_ID = ("langfuse_trace_id", "langfuse_parent_trace_id")
_PARENT_ID = "langfuse_parent_observation_id"
_OWN_ID = "langfuse_observation_id"
_KEY = "langfuse_public_key"
_NO_STREAMS = frozenset((type(None), str, bytes, bool, int, float, dict, list, tuple))
_CONTROLS = frozenset((*_TRACE_ID, _PARENT_ID, _OWN_ID, _KEY))


@overload
def observe(func: _F) -> _F:
    ...


@overload
def observe(
    func: None = None,
    *,
    name: Optional[str] = None,
    as_type: Optional[str] = None,
    capture_input: Optional[bool] = None,
    capture_output: Optional[bool] = None,
    transform_to_string: Optional[Callable[[List[Any]], Any]] = None,
) -> Callable[[_F], _F]:
    ...


def observe(
    func: Optional[_F] = None,
    *,
    name: Optional[str] = None,
    as_type: Optional[str] = None,
    capture_input: Optional[bool] = None,
    capture_output: Optional[bool] = None,
    transform_to_string: Optional[Callable[[List[Any]], Any]] = None,
) -> Union[_F, Callable[[_F], _F]]:
    """Makes each call of a function an observation: below the current one, and current for the
    time of the call. For functions, coroutine functions, generators and async generators.

    name                 the function's name
    as_type              "span", "generation", "agent", "tool", "chain", "retriever", "embedding",
                         "evaluator" or "guardrail"
    capture_input        whether the arguments are kept; LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED
    capture_output       whether the result is kept, of a generator what it yields
    transform_to_string  makes the output of the list of what a generator yields

    A call may have the keyword arguments langfuse_trace_id, langfuse_parent_observation_id and
    langfuse_public_key, which the function does not see.
    """
    if as_type is not None and as_type not in TYPES:
        warn_once(("as_type", as_type), "as_type %r is not known: it is a span", as_type)
        as_type = "span"
    by_default = captures_by_default()

    def decorate(function: _F) -> _F:
        observed = _Observed(
            function,
            name,
            as_type or "span",
            by_default if capture_input is None else capture_input,
            by_default if capture_output is None else capture_output,
            transform_to_string,
        )
        return cast(_F, observed.wrapper())

    return decorate if func is None else decorate(func)


class _Observed:
    """What is known of an observed function before it is called."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: Optional[str],
        as_type: str,
        captures_input: bool,
        captures_output: bool,
        transform: Optional[Callable[[List[Any]], Any]],
    ) -> None:
        self.function = function
        self.name = name or getattr(function, "__name__", None) or type(function).__name__
        self.as_type = as_type
        self.captures_input = captures_input
        self.captures_output = captures_output
        self.transform = transform
        self.skipped = 1 if _is_method(function) else 0

    def wrapper(self) -> Callable[..., Any]:
        function = self.function
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def call_later(*arguments: Any, **named: Any) -> Any:
                observation = self.begin(arguments, named)
                if observation is None:
                    return await function(*arguments, **named)
                scope = Scope(observation, observation._attributes)
                entered = current.set(scope), scope
                try:
                    result = await function(*arguments, **named)
                except BaseException as error:
                    leave(entered)
                    fail(observation, error)
                    raise
                scope = current.get()
                leave(entered)
                return self.finish(observation, scope, result)

            return call_later

        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            observation = self.begin(arguments, named)
            if observation is None:
                return function(*arguments, **named)
            scope = Scope(observation, observation._attributes)
            entered = current.set(scope), scope
            try:
                result = function(*arguments, **named)
            except BaseException as error:
                leave(entered)
                fail(observation, error)
                raise
            scope = current.get()
            leave(entered)
            return self.finish(observation, scope, result)

        return call

    def begin(
        self, arguments: Tuple[Any, ...], named: Dict[str, Any]
    ) -> Optional[LangfuseObservationWrapper]:
        """Takes its own keyword arguments out of `named`."""
        try:
            has_controls = named and not _CONTROLS.isdisjoint(named)
            controls = _taken_out(named) if has_controls else {}
            fields: Dict[str, Any] = {}
            if self.captures_input:
                fields["input"] = {"args": arguments[self.skipped :], "kwargs": named}
            if not controls:
                return begin(get_client(), self.as_type, self.name, fields)
            return begin(
                get_client(public_key=controls.get(_KEY)),
                self.as_type,
                self.name,
                fields,
                trace_context=_trace_context(controls),
                id=controls.get(_OWN_ID) if here().observation is not None else None,
            )
        except Exception as error:
            warn_once(("observe", type(error)), "a call is not recorded: %r", error)
            return None

    def finish(self, observation: LangfuseObservationWrapper, scope: Scope, result: Any) -> Any:
        """Ends the observation with the result; of a stream, when that ends. Returns the result."""
        try:
            if type(result) not in _NO_STREAMS:
                stream = self._stream(observation, scope, result)
                if stream is not None:
                    return stream
            is_kept = self.captures_output and not observation.has_own_output
            observation.end_with({"output": result} if is_kept else {})
        except Exception as error:
            logger.debug("a result is not recorded: %r", error)
        return result

    def _stream(self, observation: LangfuseObservationWrapper, scope: Scope, result: Any) -> Any:
        """The result in a form that ends the observation; None if it is no stream."""
        if inspect.isgenerator(result):
            return ObservedGenerator(
                result, observation, scope, self.captures_output, self.transform
            )
        if inspect.isasyncgen(result):
            return ObservedAsyncGenerator(
                result, observation, scope, self.captures_output, self.transform
            )
        body = body_of(result)
        if body is None:
            return None
        result.body_iterator = ObservedAsyncGenerator(
            iterator_of(body), observation, scope, self.captures_output, self.transform
        )
        return result


def _taken_out(named: Dict[str, Any]) -> Dict[str, Any]:
    return {name: named.pop(name) for name in _CONTROLS & named.keys()}


def fail(observation: LangfuseObservationWrapper, error: BaseException) -> None:
    """Ends an observation with an exception."""
    try:
        given: Dict[str, Any] = {}
        if not isinstance(error, GeneratorExit):
            given = {"level": "ERROR", "status_message": message(error, False)}
        observation.end_with(given)
    except Exception as problem:
        logger.debug("an exception is not recorded: %r", problem)


def _trace_context(controls: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    trace_id = None
    for name in _TRACE_ID:
        trace_id = trace_id or controls.get(name)
    if trace_id is None and here().observation is None:
        trace_id = controls.get(_OWN_ID)  # SDK v2: the id of an outermost call is its trace's
    if trace_id is None:
        return None
    return {"trace_id": trace_id, "parent_span_id": controls.get(_PARENT_ID)}


def _is_method(function: Callable[..., Any]) -> bool:
    """Whether the first argument is the object, which is no input."""
    try:
        first = next(iter(inspect.signature(function).parameters), None)
    except (TypeError, ValueError):
        return False
    return first in ("self", "cls")
