"""Threads, forks, exits, interrupts and SIGTERM; workers of multiprocessing: test_workers.py."""

import ctypes
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest
import warnings
from typing import Any, List, Tuple
from unittest import mock

import tracelite
from support import PACKAGE, FolderCase, StoreCase, run_python
from tracelite import ForkedError, InvalidError, MisuseError, Store, TraceliteError


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

    def test_a_child_that_drops_rows_that_another_thread_was_closing(self) -> None:
        store = Store(self.path)
        rows = [store.traces()]

        def work() -> None:
            signal.alarm(60)
            rows.clear()
            gc.collect()

        with rows[0]._free_lock:
            self.in_child(work)
        rows[0].close()
        store.close()


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
            "begun = threading.Event()\n"
            "def work():\n"
            "    try:\n"
            "        while True:\n"
            "            store.span(name='x').end()\n"
            "            begun.set()\n"
            "    except tracelite.MisuseError: time.sleep(60)\n"
            "threading.Thread(target=work, daemon=True).start()\n"
            "begun.wait()\n"
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


class SignalAction(ctypes.Structure):
    """glibc's struct sigaction; of its mask the system knows the first word."""

    _fields_ = [
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    ]


class SigtermTest(FolderCase):
    def terminate(self, before: str, drain: str, call: str = "") -> int:
        """The exit code of a program that got SIGTERM with 100 traces queued."""
        script = (
            "import io, signal, sys, time, tracelite\n"
            + before
            + "\nstore = tracelite.Store(sys.argv[1], commit_interval_ms=600_000"
            + drain
            + ")\n"
            + call
            + "\nfor n in range(100): store.put_trace(f't{n}')\n"
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

    def test_a_long_call_before_changes_nothing(self) -> None:
        before = "import os\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(7))"
        calls = (
            "store.check()",
            "store.export_events(io.BytesIO())",
            "store.import_events(b'')",
            "store.delete(name='nobody')",
            "store.compact()",
            "store.reindex()",
            "store.backup(sys.argv[1] + '.copy')",
        )
        for call in calls:
            with self.subTest(call):
                self.assertEqual(self.terminate(before, ", drain_on_sigterm=60", call), 7)
                self.assertEqual(self.recorded(), 100)
            for path in self.folder.iterdir():
                path.unlink()

    @unittest.skipUnless(sys.platform == "linux", "the struct is that of glibc")
    def test_a_long_call_leaves_what_the_system_does_at_a_signal(self) -> None:
        actions: List[List[Tuple[int, int, int]]] = []
        handled: List[int] = []
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
        function = ctypes.CDLL(None).sigaction

        def look() -> None:
            actions.append([])
            for number in numbers:
                action = SignalAction()
                self.assertEqual(function(int(number), None, ctypes.byref(action)), 0)
                actions[-1].append((action.handler, action.mask[0], action.flags))

        def progress(*_: object) -> None:
            look()
            os.kill(os.getpid(), signal.SIGUSR1)

        for number in (signal.SIGTERM, signal.SIGUSR1):
            handler = signal.signal(number, lambda number, frame: handled.append(number))
            self.addCleanup(signal.signal, number, handler)
        signal.siginterrupt(signal.SIGUSR1, False)
        with Store(self.path, drain_on_sigterm=60) as store:
            look()
            store.put_trace("t")
            store.compact(progress=progress)
            look()
            self.assertGreater(len(actions), 2)
            self.assertEqual(actions, [actions[0]] * len(actions))
            self.assertEqual(set(handled), {signal.SIGUSR1})

    def test_its_time_must_not_be_negative(self) -> None:
        with self.assertRaisesRegex(InvalidError, "drain_on_sigterm"):
            Store(self.path, drain_on_sigterm=-1)


if __name__ == "__main__":
    unittest.main()
