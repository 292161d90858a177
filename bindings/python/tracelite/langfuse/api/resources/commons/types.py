"""`langfuse.api.resources.commons.types`, as SDK v2 and v3 have it."""

from ... import *
from ... import __all__ as __all__
