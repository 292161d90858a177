#!/usr/bin/env python3
"""Where the processor time of durable recording goes, by part, as lines of JSON.

    ./dev build release tracelite-bench && tests/bench/ingest_parts.py [ARG..]

Runs `tracelite-bench ingest --runs 1 ARG..` under perf, and sorts the samples of tracelite's writer
threads by the function that they were in. The library knows nothing of it. What a thread waits for,
such as a sync, is no processor time, and is not in it.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).parents[2] / "build/release/bin/tracelite-bench"

# The first that matches "library function" counts.
PARTS = {
    "compressing": r"^libzstd",
    "index": r"^libsqlite3|tracelite::index::",
    "commit": r"^liblmdb|^\[|tracelite::store::",
    "hashing": r"^libxxhash|^libcrypto|XXH",
    "splitting": r"tracelite::payload::(split|\S*[Ss]plitter)",
    "comparing": r"memcmp|common_prefix|common_suffix|tracelite::payload::\S*(Encoder|Recipe|Group)",
    "media": r"tracelite::payload::\S*media|MediaBatch",
    "copying": r"memmove|memcpy",
    "memory": r"malloc|free|realloc|calloc|unlink_chunk|operator (new|delete)|memset",
    "joining and records": r"tracelite::(model|record|ingest)::",
}


def part_of(library: str, function: str) -> str:
    for part, pattern in PARTS.items():
        if re.search(pattern, f"{library} {function}"):
            return part
    return "other"


def main() -> None:
    samples: dict[int, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as folder:
        record = ["perf", "record", "--quiet", "-F", "1999", "-o", f"{folder}/perf.data"]
        bench = [str(BENCH), "ingest", "--runs", "1", *sys.argv[1:]]
        subprocess.run(record + bench, check=True, stdout=subprocess.DEVNULL)
        listing = subprocess.run(
            ["perf", "script", "-i", f"{folder}/perf.data", "-F", "comm,pid,tid,ip,sym,dso"],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout
    for line in listing.splitlines():
        found = re.match(r"tracelite-bench\s+(\d+)/(\d+)\s+[0-9a-f]+ (.*) \((.*)\)$", line.strip())
        # The main thread records, and does everything for SQLite.
        if found and found[1] != found[2]:
            library = pathlib.PurePath(found[4]).name if found[4][0] == "/" else found[4]
            samples[int(found[2])][part_of(library, found[3])] += 1
    names = ["a flush behind each batch", "one flush at the end"]
    for name, parts in zip(names, [samples[thread] for thread in sorted(samples)]):
        shares = {part: round(count / parts.total(), 3) for part, count in parts.most_common()}
        print(json.dumps({"bench": f"ingest parts, {name}", "samples": parts.total(), **shares}))


if __name__ == "__main__":
    main()
