"""Stall times of memory, read from the kernel's text."""

from pathlib import Path

import pytest

from pageworker_sandbox.launch.pressure import MemoryStall, cpu_busy_percent, memory_stall, parse_pressure

TEXT = """some avg10=0.12 avg60=0.00 avg300=0.00 total=9420092
full avg10=0.00 avg60=0.00 avg300=0.00 total=745999
"""


def test_totals_are_seconds() -> None:
    assert parse_pressure(TEXT) == MemoryStall(9.420092, 0.745999)


@pytest.mark.parametrize("text", ["", "some avg10=0.00 total=1\n", "nonsense"])
def test_another_text_has_none(text: str) -> None:
    assert parse_pressure(text) is None


def test_a_folder_without_the_file_has_none(tmp_path: Path) -> None:
    assert memory_stall(None) is None
    assert memory_stall(tmp_path) is None
    (tmp_path / "memory.pressure").write_text(TEXT)
    assert memory_stall(tmp_path) == MemoryStall(9.420092, 0.745999)


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("some avg10=89.86 avg60=82.31 avg300=82.89 total=35597807828\nfull avg10=0.00 avg60=0.00 total=0\n", 89.86),
        ("full avg10=3.00 avg60=0.00 avg300=0.00 total=1\n", None),
        ("", None),
    ],
)
def test_how_busy_the_processors_are(text: str, percent: float | None, tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    assert cpu_busy_percent(file) is None, "the kernel does not measure it"
    file.write_text(text)
    assert cpu_busy_percent(file) == percent
