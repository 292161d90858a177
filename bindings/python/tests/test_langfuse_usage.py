"""Tokens, models and parameters from every provider's shape."""

import unittest
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

from langchain_support import AIMessage, generation
from tracelite.langfuse._langchain_messages import (
    response_model,
    response_model_of_message,
    response_usage,
)
from tracelite.langfuse._langchain_model import (
    model_name,
    model_parameters,
    observation_kind,
    run_name,
)
from tracelite.langfuse._usage import usage_of

# (provider, the usage that it gives, the counts that are kept)
SHAPES: List[Tuple[str, Any, Dict[str, int]]] = [
    (
        "OpenAI",
        {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
        {"input": 9, "output": 12, "total": 21},
    ),
    (
        "OpenAI with details",
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": None},
        },
        {
            "input": 30,
            "output": 30,
            "total": 150,
            "input_cached_tokens": 60,
            "input_audio_tokens": 10,
            "output_reasoning_tokens": 20,
        },
    ),
    (
        "OpenAI's responses",
        SimpleNamespace(
            input_tokens=36,
            output_tokens=87,
            total_tokens=123,
            input_tokens_details=SimpleNamespace(cached_tokens=6),
            output_tokens_details=SimpleNamespace(reasoning_tokens=7),
        ),
        {
            "input": 30,
            "output": 80,
            "total": 123,
            "input_cached_tokens": 6,
            "output_reasoning_tokens": 7,
        },
    ),
    (
        "LangChain",
        {
            "input_tokens": 10,
            "output_tokens": 5,
            "total_tokens": 15,
            "input_token_details": {"cache_read": 4, "cache_creation": 0},
        },
        {
            "input": 6,
            "output": 5,
            "total": 15,
            "input_cache_read": 4,
            "input_cache_creation": 0,
        },
    ),
    (
        "Anthropic",
        {
            "input_tokens": 3,
            "output_tokens": 8,
            "cache_creation_input_tokens": 100,
            "cache_read_input_tokens": 200,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        },
        {
            "input": 3,
            "output": 8,
            "cache_creation_input_tokens": 100,
            "cache_read_input_tokens": 200,
        },
    ),
    (
        "Bedrock, streamed",
        {"inputTokenCount": [3, 0], "outputTokenCount": [2, 4], "invocationLatency": [99, 1]},
        {"input": 3, "output": 6},
    ),
    (
        "Bedrock's Converse",
        {"inputTokens": 3, "outputTokens": 4, "totalTokens": 17, "cacheReadInputTokens": 10},
        {"input": 3, "output": 4, "total": 17, "cache_read_input_tokens": 10},
    ),
    (
        "Gemini",
        {
            "prompt_token_count": 100,
            "candidates_token_count": 20,
            "thoughts_token_count": 30,
            "total_token_count": 150,
            "cached_content_token_count": 40,
        },
        {
            "input": 60,
            "output": 20,
            "total": 150,
            "output_reasoning": 30,
            "input_cached_tokens": 40,
        },
    ),
    (
        "Vertex with modalities",
        {
            "promptTokenCount": 100,
            "candidatesTokenCount": 20,
            "totalTokenCount": 120,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 70},
                {"modality": SimpleNamespace(name="IMAGE"), "tokenCount": 30},
            ],
            "cachedContentTokenCount": 50,
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 50}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
        },
        {
            "input": 0,
            "input_modality_TEXT": 20,
            "input_modality_IMAGE": 30,
            "input_cached_modality_TEXT": 50,
            "output": 0,
            "output_modality_TEXT": 20,
            "total": 120,
        },
    ),
    ("Ollama", {"prompt_eval_count": 26, "eval_count": 298}, {"input": 26, "output": 298}),
    (
        "Groq",
        {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "queue_time": 0.01,
            "total_time": 1.0,
        },
        {"input": 1, "output": 2, "total": 3},
    ),
    (
        "DeepSeek",
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 8},
            "prompt_cache_hit_tokens": 8,
            "prompt_cache_miss_tokens": 2,
        },
        {"input": 2, "output": 2, "total": 12, "input_cached_tokens": 8},
    ),
    ("Cohere", {"input_tokens": 4.0, "output_tokens": 2.0}, {"input": 4, "output": 2}),
    ("watsonx", {"input_token_count": 4, "generated_token_count": 2}, {"input": 4, "output": 2}),
    ("nothing", None, {}),
    ("no counts", {"prompt_tokens": None, "completion_tokens": "x", "a": True}, {}),
    ("no mapping", 5, {}),
]

USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
COUNTS = {"input": 3, "output": 4, "total": 7}


def result(llm_output: Any = None, info: Any = None, **message: Any) -> Any:
    made = generation("x", info, AIMessage("x", **message) if message else None)
    return SimpleNamespace(generations=[[made]], llm_output=llm_output)


class UsageTest(unittest.TestCase):
    def test_shapes(self) -> None:
        for name, given, expected in SHAPES:
            with self.subTest(name):
                self.assertEqual(usage_of(given), expected)

    def test_the_counts_of_a_shape_do_not_overlap(self) -> None:
        for name, given, _ in SHAPES:
            usage = usage_of(given)
            total = usage.pop("total", None)
            if total is not None:
                with self.subTest(name):
                    self.assertEqual(sum(usage.values()), total)

    def test_where_it_stands(self) -> None:
        for name, given in (
            ("output, token_usage", result({"token_usage": USAGE})),
            ("output, usage", result({"usage": USAGE, "token_usage": {}})),
            ("information", result({}, {"usage_metadata": USAGE})),
            ("message", result(usage_metadata=USAGE)),
            ("message of Bedrock", result(response_metadata={"usage": USAGE})),
            ("message of Mistral", result(response_metadata={"token_usage": USAGE})),
            ("message of Cohere", result(response_metadata={"token_count": USAGE})),
        ):
            with self.subTest(name):
                self.assertEqual(response_usage(given), COUNTS)
        metrics = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}}
        self.assertEqual(response_usage(result(response_metadata=metrics)), {"input": 3})
        ollama = {"prompt_eval_count": 3, "eval_count": 4, "total_duration": 9, "model": "llama3"}
        self.assertEqual(response_usage(result(info=ollama)), {"input": 3, "output": 4})
        self.assertEqual(
            response_usage(result(response_metadata=ollama)), {"input": 3, "output": 4}
        )
        self.assertIsNone(response_usage(result()))
        self.assertIsNone(response_usage(SimpleNamespace(generations=[], llm_output=None)))

    def test_the_nearest_to_the_message_counts(self) -> None:
        given = result({"token_usage": {"prompt_tokens": 99}}, None, usage_metadata=USAGE)
        self.assertEqual(response_usage(given), COUNTS)


class ModelTest(unittest.TestCase):
    def test_where_it_stands(self) -> None:
        serialized: Any
        metadata: Any
        given: Any
        for expected, serialized, metadata, given in (
            ("a", None, {"ls_model_name": "a"}, {"invocation_params": {"model": "b"}}),
            ("b", None, None, {"invocation_params": {"model": "b", "model_name": None}}),
            ("c", None, None, {"invocation_params": {"model_name": "c"}}),
            ("d", {"kwargs": {"model": "d"}}, {}, {"invocation_params": {}}),
            ("e", {"kwargs": {"model_id": "e"}}, None, {}),
            ("f", None, None, {"invocation_params": {"azure_deployment": "f"}}),
            ("g-1", {"kwargs": {"deployment_name": "g", "deployment_version": "1"}}, None, {}),
            ("h-1", {"kwargs": {"deployment_name": "h-1", "deployment_version": "1"}}, None, {}),
            ("i", {"repr": "ChatAnthropic(model='i', temperature=0)"}, None, {}),
            ("j", {"repr": 'Xinference(model_uid="j")'}, None, {}),
            ("k", None, None, {"invocation_params": {"model_path": "k"}}),
            ("l", None, None, {"model": "l"}),
            (None, None, None, {}),
            (None, {"kwargs": {"model": {"lc": 1}}, "repr": None}, None, {}),
        ):
            with self.subTest(expected):
                self.assertEqual(model_name(serialized, metadata, given), expected)

    def test_of_an_answer(self) -> None:
        self.assertEqual(response_model(result({"model_name": "a"})), "a")
        self.assertEqual(response_model(result({"model": "b"})), "b")
        self.assertIsNone(response_model(result(None)))
        given = result(response_metadata={"model_name": "c"})
        self.assertEqual(response_model_of_message(given), "c")
        self.assertEqual(response_model_of_message(result(info={"model": "d"})), "d")
        self.assertIsNone(response_model_of_message(result()))

    def test_parameters(self) -> None:
        given = {
            "invocation_params": {
                "temperature": 0,
                "max_tokens": None,
                "api_key": "secret",
                "params": {"decoding_method": "greedy", "temperature": 1},
                "options": {"num_ctx": 2048},
            },
            "options": {"stop": ["\n"]},
        }
        expected = {"temperature": 0, "decoding_method": "greedy", "num_ctx": 2048, "stop": ["\n"]}
        self.assertEqual(model_parameters(given), expected)
        self.assertEqual(model_parameters({}), {})

    def test_names_and_kinds(self) -> None:
        self.assertEqual(run_name({"name": "b", "id": ["c"]}, {"name": "a"}), "a")
        self.assertEqual(run_name({"name": "b", "id": ["c"]}, {"name": None}), "b")
        self.assertEqual(run_name({"id": ["x", "c"]}, {}), "c")
        self.assertEqual(run_name(None, {}), "<unknown>")
        self.assertEqual(observation_kind("chain", None, "My Agent"), "agent")
        self.assertEqual(observation_kind("chain", {"id": ["agents", "X"]}, "x"), "agent")
        self.assertEqual(observation_kind("tool", None, "agent tool"), "tool")
        self.assertEqual(observation_kind("generation", None, "agent"), "generation")


if __name__ == "__main__":
    unittest.main()
