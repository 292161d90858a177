"""`langfuse.langchain` of SDK v3 and v4: a callback handler for LangChain and LangGraph.

    handler = CallbackHandler()
    chain.invoke({"city": "Oslo"}, config={"callbacks": [handler]})

What runs becomes a tree of observations, below the current one, or in a trace of its own, whose id
is the root's run_id in W3C form (32 hex digits); `last_trace_id` names it. The metadata keys
langfuse_session_id, langfuse_user_id and langfuse_tags of a run put these on its trace.
"""

import uuid
from typing import Any, Dict, Mapping, Optional

from ._client import get_client
from ._context import here
from ._ids import checked_id, new_trace_id
from ._langchain_handler import LangchainHandler, Run
from ._observation import LangfuseObservationWrapper, Place, begin, place_of
from ._trace import TraceState
from ._trace_metadata import attributes_of, with_attributes
from ._warn import warn_once

__all__ = ["CallbackHandler", "LangchainCallbackHandler"]


class CallbackHandler(LangchainHandler):
    """Records what LangChain runs, with the client of public_key, else with the newest one.

    trace_context says where roots begin (trace_id, parent_span_id). update_trace puts name, input,
    output and metadata of a root on the trace, even where the trace has another root.
    """

    def __init__(
        self,
        *,
        public_key: Optional[str] = None,
        update_trace: bool = False,
        trace_context: Optional[Mapping[str, Any]] = None,
        **others: Any,
    ) -> None:
        for name in others:
            warn_once(("handler", name), "CallbackHandler(%s=...) is not known here", name)
        super().__init__(get_client(public_key=public_key), {})
        self.update_trace = update_trace
        self.trace_context = trace_context

    def _begin_root(
        self, kind: str, name: str, run_id: Any, given: Dict[str, Any], metadata: Dict[str, Any]
    ) -> LangfuseObservationWrapper:
        place = with_attributes(self._place(run_id), attributes_of(metadata))
        observation = begin(self.client, kind, name, given, place=place)
        if self.update_trace:
            observation.update_trace(
                name=name, input=given.get("input"), metadata=given.get("metadata")
            )
        return observation

    def _place(self, run_id: Any) -> Place:
        scope = here()
        if self.trace_context is not None or scope.observation is not None:
            return place_of(scope, None, self.trace_context)
        return TraceState(trace_id_of_run(run_id)), None, scope.attributes

    def _end_root(self, run: Run, given: Dict[str, Any]) -> None:
        if self.update_trace:
            run.observation.update_trace(output=given.get("output"), input=given.get("input"))


def trace_id_of_run(run_id: Any) -> str:
    """The run_id as W3C writes ids of traces, so that `traceparent` takes it further."""
    try:
        return (run_id if isinstance(run_id, uuid.UUID) else uuid.UUID(str(run_id))).hex
    except ValueError:
        return checked_id(run_id, "run_id") or new_trace_id()


LangchainCallbackHandler = CallbackHandler
