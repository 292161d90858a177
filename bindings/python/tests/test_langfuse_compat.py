"""The code samples of Langfuse's users, as programs: they run, and this is what they leave."""

import difflib
import os
import re
import subprocess
import sys
import unittest
import uuid
from typing import Any, Callable, Dict, List, Tuple

from support import PACKAGE, ROOT, FolderCase
from tracelite import Store, Trace

SAMPLES = ROOT / "tests" / "compat"
STUBS = SAMPLES / "stubs"  # for what the samples leave undefined


def essence(text: str) -> List[str]:
    """The lines without their indentation and empty ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def of_import(line: str) -> bool:
    return re.match(r"(from|import) ", line) is not None


def added_and_lost(sample: str, program: str) -> Tuple[List[str], List[str]]:
    difference = list(difflib.ndiff(essence(sample), essence(program)))
    added = [line[2:] for line in difference if line.startswith("+ ")]
    return added, [line[2:] for line in difference if line.startswith("- ")]


@unittest.skipUnless(SAMPLES.is_dir(), "not in a checkout")
class SampleTest(FolderCase):
    def run_program(self, *arguments: str) -> None:
        paths = os.pathsep.join((str(PACKAGE), str(STUBS)))
        environment = {**os.environ, "PYTHONPATH": paths, "TRACELITE_PATH": str(self.path)}
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=120,
        )
        # What asyncio says in the development mode where the disk is slow.
        errors = re.sub(r"^Executing .* took [\d.]+ seconds\n", "", done.stderr, flags=re.M)
        self.assertEqual((done.returncode, done.stdout, errors), (0, "", ""))

    def check(self, name: str, check: "Callable[[SampleTest, Store], None]") -> None:
        program = SAMPLES / f"{name}.py"
        self.run_program(str(program))
        with Store(self.path, read_only=True) as store:
            check(self, store)
        # Once more with the import line as its author wrote it.
        self.path = self.folder / "unchanged.tl"
        unchanged = self.folder / "unchanged.py"
        text = program.read_text(encoding="utf-8").replace(
            "from tracelite.langfuse", "from langfuse"
        )
        unchanged.write_text(text, encoding="utf-8")
        self.run_program("-m", "tracelite.langfuse", "run", str(unchanged))
        with Store(self.path, read_only=True) as store:
            check(self, store)

    def test_sessions_litefuse_observe(self) -> None:
        self.check("sessions_litefuse_observe", SampleTest.a_session_by_observe)

    def a_session_by_observe(self, store: Store) -> None:
        trace = only(store)
        self.assertEqual((trace.session_id, trace.output), ("your-session-id", "answer"))
        found = [(row.depth, row.name, row.session_id) for row in trace.observations]
        expected = [(1, "process_request", "your-session-id")]
        self.assertEqual(found, [*expected, (2, "process_chat_message", "your-session-id")])

    def test_sessions_litefuse_observations(self) -> None:
        self.check("sessions_litefuse_observations", SampleTest.a_session_by_attributes)

    def a_session_by_attributes(self, store: Store) -> None:
        self.a_session_of_two(store)
        for row in only(store).observations:
            self.assertEqual(row.session_id, "chat-session-123")

    def a_session_of_two(self, store: Store) -> None:
        root, generation = only(store).observations
        self.assertEqual((root.depth, root.type, root.name), (1, "SPAN", "process-chat-message"))
        self.assertEqual((generation.depth, generation.type), (2, "GENERATION"))
        self.assertEqual((generation.name, generation.model), ("generate-response", "gpt-4o"))
        self.assertFalse(root.is_unfinished or generation.is_unfinished)
        self.assertEqual(only(store).session_id, "chat-session-123")
        (session,) = store.sessions()
        self.assertEqual(session.id, "chat-session-123")

    def test_sessions_spans(self) -> None:
        self.check("sessions_spans", SampleTest.a_session_of_two)

    def test_sessions_observe(self) -> None:
        self.check("sessions_observe", SampleTest.a_session_by_update)

    def a_session_by_update(self, store: Store) -> None:
        trace = only(store)
        self.assertEqual((trace.name, trace.session_id), ("process_request", "your-session-id"))
        self.assertEqual((trace.input, trace.output), ({"args": [], "kwargs": {}}, "result"))

    def test_sessions_current_trace(self) -> None:
        self.check("sessions_current_trace", SampleTest.a_session_of_the_current_trace)

    def a_session_of_the_current_trace(self, store: Store) -> None:
        trace = only(store)
        self.assertEqual((trace.name, trace.session_id), ("another-operation", "your-session-id"))
        self.assertEqual(store.get_session("your-session-id").id, "your-session-id")

    def test_overview_levels(self) -> None:
        self.check("overview_levels", SampleTest.a_level)

    def a_level(self, store: Store) -> None:
        main, inner = only(store).observations
        self.assertEqual((main.name, main.level, main.depth), ("main", "DEFAULT", 1))
        self.assertEqual((inner.name, inner.level, inner.depth), ("fn", "WARNING", 2))
        self.assertEqual(inner.status_message, "This is a warning")

    def a_chain(self, store: Store) -> Trace:
        """The trace of the samples that give a chain a handler."""
        trace = only(store)
        root, model = trace.observations
        self.assertEqual((root.depth, root.type, root.name), (1, "CHAIN", "chain"))
        self.assertEqual((model.depth, model.type, model.name), (2, "GENERATION", "ChatTiny"))
        self.assertEqual((model.model, model.output["content"]), ("tiny-1", "answer"))
        self.assertFalse(root.is_unfinished or model.is_unfinished)
        self.assertEqual((trace.name, trace.output), ("chain", "answer"))
        return trace

    def test_overview_environment(self) -> None:
        self.check("overview_environment", SampleTest.an_environment)

    def an_environment(self, store: Store) -> None:
        trace = self.a_chain(store)
        self.assertEqual(trace.environment, "production")
        for row in trace.observations:
            self.assertEqual(row.environment, "production")

    def test_overview_masking(self) -> None:
        self.check("overview_masking", SampleTest.a_mask)

    def a_mask(self, store: Store) -> None:
        trace = self.a_chain(store)
        self.assertEqual((trace.input, next(iter(trace.observations)).input), ("REDACTED",) * 2)

    def test_overview_metadata(self) -> None:
        self.check("overview_metadata", SampleTest.metadata)

    def metadata(self, store: Store) -> None:
        self.assertEqual(self.a_chain(store).metadata, {"key": "value"})

    def test_overview_release(self) -> None:
        self.check("overview_release", SampleTest.a_release)

    def a_release(self, store: Store) -> None:
        self.assertEqual(self.a_chain(store).release, "<release_tag>")

    def test_overview_version(self) -> None:
        self.check("overview_version", SampleTest.a_version)

    def a_version(self, store: Store) -> None:
        trace = self.a_chain(store)
        self.assertEqual([trace.version, *(row.version for row in trace.observations)], ["1.0"] * 3)

    def test_overview_sessions(self) -> None:
        self.check("overview_sessions", SampleTest.a_session_of_a_handler)

    def a_session_of_a_handler(self, store: Store) -> None:
        self.assertEqual(self.a_chain(store).session_id, "your-session-id")
        self.assertEqual(store.get_session("your-session-id").id, "your-session-id")

    def test_overview_tags(self) -> None:
        self.check("overview_tags", SampleTest.tags)

    def tags(self, store: Store) -> None:
        self.assertEqual(self.a_chain(store).tags, ("tag-1", "tag-2"))

    def test_overview_trace_id(self) -> None:
        self.check("overview_trace_id", SampleTest.a_trace_id)

    def a_trace_id(self, store: Store) -> None:
        id = self.a_chain(store).id  # the program asserts that it is the one it made
        self.assertEqual(id, str(uuid.UUID(id)))

    def test_overview_users(self) -> None:
        self.check("overview_users", SampleTest.a_user)

    def a_user(self, store: Store) -> None:
        self.assertEqual(self.a_chain(store).user_id, "user-id")
        self.assertEqual([user.key for user in store.users()], ["user-id"])

    def test_service_generator(self) -> None:
        self.check("service_generator", SampleTest.two_generators)

    def two_generators(self, store: Store) -> None:
        traces = {trace.name: trace for trace in store.traces()}
        self.assertEqual({name: trace.user_id for name, trace in traces.items()},
                         {"good": "ada", "default-trace": "anonymous"})  # fmt: skip
        (good,) = store.trace(traces["good"].id).observations
        (bad,) = store.trace(traces["default-trace"].id).observations
        self.assertEqual((good.name, good.output, good.is_unfinished), ("good", None, False))
        self.assertEqual((bad.name, bad.output), ("bad", "Error: the model is gone"))
        self.assertFalse(bad.is_unfinished)

    def test_service_stream(self) -> None:
        self.check("service_stream", SampleTest.two_streams)

    def two_streams(self, store: Store) -> None:
        asked = {"role": "user", "content": "Where is Oslo?"}
        before: List[Dict[str, str]] = [
            {"role": "user", "content": "Hello"},
            {"role": "system", "content": "Be short."},
        ]
        bad, good = (self.of_the_service(store, trace) for trace in store.traces())
        self.assertEqual(good, ("In Norway.", {"messages": [*before, asked]}, "In Norway."))
        error = {"error": "the model is gone"}
        self.assertEqual(bad, (error, {"messages": [asked]}, error))

    def of_the_service(self, store: Store, trace: Trace) -> Tuple[Any, Any, Any]:
        self.assertEqual((trace.name, trace.user_id), ("gpt_stream", "user-123"))
        (span,) = store.trace(trace.id).observations
        self.assertEqual((span.name, span.is_unfinished), ("gpt_stream_call", False))
        return trace.output, span.input, span.output

    def test_service_trace(self) -> None:
        self.check("service_trace", SampleTest.two_questions)

    def two_questions(self, store: Store) -> None:
        asked = {"question": "北京的时间是多少？"}
        bad, good = (self.of_the_service(store, trace) for trace in store.traces())
        self.assertEqual(good, ({"time": "15:00"}, asked, {"time": "15:00"}))
        self.assertEqual(bad, (None, asked, "Error: the model is gone"))

    def test_the_difference_to_the_samples(self) -> None:
        names = sorted(path.stem for path in SAMPLES.glob("*.txt"))
        self.assertEqual(names, sorted(path.stem for path in SAMPLES.glob("*.py")))
        for name in names:
            with self.subTest(name):
                self.assertTrue(hasattr(self, "test_" + name), "its result is not tested")
                sample = (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")
                program = (SAMPLES / f"{name}.py").read_text(encoding="utf-8")
                added, lost = added_and_lost(sample, program)
                if os.environ.get("TRACELITE_SHOW"):
                    print(f"\n{name}", *(f"  - {line}" for line in lost), sep="\n")
                    print(*(f"  + {line}" for line in added), sep="\n")
                # Nothing of a sample is lost but its import line, which is there changed.
                for line in lost:
                    self.assertTrue(of_import(line), line)
                    self.assertIn(line.replace("from langfuse", "from tracelite.langfuse"), added)


def only(store: Store) -> Trace:
    (trace,) = store.traces()
    return store.trace(trace.id)


if __name__ == "__main__":
    unittest.main()
