# fmt: off
from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler

handler = CallbackHandler(
    tags=["tag-1", "tag-2"]
)

assert chain.invoke({"input": "test"}, config={"callbacks": [handler]}) == "answer"
