"""Following a file on the command line."""

from __future__ import annotations

import json
import select
import signal
import subprocess

from program import PROGRAM, ProgramTest, event


class Tail(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.import_lines(event("trace-create", {"id": "t", "name": "first"}))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [PROGRAM, "tail", "day.tl", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self.environment(),
        )
        self.addCleanup(self.stop, process)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.kill()
        process.communicate()

    def first_line(self, process: subprocess.Popen[bytes]) -> bytes:
        """Records again and again until the program, which takes a while to start, sees it."""
        assert process.stdout is not None
        number = 0
        while not select.select([process.stdout], [], [], 0)[0]:
            number += 1
            body = {"id": f"o{number}", "traceId": "t", "name": "call", "level": "ERROR"}
            self.record(event("span-create", body))
            self.assertIsNone(process.poll())
        return process.stdout.readline()

    def record(self, *lines: object) -> None:
        subprocess.run(
            [PROGRAM, "import", "day.tl", "-"],
            input="\n".join(json.dumps(line) for line in lines).encode(),
            cwd=self.folder,
            env=self.environment(),
            check=True,
            capture_output=True,
        )

    def end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT)
        self.assertEqual(0, process.wait(60))

    def test_what_another_process_records_is_shown(self) -> None:
        process = self.start()
        self.assertIn(b"begin  SPAN call  ERROR  t o", self.first_line(process))
        self.end(process)

    def test_json_has_the_usual_shape_and_filters_hold(self) -> None:
        process = self.start("--json", "--level", "ERROR")
        self.record(event("span-create", {"id": "quiet", "traceId": "t"}))
        row = json.loads(self.first_line(process))
        self.assertEqual("ERROR", row["level"])
        self.assertEqual("t", row["traceId"])
        self.end(process)

    def test_it_ends_when_nothing_is_recorded(self) -> None:
        self.assertEqual("", self.succeed("tail", "day.tl", "--timeout", "0").out)

    def test_a_file_that_is_not_there_is_an_error(self) -> None:
        self.fail_with("there is no file", "tail", "nothing.tl")
