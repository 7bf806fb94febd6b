"""The entrypoint of the bundle: one job runs one test of the suite."""

import importlib
import traceback
from typing import Any

from pageworker import Context, Helpers, Page

from .. import moved_parts
from .assets import open_asset
from .fixtures import Fixtures
from .golden import GoldenPictures
from .origin_link import OriginLink
from .server import Server

BUNDLE = __package__.rpartition(".")[0]
moved_parts.install()


async def handler(page: Page, payload: dict[str, Any], helpers: Helpers, context: Context) -> dict[str, Any]:
    """Run the test that the payload names. Returns its outcome, with the reason if it is not `passed`."""
    servers = [Server("http", payload["ports"][0]), Server("https", payload["ports"][1])]
    golden = GoldenPictures()
    async with OriginLink(page, servers) as link:
        try:
            await _run(page, payload, servers, golden)
            await golden.check(link)
        except Exception as error:  # noqa: BLE001 - whatever a test raises is its outcome
            return _outcome(error)
    return {"outcome": "passed", "runner": context.runner_id}


async def _run(page: Page, payload: dict[str, Any], servers: list[Server], golden: GoldenPictures) -> None:
    module = importlib.import_module(f"{BUNDLE}.{payload['file'].removesuffix('.py').replace('/', '.')}")
    vars(module)["open"] = open_asset
    owner = getattr(module, payload["group"])() if payload["group"] else None
    function = getattr(owner or module, payload["function"])
    async with Fixtures(page, module, owner, servers, golden) as fixtures:
        await fixtures.call(function, payload["indices"])


def _outcome(error: Exception) -> dict[str, Any]:
    kind = type(error).__name__
    lines = traceback.format_exception(error)
    if isinstance(error, AssertionError):
        # pytest would show what was compared.
        lines += [f"{name} = {value!r:.700}\n" for name, value in _innermost(error).items()]
    return {
        "outcome": "skipped" if kind in ("Skipped", "ExpectedFailure") else "failed",
        "error": f"{kind}: {error}"[:2000],
        "trace": "".join(lines)[-4000:],
    }


def _innermost(error: BaseException) -> dict[str, Any]:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return dict(frame.tb_frame.f_locals) if frame is not None else {}
