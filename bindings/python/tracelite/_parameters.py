"""The keyword parameters of calls that take a filter, as templates (see _fields.takes)."""

from __future__ import annotations

from typing import Iterable, Optional, Union

from ._events import Progress, Target
from ._values import Level, ObservationType, Order, Time


def listing(
    *,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
    order: Union[Order, str] = Order.TIME,
    ascending: bool = False,
    limit: Optional[int] = None,
    after: Optional[str] = None,
) -> None:
    """The template of the lists' parameters (see _fields.takes)."""


def exporting(
    target: Target,
    *,
    progress: Optional[Progress] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of export_events' parameters."""


def deleting(
    *,
    progress: Optional[Progress] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of delete's parameters."""


def deleting_securely(
    *,
    timeout: Optional[float] = None,
    progress: Optional[Progress] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    metadata_key: Optional[str] = None,
    metadata_value: Union[str, int, float, bool, None] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of delete_securely's parameters."""


def following(
    *,
    position: Optional[int] = None,
    timeout: Optional[float] = None,
    trace_id: Optional[str] = None,
    session_id: Optional[str] = None,
    user_id: Optional[str] = None,
    tags: Optional[Iterable[str]] = None,
    environment: Optional[str] = None,
    name: Optional[str] = None,
    release: Optional[str] = None,
    version: Optional[str] = None,
    level: Union[Level, str, None] = None,
    type: Union[ObservationType, str, None] = None,
    model: Optional[str] = None,
    from_time: Optional[Time] = None,
    to_time: Optional[Time] = None,
) -> None:
    """The template of follow's parameters."""
