"""What the tests of tracelite.langfuse share."""

import logging
from typing import Any, Dict, List, Tuple

from support import FolderCase
from tracelite import NotFoundError, Observation, Store, Trace
from tracelite.langfuse import Langfuse
from tracelite.langfuse._client import forget_clients
from tracelite.langfuse._context import EMPTY, current
from tracelite.langfuse._warn import forget_warnings, logger


class Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.messages: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class LangfuseCase(FolderCase):
    """A case with a client and a file of its own; `heard` are the warnings."""

    settings: Dict[str, Any] = {}

    def setUp(self) -> None:
        super().setUp()
        forget_clients()
        forget_warnings()
        self._heard = Heard()
        self._heard.setLevel(logging.WARNING)
        logger.addHandler(self._heard)
        logger.propagate = False
        self.addCleanup(logger.removeHandler, self._heard)
        self.client = Langfuse(path=self.path, **self.settings)
        self.addCleanup(forget_clients)
        self.addCleanup(lambda: self.client.shutdown())
        self.assertIs(current.get(), EMPTY, "an earlier test has left something current")

    def tearDown(self) -> None:
        self.assertIs(current.get(), EMPTY, "something was left current")
        super().tearDown()

    @property
    def heard(self) -> List[str]:
        return self._heard.messages

    def store(self) -> Store:
        """The open file, with everything that was recorded."""
        self.client.flush()
        store = self.client.recorder.store()
        assert store is not None
        return store

    def observations(self) -> Dict[str, Observation]:
        """All of the file by their names."""
        return {row.name or "": row for row in self.store().observations()}

    def observation(self, name: str) -> Observation:
        return self.observations()[name]

    def trace(self, id: str) -> Trace:
        return self.store().trace(id)

    def only_trace(self) -> Trace:
        (trace,) = self.store().traces()
        return self.store().trace(trace.id)

    def tree(self) -> List[Tuple[int, str]]:
        """Depth and name of all observations of the only trace."""
        return [(row.depth, row.name or "") for row in self.only_trace().observations]

    def is_empty(self) -> bool:
        try:
            with Store(self.path, read_only=True) as store:
                return not list(store.traces()) and not list(store.scores())
        except NotFoundError:
            return True
