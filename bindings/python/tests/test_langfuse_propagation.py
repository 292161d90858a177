"""`propagate_attributes`: the rules of the model for each value, as a table. How attributes travel
is in test_langfuse_propagation_paths."""

import unittest
from typing import Any, Dict, List, NamedTuple, Optional

from langfuse_support import LangfuseCase
from tracelite.langfuse import propagate_attributes


class Case(NamedTuple):
    """given: keyword arguments. expected: what the child carries; what is not there is absent."""

    name: str
    given: Dict[str, Any]
    expected: Dict[str, Any]
    warns: bool = False


class Mute:
    def __str__(self) -> str:
        raise ValueError


def of_texts() -> List[Case]:
    """1 to 200 code points, else dropped with a warning, never truncated."""
    kept = {
        "one character": "x",
        "usual": "chat-123",
        "200 characters": "x" * 200,
        "200 characters of three bytes": "語" * 200,
        "200 characters of four bytes": "🙂" * 200,
        "spaces": "  ",
        "a line break": "a\nb",
        "not ASCII": "Zoë",
    }
    dropped: Dict[str, Any] = {
        "empty": "",
        "201 characters": "x" * 201,
        "201 characters of three bytes": "語" * 201,
        "a number": 7,
        "bytes": b"x",
        "a list": ["x"],
        "a lone surrogate": "\ud800",
    }
    cases = []
    for field in ("user_id", "session_id", "version", "trace_name"):
        for name, value in kept.items():
            cases.append(Case(f"{field}: {name}", {field: value}, {field: value}))
        for name, value in dropped.items():
            cases.append(Case(f"{field}: {name}", {field: value}, {}, True))
        cases.append(Case(f"{field}: None", {field: None}, {}))
    return cases


def of_tags() -> List[Case]:
    long = "x" * 201
    table: List[Any] = [
        ("one", ["a"], ("a",), False),
        ("sorted", ["b", "a"], ("a", "b"), False),
        ("a set", ["a", "a"], ("a",), False),
        ("200 characters", ["x" * 200], ("x" * 200,), False),
        ("a long one among others", ["a", long, "b"], ("a", "b"), True),
        ("an empty one among others", ["a", ""], ("a",), True),
        ("no text among others", ["a", 7, None], ("a",), True),
        ("only bad ones", [long, 7], (), True),
        ("a lone surrogate", ["a", "\udfff"], ("a",), True),
        ("none", [], (), False),
        ("a tuple", ("a", "b"), ("a", "b"), False),
        ("a single text", "a", ("a",), False),
        ("no list", 7, (), True),
    ]
    return [
        Case(f"tags: {name}", {"tags": given}, {"tags": expected} if expected else {}, warns)
        for name, given, expected, warns in table
    ]


def of_metadata() -> List[Case]:
    table: List[Any] = [
        ("a text", {"k": "v"}, {"k": "v"}, False),
        ("several", {"a": "1", "b": "2"}, {"a": "1", "b": "2"}, False),
        ("a number becomes a text", {"k": 5}, {"k": "5"}, False),
        ("a bool becomes a text", {"k": True}, {"k": "True"}, False),
        ("a dict becomes a text", {"k": {"l": 1}}, {"k": "{'l': 1}"}, False),
        ("200 characters", {"k": "x" * 200}, {"k": "x" * 200}, False),
        ("201 characters", {"k": "x" * 201, "l": "v"}, {"l": "v"}, True),
        ("a number of 201 digits", {"k": 10**200}, None, True),
        ("an empty text", {"k": ""}, None, True),
        ("no text at all", {"k": Mute(), "l": "v"}, {"l": "v"}, True),
        ("None is no value", {"k": None, "l": "v"}, {"l": "v"}, False),
        ("a key that is no text", {7: "v"}, {"7": "v"}, False),
        ("a lone surrogate", {"k": "\ud800"}, None, True),
        ("none", {}, None, False),
        ("no mapping", 7, None, True),
    ]
    return [
        Case(
            f"metadata: {name}", {"metadata": given}, {"metadata": expected} if expected else {}, w
        )
        for name, given, expected, w in table
    ]


def of_environments() -> List[Case]:
    """Never an error: repaired with a warning."""
    table: List[Any] = [
        ("usual", "staging", "staging", False),
        ("all characters", "a-b_c9", "a-b_c9", False),
        ("40 characters", "x" * 40, "x" * 40, False),
        ("41 characters are cut", "x" * 41, "x" * 40, True),
        ("upper case", "PROD", "prod", True),
        ("langfuse- is stripped", "langfuse-eval", "eval", True),
        ("langfuse_ is stripped", "langfuse_eval", "eval", True),
        ("langfuse is stripped", "langfuseeval", "eval", True),
        ("only langfuse", "langfuse", "default", True),
        ("empty", "", "default", True),
        ("a space", "a b", "default", True),
        ("not ASCII", "größe", "default", True),
        ("no text", 7, "default", True),
        ("None", None, "default", False),
    ]
    return [
        Case(f"environment: {name}", {"environment": given}, {"environment": expected}, warns)
        for name, given, expected, warns in table
    ]


def of_others() -> List[Case]:
    prompt: Any = {"name": "greet", "version": 3}
    return [
        Case("nothing", {}, {}),
        Case(
            "all together",
            {
                "user_id": "u",
                "session_id": "s",
                "version": "1",
                "trace_name": "t",
                "tags": ["a"],
                "metadata": {"k": "v"},
                "environment": "prod",
            },
            {
                "user_id": "u",
                "session_id": "s",
                "version": "1",
                "trace_name": "t",
                "tags": ("a",),
                "metadata": {"k": "v"},
                "environment": "prod",
            },
        ),
        Case(
            "a bad one among others", {"user_id": "", "session_id": "s"}, {"session_id": "s"}, True
        ),
        Case("as_baggage is accepted", {"user_id": "u", "as_baggage": True}, {"user_id": "u"}),
        Case("an unknown attribute", {"user": "u", "version": "1"}, {"version": "1"}, True),
        Case("a prompt", {"prompt": prompt}, {"prompt": ("greet", 3)}),
        Case(
            "a prompt's version as a text",
            {"prompt": {**prompt, "version": "3"}},
            {"prompt": ("greet", 3)},
        ),
        Case("a fallback prompt", {"prompt": {**prompt, "is_fallback": True}}, {}),
        Case("a prompt without a name", {"prompt": {"version": 3}}, {}, True),
        Case("a prompt without a version", {"prompt": {"name": "greet"}}, {}, True),
    ]


CASES = of_texts() + of_tags() + of_metadata() + of_environments() + of_others()


class ValueTest(LangfuseCase):
    def test_there_are_enough_cases(self) -> None:
        self.assertGreaterEqual(len(CASES), 100)
        self.assertEqual(len({case.name for case in CASES}), len(CASES))

    def record(self, case: Case) -> None:
        """The attributes around the whole trace."""
        with propagate_attributes(**case.given):
            with self.client.start_as_current_span(
                name="root", trace_context={"trace_id": case.name}
            ):
                self.client.start_generation(name="child").end()

    def record_late(self, case: Case) -> None:
        """The attributes within the root."""
        context: Any = {"trace_id": case.name + ", late"}
        with self.client.start_as_current_span(name="root", trace_context=context):
            self.client.start_span(name="before").end()
            with propagate_attributes(**case.given):
                self.client.start_generation(name="child").end()
            self.client.start_span(name="after").end()

    def check(self, case: Case, trace_id: str, names: Dict[str, bool]) -> None:
        expected = case.expected
        trace = self.client.recorder.store().trace(trace_id)  # type: ignore[union-attr]
        self.assertEqual(trace.name, expected.get("trace_name", "root"))
        self.assertEqual(trace.user_id, expected.get("user_id"))
        self.assertEqual(trace.session_id, expected.get("session_id"))
        self.assertEqual(trace.version, expected.get("version"))
        self.assertEqual(trace.tags, expected.get("tags", ()))
        self.assertEqual(trace.metadata, expected.get("metadata"))
        rows = {row.name or "": row for row in trace.observations}
        self.assertEqual(set(rows), set(names))
        for name, carries in names.items():
            row, given = rows[name], expected if carries else {}
            self.assertEqual(row.user_id, given.get("user_id"), name)
            self.assertEqual(row.session_id, given.get("session_id"), name)
            self.assertEqual(row.version, given.get("version"), name)
            self.assertEqual(row.tags, given.get("tags", ()), name)
            self.assertEqual(row.metadata, given.get("metadata"), name)
            if name == "child":
                self.assertEqual(row.environment, given.get("environment", "default"), name)
                prompt: Optional[Any] = (row.prompt_name, row.prompt_version)
                self.assertEqual(prompt, given.get("prompt", (None, None)), name)

    def test_around_the_root(self) -> None:
        for case in CASES:
            self.record(case)
        self.client.flush()
        for case in CASES:
            with self.subTest(case.name):
                self.check(case, case.name, {"root": True, "child": True})

    def test_within_the_root(self) -> None:
        for case in CASES:
            self.record_late(case)
        self.client.flush()
        for case in CASES:
            with self.subTest(case.name):
                names = {"root": True, "before": False, "child": True, "after": False}
                self.check(case, case.name + ", late", names)

    def test_warnings(self) -> None:
        from tracelite.langfuse._warn import forget_warnings

        for case in CASES:
            with self.subTest(case.name):
                forget_warnings()
                self.heard.clear()
                self.record(case)
                self.assertEqual(bool(self.heard), case.warns, self.heard)
                for message in self.heard:
                    message.encode()

    def test_a_limit_warns_once(self) -> None:
        for _ in range(5):
            with propagate_attributes(session_id="x" * 201):
                pass
        self.assertEqual(len(self.heard), 1)


if __name__ == "__main__":
    unittest.main()
