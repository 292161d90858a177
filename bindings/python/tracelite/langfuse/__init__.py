"""Langfuse's Python surface over one local file: change the import, and it works.

    from tracelite.langfuse import get_client, observe, propagate_attributes

    @observe()
    def answer(question):
        with propagate_attributes(session_id="holidays", user_id="ada"):
            return "because"

    answer("why?")
    get_client().flush()  # durable in tracelite.tl, or in the file that TRACELITE_PATH names

What Langfuse's SDK v2, v3 and v4 call by these names is here under the same names and modules;
README.md lists them. `python -m tracelite.langfuse run script.py` runs an unchanged script.
Nothing here raises into the application: what cannot be recorded is logged, once.
"""

from .. import __version__
from ._client import Langfuse, get_client
from ._observation import (
    LangfuseAgent,
    LangfuseChain,
    LangfuseEmbedding,
    LangfuseEvaluator,
    LangfuseEvent,
    LangfuseGeneration,
    LangfuseGuardrail,
    LangfuseRetriever,
    LangfuseSpan,
    LangfuseTool,
)
from ._observe import observe
from ._propagation import propagate_attributes
from .media import LangfuseMedia

__all__ = [
    "Langfuse",
    "LangfuseAgent",
    "LangfuseChain",
    "LangfuseEmbedding",
    "LangfuseEvaluator",
    "LangfuseEvent",
    "LangfuseGeneration",
    "LangfuseGuardrail",
    "LangfuseMedia",
    "LangfuseRetriever",
    "LangfuseSpan",
    "LangfuseTool",
    "__version__",
    "get_client",
    "observe",
    "propagate_attributes",
]
