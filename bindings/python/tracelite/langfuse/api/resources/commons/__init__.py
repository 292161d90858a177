"""`langfuse.api.resources.commons`, as SDK v2 and v3 have it: types and errors."""

from ... import *
from ... import __all__ as __all__
