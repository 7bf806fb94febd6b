"""Lines of a runner in the worker's log."""

from types import SimpleNamespace
from typing import Any

import pytest
from pw_doubles import any_typed

from pageworker_sandbox.wire.messages import LogLine
from pageworker_supervisor.runners.runner_lines import write_line
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.telemetry import log


@pytest.fixture
def lines() -> Any:
    written: list[Any] = []
    sink = log.add(lambda message: written.append(message.record), level="DEBUG")
    yield written
    log.remove(sink)


def test_a_line_of_an_attempt_has_the_fields_of_its_job_and_no_secret(lines: list[Any]) -> None:
    masker = SecretMasker()
    masker.add("shop_login", "correct-horse")
    page = any_typed(SimpleNamespace(masker=masker, log=log.bind(job="acme/1")))
    for source in ("module", "browser"):
        line = LogLine(
            attempt_id="a", level="warning", message="it is correct-horse {}", source=any_typed(source),
            fields={"kind": "console.error"},
        )  # fmt: skip
        write_line(line, page, log)
    module, browser = lines
    assert (module["extra"], browser["extra"]) == (
        {"job": "acme/1", "module_kind": "console.error"},
        {"job": "acme/1", "browser_kind": "console.error"},
    )
    assert browser["message"].startswith("browser: it is ")
    assert browser["level"].name == "WARNING"
    assert "correct-horse" not in module["message"] + browser["message"]


def test_a_line_of_no_attempt_is_the_runners(lines: list[Any]) -> None:
    write_line(LogLine(attempt_id=None, level="info", message="up"), None, log.bind(runner_id="w1.1"))
    assert (lines[0]["message"], lines[0]["extra"]) == ("module: up", {"runner_id": "w1.1"})


def test_a_field_of_a_module_does_not_replace_one_of_its_job(lines: list[Any]) -> None:
    page = any_typed(SimpleNamespace(masker=None, log=log.bind(job="acme/1", module_version="1.2.3")))
    write_line(LogLine(attempt_id="a", level="info", message="x", fields={"version": "9.9.9"}), page, log)
    assert lines[0]["extra"] == {"job": "acme/1", "module_version": "1.2.3", "module_version_": "9.9.9"}
