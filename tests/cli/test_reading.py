"""Lists, trees, replays and statistics, for people and as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import struct
import subprocess
import termios
import time
import unittest
from fcntl import ioctl

import day
from program import PROGRAM, Json, ProgramTest, clock, event


class ReadingTest(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.import_lines(*day.events())

    def ids(self, *arguments: str) -> list[str]:
        return [row["id"] for row in self.rows(*arguments)]


class Lists(ReadingTest):
    def test_trace_has_the_fields_of_the_public_api(self) -> None:
        row = self.rows("traces", "day.tl", "--user", "ada", "--session", "morning")[0]
        expected: Json = {
            "id": "trace-1",
            "timestamp": clock(0),
            "name": "question",
            "userId": "ada",
            "sessionId": "morning",
            "release": "1.0",
            "version": "v1",
            "environment": "production",
            "tags": ["blue", "red"],
            "public": False,
            "bookmarked": False,
            "latency": 5,
            "totalCost": 0.0015,
            "countObservations": 3,
            "countScores": 1,
            "countError": 1,
            "totalTokens": 120,
        }
        self.assertEqual(expected, {key: row.get(key) for key in expected})
        self.assertNotIn("input", row)

    def test_payloads_come_when_asked_for(self) -> None:
        row = self.rows("traces", "day.tl", "--io", "--release", "1.0")[0]
        self.assertEqual("why?", row["input"])
        self.assertEqual({"answer": "because"}, row["output"])
        self.assertEqual({"plan": "pro", "seats": 3}, row["metadata"])
        self.fail_with("--json", "traces", "day.tl", "--io", code=2)
        for kind in ("traces", "observations"):
            whole = self.rows(kind, "day.tl", "--io")
            for row, full in zip(self.rows(kind, "day.tl", "--previews"), whole):
                self.assertNotIn("input", row)
                for field in ("input", "output"):
                    preview = row[f"{field}Preview"]
                    if isinstance(full[field], str):
                        self.assertIn(preview, (full[field][:200], json.dumps(full[field])[:200]))
                    elif full[field] is None:
                        self.assertIsNone(preview)

    def test_observation_has_the_fields_of_the_public_api(self) -> None:
        row = self.rows("observations", "day.tl", "--type", "generation", "--io")[0]
        self.assertEqual(
            {
                "id": "generation",
                "traceId": "trace-1",
                "parentObservationId": "agent",
                "type": "GENERATION",
                "name": "answer",
                "startTime": clock(2),
                "endTime": clock(4, "250"),
                "completionStartTime": clock(3),
                "level": "DEFAULT",
                "statusMessage": None,
                "version": None,
                "environment": "production",
                "model": "example-model",
                "modelParameters": {"temperature": 0.5},
                "usageDetails": {"input": 100, "output": 20},
                "costDetails": {"input": 0.001, "output": 0.0005},
                "promptName": "greeting",
                "promptVersion": 7,
                "input": {"q": "why?"},
                "output": "because",
                "metadata": None,
                "latency": 2.25,
            },
            row,
        )

    def test_score_has_the_fields_of_the_public_api(self) -> None:
        rows = {row["id"]: row for row in self.rows("scores", "day.tl")}
        self.assertEqual(
            {
                "id": "score-1",
                "traceId": "trace-1",
                "observationId": "generation",
                "sessionId": None,
                "name": "quality",
                "value": 0.75,
                "stringValue": None,
                "dataType": "NUMERIC",
                "source": "API",
                "comment": "fine",
                "configId": None,
                "environment": "production",
                "timestamp": clock(7),
                "authorUserId": None,
            },
            rows["score-1"],
        )
        self.assertEqual("good", rows["score-2"]["stringValue"])
        self.assertEqual("CATEGORICAL", rows["score-2"]["dataType"])
        self.assertEqual("evening", rows["score-3"]["sessionId"])

    def test_sessions_and_groups_have_their_sums(self) -> None:
        sessions = {row["id"]: row for row in self.rows("sessions", "day.tl")}
        self.assertEqual({"morning", "evening"}, set(sessions))
        morning = sessions["morning"]
        self.assertEqual(2, morning["countTraces"])
        self.assertEqual(5, morning["countObservations"])
        self.assertEqual(2, morning["countScores"])
        self.assertEqual(0.0015, morning["totalCost"])
        self.assertEqual(1, morning["countUnfinished"])
        self.assertEqual("production", morning["environment"])
        self.assertIs(False, morning["bookmarked"])

        def counts(command: str, key: str) -> dict[str, int]:
            return {row[key]: row["countTraces"] for row in self.rows(command, "day.tl")}

        self.assertEqual({"ada": 2, "bob": 1}, counts("users", "userId"))
        self.assertEqual({"red": 1, "blue": 2}, counts("tags", "tag"))
        self.assertEqual({"production": 1, "default": 2}, counts("environments", "environment"))
        self.assertEqual({"example-model": 1}, counts("models", "model"))
        days = self.rows("days", "day.tl")
        self.assertEqual(
            len(self.rows("observations", "day.tl")),
            sum(day["countObservations"] for day in days),
        )
        of_model = [day for day in days if day["model"] == "example-model"]
        self.assertEqual(1, len(of_model))
        self.assertRegex(of_model[0]["date"], r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
        self.assertIn(of_model[0]["date"], self.succeed("days", "day.tl").out)
        self.assertEqual(
            {"agent", "answer", "look up", "fetch", "cache miss"},
            {row["name"] for row in self.rows("names", "day.tl")} - {None, ""},
        )

    def test_each_option_selects(self) -> None:
        for options, expected in [
            (["--session", "morning"], ["trace-1", "trace-2"]),
            (["--user", "ada"], ["trace-1", "trace-3"]),
            (["--tag", "blue"], ["trace-1", "trace-2"]),
            (["--tag", "blue", "--tag", "red"], ["trace-1"]),
            (["--environment", "production"], ["trace-1"]),
            (["--name", "question"], ["trace-1", "trace-2"]),
            (["--release", "1.0"], ["trace-1"]),
            (["--version", "v1"], ["trace-1"]),
            (["--level", "warning"], ["trace-2"]),
            (["--type", "TOOL"], ["trace-1"]),
            (["--model", "example-model"], ["trace-1"]),
            (["--metadata", "plan"], ["trace-1", "trace-2"]),
            (["--metadata", "plan=free"], ["trace-2"]),
            (["--metadata", "seats=3"], ["trace-1"]),
            (["--trace", "trace-3"], ["trace-3"]),
            (["--from", clock(60)], ["trace-2", "trace-3"]),
            (["--to", clock(60)], ["trace-1"]),
            (["--from", "2026-03-01T13:01:00+01:00", "--to", clock(120)], ["trace-2"]),
            (["--from", "2026-03-02"], []),
            (["--session", ""], []),
        ]:
            with self.subTest(options=options):
                self.assertEqual(expected, sorted(self.ids("traces", "day.tl", *options)))

    def test_order_is_by_the_field_asked_for(self) -> None:
        newest_first = ["trace-3", "trace-2", "trace-1"]
        self.assertEqual(newest_first, self.ids("traces", "day.tl"))
        self.assertEqual(newest_first[::-1], self.ids("traces", "day.tl", "--order", "time.asc"))
        self.assertEqual("trace-1", self.ids("traces", "day.tl", "--order", "cost")[0])
        self.assertEqual("trace-1", self.ids("traces", "day.tl", "--order", "tokens")[0])

    def test_tables_name_what_they_show(self) -> None:
        table = self.succeed("traces", "day.tl").out.splitlines()
        self.assertEqual(4, len(table))
        self.assertEqual("TIME", table[0].split()[0])
        self.assertIn("2026-03-01 12:02:00", table[1])
        self.assertTrue(table[1].endswith("trace-3"))
        self.assertRegex(table[3], r"question +morning +ada +5.0 s +3 +120 +\$0.0015 +1 error")
        for command in [
            "observations",
            "scores",
            "sessions",
            "users",
            "tags",
            "environments",
        ]:
            with self.subTest(command=command):
                self.assertGreater(len(self.succeed(command, "day.tl").out.splitlines()), 1)
        self.assertIn("answer", self.succeed("names", "day.tl").out)
        self.assertIn("example-model", self.succeed("models", "day.tl").out)

    def test_a_list_of_nothing_is_empty(self) -> None:
        self.assertEqual("", self.succeed("traces", "day.tl", "--user", "nobody").out)
        self.assertEqual([], self.rows("traces", "day.tl", "--user", "nobody"))


class Pages(ProgramTest):
    def test_pages_are_complete_while_rows_are_added(self) -> None:
        def trace(number: int, second: int) -> Json:
            return event("trace-create", {"id": f"t{number:03d}", "timestamp": clock(second)})

        self.import_lines(*[trace(number, 60 + number // 3) for number in range(100)])
        seen: list[str] = []
        position = ""
        for page in range(100):
            more = ["--after", position] if position else []
            result = self.succeed("traces", "day.tl", "--limit", "7", "--json", *more)
            seen += [row["id"] for row in result.rows()]
            position = result.position()
            if not position:
                break
            # One that is newer than all, and one that was listed already.
            self.import_lines(trace(500 + page, 1000 + page), trace(99, 93))
        self.assertEqual([f"t{n:03d}" for n in range(100)], sorted(seen))
        self.assertEqual(100, len(seen))

    def test_the_last_page_tells_no_position(self) -> None:
        self.import_lines(*day.events())
        self.assertEqual("", self.succeed("traces", "day.tl", "--limit", "3").position())
        self.assertNotEqual("", self.succeed("traces", "day.tl", "--limit", "2").position())

    def test_a_position_of_another_list_is_refused(self) -> None:
        self.import_lines(*day.events())
        position = self.succeed("traces", "day.tl", "--limit", "1").position()
        self.fail_with("position", "observations", "day.tl", "--after", position)
        self.fail_with("position", "traces", "day.tl", "--after", "nonsense")


class Trees(ReadingTest):
    def test_a_trace_is_a_tree_for_people(self) -> None:
        lines = self.succeed("trace", "day.tl", "trace-1").out.splitlines()
        tree = [line for line in lines if re.search(r"[├└]─ ", line)]
        self.assertEqual(1, sum("└─ AGENT agent  5.0 s" in line for line in tree))
        self.assertIn("   ├─ GENERATION answer example-model  2.2 s  100 → 20 tok  $0.0015", tree)
        self.assertIn("   └─ TOOL look up  1.0 s  ERROR  not found", tree)
        text = "\n".join(lines)
        self.assertIn('out {"answer": "because"}', text)
        self.assertIn("★ quality 0.75  fine", text)

    def test_what_never_ended_is_marked(self) -> None:
        text = self.succeed("trace", "day.tl", "trace-2").out
        self.assertIn("└─ SPAN fetch  ◌ unfinished\n", text)
        self.assertIn("└─ EVENT cache miss  WARNING\n", text)
        self.assertEqual(1, text.count("unfinished"))

    def test_json_is_one_object(self) -> None:
        trace = self.succeed("trace", "day.tl", "trace-1", "--json").row()
        self.assertEqual("trace-1", trace["id"])
        self.assertEqual("why?", trace["input"])
        ids = [observation["id"] for observation in trace["observations"]]
        self.assertEqual(["agent", "generation", "tool"], ids)
        self.assertEqual("because", trace["observations"][1]["output"])
        self.assertEqual(["score-1"], [score["id"] for score in trace["scores"]])

    def test_a_deep_tree_is_shown_to_its_end(self) -> None:
        depth = 10_000
        self.import_lines(
            *[
                event(
                    "span-create",
                    {
                        "id": f"s{level}",
                        "traceId": "deep",
                        "parentObservationId": f"s{level - 1}" if level else None,
                        "startTime": clock(0),
                    },
                )
                for level in range(depth)
            ]
        )
        result = self.succeed("trace", "day.tl", "deep")
        self.assertEqual(depth, result.out.count("SPAN"))
        self.assertIn("10,000", result.out)
        self.assertLess(max(map(len, result.out.splitlines())), 200)
        row = self.succeed("trace", "day.tl", "deep", "--json").row()
        self.assertEqual(depth, len(row["observations"]))


class Replays(ReadingTest):
    def test_steps_are_in_the_order_of_time(self) -> None:
        steps = self.rows("replay", "day.tl", "morning")
        times = [step["at"] for step in steps]
        self.assertEqual(sorted(times), times)
        names = [
            (step["phase"], (step.get("observation") or step["trace"])["id"]) for step in steps
        ]
        self.assertEqual(("begin", "trace-1"), names[0])
        self.assertLess(names.index(("begin", "agent")), names.index(("begin", "generation")))
        self.assertLess(names.index(("end", "generation")), names.index(("begin", "tool")))
        self.assertIn(("point", "point"), names)
        self.assertNotIn(("end", "hanging"), names)
        self.assertTrue(all(step["wait"] >= 0 for step in steps))
        begin = steps[names.index(("begin", "generation"))]["observation"]
        self.assertEqual({"q": "why?"}, begin["input"])
        self.assertNotIn("output", begin)
        self.assertEqual(
            "because",
            steps[names.index(("end", "generation"))]["observation"]["output"],
        )

    def test_people_see_begins_and_ends(self) -> None:
        lines = self.succeed("replay", "day.tl", "morning").out.splitlines()
        self.assertIn("session morning", lines[0])
        begin = next(at for at, line in enumerate(lines) if "▶ GENERATION answer" in line)
        end = next(at for at, line in enumerate(lines) if "■ GENERATION answer" in line)
        self.assertLess(begin, end)
        self.assertIn('in  {"q": "why?"}', lines[begin + 1])
        self.assertIn("out because", lines[end + 1])
        self.assertIn("0:02.000", lines[begin])
        self.assertTrue(any("▶ SPAN fetch  ◌ unfinished" in line for line in lines))
        self.assertTrue(any("● EVENT cache miss" in line for line in lines))

    def test_waits_are_as_long_as_asked_for(self) -> None:
        def seconds(*options: str) -> float:
            began = time.monotonic()
            self.succeed("replay", "day.tl", "evening", *options)
            return time.monotonic() - began

        self.assertGreater(seconds("--speed", "4"), 0.4)  # 2 seconds at this pace
        # 200 seconds, did the pause not end before.
        self.assertLess(seconds("--speed", "0.01", "--max-gap", "0.01"), 60)
        self.fail_with("--speed", "replay", "day.tl", "evening", "--speed", "0", code=2)


class Terminal(ReadingTest):
    def on_terminal(self, columns: int, *arguments: str) -> list[str]:
        """The lines that a terminal so wide gets, with their colours."""
        reader, writer = pty.openpty()
        ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        with subprocess.Popen(
            [PROGRAM, *arguments],
            stdout=writer,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={**environment, "TERM": "xterm", "TZ": "UTC"},
        ) as process:
            os.close(writer)
            got = b""
            while True:
                try:
                    piece = os.read(reader, 65536)
                except OSError:  # the other end is closed
                    break
                if not piece:
                    break
                got += piece
            os.close(reader)
            self.assertEqual(0, process.wait())
        return got.decode().replace("\r\n", "\n").splitlines()

    def test_lines_fit_the_width(self) -> None:
        self.import_lines(
            event(
                "trace-create",
                {
                    "id": "wide",
                    "name": "静かな宿を探してください" * 5,
                    "sessionId": "s" * 150,
                    "userId": "u" * 150,
                    "timestamp": clock(300),
                    "input": "長い" * 500,
                },
            )
        )
        wide = "静かな宿を探してくださいs長い"
        for columns in [40, 80, 120, 200]:
            for command in [["traces", "day.tl"], ["trace", "day.tl", "wide"]]:
                for line in self.on_terminal(columns, *command):
                    plain = re.sub("\x1b\\[[0-9;]*m", "", line)
                    width = sum(2 if c in wide.replace("s", "") else 1 for c in plain)
                    self.assertLessEqual(width, columns, f"{command}: {plain}")

    def test_colours_are_for_terminals_that_want_them(self) -> None:
        self.assertTrue(any("\x1b[" in line for line in self.on_terminal(80, "traces", "day.tl")))
        self.assertNotIn("\x1b[", self.succeed("traces", "day.tl").out)

    def test_text_cannot_steer_the_terminal(self) -> None:
        self.import_lines(
            event(
                "trace-create",
                {"id": "evil", "name": "a\x1b[31mb\x07\u202ec\nd", "input": "\x9b"},
            )
        )
        result = self.succeed("traces", "day.tl", "--trace", "evil")
        self.assertIn("a[31mbc d", result.out)
        self.assertNotRegex(result.out, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


class Keeping(ReadingTest):
    def test_statistics(self) -> None:
        stats = self.succeed("stats", "day.tl", "--json").row()
        expected = {
            "traces": 3,
            "observations": 6,
            "scores": 3,
            "sessions": 2,
            "users": 2,
        }
        self.assertEqual(expected, {key: stats[key] for key in expected})
        self.assertEqual((self.folder / "day.tl").stat().st_size, stats["fileBytes"])
        self.assertGreater(stats["payloadBytes"], 0)
        self.assertTrue(all(count == 0 for count in stats["counters"].values()))
        shown = self.succeed("stats", "day.tl").out
        self.assertRegex(shown, r"(?m)^observations +6$")
        self.assertRegex(shown, rf"(?m)^commit +{stats['commit']}$")

    def test_check_and_reindex(self) -> None:
        self.assertEqual("ok\n", self.succeed("check", "day.tl").out)
        self.assertEqual(
            {"ok": True, "findings": 0}, self.succeed("check", "day.tl", "--json").row()
        )
        before = [
            self.rows(command, "day.tl") for command in ["traces", "observations", "sessions"]
        ]
        self.succeed("reindex", "day.tl")
        after = [self.rows(command, "day.tl") for command in ["traces", "observations", "sessions"]]
        self.assertEqual(before, after)
        self.assertEqual("ok\n", self.succeed("check", "day.tl").out)

    def test_compact_and_backup(self) -> None:
        commands = ["traces", "observations", "sessions", "scores"]
        before = [self.rows(command, "day.tl") for command in commands]
        self.assertEqual("copied to day.bak\n", self.succeed("backup", "day.tl", "day.bak").out)
        sizes = self.succeed("compact", "day.tl", "--json").row()
        self.assertEqual((self.folder / "day.tl").stat().st_size, sizes["fileBytes"])
        self.assertLessEqual(sizes["fileBytes"], sizes["fileBytesBefore"])
        for name in ["day.tl", "day.bak"]:
            self.assertEqual(before, [self.rows(command, name) for command in commands])
            self.assertEqual("ok\n", self.succeed("check", name).out)
        self.assertRegex(self.succeed("compact", "day.bak").out, r"^[\d.]+ \w+ -> [\d.]+ \w+\n$")
        names = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual([], [name for name in names if "-" in name])
        self.fail_with("exists", "backup", "day.tl", "day.bak")

    def test_space_adds_up_to_the_file(self) -> None:
        lines = self.rows("stats", "day.tl", "--space")
        size_bytes = (self.folder / "day.tl").stat().st_size
        self.assertEqual(size_bytes, sum(line["bytes"] for line in lines))
        self.assertIn("trace", {line.get("table") for line in lines})
        shown = self.succeed("stats", "day.tl", "--space").out
        self.assertIn("page: trace", shown)
        self.assertRegex(shown, r"the file +" + f"{size_bytes:,}" + r" +100\.0 %\n$")

    def test_damage_is_found(self) -> None:
        path = self.folder / "day.tl"
        content = bytearray(path.read_bytes())
        # A name that the index holds; what compresses is not in the file as it is.
        self.assertIn(b"morning", content)
        path.write_bytes(content.replace(b"morning", b"mourned"))
        result = self.run_program("check", "day.tl")
        self.assertEqual(1, result.code)
        self.assertTrue(result.err.startswith("tracelite: "), result.err)
        self.assertNotIn("ok", result.out.splitlines())

    def test_flags_come_and_go(self) -> None:
        def session() -> Json:
            return next(row for row in self.rows("sessions", "day.tl") if row["id"] == "morning")

        def trace() -> Json:
            return self.rows("traces", "day.tl", "--trace", "trace-1")[0]

        for kind, entity_id, read in [
            ("session", "morning", session),
            ("trace", "trace-1", trace),
        ]:
            for command, field, value in [
                ("bookmark", "bookmarked", True),
                ("publish", "public", True),
                ("unbookmark", "bookmarked", False),
                ("unpublish", "public", False),
            ]:
                with self.subTest(kind=kind, command=command):
                    before = read()
                    self.assertIn(entity_id, self.succeed(command, "day.tl", kind, entity_id).out)
                    self.assertEqual({**before, field: value}, read())
        self.assertEqual(
            {"id": "morning", "bookmarked": True},
            self.succeed("bookmark", "day.tl", "session", "morning", "--json").row(),
        )

    def test_version(self) -> None:
        self.assertRegex(self.succeed("version").out, r"^tracelite \d+\.\d+\.\d+\n$")
        self.assertIn("version", self.succeed("version", "--json").row())


class Errors(ReadingTest):
    def test_a_read_creates_nothing(self) -> None:
        for command in [
            ["traces", "none.tl"],
            ["trace", "none.tl", "x"],
            ["replay", "none.tl", "x"],
            ["export", "none.tl"],
            ["stats", "none.tl"],
            ["check", "none.tl"],
            ["reindex", "none.tl"],
            ["bookmark", "none.tl", "trace", "x"],
        ]:
            with self.subTest(command=command):
                self.fail_with("none.tl", *command)
                self.assertEqual(["day.tl"], self.files())

    def test_what_is_no_tracelite_file_is_left_alone(self) -> None:
        foreign = self.folder / "notes.txt"
        foreign.write_text("dear diary\n" * 1000)
        for command in [["traces", "notes.txt"], ["import", "notes.txt", "-"]]:
            self.fail_with("not a tracelite file", *command)
        self.assertEqual("dear diary\n" * 1000, foreign.read_text())
        (self.folder / "folder").mkdir()
        self.fail_with("folder", "traces", "folder")
        self.fail_with("folder", "import", "day.tl", "folder")
        self.assertEqual(["day.tl", "folder", "notes.txt"], self.files())

    def test_a_truncated_file_is_refused(self) -> None:
        content = (self.folder / "day.tl").read_bytes()
        for size in [100, 4096, 3 * 4096, len(content) - 4096]:
            (self.folder / "cut.tl").write_bytes(content[:size])
            with self.subTest(size=size):
                result = self.run_program("check", "cut.tl")
                self.assertEqual(1, result.code)
                self.assertTrue(result.err.startswith("tracelite: "), result.err)

    def test_an_unknown_id_is_told(self) -> None:
        self.fail_with("nobody", "trace", "day.tl", "nobody")
        self.fail_with("nobody", "replay", "day.tl", "nobody")
        self.fail_with("nobody", "bookmark", "day.tl", "trace", "nobody")
        self.fail_with("nobody", "publish", "day.tl", "session", "nobody")

    def test_a_wrong_command_line_exits_with_2(self) -> None:
        commands: list[list[str]] = [
            [],
            ["nonsense"],
            ["traces"],
            ["traces", "day.tl", "--level", "LOUD"],
            ["traces", "day.tl", "--type", "THING"],
            ["traces", "day.tl", "--limit", "many"],
            ["traces", "day.tl", "--order", "beauty"],
            ["traces", "day.tl", "--from", "yesterday"],
            ["traces", "day.tl", "--from", "2026-02-31"],
            ["bookmark", "day.tl", "user", "ada"],
        ]
        for arguments in commands:
            with self.subTest(arguments=arguments):
                self.fail_with("--help", *arguments, code=2)

    def test_help_tells_the_exit_codes(self) -> None:
        self.assertIn("Exit codes", self.succeed("--help").out)
        self.assertIn("--metadata", self.succeed("traces", "--help").out)

    def test_a_reader_that_goes_away_is_no_error(self) -> None:
        self.import_lines(
            *[event("trace-create", {"id": f"t{n}", "name": "x" * 500}) for n in range(2000)]
        )
        for command in ["traces", "export"]:
            with subprocess.Popen(
                [PROGRAM, command, "day.tl"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.folder,
            ) as process:
                assert process.stdout is not None and process.stderr is not None
                process.stdout.readline()
                process.stdout.close()
                self.assertEqual(b"", process.stderr.read())
                self.assertEqual(-13, process.wait())
        self.assertEqual(["day.tl"], self.files())


class Demo(ProgramTest):
    def test_a_session_is_recorded_and_shown(self) -> None:
        result = self.succeed("demo")
        self.assertEqual(["tracelite-demo.tl"], self.files())
        for expected in [
            "kyoto-trip",
            "▶ ",
            "■ ",
            "└─ ",
            "unfinished",
            "ERROR",
            "★ ",
            "Try next",
        ]:
            self.assertIn(expected, result.out)
        unfinished = [
            row["name"]
            for row in self.rows("observations", "tracelite-demo.tl")
            if row["endTime"] is None and row["type"] != "EVENT"
        ]
        self.assertEqual(["write-mail"], unfinished)
        mail = self.rows("observations", "tracelite-demo.tl", "--name", "write-mail", "--io")[0]
        self.assertEqual("Dear Ada, your room at Yoshimizu is", mail["output"])
        self.assertEqual("ok\n", self.succeed("check", "tracelite-demo.tl").out)

    def test_nothing_is_overwritten(self) -> None:
        self.succeed("demo")
        self.succeed("demo")
        self.assertEqual(["tracelite-demo-2.tl", "tracelite-demo.tl"], self.files())
        self.fail_with("exists already", "demo", "tracelite-demo.tl")


if __name__ == "__main__":
    unittest.main()
