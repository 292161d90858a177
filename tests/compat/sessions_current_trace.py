# fmt: off
from tracelite.langfuse import get_client

langfuse = get_client()

with langfuse.start_as_current_span(name="another-operation"):
    # Add to the current trace
    langfuse.update_current_trace(session_id="your-session-id")
