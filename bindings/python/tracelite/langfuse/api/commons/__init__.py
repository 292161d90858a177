"""`langfuse.api.commons`, as SDK v4 has it: types and errors."""

from .. import *
from .. import __all__ as __all__
