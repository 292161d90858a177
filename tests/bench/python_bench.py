#!/usr/bin/env python3
"""What recording costs a Python program, as lines of JSON.

    tracelite-bench python [--runs N] [--calls N] [--folder FOLDER]

cost      an observed call, and a block, with 1 KiB in and 1 KiB out, beside the same call bare plus
          json.dumps of both: the median of the runs, each of which times the two sides in turns
loop      how long each call that records blocks an asyncio loop, while another process holds the
          lock of every commit for half a second, as a slow disk would; and how late the loop comes
          back to a task that sleeps, beside a loop that records nothing
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings" / "python"))
os.environ.setdefault("TRACELITE_LIBRARY", str(ROOT / "build/release/lib/libtracelite.so"))

from tracelite.langfuse import Langfuse, get_client, observe  # noqa: E402

PAYLOAD_SIZE_BYTES = 1024
ROUND_COUNT = 10  # turns of both sides in a run
LIMIT_RATIO = 3.0
LIMIT_BLOCKED_MS = 1.0


def messages(role: str) -> List[Dict[str, str]]:
    """A list of chat messages that is just so large as JSON."""
    found = [
        {"role": "system", "content": "You are a guide who answers in one sentence."},
        {"role": "user", "content": "Where is Oslo, and what is the weather like there in May?"},
        {"role": role, "content": ""},
    ]
    found[2]["content"] = "word " * 1000
    excess = len(json.dumps(found)) - PAYLOAD_SIZE_BYTES
    found[2]["content"] = found[2]["content"][:-excess]
    assert len(json.dumps(found)) == PAYLOAD_SIZE_BYTES
    return found


def text() -> str:
    return ("word " * 1000)[:PAYLOAD_SIZE_BYTES]


Timed = Callable[[int], None]  # makes so many calls


def observed_call(given: Any, result: Any) -> Tuple[Timed, Timed]:
    def answer(question: Any) -> Any:
        return result

    observed = observe()(answer)

    def record(count: int) -> None:
        for _ in range(count):
            observed(given)

    def bare(count: int) -> None:
        for _ in range(count):
            json.dumps(given)
            json.dumps(answer(given))

    return record, bare


def block(given: Any, result: Any) -> Tuple[Timed, Timed]:
    client = get_client()

    def answer(question: Any) -> Any:
        return result

    def record(count: int) -> None:
        for _ in range(count):
            with client.start_as_current_observation(name="answer", input=given) as observation:
                observation.update(output=answer(given))

    def bare(count: int) -> None:
        for _ in range(count):
            json.dumps(given)
            json.dumps(answer(given))

    return record, bare


def seconds(timed: Timed, count: int) -> float:
    began = time.perf_counter()
    timed(count)
    return time.perf_counter() - began


def show(**members: Any) -> None:
    print(json.dumps(members), flush=True)


def bench_cost(name: str, payload: str, pair: Tuple[Timed, Timed], runs: int, calls: int) -> None:
    record, bare = pair
    record(calls // 10)
    bare(calls // 10)
    ratios: List[float] = []
    recorded_us: List[float] = []
    bare_us: List[float] = []
    count = max(1, calls // ROUND_COUNT)
    for _ in range(runs):
        get_client().flush()
        spent = [0.0, 0.0]
        for _ in range(ROUND_COUNT):
            spent[0] += seconds(record, count)
            spent[1] += seconds(bare, count)
        ratios.append(spent[0] / spent[1])
        recorded_us.append(spent[0] / ROUND_COUNT / count * 1e6)
        bare_us.append(spent[1] / ROUND_COUNT / count * 1e6)
    show(
        bench="python cost",
        case=name,
        payload=payload,
        recorded_us=round(statistics.median(recorded_us), 2),
        bare_us=round(statistics.median(bare_us), 2),
        ratio=round(statistics.median(ratios), 2),
        ratio_min=round(min(ratios), 2),
        ratio_max=round(max(ratios), 2),
        ratio_limit=LIMIT_RATIO,
    )


# ---------------------------------------------------------------------------------------- loop

# Holds the lock of every commit of the file for a while, again and again, with LMDB's own library.
SLOW_DISK = """
import ctypes, sys, time
lmdb = ctypes.CDLL("liblmdb.so.0")
path, hold_s, pause_s = sys.argv[1].encode(), float(sys.argv[2]), float(sys.argv[3])
env, txn = ctypes.c_void_p(), ctypes.c_void_p()
def check(code):
    if code: raise SystemExit(f"LMDB: {code}")
check(lmdb.mdb_env_create(ctypes.byref(env)))
check(lmdb.mdb_env_set_maxdbs(env, 64))
NOSUBDIR = 0x4000
check(lmdb.mdb_env_open(env, path, NOSUBDIR, 0o644))
print("ready", flush=True)
while True:
    check(lmdb.mdb_txn_begin(env, None, 0, ctypes.byref(txn)))
    time.sleep(hold_s)
    lmdb.mdb_txn_abort(txn)
    time.sleep(pause_s)
"""


class Measured:
    """Seconds, of one run of a loop."""

    def __init__(self) -> None:
        self.lateness: List[float] = []  # of a task that sleeps a millisecond at a time
        self.blocked: List[float] = []  # by each call that records
        self.calls = 0


async def measured_loop(
    client: Langfuse, duration_s: float, task_count: int, given: Any, records: bool
) -> Measured:
    found = Measured()
    now = time.perf_counter
    deadline = now() + duration_s

    async def work() -> None:
        while now() < deadline:
            if records:
                began = now()
                observation = client.start_observation(name="answer", input=given)
                found.blocked.append(now() - began)
                await asyncio.sleep(0.02)
                began = now()
                observation.update(output=given).end()
                found.blocked.append(now() - began)
            else:
                await asyncio.sleep(0.02)
            found.calls += 1

    async def watch() -> None:
        while now() < deadline:
            wanted = now() + 0.001
            await asyncio.sleep(0.001)
            found.lateness.append(now() - wanted)

    await asyncio.gather(watch(), *(work() for _ in range(task_count)))
    return found


def of_rank_ms(values: List[float], share: float) -> Optional[float]:
    if not values:
        return None
    ranked = sorted(values)
    return round(ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000, 3)


def bench_loop(folder: Path, duration_s: float, hold_s: float) -> None:
    given = messages("assistant")
    path = folder / "loop.tl"
    client = Langfuse(path=path)
    client.start_observation(name="warm").end()
    client.flush()
    for case, records, is_slow in (
        ("nothing recorded", False, False),
        ("recorded", True, False),
        ("recorded, slow disk", True, True),
    ):
        slow = None
        if is_slow:
            slow = subprocess.Popen(
                [sys.executable, "-c", SLOW_DISK, str(path), str(hold_s), str(hold_s / 10)],
                stdout=subprocess.PIPE,
            )
            assert slow.stdout is not None
            if not slow.stdout.readline():
                show(note="the slow disk cannot be simulated: no liblmdb.so.0", case=case)
                continue
        try:
            found = asyncio.run(measured_loop(client, duration_s, 20, given, records))
        finally:
            if slow is not None:
                slow.kill()
                slow.communicate()
        show(
            bench="python loop",
            case=case,
            commit_hold_ms=hold_s * 1000 if is_slow else 0,
            calls=found.calls,
            blocked_p50_ms=of_rank_ms(found.blocked, 0.5),
            blocked_p999_ms=of_rank_ms(found.blocked, 0.999),
            blocked_max_ms=of_rank_ms(found.blocked, 1),
            limit_p999_ms=LIMIT_BLOCKED_MS,
            lateness_p50_ms=of_rank_ms(found.lateness, 0.5),
            lateness_p999_ms=of_rank_ms(found.lateness, 0.999),
        )
    client.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tracelite-bench python")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each case of the loop")
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    show(note=f"Python {sys.version.split()[0]}, load average {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="tracelite-bench-") as name:
        folder = Path(name)
        client = Langfuse(path=folder / "cost.tl")
        for payload, given, result in (
            ("messages", messages("user"), messages("assistant")),
            ("text", text(), text()),
        ):
            for case, pair in (("observe", observed_call), ("block", block)):
                timed = pair(given, result)
                bench_cost(case, payload, timed, options.runs, options.calls)
                with client.start_as_current_observation(name="above"):
                    bench_cost(case + ", nested", payload, timed, options.runs, options.calls)
        client.shutdown()
        if options.seconds:
            bench_loop(folder, options.seconds, 0.5)


if __name__ == "__main__":
    main()
