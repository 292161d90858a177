"""What a client is set to: its keyword arguments, else environment variables as Langfuse reads
them, else a default."""

import inspect
import logging
import os
from dataclasses import dataclass
from typing import Any, Callable, Optional

from .._environment import repaired
from ._warn import logger, shown, warn_once

PATH_VARIABLE = "TRACELITE_PATH"
DEFAULT_PATH = "tracelite.tl"  # in the folder that the program was started in

# The CI variables that Langfuse's clients look at, in their order.
_RELEASE_VARIABLES = (
    "LANGFUSE_RELEASE",
    "VERCEL_GIT_COMMIT_SHA",
    "NEXT_PUBLIC_VERCEL_GIT_COMMIT_SHA",
    "GITHUB_SHA",
    "CIRCLE_SHA1",
    "CI_COMMIT_SHA",
    "TRAVIS_COMMIT",
    "BITBUCKET_COMMIT",
    "BUILD_SOURCEVERSION",
    "RENDER_GIT_COMMIT",
    "SOURCE_VERSION",
    "HEROKU_SLUG_COMMIT",
    "TRACELITE_RELEASE",
)

Mask = Callable[..., Any]


@dataclass(frozen=True)
class Settings:
    path: str
    environment: Optional[str]
    release: Optional[str]
    sample_rate: float
    enabled: bool
    mask: Optional[Mask]


def settings_of(
    *,
    path: object = None,
    environment: Optional[str] = None,
    release: Optional[str] = None,
    sample_rate: Optional[float] = None,
    enabled: Optional[bool] = None,
    mask: Optional[Mask] = None,
    debug: bool = False,
    base: Optional[Settings] = None,
) -> Settings:
    """`base` gives what is not given, before the environment does."""
    if debug or _is_true("LANGFUSE_DEBUG"):
        logging.basicConfig()
        logger.setLevel(logging.DEBUG)
    if base is not None:
        path = base.path if path is None else path
        environment = base.environment if environment is None else environment
        release = base.release if release is None else release
        sample_rate = base.sample_rate if sample_rate is None else sample_rate
        mask = base.mask if mask is None else mask
        enabled = base.enabled if enabled is None else enabled
    environment = environment or os.environ.get("LANGFUSE_TRACING_ENVIRONMENT") or None
    return Settings(
        path=_path(path),
        environment=None if environment is None else repaired_environment(environment),
        release=_release(release),
        sample_rate=_sample_rate(sample_rate),
        enabled=enabled is not False and not _is_false("LANGFUSE_TRACING_ENABLED"),
        mask=None if mask is None else by_keyword(mask),
    )


def captures_by_default() -> bool:
    """Whether `observe` keeps arguments and results where it is not told."""
    return not _is_false("LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED")


def _is_true(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("true", "1")


def _is_false(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("false", "0")


def _path(path: Any) -> str:
    if path is None:
        path = os.environ.get(PATH_VARIABLE) or DEFAULT_PATH
    try:
        return os.path.abspath(os.fsdecode(path))
    except (TypeError, ValueError):
        warn_once(("path", shown(path)), "path is %s, but must be a path", shown(path))
        return os.path.abspath(DEFAULT_PATH)


def _release(release: Optional[str]) -> Optional[str]:
    try:
        if release:
            return str(release)
    except Exception:
        warn_once("release", "release was dropped: it must be a str")
    for name in _RELEASE_VARIABLES:
        value = os.environ.get(name)
        if value:
            return value
    return None


def _sample_rate(rate: Any) -> float:
    given = os.environ.get("LANGFUSE_SAMPLE_RATE", 1.0) if rate is None else rate
    try:
        number = float(given)
        if 0.0 <= number <= 1.0:
            return number
    except (TypeError, ValueError, OverflowError):
        pass
    warn_once(
        ("sample_rate", shown(given)),
        "sample_rate is %s, but must be 0 to 1: all is kept",
        shown(given),
    )
    return 1.0


def repaired_environment(value: object) -> Optional[str]:
    """The environment as the model has it: never an error, repaired with a warning. None, with a
    warning, for what is no text."""
    if not issubclass(type(value), str):
        warn_once(("environment", "kind"), "environment was dropped: it must be a str")
        return None
    given: str = str.__str__(value)
    text = repaired(given)
    if text != given:
        warn_once(("environment", given), "environment %r was repaired to %r", given, text)
    return text


def by_keyword(mask: Mask) -> Mask:
    """A mask is called as mask(data=...), as Langfuse does. One that names its argument otherwise
    gets it by position."""
    try:
        parameters = inspect.signature(mask).parameters.values()
    except Exception:
        return mask
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            return mask
        if parameter.name == "data" and parameter.kind is not parameter.POSITIONAL_ONLY:
            return mask
    return lambda data: mask(data)
