"""Reads what llvm-cov exports as lcov, and says for each room and file of lib/ how many of its lines
and branches were run; below each file the lines that were not, and those of which a branch was not
taken, as ranges. Then why lines were not run, by tests/not_covered.txt, with how many of them each of
its patterns explains; which have no reason; and which patterns explain nothing, and should go."""

import re
import sys
from collections import Counter, defaultdict
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


def runs(numbers: list[int]) -> list[list[int]]:
    """Those that follow one another."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][-1] == number - 1:
            found[-1].append(number)
        else:
            found.append([number])
    return found


def ranges(numbers: list[int]) -> str:
    return " ".join(
        str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs(numbers)
    )


@dataclass
class Pattern:
    text: str
    line: int  # of the file that has it
    reason: str
    fits: re.Pattern[str]
    explained: Counter[str] = field(default_factory=Counter)  # lines, by file

    def told(self) -> str:
        total = f"{sum(self.explained.values()):5}  {self.text}"
        if not self.text.startswith(":"):
            return total
        return f"{total}  ({', '.join(f'{name} {n}' for name, n in self.explained.most_common())})"


def read_patterns(path: Path) -> list[Pattern]:
    patterns: list[Pattern] = []
    reason = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("  "):
            text = line.strip()
            file, _, code = text.partition(": ") if text[0] != ":" else ("", "", text[2:])
            where = re.escape(file) if file else r"\S+"
            patterns.append(Pattern(text, number, reason, re.compile(f"{where}: {code}")))
        elif line and not line.startswith("#"):
            reason = line
    return patterns


def explain(files: dict[str, File], patterns: list[Pattern]) -> list[str]:
    """Counts what each pattern explains; returns the lines that none does."""
    unexplained: list[str] = []
    for name in sorted(files):
        text = (Path("lib") / name).read_text().splitlines()
        for run in runs([line for line, was_run in files[name].lines.items() if not was_run]):
            said = [f"{name}: {text[number - 1].strip()}" for number in run]
            # A brace says nothing, unless it stands alone.
            said = [line for line in said if not line.endswith(": }")] or said
            fitting = (one for line in said for one in patterns if one.fits.match(line))
            pattern = next(fitting, None)
            if pattern:
                pattern.explained[name] += len(run)
            else:
                unexplained += [f"{name}:{n}: {text[n - 1].strip()}" for n in run]
    return unexplained


def tell_reasons(patterns: list[Pattern], unexplained: list[str]) -> None:
    reasons: Counter[str] = Counter({"without a reason": len(unexplained)})
    for pattern in patterns:
        reasons[pattern.reason] += sum(pattern.explained.values())
    print("lines that are not run:")
    for reason, count in reasons.most_common():
        print(f"{count:5}  {reason}")
        of_reason = [one for one in patterns if one.reason == reason and one.explained]
        for pattern in sorted(of_reason, key=lambda one: -sum(one.explained.values())):
            print(f"         {pattern.told()}")
        if reason == "without a reason":
            for line in unexplained:
                print(f"         {line}")
    for pattern in patterns:
        if not pattern.explained:
            print(f"explains nothing: tests/not_covered.txt:{pattern.line}: {pattern.text}")


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
    patterns = read_patterns(Path("tests/not_covered.txt"))
    tell_reasons(patterns, explain(files, patterns))


if __name__ == "__main__":
    main()
