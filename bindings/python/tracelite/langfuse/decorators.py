"""`langfuse.decorators` of SDK v2: `observe` and `langfuse_context`.

One difference: the outermost call is a trace there, and a trace with a root observation here, so
that its level, its errors and its duration are kept.
"""

from typing import Any, Optional

from ._client import Langfuse, get_client
from ._context import here
from ._observe import observe
from ._warn import warn_once

__all__ = ["LangfuseDecorator", "langfuse_context", "observe"]

_OF_TRACE = ("user_id", "session_id", "release", "tags", "public")


class LangfuseDecorator:
    """What SDK v2 offers within an observed function."""

    observe = staticmethod(observe)

    @property
    def client_instance(self) -> Langfuse:
        return get_client()

    def configure(self, **settings: Any) -> None:
        """Makes a client with these settings the one that `observe` uses."""
        Langfuse(**settings)

    def get_current_trace_id(self) -> Optional[str]:
        return get_client().get_current_trace_id()

    def get_current_observation_id(self) -> Optional[str]:
        return get_client().get_current_observation_id()

    def get_current_trace_url(self) -> Optional[str]:
        return get_client().get_trace_url()

    def get_current_langchain_handler(self) -> Any:
        """A callback handler for LangChain that records below the current observation."""
        from ._older import StatefulSpanClient

        observation = here().observation
        if observation is None:
            warn_once("get_current_langchain_handler", "there is no current observation")
            return None
        return StatefulSpanClient(observation).get_langchain_handler()

    def update_current_trace(self, **fields: Any) -> None:
        """Adds name, input, output, user_id, session_id, version, release, metadata, tags or public
        to the trace."""
        get_client().update_current_trace(**fields)

    def update_current_observation(self, **fields: Any) -> None:
        """Adds to the current observation; what only a trace has goes to the trace. An output that
        is given here is not replaced by the result of the call."""
        observation = here().observation
        if observation is None:
            warn_once("update_current_observation", "there is no current observation")
            return
        of_trace = {name: fields.pop(name) for name in _OF_TRACE if name in fields}
        if fields.get("output") is not None:
            observation.has_own_output = True
        observation.update(**fields)
        if any(value is not None for value in of_trace.values()):
            observation.update_trace(**of_trace)

    def score_current_observation(
        self, *, name: str, value: Any, id: Optional[str] = None, **others: Any
    ) -> None:
        get_client().score_current_span(name=name, value=value, score_id=id, **others)

    def score_current_trace(
        self, *, name: str, value: Any, id: Optional[str] = None, **others: Any
    ) -> None:
        get_client().score_current_trace(name=name, value=value, score_id=id, **others)

    def flush(self) -> None:
        get_client().flush()

    def auth_check(self) -> bool:
        return get_client().auth_check()


langfuse_context = LangfuseDecorator()
