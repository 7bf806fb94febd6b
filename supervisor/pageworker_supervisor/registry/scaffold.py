"""A new module that works already: a folder to start from."""

from pathlib import Path

from pageworker_sandbox.signing.manifest import FILE, MAX_NAME, NAME
from pageworker_supervisor.registry.errors import RegistryRefused

MANIFEST = """\
name = "{name}"
version = "0.1.0"
description = "Title and heading of a page"
entrypoint = "{package}:handler"
sdk = ">=1,<2"
tenants = ["*"]                  # who may run it
egress = ["example.com"]         # hosts it may reach, as far as the tenant may too
secrets = []
timeout_seconds = 30

[input]                          # JSON Schema of the payload
type = "object"
required = ["url"]
additionalProperties = false

[input.properties.url]
type = "string"
pattern = "^https?://"
"""

CODE = '''\
"""{name}: title and heading of a page."""

from typing import Any

from pageworker import Context, Helpers, Page


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """What is returned becomes `data` of the result."""
    response = await page.goto(payload["url"])
    found = await helpers.extract({{"heading": "h1"}}, required=["heading"])
    helpers.log.info("read", attempt=context.attempt)
    return {{"status": response.status if response else None, "title": await page.title(), **found}}
'''

EXAMPLE = """\
{"url": "https://example.com/"}
"""

README = """\
# {name}

    workerctl module pack .
    workerctl module sign {name}-0.1.0.zip --key KEY
    workerctl module publish {name}-0.1.0.zip --registry REGISTRY --key KEY
    workerctl submit {name} --tenant TENANT --payload "$(cat input.example.json)" --wait
"""


def scaffold(name: str, parent: Path) -> tuple[Path, ...]:
    """Make `parent/name` and return its files. Raises Refused, OSError."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise RegistryRefused(f"{name[:MAX_NAME]!r} is no module name", 'use a dotted, lower case name: "acme.prices"')
    package, folder = name.replace(".", "_"), parent / name
    if folder.exists():
        raise RegistryRefused(f"{folder} is there already", "choose another name or folder")
    files = {
        FILE: MANIFEST.format(name=name, package=package),
        f"{package}/__init__.py": CODE.format(name=name),
        "input.example.json": EXAMPLE,
        "README.md": README.format(name=name),
    }
    for inside, text in files.items():
        path = folder / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tuple(folder / inside for inside in files)
