"""Workers of multiprocessing: what they record is there, whatever they leave open when they end."""

import atexit
import importlib
import multiprocessing
import multiprocessing.util
import os
import sys
import threading
import time
import types
import unittest
import warnings
from typing import Any, List, Tuple
from unittest import mock

from support import FolderCase
from tracelite import Store, _opened


@unittest.skipUnless(hasattr(os, "fork"), "no fork here")
class WorkerTest(FolderCase):
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

    def test_stores_that_workers_leave_open(self) -> None:
        # A worker ends by os._exit; the parent's store is open in one that is forked.
        with Store(self.path) as store, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            for method in ("fork", "forkserver"):
                with self.subTest(method):
                    way = multiprocessing.get_context(method)
                    with way.Pool(2, _open_in_worker, (str(self.path),)) as pool:
                        pool.map(_leave_one, [f"{method}{n}" for n in range(8)], chunksize=1)
                        pool.close()
                        pool.join()
                    ids = [row.id for row in store.traces() if row.id.startswith(method)]
                    self.assertEqual(len(ids), 8)

    def test_a_store_that_a_worker_opens_with_its_program(self) -> None:
        # A child of a forkserver imports that before it knows that it is one.
        program = self.path.with_name("program_of_workers.py")
        program.write_text(
            "from tracelite import Store\n"
            f"store = Store({str(self.path)!r}, commit_interval_ms=60_000)\n"
            "def leave_one() -> None:\n"
            "    store.put_trace('left')\n"
        )
        sys.path.insert(0, str(program.parent))
        self.addCleanup(sys.path.remove, str(program.parent))
        module = importlib.import_module(program.stem)
        module.store.close()
        process = multiprocessing.get_context("forkserver").Process(target=module.leave_one)
        process.start()
        process.join()
        self.assertEqual(process.exitcode, 0)
        with Store(self.path, read_only=True) as store:
            self.assertEqual([row.id for row in store.traces()], ["left"])

    def test_a_worker_whose_thread_goes_on(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            process = multiprocessing.get_context("fork").Process(
                target=_record_behind_the_end, args=(str(self.path),)
            )
            process.start()
            process.join()
        self.assertEqual(process.exitcode, 0)
        with Store(self.path, read_only=True) as store:
            self.assertEqual({row.id for row in store.traces()}, {"before", "behind", "left"})

    def test_stores_that_are_opened_while_a_worker_ends(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            process = multiprocessing.get_context("fork").Process(
                target=_open_at_the_end, args=(str(self.path),)
            )
            process.start()
            process.join()
        with Store(self.path, read_only=True) as store:
            self.assertEqual({row.id for row in store.traces()}, {"before", "at the end"})

    def test_what_a_worker_records_behind_its_work(self) -> None:
        # By what it runs when it ends; a store may be closed there as well.
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                path = self.path.with_name(method)
                way: Any = multiprocessing.get_context(method)
                process = way.Process(target=_record_when_it_ends, args=(str(path),))
                process.start()
                process.join()
                self.assertEqual(process.exitcode, 0)
                ids = {"work", "left at the end", "closed at the end"}
                if method == "spawn":
                    ids.add("exit handler")
                with Store(path, read_only=True) as store:
                    self.assertEqual({row.id for row in store.traces()}, ids)

    def test_a_store_that_is_opened_while_multiprocessing_is_imported(self) -> None:
        unfinished = types.ModuleType("unfinished")
        for name in ("multiprocessing.process", "multiprocessing.util"):
            with self.subTest(name), mock.patch.dict(sys.modules, {name: unfinished}):
                with mock.patch.object(_opened, "_is_asked_again", False):
                    Store(self.path).close()
                    self.assertFalse(_opened._is_asked_again)


def _record_one(argument: Tuple[str, str]) -> str:
    path, id = argument
    with Store(path) as store:
        store.put_trace(id, name="t")
    return "recorded"


_left_open: List[Store] = []


def _open_in_worker(path: str) -> None:
    _left_open.append(Store(path, commit_interval_ms=60_000))


def _leave_one(id: str) -> None:
    _left_open[0].put_trace(id)
    time.sleep(0.01)  # so that the other worker has some, too


def _record_behind_the_end(path: str) -> None:
    _open_in_worker(path)
    store = Store(path, commit_interval_ms=60_000)
    ended = threading.Event()

    def work() -> None:
        ended.wait()
        with store:
            store.put_trace("behind")

    multiprocessing.util.Finalize(None, ended.set, exitpriority=0)  # after tracelite's
    threading.Thread(target=work).start()
    store.put_trace("before")
    _leave_one("left")


def _record_when_it_ends(path: str) -> None:
    _open_in_worker(path)
    left = _left_open[-1]
    closed = Store(path, commit_interval_ms=60_000)

    def record() -> None:
        left.put_trace("left at the end")
        with closed:
            closed.put_trace("closed at the end")

    multiprocessing.util.Finalize(None, record, exitpriority=0)  # after tracelite's
    atexit.register(lambda: left.put_trace("exit handler"))
    left.put_trace("work")


def _open_at_the_end(path: str) -> None:
    def record() -> None:
        _open_in_worker(path)
        _left_open[-1].put_trace("at the end")

    multiprocessing.util.Finalize(None, record, exitpriority=0)  # after tracelite's
    _open_in_worker(path)
    _leave_one("before")
