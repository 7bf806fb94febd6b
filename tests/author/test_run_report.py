"""A report says how a run ended, where in the module, and which files are beside the result."""

from typing import Any

import msgspec

from pageworker_author.run_report import report
from pageworker_supervisor.contract.result import ArtifactRecord, Blocker, Result, ResultError, ResultTiming

SOURCE = {("shop/__init__.py", 12): "    price = int(text)\n", ("shop/parse.py", 3): "return 1 / 0"}


def shown(**fields: Any) -> list[str]:
    timing = ResultTiming(ran=0.5, admitted=0.01)
    result = Result(**{"job_id": "a", "tenant_id": "acme", "status": "failed", "timing": timing, **fields})
    return report(result, "acme.prices", lambda file, line: SOURCE.get((file, line))).splitlines()


def test_success_shows_what_the_handler_returned() -> None:
    assert shown(status="succeeded", data=msgspec.Raw(b'{"price":1}')) == [
        "succeeded in 0.50 s, 0.01 s to start",
        "  {",
        '    "price": 1',
        "  }",
    ]


def test_an_error_shows_the_lines_of_the_module_with_their_text() -> None:
    trace = ["shop/__init__.py:12 in handler", "shop/parse.py:3 in number", "shop/gone.py:9"]
    error = ResultError(type="handler_error", message="no\nprice", retryable=False, detail={"trace": trace})
    assert shown(error=error)[1:] == [
        "  handler_error: no\\nprice",
        "  acme.prices/shop/__init__.py:12 in handler",
        "      price = int(text)",
        "  acme.prices/shop/parse.py:3 in number",
        "      return 1 / 0",
        "  acme.prices/shop/gone.py:9",
    ]


def test_a_trace_of_another_form_is_left_out() -> None:
    error = ResultError(type="own", message="m", retryable=False, detail={"trace": "all", "code": "\x1b[2J"})
    lines = shown(error=error)
    assert lines[1:] == ["  own: m", "  {", '    "code": "\\u001b[2J"', "  }"]


def test_a_blocker_and_files_are_shown() -> None:
    artifact = ArtifactRecord(
        kind="screenshot", url="file:///tmp/my%20shop/1.jpg", sha256="0", bytes=1, content_type="image/jpeg"
    )
    lines = shown(
        status="blocked", blocker=Blocker(kind="captcha", provider="guard", evidence={"a": 1}), artifacts=(artifact,)
    )
    assert lines[1] == "  captcha by guard"
    assert lines[-1] == "  screenshot: /tmp/my shop/1.jpg"
