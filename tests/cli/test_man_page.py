"""The man page is that of the shipped pages of `--help`, and roff reads it without a complaint."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cli.commands import CALLABLE

from pageworker_supervisor.cli.help_pages import every_command
from pageworker_supervisor.cli.man_page import man_page

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "workerctl.1"


def test_the_man_page_is_current() -> None:
    current = man_page(path for path, _ in every_command())
    assert FILE.read_text() == current, "run python -m pageworker_supervisor.cli.generate"


def test_it_has_a_section_for_each_command() -> None:
    sections = [line for line in FILE.read_text().splitlines() if line.startswith(".SS workerctl ")]
    for path in CALLABLE:
        assert any(line.startswith(f".SS workerctl {' '.join(path)}".replace("-", "\\-")) for line in sections)


def test_text_cannot_be_taken_for_a_request() -> None:
    lines = FILE.read_text().splitlines()
    assert {line.split()[0] for line in lines if line.startswith((".", "'"))} <= {
        *('.\\"', ".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".I", ".RI", ".BI"),
    }


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_roff_reads_it_without_a_complaint() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", str(FILE)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert "workerctl jobs cancel" in done.stdout
