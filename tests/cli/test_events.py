"""import and export: what is recorded, what is refused and how that is told."""

from __future__ import annotations

import json
import os
import unittest

import day
from program import Json, ProgramTest, clock, event, joined


class Imports(ProgramTest):
    def test_counts_and_nothing_but_the_file(self) -> None:
        result = self.succeed("import", "day.tl", "-", stdin=joined(*day.events()))
        self.assertEqual("12 events: 12 succeeded, 0 of them with warnings, 0 failed\n", result.out)
        self.assertEqual("", result.err)
        self.assertEqual(["day.tl"], self.files())
        self.assertEqual(0o600, (self.folder / "day.tl").stat().st_mode & 0o777)

    def test_every_shape_of_input(self) -> None:
        events = day.events()
        shapes = {
            "lines.json": joined(*events),
            "array.json": json.dumps(events).encode(),
            "batch.json": b'{"batch":[\n'
            + joined(*events).strip().replace(b"\n", b",\n")
            + b"\n]}",
            "mixed.json": joined(json.dumps({"batch": events[:5]}), json.dumps(events[5:])),
        }
        exports = set()
        for name, content in shapes.items():
            (self.folder / name).write_bytes(content)
            self.succeed("import", f"{name}.tl", name)
            exports.add(self.succeed("export", f"{name}.tl").raw)
        self.succeed("import", "one.tl", "-", stdin=json.dumps(events[0]).encode())
        self.assertEqual(1, len(self.rows("traces", "one.tl")))
        self.assertEqual(1, len(exports))

    def refused(self, *lines: Json | str) -> str:
        """What import says about lines that fail, between two that are good."""
        good = [event("trace-create", {"id": f"good-{number}"}) for number in range(2)]
        result = self.run_program("import", "day.tl", "-", stdin=joined(good[0], *lines, good[1]))
        self.assertEqual(1, result.code, result.err)
        self.assertIn("2 succeeded", result.out)
        self.assertIn(f"{len(lines)} failed", result.out)
        self.assertEqual(2, len(self.rows("traces", "day.tl")))
        self.assertEqual(["day.tl"], self.files())
        return result.err

    def test_half_a_line(self) -> None:
        error = self.refused('{"id":"e","type":"trace-create","body":{"id":"x"')
        self.assertRegex(error, r"^failed: line 2.*JSON")

    def test_missing_id_of_an_event(self) -> None:
        broken = event("trace-create", {"id": "x"})
        del broken["id"]
        self.assertRegex(self.refused(broken), r"^failed: line 2, id: ")

    def test_missing_id_of_a_score(self) -> None:
        error = self.refused(event("score-create", {"id": "x", "name": "n", "value": 1}))
        self.assertRegex(error, r"^failed: line 2, event event-score-create-x-0, \S+: ")

    def test_wrong_types(self) -> None:
        error = self.refused(
            event("trace-create", {"id": 7}),
            event("span-create", {"id": "s", "startTime": "noon"}),
        )
        lines = error.splitlines()
        self.assertRegex(lines[0], r"^failed: line 2, event \S+, (body\.)?id: ")
        self.assertRegex(lines[1], r"^failed: line 3, event \S+, (body\.)?startTime: ")

    def test_unknown_types(self) -> None:
        error = self.refused(event("trace-destroy", {"id": "x"}))
        self.assertRegex(error, r"^failed: line 2, event event-trace-destroy-x-0, type: ")
        self.assertIn("trace-destroy", error)

    def test_failures_as_json(self) -> None:
        result = self.run_program(
            "import",
            "day.tl",
            "-",
            "--json",
            stdin=joined(event("trace-destroy", {"id": "x"})),
        )
        self.assertEqual(1, result.code)
        failure, counts = result.rows()
        self.assertEqual("event-trace-destroy-x-0", failure["id"])
        self.assertEqual((400, 1, "type"), (failure["status"], failure["line"], failure["field"]))
        self.assertEqual(
            {"events": 1, "succeeded": 0, "warned": 0, "failed": 1, "ignored": 0},
            counts,
        )

    def test_repairs_are_warnings_and_counted(self) -> None:
        repairs: list[tuple[str, str, Json]] = [
            ("trace-create", "sessionId", {"id": "a", "sessionId": "s" * 201}),
            ("trace-create", "userId", {"id": "b", "userId": "u" * 201}),
            ("trace-create", "environment", {"id": "c", "environment": "Prod!"}),
            ("trace-create", "tags", {"id": "d", "tags": ["fine", "t" * 201]}),
            (
                "generation-create",
                "usageDetails",
                {"id": "e", "usageDetails": {"input": 1.5}},
            ),
        ]
        lines = [event(kind, body) for kind, _, body in repairs]
        result = self.succeed("import", "day.tl", "-", stdin=joined(*lines))
        self.assertIn("5 succeeded, 5 of them with warnings, 0 failed", result.out)
        warnings = result.err.splitlines()
        self.assertEqual(len(repairs), len(warnings))
        for number, (_, field, _) in enumerate(repairs):
            self.assertRegex(
                warnings[number], rf"^warning: line {number + 1}, event \S+, .*{field}"
            )
        counters = self.succeed("stats", "day.tl", "--json").row()["counters"]
        self.assertEqual(5, sum(counters.values()))
        self.assertEqual([1] * 5, [count for count in counters.values() if count])

    def test_many_warnings_are_summed_up(self) -> None:
        lines = [
            event("trace-create", {"id": f"t{number}", "environment": "Prod!"})
            for number in range(50)
        ]
        result = self.succeed("import", "day.tl", "-", stdin=joined(*lines))
        self.assertEqual(21, len(result.err.splitlines()))
        self.assertIn("30 more warnings", result.err)
        result = self.succeed("import", "all.tl", "-", "--all-warnings", stdin=joined(*lines))
        self.assertEqual(50, len(result.err.splitlines()))

    def test_a_missing_input_creates_nothing(self) -> None:
        self.fail_with("none.json", "import", "day.tl", "none.json")
        self.assertEqual([], self.files())

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_an_input_that_may_not_be_read(self) -> None:
        (self.folder / "secret.json").touch(mode=0)
        self.fail_with("secret.json", "import", "day.tl", "secret.json")


class Exports(ProgramTest):
    def test_import_of_an_export_exports_the_same_bytes(self) -> None:
        self.import_lines(*day.events())
        first = self.succeed("export", "day.tl")
        self.succeed("import", "copy.tl", "-", stdin=first.raw)
        self.assertEqual(first.raw, self.succeed("export", "copy.tl").raw)
        for command in ["traces", "observations", "scores"]:
            rows = self.rows(command, "day.tl", "--io")
            self.assertEqual(rows, self.rows(command, "copy.tl", "--io"))
        self.assertEqual(["copy.tl", "day.tl"], self.files())

    def test_flags_of_sessions_are_exported(self) -> None:
        self.import_lines(*day.events())
        self.succeed("bookmark", "day.tl", "session", "morning")
        export = self.succeed("export", "day.tl").raw
        self.succeed("import", "copy.tl", "-", stdin=export)
        marked = [row["id"] for row in self.rows("sessions", "copy.tl") if row["bookmarked"]]
        self.assertEqual(["morning"], marked)

    def test_a_selection_is_all_that_belongs_to_its_traces(self) -> None:
        self.import_lines(*day.events())
        export = self.succeed("export", "day.tl", "--session", "morning", "--user", "bob")
        ids = {row["body"]["id"] for row in export.rows()}
        self.assertEqual({"trace-2", "hanging", "point", "score-2"}, ids)

    def test_json_is_embedded_as_it_was_written(self) -> None:
        body = '{"id":"t","timestamp":"%s","input":%s}' % (clock(0), day.INPUT)
        (self.folder / "spaced.json").write_text(
            '[{"id":"e","timestamp":"%s","type":"trace-create","body":%s}]' % (clock(0), body)
        )
        self.succeed("import", "day.tl", "spaced.json")
        one_line = day.INPUT.replace("\n", " ")
        listed = self.succeed("traces", "day.tl", "--json", "--io")
        self.assertIn(f'"input":{one_line}', listed.out)
        self.assertEqual(1, len(listed.out.splitlines()))
        self.assertIn(one_line, self.succeed("trace", "day.tl", "t", "--json").out)
        self.assertIn(one_line, self.succeed("export", "day.tl").out)

    def test_bytes_survive(self) -> None:
        self.import_lines(event("trace-create", {"id": "t", "input": {"$bytes": "AP/+"}}))
        row = self.rows("traces", "day.tl", "--io")[0]
        self.assertEqual({"$bytes": "AP/+"}, row["input"])
        self.assertIn("binary data", self.succeed("trace", "day.tl", "t").out)


if __name__ == "__main__":
    unittest.main()
