"""A chain, where a sample has none: it tells its handlers what LangChain would tell them."""

import uuid
from types import SimpleNamespace as Object


class Chain:
    def invoke(self, inputs, config):
        root = uuid.UUID(config["run_id"]) if "run_id" in config else uuid.uuid4()
        for handler in config["callbacks"]:
            self.tell(handler, inputs, root)
        return "answer"

    def tell(self, handler, inputs, root):
        model = uuid.uuid4()
        handler.on_chain_start({"name": "chain"}, inputs, run_id=root, parent_run_id=None, tags=[])
        handler.on_chat_model_start(
            {"id": ["langchain", "chat_models", "tiny", "ChatTiny"]},
            [[Object(type="human", content=str(inputs), additional_kwargs={})]],
            run_id=model,
            parent_run_id=root,
            invocation_params={"model": "tiny-1"},
        )
        message = Object(type="ai", content="answer", additional_kwargs={})
        response = Object(generations=[[Object(text="answer", message=message)]], llm_output={})
        handler.on_llm_end(response, run_id=model, parent_run_id=root)
        handler.on_chain_end("answer", run_id=root, parent_run_id=None)


chain = Chain()
