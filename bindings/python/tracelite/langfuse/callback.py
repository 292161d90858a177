"""`langfuse.callback` of SDK v2: a callback handler for LangChain that makes a trace of each root
run, with the run_id as the trace's id.

    handler = CallbackHandler(session_id="holidays", user_id="ada", tags=["geography"])
    chain.invoke({"city": "Oslo"}, config={"callbacks": [handler]})
"""

from typing import Any, Dict, Mapping, Optional

from ._client import Langfuse, registered
from ._context import here
from ._ids import checked_id
from ._langchain_handler import LangchainHandler, Run
from ._observation import LangfuseObservationWrapper, begin, place_of
from ._older import StatefulClient, StatefulSpanClient, StatefulTraceClient
from ._settings import Mask, settings_of
from ._trace_metadata import attributes_of
from ._warn import warn_once

__all__ = ["CallbackHandler", "LangchainCallbackHandler"]

# Arguments that say nothing without a server.
_UNUSED = frozenset(
    {
        "threads",
        "flush_at",
        "flush_interval",
        "max_retries",
        "timeout",
        "httpx_client",
        "sdk_integration",
    }
)


class CallbackHandler(LangchainHandler):
    """Records what LangChain runs into the file that `path` names, else into the one of the newest
    client, else into TRACELITE_PATH or tracelite.tl. Keys and host are accepted and unused.

    session_id, user_id, trace_name, metadata and tags are of the traces, version is of them and of
    every observation. environment, release, sample_rate, mask and enabled are as of `Langfuse`, and
    count for this handler alone. With stateful_client, a trace or span of SDK v2, roots begin below
    that; update_stateful_client puts their input and output, and the above, on it.
    """

    def __init__(
        self,
        public_key: Optional[str] = None,
        secret_key: Optional[str] = None,
        host: Optional[str] = None,
        debug: bool = False,
        stateful_client: Optional[StatefulClient] = None,
        update_stateful_client: bool = False,
        session_id: Optional[str] = None,
        user_id: Optional[str] = None,
        trace_name: Optional[str] = None,
        release: Optional[str] = None,
        version: Optional[str] = None,
        metadata: Optional[Any] = None,
        tags: Optional[Any] = None,
        *,
        enabled: Optional[bool] = None,
        sample_rate: Optional[float] = None,
        mask: Optional[Mask] = None,
        environment: Optional[str] = None,
        path: Optional[Any] = None,
        **unused: Any,
    ) -> None:
        for name in unused:
            if name not in _UNUSED:
                warn_once(("handler", name), "CallbackHandler(%s=...) is not known here", name)
        if stateful_client is not None:
            client = stateful_client.client
        else:
            base = registered(public_key)
            client = Langfuse.with_settings(
                settings_of(
                    path=path,
                    environment=environment,
                    release=release,
                    sample_rate=sample_rate,
                    enabled=enabled,
                    mask=mask,
                    debug=debug,
                    base=None if base is None else base.settings,
                )
            )
        super().__init__(client, {} if version is None else {"version": version})
        self.langfuse = client
        self.stateful_client = stateful_client
        self.update_stateful_client = update_stateful_client
        self.trace: Optional[StatefulTraceClient] = None  # of the newest root
        self.trace_name = trace_name
        self.metadata = metadata
        self._of_trace = {
            "session_id": session_id,
            "user_id": user_id,
            "version": version,
            "tags": tags,
        }
        self._traces: Dict[str, StatefulTraceClient] = {}  # of the roots that have not ended
        self._next_span_id: Optional[str] = None

    def _begin_root(
        self, kind: str, name: str, run_id: Any, given: Dict[str, Any], metadata: Dict[str, Any]
    ) -> LangfuseObservationWrapper:
        own_id, self._next_span_id = self._next_span_id, None
        fields = {**self._fields_of_trace(given, metadata), "input": given.get("input")}
        fields["name"] = self.trace_name or name
        handle = self.stateful_client
        if handle is not None and self.update_stateful_client:
            _update(handle, fields)
        if isinstance(handle, StatefulSpanClient):
            place = place_of(here(), handle.observation, None)
            return begin(self.client, kind, name, given, place=place, id=own_id, is_shown=False)
        trace = handle if isinstance(handle, StatefulTraceClient) else None
        if trace is None:
            trace = self.trace = self.client.trace(id=str(run_id), **fields)
        observation = begin(
            self.client,
            kind,
            name,
            given,
            place=(trace._state(), None, None),
            id=own_id,
            is_shown=False,
        )
        if handle is None:
            self._traces[observation.id] = trace
        return observation

    def _fields_of_trace(
        self, given: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> Dict[str, Any]:
        fields = {name: value for name, value in self._of_trace.items() if value is not None}
        own = attributes_of(metadata)
        if own is not None:  # what is said of the run is nearer than what is said of the handler
            fields["session_id"] = own.session_id or fields.get("session_id")
            fields["user_id"] = own.user_id or fields.get("user_id")
        tags = [*_listed(fields.get("tags")), *_listed((given.get("metadata") or {}).get("tags"))]
        fields["tags"] = [*tags, *(own.tags if own is not None else ())] or None
        if isinstance(self.metadata, Mapping):
            fields["metadata"] = {**(given.get("metadata") or {}), **self.metadata}
        else:
            fields["metadata"] = given.get("metadata") if self.metadata is None else self.metadata
        return fields

    def _end_root(self, run: Run, given: Dict[str, Any]) -> None:
        output = given.get("output")
        if self.stateful_client is not None:
            if self.update_stateful_client:
                _update(self.stateful_client, {"output": output})
            return
        trace = self._traces.pop(run.observation.id, None)
        if trace is not None:
            trace.update(output=output)

    # -- what SDK v2 has beside the callbacks

    def setNextSpan(self, id: str) -> None:
        """Names the observation of the next root."""
        self._next_span_id = checked_id(id, "id")

    def get_trace_id(self) -> Optional[str]:
        """The trace of the newest root."""
        return self.last_trace_id

    def get_trace_url(self) -> Optional[str]:
        return self.client.get_trace_url(trace_id=self.last_trace_id)

    def flush(self) -> None:
        """Returns when everything that was recorded is durable."""
        self.client.flush()

    def auth_check(self) -> bool:
        return self.client.auth_check()


def _update(handle: StatefulClient, fields: Mapping[str, Any]) -> None:
    given = {name: value for name, value in fields.items() if value is not None}
    if isinstance(handle, (StatefulTraceClient, StatefulSpanClient)):
        handle.update(**given)


def _listed(tags: Any) -> Any:
    return [tags] if isinstance(tags, str) else tags or ()


LangchainCallbackHandler = CallbackHandler
