"""Writes the folder of a new module that works: an author starts from it."""

from pathlib import Path

from pageworker_sandbox.signing.manifest import FILE, MAX_NAME, NAME
from pageworker_supervisor.registry.errors import RegistryRefused

MANIFEST = """\
name = "{name}"
version = "0.1.0"
description = "Title and heading of a page"
entrypoint = "{package}:handler"
sdk = ">=1.1,<2"
tenants = ["*"]                  # who may run it
egress = ["example.com"]         # hosts it may reach if its tenant may too
timeout_seconds = 30

# [page]                         # how its browser context is opened (docs/sdk.md lists the options)
# viewport = {{ width = 390, height = 844 }}
# locale = "de-DE"
# timezone_id = "Europe/Berlin"
# job_may_set = ["locale"]       # options that a job may give in its field `page`

# [browser]
# flavor = "full"                # or "shell", the headless shell. Default: what its worker prefers

[input]                          # JSON Schema of the payload
type = "object"
required = ["url"]
additionalProperties = false

[input.properties.url]
type = "string"
pattern = "^https?://"

[output]                         # JSON Schema of what the handler returns
type = "object"
required = ["heading"]

[output.properties.heading]
type = "string"
"""

CODE = '''\
"""{name}: title and heading of a page."""

from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """What is returned becomes `data` of the result."""
    response = await page.goto(payload["url"])
    found = await helpers.extract({{"title": "title", "heading": "h1"}}, required=["heading"])
    helpers.log.info("read", attempt=context.attempt)
    return {{"status": response.status if response else None, **found}}
'''

TEST = '''\
"""The handler against a page that answers as the real one, without a browser: `workerctl module test .` runs this.

The fixture `run_job` runs the module in a sandbox instead, with recorded answers of the site.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

from pageworker import Failed, Helpers
from {package} import handler


class AnsweringPage:
    """What the handler uses of a page. `fields`: what is on it."""

    def __init__(self, fields: dict[str, str | None]) -> None:
        self.fields = fields

    async def goto(self, url: str) -> SimpleNamespace:
        return SimpleNamespace(status=200)

    async def evaluate(self, script: str, wanted: dict[str, Any]) -> dict[str, str | None]:
        return {{name: self.fields.get(name) for name in wanted}}


def run(page: Any) -> dict[str, Any]:
    sink: Any = SimpleNamespace(log=lambda level, message, fields: None)
    context: Any = SimpleNamespace(attempt=1)
    return asyncio.run(handler(page, {{"url": "https://example.com/"}}, Helpers(page, sink), context))


def test_title_and_heading_are_read() -> None:
    found = run(AnsweringPage({{"title": "Example", "heading": "Example Domain"}}))
    assert found == {{"status": 200, "title": "Example", "heading": "Example Domain"}}


def test_a_page_without_heading_fails_by_name() -> None:
    try:
        run(AnsweringPage({{"title": "Example"}}))
    except Failed as failed:
        assert (failed.type, failed.retryable) == ("field_missing", True)
    else:
        raise AssertionError("it was read")
'''

EXAMPLE = """\
{"url": "https://example.com/"}
"""

README = """\
# {name}

    workerctl module run .                    # once, from this folder, with the payload of input.example.json
    workerctl module lint .                   # what a sandbox would refuse
    workerctl module test .                   # the tests in tests/
    workerctl module publish . --key KEY --registry REGISTRY
    workerctl submit {name} --tenant TENANT --payload "$(cat input.example.json)" --wait
"""


def scaffold(name: str, parent: Path) -> tuple[Path, ...]:
    """Create `parent/name` and return its files. Raises RegistryRefused, OSError."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise RegistryRefused(
            f"{name[:MAX_NAME]!r} is not a module name", "use a dotted, lower case name such as acme.prices"
        )
    package, folder = name.replace(".", "_"), parent / name
    if folder.exists():
        raise RegistryRefused(f"{folder} already exists", "choose another name or folder")
    files = {
        FILE: MANIFEST.format(name=name, package=package),
        f"{package}/__init__.py": CODE.format(name=name),
        f"tests/test_{package}.py": TEST.format(package=package),
        "input.example.json": EXAMPLE,
        "README.md": README.format(name=name),
    }
    for inside, text in files.items():
        path = folder / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tuple(folder / inside for inside in files)
