"""Lists with their filters, orders and positions; groups, trees, replays, snapshots."""

import pickle
import threading
import unittest
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Dict, Iterable, List, Tuple

from support import SECOND, T0, FolderCase, StoreCase
from tracelite import CancelledError, InvalidError, MisuseError, NotFoundError, Phase, Rows, Store


def ids(rows: Any) -> List[str]:
    return [row.id for row in rows]


class ListTest(FolderCase):
    """Twelve traces, one a second, each with a generation and a score."""

    def setUp(self) -> None:
        super().setUp()
        self.store = Store(self.path)
        self.addCleanup(self.store.close)
        for n in range(12):
            at = T0 + n * SECOND
            self.store.put_trace(
                f"t{n:02}",
                timestamp=at,
                name="even" if n % 2 == 0 else "odd",
                user_id=f"user{n % 3}",
                session_id=f"session{n // 6}",
                tags=["all", f"mod{n % 4}"],
                environment="production" if n < 4 else "staging",
                release=f"r{n % 2}",
                version="v1",
                metadata={"n": n, "ok": n > 5, "word": "x"},
            )
            self.store.put_observation(
                f"o{n:02}",
                trace_id=f"t{n:02}",
                type="GENERATION" if n % 2 else "TOOL",
                level="ERROR" if n == 7 else "DEFAULT",
                name=f"call{n % 2}",
                model=f"m{n % 2}",
                start_time=at,
                end_time=at + (n + 1) * SECOND // 10,
                usage_details={"input": n, "output": 1},
                cost_details={"total": "0.1"},
            )
            self.store.put_score(
                f"s{n:02}",
                trace_id=f"t{n:02}",
                name="quality",
                value=n / 10,
                timestamp=at,
            )
        self.store.flush()

    def traces(self, **query: Any) -> List[str]:
        return ids(self.store.traces(ascending=True, **query))

    def test_a_row_shows_how_its_payloads_begin(self) -> None:
        text = "ä€😀x" * 100
        self.store.put_observation("long", trace_id="t00", input=text, output=b"\xff" * 300)
        self.store.flush()
        rows = self.store.observations(trace_id="t00", limit=1)
        with rows:
            self.assertEqual(next(rows).id, "long")
            for characters in (1, 2, 3, 4, 200, 399, 400, 401):
                self.assertEqual(rows.preview("input", characters), text[:characters])
            self.assertEqual(rows.preview("output"), "\ufffd" * 200)
            self.assertEqual(rows.preview("metadata"), "")
            with self.assertRaises(InvalidError):
                rows.preview("name")
        with self.assertRaises(MisuseError):
            rows.preview("input")

    def test_before_the_first_row_there_is_no_preview(self) -> None:
        with self.store.traces() as rows, self.assertRaisesRegex(MisuseError, "next\\(\\)"):
            rows.preview("input")

    def test_days_have_a_row_for_each_model(self) -> None:
        self.store.put_observation(
            "later",
            trace_id="t00",
            start_time=T0 + 86_400 * SECOND,
            cost_details={"total": "2"},
        )
        self.store.flush()
        first, next_day = "2024-05-15", "2024-05-16"
        days = list(self.store.days())
        self.assertEqual(
            [(day.key, day.model, day.observation_count, day.total_cost) for day in days],
            [
                (next_day, "", 1, Decimal(2)),
                (first, "m1", 6, Decimal("0.6")),
                (first, "m0", 6, Decimal("0.6")),
            ],
        )
        self.assertEqual(days[2].input_tokens, 0 + 2 + 4 + 6 + 8 + 10)
        self.assertEqual(days[1].error_count, 1)
        of_model = list(self.store.days(model="m1", to_time=T0 + 3 * SECOND))
        self.assertEqual([(day.model, day.observation_count) for day in of_model], [("m1", 1)])

    def test_a_walk_can_be_cancelled_by_another_thread(self) -> None:
        rows = self.store.traces()
        next(rows)
        canceller = threading.Thread(target=rows.cancel)
        canceller.start()
        canceller.join()
        for _ in range(2):
            with self.assertRaises(CancelledError):
                next(rows)
        rows.close()
        rows.cancel()  # after the end it does nothing
        self.assertEqual(len(list(self.store.traces())), 12)

    def test_filters(self) -> None:
        cases: Tuple[Tuple[Dict[str, Any], Iterable[int]], ...] = (
            ({}, list(range(12))),
            ({"trace_id": "t03"}, [3]),
            ({"session_id": "session1"}, range(6, 12)),
            ({"user_id": "user2"}, [2, 5, 8, 11]),
            ({"tags": ["all", "mod1"]}, [1, 5, 9]),
            ({"tags": ["mod1", "mod2"]}, []),
            ({"environment": "production"}, range(4)),
            ({"name": "odd"}, [1, 3, 5, 7, 9, 11]),
            ({"release": "r1", "version": "v1"}, [1, 3, 5, 7, 9, 11]),
            ({"level": "error"}, [7]),
            ({"level": "ERROR", "type": "TOOL"}, []),
            ({"type": "TOOL"}, [0, 2, 4, 6, 8, 10]),
            ({"model": "m1"}, [1, 3, 5, 7, 9, 11]),
            ({"metadata_key": "n"}, range(12)),
            ({"metadata_key": "m"}, []),
            ({"metadata_key": "n", "metadata_value": 3}, [3]),
            ({"metadata_key": "ok", "metadata_value": True}, range(6, 12)),
            ({"metadata_key": "word", "metadata_value": "x"}, range(12)),
            ({"from_time": T0 + 3 * SECOND, "to_time": T0 + 5 * SECOND}, [3, 4]),
            (
                {
                    "from_time": datetime(2024, 5, 15, 15, 0, 10, tzinfo=timezone.utc),
                    "to_time": datetime(2024, 5, 15, 15, 1, tzinfo=timezone.utc),
                },
                [10, 11],
            ),
            ({"user_id": "user1", "name": "odd", "session_id": "session0"}, [1]),
            ({"user_id": "nobody"}, []),
        )
        for query, expected in cases:
            with self.subTest(query):
                self.assertEqual(self.traces(**query), [f"t{n:02}" for n in expected])

    def test_observations_and_scores(self) -> None:
        observations = self.store.observations
        self.assertEqual(len(list(observations())), 12)
        self.assertEqual(ids(observations(level="ERROR")), ["o07"])
        self.assertEqual(ids(observations(user_id="user0", type="TOOL")), ["o06", "o00"])
        self.assertEqual(ids(observations(trace_id="t04")), ["o04"])
        self.assertEqual(ids(self.store.scores(trace_id="t04")), ["s04"])
        self.assertEqual(len(list(self.store.scores(session_id="session0"))), 6)

    def test_orders(self) -> None:
        self.assertEqual(ids(self.store.traces())[:2], ["t11", "t10"])
        self.assertEqual(ids(self.store.traces(order="latency"))[:2], ["t11", "t10"])
        self.assertEqual(ids(self.store.traces(order="tokens", ascending=True))[:2], ["t00", "t01"])
        self.assertEqual(
            [u.key for u in self.store.users(order="name", ascending=True)][0], "user0"
        )
        with self.assertRaises(InvalidError) as caught:
            self.store.traces(order="size")
        self.assertEqual(caught.exception.field, "order")

    def test_limit_and_position(self) -> None:
        rows = self.store.traces(limit=5)
        self.assertIsNone(rows.position)
        self.assertEqual(ids(rows), ["t11", "t10", "t09", "t08", "t07"])
        # Rows that come before the position do not disturb what comes after it.
        self.store.put_trace("newest", timestamp=T0 + 1000 * SECOND)
        self.store.flush()
        rest = ids(self.store.traces(after=rows.position))
        self.assertEqual(rest, [f"t{n:02}" for n in range(6, -1, -1)])
        with self.assertRaises(InvalidError):
            self.store.traces(limit=0)
        with self.assertRaises(InvalidError):
            self.store.traces(after="no position")

    def test_pages_of_every_size(self) -> None:
        whole = ids(self.store.observations())
        for size in (1, 5, 12, 13):
            seen: List[str] = []
            after = None
            while True:
                rows = self.store.observations(limit=size, after=after)
                page = ids(rows)
                if not page:
                    break
                seen += page
                after = rows.position
            self.assertEqual(seen, whole)

    def test_the_position_of_every_row(self) -> None:
        rows = self.store.traces()
        for n, row in enumerate(rows):
            self.assertEqual(len(list(self.store.traces(after=rows.position))), 11 - n)
            if n == 3:
                break
        position = rows.position
        rows.close()
        self.assertEqual(rows.position, position)
        self.assertEqual(list(rows), [])
        rows.close()

    def test_groups(self) -> None:
        users = {user.key: user for user in self.store.users()}
        self.assertEqual(set(users), {"user0", "user1", "user2"})
        user = users["user1"]
        self.assertEqual((user.trace_count, user.observation_count), (4, 4))
        self.assertEqual(user.total_cost, Decimal("0.4"))
        self.assertEqual(user.input_tokens, 1 + 4 + 7 + 10)
        self.assertEqual(user.output_tokens, 4)
        self.assertEqual((user.error_count, user.default_count), (1, 3))
        self.assertEqual(user.first_activity_ns, T0 + SECOND)
        self.assertEqual(
            user.last_activity - user.first_activity,
            timedelta(seconds=10, milliseconds=100),
        )
        self.assertEqual(
            {tag.key for tag in self.store.tags()},
            {"all", "mod0", "mod1", "mod2", "mod3"},
        )
        self.assertEqual(
            {e.key: e.trace_count for e in self.store.environments()},
            {"production": 4, "staging": 8},
        )
        self.assertEqual({name.key for name in self.store.names()}, {"call0", "call1"})
        self.assertEqual([m.key for m in self.store.models(level="ERROR")], ["m1"])
        sessions = list(self.store.sessions(order="name", ascending=True))
        self.assertEqual(ids(sessions), ["session0", "session1"])
        assert sessions[0].aggregate is not None
        self.assertEqual(sessions[0].aggregate.trace_count, 6)
        (one,) = self.store.users(name="odd", session_id="session0", user_id="user0")
        self.assertEqual((one.key, one.trace_count), ("user0", 1))

    def test_aggregate_of_a_trace(self) -> None:
        aggregate = self.store.get_trace("t09").aggregate
        assert aggregate is not None
        self.assertEqual(aggregate.observation_count, 1)
        self.assertEqual(aggregate.score_count, 1)
        self.assertEqual(aggregate.total_tokens, 10)
        self.assertEqual(aggregate.total_cost, Decimal("0.1"))
        self.assertEqual((aggregate.latency_ns, aggregate.latency), (SECOND, 1.0))

    def test_rows_as_a_context_manager(self) -> None:
        with self.store.traces() as rows:
            self.assertIsInstance(rows, Rows)
            self.assertIs(iter(rows), rows)
            next(rows)
        with self.assertRaises(StopIteration):
            next(rows)

    def test_snapshot(self) -> None:
        with self.store.snapshot() as snapshot:
            self.store.put_trace("later", name="later", session_id="session1")
            self.store.flush()
            self.assertEqual(len(list(snapshot.traces())), 12)
            self.assertEqual(len(list(self.store.traces())), 13)
            with self.assertRaises(NotFoundError):
                snapshot.get_trace("later")
            self.assertEqual(len(snapshot.trace("t01").observations), 1)
            kept = snapshot.traces(limit=5)
            next(kept)
        self.assertEqual(len(list(kept)), 4)  # cursors outlive their snapshot
        with self.assertRaisesRegex(MisuseError, "the snapshot is closed"):
            snapshot.traces()
        snapshot.close()

    def test_read_only(self) -> None:
        self.store.close()
        with Store(self.path, read_only=True) as store:
            self.assertEqual(len(list(store.traces())), 12)

    def test_passing_over_rows(self) -> None:
        rows = self.store.traces(ascending=True)
        self.assertEqual(rows.skip(0), 0)
        self.assertEqual(rows.skip(3), 3)
        self.assertEqual(next(rows).id, "t03")
        position = rows.position
        self.assertEqual(rows.skip(), 8)
        self.assertEqual((rows.skip(), rows.skip(2)), (0, 0))
        self.assertEqual(self.traces(after=position, limit=1), ["t04"])
        with self.assertRaises(InvalidError):
            rows.skip(-1)
        for most in (2**63 - 1, 2**63, 2**64 - 1):
            self.assertEqual(self.store.traces().skip(most), 12)

    def test_a_session_has_its_replay_and_its_traces(self) -> None:
        session = self.store.session("session1")
        self.assertEqual(session, self.store.get_session("session1"))
        self.assertEqual(ids(session.traces()), ["t06", "t07", "t08", "t09", "t10", "t11"])
        steps = list(session.replay(speed=2, max_gap=0.1))
        self.assertEqual(steps, list(self.store.replay("session1", speed=2, max_gap=0.1)))
        for each in self.store.sessions():
            self.assertEqual(len(list(each.replay())), 24)
        with self.store.snapshot() as snapshot:
            (first,) = snapshot.sessions(to_time=T0 + SECOND)
            self.store.put_trace("late", session_id="session0", timestamp=T0)
            self.store.flush()
            self.assertEqual(len(list(first.replay())), 24)  # as the snapshot saw it
        self.assertEqual(len(list(first.replay())), 26)
        copied = pickle.loads(pickle.dumps(session))
        self.assertEqual(copied, session)
        with self.assertRaises(MisuseError):
            copied.replay()
        with self.assertRaises(NotFoundError):
            self.store.session("nowhere")


class TreeTest(StoreCase):
    def test_ten_thousand_levels(self) -> None:
        depth = 10_000
        for n in range(depth):
            self.store.put_observation(
                f"o{n}",
                trace_id="t",
                parent_observation_id=f"o{n - 1}" if n else None,
                start_time=T0 + n,
                input=n,
            )
        self.store.flush()
        trace = self.store.trace("t")
        self.assertEqual(ids(trace.observations), [f"o{n}" for n in range(depth)])
        (row,) = trace.roots
        count = 1
        while row.children:
            (row,) = row.children
            count += 1
            self.assertEqual(row.depth, count)
        self.assertEqual((count, row.input), (depth, depth - 1))
        self.assertLess(len(repr(trace.observations[0])), 2000)
        self.assertNotEqual(trace.observations[0], trace.observations[1])
        del trace, row

    def test_missing_parents_cycles_and_order(self) -> None:
        put = self.store.put_observation
        put("b", trace_id="t", start_time=T0 + 2, parent_observation_id="root")
        put("a", trace_id="t", start_time=T0 + 2, parent_observation_id="root")
        put("first", trace_id="t", start_time=T0 + 1, parent_observation_id="root")
        put("root", trace_id="t", start_time=T0 + 5)
        put("orphan", trace_id="t", start_time=T0, parent_observation_id="never came")
        put("c1", trace_id="t", start_time=T0 + 6, parent_observation_id="c2")
        put("c2", trace_id="t", start_time=T0 + 7, parent_observation_id="c1")
        self.store.flush()
        trace = self.store.trace("t")
        self.assertEqual(ids(trace.roots), ["orphan", "root", "c1"])
        self.assertEqual(ids(trace.roots[1].children), ["first", "a", "b"])
        self.assertEqual(ids(trace.roots[2].children), ["c2"])
        self.assertEqual([row.depth for row in trace.observations], [1, 1, 2, 2, 2, 1, 2])

    def test_a_row_of_a_list_fetches_its_tree(self) -> None:
        with self.store.span(name="root") as root:
            root.span(name="child").end()
        self.store.flush()
        (trace,) = self.store.traces()
        self.assertEqual([row.name for row in trace.observations], ["root", "child"])
        self.assertIs(trace.observations, trace.observations)


class ReplayTest(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        put = self.store.put_observation
        self.store.put_trace("t1", session_id="s", timestamp=T0, name="first")
        put(
            "o1",
            trace_id="t1",
            start_time=T0 + SECOND,
            end_time=T0 + 3 * SECOND,
            input="in",
        )
        put("e1", trace_id="t1", start_time=T0 + 2 * SECOND, type="EVENT", name="point")
        self.store.put_trace("t2", session_id="s", timestamp=T0 + 60 * SECOND, name="second")
        put("o2", trace_id="t2", start_time=T0 + 60 * SECOND, end_time=T0 + 62 * SECOND)
        self.store.flush()

    def test_steps(self) -> None:
        steps = list(self.store.replay("s"))
        shown = []
        for step in steps:
            self.assertTrue((step.trace is None) != (step.observation is None))
            one = step.trace or step.observation
            assert one is not None
            shown.append((step.phase, one.id, (step.at_ns - T0) // SECOND, step.depth))
        self.assertEqual(
            shown,
            [
                (Phase.BEGIN, "t1", 0, 0),
                (Phase.BEGIN, "o1", 1, 1),
                (Phase.POINT, "e1", 2, 1),
                (Phase.END, "o1", 3, 1),
                (Phase.END, "t1", 3, 0),
                (Phase.BEGIN, "t2", 60, 0),
                (Phase.BEGIN, "o2", 60, 1),
                (Phase.END, "o2", 62, 1),
                (Phase.END, "t2", 62, 0),
            ],
        )
        self.assertEqual([step.wait for step in steps], [0, 1, 1, 1, 0, 57, 0, 2, 0])
        assert steps[1].observation is not None
        self.assertEqual(steps[1].observation.input, "in")
        self.assertEqual(steps[1].at, datetime(2024, 5, 15, 15, 0, 1, tzinfo=timezone.utc))

    def test_pace(self) -> None:
        def waits(**pace: Any) -> float:
            return sum(step.wait for step in self.store.replay("s", **pace))

        self.assertEqual(waits(), 62)
        self.assertAlmostEqual(waits(speed=10), 6.2)
        self.assertEqual(waits(max_gap=5), 10)
        self.assertEqual(waits(max_gap=timedelta(seconds=5)), 10)
        self.assertLess(waits(max_gap=0), 0.001)
        for bad in (0, -1, float("nan"), float("inf")):
            with self.assertRaises(InvalidError) as caught:
                self.store.replay("s", speed=bad)
            self.assertEqual(caught.exception.field, "speed")
        with self.assertRaises(InvalidError):
            self.store.replay("s", max_gap=-1)

    def test_a_replay_has_no_position(self) -> None:
        steps = self.store.replay("s")
        next(steps)
        self.assertIsNone(steps.position)
        steps.close()

    def test_through_a_snapshot(self) -> None:
        with self.store.snapshot() as snapshot:
            steps = snapshot.replay("s", speed=2)
            first = [next(steps), next(steps)]
        self.assertEqual(len(first) + len(list(steps)), 9)


if __name__ == "__main__":
    unittest.main()
