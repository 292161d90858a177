# fmt: off
from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler

handler = CallbackHandler(
    user_id="user-id"
)

assert chain.invoke({"input": "test"}, config={"callbacks": [handler]}) == "answer"
