"""Observations as Langfuse's users hold them: begun, updated, scored, nested, ended."""

from time import time_ns
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple, Type, TypeVar, Union

from .._fields import Draft
from .._span import Span
from .._values import ObservationType
from . import _values
from ._arguments import fields_of
from ._context import Attributes, Entered, Scope, here
from ._ids import checked_id, new_observation_id, new_trace_id
from ._serialize import with_members
from ._trace import TraceState
from ._values import observation_type
from ._warn import warn_once

if TYPE_CHECKING:
    from ._client import Langfuse
    from ._manager import ObservationManager

_W = TypeVar("_W", bound="LangfuseObservationWrapper")


class LangfuseObservationWrapper:
    """An observation, live until `end`. `id` and `trace_id` never change.

    A handle may be used from any thread, and kept: an update after the end still counts. As a
    context manager it is the current observation within the block, and ends with it.
    """

    __slots__ = (
        "id",
        "trace_id",
        "_client",
        "_type",
        "_live",
        "_state",
        "_is_root",
        "_is_ended",
        "_attributes",
        "has_own_output",
        "_entered",
        "__weakref__",
    )

    id: str
    trace_id: str
    _entered: "List[Entered]"

    def __init__(
        self,
        client: "Langfuse",
        kind: ObservationType,
        id: str,
        state: TraceState,
        is_root: bool,
        attributes: Optional[Attributes],
    ) -> None:
        self.id = id
        self.trace_id = state.id
        self._client = client
        self._type = kind
        self._live: Optional[Span] = None
        self._state = state
        self._is_root = is_root
        self._is_ended = False
        self._attributes = attributes
        self.has_own_output = False  # which the result of an observed call does not replace

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} of trace {self.trace_id}>"

    # -- what it is

    if TYPE_CHECKING:  # one dictionary of what is given is faster than all of these

        def update(
            self: _W,
            *,
            name: Optional[str] = None,
            input: Optional[Any] = None,
            output: Optional[Any] = None,
            metadata: Optional[Any] = None,
            version: Optional[str] = None,
            level: Optional[str] = None,
            status_message: Optional[str] = None,
            completion_start_time: Optional[Any] = None,
            model: Optional[str] = None,
            model_parameters: Optional[Mapping[str, Any]] = None,
            usage_details: Optional[Mapping[str, Any]] = None,
            cost_details: Optional[Mapping[str, Any]] = None,
            prompt: Optional[Any] = None,
            **others: Any,
        ) -> _W:
            ...

    else:

        def update(self, **given: Any) -> Any:
            """Adds to the observation: name, input, output, metadata, version, level,
            status_message, completion_start_time, model, model_parameters, usage_details,
            cost_details, prompt. What is None stays as it is. Returns itself."""
            self._write(fields_of(self._client, given))
            return self

    def end(self: _W, *, end_time: Optional[Any] = None) -> _W:
        """Ends the observation now, or at end_time in nanoseconds. Ending again does nothing."""
        if not self._is_ended:
            fields: Dict[str, Any] = {}
            if end_time is not None:
                fields["end_time"] = _values.time_ns(end_time, "end_time")
            self._write(fields, True)
        return self

    def end_with(self, given: Dict[str, Any]) -> None:
        """Ends the observation with last fields, as one record. What is given after the end still
        counts."""
        fields = fields_of(self._client, given) if given else given
        if fields or not self._is_ended:
            self._write(fields, True)

    def _write(self, fields: Dict[str, Any], is_end: bool = False) -> None:
        client = self._client
        if not client.settings.enabled:
            return
        if is_end:
            self._is_ended = True
        if self._is_root and fields:
            self._state.update_root(client, fields)
        self._live = client.recorder.write(self._live, self.id, self.trace_id, fields, is_end)

    @property
    def may_append(self) -> bool:
        """Whether text can be streamed into the output: not where a mask has to see it whole."""
        return self._live is not None and self._client.settings.mask is None

    def append(self, text: str) -> bool:
        """Streams text into the output, so that it is in the file before the end; whether it could.
        An addition of tracelite."""
        return self.may_append and self._client.recorder.append(self._live, text)

    def derive_output(self, output: str) -> None:
        """Tells the trace of an output that was streamed."""
        if self._is_root:
            fields = fields_of(self._client, {"output": output})
            self._state.update_root(self._client, fields)

    def _propagate(self, given: Attributes, merged: Attributes) -> None:
        """Takes attributes that are propagated from here on."""
        self._attributes = merged
        fields = {name: value for name, value in given.of_observation().items() if value}
        if given.metadata:
            fields["metadata"] = with_members(given.metadata, None)
        if given.prompt is not None and self._type is ObservationType.GENERATION:
            fields["prompt_name"], fields["prompt_version"] = given.prompt
        if fields:
            self._write(fields)
        self._state.put_attributes(self._client, given)

    # -- its trace

    def update_trace(
        self: _W,
        *,
        name: Optional[str] = None,
        user_id: Optional[str] = None,
        session_id: Optional[str] = None,
        version: Optional[str] = None,
        input: Optional[Any] = None,
        output: Optional[Any] = None,
        metadata: Optional[Any] = None,
        tags: Optional[List[str]] = None,
        public: Optional[bool] = None,
        **others: Any,
    ) -> _W:
        """Adds to the trace of the observation. Returns itself."""
        given = {
            "name": name,
            "user_id": user_id,
            "session_id": session_id,
            "version": version,
            "input": input,
            "output": output,
            "metadata": metadata,
            "tags": tags,
            "public": public,
        }
        if others:
            given.update(others)
        if self._client.settings.enabled:
            self._state.put(self._client, fields_of(self._client, given))
        return self

    def set_trace_io(self: _W, *, input: Optional[Any] = None, output: Optional[Any] = None) -> _W:
        return self.update_trace(input=input, output=output)

    def set_trace_as_public(self: _W) -> _W:
        return self.update_trace(public=True)

    # -- scores

    def score(self, *, name: str, value: Union[float, str], **others: Any) -> None:
        """Scores this observation; others are those of `Langfuse.create_score`."""
        self._client.create_score(
            name=name, value=value, trace_id=self.trace_id, observation_id=self.id, **others
        )

    def score_trace(self, *, name: str, value: Union[float, str], **others: Any) -> None:
        """Scores the trace of this observation."""
        self._client.create_score(name=name, value=value, trace_id=self.trace_id, **others)

    # -- below it

    def start_observation(
        self, *, name: str, as_type: str = "span", **fields: Any
    ) -> "LangfuseObservationWrapper":
        """Begins an observation below this one, without making it current."""
        return begin(self._client, as_type, name, fields, handle=self)

    def start_as_current_observation(
        self, *, name: str, as_type: str = "span", end_on_exit: Optional[bool] = None, **fields: Any
    ) -> "ObservationManager":
        """As start_observation, current within a `with` block and ended by it."""
        from ._manager import ObservationManager

        return ObservationManager(self._client, as_type, name, fields, None, self, end_on_exit)

    def start_span(self, name: str, **fields: Any) -> "LangfuseObservationWrapper":
        return begin(self._client, "span", name, fields, handle=self)

    def start_generation(self, name: str, **fields: Any) -> "LangfuseObservationWrapper":
        return begin(self._client, "generation", name, fields, handle=self)

    def start_as_current_span(self, name: str, **fields: Any) -> "ObservationManager":
        return self.start_as_current_observation(name=name, as_type="span", **fields)

    def start_as_current_generation(self, name: str, **fields: Any) -> "ObservationManager":
        return self.start_as_current_observation(name=name, as_type="generation", **fields)

    def create_event(self, *, name: str, **fields: Any) -> "LangfuseObservationWrapper":
        """Records a point in time below this observation."""
        return begin(self._client, "event", name, fields, handle=self)

    # -- as a block

    def __enter__(self: _W) -> _W:
        from ._manager import enter

        entered = enter(self)
        try:
            self._entered.append(entered)
        except AttributeError:
            self._entered = [entered]
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        from ._manager import leave_with

        leave_with(self, self._entered.pop(), error, True)


class LangfuseSpan(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseGeneration(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseEvent(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseAgent(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseTool(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseChain(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseRetriever(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseEmbedding(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseEvaluator(LangfuseObservationWrapper):
    __slots__ = ()


class LangfuseGuardrail(LangfuseObservationWrapper):
    __slots__ = ()


_BY_TYPE: Dict[ObservationType, Type[LangfuseObservationWrapper]] = {
    ObservationType.SPAN: LangfuseSpan,
    ObservationType.GENERATION: LangfuseGeneration,
    ObservationType.EVENT: LangfuseEvent,
    ObservationType.AGENT: LangfuseAgent,
    ObservationType.TOOL: LangfuseTool,
    ObservationType.CHAIN: LangfuseChain,
    ObservationType.RETRIEVER: LangfuseRetriever,
    ObservationType.EMBEDDING: LangfuseEmbedding,
    ObservationType.EVALUATOR: LangfuseEvaluator,
    ObservationType.GUARDRAIL: LangfuseGuardrail,
}
# By their numbers: an Enum is slow to look up.
_CLASSES = {kind.code: made for kind, made in _BY_TYPE.items()}
_EVENT = ObservationType.EVENT.code


# ---------------------------------------------------------------------------------- beginning one

# The trace, the id of the parent, and what is propagated there.
Place = Tuple[TraceState, Optional[str], Optional[Attributes]]


def begin(
    client: "Langfuse",
    as_type: object,
    name: object,
    given: Dict[str, Any],
    *,
    trace_context: Optional[Mapping[str, Any]] = None,
    handle: Optional[LangfuseObservationWrapper] = None,
    id: Optional[str] = None,
    place: Optional[Place] = None,
    is_shown: bool = True,
) -> LangfuseObservationWrapper:
    """Begins an observation: at the place given, else in the trace that trace_context names, else
    below the handle, else below the current observation, else in a trace of its own. is_shown tells
    whether its trace shows it, if it is a root."""
    kind = observation_type(as_type)
    code = kind.code
    state, parent_id, attributes = place or place_of(here(), handle, trace_context)
    is_root = parent_id is None and is_shown
    observation = _CLASSES[code](
        client, kind, id or new_observation_id(), state, is_root, attributes
    )
    settings = client.settings
    if not settings.enabled:
        return observation
    fields = fields_of(client, given) if given else {}
    environment = settings.environment
    if "environment" in fields:
        environment = fields.pop("environment") or environment
    if attributes is not None:
        environment = attributes.environment or environment
        _add_attributes(fields, kind, attributes)
    draft = _draft_of(client, kind, name, environment)
    start_ns: Optional[int] = fields.pop("start_time") if "start_time" in fields else None
    if start_ns is None and (is_root or code == _EVENT):
        start_ns = time_ns()
    if code == _EVENT:
        observation._is_ended = True
        client.recorder.put_draft(draft, observation.id, state.id, parent_id, start_ns, fields)
    else:
        observation._live = client.recorder.begin_draft(
            draft, observation.id, state.id, parent_id, start_ns, fields
        )
    if is_root:
        state.begin_root(client, draft.fields["name"], fields, environment, start_ns or 0)
    if attributes is not None:
        state.inherit(client, attributes)
    return observation


DRAFTS_MAX = 1_000  # of a client; a program whose names differ each time makes them anew


def _draft_of(
    client: "Langfuse", kind: ObservationType, name: object, environment: Optional[str]
) -> Draft:
    """What all observations of this type and name have in common."""
    text = name if name is None or type(name) is str else _values.text(name, "name")
    key = kind.code, text, environment
    drafts = client._drafts
    if key not in drafts:
        if len(drafts) >= DRAFTS_MAX:
            drafts.clear()
        known = None if text is None else _values.text(text, "name")
        drafts[key] = Draft(type=kind, name=known, environment=environment)
    return drafts[key]


def place_of(
    scope: Scope,
    handle: Optional[LangfuseObservationWrapper],
    trace_context: Optional[Mapping[str, Any]],
) -> Place:
    """Where an observation begins that is told no more than this."""
    if trace_context is not None:
        try:
            trace_id = checked_id(trace_context.get("trace_id"), "trace_context.trace_id")
            parent = trace_context.get("parent_span_id")
            parent = parent or trace_context.get("parent_observation_id")
            parent_id = checked_id(parent, "trace_context.parent_span_id")
        except Exception:
            warn_once("trace_context", "trace_context was dropped: it must be a mapping")
            trace_id = parent_id = None
        if trace_id is not None:
            above = scope.observation
            if above is not None and above.trace_id == trace_id:
                return above._state, parent_id, scope.attributes
            return TraceState(trace_id), parent_id, scope.attributes
    if handle is not None:
        above = scope.observation
        if above is not None and above.trace_id == handle.trace_id:
            return handle._state, handle.id, scope.attributes
        # The context does not reach the trace (a new thread, a callback): the handle does.
        if handle._attributes is None:
            return handle._state, handle.id, scope.attributes
        if scope.attributes is None:
            return handle._state, handle.id, handle._attributes
        return handle._state, handle.id, handle._attributes.merged(scope.attributes)
    above = scope.observation
    if above is not None:
        return above._state, above.id, scope.attributes
    return TraceState(new_trace_id()), None, scope.attributes


def _add_attributes(fields: Dict[str, Any], kind: ObservationType, attributes: Attributes) -> None:
    for name, value in attributes.shared:
        if fields.get(name) is None:
            fields[name] = value
    if attributes.metadata:
        fields["metadata"] = with_members(attributes.metadata, fields.get("metadata"))
    if attributes.prompt is not None and kind is ObservationType.GENERATION:
        if fields.get("prompt_name") is None:
            fields["prompt_name"], fields["prompt_version"] = attributes.prompt
