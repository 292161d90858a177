"""Opening, options, closing; callbacks, threads, forks, exits; errors for each kind of bad file."""

import gc
import multiprocessing
import os
import pickle
import random
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
import time
import unittest
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple
from unittest import mock

import tracelite
from support import PACKAGE, FolderCase, StoreCase, run_python
from tracelite import (
    BusyError,
    CorruptError,
    DiskFullError,
    ForkedError,
    Form,
    InvalidError,
    Json,
    MisuseError,
    NewerFormatError,
    NotFoundError,
    NotTraceliteError,
    OtherGeometryError,
    Payload,
    PermissionDeniedError,
    QueueFullError,
    ReadOnlyError,
    Status,
    Store,
    TimedOutError,
    TraceliteError,
    _library,
    salvage,
)


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


class SalvageTest(FolderCase):
    def test_what_can_be_read_comes_out(self) -> None:
        made = self.path.with_name("salvaged.tl")
        with Store(self.path) as store:
            store.put_trace("t", name="t", input="x" * 5000)
            store.flush()
            before = list(store.traces())
            with self.assertRaises(BusyError):
                salvage(self.path, made)
        damaged = bytearray(self.path.read_bytes())
        damaged[:8192] = bytes(8192)
        self.path.write_bytes(damaged)
        calls: List[Any] = []
        report = salvage(self.path, made, progress=lambda *a: calls.append(a))
        self.assertEqual(calls[-1][0], calls[-1][1])
        self.assertEqual((report.trace_count, report.payload_count), (1, 1))
        self.assertEqual([finding.where for finding in report.findings], ["head"])
        self.assertTrue(report.is_all)
        with Store(made) as store:
            self.assertEqual(list(store.traces()), before)
            self.assertEqual(store.check(), ())
        with self.assertRaises(InvalidError):
            salvage(self.path, made)

        def stop(*_: Any) -> None:
            raise KeyError("stop")

        made.unlink()
        with self.assertRaises(KeyError):
            salvage(self.path, made, progress=stop)
        self.assertFalse(made.exists())


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
            {"compression_level": 20},
            {"compression_level": -1},
            {"dictionary_size_bytes": 2**20 + 1},
        ]
        for options in cases:
            with self.subTest(options), self.assertRaises(InvalidError) as caught:
                Store(self.path, **options)
            self.assertEqual([caught.exception.field], list(options))
        self.assertFalse(self.path.exists())


class MaskTest(FolderCase):
    def test_mask(self) -> None:
        seen: List[Tuple[str, Payload]] = []

        def mask(field: str, payload: Payload) -> object:
            seen.append((field, payload))
            if payload.form is Form.TEXT:
                return payload.text.replace("secret", "***")
            if field == "metadata":
                return {"masked": True}
            if payload.form is Form.BYTES:
                return None
            return payload

        with Store(self.path, mask=mask) as store:
            store.put_trace(
                "t", input="a secret", output=Json('{ "kept": 1 }'), metadata={"k": "v"}
            )
            store.put_observation("o", trace_id="t", input=b"bytes", output={"kept": 2})
            store.flush()
            trace, row = store.get_trace("t"), store.get_observation("o")
            self.assertEqual(trace.input, "a ***")
            self.assertEqual(trace.output_text, '{ "kept": 1 }')
            self.assertEqual(trace.metadata, {"masked": True})
            self.assertEqual((row.input, row.output), (None, {"kept": 2}))
            self.assertEqual(store.counters()["masked"], 3)
        self.assertIn(("input", Payload(Form.TEXT, b"a secret")), seen)
        self.assertEqual({field for field, _ in seen}, {"input", "output", "metadata"})

    def test_streamed_text_is_withheld_until_it_can_be_masked(self) -> None:
        def mask(field: str, payload: Payload) -> object:
            return payload.text.replace("secret", "***")

        with Store(self.path, mask=mask) as store:
            span = store.begin(name="stream")
            span.append("my sec")
            span.append("ret is")
            store.flush()
            (row,) = store.observations()
            self.assertIs(row.output_form, Form.WITHHELD)
            self.assertEqual(row.output_size_bytes, 12)
            self.assertIsNone(row.output)
            self.assertIsNone(row.output_bytes)
            span.end()
            store.flush()
            (row,) = store.observations()
            self.assertEqual(row.output, "my *** is")

    def test_a_failing_mask(self) -> None:
        logged: List[Any] = []

        def mask(field: str, payload: Payload) -> object:
            raise ValueError("with a secret")

        with Store(self.path, mask=mask, log=lambda *a: logged.append(a)) as store:
            with self.assertLogs("tracelite", "ERROR") as python_log:
                store.put_trace("t", input="a secret")
                store.flush()
            self.assertEqual(
                store.get_trace("t").input, "<fully masked due to failed mask function>"
            )
            self.assertEqual(store.counters()["mask_failed"], 1)
        self.assertNotIn("secret", str(logged) + str(python_log.output))
        self.assertIn("ValueError", str(python_log.output))
        self.assertIn("mask_failed", [reason for _, reason, _ in logged])

    def test_what_a_mask_may_not_return(self) -> None:
        for bad in (object(), Json("{"), float("nan")):
            path = self.folder / f"{len(os.listdir(self.folder))}.tl"
            with Store(path, mask=lambda field, payload: bad) as store:
                with mock.patch("tracelite._opened.logger"):
                    store.put_trace("t", input="x")
                    store.flush()
                self.assertIn("fully masked", store.get_trace("t").input)


class LogTest(FolderCase):
    def test_repairs_reach_the_log_and_the_counters(self) -> None:
        logged: List[Any] = []
        with Store(self.path, log=lambda *a: logged.append(a)) as store:
            store.put_trace("t", session_id="s" * 201, environment="Prod!")
            store.flush()
            trace = store.get_trace("t")
            self.assertEqual((trace.session_id, trace.environment), (None, "default"))
            counters = store.counters()
            self.assertEqual((counters["session_id"], counters["environment"]), (1, 1))
            self.assertEqual(counters["tag"], 0)
        reasons = {reason: (level, message) for level, reason, message in logged}
        self.assertEqual(set(reasons), {"session_id", "environment"})
        for level, message in reasons.values():
            self.assertEqual(level, 30)  # logging.WARNING
        self.assertIn("201", reasons["session_id"][1])

    def test_a_failing_log_changes_nothing(self) -> None:
        def log(*arguments: object) -> None:
            raise ValueError("log")

        with Store(self.path, log=log) as store:
            with mock.patch("sys.unraisablehook") as hook:
                store.put_trace("t", name="t", session_id="s" * 201)
                store.flush()
            self.assertTrue(hook.called)
            self.assertIsNone(store.get_trace("t").session_id)


class ThreadTest(StoreCase):
    def test_many_threads_record_and_read(self) -> None:
        errors: List[BaseException] = []

        def work(number: int) -> None:
            try:
                with self.store.span(name="root", id=f"root{number}", tags=[str(number)]) as root:
                    for n in range(50):
                        with root.span(name=f"child{n}") as child:
                            child.append(f"{number}/{n}")
                    list(self.store.observations(limit=10))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.store.flush()
        self.assertEqual(errors, [])
        for number in range(8):
            root = self.store.get_observation(f"root{number}")
            rows = self.store.trace(root.trace_id).observations
            self.assertEqual(len(rows), 51)
            for row in rows[1:]:
                self.assertEqual(row.parent_observation_id, root.id)
                assert row.name is not None
                self.assertEqual(row.output, f"{number}/{row.name[5:]}")

    def test_one_span_and_one_snapshot_from_many_threads(self) -> None:
        span = self.store.begin(name="shared")
        self.store.flush()
        snapshot = self.store.snapshot()

        def work() -> None:
            for _ in range(100):
                span.append("x")
                self.assertEqual(len(list(snapshot.observations())), 1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        snapshot.close()
        span.end()
        self.store.flush()
        self.assertEqual(self.store.get_observation(span.id).output, "x" * 400)

    def test_closing_waits_for_calls_and_stops_the_others(self) -> None:
        stopped = threading.Event()
        failures: List[BaseException] = []

        def work() -> None:
            try:
                while True:
                    self.store.put_trace(name="busy")
                    list(self.store.traces(limit=3))
            except MisuseError:
                pass
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        self.store.close()
        stopped.set()
        for thread in threads:
            thread.join(30)
        self.assertEqual(failures, [])
        with Store(self.path, read_only=True) as again:
            self.assertEqual(again.check(), ())

    def test_a_callback_cannot_close_the_store(self) -> None:
        with self.assertRaisesRegex(MisuseError, "callback"):
            self.store.import_events(
                [{"id": "e", "type": "trace-create", "body": {"id": "t"}}],
                outcome=lambda outcome: self.store.close(),
            )
        self.store.put_trace("t", name="t")

    def test_dropped_iterators_do_not_pile_up(self) -> None:
        self.store.put_trace("t", name="t")
        self.store.put_trace("u", name="u")
        self.store.flush()
        for _ in range(2000):  # more than there may be readers
            next(self.store.traces())
            self.store.snapshot()
        list(self.store.traces())
        with self.store.snapshot() as snapshot:
            list(snapshot.traces())
        self.assertEqual(self.store._gate._waste, [])  # nothing waits to be freed


@unittest.skipUnless(hasattr(os, "fork"), "no fork here")
class ForkTest(FolderCase):
    def in_child(self, work: Any) -> None:
        """Runs work in a forked child; a failure there is one here."""
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads and forks
            child = os.fork()
        if child == 0:
            code = 1
            try:
                work()
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        self.assertEqual(status, 0)

    def test_a_child_must_open_anew(self) -> None:
        store = Store(self.path)
        span = store.begin(name="parent's")
        store.flush()
        rows, snapshot = store.traces(), store.snapshot()

        def work() -> None:
            calls: List[Any] = [
                lambda: store.put_trace("t", name="t"),
                store.flush,
                store.traces,
                snapshot.traces,
                span.end,
                lambda: span.append("x"),
                lambda: next(rows),
            ]
            for call in calls:
                with self.assertRaisesRegex(ForkedError, "open the file again"):
                    call()
            rows.close()
            snapshot.close()
            store.close()
            with Store(self.path) as own:
                own.put_trace("child", name="child's")

        self.in_child(work)
        span.end()
        store.flush()
        self.assertEqual(len(list(store.traces())), 2)
        self.assertEqual(store.check(), ())
        rows.close()
        snapshot.close()
        store.close()

    def test_a_child_that_drops_everything(self) -> None:
        store = Store(self.path)
        kept = [store, store.begin(), store.traces(), store.snapshot()]
        store.flush()

        def work() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                kept.clear()
                gc.collect()

        self.in_child(work)
        store.put_trace("t", name="t")
        store.flush()
        kept.clear()
        store.close()

    def test_multiprocessing(self) -> None:
        with Store(self.path) as store:
            store.put_trace("parent", name="p")
            store.flush()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                for method in ("fork", "spawn"):
                    with multiprocessing.get_context(method).Pool(2) as pool:
                        answers = pool.map(
                            _record_one,
                            [(str(self.path), f"{method}{n}") for n in range(4)],
                        )
                        pool.close()
                        pool.join()
                    self.assertEqual(answers, ["recorded"] * 4)
            self.assertEqual(len(list(store.traces())), 9)


def _record_one(argument: Tuple[str, str]) -> str:
    path, id = argument
    with Store(path) as store:
        store.put_trace(id, name="t")
    return "recorded"


class ExitTest(FolderCase):
    """What a program leaves open is closed when it ends, without a word."""

    def left(self, code: str) -> List[str]:
        result = run_python("import sys, tracelite\n" + code, str(self.path))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(os.listdir(self.folder), ["test.tl"])
        with Store(self.path, read_only=True) as store:
            return sorted(row.name or "" for row in store.observations())

    def test_left_open(self) -> None:
        code = (
            "store = tracelite.Store(sys.argv[1], commit_interval_ms=60000)\n"
            "store.span(name='unfinished')\n"
            "store.span(name='ended').end()\n"
            "rows, snapshot = store.traces(), store.snapshot()\n"
        )
        self.assertEqual(self.left(code), ["ended", "unfinished"])

    def test_with_a_mask_and_a_log(self) -> None:
        code = (
            "def keep(store):\n"
            "    store.put_observation('o', name='masked', session_id='s' * 201, input='x')\n"
            "lines = []\n"
            "store = tracelite.Store(sys.argv[1], mask=lambda f, p: (f, store.path)[0],\n"
            "                        log=lambda *a: lines.append((a, store)))\n"
            "keep(store)\n"
        )
        self.assertEqual(self.left(code), ["masked"])

    def test_a_daemon_thread_that_goes_on_recording(self) -> None:
        code = (
            "import threading, time\n"
            "store = tracelite.Store(sys.argv[1])\n"
            "def work():\n"
            "    try:\n"
            "        while True: store.span(name='x').end()\n"
            "    except tracelite.MisuseError: time.sleep(60)\n"
            "threading.Thread(target=work, daemon=True).start()\n"
            "time.sleep(0.2)\n"
        )
        self.assertGreater(len(self.left(code)), 0)

    def test_an_exception_at_the_top(self) -> None:
        result = run_python(
            "import sys, tracelite\n"
            "store = tracelite.Store(sys.argv[1])\n"
            "with store.span(name='x'):\n"
            "    raise RuntimeError('boom')\n",
            str(self.path),
        )
        self.assertEqual(result.returncode, 1)
        self.assertIn("RuntimeError: boom", result.stderr)
        with Store(self.path) as store:
            (row,) = store.observations()
            self.assertEqual((row.level, row.status_message), ("ERROR", "RuntimeError: boom"))

    @unittest.skipUnless(hasattr(signal, "SIGKILL"), "no SIGKILL here")
    def test_killed(self) -> None:
        code = (
            "import sys, time, tracelite\n"
            "store = tracelite.Store(sys.argv[1])\n"
            "span = store.span(name='killed')\n"
            "span.append('so far')\n"
            "store.flush()\n"
            "print('flushed', flush=True)\n"
            "time.sleep(60)\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(self.path)],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        with child, child.stdout:
            child.stdout.readline()
            child.kill()
        with Store(self.path) as store:
            (row,) = store.observations()
            self.assertEqual((row.output, row.is_unfinished), ("so far", True))
            self.assertEqual(store.check(), ())

    def test_ctrl_c_stops_long_work(self) -> None:
        code = (
            "import _thread, sys, tracelite\n"
            "store = tracelite.Store(sys.argv[1])\n"
            "def events():\n"
            "    for n in range(10 ** 9):\n"
            "        if n == 1000: _thread.interrupt_main()\n"
            "        yield {'id': str(n), 'type': 'span-create', 'body': {'id': str(n)}}\n"
            "try:\n"
            "    store.import_events(events())\n"
            "except KeyboardInterrupt:\n"
            "    print(0 < store.flush())\n"
        )
        result = run_python(code, str(self.path))
        self.assertEqual((result.stdout, result.stderr), ("True\n", ""))


@unittest.skipUnless(hasattr(signal, "setitimer"), "no timer signals here")
class InterruptTest(FolderCase):
    def test_interrupts_at_any_point_leave_a_store_that_closes(self) -> None:
        class Interrupt(BaseException):
            pass

        armed = False

        def interrupt(*arguments: object) -> None:
            # Not in this test itself, which is not what is tested.
            if armed and sys._getframe(1).f_code.co_filename != __file__:
                raise Interrupt

        old = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        quiet = mock.patch("sys.unraisablehook")  # an interrupted destructor
        quiet.start()
        self.addCleanup(quiet.stop)
        store = Store(self.path, commit_interval_ms=5)
        chance = random.Random(7)
        hits = 0
        for _ in range(400):
            try:
                # Again, because one that comes in a destructor is lost.
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00005, 0.004), 0.01)
                armed = True
                for _ in range(10_000):
                    with store.span(name="x") as span:
                        span.append("y")
                    for row in store.observations(limit=3):
                        row.output
                    with store.snapshot() as snapshot:
                        list(snapshot.traces(limit=1))
                    store.import_events(b"")
            except (Interrupt, TraceliteError) as error:
                armed = False
                # An error of tracelite may only be one that was raised while a span was left.
                self.assertTrue(isinstance(error, Interrupt) or error.__context__)
                hits += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertGreater(hits, 300)
        store.close(timeout=30)
        with Store(self.path) as again:
            self.assertEqual(again.check(), ())


class ReadOnlyTest(FolderCase):
    def test_recording_is_refused(self) -> None:
        Store(self.path).close()
        with Store(self.path, read_only=True) as store:
            calls: List[Any] = [
                lambda: store.put_trace("t"),
                lambda: store.put_observation("o"),
                lambda: store.put_score("s", trace_id="t", name="n", value=1),
                lambda: store.put_session("s", is_public=True),
                store.span,
                lambda: store.import_events(b""),
                store.reindex,
                store.compact,
            ]
            for call in calls:
                with self.assertRaises(ReadOnlyError):
                    call()
            self.assertEqual(list(store.traces()), [])
            self.assertEqual(store.check(), ())
            store.flush()

    def test_the_file_must_exist(self) -> None:
        with self.assertRaises(NotFoundError) as caught:
            Store(self.path, read_only=True)
        self.assertIn("test.tl", str(caught.exception))
        self.assertFalse(self.path.exists())


class BadFileTest(FolderCase):
    def refused(self, kind: Any, path: Path, **options: Any) -> TraceliteError:
        with self.assertRaises(kind) as caught:
            Store(path, **options)
        error = caught.exception
        assert isinstance(error, TraceliteError)
        self.assertIs(error.status, kind.status)
        self.assertGreater(len(str(error)), 15)
        return error

    def test_other_files(self) -> None:
        text = self.folder / "text.tl"
        text.write_text("this is not a database, but it is long enough to be one" * 200)
        self.refused(NotTraceliteError, text)
        database = self.folder / "sqlite.tl"
        connection = sqlite3.connect(database)
        connection.execute("CREATE TABLE t(x)")
        connection.close()
        self.refused(NotTraceliteError, database)

    def test_a_newer_format_and_another_geometry(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", name="t")
        data = self.path.read_bytes()
        mark, magic = b"tracelite\0\0\0\x01", b"\xde\xc0\xef\xbe"
        self.assertIn(mark, data)
        self.path.write_bytes(data.replace(mark, mark[:-1] + b"\x09"))
        self.assertIn("version 9", str(self.refused(NewerFormatError, self.path)))
        if sys.byteorder == "little":
            self.path.write_bytes(data.replace(magic, magic[::-1]))
            self.refused(OtherGeometryError, self.path)

    def test_a_folder_and_a_missing_folder(self) -> None:
        self.assertIn("is a directory", str(self.refused(NotTraceliteError, self.folder)))
        self.refused(NotFoundError, self.folder / "no" / "folder.tl")

    def test_truncated(self) -> None:
        with Store(self.path) as store:
            for n in range(200):
                store.put_observation(f"o{n}", input="x" * 1000)
        size = self.path.stat().st_size
        for keep in (size // 2, 4096 * 3, 5000, 100):
            with self.subTest(keep):
                os.truncate(self.path, keep)
                with self.assertRaises((CorruptError, NotTraceliteError)):
                    Store(self.path)

    def test_retention(self) -> None:
        with Store(self.path) as store:
            for n in range(3):
                store.put_trace(f"old{n}", timestamp=10**9 * (n + 1), is_bookmarked=n == 1)
            store.put_trace("new")
        with Store(
            self.path,
            retention_age=365 * 86400.0,
            retention_size_bytes=2**20,
            retention_keeps_bookmarked=True,
        ) as store:
            position = 0
            while len(list(store.traces())) > 2:
                position = store.wait(position, timeout=60)
            self.assertEqual({trace.id for trace in store.traces()}, {"old1", "new"})
            self.assertEqual(store.counters()["retention"], 2)
        with self.assertRaisesRegex(InvalidError, "retention_size_bytes"):
            Store(self.path, retention_size_bytes=1)
        with self.assertRaisesRegex(InvalidError, "retention_age"):
            Store(self.path, retention_age=-1)

    def test_free_disk_min_bytes(self) -> None:
        with Store(self.path, free_disk_min_bytes=1) as store:
            store.put_trace(id="kept")
            store.flush()
        store = Store(self.path, free_disk_min_bytes=2**62)
        store.put_trace(id="waits")
        with self.assertRaisesRegex(DiskFullError, "free_disk_min_bytes"):
            store.flush()
        with self.assertRaises(DiskFullError):
            store.close(timeout=0)
        with Store(self.path) as store:
            self.assertEqual([each.id for each in store.traces()], ["kept"])

    def test_immutable(self) -> None:
        with Store(self.path) as store:
            store.put_trace(id="kept")
        with Store(self.path, immutable=True, read_only=True) as store:
            self.assertEqual([each.id for each in store.traces()], ["kept"])
            self.assertFalse(os.path.exists(f"{self.path}-lock"))
        self.refused(InvalidError, self.path, immutable=True)

    def test_untrusted(self) -> None:
        with Store(self.path) as store:
            store.put_trace("t", name="t")
        with Store(self.path, untrusted=True, read_only=True) as store:
            self.assertEqual([row.id for row in store.traces()], ["t"])
        data = self.path.read_bytes()
        mark = b"tracelite\0\0\0\x01\0\0\x10\0"
        self.path.write_bytes(data.replace(mark, mark[:-1] + b"\x01"))
        self.refused(CorruptError, self.path, untrusted=True)

    def test_space_adds_up_to_the_file(self) -> None:
        with Store(self.path) as store:
            for n in range(300):
                store.put_observation(f"o{n}", trace_id=f"t{n % 9}", input=f"payload {n} " * 50)
            store.flush()
            lines = store.space()
            self.assertEqual(sum(line.size_bytes for line in lines), store.stats().file_size_bytes)
            sizes = {(line.key_space, line.table): line.size_bytes for line in lines}
            for name in [("frame", ""), ("record", ""), ("page", "observation")]:
                self.assertGreater(sizes[name], 0, name)

    def test_damaged(self) -> None:
        noise = os.urandom(300_000)  # what does not compress is in the file as it is
        with Store(self.path) as store:
            for n in range(200):
                store.put_observation(f"o{n}", trace_id="t", input=f"payload {n} " * 50)
            store.put_observation("noise", trace_id="t", input=noise)
        data = bytearray(self.path.read_bytes())
        at = data.index(noise[150_000:150_020])
        data[at] ^= 1
        self.path.write_bytes(data)
        with Store(self.path) as store:
            findings = store.check()
            self.assertGreater(len(findings), 0)
            self.assertTrue(findings[0].where and findings[0].message)
            with self.assertRaises(CorruptError):
                for row in store.observations():
                    row.input

    @unittest.skipUnless(hasattr(os, "geteuid"), "no users here")
    def test_no_permission(self) -> None:
        Store(self.path).close()
        self.path.chmod(0)
        if os.geteuid() == 0:  # who may do everything
            self.folder.chmod(0o755)
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        error = self.refused(PermissionDeniedError, self.path)
        self.assertIsInstance(error, PermissionError)


class DiskTest(FolderCase):
    """A file that may not grow: what is queued is kept, and written when it may again."""

    def limit(self, size_bytes: Optional[int]) -> None:
        import resource

        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes or most, most))

    @unittest.skipUnless(hasattr(signal, "SIGXFSZ"), "no limit of file sizes here")
    def test_no_room(self) -> None:
        self.addCleanup(self.limit, None)
        logged: List[Any] = []
        store = Store(self.path, log=lambda *a: logged.append(a))
        store.put_trace("first", name="first")
        store.flush()
        self.limit(1 << 20)
        for n in range(20):
            store.put_trace(f"t{n}", input=os.urandom(100_000))
        with self.assertRaises(OSError) as caught:
            store.flush(timeout=5)
        self.assertIsInstance(caught.exception, TraceliteError)
        self.assertGreater(caught.exception.errno or 0, 0)
        self.assertEqual(len(list(store.traces())), 1)
        self.assertIn("tried again", str(logged))
        self.limit(None)
        store.flush(timeout=30)
        self.assertEqual(len(list(store.traces())), 21)

        self.limit(self.path.stat().st_size)
        for n in range(50):
            store.put_trace(f"u{n}", input=os.urandom(100_000))
        with self.assertRaises(TraceliteError) as lost:
            store.close(timeout=0.5)
        self.assertTrue(store.closed)
        self.limit(None)
        with Store(self.path) as again:
            self.assertEqual(again.check(), ())
            self.assertEqual(len(list(again.traces())), 71 - lost.exception.dropped_count)


class SigtermTest(FolderCase):
    def terminate(self, before: str, drain: str) -> int:
        """The exit code of a program that got SIGTERM with 100 traces queued."""
        script = (
            "import signal, sys, time, tracelite\n"
            + before
            + "\nstore = tracelite.Store(sys.argv[1], commit_interval_ms=600_000"
            + drain
            + ")\nfor n in range(100): store.put_trace(f't{n}')\n"
            "print('ready', flush=True)\n"
            "while True: time.sleep(0.01)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(self.path)],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        with process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "ready\n")
            process.send_signal(signal.SIGTERM)
            return process.wait(60)

    def recorded(self) -> int:
        with Store(self.path) as store:
            return store.stats().trace_count

    def test_what_is_queued_is_drained(self) -> None:
        self.assertEqual(self.terminate("", ", drain_on_sigterm=60"), -signal.SIGTERM)
        self.assertEqual(self.recorded(), 100)

    def test_nothing_is_drained_unless_asked(self) -> None:
        self.assertEqual(self.terminate("", ""), -signal.SIGTERM)
        self.assertEqual(self.recorded(), 0)

    def test_a_handler_from_before_runs_afterwards(self) -> None:
        # os._exit: nothing of Python's own drains then.
        before = "import os\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(7))"
        self.assertEqual(self.terminate(before, ", drain_on_sigterm=60.5"), 7)
        self.assertEqual(self.recorded(), 100)

    def test_its_time_must_not_be_negative(self) -> None:
        with self.assertRaisesRegex(InvalidError, "drain_on_sigterm"):
            Store(self.path, drain_on_sigterm=-1)


class ErrorTest(unittest.TestCase):
    def test_one_exception_for_each_status(self) -> None:
        kinds = {kind.status: kind for kind in TraceliteError.__subclasses__()}
        self.assertEqual(set(kinds), set(Status) - {Status.OK, Status.DONE})
        for kind in kinds.values():
            self.assertIs(getattr(tracelite, kind.__name__), kind)

    def test_builtin_kinds(self) -> None:
        for kind, builtin in (
            (InvalidError, ValueError),
            (NotFoundError, LookupError),
            (PermissionDeniedError, PermissionError),
            (TimedOutError, TimeoutError),
            (tracelite.NoMemoryError, MemoryError),
            (tracelite.IoError, OSError),
            (tracelite.DiskFullError, OSError),
        ):
            self.assertTrue(issubclass(kind, builtin))

    def test_what_an_error_says(self) -> None:
        error = tracelite.DiskFullError("no room left", field="path", engine_code=28)
        self.assertEqual((str(error), error.errno), ("no room left", 28))
        self.assertEqual((error.field, error.engine_code), ("path", 28))
        self.assertIs(error.status, Status.DISK_FULL)
        for kind in TraceliteError.__subclasses__():
            made = kind("text", field="f", engine_code=-30780)
            copy = pickle.loads(pickle.dumps(made))
            self.assertIs(type(copy), kind)
            self.assertEqual((str(copy), copy.field, copy.engine_code), ("text", "f", -30780))


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
