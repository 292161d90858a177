"""OpenAI's package in the shape that the real one has, without its transport and its models: the
modules and classes that are recorded, objects with model_dump, and streams."""

import functools
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Dict, List, Optional

RAW_HEADER = "X-Stainless-Raw-Response"


class NotGiven:
    def __bool__(self) -> bool:
        return False


NOT_GIVEN = NotGiven()


class Model(SimpleNamespace):
    """An object of an answer."""

    def model_dump(self, exclude_none: bool = False, warnings: bool = True) -> Dict[str, Any]:
        return {
            name: plain(value)
            for name, value in vars(self).items()
            if value is not None or not exclude_none
        }


def plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump(exclude_none=True)
    return [plain(each) for each in value] if isinstance(value, list) else value


def model(value: Any) -> Any:
    """Dicts as objects, all the way down."""
    if isinstance(value, dict):
        return Model(**{name: model(each) for name, each in value.items()})
    return [model(each) for each in value] if isinstance(value, list) else value


class Stream:
    """As openai.Stream: an iterator that is closed by its context."""

    def __init__(self, chunks: List[Any], error: Optional[BaseException] = None) -> None:
        self._iterator = self._items(chunks, error)
        self.response = "the response"
        self.is_closed = False

    def _items(self, chunks: List[Any], error: Optional[BaseException]) -> Any:
        yield from chunks
        if error is not None:
            raise error

    def __next__(self) -> Any:
        return next(self._iterator)

    def __iter__(self) -> Any:
        for item in self._iterator:
            yield item

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        self.is_closed = True


class AsyncStream:
    def __init__(self, chunks: List[Any], error: Optional[BaseException] = None) -> None:
        self._iterator = self._items(chunks, error)
        self.response = "the response"
        self.is_closed = False

    async def _items(self, chunks: List[Any], error: Optional[BaseException]) -> Any:
        for chunk in chunks:
            yield chunk
        if error is not None:
            raise error

    async def __anext__(self) -> Any:
        return await self._iterator.__anext__()

    async def __aiter__(self) -> Any:
        async for item in self._iterator:
            yield item

    async def __aenter__(self) -> "AsyncStream":
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.close()

    async def close(self) -> None:
        self.is_closed = True


def required_args(function: Callable[..., Any]) -> Callable[..., Any]:
    """As OpenAI's: it hides that a coroutine function is one."""

    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return wrapper


class Resource:
    def __init__(self, client: "BaseClient") -> None:
        self._client = client

    @property
    def with_raw_response(self) -> Any:
        def raw(method: Callable[..., Any]) -> Callable[..., Any]:
            def call(**named: Any) -> Any:
                named["extra_headers"] = {RAW_HEADER: "true"}
                return method(**named)

            return call

        return SimpleNamespace(create=raw(getattr(self, "create")))

    def _post(self, named: Dict[str, Any]) -> Any:
        client = self._client
        client.calls.append(named)
        answer = client.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def method(name: str, is_async: bool) -> Callable[..., Any]:
    def post(self: Any, **named: Any) -> Any:
        return self._post(named)

    async def post_later(self: Any, **named: Any) -> Any:
        return self._post(named)

    function: Callable[..., Any] = post_later if is_async else post
    function.__name__ = name
    return required_args(function) if name == "create" else function


class BaseClient:
    """Its answers are given in turn; calls are what its methods were called with."""

    def __init__(self, *answers: Any, package: Any = None, **options: Any) -> None:
        self.answers: List[Any] = list(answers)
        self.calls: List[Dict[str, Any]] = []
        self.options = options
        classes = (package or CLASSES)[type(self).__name__.startswith("Async")]
        completions = classes["Completions"](self)
        self.chat = SimpleNamespace(completions=completions)
        self.completions = classes["Legacy"](self)
        self.responses = classes["Responses"](self)
        self.embeddings = classes["Embeddings"](self)
        self._package = package

    def copy(self, **options: Any) -> Any:
        made = type(self)(package=self._package, **options)
        made.answers, made.calls = self.answers, self.calls
        return made

    with_options = copy


class OpenAI(BaseClient):
    pass


class AsyncOpenAI(BaseClient):
    pass


Classes = Dict[bool, Dict[str, Any]]


def new_classes() -> Classes:
    """The classes of resources, made anew so that a test may change them."""
    found: Classes = {}
    for is_async in (False, True):
        prefix = "Async" if is_async else ""
        found[is_async] = {}
        for key, class_name, names in (
            ("Completions", "Completions", ("create", "parse")),
            ("Legacy", "Completions", ("create",)),
            ("Responses", "Responses", ("create", "parse")),
            ("Embeddings", "Embeddings", ("create",)),
        ):
            members = {name: method(name, is_async) for name in names}
            found[is_async][key] = type(prefix + class_name, (Resource,), members)
    return found


CLASSES = new_classes()


def fake_package() -> Dict[str, ModuleType]:
    """The modules of a package `openai`, for sys.modules."""
    classes = new_classes()
    places = {
        "openai.resources.chat.completions": ("Completions", "Completions"),
        "openai.resources.completions": ("Completions", "Legacy"),
        "openai.resources.responses": ("Responses", "Responses"),
        "openai.resources.embeddings": ("Embeddings", "Embeddings"),
    }
    modules: Dict[str, ModuleType] = {}
    for name in ("openai", "openai.resources", "openai.resources.chat", *places):
        modules[name] = ModuleType(name)
    for name, (class_name, key) in places.items():
        setattr(modules[name], class_name, classes[False][key])
        setattr(modules[name], "Async" + class_name, classes[True][key])

    package = modules["openai"]
    for base in (OpenAI, AsyncOpenAI):
        made = type(base.__name__, (base,), {"__init__": _with_classes(base, classes)})
        setattr(package, base.__name__, made)
    package.__path__ = []
    return modules


def _with_classes(base: Any, classes: Classes) -> Callable[..., None]:
    def init(self: Any, *answers: Any, package: Any = None, **options: Any) -> None:
        base.__init__(self, *answers, package=package or classes, **options)

    return init


# --------------------------------------------------------------------------------------- answers


def chat(content: Any, usage: Any = None, **message: Any) -> Any:
    return model(
        {
            "id": "c1",
            "model": "tiny-2024",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": content, **message},
                }
            ],
            "usage": usage,
        }
    )


def chat_chunk(usage: Any = None, finish_reason: Any = None, **delta: Any) -> Any:
    choice = {"index": 0, "delta": {"content": None, **delta}, "finish_reason": finish_reason}
    return model({"model": "tiny-2024", "choices": [choice], "usage": usage})


def usage_chunk(usage: Any) -> Any:
    return model({"model": "tiny-2024", "choices": [], "usage": usage})


USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 3,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
COUNTS = {
    "input": 4,
    "output": 2,
    "total": 15,
    "input_cached_tokens": 8,
    "output_reasoning_tokens": 1,
}

WORDS = [chat_chunk(role="assistant", content=""), chat_chunk(content="In "),
         chat_chunk(content="Norway."), chat_chunk(finish_reason="stop")]  # fmt: skip
