"""Recording from an event loop does not wait for a full queue; other threads do."""

import asyncio
import threading
import unittest
from typing import Any, List

from langfuse_support import LangfuseCase
from tracelite import QueueFullError, Store


class LoopTest(LangfuseCase):
    """The writer is held by a mask, so that nothing leaves the queue."""

    def setUp(self) -> None:
        super().setUp()
        self.may_write = threading.Event()

        def hold(field: str, payload: object) -> object:
            self.may_write.wait()
            return payload

        self.held = Store(self.path, queue_size_bytes=1 << 16, mask=hold)
        self.client.recorder._store = self.held
        self.addCleanup(self.may_write.set)

    def fill(self) -> int:
        """Fills the queue, on a thread that drops; how many records went in."""
        count = 0
        Store.drop_when_full(True)
        try:
            while True:
                self.held.put_trace(f"t{count}", input="x" * 1000)
                count += 1
        except QueueFullError:
            return count
        finally:
            Store.drop_when_full(False)

    def release_later(self) -> None:
        """For what is not to wait: if it does, the case fails in place of hanging."""
        timer = threading.Timer(120, self.may_write.set)
        timer.start()
        self.addCleanup(timer.cancel)

    def test_a_loop_drops_and_counts_and_a_thread_waits(self) -> None:
        filled = self.fill()
        dropped: List[str] = []

        async def record() -> None:
            observation = self.client.start_observation(name="dropped", input="y" * 1000)
            observation.update(output=1).end()
            self.client.create_event(name="dropped", input="y" * 1000)
            dropped.append(observation.id)

        asyncio.run(record())
        self.assertEqual(len(dropped), 1)
        self.assertTrue(any("QueueFullError" in message for message in self.heard), self.heard)

        done = threading.Event()

        def wait() -> None:
            self.client.start_observation(name="waited", input="z" * 1000).end()
            done.set()

        thread = threading.Thread(target=wait)
        thread.start()
        self.assertFalse(done.is_set())
        self.may_write.set()
        thread.join()
        seen = self.observations()
        self.assertIn("waited", seen)
        self.assertNotIn("dropped", seen)
        self.assertEqual(sum(row.id.startswith("t") for row in self.store().traces()), filled)
        self.assertGreater(self.store().counters()["queue_full"], 0)

    def test_a_thread_whose_loop_has_ended_waits_again(self) -> None:
        async def record() -> None:
            self.client.start_observation(name="on the loop").end()

        asyncio.run(record())
        self.fill()
        threading.Timer(0.05, self.may_write.set).start()  # whenever: the call returns after it
        self.client.start_observation(name="after", input="z" * 1000).end()
        self.assertIn("after", self.observations())

    def test_the_application_s_own_stores_wait_again(self) -> None:
        async def record() -> None:
            self.client.start_observation(name="on the loop").update(output=1).end()
            words = self.client.start_observation(name="streamed")
            words.append("x")

        self.fill()  # before, because it says itself that this thread waits
        self.release_later()
        asyncio.run(record())
        threading.Timer(0.05, self.may_write.set).start()  # whenever: the call returns after it
        self.held.put_trace("the application's", input="z" * 1000)
        self.assertEqual(self.trace("the application's").input, "z" * 1000)

    def test_what_the_application_says_of_dropping_stays(self) -> None:
        async def record() -> None:
            self.client.start_observation(name="on the loop").end()

        self.fill()
        self.release_later()
        Store.drop_when_full(True)
        self.addCleanup(Store.drop_when_full, False)
        asyncio.run(record())
        self.client.start_observation(name="dropped, too", input="z" * 1000).end()
        with self.assertRaises(QueueFullError):
            self.held.put_trace("dropped", input="z" * 1000)
        self.assertFalse(self.may_write.is_set())

    def test_a_loop_drops_whatever_the_application_says(self) -> None:
        dropped: List[bool] = []

        async def record() -> None:
            words = self.client.start_observation(name="on the loop")
            Store.drop_when_full(False)
            self.fill()
            for _ in range(100):  # in what room there is left
                words.append("x" * 1000)
            self.client.start_observation(name="dropped", input="y" * 1000).end()
            dropped.append(not self.may_write.is_set())

        self.release_later()
        asyncio.run(record())
        self.assertEqual(dropped, [True])

    def test_work_of_the_loop_in_threads_waits(self) -> None:
        async def record() -> Any:
            self.client.start_observation(name="on the loop").end()
            self.fill()
            work = asyncio.get_running_loop().run_in_executor(
                None, lambda: self.client.start_observation(name="in a thread", input="z" * 1000)
            )
            self.may_write.set()
            return await work

        asyncio.run(record()).end()
        self.assertIn("in a thread", self.observations())


if __name__ == "__main__":
    unittest.main()
