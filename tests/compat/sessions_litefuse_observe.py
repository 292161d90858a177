# fmt: off
from tracelite.langfuse import observe, propagate_attributes


@observe()
def process_chat_message():
    return "answer"


@observe()
def process_request():
    # Propagate session_id to all child observations
    with propagate_attributes(session_id="your-session-id"):
        # All nested observations automatically inherit session_id
        result = process_chat_message()
        return result


assert process_request() == "answer"
