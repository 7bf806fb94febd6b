"""A module that records which code of its own runner a job passes. It has the runner's process to itself."""

import gc
import sys
from typing import Any

from pageworker import Context, Helpers, Page

from .recorder import Recorder

RECORDER = Recorder()


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """`do`: start begins the record, report ends it and returns it, work is what any job does."""
    match payload["do"]:
        case "start":
            keep_profile_functions()
            sys.setprofile(RECORDER)
        case "report":
            sys.setprofile(None)
            return RECORDER.within(payload["windows"])
        case _:
            await page.evaluate("1 + 1")
    return {}


def keep_profile_functions() -> None:
    """Make the runner forget that it has to set a profile function back after each job."""
    (state,) = (found for found in gc.get_objects() if type(found).__name__ == "InterpreterState")
    state._settings[:] = [entry for entry in state._settings if entry[0].name != "sys.setprofile"]
