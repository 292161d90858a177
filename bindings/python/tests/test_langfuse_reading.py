"""Reading back in the shape of Langfuse's client."""

import asyncio
import json
import pickle
import time
import unittest
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List
from unittest import mock

from langfuse_support import LangfuseCase
from support import SECOND, T0
from tracelite import Store
from tracelite.langfuse import Langfuse, propagate_attributes
from tracelite.langfuse.api import ApiError, Error, NotFoundError
from tracelite.langfuse.api.commons.types import Trace
from tracelite.langfuse.api.resources.commons.errors import NotFoundError as OlderNotFoundError


def at(second: float) -> datetime:
    return datetime.fromtimestamp(T0 // SECOND + second, timezone.utc)


class ReadingCase(LangfuseCase):
    def setUp(self) -> None:
        super().setUp()
        patient = mock.patch("tracelite.langfuse._reading.FLUSH_TIMEOUT_S", 600.0)
        patient.start()
        self.addCleanup(patient.stop)

    @property
    def api(self) -> Any:
        return self.client.api

    def ids(self, page: Any) -> List[str]:
        return [each.id for each in page.data]

    def put(self, id: str, second: float = 0, **fields: Any) -> None:
        self.client.trace(id=id, timestamp=at(second), **fields)

    def record(self) -> str:
        """A trace with an observation below another, scores, a session."""
        with propagate_attributes(session_id="holidays", user_id="ada", tags=["b", "a"]):
            with self.client.start_as_current_observation(
                name="guide", as_type="agent", input={"q": 1}, version="v1"
            ) as guide:
                with self.client.start_as_current_observation(
                    name="answer",
                    as_type="generation",
                    model="tiny-1",
                    model_parameters={"temperature": 0},
                    input=[{"role": "user"}],
                    usage_details={"input": 10, "input_cached": 2, "output": 3},
                    cost_details={"input": 0.25, "output": 0.5},
                    metadata={"k": "v"},
                ) as answer:
                    answer.update(output="because", level="WARNING", status_message="slow")
                    answer.score(name="correct", value=True)
                guide.update(output=[1, 2])
                guide.score_trace(name="stars", value=4.5, comment="fine")
        return guide.trace_id


class OneTest(ReadingCase):
    settings = {"release": "r1", "environment": "staging"}

    def test_a_trace_with_all_that_is_in_it(self) -> None:
        trace_id = self.record()
        trace = self.api.trace.get(trace_id)  # nobody flushed
        self.assertIsInstance(trace, Trace)
        self.assertEqual(
            (trace.id, trace.name, trace.session_id, trace.user_id, trace.tags, trace.environment),
            (trace_id, "guide", "holidays", "ada", ["a", "b"], "staging"),
        )
        self.assertEqual((trace.input, trace.output), ({"q": 1}, [1, 2]))
        self.assertEqual((trace.release, trace.public, trace.bookmarked), ("r1", False, False))
        self.assertIsNotNone(trace.timestamp.tzinfo)
        self.assertGreater(trace.latency, 0)
        self.assertEqual(trace.total_cost, 0.75)
        self.assertIn(trace_id, trace.html_path)
        guide, answer = trace.observations
        self.assertEqual((guide.name, guide.type, guide.version), ("guide", "AGENT", "v1"))
        self.assertIsNone(guide.parent_observation_id)
        self.assertEqual(answer.parent_observation_id, guide.id)
        self.assertEqual(
            {score.name: score.value for score in trace.scores}, {"correct": 1.0, "stars": 4.5}
        )

    def test_an_observation(self) -> None:
        self.record()
        (answer,) = self.api.observations.get_many(name="answer").data
        self.assertEqual(self.api.observations.get(answer.id), answer)
        self.assertEqual(self.client.fetch_observation(answer.id).data, answer)
        self.assertEqual((answer.type, answer.model), ("GENERATION", "tiny-1"))
        self.assertEqual(answer.model_parameters, {"temperature": 0})
        self.assertEqual(answer.input, [{"role": "user"}])
        self.assertEqual(answer.output, "because")
        self.assertEqual(answer.metadata, {"k": "v"})
        self.assertEqual((answer.level, answer.status_message), ("WARNING", "slow"))
        self.assertEqual(
            answer.usage_details, {"input": 10, "input_cached": 2, "output": 3, "total": 15}
        )
        self.assertEqual(answer.cost_details, {"input": 0.25, "output": 0.5, "total": 0.75})
        self.assertEqual((answer.usage.input, answer.usage.output, answer.usage.total), (12, 3, 15))
        self.assertEqual(answer.calculated_total_cost, 0.75)
        took = (answer.end_time - answer.start_time).total_seconds()
        self.assertAlmostEqual(answer.latency, took, delta=2e-6)  # datetimes have microseconds
        self.assertIsNone(answer.time_to_first_token)
        self.assertEqual((answer.user_id, answer.session_id), ("ada", "holidays"))

    def test_times_of_an_observation(self) -> None:
        trace = self.client.trace(id="t")
        trace.generation(name="g", start_time=at(0), completion_start_time=at(0.25), end_time=at(2))
        trace.generation(name="open", start_time=at(1))
        seen = {each.name: each for each in self.api.trace.get("t").observations}
        self.assertEqual((seen["g"].latency, seen["g"].time_to_first_token), (2.0, 0.25))
        self.assertEqual((seen["open"].latency, seen["open"].end_time), (None, None))

    def test_a_session_and_its_traces(self) -> None:
        self.put("t2", 5, session_id="s", name="second")
        self.put("t1", 1, session_id="s", name="first")
        session = self.api.sessions.get("s")
        self.assertEqual((session.id, session.environment), ("s", "staging"))
        self.assertEqual([trace.name for trace in session.traces], ["first", "second"])
        self.assertEqual(self.client.fetch_session("s").data, session)

    def test_scores(self) -> None:
        trace_id = self.record()
        self.client.create_score(name="mood", value="good", session_id="holidays", score_id="m")
        self.assertEqual(len(self.api.scores.list().data), 3)
        mood = self.api.scores.get("m")
        self.assertEqual((mood.value, mood.string_value), ("good", "good"))
        self.assertEqual((mood.data_type, mood.session_id), ("CATEGORICAL", "holidays"))
        self.assertEqual(self.api.score_v_2.get_by_id("m"), mood)
        (stars,) = self.api.score_v_2.get(name="stars").data
        self.assertEqual((stars.value, stars.comment, stars.trace_id), (4.5, "fine", trace_id))
        self.assertEqual((stars.trace.user_id, stars.trace.tags), ("ada", ["a", "b"]))
        (correct,) = self.api.scores.get_many(data_type="BOOLEAN").data
        self.assertEqual((correct.value, correct.string_value), (1.0, "True"))
        self.assertIsNotNone(correct.observation_id)
        for filters, names in (
            ({"session_id": "holidays"}, ["mood"]),
            ({"observation_id": correct.observation_id}, ["correct"]),
            ({"value": 4, "operator": ">"}, ["stars"]),
            ({"value": 1}, ["correct"]),
            ({"source": "API", "trace_id": trace_id}, ["correct", "stars"]),
            ({"user_id": "ada"}, ["correct", "stars"]),
            ({"score_ids": "m,other"}, ["mood"]),
            ({"trace_tags": ["a"]}, ["correct", "stars"]),
        ):
            with self.subTest(filters=filters):
                found = self.api.scores.get_many(**filters).data
                self.assertEqual(sorted(each.name for each in found), names)

    def test_what_is_missing(self) -> None:
        for call in (
            self.api.trace.get,
            self.api.observations.get,
            self.api.sessions.get,
            self.api.scores.get_by_id,
            self.client.fetch_trace,
            self.client.fetch_observation,
            self.client.fetch_session,
        ):
            with self.subTest(call=call), self.assertRaises(NotFoundError) as caught:
                call("nowhere")
            self.assertEqual(caught.exception.status_code, 404)
            self.assertIn("LangfuseNotFoundError", str(caught.exception))
        self.assertIs(NotFoundError, OlderNotFoundError)
        self.assertTrue(issubclass(NotFoundError, ApiError))

    def test_groups_of_fields(self) -> None:
        trace_id = self.record()
        core = self.api.trace.get(trace_id, fields="core")
        self.assertEqual((core.name, core.input, core.observations), ("guide", None, []))
        self.assertEqual((core.scores, core.latency, core.total_cost), ([], -1, -1))
        (row,) = self.api.trace.list(fields="core,observations").data
        self.assertEqual((len(row.observations), row.scores, row.output), (2, [], None))

    def test_as_dict_and_json(self) -> None:
        trace = self.api.trace.get(self.record())
        named = trace.dict()
        self.assertEqual(named["sessionId"], "holidays")
        self.assertEqual(named["observations"][1]["usageDetails"]["total"], 15)
        self.assertNotIn("sessionId", trace.dict(by_alias=False))
        self.assertNotIn("completionStartTime", trace.observations[0].dict(exclude_none=True))
        read = json.loads(trace.json())
        self.assertEqual(read["observations"][1]["level"], "WARNING")
        self.assertTrue(read["timestamp"].endswith("Z"))
        self.assertEqual(trace.model_dump(), named)
        self.assertEqual(json.loads(trace.model_dump_json()), read)
        self.assertEqual(pickle.loads(pickle.dumps(trace)), trace)

    def test_values_of_every_kind(self) -> None:
        deep = "[" * 100_000 + "]" * 100_000
        store = self.store()
        from tracelite import Json

        for name, value in (
            ("none", None),
            ("text", "1"),
            ("bytes", b"\xff"),
            ("deep", Json(deep)),
        ):
            store.put_observation(name, trace_id="t", name=name, output=value)
        seen = {each.name: each.output for each in self.api.trace.get("t").observations}
        self.assertEqual(seen, {"none": None, "text": "1", "bytes": b"\xff", "deep": deep})


class ListTest(ReadingCase):
    def test_pages(self) -> None:
        for number in range(25):
            self.put(f"t{number:02}", number)
        first = self.api.trace.list(limit=10)
        self.assertEqual(self.ids(first), [f"t{number:02}" for number in range(24, 14, -1)])
        meta = first.meta
        self.assertEqual(
            (meta.page, meta.limit, meta.total_items, meta.total_pages), (1, 10, 25, 3)
        )
        self.assertEqual(first.dict()["meta"]["totalItems"], 25)
        third = self.api.trace.list(limit=10, page=3)
        self.assertEqual(self.ids(third), ["t04", "t03", "t02", "t01", "t00"])
        second = self.api.trace.list(limit=10, page=2)
        self.assertEqual(self.ids(second)[0], "t14")
        self.assertEqual(self.ids(self.api.trace.list(limit=10, page=3)), self.ids(third))
        self.assertEqual(self.ids(self.api.trace.list(limit=10, page=4)), [])
        self.assertEqual(len(self.api.trace.list().data), 25)

    def test_pages_while_traces_come(self) -> None:
        for number in range(6):
            self.put(f"t{number}", number)
        self.assertEqual(self.ids(self.api.trace.list(limit=3)), ["t5", "t4", "t3"])
        self.put("t6", 6)
        page = self.api.trace.list(limit=3, page=2)  # numbers count from the newest, as there
        self.assertEqual((self.ids(page), page.meta.total_items), (["t3", "t2", "t1"], 7))

    def test_by_cursor(self) -> None:
        trace = self.client.trace(id="t")
        for number in range(7):
            trace.event(name=f"e{number}", start_time=at(number))
        seen: List[str] = []
        cursor = None
        for _ in range(4):
            page = self.api.observations.get_many(limit=2, cursor=cursor, trace_id="t")
            seen += [each.name for each in page.data]
            cursor = page.meta.cursor
            if cursor is None:
                break
        self.assertEqual(seen, [f"e{number}" for number in range(6, -1, -1)])
        with self.assertRaises(Error):
            self.api.observations.get_many(cursor="nonsense")

    def test_filters_of_traces(self) -> None:
        self.put("a", 1, name="x", user_id="ada", session_id="s", tags=["p", "q"], version="1")
        self.put("b", 2, name="y", user_id="bob", tags=["p"], release="r")
        self.put("c", 3, name="x", metadata={"k": 1})
        self.store().put_trace("d", environment="staging", timestamp=at(4), name="z")
        cases: List[Any] = [
            ({"name": "x"}, "ca"),
            ({"user_id": "ada"}, "a"),
            ({"session_id": "s"}, "a"),
            ({"tags": ["p", "q"]}, "a"),
            ({"tags": "p"}, "ba"),
            ({"version": "1"}, "a"),
            ({"release": "r"}, "b"),
            ({"environment": "staging"}, "d"),
            ({"environment": ["default", "other"]}, "cba"),
            ({"environment": ["staging", "default"], "limit": 2}, "dc"),
            ({"from_timestamp": at(2)}, "dcb"),
            ({"to_timestamp": at(2)}, "a"),
            ({"from_timestamp": at(2).isoformat(), "to_timestamp": at(3)}, "b"),
            ({"order_by": "timestamp.asc"}, "abcd"),
            ({"order_by": "name.asc"}, "cabd"),
            ({"order_by": "userId.desc", "limit": 2}, "ba"),
            ({"order_by": "id.asc", "limit": 2, "page": 2}, "cd"),
            ({"name": "nobody"}, ""),
        ]
        for filters, expected in cases:
            with self.subTest(filters=filters):
                found = self.ids(self.api.trace.list(**filters))
                if filters.get("order_by", "").startswith("name"):
                    self.assertEqual(set(found[:2]), {"a", "c"})
                    self.assertEqual(found[2:], ["b", "d"])
                else:
                    self.assertEqual("".join(found), expected)
        self.assertEqual(self.ids(self.client.fetch_traces(name="x")), ["c", "a"])

    def test_filters_of_observations(self) -> None:
        self.record()
        (guide,) = self.api.observations.get_many(type="AGENT").data
        cases: List[Any] = [
            ({"type": "GENERATION"}, ["answer"]),
            ({"level": "WARNING"}, ["answer"]),
            ({"parent_observation_id": guide.id}, ["answer"]),
            ({"trace_id": guide.trace_id}, ["answer", "guide"]),
            ({"user_id": "ada", "name": "guide"}, ["guide"]),
            ({"version": "v1"}, ["guide"]),
            ({"environment": ["default"]}, ["answer", "guide"]),
            ({"from_start_time": datetime.now(timezone.utc) + timedelta(hours=1)}, []),
        ]
        for filters, expected in cases:
            with self.subTest(filters=filters):
                page = self.api.observations.get_many(**filters)
                self.assertEqual(sorted(each.name for each in page.data), expected)
                self.assertEqual(page.meta.total_items, len(expected))
        self.assertEqual(len(self.client.get_generations().data), 1)

    def test_filters_of_sessions(self) -> None:
        for number in range(5):
            self.put(f"t{number}", number, session_id=f"s{number}")
        self.assertEqual(self.ids(self.api.sessions.list(limit=2, page=2)), ["s2", "s1"])
        self.assertEqual(self.ids(self.api.sessions.list(from_timestamp=at(4))), ["s4"])
        page = self.client.fetch_sessions(limit=3)
        self.assertEqual((len(page), page.meta.total_pages), (3, 2))
        self.assertEqual(page.data[0].created_at, at(4))

    def test_what_is_refused(self) -> None:
        for arguments in (
            {"page": 0},
            {"limit": -1},
            {"limit": True},
            {"order_by": "colour.asc"},
            {"order_by": "name.up"},
            {"from_timestamp": "soon"},
            {"filter": "[]"},
            {"colour": "red"},
        ):
            with self.subTest(arguments=arguments), self.assertRaises(Error) as caught:
                self.api.trace.list(**arguments)
            self.assertEqual(caught.exception.status_code, 400)
        with self.assertRaises(Error):
            self.api.observations.get_many(level="LOUD")
        with self.assertRaises(Error):
            self.api.scores.get_many(value=1, operator="~")

    def test_deleting(self) -> None:
        for id in "abc":
            self.put(id)
        self.api.trace.delete("a")
        self.api.trace.delete_multiple(trace_ids=["b", "nowhere"])
        self.assertEqual(self.ids(self.api.trace.list()), ["c"])

    def test_names_of_other_versions(self) -> None:
        self.record()
        for resource in (
            self.api.observations,
            self.api.observations_v_2,
            self.api.legacy.observations_v1,
        ):
            self.assertEqual(resource.get_many().meta.total_items, 2)
        for scores in (self.api.scores, self.api.score_v_2, self.api.legacy.scores_v2):
            self.assertEqual(scores.get_many().meta.total_items, 2)

    def test_awaited(self) -> None:
        trace_id = self.record()

        async def read() -> Any:
            api = self.client.async_api
            with self.assertRaises(NotFoundError):
                await api.trace.get("nowhere")
            return await asyncio.gather(
                api.trace.get(trace_id), api.legacy.observations_v1.get_many(limit=1)
            )

        trace, page = asyncio.run(read())
        self.assertEqual((trace.id, len(page.data)), (trace_id, 1))


class FileTest(ReadingCase):
    def test_a_client_that_does_not_record_reads(self) -> None:
        self.put("t")
        self.client.shutdown()
        reader = Langfuse(path=self.path, tracing_enabled=False)
        self.assertEqual(self.ids(reader.api.trace.list()), ["t"])

    def test_no_file(self) -> None:
        reader = Langfuse(path=self.folder / "none.tl", tracing_enabled=False)
        with self.assertRaises(NotFoundError):
            reader.api.trace.list()
        self.assertFalse((self.folder / "none.tl").exists())

    def test_what_another_client_of_the_file_records_is_seen(self) -> None:
        other = Langfuse(path=self.path, sample_rate=0.999999999)
        other.start_observation(name="a").end()
        self.assertEqual(len(self.api.observations.get_many().data), 1)
        other.shutdown()

    def test_a_flush_that_takes_too_long_does_not_stop_reading(self) -> None:
        self.client.recorder._store = Store(self.path, commit_interval_ms=600_000)
        self.put("t")
        self.client.flush()
        began = time.monotonic()
        with mock.patch("tracelite.langfuse._reading.FLUSH_TIMEOUT_S", 0.0), self.blocked():
            self.client.start_observation(name="waits").end()
            self.assertEqual(self.ids(self.api.trace.list()), ["t"])
        self.assertLess(time.monotonic() - began, 60)

    def blocked(self) -> Any:
        """Another process's turn to write, as long as it takes."""
        return mock.patch.object(
            type(self.store()), "flush", side_effect=TimeoutError("the disk is slow")
        )


if __name__ == "__main__":
    unittest.main()
