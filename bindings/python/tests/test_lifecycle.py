"""Opening, options, closing, and the library that is loaded."""

import gc
import os
import random
import stat
import sys
import unittest
import warnings
from typing import Any, Dict, List
from unittest import mock

import tracelite
from support import FolderCase, run_python
from tracelite import InvalidError, MisuseError, QueueFullError, Store, _library


class OpenTest(FolderCase):
    def test_the_file_is_all_that_is_left(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", name="t")
            self.assertFalse(store.closed)
            self.assertIn("test.tl", repr(store))
        self.assertTrue(store.closed)
        self.assertEqual(os.listdir(self.folder), ["test.tl"])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_paths(self) -> None:
        paths: List[Any] = [str(self.path), os.fsencode(self.path), self.path]
        for path in paths:
            with Store(path) as store:
                self.assertEqual(store.path, str(self.path))
        with self.assertRaises(InvalidError):
            Store("a\0b")
        odd = self.folder / "語 ü.tl"
        Store(odd).close()
        self.assertTrue(odd.is_file())

    def test_opened_twice(self) -> None:
        with Store(self.path) as one, Store(self.path) as two:
            one.put_trace("t", name="t")
            one.flush()
            self.assertEqual(two.get_trace("t").name, "t")
            two.put_trace("t", name="new")
            two.flush()
            self.assertEqual(one.get_trace("t").name, "new")

    def test_closing(self) -> None:
        store = Store(self.path)
        store.put_trace("t", name="t")
        rows = store.traces()
        snapshot = store.snapshot()
        report = store.close()
        self.assertEqual(report.open_span_count, 0)
        store.close()
        calls: List[Any] = [
            store.flush,
            store.stats,
            store.snapshot,
            store.traces,
            snapshot.traces,
            lambda: next(rows),
            lambda: store.put_trace("t"),
            store.span,
        ]
        for call in calls:
            with self.assertRaisesRegex(MisuseError, "the store is closed"):
                call()
        rows.close()
        snapshot.close()
        with Store(self.path) as again:
            self.assertEqual(again.get_trace("t").name, "t")

    def test_a_store_that_is_dropped_is_closed_with_a_warning(self) -> None:
        store = Store(self.path)
        store.put_trace("t", name="t")
        with self.assertWarnsRegex(ResourceWarning, "was not closed"):
            del store
            gc.collect()
        self.assertEqual(os.listdir(self.folder), ["test.tl"])

    def test_a_store_that_is_dropped_is_closed_where_the_warning_is_an_error(self) -> None:
        store = Store(self.path)
        store.put_trace("t", name="t")
        with warnings.catch_warnings(), mock.patch("sys.unraisablehook") as hook:
            warnings.simplefilter("error", ResourceWarning)
            del store
            gc.collect()
        self.assertIs(hook.call_args[0][0].exc_type, ResourceWarning)
        self.assertEqual(os.listdir(self.folder), ["test.tl"])

    def test_rows_keep_their_store(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)

            def rows() -> Any:
                store = Store(self.path)
                store.put_trace("t", input="x")
                store.flush()
                return store.traces()

            self.assertEqual([row.input for row in rows()], ["x"])
            gc.collect()

    def test_stats_flush_and_time_out(self) -> None:
        with Store(self.path) as store:
            before = store.stats()
            self.assertEqual((before.trace_count, before.format_version), (0, 1))
            store.put_observation("o", trace_id="t", session_id="s", user_id="u", input="x" * 1000)
            position = store.flush(timeout=30)
            self.assertEqual(store.flush(timeout=float("inf")), position)
            after = store.stats()
            self.assertEqual(after.commit_number, position)
            self.assertEqual((after.trace_count, after.observation_count), (1, 1))
            self.assertEqual((after.session_count, after.user_count), (1, 1))
            self.assertEqual((after.payload_size_bytes, after.queued_size_bytes), (1000, 0))
            self.assertEqual(after.file_size_bytes, self.path.stat().st_size)
            for bad in (-1, float("nan")):
                with self.assertRaises(InvalidError):
                    store.flush(timeout=bad)

    def test_check_and_reindex(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", name="t")
            store.flush()
            calls: List[Any] = []
            self.assertEqual(store.check(progress=lambda *a: calls.append(a)), ())
            store.reindex()
            self.assertEqual(store.get_trace("t").name, "t")

    def test_compact_and_backup(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", name="t", input="x" * 5000)
            store.flush()
            before = list(store.traces())
            with store.snapshot() as snapshot:
                calls: List[Any] = []
                store.compact(progress=lambda *a: calls.append(a))
                self.assertTrue(calls)
                self.assertEqual(calls[-1][0], calls[-1][1])
                self.assertEqual(list(snapshot.traces()), before)
            self.assertEqual(list(store.traces()), before)
            self.assertEqual(store.check(), ())
            copy = self.path.with_name("copy.tl")
            store.backup(copy)
            with Store(copy) as other:
                self.assertEqual(list(other.traces()), before)
            with self.assertRaises(InvalidError):
                store.backup(copy)
            with self.assertRaises(InvalidError):
                store.backup("a\0b")

            def stop(*_: Any) -> None:
                raise KeyError("stop")

            with self.assertRaises(KeyError):
                store.compact(progress=stop)
            self.assertEqual(list(store.traces()), before)


class OptionTest(FolderCase):
    def test_defaults(self) -> None:
        with Store(self.path, default_environment="staging", default_release="r7") as store:
            store.put_trace("t", name="t")
            store.put_trace("u", environment="production", release="r8")
            store.flush()
            t, u = store.get_trace("t"), store.get_trace("u")
        self.assertEqual((t.environment, t.release), ("staging", "r7"))
        self.assertEqual((u.environment, u.release), ("production", "r8"))

    def test_environment_variables(self) -> None:
        code = (
            "import sys, tracelite\n"
            "with tracelite.Store(sys.argv[1]) as store:\n"
            "    store.put_trace('t', name='t')\n"
            "    store.flush()\n"
            "    trace = store.get_trace('t')\n"
            "    print(trace.environment, trace.release)\n"
        )
        environment = {"LANGFUSE_TRACING_ENVIRONMENT": "ci", "LANGFUSE_RELEASE": "abc"}
        result = run_python(code, str(self.path), environment=environment)
        self.assertEqual((result.stdout, result.stderr), ("ci abc\n", ""))

    def test_sample_rate(self) -> None:
        with Store(self.path, sample_rate=0) as store:
            with store.span(name="gone") as span:
                span.append("x")
            store.put_score(session_id="s", name="kept", value=1)
            store.flush()
            self.assertEqual(list(store.traces()), [])
            self.assertEqual([score.name for score in store.scores()], ["kept"])
            self.assertGreater(store.counters()["sampled_out"], 0)
        with self.assertRaises(InvalidError) as caught:
            Store(self.path, sample_rate=2)
        self.assertEqual(caught.exception.field, "sample_rate")

    def test_a_full_queue_drops(self) -> None:
        with Store(
            self.path,
            queue_size_bytes=100_000,
            full_policy="drop",
            commit_interval_ms=1000,
        ) as store:
            dropped = 0
            for n in range(50):
                try:
                    store.put_trace(f"t{n}", input="x" * 10_000)
                except QueueFullError:
                    dropped += 1
            store.flush()
            self.assertGreater(dropped, 0)
            self.assertEqual(store.counters()["queue_full"], dropped)
            self.assertEqual(len(list(store.traces())), 50 - dropped)

    def test_compression_level(self) -> None:
        words = [f"{n * 7919 % 6007:x}" for n in range(2_000)]
        choices = random.Random(1).choices(words, k=400_000)
        texts = {f"o{n}": " ".join(choices[n * 8_000 :][:8_000]) for n in range(50)}
        sizes = []
        for level in (1, 19):
            path = self.folder / f"level{level}.tl"
            with Store(path, compression_level=level, dictionary_size_bytes=100) as store:
                for id, text in texts.items():
                    store.put_observation(id, trace_id="t", input=text)
                store.flush()
                sizes.append(sum(line.size_bytes for line in store.space()))
            with Store(path, read_only=True) as store:
                self.assertEqual({row.id: row.input for row in store.observations()}, texts)
        self.assertLess(sizes[1], sizes[0])

    def test_refused_options(self) -> None:
        cases: List[Dict[str, Any]] = [
            {"full_policy": "panic"},
            {"commit_interval_ms": -1},
            {"queue_size_bytes": 1.5},
            {"queue_wait_ms": 2**32},
            {"default_release": 3},
            {"immutable": True},
            {"compression_level": 20},
            {"compression_level": -1},
            {"dictionary_size_bytes": 2**20 + 1},
        ]
        for options in cases:
            with self.subTest(options), self.assertRaises(InvalidError) as caught:
                Store(self.path, **options)
            self.assertEqual([caught.exception.field], list(options))
        self.assertFalse(self.path.exists())


class LibraryTest(FolderCase):
    def test_a_library_that_cannot_be_loaded(self) -> None:
        bad = self.folder / "libtracelite.so"
        bad.write_bytes(b"not a library")
        with mock.patch.dict(os.environ, {"TRACELITE_LIBRARY": str(bad)}):
            with self.assertRaisesRegex(tracelite.LibraryError, "TRACELITE_LIBRARY=.*cannot be"):
                _library.load()

    def test_no_library(self) -> None:
        nowhere = [self.folder / "libtracelite.so"]
        with mock.patch.dict(os.environ), mock.patch.object(
            _library, "_places", lambda: iter(nowhere)
        ), mock.patch("ctypes.util.find_library", lambda name: None):
            os.environ.pop("TRACELITE_LIBRARY", None)
            with self.assertRaisesRegex(ImportError, "dev build.*TRACELITE_LIBRARY"):
                _library.load()

    def test_another_library(self) -> None:
        import ctypes.util

        other = ctypes.util.find_library("c")
        if other is None:
            self.skipTest("no C library to try")
        result = run_python(
            "import tracelite\n"
            "try:\n"
            "    tracelite.Store('x')\n"
            "except tracelite.LibraryError as error:\n"
            "    print(error)\n",
            environment={"TRACELITE_LIBRARY": other},
        )
        self.assertIn("is not tracelite 0.1.0", result.stdout)


if __name__ == "__main__":
    unittest.main()
