"""Reads what llvm-cov exports as lcov, and says for each room and file of lib/ how many of its lines
and branches were run; below each file the lines that were not, and those of which a branch was not
taken, as ranges."""

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class File:
    lines: dict[int, bool] = field(default_factory=dict)
    # By line and place in it. The same branch comes once for each template and program.
    branches: dict[tuple[int, str, str], bool] = field(default_factory=dict)


def read(path: Path) -> dict[str, File]:
    files: dict[str, File] = defaultdict(File)
    current = File()
    for text in path.read_text().splitlines():
        kind, _, value = text.partition(":")
        if kind == "SF":
            name = value[value.index("/lib/") + 5 :]
            current = files[name]
        elif kind == "DA":
            number, count = value.split(",")[:2]
            line = int(number)
            current.lines[line] = current.lines.get(line, False) or int(count) > 0
        elif kind == "BRDA":
            number, block, branch, count = value.split(",")
            key = (int(number), block, branch)
            taken = count not in ("-", "0")
            current.branches[key] = current.branches.get(key, False) or taken
    return files


def ranges(numbers: list[int]) -> str:
    said: list[str] = []
    for number in sorted(set(numbers)):
        if said and int(said[-1].split("-")[-1]) == number - 1:
            said[-1] = f"{said[-1].split('-')[0]}-{number}"
        else:
            said.append(str(number))
    return " ".join(said)


def share(files: list[File]) -> str:
    lines = [run for file in files for run in file.lines.values()]
    branches = [taken for file in files for taken in file.branches.values()]
    return (
        f"{len(lines):6} lines {100 * sum(lines) / max(len(lines), 1):6.2f} %"
        f"  {len(branches):6} branches {100 * sum(branches) / max(len(branches), 1):6.2f} %"
    )


def main() -> None:
    files = read(Path(sys.argv[1]))
    rooms: dict[str, list[File]] = defaultdict(list)
    for name, file in files.items():
        rooms[name.split("/")[0]].append(file)
    for name in sorted(files):
        file = files[name]
        print(f"  {name:36} {share([file])}")
        lines = [line for line, run in file.lines.items() if not run]
        branches = [key[0] for key, taken in file.branches.items() if not taken]
        if lines:
            print(f"      lines not run: {ranges(lines)}")
        if set(branches) - set(lines):
            print(f"      branches not taken: {ranges(list(set(branches) - set(lines)))}")
    for room in sorted(rooms):
        print(f"{room:38} {share(rooms[room])}")
    print(f"{'lib':38} {share(list(files.values()))}")


if __name__ == "__main__":
    main()
