"""Context managers that are decorators as well: each call of the function is a block of its own.

contextlib has this for functions or for coroutine functions; here one object serves both.
"""

import inspect
from functools import wraps
from typing import Any, Callable, ContextManager, TypeVar, cast

_F = TypeVar("_F", bound=Callable[..., Any])


class BlockDecorator:
    __slots__ = ()

    def _again(self) -> ContextManager[Any]:
        """A manager of another block that is like this one."""
        raise NotImplementedError

    def __call__(self, function: _F) -> _F:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def call_later(*arguments: Any, **named: Any) -> Any:
                with self._again():
                    return await function(*arguments, **named)

            return cast(_F, call_later)

        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            with self._again():
                return function(*arguments, **named)

        return cast(_F, call)
