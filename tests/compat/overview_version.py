# fmt: off
from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler
handler = CallbackHandler(version="1.0")

assert chain.invoke({"input": "test"}, config={"callbacks": [handler]}) == "answer"
