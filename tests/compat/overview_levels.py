# fmt: off
from tracelite.langfuse.decorators import langfuse_context, observe
@observe()
def fn():
    langfuse_context.update_current_observation(
        level="WARNING",
        status_message="This is a warning"
    )
# outermost function becomes the trace, level and status message are only available on observations
@observe()
def main():
    fn()
main()
