"""`langfuse.api.commons.errors`, as SDK v4 has it."""

from .. import *
from .. import __all__ as __all__
