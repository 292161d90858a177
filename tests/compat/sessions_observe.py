# fmt: off
from tracelite.langfuse import observe, get_client

langfuse = get_client()

result = "result"


@observe()
def process_request():
    # Add to the current trace
    langfuse.update_current_trace(session_id="your-session-id")

    # ...your processing logic...
    return result


assert process_request() is result
