"""The names of Langfuse's SDK v2, v3 and v4, and the table of them in README.md.

What works is found out from the package; the table is written anew by

    TRACELITE_WRITE=1 python -m unittest test_langfuse_names
"""

import importlib.util
import inspect
import os
import unittest
from typing import Any, Dict, List, Tuple

from langfuse_support import LangfuseCase
from support import PACKAGE
from tracelite.langfuse import Langfuse, callback, langchain, observe, propagate_attributes
from tracelite.langfuse._client import _UNUSED
from tracelite.langfuse._openai_calls import _OWN
from tracelite.langfuse.decorators import langfuse_context

README = PACKAGE / "README.md"
BEGIN, END = (
    "<!-- names of Langfuse: written by test_langfuse_names.py -->",
    "<!-- end of names -->",
)

# (where, versions, names)
NAMES: List[Tuple[str, str, str]] = [
    ("`langfuse`", "2 3 4", "Langfuse"),
    ("`langfuse`", "3 4", "get_client observe propagate_attributes LangfuseSpan LangfuseGeneration"),
    ("`langfuse`", "3 4", "LangfuseEvent LangfuseAgent LangfuseTool LangfuseChain LangfuseRetriever"),
    ("`langfuse`", "3 4", "LangfuseEmbedding LangfuseEvaluator LangfuseGuardrail"),
    ("`langfuse`", "3 4", "LangfuseOtelSpanAttributes Evaluation"),
    ("modules", "2", "decorators callback llama_index"),
    ("modules", "3 4", "langchain types"),
    ("modules", "2 3 4", "openai media model api"),
    ("modules", "4", "experiment"),
    ("`Langfuse(...)`", "2 3 4", "public_key secret_key host release debug environment sample_rate"),
    ("`Langfuse(...)`", "2 3 4", "mask timeout httpx_client flush_at flush_interval"),
    ("`Langfuse(...)`", "2", "enabled threads max_retries sdk_integration"),
    ("`Langfuse(...)`", "3 4", "tracing_enabled base_url media_upload_thread_count"),
    ("`Langfuse(...)`", "3 4", "blocked_instrumentation_scopes additional_headers tracer_provider"),
    ("`Langfuse(...)`", "4", "should_export_span mask_otel_spans span_exporter"),
    ("`@observe(...)`", "2 3 4", "name as_type capture_input capture_output transform_to_string"),
    ("call of `@observe`", "2 3 4", "langfuse_parent_observation_id"),
    ("call of `@observe`", "2", "langfuse_observation_id langfuse_parent_trace_id"),
    ("call of `@observe`", "3 4", "langfuse_trace_id langfuse_public_key"),
    ("`propagate_attributes(...)`", "3 4", "user_id session_id metadata version tags as_baggage"),
    ("`propagate_attributes(...)`", "4", "trace_name environment prompt"),
    ("client", "3 4", "start_observation start_as_current_observation update_current_span"),
    ("client", "3 4", "update_current_generation create_event create_score score_current_span"),
    ("client", "3 4", "score_current_trace create_trace_id get_current_trace_id"),
    ("client", "3 4", "get_current_observation_id get_trace_url"),
    ("client", "3", "start_span start_as_current_span start_generation update_current_trace"),
    ("client", "3", "start_as_current_generation"),
    ("client", "4", "set_current_trace_io set_current_trace_as_public"),
    ("client", "2 3 4", "flush shutdown auth_check api async_api"),
    ("client", "2 3 4", "get_prompt create_prompt get_dataset create_dataset create_dataset_item"),
    ("client", "3 4", "update_prompt clear_prompt_cache run_experiment resolve_media_references"),
    ("client", "4", "run_batched_evaluation"),
    ("client", "2", "trace span generation event score join get_trace_id"),
    ("client", "2", "fetch_trace fetch_traces fetch_observation fetch_observations fetch_sessions"),
    ("client", "2", "get_trace get_traces get_observation get_observations get_generations"),
    ("`api.trace`", "2 3 4", "get list delete delete_multiple"),
    ("`api.observations`", "2 3 4", "get get_many"),
    ("`api.observations_v_2`", "3", "get_many"),
    ("`api.sessions`", "2 3 4", "get list"),
    ("`api.score`", "2 3", "get get_by_id create delete"),
    ("`api.score_v_2`", "3", "get get_by_id"),
    ("`api.scores`", "4", "get_many get_by_id"),
    ("`api.legacy`", "4", "observations_v1 score_v1 scores_v2"),
    ("`api`", "2 3 4", "ingestion datasets prompts projects metrics models comments media health"),
    ("observation", "3 4", "id trace_id update end score score_trace start_observation"),
    ("observation", "3 4", "start_as_current_observation create_event"),
    ("observation", "3", "update_trace start_span start_as_current_span start_generation"),
    ("observation", "3", "start_as_current_generation"),
    ("observation", "4", "set_trace_io set_trace_as_public"),
    ("trace handle", "2", "id update span generation event score get_trace_url"),
    ("trace handle", "2", "get_langchain_handler get_llama_index_handler"),
    ("span handle", "2", "id trace_id update end span generation event score get_trace_url"),
    ("span handle", "2", "get_langchain_handler get_llama_index_handler"),
    ("`langfuse_context`", "2", "update_current_trace update_current_observation flush auth_check"),
    ("`langfuse_context`", "2", "score_current_trace score_current_observation configure"),
    ("`langfuse_context`", "2", "get_current_trace_id get_current_observation_id"),
    ("`langfuse_context`", "2", "get_current_trace_url client_instance"),
    ("`langfuse_context`", "2", "get_current_langchain_handler get_current_llama_index_handler"),
    ("`callback.CallbackHandler(...)`", "2", "session_id user_id trace_name tags metadata version"),
    ("`callback.CallbackHandler(...)`", "2", "release environment mask sample_rate enabled debug"),
    ("`callback.CallbackHandler(...)`", "2", "stateful_client update_stateful_client public_key"),
    ("`callback.CallbackHandler(...)`", "2", "secret_key host threads flush_at flush_interval"),
    ("`callback.CallbackHandler(...)`", "2", "max_retries timeout httpx_client sdk_integration"),
    ("`langchain.CallbackHandler(...)`", "3 4", "public_key update_trace trace_context"),
    ("calls of OpenAI's client", "2 3 4", "name metadata trace_id parent_observation_id"),
    ("calls of OpenAI's client", "2 3 4", "session_id user_id tags langfuse_prompt"),
    ("calls of OpenAI's client", "3 4", "langfuse_public_key"),
]  # fmt: skip

NO_EFFECT = "accepted, without effect"
MANY = "pages and cursors, all fields, no `filter`"
DIFFERS: Dict[Tuple[str, str], str] = {
    ("`langfuse`", "get_client"): "the newest client, unless a key names another one",
    ("modules", "decorators"): "the outermost call is a root observation, too",
    ("modules", "callback"): "observations have the types of v3",
    ("modules", "langchain"): "the id of a new trace is the root's run_id",
    ("modules", "openai"): "requests stay as they are: a stream's tokens must be asked for",
    ("`callback.CallbackHandler(...)`", "public_key"): "only tells clients apart",
    ("`callback.CallbackHandler(...)`", "secret_key"): NO_EFFECT,
    ("`callback.CallbackHandler(...)`", "host"): NO_EFFECT,
    ("`Langfuse(...)`", "public_key"): "only tells clients apart",
    ("`Langfuse(...)`", "secret_key"): NO_EFFECT,
    ("`Langfuse(...)`", "host"): NO_EFFECT,
    ("`Langfuse(...)`", "sample_rate"): "a bad one is logged, and all is kept",
    ("`Langfuse(...)`", "mask"): "sees media before they are taken out",
    ("`propagate_attributes(...)`", "as_baggage"): NO_EFFECT,
    ("`propagate_attributes(...)`", "environment"): "repaired, not dropped",
    ("client", "get_trace_url"): "names the file; there is no page",
    ("client", "flush"): "returns when everything is durable",
    ("client", "shutdown"): "a later record opens the file again",
    ("client", "auth_check"): "whether the file can be recorded into",
    ("trace handle", "get_trace_url"): "names the file; there is no page",
    ("span handle", "get_trace_url"): "names the file; there is no page",
    ("`langfuse_context`", "get_current_trace_url"): "names the file; there is no page",
    ("modules", "api"): "errors and the types of results",
    ("client", "api"): "reads the file: the parts below",
    ("client", "async_api"): "as api, in threads",
    ("`api.trace`", "list"): "no `filter`",
    ("`api.trace`", "delete"): "at once",
    ("`api.trace`", "delete_multiple"): "at once",
    ("`api.observations`", "get_many"): MANY,
    ("`api.observations_v_2`", "get_many"): MANY,
    ("`api.score_v_2`", "get"): "no `filter`",
    ("`api.scores`", "get_many"): MANY,
    ("`langfuse_context`", "auth_check"): "whether the file can be recorded into",
}


class NamesTest(LangfuseCase):
    settings = {"tracing_enabled": False}

    def owners(self) -> Dict[str, Any]:
        trace = self.client.trace(id="t")
        return {
            "`langfuse`": importlib.import_module("tracelite.langfuse"),
            "client": self.client,
            "observation": self.client.start_observation(name="a"),
            "trace handle": trace,
            "span handle": trace.span(name="a"),
            "`langfuse_context`": langfuse_context,
            "`api`": self.client.api,
            **{
                f"`api.{part}`": getattr(self.client.api, part)
                for part in (
                    "trace",
                    "observations",
                    "observations_v_2",
                    "sessions",
                    "score",
                    "score_v_2",
                    "scores",
                    "legacy",
                )
            },
        }

    def is_there(self, where: str, name: str) -> bool:
        if where == "modules":
            return importlib.util.find_spec(f"tracelite.langfuse.{name}") is not None
        if where == "`Langfuse(...)`":
            return name in _UNUSED or name in inspect.signature(Langfuse).parameters
        if where == "`callback.CallbackHandler(...)`":
            handler = callback.CallbackHandler
            return name in callback._UNUSED or name in inspect.signature(handler).parameters
        if where == "`langchain.CallbackHandler(...)`":
            return name in inspect.signature(langchain.CallbackHandler).parameters
        if where == "calls of OpenAI's client":
            return name in _OWN
        if where == "`@observe(...)`":
            return name in inspect.signature(observe).parameters
        if where == "`propagate_attributes(...)`":
            return name in inspect.signature(propagate_attributes).parameters
        if where == "call of `@observe`":
            seen: List[Any] = []

            @observe()
            def function(**named: Any) -> None:
                seen.append(named)

            function(**{name: "x"})
            return seen == [{}]
        return hasattr(self.owners()[where], name)

    def status(self, where: str, name: str) -> str:
        if not self.is_there(where, name):
            return "not yet"
        unused = {"`Langfuse(...)`": _UNUSED, "`callback.CallbackHandler(...)`": callback._UNUSED}
        if name in unused.get(where, ()):
            return "differs: " + NO_EFFECT
        how = DIFFERS.get((where, name))
        return "works" if how is None else "differs: " + how

    def table(self) -> str:
        """A row for all names of a place that have the same versions and status."""
        rows: Dict[Tuple[str, str, str], List[str]] = {}
        for where, versions, names in NAMES:
            for name in names.split():
                key = (where, versions.replace(" ", ", "), self.status(where, name))
                rows.setdefault(key, []).append(f"`{name}`")
        lines = ["| where | names | SDK | here |", "|---|---|---|---|"]
        for (where, versions, status), found in rows.items():
            lines.append(f"| {where} | {', '.join(found)} | v{versions} | {status} |")
        return "\n".join(lines)

    def test_the_table_in_the_readme(self) -> None:
        text = README.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        expected = f"{before}{BEGIN}\n{self.table()}\n{END}{after}"
        if os.environ.get("TRACELITE_WRITE"):
            README.write_text(expected, encoding="utf-8")
        elif text != expected:
            self.maxDiff = None
            self.assertEqual(text, expected, "write it anew: see the head of this test")

    def test_each_name_once(self) -> None:
        found = [(where, name) for where, _, names in NAMES for name in names.split()]
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(set(DIFFERS), set(found))


if __name__ == "__main__":
    unittest.main()
