"""What this process knows of a trace while observations of it are live.

Langfuse shows a trace by its root observation. tracelite does so too for a trace without a record
of its own; once something is put on the trace itself (a session, a user, tags, a release), its name,
input and output are put there as well, unless somebody said them otherwise.
"""

from typing import TYPE_CHECKING, Any, Dict, Optional, Set

from ._context import Attributes
from ._serialize import with_members

if TYPE_CHECKING:
    from ._client import Langfuse

_DERIVED = ("name", "input", "output", "version")


class TraceState:
    """Of one trace. Observations of several threads may share it."""

    __slots__ = (
        "id",
        "_derived",
        "_said",
        "_is_recorded",
        "_has_attributes",
        "_started_ns",
        "_environment",
    )

    def __init__(self, id: str) -> None:
        self.id = id
        self._derived: Optional[Dict[str, Any]] = None  # of the root, if it is of this process
        self._said: Set[str] = set()
        self._is_recorded = False
        self._has_attributes = False
        self._started_ns = 0
        self._environment: Optional[str] = None

    def begin_root(
        self,
        client: "Langfuse",
        name: Optional[str],
        fields: Dict[str, Any],
        environment: Optional[str],
        start_ns: int,
    ) -> None:
        """An observation without a parent begins, with these fields, which are kept."""
        if name is not None:
            fields["name"] = name
        self._derived = fields
        self._environment = environment
        self._started_ns = start_ns
        if client.settings.release is not None:
            self.put(client, {})

    def inherit(self, client: "Langfuse", attributes: Attributes) -> None:
        """An observation of the trace begins where attributes are propagated."""
        if not self._has_attributes:
            self.put_attributes(client, attributes)

    def put_attributes(self, client: "Langfuse", attributes: Attributes) -> None:
        self._has_attributes = True
        fields = attributes.of_trace()
        if attributes.metadata:
            fields["metadata"] = with_members(attributes.metadata, None)
        self.put(client, fields)

    def put(self, client: "Langfuse", fields: Dict[str, Any]) -> None:
        """Puts fields on the trace; those that are None are not said."""
        given = {name: value for name, value in fields.items() if value is not None}
        self._said.update(given)
        if not self._is_recorded:
            self._is_recorded = True
            if client.settings.release is not None:
                given.setdefault("release", client.settings.release)
            if self._derived is not None:
                given = {**self._unsaid(self._derived), **given}
                given.setdefault("timestamp", self._started_ns)
                given["environment"] = self._environment  # that of the root: the first one stays
            elif client.settings.environment is not None:
                given.setdefault("environment", client.settings.environment)
        if given:
            given["id"] = self.id
            client.recorder.put_trace(given)

    def update_root(self, client: "Langfuse", fields: Dict[str, Any]) -> None:
        """The root is updated with these fields."""
        derived = self._derived
        if derived is None:
            return
        if not self._is_recorded:  # remembered, should a record come
            derived.update(fields)
            return
        unsaid = self._unsaid(fields)
        if unsaid:
            client.recorder.put_trace({**unsaid, "id": self.id})

    def _unsaid(self, fields: Dict[str, Any]) -> Dict[str, Any]:
        """Of these fields of the root, those that the trace shows, too."""
        return {
            name: fields[name]
            for name in _DERIVED
            if fields.get(name) is not None and name not in self._said
        }
