"""tracelite records what an LLM application does into one file, and gives it back.

    from tracelite import Store

    with Store("day.tl") as store:
        with store.span(name="answer", type="generation", input={"q": "why?"}) as span:
            span.append("because")
        store.flush()
        for observation in store.observations(name="answer"):
            print(observation.output)

Store opens a file, Span is a live observation, Snapshot a consistent view. A value given as input,
output or metadata comes back equal: str, bytes, and what JSON can say; Json and Payload say the
exact bytes, NULL is JSON's null, and None means "not given". Errors are subclasses of
TraceliteError, one for each status of the C API.
"""

from ._c import VERSION as __version__
from ._c import Status
from ._cursor import Rows
from ._errors import (
    BusyError,
    CancelledError,
    CorruptError,
    DiskFullError,
    ExpiredError,
    ForkedError,
    InternalError,
    InvalidError,
    IoError,
    LimitError,
    MisuseError,
    NewerFormatError,
    NoMemoryError,
    NotFoundError,
    NotTraceliteError,
    OtherGeometryError,
    PermissionDeniedError,
    QueueFullError,
    ReadOnlyError,
    TimedOutError,
    TraceliteError,
    UnsupportedError,
)
from ._events import ImportReport, Outcome
from ._library import LibraryError
from ._reports import CloseReport, DeleteReport, Finding, Space, Statistics
from ._rows import Aggregate, Media, Observation, Score, Session, Step, Trace
from ._salvage import SalvageReport, salvage
from ._span import Span
from ._snapshot import Snapshot
from ._store import Store
from ._values import (
    CLEAR,
    NULL,
    DataType,
    Durability,
    Form,
    FullPolicy,
    Json,
    Level,
    ObservationType,
    Order,
    Payload,
    Phase,
    Source,
)

__all__ = [
    "CLEAR",
    "NULL",
    "Aggregate",
    "BusyError",
    "CancelledError",
    "CloseReport",
    "CorruptError",
    "DataType",
    "DeleteReport",
    "DiskFullError",
    "Durability",
    "ExpiredError",
    "Finding",
    "ForkedError",
    "Form",
    "FullPolicy",
    "ImportReport",
    "InternalError",
    "InvalidError",
    "IoError",
    "Json",
    "Level",
    "LibraryError",
    "LimitError",
    "Media",
    "MisuseError",
    "NewerFormatError",
    "NoMemoryError",
    "NotFoundError",
    "NotTraceliteError",
    "Observation",
    "ObservationType",
    "Order",
    "OtherGeometryError",
    "Outcome",
    "Payload",
    "PermissionDeniedError",
    "Phase",
    "QueueFullError",
    "ReadOnlyError",
    "Rows",
    "SalvageReport",
    "Score",
    "Session",
    "Snapshot",
    "Source",
    "Space",
    "Span",
    "Statistics",
    "Status",
    "Step",
    "Store",
    "TimedOutError",
    "Trace",
    "TraceliteError",
    "UnsupportedError",
    "__version__",
    "salvage",
]
