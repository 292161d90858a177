"""Threads, tasks and processes: every observation is stored, with the right parent; and what is
recorded outlives the ways in which a process ends."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import unittest
from typing import Dict, List, Optional

from langfuse_support import LangfuseCase
from support import PACKAGE, FolderCase
from tracelite import Observation, Store
from tracelite.langfuse import Langfuse

DEPTH = 50


def nested(client: Langfuse, label: str) -> None:
    """A chain of nested observations whose names tell their places."""

    def step(depth: int) -> None:
        if depth < DEPTH:
            with client.start_as_current_observation(name=f"{label}/{depth}"):
                step(depth + 1)

    step(0)


async def nested_later(client: Langfuse, label: str) -> None:
    async def step(depth: int) -> None:
        if depth < DEPTH:
            with client.start_as_current_observation(name=f"{label}/{depth}"):
                await asyncio.sleep(0)
                await step(depth + 1)

    await step(0)


def misplaced(rows: List[Observation], top: Optional[str] = None) -> List[str]:
    """What is wrong with the chains; `top` is the id of the parent of them all."""
    by_id = {row.id: row for row in rows}
    wrong = []
    for row in rows:
        label, slash, depth = (row.name or "").partition("/")
        if not slash:
            continue
        parent = by_id.get(row.parent_observation_id or "")
        above = f"{label}/{int(depth) - 1}"
        if depth == "0":
            if row.parent_observation_id != top:
                wrong.append(f"{row.name} is below {row.parent_observation_id}")
        elif parent is None or parent.name != above or parent.trace_id != row.trace_id:
            wrong.append(f"{row.name} is below {parent and parent.name}")
        if row.is_unfinished:
            wrong.append(f"{row.name} is unfinished")
    return wrong


class ThreadAndTaskTest(LangfuseCase):
    def test_32_threads(self) -> None:
        names = [f"thread {number}" for number in range(32)]
        threads = [threading.Thread(target=nested, args=(self.client, name)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = list(self.store().observations())
        self.assertEqual(len({row.name for row in rows}), 32 * DEPTH)
        self.assertEqual(misplaced(rows), [])
        self.assertEqual(len({row.trace_id for row in rows}), 32)

    def test_1000_tasks(self) -> None:
        async def main() -> str:
            asyncio.get_running_loop().slow_callback_duration = 60  # of the debug mode
            with self.client.start_as_current_span(name="main") as root:
                await asyncio.gather(
                    *(nested_later(self.client, f"task {number}") for number in range(1000))
                )
            return root.id

        root_id = asyncio.run(main())
        rows = list(self.store().observations())
        self.assertEqual(len(rows), 1000 * DEPTH + 1)
        self.assertEqual(misplaced(rows, root_id), [])
        self.assertEqual(len({row.trace_id for row in rows}), 1)


PREFIX = f"""
import os, sys, time, signal, threading
sys.path[:0] = [{str(PACKAGE)!r}, {str(PACKAGE / "tests")!r}]
from tracelite.langfuse import Langfuse, get_client, observe, propagate_attributes
from test_langfuse_processes import nested
"""


class ProgramCase(FolderCase):
    def start(self, code: str, **variables: str) -> "subprocess.Popen[str]":
        script = self.folder / "program.py"
        script.write_text(PREFIX + code)
        environment = {**os.environ, "TRACELITE_PATH": str(self.path), **variables}
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", str(script)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        self.addCleanup(self.stop, process)
        return process

    def stop(self, process: "subprocess.Popen[str]") -> None:
        if process.poll() is None:
            process.kill()
        process.communicate()

    def run_program(self, code: str, expected: int = 0, **variables: str) -> str:
        process = self.start(code, **variables)
        output, errors = process.communicate(timeout=240)
        self.assertEqual((process.returncode, errors), (expected, ""))
        return output

    def rows(self) -> List[Observation]:
        with Store(self.path, read_only=True) as store:
            return list(store.observations())

    def named(self) -> Dict[str, Observation]:
        return {row.name or "": row for row in self.rows()}


class ProcessTest(ProgramCase):
    def check(self, output: str, count: int) -> None:
        rows = self.rows()
        (root_id,) = output.split()
        self.assertEqual(len({row.name for row in rows}), count * DEPTH + 1)
        self.assertEqual(misplaced(rows, root_id), [])
        self.assertEqual(len({row.trace_id for row in rows}), 1)

    POOL = """
from concurrent.futures import ProcessPoolExecutor
import multiprocessing

def work(number, context):
    client = get_client()
    with client.start_as_current_span(name=f"{number}/0", trace_context=context):
        from test_langfuse_processes import DEPTH
        def step(depth):
            if depth < DEPTH:
                with client.start_as_current_span(name=f"{number}/{depth}"):
                    step(depth + 1)
        step(1)

if __name__ == "__main__":
    with get_client().start_as_current_span(name="main") as root:
        context = {"trace_id": root.trace_id, "parent_span_id": root.id}
        way = multiprocessing.get_context(os.environ["WAY"])
        with ProcessPoolExecutor(3, mp_context=way) as pool:
            list(pool.map(work, range(32), [context] * 32))
    print(root.id)
"""

    def test_a_process_pool_by_fork(self) -> None:
        self.check(self.run_program(self.POOL, WAY="fork"), 32)

    def test_a_process_pool_by_spawn(self) -> None:
        self.check(self.run_program(self.POOL, WAY="spawn"), 32)

    def test_fork_within_a_block(self) -> None:
        code = """
with get_client().start_as_current_span(name="main") as root:
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            nested(get_client(), f"child {number}")
            root.update(metadata={f"child {number}": True})
            get_client().flush()
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
print(root.id)
"""
        self.check(self.run_program(code), 3)
        with Store(self.path, read_only=True) as store:
            (row,) = store.observations(name="main")
            self.assertEqual(row.metadata, {f"child {number}": True for number in range(3)})

    def test_a_forked_child_that_exits(self) -> None:
        code = """
get_client().start_span(name="parent").end()
get_client().flush()
child = os.fork()
get_client().start_span(name="child" if child == 0 else "parent again").end()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
        self.run_program(code)
        self.assertEqual(set(self.named()), {"parent", "child", "parent again"})

    def test_a_fork_while_threads_record(self) -> None:
        code = """
client, stop = get_client(), threading.Event()
def record():
    while not stop.wait(0.002):  # busy, but leaving the disk to the children, too
        client.start_span(name="thread").end()
threads = [threading.Thread(target=record) for _ in range(4)]
[thread.start() for thread in threads]
for number in range(10):
    child = os.fork()
    if child == 0:
        client.start_span(name=f"child {number}").end()
        client.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
[thread.join() for thread in threads]
"""
        self.run_program(code)
        self.assertEqual(set(self.named()), {"thread", *(f"child {n}" for n in range(10))})

    def test_a_fork_waits_for_what_threads_make(self) -> None:
        # What is registered last is called first: each thread lets go once the fork has begun.
        code = """
from tracelite import _c
from tracelite.langfuse import _client
inside, forking = threading.Barrier(3), threading.Event()
def make(lock):
    with lock:
        inside.wait()
        forking.wait()
locks = [_c._loading, _client._clients_lock]
threads = [threading.Thread(target=make, args=(lock,)) for lock in locks]
[thread.start() for thread in threads]
os.register_at_fork(before=forking.set)
inside.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)
    get_client().start_span(name="child").end()
    get_client().flush()
    os._exit(0)
[thread.join() for thread in threads]
assert os.waitpid(child, 0)[1] == 0
"""
        self.run_program(code)
        self.assertEqual(set(self.named()), {"child"})

    def test_multiprocessing(self) -> None:
        code = """
import multiprocessing
def work(way, context):
    client = get_client()
    with client.start_as_current_span(name="child", trace_context=context):
        threads = [threading.Thread(target=nested, args=(client, f"{way}.{n}")) for n in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
if __name__ == "__main__":
    parent = get_client().start_span(name="parent").end()
    get_client().flush()
    context = {"trace_id": parent.trace_id, "parent_span_id": parent.id}
    for way in ("fork", "spawn", "forkserver"):
        process = multiprocessing.get_context(way).Process(target=work, args=(way, context))
        process.start()
        process.join()
        assert process.exitcode == 0
"""
        self.run_program(code)
        rows = self.rows()
        (parent,) = (row for row in rows if row.name == "parent")
        children = [row for row in rows if row.name == "child"]
        self.assertEqual([row.parent_observation_id for row in children], [parent.id] * 3)
        self.assertEqual(len({row.name for row in rows}), 3 * 4 * DEPTH + 2)
        self.assertEqual(misplaced(rows), [])


class EndTest(ProgramCase):
    def test_a_program_that_forgets_to_flush(self) -> None:
        self.run_program("get_client().start_span(name='a').end()")
        self.assertEqual(set(self.named()), {"a"})

    def test_an_exception_and_an_exit(self) -> None:
        code = """
@observe()
def f():
    sys.exit(3)
f()
"""
        self.run_program(code, expected=3)
        self.assertFalse(self.named()["f"].is_unfinished)

    def test_a_record_at_exit(self) -> None:
        code = """
import atexit
atexit.register(lambda: get_client().start_span(name="last").end())
get_client().start_span(name="first").end()
"""
        # A handler that was registered before tracelite runs after it.
        early = "import atexit\natexit.register(lambda: end())\n"
        self.run_program(code)
        self.assertEqual(set(self.named()), {"first", "last"})
        script = self.folder / "early.py"
        script.write_text(early + PREFIX + "def end(): get_client().start_span(name='end').end()\n")
        environment = {**os.environ, "TRACELITE_PATH": str(self.path)}
        subprocess.run([sys.executable, str(script)], env=environment, check=True, timeout=120)
        self.assertIn("end", self.named())

    TERM = """
client = get_client()
span = client.start_span(name="unfinished")
for number in range(100):
    client.start_span(name=f"{number}").end()
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""

    def terminate(self, code: str) -> int:
        process = self.start(code)
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        return process.wait(60)

    def test_sigterm(self) -> None:
        self.assertEqual(self.terminate(self.TERM), -signal.SIGTERM)
        rows = self.named()
        self.assertEqual(len(rows), 101)
        self.assertTrue(rows["unfinished"].is_unfinished)

    def test_a_handler_of_the_application_stays(self) -> None:
        before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        self.assertEqual(self.terminate(before + self.TERM), 7)
        self.assertEqual(len(self.named()), 101)

    def test_a_handler_that_calls_the_one_before(self) -> None:
        after = """
before = signal.getsignal(signal.SIGTERM)
def handler(*arguments):
    before(*arguments)
    os._exit(8)
signal.signal(signal.SIGTERM, handler)
"""
        code = self.TERM.replace('print("ready"', after + '\nprint("ready"')
        self.assertEqual(self.terminate(code), 8)
        self.assertEqual(len(self.named()), 101)

    def test_a_thread_records_first(self) -> None:
        first = """
thread = threading.Thread(target=lambda: get_client().start_span(name="thread").end())
thread.start()
thread.join()
"""
        self.assertEqual(self.terminate(first + self.TERM), -signal.SIGTERM)
        self.assertEqual(len(self.named()), 102)

    def test_partial_output_survives_a_kill(self) -> None:
        code = """
@observe()
def words():
    yield "so "
    yield "far"
    get_client().flush()
    os.kill(os.getpid(), signal.SIGKILL)
for _ in words():
    pass
"""
        self.run_program(code, expected=-signal.SIGKILL)
        with Store(self.path, read_only=True) as store:
            (row,) = store.observations(name="words")
            self.assertEqual((row.output, row.is_unfinished), ("so far", True))


if __name__ == "__main__":
    unittest.main()
