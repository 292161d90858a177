"""Rows as a table of pandas or of Arrow, where those are installed; neither is needed otherwise.

The columns of a table follow from the fields of its rows, so a table without rows has the same.
"""

from __future__ import annotations

import base64
import importlib
import json
from dataclasses import fields
from decimal import Context, Decimal
from typing import Any, Callable, Dict, Iterable, List, NamedTuple

from ._rows import Aggregate, Observation, Step
from ._values import Form, Payload

# What a column holds, by the annotation of a field; names that end in _ns are times and spans.
_KINDS = {
    "str": "text",
    "Optional[str]": "text",
    "int": "integer",
    "Optional[int]": "integer",
    "Optional[float]": "number",
    "bool": "flag",
    "Decimal": "cost",
    "Tuple[str, ...]": "texts",
    "Mapping[str, int]": "amounts",
    "Mapping[str, Decimal]": "costs",
    "ObservationType": "word",
    "Level": "word",
    "DataType": "word",
    "Source": "word",
    "Phase": "word",
}
_SPANS = ("latency_ns", "wait_ns")
_PAYLOADS = ("input", "output", "metadata")
_COST_DIGITS, _COST_PLACES = 38, 12
_EXACT = Context(prec=_COST_DIGITS)


class Column(NamedTuple):
    name: str
    kind: str
    read: Callable[[Any], Any]  # of a row


# ------------------------------------------------------------------------------------- columns


def columns_of(row_class: type, payloads: bool) -> List[Column]:
    """The columns for rows of this class."""
    if row_class is Step:
        return _columns_of_steps(payloads)
    columns: List[Column] = []
    for field in fields(row_class):
        if str(field.type) == "Optional[Aggregate]":
            for column in columns_of(Aggregate, False):
                if column.name != "key":
                    columns.append(column._replace(read=_within("aggregate", column.read)))
        else:
            columns.append(_column(field.name, str(field.type)))
    if payloads:
        for name in _PAYLOADS:
            if hasattr(row_class, name):
                columns.append(Column(name, "payload", _payload_reader(name)))
    return columns


def _column(name: str, annotation: str) -> Column:
    if name in _SPANS:
        return Column(name[:-3], "seconds", _reader(name))
    if name.endswith("_ns"):
        return Column(name[:-3], "time", _reader(name))
    return Column(name, _KINDS[annotation], _reader(name))


def _columns_of_steps(payloads: bool) -> List[Column]:
    # A step is of a trace or of an observation, which have most of their fields in common.
    columns = [
        _column(field.name, str(field.type))
        for field in fields(Step)
        if field.name not in ("trace", "observation")
    ]
    columns.append(Column("trace_id", "text", _trace_id_of_step))
    columns.append(Column("observation_id", "text", _within("observation", _reader("id"))))
    for column in columns_of(Observation, payloads):
        if column.name in ("type", "level", "status_message", "model"):
            columns.append(column._replace(read=_within("observation", column.read)))
        elif column.name in ("name", "session_id", "user_id", "environment", *_PAYLOADS):
            columns.append(column._replace(read=_of_either(column.read)))
    return columns


def _reader(name: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row, name)


def _within(name: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read_within(row: Any) -> Any:
        part = getattr(row, name)
        return None if part is None else read(part)

    return read_within


def _of_either(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda step: read(step.observation if step.trace is None else step.trace)


def _trace_id_of_step(step: Step) -> Any:
    return (
        step.trace.id if step.trace is not None else step.observation and step.observation.trace_id
    )


def _payload_reader(name: str) -> Callable[[Any], Any]:
    from ._c import Field

    which = Field[name.upper()]
    return lambda row: row._later.get(which)


def _cells(rows: Iterable[Any], columns: List[Column]) -> List[List[Any]]:
    cells: List[List[Any]] = [[] for _ in columns]
    readers = [(column.read, each.append) for column, each in zip(columns, cells)]
    for row in rows:
        for read, append in readers:
            append(read(row))
    return cells


def import_or_explain(module: str, what: str) -> Any:
    """The module; where it is missing, an ImportError that says what needs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{what} needs {module}, which is not installed here (pip install {module}); "
            f"tracelite itself needs nothing",
            name=module,
        ) from error


# -------------------------------------------------------------------------------------- pandas


def pandas_of(rows: Iterable[Any], row_class: type, payloads: bool) -> Any:
    pandas = import_or_explain("pandas", "to_pandas()")
    columns = columns_of(row_class, payloads)
    made: Dict[str, Any] = {}
    for column, cells in zip(columns, _cells(rows, columns)):
        made[column.name] = _series(pandas, column.kind, cells)
    return pandas.DataFrame(made)


def _series(pandas: Any, kind: str, cells: List[Any]) -> Any:
    if kind == "time":
        return pandas.to_datetime(pandas.Series(cells, dtype="Int64"), unit="ns", utc=True)
    if kind == "seconds":
        seconds = [None if each is None else each / 1e9 for each in cells]
        return pandas.Series(seconds, dtype="float64")
    if kind == "integer":
        return pandas.Series(cells, dtype="Int64")
    if kind == "number":
        return pandas.Series(cells, dtype="float64")
    if kind == "flag":
        return pandas.Series(cells, dtype="bool")
    if kind == "cost":
        costs = [None if each is None else float(each) for each in cells]
        return pandas.Series(costs, dtype="float64")
    if kind == "word":
        cells = [None if each is None else str(each) for each in cells]
    elif kind == "texts":
        cells = [None if each is None else list(each) for each in cells]
    elif kind == "amounts":
        cells = [None if each is None else dict(each) for each in cells]
    elif kind == "costs":
        cells = [
            None if each is None else {name: float(cost) for name, cost in each.items()}
            for each in cells
        ]
    elif kind == "payload":
        cells = [each.value for each in cells]
    return pandas.Series(cells, dtype="object")


# --------------------------------------------------------------------------------------- Arrow


def arrow_of(rows: Iterable[Any], row_class: type, payloads: bool) -> Any:
    arrow = import_or_explain("pyarrow", "to_arrow()")
    cost = arrow.decimal128(_COST_DIGITS, _COST_PLACES)
    kinds = {
        "text": arrow.string(),
        "word": arrow.string(),
        "payload": arrow.large_string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "seconds": arrow.float64(),
        "flag": arrow.bool_(),
        "time": arrow.timestamp("ns", tz="UTC"),
        "cost": cost,
        "texts": arrow.list_(arrow.string()),
        "amounts": arrow.map_(arrow.string(), arrow.uint64()),
        "costs": arrow.map_(arrow.string(), cost),
    }
    columns = columns_of(row_class, payloads)
    arrays = [
        arrow.array([_arrow_cell(column.kind, each) for each in cells], type=kinds[column.kind])
        for column, cells in zip(columns, _cells(rows, columns))
    ]
    return arrow.Table.from_arrays(arrays, names=[column.name for column in columns])


def _arrow_cell(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "seconds":
        return value / 1e9
    if kind == "word":
        return str(value)
    if kind == "texts":
        return list(value)
    if kind == "cost":
        return _rounded(value)
    if kind == "amounts":
        return list(value.items())
    if kind == "costs":
        return [(name, _rounded(cost)) for name, cost in value.items()]
    if kind == "payload":
        return json_text_of(value)
    return value


def _rounded(cost: Decimal) -> Decimal:
    return cost.quantize(Decimal(1).scaleb(-_COST_PLACES), context=_EXACT)


def json_text_of(payload: Payload) -> Any:
    """A payload as an export writes it: JSON as it is, text as a JSON string, bytes as an object."""
    if payload.form is Form.JSON or payload.form is Form.NULL:
        return payload.data.decode()
    if payload.form is Form.TEXT:
        return json.dumps(payload.data.decode(), ensure_ascii=False)
    if payload.form is Form.BYTES:
        return json.dumps({"$bytes": base64.b64encode(payload.data).decode()})
    return None
