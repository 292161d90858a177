# fmt: off
import asyncio
from types import SimpleNamespace as Object

from tracelite.langfuse import Langfuse

langfuse_service = Object(langfuse=Langfuse())


class Completions:
    async def create(self, model, messages, stream):
        if model == "broken":
            raise ValueError("the model is gone")
        return self.chunks()

    async def chunks(self):
        for text in ("In ", None, "Norway."):
            yield Object(choices=[Object(delta=Object(content=text))])


class Gpt:
    model = "tiny"
    oai_client = Object(chat=Object(completions=Completions()))

    async def gpt_stream_with_langfuse(self, user_message: str, model: str = None, history: list[dict] = [], system_prompt: str = ""):
        trace = langfuse_service.langfuse.trace(name="gpt_stream", user_id="user-123")
        span = trace.span(name="gpt_stream_call")

        try:
            messages = []
            if history:
                messages.extend(history)

            if system_prompt:
                messages.append({"role": "system", "content": system_prompt})

            messages.append({"role": "user", "content": user_message})

            # 🔍 添加 input
            span.update(input={"messages": messages})

            response = await self.oai_client.chat.completions.create(
                model=model or self.model,
                messages=messages,
                stream=True
            )

            full_response = ""
            async for chunk in response:
                if chunk.choices[0].delta.content:
                    full_response += chunk.choices[0].delta.content
                    yield chunk.choices[0].delta.content

            # 🔍 添加输出
            span.end(output=full_response)
            trace.update(output=full_response)
        except Exception as e:
            span.end(output={"error": str(e)})
            trace.update(output={"error": str(e)})
            raise


async def read(stream):
    return [text async for text in stream]


history = [{"role": "user", "content": "Hello"}]
stream = Gpt().gpt_stream_with_langfuse("Where is Oslo?", None, history, "Be short.")
assert asyncio.run(read(stream)) == ["In ", "Norway."]
try:
    asyncio.run(read(Gpt().gpt_stream_with_langfuse("Where is Oslo?", "broken")))
except ValueError as error:
    assert str(error) == "the model is gone"
