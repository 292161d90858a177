"""Media that are given as such: `LangfuseMedia`. In a payload it stands for its data URI, and the
library keeps the bytes once, as it does with every data URI."""

import base64
import hashlib
import mimetypes
import os
from typing import Any, Optional

from ._warn import warn_once

__all__ = ["LangfuseMedia"]


class LangfuseMedia:
    """An image, sound or document: of a data URI, of bytes, or of a file, read at once."""

    def __init__(
        self,
        *,
        obj: Optional[Any] = None,
        base64_data_uri: Optional[str] = None,
        content_type: Optional[str] = None,
        content_bytes: Optional[bytes] = None,
        file_path: Optional[str] = None,
    ) -> None:
        self.obj = obj
        self._content_type = content_type
        self._content_bytes: Optional[bytes] = None
        try:
            if base64_data_uri is not None:
                head, data = base64_data_uri.split(",", 1)
                self._content_type = head[len("data:") :].split(";")[0] or None
                self._content_bytes = base64.b64decode(data)
            elif content_bytes is not None:
                self._content_bytes = bytes(content_bytes)
            elif file_path is not None:
                self._content_type = content_type or mimetypes.guess_type(os.fspath(file_path))[0]
                with open(file_path, "rb") as file:
                    self._content_bytes = file.read()
        except Exception as error:
            warn_once(("media", type(error)), "a medium cannot be read: %s", error)

    @property
    def _content_sha256_hash(self) -> Optional[str]:
        if self._content_bytes is None:
            return None
        return base64.b64encode(hashlib.sha256(self._content_bytes).digest()).decode()

    @property
    def _media_id(self) -> Optional[str]:
        digest = self._content_sha256_hash
        if digest is None:
            return None
        return digest.replace("+", "-").replace("/", "_")[:22]

    def __tracelite_payload__(self) -> str:
        """What stands in a payload."""
        if self._content_bytes is None:
            return f"<no medium: {self._content_type}>"
        kind = self._content_type or "application/octet-stream"
        return f"data:{kind};base64,{base64.b64encode(self._content_bytes).decode()}"
