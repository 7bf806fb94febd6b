"""Native code of a module: as docs/trust.md says, a module can start node through Playwright."""

NODE = "/opt/pageworker/site/playwright/driver/node"

RUN_NODE = """
import gc
from playwright.async_api import Playwright
from pageworker_runner.task_ownership import own_work
playwright = next(one for one in gc.get_objects() if isinstance(one, Playwright))
arguments = ["-e", script]
with own_work():
    await playwright.chromium.launch(executable_path=node, ignore_default_args=True, timeout=60_000, args=arguments)
"""


def node_body(script: str) -> str:
    """A handler's body that runs this JavaScript in node, with the browser's rights, and waits for its end."""
    return f"node = {NODE!r}\nscript = {script!r}\n{RUN_NODE}"
