"""`langfuse.openai`: records what OpenAI's client does, and any client that is compatible with it.

    from tracelite.langfuse.openai import openai  # or OpenAI, AsyncOpenAI, AzureOpenAI, ...

is OpenAI's own package, which must be installed, with every client of it recording from then on.

    from tracelite.langfuse.openai import observe_openai
    client = observe_openai(client)

makes one client record, of whatever package: its methods chat.completions.create and parse,
completions.create, responses.create and parse, and embeddings.create.

A call takes Langfuse's arguments besides: name, metadata, trace_id, parent_observation_id,
session_id, user_id, tags, langfuse_prompt and langfuse_public_key. The client does not see them;
metadata it does, where store is true.
"""

import importlib
from typing import Any, List, Tuple, TypeVar

from ._client import get_client
from ._openai_calls import is_observed, observe_methods, observed
from ._openai_content import CHAT, COMPLETION, EMBEDDING, RESPONSES
from ._warn import shown, warn_once

__all__ = ["auth_check", "observe_openai"]

_C = TypeVar("_C")

# The classes of OpenAI's package whose methods are recorded; each has an asynchronous twin.
_CLASSES: Tuple[Tuple[str, str, str, str], ...] = (
    ("openai.resources.chat.completions", "Completions", "create parse", CHAT),
    ("openai.resources.beta.chat.completions", "Completions", "parse", CHAT),
    ("openai.resources.completions", "Completions", "create", COMPLETION),
    ("openai.resources.responses", "Responses", "create parse", RESPONSES),
    ("openai.resources.embeddings", "Embeddings", "create", EMBEDDING),
)
_OF_OPENAI = ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI", "Client", "AsyncClient")


def observe_openai(client: _C) -> _C:
    """Makes an OpenAI-compatible client record its calls, and those of its copies. Returns it."""
    try:
        if observe_methods(client) == 0:
            warn_once(
                ("client", type(client)),
                "%s has none of the methods that are recorded",
                type(client).__name__,
            )
    except Exception as error:
        warn_once(("client", type(error)), "a client is not recorded: %s", shown(error))
    return client


def auth_check() -> bool:
    """Whether the file can be recorded into."""
    return get_client().auth_check()


_package: List[Any] = []


def _observed_package() -> Any:
    if not _package:
        try:
            package = importlib.import_module("openai")
        except ImportError as error:
            raise ImportError(
                "OpenAI's package is not installed (pip install openai); for a client of another "
                "package there is tracelite.langfuse.openai.observe_openai(client)",
                name="openai",
            ) from error
        _observe_package(package)
        _package.append(package)
    return _package[0]


def _observe_package(package: Any) -> None:
    def is_on() -> bool:
        return getattr(package, "langfuse_enabled", True) is not False

    count = 0
    for module_name, class_name, methods, kind in _CLASSES:
        try:
            module: Any = importlib.import_module(module_name)
        except ImportError:  # older or newer than it
            continue
        for owner in (getattr(module, prefix + class_name, None) for prefix in ("", "Async")):
            for name in methods.split():
                function = vars(owner).get(name) if isinstance(owner, type) else None
                if function is not None and not is_observed(function):
                    setattr(owner, name, observed(function, kind, is_on))
                count += function is not None
    if count == 0:
        warn_once("openai", "OpenAI's package is older than 1.0, and is not recorded")
    # What SDK v2 has on the package.
    package.langfuse_enabled = True
    package.langfuse_auth_check = auth_check
    package.flush_langfuse = lambda: get_client().flush()


def __getattr__(name: str) -> Any:
    if name == "openai":
        return _observed_package()
    if name in _OF_OPENAI:
        return getattr(_observed_package(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
