"""`langfuse.api.core`: the error that all errors of reading are."""

from .._api_errors import ApiError

__all__ = ["ApiError"]
