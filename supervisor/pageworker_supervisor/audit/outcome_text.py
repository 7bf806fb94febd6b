"""How a recorded action went, in words for the operator. Pure."""

import asyncio


def failed_text(error: BaseException) -> str:
    """The outcome of an action that this error has ended. Names of Python's types say nothing to an operator."""
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
        return "failed: it was interrupted"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"failed: {text or 'without a message'}"
