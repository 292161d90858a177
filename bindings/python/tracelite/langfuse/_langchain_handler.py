"""A callback handler by LangChain's public protocol: each run is an observation.

LangChain calls a handler with the begin and the end of each run (a chain, a model, a tool, a
retriever), which name themselves and their parent by ids. Runs of several threads and tasks come
interleaved, and an end may be told in a copy of the context that its begin was told in. Nothing of
LangChain is imported but the class that its handlers are told by, where it is installed.
"""

import importlib
import time
from functools import wraps
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, TypeVar, cast

from ._context import PassingScope, enter_passing, here, leave_passing
from ._langchain_messages import (
    answer_of,
    prompt_of_messages,
    response_model,
    response_model_of_message,
    response_usage,
    with_tools,
)
from ._langchain_model import (
    call_parameters,
    model_name,
    model_parameters,
    observation_kind,
    run_name,
)
from ._manager import message
from ._observation import LangfuseObservationWrapper, begin, place_of
from ._trace_metadata import OF_TRACE, attributes_of, with_attributes
from ._values import observation_type
from ._warn import logger, shown, warn_once

if TYPE_CHECKING:
    from ._client import Langfuse

RUN_COUNT_MAX = 100_000  # runs whose end is awaited; of more, the oldest one's end is not

HIDDEN_TAG = "langsmith:hidden"
_PROMPT = "langfuse_prompt"

_F = TypeVar("_F", bound=Callable[..., Any])


def _guarded(function: _F) -> _F:
    """What goes wrong in a callback is logged once, and never reaches the application."""

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> None:
        try:
            function(*arguments, **named)
        except Exception as error:
            name = function.__name__
            warn_once((name, type(error)), "%s: a callback is not recorded: %s", name, shown(error))

    return cast(_F, call)


if TYPE_CHECKING:

    class _Base:
        pass

else:

    class _Plain:
        """What LangChain's callback managers read of a handler."""

        raise_error = False
        ignore_llm = False
        ignore_retry = False
        ignore_chain = False
        ignore_agent = False
        ignore_retriever = False
        ignore_chat_model = False
        ignore_custom_event = False

    try:
        _Base = importlib.import_module("langchain_core.callbacks").BaseCallbackHandler
    except Exception:  # not there, or not in working order
        _Base = _Plain


class Run:
    """A run between its begin and its end."""

    __slots__ = ("observation", "scope", "has_token", "has_model", "prompt", "is_root")

    def __init__(self, observation: LangfuseObservationWrapper, is_root: bool) -> None:
        self.observation = observation
        self.scope = PassingScope(observation, observation._attributes)
        self.has_token = False
        self.has_model = False
        self.prompt: Any = None  # of Langfuse, for the generations that follow its rendering
        self.is_root = is_root


class LangchainHandler(_Base):
    """What the handlers of SDK v2 and v3 share. One handler serves any number of runs at once."""

    run_inline = True  # in the caller's context, so that what a run calls is below it

    def __init__(self, client: "Langfuse", common: Dict[str, Any]) -> None:
        super().__init__()
        self.client = client
        self.last_trace_id: Optional[str] = None
        self._common = common  # fields of every observation
        self._runs: Dict[Any, Run] = {}

    # LangChain merges and copies configurations: a copy records as the handler itself.
    def __copy__(self) -> "LangchainHandler":
        return self

    def __deepcopy__(self, memo: Any) -> "LangchainHandler":
        return self

    # -- what the two differ in

    def _begin_root(
        self, kind: str, name: str, run_id: Any, given: Dict[str, Any], metadata: Dict[str, Any]
    ) -> LangfuseObservationWrapper:
        raise NotImplementedError

    def _end_root(self, run: Run, given: Dict[str, Any]) -> None:
        raise NotImplementedError

    # -- chains and agents

    @_guarded
    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: Any, parent_run_id: Any = None, **given: Any
    ) -> None:
        self._start("chain", serialized, {"input": inputs}, run_id, parent_run_id, given)

    @_guarded
    def on_chain_end(self, outputs: Any, *, run_id: Any, **given: Any) -> None:
        self._end(run_id, {"output": outputs, "input": given.get("inputs")})

    @_guarded
    def on_chain_error(self, error: BaseException, *, run_id: Any, **given: Any) -> None:
        self._fail(run_id, error, {"input": given.get("inputs")})

    @_guarded
    def on_agent_action(self, action: Any, *, run_id: Any, **given: Any) -> None:
        self._agent(run_id, action)

    @_guarded
    def on_agent_finish(self, finish: Any, *, run_id: Any, **given: Any) -> None:
        self._agent(run_id, finish)  # the end of its chain follows

    def _agent(self, run_id: Any, output: Any) -> None:
        run = self._runs.get(run_id)
        if run is not None:
            run.observation._write({"type": observation_type("agent")})
            run.observation.update(output=output)

    # -- models

    @_guarded
    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,
        *,
        run_id: Any,
        parent_run_id: Any = None,
        **given: Any,
    ) -> None:
        prompt = prompt_of_messages(messages)
        self._start_model(serialized, prompt, run_id, parent_run_id, given)

    @_guarded
    def on_llm_start(
        self, serialized: Any, prompts: Any, *, run_id: Any, parent_run_id: Any = None, **given: Any
    ) -> None:
        prompt = prompts[0] if len(prompts) == 1 else prompts
        self._start_model(serialized, prompt, run_id, parent_run_id, given)

    def _start_model(
        self, serialized: Any, prompt: Any, run_id: Any, parent_run_id: Any, given: Dict[str, Any]
    ) -> None:
        metadata = given.get("metadata") or {}
        model = model_name(serialized, metadata, given)
        linked = metadata.get(_PROMPT)
        parent = self._runs.get(parent_run_id)
        if linked is None and parent is not None:
            linked, parent.prompt = parent.prompt, None
        fields = {
            "input": with_tools(prompt, call_parameters(given)),
            "model": model,
            "model_parameters": model_parameters(given) or None,
            "prompt": linked,
        }
        self._start("generation", serialized, fields, run_id, parent_run_id, given)
        self._runs[run_id].has_model = model is not None

    @_guarded
    def on_llm_new_token(self, token: Any, *, run_id: Any, **given: Any) -> None:
        run = self._runs.get(run_id)
        if run is None:
            return
        if not run.has_token:
            run.has_token = True
            run.observation.update(completion_start_time=time.time_ns())
        if token and isinstance(token, str):  # what came survives, should the end never come
            run.observation.append(token)

    @_guarded
    def on_llm_end(self, response: Any, *, run_id: Any, **given: Any) -> None:
        run = self._runs.get(run_id)
        model = response_model(response)
        if model is None and run is not None and not run.has_model:
            model = response_model_of_message(response)
        fields = {
            "output": answer_of(response),
            "input": given.get("inputs"),
            "usage_details": response_usage(response),
            "model": model,
        }
        self._end(run_id, fields)

    @_guarded
    def on_llm_error(self, error: BaseException, *, run_id: Any, **given: Any) -> None:
        response = given.get("response")  # as far as it came
        fields: Dict[str, Any] = {"cost_details": {"total": 0}}
        if response is not None:
            fields["output"] = answer_of(response) or None
            usage = response_usage(response)
            if usage:
                fields = {"output": fields["output"], "usage_details": usage}
        self._fail(run_id, error, fields)

    # -- tools and retrievers

    @_guarded
    def on_tool_start(
        self,
        serialized: Any,
        input_str: Any,
        *,
        run_id: Any,
        parent_run_id: Any = None,
        **given: Any,
    ) -> None:
        about = {
            name: value
            for name, value in given.items()
            if value is not None and name not in ("tags", "metadata", "name", "color", "run_type")
        }
        self._start("tool", serialized, {"input": input_str}, run_id, parent_run_id, given, about)

    @_guarded
    def on_tool_end(self, output: Any, *, run_id: Any, **given: Any) -> None:
        self._end(run_id, {"output": output})

    @_guarded
    def on_tool_error(self, error: BaseException, *, run_id: Any, **given: Any) -> None:
        self._fail(run_id, error, {})

    @_guarded
    def on_retriever_start(
        self, serialized: Any, query: Any, *, run_id: Any, parent_run_id: Any = None, **given: Any
    ) -> None:
        self._start("retriever", serialized, {"input": query}, run_id, parent_run_id, given)

    @_guarded
    def on_retriever_end(self, documents: Any, *, run_id: Any, **given: Any) -> None:
        self._end(run_id, {"output": documents})

    @_guarded
    def on_retriever_error(self, error: BaseException, *, run_id: Any, **given: Any) -> None:
        self._fail(run_id, error, {})

    # -- points in time

    @_guarded
    def on_retry(self, retry_state: Any, *, run_id: Any, **given: Any) -> None:
        run = self._runs.get(run_id)
        if run is None:
            return
        outcome = getattr(retry_state, "outcome", None)
        error = outcome.exception() if outcome is not None and outcome.failed else None
        run.observation.create_event(
            name="retry",
            level="WARNING",
            status_message=None if error is None else message(error, True),
            metadata={
                "attempt": getattr(retry_state, "attempt_number", None),
                "idle_s": getattr(retry_state, "idle_for", None),
            },
        )

    @_guarded
    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: Any,
        tags: Optional[List[str]] = None,
        metadata: Optional[Dict[str, Any]] = None,
        **given: Any,
    ) -> None:
        run = self._runs.get(run_id)
        begin(
            self.client,
            "event",
            name,
            {"input": data, "metadata": joined(tags, metadata), **self._common},
            handle=None if run is None else run.observation,
        )

    @_guarded
    def on_text(self, text: Any, **given: Any) -> None:
        """Formatted prompts, for logs: the runs have them already."""

    # -- every run

    def _start(
        self,
        callback: str,
        serialized: Any,
        fields: Dict[str, Any],
        run_id: Any,
        parent_run_id: Any,
        given: Mapping[str, Any],
        about: Optional[Dict[str, Any]] = None,
    ) -> None:
        tags, metadata = given.get("tags"), given.get("metadata") or {}
        name = run_name(serialized, given)
        kind = observation_kind(callback, serialized, name)
        fields = {**self._common, **fields}
        fields["metadata"] = joined(tags, {**metadata, **(about or {})})
        if tags and HIDDEN_TAG in tags:
            fields["level"] = "DEBUG"
        parent = self._runs.get(parent_run_id)
        if parent is None:
            observation = self._begin_root(kind, name, run_id, fields, metadata)
            self.last_trace_id = observation.trace_id
        else:
            place = place_of(here(), parent.observation, None)
            place = with_attributes(place, attributes_of(metadata))
            observation = begin(self.client, kind, name, fields, place=place)
        run = Run(observation, parent is None)
        if parent is not None and callback != "generation":
            self._pass_prompt(parent, run, metadata)
        if len(self._runs) >= RUN_COUNT_MAX:
            self._forget_oldest()
        self._runs[run_id] = run
        enter_passing(run.scope)

    def _pass_prompt(self, parent: Run, run: Run, metadata: Mapping[str, Any]) -> None:
        """A prompt of Langfuse is said where it is rendered, and is for the next generation below
        the same parent, or below a sibling."""
        linked = metadata.get(_PROMPT)
        if linked is not None:
            parent.prompt = linked
        else:
            run.prompt = parent.prompt

    def _forget_oldest(self) -> None:
        warn_once("runs", "more than %d runs of LangChain wait for their end", RUN_COUNT_MAX)
        oldest = next(iter(self._runs), None)
        run = self._runs.pop(oldest, None)
        if run is not None:
            leave_passing(run.scope)

    def _end(self, run_id: Any, fields: Dict[str, Any]) -> None:
        run = self._runs.pop(run_id, None)
        if run is None:
            logger.debug("the end of a run that has not begun")
            return
        leave_passing(run.scope)
        run.observation.end_with(fields)
        if run.is_root:
            self._end_root(run, fields)

    def _fail(self, run_id: Any, error: BaseException, fields: Dict[str, Any]) -> None:
        fields = dict(fields)
        if is_control_flow(error):
            fields.pop("cost_details", None)
            fields.update(status_message=message(error, False))
        elif not isinstance(error, GeneratorExit):  # who reads a stream may stop
            fields.update(level="ERROR", status_message=message(error, False))
        self._end(run_id, fields)


def is_control_flow(error: BaseException) -> bool:
    """Whether LangGraph says by it that it waits, or goes on elsewhere, which is no failure."""
    return any(each.__name__ == "GraphBubbleUp" for each in type(error).__mro__)


def joined(
    tags: Optional[List[str]], metadata: Optional[Mapping[str, Any]]
) -> Optional[Dict[str, Any]]:
    """A run's tags and metadata (langgraph_node, langgraph_step, ...) without what is for us."""
    found: Dict[str, Any] = {"tags": tags} if tags else {}
    found.update(metadata or {})
    for name in (*OF_TRACE, _PROMPT):
        found.pop(name, None)
    return found or None
