"""Answers that stream: the caller reads the stream as it would without us, while its chunks are
joined into what they add up to. The generation ends with the stream, or with its reading: a break,
a close or an exception leaves what came until then.
"""

import inspect
import time
from functools import wraps
from typing import Any, Callable, Dict, Iterator, List, Optional, Type

from ._manager import message
from ._observation import LangfuseObservationWrapper
from ._openai_content import (
    CHAT,
    RESPONSES,
    Fields,
    answer_fields,
    candidates_fields,
    part,
    plain,
    usage_fields,
)
from ._warn import shown, warn_once


class _Candidate:
    """One answer of several, joined of its deltas."""

    def __init__(self) -> None:
        self.role: Optional[str] = None
        self.finish_reason: Any = None
        self.texts: Dict[str, List[str]] = {}  # content, refusal, reasoning_content
        self.function: Dict[str, Any] = {}
        self.tools: Dict[Any, Dict[str, Any]] = {}
        self.others: Dict[str, Any] = {}

    def add(self, delta: Any) -> str:
        """The text that it adds to the content."""
        self.role = part(delta, "role") or self.role
        for name in ("content", "refusal", "reasoning_content", "reasoning"):
            text = part(delta, name)
            if isinstance(text, str) and text:
                self.texts.setdefault(name, []).append(text)
        call = part(delta, "function_call")
        if call is not None:
            _join_function(self.function, call)
        for number, call in enumerate(part(delta, "tool_calls") or ()):
            index = part(call, "index")
            self._add_tool(number if index is None else index, call)
        self._add_audio(part(delta, "audio"))
        content = part(delta, "content")
        return content if isinstance(content, str) else ""

    def _add_tool(self, index: Any, call: Any) -> None:
        tool = self.tools.setdefault(index, {})
        for name in ("id", "type"):
            value = part(call, name)
            if value:
                tool.setdefault(name, value)
        function = part(call, "function")
        if function is not None:
            _join_function(tool.setdefault("function", {}), function)

    def _add_audio(self, audio: Any) -> None:
        if audio is None:
            return
        joined = self.others.setdefault("audio", {})
        for name in ("id", "expires_at"):
            value = part(audio, name)
            if value is not None:
                joined[name] = value
        for name in ("transcript", "data"):
            value = part(audio, name)
            if isinstance(value, str):
                joined[name] = joined.get(name, "") + value

    def is_text(self) -> bool:
        return not (self.function or self.tools or self.others) and set(self.texts) <= {"content"}

    def output(self) -> Any:
        """The text, if that is all; else a message."""
        texts = {name: "".join(parts) for name, parts in self.texts.items()}
        if self.is_text():
            return texts.get("content")
        found: Dict[str, Any] = {"role": self.role or "assistant", **self.others, **texts}
        found.setdefault("content", None)
        if self.function:
            found["function_call"] = self.function
        if self.tools:
            found["tool_calls"] = list(self.tools.values())
        return found


def _join_function(joined: Dict[str, Any], delta: Any) -> None:
    name = part(delta, "name")
    if name:
        joined.setdefault("name", name)
    arguments = part(delta, "arguments")
    joined["arguments"] = joined.get("arguments", "") + (arguments or "")


class _Choices:
    """The chunks of chat and text completions."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._candidates: Dict[Any, _Candidate] = {}
        self._fields: Fields = {}

    def add(self, chunk: Any) -> str:
        """The text that it adds to an answer which is nothing else."""
        model = part(chunk, "model")
        if isinstance(model, str) and model:
            self._fields["model"] = model
        self._fields.update(usage_fields(part(part(chunk, "x_groq"), "usage")))
        self._fields.update(usage_fields(part(chunk, "usage")))
        text = ""
        for choice in part(chunk, "choices") or ():
            candidate = self._candidates.setdefault(part(choice, "index") or 0, _Candidate())
            if self._kind == CHAT:
                text = candidate.add(part(choice, "delta"))
            else:
                text = candidate.add({"content": part(choice, "text")})
            reason = part(choice, "finish_reason")
            candidate.finish_reason = candidate.finish_reason if reason is None else reason
        return text if self.is_text() else ""

    def is_text(self) -> bool:
        return len(self._candidates) < 2 and all(
            candidate.is_text() for candidate in self._candidates.values()
        )

    def fields(self) -> Fields:
        candidates = [self._candidates[index] for index in sorted(self._candidates)]
        answers = [candidate.output() for candidate in candidates]
        reasons = [candidate.finish_reason for candidate in candidates]
        return {**self._fields, **candidates_fields(answers, reasons)}


class _Events:
    """The events of the responses API. The last one has the whole answer."""

    def __init__(self) -> None:
        self._whole: Any = None
        self._model: Any = None
        self._items: Dict[Any, Any] = {}
        self._texts: Dict[Any, List[str]] = {}
        self._is_text = True

    def add(self, event: Any) -> str:
        kind = part(event, "type") or ""
        response = part(event, "response")
        if response is not None:
            self._model = part(response, "model") or self._model
            if kind in ("response.completed", "response.incomplete", "response.failed"):
                self._whole = response
        index = part(event, "output_index")
        if kind == "response.output_item.added":
            item = part(event, "item")
            self._is_text = self._is_text and part(item, "type") == "message" and not self._items
            self._items[index] = item
        elif kind == "response.output_item.done":
            self._items[index] = part(event, "item")
            self._texts.pop(index, None)
        elif kind.endswith(".delta"):
            return self._add_text(kind, index, part(event, "delta"))
        return ""

    def _add_text(self, kind: str, index: Any, delta: Any) -> str:
        if not isinstance(delta, str) or kind.startswith("response.audio"):
            return ""
        self._texts.setdefault(index, []).append(delta)
        self._is_text = self._is_text and kind == "response.output_text.delta"
        return delta if self._is_text else ""

    def is_text(self) -> bool:
        return False  # the whole answer is more than its text

    def fields(self) -> Fields:
        if self._whole is not None:
            return answer_fields(RESPONSES, self._whole)
        fields: Fields = {"model": self._model}
        found: List[Any] = []
        for index in dict.fromkeys([*self._items, *self._texts]):
            text = "".join(self._texts.get(index, ()))
            item = plain(self._items.get(index))
            found.append({"item": item, "partial": text} if text else item)
        if self._is_text and len(self._texts) == 1 and len(found) == 1:
            found = [found[0]["partial"]]
        if found:
            fields["output"] = found[0] if len(found) == 1 else found
        return fields


class Reading:
    """What is known of a stream that is being read. Nothing here raises."""

    def __init__(self, observation: LangfuseObservationWrapper, kind: str) -> None:
        self._observation = observation
        self._chunks: Any = _Events() if kind == RESPONSES else _Choices(kind)
        self._has_begun = False
        self._is_changed = True  # since what is known was written
        self._is_ended = False
        self._appended: List[str] = []
        self._appends = observation.may_append

    def add(self, chunk: Any) -> None:
        try:
            if not self._has_begun:
                self._has_begun = True
                self._observation.update(completion_start_time=time.time_ns())
            self._is_changed = True
            text = self._chunks.add(chunk)
            if text and self._appends:  # in the file as it streams
                self._appends = self._observation.append(text)
                self._appended.append(text)
        except Exception as error:
            self._tell(error)

    def end(self, error: Optional[BaseException] = None) -> None:
        """Writes what came. Reading may go on after it, and end again."""
        if self._is_ended and not self._is_changed:
            return
        self._is_ended, self._is_changed = True, False
        try:
            fields: Fields = self._chunks.fields()
            output = fields.get("output")
            if self._appends and self._chunks.is_text() and output == "".join(self._appended):
                del fields["output"]  # it is there
                self._observation.derive_output(output)
            self._appends = False
            if error is not None and not isinstance(error, GeneratorExit):
                fields.update(level="ERROR", status_message=message(error, False))
            self._observation.end_with(fields)
        except Exception as problem:
            self._tell(problem)

    def _tell(self, error: Exception) -> None:
        warn_once(("stream", type(error)), "a stream is not recorded: %s", shown(error))


class _Stands:
    """Stands for a stream of a client: its attributes are the stream's, and so is its class."""

    def __init__(self, stream: Any, reading: Reading) -> None:
        self._tracelite_stream = stream
        self._tracelite_reading = reading
        self._tracelite_iterator: Any = None

    @property  # type: ignore[misc]
    def __class__(self) -> Type[Any]:
        return type(self._tracelite_stream)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_tracelite_"):
            raise AttributeError(name)
        value = getattr(self._tracelite_stream, name)
        return self._tracelite_ending(value) if name in ("close", "aclose") else value

    def _tracelite_ending(self, close: Callable[..., Any]) -> Callable[..., Any]:
        """A method of the stream that ends its reading."""
        reading = self._tracelite_reading

        async def ended(result: Any) -> Any:
            try:
                return await result
            finally:
                reading.end()

        @wraps(close)
        def call(*arguments: Any, **named: Any) -> Any:
            result: Any = None
            try:
                result = close(*arguments, **named)
            finally:
                if not inspect.isawaitable(result):
                    reading.end()
            return ended(result) if inspect.isawaitable(result) else result

        return call

    def __repr__(self) -> str:
        return repr(self._tracelite_stream)

    def __del__(self) -> None:
        try:
            self._tracelite_reading.end()
        except Exception:
            pass


class ObservedStream(_Stands):
    def __iter__(self) -> Iterator[Any]:
        # A generator, so that a loop that is left lets us know at once.
        try:
            while True:
                try:
                    item = self.__next__()
                except StopIteration:
                    return
                yield item
        finally:
            self._tracelite_reading.end()

    def __next__(self) -> Any:
        reading = self._tracelite_reading
        try:
            if self._tracelite_iterator is None:
                self._tracelite_iterator = iter(self._tracelite_stream)
            item = next(self._tracelite_iterator)
        except StopIteration:
            reading.end()
            raise
        except BaseException as error:
            reading.end(error)
            raise
        reading.add(item)
        return item

    def __enter__(self) -> Any:
        self._tracelite_stream.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        try:
            return self._tracelite_stream.__exit__(kind, error, traceback)
        finally:  # an error of the caller's is none of the model's
            self._tracelite_reading.end()


class ObservedAsyncStream(_Stands):
    async def __aiter__(self) -> Any:
        try:
            while True:
                try:
                    item = await self.__anext__()
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self._tracelite_reading.end()

    async def __anext__(self) -> Any:
        reading = self._tracelite_reading
        try:
            if self._tracelite_iterator is None:
                self._tracelite_iterator = self._tracelite_stream.__aiter__()
            item = await self._tracelite_iterator.__anext__()
        except StopAsyncIteration:
            reading.end()
            raise
        except BaseException as error:
            reading.end(error)
            raise
        reading.add(item)
        return item

    async def __aenter__(self) -> Any:
        await self._tracelite_stream.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        try:
            return await self._tracelite_stream.__aexit__(kind, error, traceback)
        finally:
            self._tracelite_reading.end()


def observed_stream(
    stream: Any, observation: LangfuseObservationWrapper, kind: str
) -> Optional[Any]:
    """The stream as it is given to the caller; None if it is none."""
    if hasattr(stream, "__anext__") or hasattr(stream, "__aiter__"):
        return ObservedAsyncStream(stream, Reading(observation, kind))
    if hasattr(stream, "__next__") or hasattr(stream, "__iter__"):
        return ObservedStream(stream, Reading(observation, kind))
    return None
