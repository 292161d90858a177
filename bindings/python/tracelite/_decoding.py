"""Rows made of the library's structs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, List, Optional, Tuple

from . import _c
from ._c import Field, Kind, text_of
from ._origin import Later, Origin, Way, hide
from ._rows import Aggregate, Observation, Score, Session, Step, Trace
from ._values import DataType, Form, Level, ObservationType, Phase, Source

_BIT = {each: 1 << each for each in Field}


def _number(struct: Any, set_mask: int, which: Field, member: str) -> Any:
    return getattr(struct, member) if set_mask & _BIT[which] else None


def _tags(struct: Any) -> Tuple[str, ...]:
    tags = struct.tags
    return tuple(text_of(tags[n].data, tags[n].size_bytes) or "" for n in range(struct.tag_count))


_PAYLOADS = (
    (Field.METADATA, "metadata_form", "metadata_size_bytes"),
    (Field.INPUT, "input_form", "input_size_bytes"),
    (Field.OUTPUT, "output_form", "output_size_bytes"),
)


def _later(
    struct: Any,
    origin: Origin,
    kind: Kind,
    trace_id: Optional[str],
    id: str,
    payloads: int,
) -> Later:
    known = {}
    for which, form, size_bytes in _PAYLOADS[:payloads]:
        code = getattr(struct, form)
        if code:
            known[which] = (Form.of(code), getattr(struct, size_bytes))
    return Later(origin, kind, trace_id, id, known, {})


def _aggregate(pointer: Any) -> Optional[Aggregate]:
    if not pointer:
        return None
    struct = pointer.contents
    return Aggregate(
        key=text_of(struct.key, struct.key_size_bytes) or "",
        trace_count=struct.trace_count,
        observation_count=struct.observation_count,
        score_count=struct.score_count,
        debug_count=struct.debug_count,
        default_count=struct.default_count,
        warning_count=struct.warning_count,
        error_count=struct.error_count,
        unfinished_count=struct.unfinished_count,
        input_tokens=struct.input_tokens,
        output_tokens=struct.output_tokens,
        total_tokens=struct.total_tokens,
        total_cost=Decimal(text_of(struct.total_cost, struct.total_cost_size_bytes) or "0"),
        first_activity_ns=struct.first_activity_ns,
        last_activity_ns=struct.last_activity_ns,
        latency_ns=struct.latency_ns,
        model=text_of(struct.model, struct.model_size_bytes) or "",
    )


def trace_of(row: _c.Row, origin: Origin) -> Trace:
    struct = row.trace.contents
    mask = struct.set_mask
    id = text_of(struct.id, struct.id_size_bytes) or ""
    entity = Trace(
        id=id,
        timestamp_ns=_number(struct, mask, Field.TIMESTAMP, "timestamp_ns"),
        name=text_of(struct.name, struct.name_size_bytes),
        user_id=text_of(struct.user_id, struct.user_id_size_bytes),
        session_id=text_of(struct.session_id, struct.session_id_size_bytes),
        release=text_of(struct.release, struct.release_size_bytes),
        version=text_of(struct.version, struct.version_size_bytes),
        environment=text_of(struct.environment, struct.environment_size_bytes),
        tags=_tags(struct),
        is_public=bool(struct.is_public),
        is_bookmarked=bool(struct.is_bookmarked),
        is_derived=bool(row.is_derived),
        aggregate=_aggregate(row.aggregate),
    )
    hide(entity, later=_later(struct, origin, Kind.TRACE, None, id, 3))
    return entity


def observation_of(row: _c.Row, origin: Origin) -> Observation:
    struct = row.observation.contents
    mask = struct.set_mask
    id = text_of(struct.id, struct.id_size_bytes) or ""
    trace_id = text_of(struct.trace_id, struct.trace_id_size_bytes) or ""
    usage, cost = struct.usage_details, struct.cost_details
    entity = Observation(
        id=id,
        trace_id=trace_id,
        parent_observation_id=text_of(
            struct.parent_observation_id, struct.parent_observation_id_size_bytes
        ),
        type=ObservationType.of(struct.type) if struct.type else ObservationType.SPAN,
        name=text_of(struct.name, struct.name_size_bytes),
        start_time_ns=_number(struct, mask, Field.START_TIME, "start_time_ns"),
        end_time_ns=_number(struct, mask, Field.END_TIME, "end_time_ns"),
        completion_start_time_ns=_number(
            struct, mask, Field.COMPLETION_START_TIME, "completion_start_time_ns"
        ),
        level=Level.of(struct.level) if struct.level else Level.DEFAULT,
        status_message=text_of(struct.status_message, struct.status_message_size_bytes),
        version=text_of(struct.version, struct.version_size_bytes),
        environment=text_of(struct.environment, struct.environment_size_bytes),
        user_id=text_of(struct.user_id, struct.user_id_size_bytes),
        session_id=text_of(struct.session_id, struct.session_id_size_bytes),
        tags=_tags(struct),
        model=text_of(struct.model, struct.model_size_bytes),
        model_parameters_text=text_of(struct.model_parameters, struct.model_parameters_size_bytes),
        usage_details={
            text_of(usage[n].name, usage[n].name_size_bytes) or "": usage[n].amount
            for n in range(struct.usage_count)
        },
        cost_details={
            text_of(cost[n].name, cost[n].name_size_bytes)
            or "": Decimal(text_of(cost[n].amount, cost[n].amount_size_bytes) or "0")
            for n in range(struct.cost_count)
        },
        prompt_name=text_of(struct.prompt_name, struct.prompt_name_size_bytes),
        prompt_version=_number(struct, mask, Field.PROMPT_VERSION, "prompt_version"),
        is_unfinished=bool(row.is_unfinished),
        depth=row.depth,
    )
    hide(entity, later=_later(struct, origin, Kind.OBSERVATION, trace_id, id, 3))
    return entity


def score_of(row: _c.Row, origin: Origin) -> Score:
    struct = row.score.contents
    mask = struct.set_mask
    id = text_of(struct.id, struct.id_size_bytes) or ""
    entity = Score(
        id=id,
        trace_id=text_of(struct.trace_id, struct.trace_id_size_bytes),
        observation_id=text_of(struct.observation_id, struct.observation_id_size_bytes),
        session_id=text_of(struct.session_id, struct.session_id_size_bytes),
        name=text_of(struct.name, struct.name_size_bytes) or "",
        value=_number(struct, mask, Field.VALUE, "value"),
        string_value=text_of(struct.string_value, struct.string_value_size_bytes),
        data_type=DataType.of(struct.data_type),
        source=Source.of(struct.source),
        comment=text_of(struct.comment, struct.comment_size_bytes),
        config_id=text_of(struct.config_id, struct.config_id_size_bytes),
        environment=text_of(struct.environment, struct.environment_size_bytes),
        timestamp_ns=_number(struct, mask, Field.TIMESTAMP, "timestamp_ns"),
        author_user_id=text_of(struct.author_user_id, struct.author_user_id_size_bytes),
    )
    hide(entity, later=_later(struct, origin, Kind.SCORE, None, id, 1))
    return entity


def session_of(row: _c.Row, origin: Origin) -> Session:
    struct = row.session.contents
    entity = Session(
        id=text_of(struct.id, struct.id_size_bytes) or "",
        environment=text_of(struct.environment, struct.environment_size_bytes),
        is_public=bool(struct.is_public),
        is_bookmarked=bool(struct.is_bookmarked),
        aggregate=_aggregate(row.aggregate),
    )
    hide(entity, way=Way(origin))
    return entity


def group_of(row: _c.Row, origin: Origin) -> Aggregate:
    aggregate = _aggregate(row.aggregate)
    assert aggregate is not None
    return aggregate


def step_of(row: _c.Row, origin: Origin) -> Step:
    return Step(
        phase=Phase.of(row.phase),
        at_ns=row.at_ns,
        wait_ns=row.wait_ns,
        depth=row.depth,
        trace=trace_of(row, origin) if row.trace else None,
        observation=observation_of(row, origin) if row.observation else None,
    )


def with_children(rows: List[Observation]) -> Tuple[Observation, ...]:
    """Links the rows of a tree, each given before its children, without recursion."""
    path: List[List[Observation]] = []  # the children found so far of each row on the way down
    owners: List[Observation] = []
    for row in rows:
        while len(owners) >= row.depth:
            _adopt(owners.pop(), path.pop())
        if path:
            path[-1].append(row)
        owners.append(row)
        path.append([])
    while owners:
        _adopt(owners.pop(), path.pop())
    return tuple(rows)


def _adopt(row: Observation, children: List[Observation]) -> None:
    if children:
        hide(row, children=tuple(children))
