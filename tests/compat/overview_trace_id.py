# fmt: off
from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler
import uuid
predefined_run_id = str(uuid.uuid4())
langfuse_handler = CallbackHandler()
# Pass run_id to the chain invocation
chain.invoke(
    {"input": "test"},
    config={
        "callbacks": [langfuse_handler],
        "run_id": predefined_run_id, # This becomes the trace ID
    },
)

assert langfuse_handler.get_trace_id() == predefined_run_id
