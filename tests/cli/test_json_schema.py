"""Every command with `--json` has a shipped schema, and the files are those of the Structs that commands print."""

from importlib import resources

import jsonschema_rs
import msgspec
import pytest
from cli.commands import CALLABLE, has_json

from pageworker_supervisor.cli.json_schema import PRINTED, file_of, generated, shipped_schema


def test_every_command_with_json_has_a_schema_and_no_other_has() -> None:
    assert {" ".join(path) for path, command in CALLABLE.items() if has_json(command)} == set(PRINTED)


@pytest.mark.parametrize("command", PRINTED)
def test_the_shipped_file_is_current(command: str) -> None:
    assert shipped_schema(command) == generated(command), "run python -m pageworker_supervisor.cli.generate"


@pytest.mark.parametrize("command", PRINTED)
def test_the_shipped_file_is_a_json_schema(command: str) -> None:
    jsonschema_rs.validator_for(msgspec.json.decode(shipped_schema(command)))


def test_no_file_is_left_of_a_command_that_is_gone() -> None:
    folder = resources.files("pageworker_supervisor.cli").joinpath("schemas")
    assert {file.name for file in folder.iterdir()} == {file_of(command) for command in PRINTED}
