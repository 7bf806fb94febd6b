"""As chaos_echo: a second module, so that one that is at its limit stands beside one that is not."""

import asyncio
import os
import random
from typing import Any

from pageworker import Context, Failed, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    await page.set_content(f"<p>{context.job_id}</p>")
    await asyncio.sleep(payload["ms"] / 1000)
    match payload["do"]:
        case "crash" if random.random() < payload["often"]:
            os._exit(1)
        case "fail" if context.attempt <= payload["times"]:
            raise Failed("told to fail", type="told_to_fail", retryable=True)
    return {"job_id": await page.inner_text("p")}
