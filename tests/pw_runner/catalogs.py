"""What a runner does with its catalog, without a runner."""

import asyncio
from typing import Any

from pageworker_runner.modules.catalog import Catalog
from pw_runner.bundles import Packed


def add(catalog: Catalog, module: Packed) -> None:
    """As when a Module message arrives."""
    catalog.add(module.name, module.version, module.sha256, module.entrypoint, module.data)


def call(catalog: Catalog, module: Packed) -> Any:
    """As one attempt of the module. Returns what its handler returns."""
    claimed = catalog.hold(module.name, module.version)
    try:
        return asyncio.run(_call(catalog.load(claimed).handler))
    finally:
        catalog.release(claimed)


async def _call(handler: Any) -> Any:
    return await handler(None, {}, None, None)
