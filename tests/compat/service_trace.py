# fmt: off
import asyncio
from types import SimpleNamespace as Object

from tracelite.langfuse import Langfuse

langfuse_service = Object(langfuse=Langfuse())


async def ask(openai_call):
    trace = langfuse_service.langfuse.trace(name="gpt_stream", user_id="user-123")
    span = trace.span(name="gpt_stream_call", input={"question": "北京的时间是多少？"})

    try:
        # 你的业务逻辑
        result = await openai_call()  # 比如调用 openai 的 chat 接口
        span.end(output=result)       # 结束 span，并记录结果
        trace.update(output=result)   # 更新整个 trace 的 output
    except Exception as e:
        span.end(output=f"Error: {str(e)}")
        raise


async def answers():
    return {"time": "15:00"}


async def fails():
    raise ValueError("the model is gone")


asyncio.run(ask(answers))
try:
    asyncio.run(ask(fails))
except ValueError as error:
    assert str(error) == "the model is gone"
