# fmt: off
import os

from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler
# Either set the environment variable or the constructor parameter. The latter takes precedence.
os.environ["LANGFUSE_TRACING_ENVIRONMENT"] = "production"
handler = CallbackHandler(
    environment="production"
)

assert chain.invoke({"input": "test"}, config={"callbacks": [handler]}) == "answer"
