"""docs/states.md is generated, and every table of transitions is in it."""

from pathlib import Path

from pageworker_sandbox.state_machine import label
from pageworker_supervisor.state_reference import LIFE_CYCLES, document

ROOT = Path(__file__).parents[2]


def test_the_document_is_up_to_date() -> None:
    assert (ROOT / "docs/states.md").read_text() == document(), (
        "run python -m pageworker_supervisor.state_reference > docs/states.md"
    )


def test_every_transition_table_of_the_source_is_in_it() -> None:
    zones = ("supervisor", "runner", "sandbox", "profiles")
    files = {
        file
        for zone in zones
        for file in (ROOT / zone).rglob("*.py")
        if "TRANSITIONS: TransitionTable[" in file.read_text()
    }
    listed = {Path(cycle.file.__file__ or "") for cycle in LIFE_CYCLES}
    assert files == listed


def test_every_state_is_in_its_diagram() -> None:
    for cycle in LIFE_CYCLES:
        section = document().partition(f"\n## {cycle.title}\n")[2].partition("\n## ")[0]
        assert all(label(state) in section for state in type(cycle.start)), cycle.title
