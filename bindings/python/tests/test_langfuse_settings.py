"""Settings: keyword arguments, environment variables, and the file they name."""

import os
import unittest
from typing import Any, Dict, List, Tuple
from unittest import mock

from langfuse_support import LangfuseCase
from support import run_python
from tracelite import Store
from tracelite.langfuse import Langfuse
from tracelite.langfuse._client import forget_clients
from tracelite.langfuse._settings import repaired_environment


class EnvironmentTest(LangfuseCase):
    def fresh(self, variables: Dict[str, str], **arguments: Any) -> Langfuse:
        """A client that knows of no other."""
        forget_clients()
        with mock.patch.dict(os.environ, variables):
            self.client.shutdown()
            self.client = Langfuse(path=self.path, **arguments)
            self.client.start_span(name="a", input="x").end()
        return self.client

    def test_environment(self) -> None:
        self.fresh({"LANGFUSE_TRACING_ENVIRONMENT": "staging"})
        self.client.create_score(name="n", value=1, trace_id="t")
        self.assertEqual(self.observation("a").environment, "staging")
        self.assertEqual({each.environment for each in self.store().scores()}, {"staging"})
        self.assertEqual({each.environment for each in self.store().traces(name="a")}, {"staging"})

    def test_an_argument_wins(self) -> None:
        self.fresh({"LANGFUSE_TRACING_ENVIRONMENT": "staging"}, environment="prod")
        self.assertEqual(self.observation("a").environment, "prod")

    def test_release(self) -> None:
        self.fresh({"LANGFUSE_RELEASE": "1.2"})
        self.assertEqual(self.only_trace().release, "1.2")
        self.assertEqual((self.only_trace().name, self.only_trace().input), ("a", "x"))

    def test_release_of_a_build(self) -> None:
        self.fresh({"GITHUB_SHA": "abc"})
        self.assertEqual(self.only_trace().release, "abc")

    def test_release_as_an_argument(self) -> None:
        self.fresh({"LANGFUSE_RELEASE": "1.2"}, release="1.3")
        self.assertEqual(self.only_trace().release, "1.3")

    def test_sample_rate(self) -> None:
        self.fresh({"LANGFUSE_SAMPLE_RATE": "0"})
        self.assertEqual(self.observations(), {})
        self.fresh({"LANGFUSE_SAMPLE_RATE": "0"}, sample_rate=1.0)
        self.assertEqual(set(self.observations()), {"a"})

    def test_sampling_takes_whole_traces(self) -> None:
        self.fresh({}, sample_rate=0.5)
        for number in range(200):
            with self.client.start_as_current_span(name="root") as root:
                self.client.start_span(name="child").end()
                root.update_trace(user_id="u")
                root.score(name="n", value=number)
        self.client.create_score(name="n", value=1, session_id="kept")
        traces = list(self.store().traces(name="root"))
        self.assertTrue(50 < len(traces) < 150, len(traces))
        for trace in traces:
            self.assertEqual(len(trace.observations), 2)
        self.assertEqual(len(list(self.store().scores())), len(traces) + 1)

    def test_a_bad_sample_rate(self) -> None:
        for rate in ("7", "x"):
            self.fresh({"LANGFUSE_SAMPLE_RATE": rate})
        self.assertEqual(len(list(self.store().observations())), 2)
        self.assertEqual(len(self.heard), 2)

    def test_disabled(self) -> None:
        cases: List[Tuple[Dict[str, str], Dict[str, Any]]] = [
            ({"LANGFUSE_TRACING_ENABLED": "false"}, {}),
            ({}, {"tracing_enabled": False}),
            ({}, {"enabled": False}),
        ]
        for variables, arguments in cases:
            client = self.fresh(variables, **arguments)
            with client.start_as_current_span(name="b", input=1) as b:
                b.update(output=1)
                b.update_trace(user_id="u")
                b.score(name="n", value=1)
                self.assertIsNotNone(client.get_current_trace_id())
            client.create_event(name="e")
            trace = client.trace(name="t")
            trace.span(name="s").end()
            trace.score(name="n", value=1)
            client.flush()
        self.assertFalse(self.path.exists())

    def test_debug(self) -> None:
        code = """
import logging, sys
from tracelite.langfuse import Langfuse
Langfuse(path=sys.argv[1])
print(logging.getLogger("tracelite.langfuse").level)
"""
        done = run_python(code, str(self.path), environment={"LANGFUSE_DEBUG": "True"})
        self.assertEqual(done.stdout, "10\n", done.stderr)


class RepairTest(LangfuseCase):
    def test_environments(self) -> None:
        for given, expected in (
            ("prod", "prod"),
            ("PROD", "prod"),
            ("langfuse", "default"),
            ("langfuse-x", "x"),
            ("a b", "default"),
            ("langfuse-Langfuse_prod", "prod"),
            ("x" * 50, "x" * 40),
        ):
            self.assertEqual(repaired_environment(given), expected)
            name = f"LANGFUSE_TRACING_ENVIRONMENT={given}"
            Langfuse(environment=given).start_span(name=name).end()
            self.assertEqual(self.observation(name).environment, expected)


class PathTest(LangfuseCase):
    CODE = """
import os
from tracelite.langfuse import observe
@observe()
def f(): return 1
f()
os.chdir("/")
f()
"""

    def test_by_the_environment(self) -> None:
        path = self.folder / "named.tl"
        done = run_python(self.CODE, environment={"TRACELITE_PATH": str(path)})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with Store(path, read_only=True) as store:
            self.assertEqual(len(list(store.observations())), 2)

    def test_by_default(self) -> None:
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            done = run_python(self.CODE, environment={"TRACELITE_PATH": ""})
        finally:
            os.chdir(before)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with Store(self.folder / "tracelite.tl", read_only=True) as store:
            self.assertEqual(len(list(store.observations())), 2)

    def test_kinds_of_paths(self) -> None:
        for number, path in enumerate((str(self.path), self.path, os.fsencode(self.path))):
            Langfuse(path=path).start_span(name=str(number)).end()
        self.assertEqual(len(self.observations()), 3)
        bad: Any = 7
        self.assertEqual(os.path.basename(Langfuse(path=bad).settings.path), "tracelite.tl")

    def test_nothing_is_opened_before_a_record(self) -> None:
        Langfuse(path=self.path)
        self.assertFalse(self.path.exists())


if __name__ == "__main__":
    unittest.main()
