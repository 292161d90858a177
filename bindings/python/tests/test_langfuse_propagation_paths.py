"""How propagated attributes travel: nested, merged, late, through threads, tasks and generators."""

import asyncio
import contextvars
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional

from langfuse_support import LangfuseCase
from tracelite.langfuse import observe, propagate_attributes


class PathCase(LangfuseCase):
    def make(self, name: str) -> None:
        self.client.start_span(name=name).end()

    def carried(self, field: str) -> Dict[str, Any]:
        return {name: getattr(row, field) for name, row in self.observations().items()}

    def sessions(self, **expected: Optional[str]) -> None:
        found = self.carried("session_id")
        self.assertEqual({name: found[name] for name in expected}, expected)


class NestingTest(PathCase):
    def test_an_inner_value_replaces_the_outer_one(self) -> None:
        with propagate_attributes(session_id="s1", user_id="u1"):
            self.make("a")
            with propagate_attributes(session_id="s2"):
                self.make("b")
            self.make("c")
        self.make("d")
        self.sessions(a="s1", b="s2", c="s1", d=None)
        self.assertEqual(self.carried("user_id"), {"a": "u1", "b": "u1", "c": "u1", "d": None})

    def test_tags_unite(self) -> None:
        with propagate_attributes(tags=["b", "a"]):
            with propagate_attributes(tags=["c", "a"]):
                self.make("a")
            self.make("b")
        self.assertEqual(self.carried("tags"), {"a": ("a", "b", "c"), "b": ("a", "b")})

    def test_metadata_merges_by_key(self) -> None:
        with propagate_attributes(metadata={"a": "1", "b": "1"}):
            with propagate_attributes(metadata={"b": "2", "c": "2"}):
                self.make("a")
            self.make("b")
        expected = {"a": {"a": "1", "b": "2", "c": "2"}, "b": {"a": "1", "b": "1"}}
        self.assertEqual(self.carried("metadata"), expected)

    def test_a_bad_inner_value_leaves_the_outer_one(self) -> None:
        with propagate_attributes(session_id="s1"):
            with propagate_attributes(session_id="x" * 201):
                self.make("a")
        self.sessions(a="s1")

    def test_environments_nest(self) -> None:
        with propagate_attributes(environment="outer"):
            self.make("a")
            with propagate_attributes(environment="inner"):
                self.make("b")
        self.assertEqual(self.carried("environment"), {"a": "outer", "b": "inner"})

    def test_three_deep(self) -> None:
        with propagate_attributes(user_id="u"), propagate_attributes(session_id="s"):
            with propagate_attributes(version="v"):
                self.make("a")
        row = self.observation("a")
        self.assertEqual((row.user_id, row.session_id, row.version), ("u", "s", "v"))

    def test_an_exception_ends_the_block(self) -> None:
        with self.assertRaises(KeyError):
            with propagate_attributes(session_id="s"):
                raise KeyError
        self.make("a")
        self.sessions(a=None)

    def test_one_block_entered_again(self) -> None:
        block = propagate_attributes(session_id="s")
        with block:
            with block:
                self.make("a")
            self.make("b")
        self.make("c")
        self.sessions(a="s", b="s", c=None)


class OwnValueTest(PathCase):
    def test_an_own_value_wins(self) -> None:
        with propagate_attributes(version="1", metadata={"a": "1", "b": "1"}):
            self.client.start_span(name="a", version="2", metadata={"b": 2}).end()
        row = self.observation("a")
        self.assertEqual((row.version, row.metadata), ("2", {"a": "1", "b": 2}))

    def test_own_metadata_that_is_no_object(self) -> None:
        with propagate_attributes(metadata={"a": "1"}):
            self.client.start_span(name="a", metadata="mine").end()
        self.assertEqual(self.observation("a").metadata, {"a": "1", "metadata": "mine"})

    def test_an_own_prompt_wins(self) -> None:
        with propagate_attributes(prompt={"name": "theirs", "version": 1}):
            own: Any = {"name": "mine", "version": 2}
            self.client.start_generation(name="a", prompt=own).end()
            self.client.start_generation(name="b").end()
            self.client.start_span(name="c").end()
        expected = {"a": "mine", "b": "theirs", "c": None}
        self.assertEqual(self.carried("prompt_name"), expected)

    def test_the_client_has_an_environment(self) -> None:
        from tracelite.langfuse import Langfuse

        self.client = Langfuse(environment="mine")
        self.make("a")
        with propagate_attributes(environment="theirs"):
            self.make("b")
        self.assertEqual(self.carried("environment"), {"a": "mine", "b": "theirs"})


class LateTest(PathCase):
    def test_only_the_current_and_the_later_ones(self) -> None:
        with self.client.start_as_current_span(name="root"):
            with self.client.start_as_current_span(name="parent"):
                self.make("before")
                with propagate_attributes(session_id="s"):
                    self.make("within")
                self.make("after")
        self.sessions(root=None, parent="s", before=None, within="s", after=None)
        self.assertEqual(self.only_trace().session_id, "s")

    def test_the_trace_of_each_root(self) -> None:
        with propagate_attributes(session_id="s", user_id="u", tags=["t"], trace_name="n"):
            self.make("a")
            self.make("b")
        for trace in self.store().traces():
            self.assertEqual((trace.session_id, trace.user_id), ("s", "u"))
            self.assertEqual((trace.name, trace.tags), ("n", ("t",)))

    def test_the_session_has_all_traces(self) -> None:
        for name in "abc":
            with self.client.start_as_current_span(name=name):
                with propagate_attributes(session_id="s"):
                    self.make(name + "1")
        session = self.store().get_session("s")
        assert session.aggregate is not None
        self.assertEqual(session.aggregate.trace_count, 3)

    def test_what_is_said_of_the_trace_later_wins(self) -> None:
        with propagate_attributes(session_id="s1"):
            with self.client.start_as_current_span(name="a") as a:
                a.update_trace(session_id="s2")
                self.make("b")
        self.assertEqual(self.only_trace().session_id, "s2")

    def test_events_and_scores(self) -> None:
        with propagate_attributes(session_id="s", environment="prod"):
            with self.client.start_as_current_span(name="a"):
                self.client.create_event(name="event")
                self.client.score_current_span(name="n", value=1)
        self.sessions(event="s")
        (score,) = self.store().scores()
        self.assertEqual(score.environment, "prod")


class ThreadTest(PathCase):
    def run_in_thread(self, function: Callable[[], object]) -> None:
        thread = threading.Thread(target=function)
        thread.start()
        thread.join()

    def test_a_new_thread_starts_with_nothing(self) -> None:
        with propagate_attributes(session_id="s"), self.client.start_as_current_span(name="a"):
            self.run_in_thread(lambda: self.make("b"))
        self.sessions(a="s", b=None)
        self.assertIsNone(self.observation("b").parent_observation_id)

    def test_a_handle_carries_into_a_thread(self) -> None:
        def work() -> None:
            with a.start_as_current_span(name="b"):
                self.make("c")
                with propagate_attributes(tags=["t"]):
                    self.make("d")

        with propagate_attributes(session_id="s", tags=["u"]):
            with self.client.start_as_current_span(name="a") as a:
                self.run_in_thread(work)
        self.sessions(b="s", c="s", d="s")
        self.assertEqual(self.tree(), [(1, "a"), (2, "b"), (3, "c"), (3, "d")])
        self.assertEqual(self.carried("tags")["d"], ("t", "u"))

    def test_a_handle_carries_late_attributes(self) -> None:
        with self.client.start_as_current_span(name="a") as a:
            with propagate_attributes(session_id="s"):
                self.run_in_thread(lambda: a.start_span(name="b").end())
        self.sessions(b="s")

    def test_a_handle_does_not_outweigh_its_own_context(self) -> None:
        with self.client.start_as_current_span(name="a") as a:
            with propagate_attributes(session_id="s"):
                pass
            a.start_span(name="b").end()
        self.sessions(b=None)

    def test_attributes_of_the_thread_win_over_the_handle(self) -> None:
        def work() -> None:
            with propagate_attributes(session_id="s2"):
                a.start_span(name="b").end()

        with propagate_attributes(session_id="s1", user_id="u"):
            a = self.client.start_span(name="a")
        self.run_in_thread(work)
        a.end()
        self.sessions(b="s2")
        self.assertEqual(self.observation("b").user_id, "u")

    def test_a_copied_context(self) -> None:
        with propagate_attributes(session_id="s"), self.client.start_as_current_span(name="a"):
            context = contextvars.copy_context()
            self.run_in_thread(lambda: context.run(self.make, "b"))
        self.sessions(b="s")
        self.assertEqual(self.tree(), [(1, "a"), (2, "b")])

    def test_an_executor(self) -> None:
        with ThreadPoolExecutor(2) as pool, propagate_attributes(session_id="s"):
            with self.client.start_as_current_span(name="a") as a:
                for name in "bcd":
                    context = contextvars.copy_context()
                    pool.submit(lambda: context.run(self.make, name)).result()
                pool.submit(a.start_span, name="e").result().end()
        self.sessions(b="s", c="s", d="s", e="s")
        self.assertEqual({depth for depth, _ in self.tree()}, {1, 2})

    def test_trace_context_in_a_thread(self) -> None:
        def work() -> None:
            self.client.start_span(name="b", trace_context=context).end()

        with propagate_attributes(session_id="s"), self.client.start_as_current_span(name="a") as a:
            context: Any = {"trace_id": a.trace_id, "parent_span_id": a.id}
            self.run_in_thread(work)
        self.assertEqual(self.tree(), [(1, "a"), (2, "b")])
        self.sessions(b=None)  # ids alone carry no attributes

    def test_threads_do_not_disturb_each_other(self) -> None:
        barrier = threading.Barrier(4)

        def work(name: str) -> None:
            with propagate_attributes(session_id=name):
                barrier.wait(30)
                self.make(name)
                barrier.wait(30)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sessions(a="a", b="b", c="c", d="d")


class AsyncTest(PathCase):
    def test_tasks_inherit_and_do_not_leak(self) -> None:
        async def work(name: str) -> None:
            with propagate_attributes(session_id=name):
                await asyncio.sleep(0)
                self.make(name)

        async def main() -> None:
            with propagate_attributes(user_id="u"):
                await asyncio.gather(*(work(name) for name in "abc"))
                self.make("d")

        asyncio.run(main())
        self.sessions(a="a", b="b", c="c", d=None)
        self.assertEqual(set(self.carried("user_id").values()), {"u"})

    def test_as_an_async_block(self) -> None:
        async def main() -> None:
            async with propagate_attributes(session_id="s"):
                self.make("a")

        asyncio.run(main())
        self.sessions(a="s")

    def test_a_task_outlives_the_block(self) -> None:
        async def later(event: asyncio.Event) -> None:
            await event.wait()
            self.make("a")

        async def main() -> None:
            event = asyncio.Event()
            with propagate_attributes(session_id="s"):
                task = asyncio.ensure_future(later(event))
            event.set()
            await task
            self.make("b")

        asyncio.run(main())
        self.sessions(a="s", b=None)

    def test_to_thread_and_callbacks(self) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            with propagate_attributes(session_id="s"):
                await asyncio.to_thread(self.make, "a")
                done = loop.create_future()
                loop.call_soon(self.make, "b")
                loop.call_soon(done.set_result, None)
                await done

        asyncio.run(main())
        self.sessions(a="s", b="s")

    def test_a_nested_event_loop(self) -> None:
        async def inner() -> None:
            self.make("a")

        async def main() -> None:
            with propagate_attributes(session_id="s"):
                context = contextvars.copy_context()
                await asyncio.to_thread(lambda: context.run(lambda: asyncio.run(inner())))

        asyncio.run(main())
        self.sessions(a="s")


class DecoratorAndGeneratorTest(PathCase):
    def test_as_a_decorator(self) -> None:
        @propagate_attributes(session_id="s")
        def function() -> None:
            self.make("a")

        @propagate_attributes(session_id="s")
        async def later() -> None:
            self.make("b")

        function()
        asyncio.run(later())
        self.make("c")
        self.sessions(a="s", b="s", c=None)

    def test_within_an_observed_function(self) -> None:
        @observe()
        def inner() -> None:
            self.make("leaf")

        @observe()
        def outer() -> None:
            with propagate_attributes(session_id="s", user_id="u"):
                inner()

        outer()
        self.sessions(outer="s", inner="s", leaf="s")

    def test_within_an_observed_generator(self) -> None:
        @observe()
        def stream() -> Iterator[int]:
            with propagate_attributes(session_id="s"):
                for number in range(2):
                    self.make(f"within {number}")
                    yield number

        for number in stream():
            self.make(f"reader {number}")
        found = self.carried("session_id")
        self.assertEqual(found["within 0"], "s")
        self.assertEqual(found["within 1"], "s")
        self.assertIsNone(found["reader 0"])
        self.assertEqual(found["stream"], "s")

    def test_around_an_observed_generator(self) -> None:
        @observe()
        def stream() -> Iterator[int]:
            self.make("a")
            yield 1

        with propagate_attributes(session_id="s"):
            numbers = stream()
        list(numbers)  # begun within the block, read outside
        self.sessions(stream="s", a="s")

    def test_within_an_observed_async_generator(self) -> None:
        @observe()
        async def stream() -> AsyncIterator[int]:
            with propagate_attributes(session_id="s"):
                for number in range(2):
                    await asyncio.sleep(0)
                    self.make(f"within {number}")
                    yield number

        async def main() -> List[int]:
            seen = []
            async for number in stream():
                self.make(f"reader {number}")
                seen.append(number)
            return seen

        self.assertEqual(asyncio.run(main()), [0, 1])
        found = self.carried("session_id")
        self.assertEqual((found["within 0"], found["within 1"]), ("s", "s"))
        self.assertIsNone(found["reader 1"])

    def test_an_async_generator_that_is_closed_elsewhere(self) -> None:
        async def stream() -> AsyncIterator[int]:
            with propagate_attributes(session_id="s"):
                yield 1

        async def main() -> None:
            generator: Any = stream()
            await asyncio.ensure_future(generator.__anext__())
            await asyncio.ensure_future(generator.aclose())
            self.make("a")

        asyncio.run(main())
        self.sessions(a=None)


if __name__ == "__main__":
    unittest.main()
