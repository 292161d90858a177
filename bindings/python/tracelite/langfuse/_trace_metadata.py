"""What the metadata of a call says of its trace: langfuse_session_id, langfuse_user_id and
langfuse_tags, by which Langfuse's integrations take what has no argument of its own there."""

from typing import Any, Mapping, Optional

from ._context import Attributes
from ._observation import Place
from ._values import short, tags as checked_tags

OF_TRACE = ("langfuse_session_id", "langfuse_user_id", "langfuse_tags")


def attributes_of(metadata: Mapping[str, Any]) -> Optional[Attributes]:
    return attributes(*(metadata.get(name) for name in OF_TRACE))


def attributes(session_id: Any, user_id: Any, tags: Any) -> Optional[Attributes]:
    """None, if none is given."""
    if session_id is None and user_id is None and tags is None:
        return None
    return Attributes(
        user_id=None if user_id is None else short(user_id, "user_id"),
        session_id=None if session_id is None else short(session_id, "session_id"),
        tags=() if tags is None else tuple(dict.fromkeys(checked_tags(tags))),
    )


def with_attributes(place: Place, own: Optional[Attributes]) -> Place:
    """The place where an observation begins, with further attributes from there on."""
    state, parent_id, before = place
    if own is None:
        return place
    return state, parent_id, own if before is None else before.merged(own)
