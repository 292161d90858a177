"""`langfuse.api.resources.commons.errors`, as SDK v2 and v3 have it."""

from ... import *
from ... import __all__ as __all__
