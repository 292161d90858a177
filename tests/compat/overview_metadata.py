# fmt: off
from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler

handler = CallbackHandler( metadata={"key":"value"})

assert chain.invoke({"input": "test"}, config={"callbacks": [handler]}) == "answer"
