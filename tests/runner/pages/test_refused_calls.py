"""Each refused call has its way in docs/sdk.md."""

import re
from pathlib import Path

import pytest

from pageworker_runner.pages.client_guard import REFUSED
from pageworker_runner.pages.refused_calls import INSTEAD, RUNNERS_OWN, refusal
from pageworker_runner.pages.side_effects import SideEffect, side_effect_of

SDK = (Path(__file__).parents[3] / "docs/sdk.md").read_text()
IN_PYTHON = {
    "Artifact.pathAfterFinished": "download.path",
    "Artifact.saveAs": "download.save_as",
    "ElementHandle.setInputFiles": "set_input_files(path)",
    "Frame.drop": "locator.drop(path)",
    "Frame.setInputFiles": "set_input_files(path)",
    "LocalUtils.harUnzip": "page.route_from_har(update=True)",
    "LocalUtils.harOpen": "page.route_from_har",
    "LocalUtils.zip": "tracing.stop(path=…)",
    "Page.screencastStart": "screencast.start(path=…)",
    "Tracing.harExport": "tracing.stop_har",
    "Tracing.harStart": "tracing.start_har",
    "Tracing.tracingStart": "tracing.start",
    "Tracing.tracingStartChunk": "tracing.start_chunk",
    "Tracing.tracingStopChunk": "tracing.stop_chunk(path=…)",
    "BrowserContext.createTempFiles": "set_input_files(path)",
    "Page.requests": "page.requests",
    "APIRequest.new_context": "playwright.request.new_context",
    "Browser.new_context": "browser.new_context",
    "Browser.new_page": "browser.new_page",
}


@pytest.mark.parametrize("command", INSTEAD)
def test_a_way_is_documented_and_its_call_is_refused(command: str) -> None:
    assert re.search(rf"^\|[^|]*`{re.escape(IN_PYTHON[command])}`[^|]*\|", SDK, re.MULTILINE)
    type, _, method = command.partition(".")
    assert (
        method in REFUSED.get(type, ())
        or side_effect_of(type, method, {"record": True, "localPaths": ["/tmp/x"]}) is SideEffect.REFUSED
    )


def test_a_refusal_names_the_call_and_the_way() -> None:
    assert refusal("Browser.new_page") == (
        "A module must not call Playwright's Browser.new_page: use page.context.new_page."
    )
    assert refusal("BrowserType.launch").endswith(f": {RUNNERS_OWN}.")
