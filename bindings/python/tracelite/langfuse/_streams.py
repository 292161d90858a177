"""Generators and async generators that an observed function returns: their observation stays open
until they end, and keeps what came out of them until then, whatever ended them.

Each step runs in the context of whoever asks for it, as it would without us, but with the
generator's observation as the current one.
"""

from contextvars import Token
from typing import Any, AsyncGenerator, Callable, Dict, Generator, List, Optional

from ._context import Scope, current
from ._manager import message
from ._observation import LangfuseObservationWrapper
from ._warn import warn_once

Transform = Callable[[List[Any]], Any]


class _Stream:
    """What both kinds share: the observation, its scope between two steps, and the items."""

    def __init__(
        self,
        observation: LangfuseObservationWrapper,
        scope: Scope,
        captures: bool,
        transform: Optional[Transform],
    ) -> None:
        self._observation = observation
        self._scope = scope
        self._captures = captures
        self._transform = transform
        self._items: List[Any] = []
        self._is_text = True
        self._is_ended = False
        # Text is in the file as it streams, where nobody has to see it whole first.
        self._appends = captures and transform is None and observation.may_append

    def _enter(self) -> "Token[Scope]":
        return current.set(self._scope)

    def _leave(self, token: "Token[Scope]") -> None:
        self._scope = current.get()
        try:
            current.reset(token)
        except (ValueError, RuntimeError):  # resumed in another context
            pass

    def _keep(self, item: Any) -> None:
        if not self._captures:
            return
        self._items.append(item)
        self._is_text = self._is_text and issubclass(type(item), str)
        if self._appends:
            self._appends = (
                not self._observation.has_own_output
                and self._is_text
                and self._observation.append(item)
            )

    def _end(self, error: Optional[BaseException] = None) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        given: Dict[str, Any] = {}
        is_kept = self._captures and not self._observation.has_own_output
        if is_kept and not (self._appends and self._items):
            given["output"] = self._output()
        elif is_kept:
            self._observation.derive_output("".join(self._items))
        if error is not None and not isinstance(error, GeneratorExit):
            given.update(level="ERROR", status_message=message(error, False))
        self._observation.end_with(given)
        self._items = []

    def _output(self) -> Any:
        if self._transform is not None:
            try:
                return self._transform(self._items)
            except Exception as error:
                warn_once(
                    ("transform", type(error)),
                    "transform_to_string failed with %s",
                    type(error).__name__,
                )
        if self._is_text:
            return "".join(self._items)
        return self._items

    def __del__(self) -> None:
        try:
            self._end()
        except Exception:
            pass


class ObservedGenerator(_Stream, Generator[Any, Any, Any]):
    def __init__(
        self,
        generator: Generator[Any, Any, Any],
        observation: LangfuseObservationWrapper,
        scope: Scope,
        captures: bool,
        transform: Optional[Transform],
    ) -> None:
        super().__init__(observation, scope, captures, transform)
        self._generator = generator

    def __next__(self) -> Any:
        return self._step(self._generator.__next__)

    def send(self, value: Any) -> Any:
        return self._step(self._generator.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._generator.throw, *error)

    def close(self) -> None:
        token = self._enter()
        try:
            self._generator.close()
        except BaseException as error:
            self._leave(token)
            self._end(error)
            raise
        self._leave(token)
        self._end()

    def _step(self, function: Callable[..., Any], *arguments: Any) -> Any:
        token = self._enter()
        try:
            item = function(*arguments)
        except StopIteration:
            self._leave(token)
            self._end()
            raise
        except BaseException as error:
            self._leave(token)
            self._end(error)
            raise
        self._leave(token)
        self._keep(item)
        return item

    def __getattr__(self, name: str) -> Any:  # gi_frame and the like
        if name == "_generator":
            raise AttributeError(name)
        return getattr(self._generator, name)


class ObservedAsyncGenerator(_Stream, AsyncGenerator[Any, Any]):
    def __init__(
        self,
        generator: Any,
        observation: LangfuseObservationWrapper,
        scope: Scope,
        captures: bool,
        transform: Optional[Transform],
    ) -> None:
        super().__init__(observation, scope, captures, transform)
        self._generator = generator

    async def __anext__(self) -> Any:
        return await self._step(self._generator.__anext__)

    async def asend(self, value: Any) -> Any:
        return await self._step(self._generator.asend, value)

    async def athrow(self, *error: Any) -> Any:
        return await self._step(self._generator.athrow, *error)

    async def aclose(self) -> None:
        token = self._enter()
        try:
            close = getattr(self._generator, "aclose", None)
            if close is not None:
                await close()
        except BaseException as error:
            self._leave(token)
            self._end(error)
            raise
        self._leave(token)
        self._end()

    async def _step(self, function: Callable[..., Any], *arguments: Any) -> Any:
        token = self._enter()
        try:
            item = await function(*arguments)
        except StopAsyncIteration:
            self._leave(token)
            self._end()
            raise
        except BaseException as error:
            self._leave(token)
            self._end(error)
            raise
        self._leave(token)
        self._keep(item)
        return item

    def __getattr__(self, name: str) -> Any:  # ag_frame and the like
        if name == "_generator":
            raise AttributeError(name)
        return getattr(self._generator, name)


def body_of(response: Any) -> Optional[Any]:
    """The stream inside a response of a web framework (Starlette's StreamingResponse)."""
    if type(response).__name__ != "StreamingResponse":
        return None
    body = getattr(response, "body_iterator", None)
    return body if hasattr(body, "__anext__") or hasattr(body, "__aiter__") else None


def iterator_of(body: Any) -> Any:
    return body if hasattr(body, "__anext__") else body.__aiter__()
