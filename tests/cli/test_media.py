"""Media on the command line: shown as references, and got out by them."""

from __future__ import annotations

import base64
import hashlib
import itertools
import random

from program import Json, ProgramTest, event


def medium_named(begin: str) -> tuple[bytes, str]:
    """Bytes of which the id begins so, and the id."""
    for number in itertools.count():
        data = b"%01000d" % number
        digest = hashlib.sha256(data).digest()
        name = base64.urlsafe_b64encode(digest).decode()[:22]
        if name.startswith(begin):
            return data, name
    raise AssertionError


class Media(ProgramTest):
    def setUp(self) -> None:
        super().setUp()
        self.image = random.Random(3).randbytes(3_000_000)
        uri = "data:image/png;base64," + base64.b64encode(self.image).decode()
        self.body: Json = {"id": "o", "traceId": "t", "input": {"url": uri}, "output": "see " + uri}
        trace = {"id": "t", "sessionId": "s"}
        self.import_lines(event("trace-create", trace), event("span-create", self.body))

    def reference(self) -> str:
        row = self.rows("trace", "day.tl", "t", "--as-stored")[0]
        reference: str = row["observations"][0]["input"]["url"]
        return reference

    def test_people_see_references(self) -> None:
        for command in (["trace", "day.tl", "t"], ["replay", "day.tl", "s"]):
            out = self.succeed(*command).out
            self.assertIn("@@@langfuseMedia:type=image/png|id=", out)
            self.assertNotIn(";base64,", out)

    def test_programs_get_what_was_given_unless_they_ask(self) -> None:
        row = self.rows("trace", "day.tl", "t")[0]["observations"][0]
        self.assertEqual(self.body["input"], row["input"])
        self.assertEqual(self.body["output"], row["output"])
        self.assertRegex(self.reference(), r"^@@@langfuseMedia:type=image/png\|id=[\w-]{22}\|")
        steps = self.rows("replay", "day.tl", "s", "--as-stored")
        inputs = [step["observation"]["input"] for step in steps if "observation" in step]
        self.assertIn({"url": self.reference()}, inputs)

    def test_the_bytes_of_a_medium_come_out(self) -> None:
        for name in (self.reference(), self.reference().split("id=")[1][:22]):
            self.assertEqual(self.image, self.succeed("media", "day.tl", name).raw)
        row = self.rows("media", "day.tl", name)[0]
        self.assertEqual({"mime": "image/png", "bytes": 3_000_000, "uses": 2}, row)

    def test_an_id_may_begin_as_an_option_does(self) -> None:
        for begin in ("-", "-h", "--"):
            data, name = medium_named(begin)
            uri = "data:text/plain;base64," + base64.b64encode(data).decode()
            self.import_lines(event("span-create", {"id": name, "traceId": "t", "input": uri}))
            self.assertEqual(data, self.succeed("media", "day.tl", name).raw)
            self.assertEqual(data, self.succeed("media", "day.tl", "--", name).raw)
            row = self.succeed("media", name, "day.tl", "--json").row()
            self.assertEqual(len(data), row["bytes"])

    def test_what_is_not_there_is_an_error(self) -> None:
        self.fail_with("there is no medium nothing in day.tl", "media", "day.tl", "nothing")

    def test_space_tells_of_media(self) -> None:
        rows = self.rows("stats", "day.tl", "--space")
        media = sum(row["bytes"] for row in rows if row["keySpace"] == "media")
        self.assertGreater(media, 3_000_000)
        self.assertLess(media, 3_200_000)
