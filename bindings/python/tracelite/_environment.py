"""The repair of an environment, for those who must know before the library what it will be."""

import re

_CHARACTERS_MAX = 40


def repaired(given: str) -> str:
    """As the model has it: lowercase, without Langfuse's own prefix however often it is there, cut,
    and "default" for what has other characters. The library repairs in the same way."""
    text = re.sub(r"^(langfuse[-_]?)+", "", given.lower())[:_CHARACTERS_MAX]
    return text if re.fullmatch(r"[a-z0-9_-]+", text) else "default"
