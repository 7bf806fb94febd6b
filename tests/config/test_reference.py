"""docs/configuration.md is generated from the code."""

from pathlib import Path

import msgspec

from pageworker_supervisor.config.reference import document
from pageworker_supervisor.config.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == document(), (
        "run python -m pageworker_supervisor.config.reference > docs/configuration.md"
    )


def test_every_section_is_on_it() -> None:
    for field in msgspec.structs.fields(Settings):
        assert f"## `[{field.name}" in document()
