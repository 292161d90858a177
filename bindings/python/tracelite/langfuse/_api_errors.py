"""The errors that reading raises, by the names that they have in Langfuse."""

from typing import Any, Dict, Optional


class ApiError(Exception):
    """A request that failed: status_code as HTTP would say it, body tells why."""

    def __init__(
        self,
        *,
        headers: Optional[Dict[str, str]] = None,
        status_code: Optional[int] = None,
        body: Any = None,
    ) -> None:
        super().__init__(status_code, body)
        self.headers = headers
        self.status_code = status_code
        self.body = body

    def __str__(self) -> str:
        return f"status_code: {self.status_code}, body: {self.body}"


class Error(ApiError):
    """A request that cannot be understood."""

    def __init__(self, body: Any = None, headers: Optional[Dict[str, str]] = None) -> None:
        super().__init__(headers=headers, status_code=400, body=body)


class UnauthorizedError(ApiError):
    """Never raised here: there are no keys."""

    def __init__(self, body: Any = None, headers: Optional[Dict[str, str]] = None) -> None:
        super().__init__(headers=headers, status_code=401, body=body)


class AccessDeniedError(ApiError):
    """Never raised here: there are no keys."""

    def __init__(self, body: Any = None, headers: Optional[Dict[str, str]] = None) -> None:
        super().__init__(headers=headers, status_code=403, body=body)


class NotFoundError(ApiError, LookupError):
    """No such trace, observation, score or session, or no file."""

    def __init__(self, body: Any = None, headers: Optional[Dict[str, str]] = None) -> None:
        super().__init__(headers=headers, status_code=404, body=body)


class MethodNotAllowedError(ApiError):
    """Never raised here."""

    def __init__(self, body: Any = None, headers: Optional[Dict[str, str]] = None) -> None:
        super().__init__(headers=headers, status_code=405, body=body)
