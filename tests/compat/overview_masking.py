# fmt: off
from model_chain import chain
from tracelite.langfuse.callback import CallbackHandler
def masking_function(data):
    if isinstance(data, str) and data.startswith("SECRET_"):
        return "REDACTED"
    return data
handler = CallbackHandler(
    mask=masking_function
)

assert chain.invoke("SECRET_question", config={"callbacks": [handler]}) == "answer"
