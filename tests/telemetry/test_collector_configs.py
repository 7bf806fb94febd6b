"""The shipped configurations of log collectors read lines as the worker writes them."""

import io
import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository.sources import ROOT

from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.telemetry import AUDIT, log, log_to

ALLOY = (ROOT / "deploy/logs/loki.alloy").read_text()
COLLECTOR = ROOT / "deploy/logs/otel-collector.yaml"
DOCUMENT = (ROOT / "docs/logs.md").read_text()


@pytest.fixture
def line() -> Iterator[dict[str, Any]]:
    """A line of a job, with all of its fields."""
    stream = io.StringIO()
    log_to(LogSettings(), stream, worker_id="w1")
    names = ("job", "job_id", "tenant_id", "trace_id", "module", "module_version", "proxy", "runner_id", "attempt")
    log.bind(**dict.fromkeys(names, "x")).info("job ended")
    yield json.loads(stream.getvalue())
    log.remove()
    log.configure(extra={})


def block(name: str) -> str:
    """The text of a block of Alloy's configuration."""
    found = re.search(rf"{re.escape(name)} \{{(.*?)\n  \}}", ALLOY, re.DOTALL)
    assert found, name
    return found[1]


def names_in(text: str) -> set[str]:
    return set(re.findall(r'(\w+) = ""', text))


def test_alloy_takes_only_fields_that_lines_have(line: dict[str, Any]) -> None:
    read = names_in(block("stage.json"))
    assert read <= set(line)
    used = names_in(block("stage.labels")) | names_in(block("stage.structured_metadata"))
    assert used | {"ts"} == read, "what is read is used"
    assert 'source = "ts"' in block("stage.timestamp")
    assert names_in(block("stage.labels")) == {"level", "worker_id"}, "labels have few values"
    assert ALLOY.count("{") == ALLOY.count("}")


def test_alloys_components_exist_that_others_name() -> None:
    made = {f"{kind}.{name}" for kind, name in re.findall(r'^([a-z._]+) "(\w+)" \{', ALLOY, re.MULTILINE)}
    named = set(re.findall(r"(loki\.[a-z]+\.\w+)\.(?:receiver|rules)", ALLOY))
    assert named <= made


def test_the_collector_reads_time_level_and_trace_of_a_line(line: dict[str, Any]) -> None:
    config = yaml.safe_load(COLLECTOR.read_text())
    for receiver in ("journald", "file_log"):
        (parser,) = [step for step in config["receivers"][receiver]["operators"] if step["type"] == "json_parser"]
        paths = [parser["timestamp"]["parse_from"], parser["severity"]["parse_from"]]
        paths.append(parser["trace"]["trace_id"]["parse_from"])
        assert {path.removeprefix("attributes.") for path in paths} == {"ts", "level", "trace_id"} <= set(line)
        assert AUDIT.lower() in parser["severity"]["mapping"].values()
        layout = parser["timestamp"]["layout"].replace("2006-01-02T15:04:05.000Z", "%Y-%m-%dT%H:%M:%S.%fZ")
        assert abs(time.time() - datetime.strptime(line["ts"] + "+0000", layout + "%z").timestamp()) < 60


def test_the_collectors_pipelines_name_what_is_configured() -> None:
    config = yaml.safe_load(COLLECTOR.read_text())
    for pipeline in config["service"]["pipelines"].values():
        for part, names in pipeline.items():
            assert set(names) <= set(config[part]), part


def test_every_field_of_a_jobs_line_is_documented(line: dict[str, Any]) -> None:
    documented = set(re.findall(r"`(\w+)`", DOCUMENT.partition("## Fields")[2].partition("## To Loki")[0]))
    assert set(line) <= documented


def test_the_document_names_the_files() -> None:
    assert all(f"(../deploy/logs/{path.name})" in DOCUMENT for path in Path(ROOT / "deploy/logs").iterdir())
