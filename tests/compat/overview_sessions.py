# fmt: off
from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler

handler = CallbackHandler(
    session_id="your-session-id"
)

assert chain.invoke({"input": "test"}, config={"callbacks": [handler]}) == "answer"
