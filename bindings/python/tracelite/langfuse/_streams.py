"""Generators and async generators that an observed function returns: their observation stays open
until they end, and keeps what came out of them until then, whatever ended them.

Each step runs in the context of whoever asks for it, as it would without us, but with the
generator's observation as the current one.
"""

from typing import Any, AsyncGenerator, Callable, Dict, Generator, List, Optional, Type

from ._context import Scope, current
from ._manager import message
from ._observation import LangfuseObservationWrapper
from ._warn import warn_once

Transform = Callable[[List[Any]], Any]


class _Step:
    """One step of a stream: in the stream's scope, which it may change. What it raises ends the
    observation."""

    __slots__ = ("_stream", "_token")

    def __init__(self, stream: "_Stream") -> None:
        self._stream = stream

    def __enter__(self) -> None:
        self._token = current.set(self._stream._scope)

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        stream = self._stream
        stream._scope = current.get()
        try:
            current.reset(self._token)
        except (ValueError, RuntimeError):  # resumed in another context
            pass
        if error is not None:
            stream._end(None if isinstance(error, stream._stop) else error)


class _Stream:
    """What both kinds share: the observation, its scope between two steps, and the items."""

    _stop: Type[BaseException]  # what says that there are no more items

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
    _stop = StopIteration

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
        with _Step(self):
            self._generator.close()
        self._end()

    def _step(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with _Step(self):
            item = function(*arguments)
        self._keep(item)
        return item

    def __getattr__(self, name: str) -> Any:  # gi_frame and the like
        if name == "_generator":
            raise AttributeError(name)
        return getattr(self._generator, name)


class ObservedAsyncGenerator(_Stream, AsyncGenerator[Any, Any]):
    _stop = StopAsyncIteration

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
        with _Step(self):
            close = getattr(self._generator, "aclose", None)
            if close is not None:
                await close()
        self._end()

    async def _step(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with _Step(self):
            item = await function(*arguments)
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
