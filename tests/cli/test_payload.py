"""Where a payload comes from, and the line of each mistake in it."""

import io
from pathlib import Path
from typing import Any

import pytest

from pageworker_supervisor.cli.output import CommandError
from pageworker_supervisor.cli.payload import EXAMPLE, GivenPayload, read_payload
from pageworker_supervisor.contract.job import MAX_JOB_BYTES
from pageworker_supervisor.input_schema.errors import PayloadInvalid
from pageworker_supervisor.input_schema.input_checks import check_payload

SCHEMA: dict[str, Any] = {
    "required": ["url"],
    "properties": {
        "url": {"type": "string"},
        "items": {"items": {"required": ["id"], "properties": {"a.b": {"type": "null"}}}},
    },
    "additionalProperties": False,
}
TEXT = """{
  "items": [
    {"id": 1},
    {
      "a.b":
        3
    }
  ],
  "ulr": "x"
}"""


def test_the_option_is_json_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p.json"
    file.write_text('\ufeff{"a": 1}')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"b": 2}')))
    assert read_payload('{"c": 3}', tmp_path) == GivenPayload('{"c": 3}', "--payload")
    assert read_payload(f"@{file}", tmp_path) == GivenPayload('{"a": 1}', str(file))
    assert read_payload("-", tmp_path) == GivenPayload('{"b": 2}', "stdin")


def test_without_the_option_it_is_the_folders_example(tmp_path: Path) -> None:
    assert read_payload(None, tmp_path).text == "{}"
    (tmp_path / EXAMPLE).write_text('{"a": 1}')
    assert read_payload(None, tmp_path) == GivenPayload('{"a": 1}', str(tmp_path / EXAMPLE))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{\n"a": }', "p.json:2: the payload is no JSON"),
        (b'{\n"a": 1', "p.json:2: the payload is no JSON"),
        (b"", "p.json:1: the payload is no JSON"),
        (b'\n\n{"a": "\xff"}', "p.json:3: bytes that are not UTF-8"),
        (b'{"a": NaN}', "p.json:1: the payload is no JSON"),
        (b"[1]", "p.json:1: a payload is a JSON object"),
        (b"[" * 300, "p.json: the payload is nested too deeply"),
        (b'{"a": "' + b"x" * MAX_JOB_BYTES + b'"}', "p.json: a payload of more than"),
    ],
)
def test_what_is_no_payload_is_told_with_its_line(tmp_path: Path, data: bytes, told: str) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(data)
    with pytest.raises(CommandError) as caught:
        read_payload(f"@{file}", tmp_path)
    assert f"{tmp_path}/{told}" in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="none: No such file"):
        read_payload(f"@{tmp_path}/none", tmp_path)


def test_each_mistake_has_the_line_of_its_field_or_of_the_object_that_lacks_it() -> None:
    given = GivenPayload(TEXT, "p.json")
    with pytest.raises(PayloadInvalid) as caught:
        check_payload(SCHEMA, TEXT.encode())
    found = {line.split("`")[1]: line.split(" ")[0] for line in given.explain(caught.value)}
    assert found == {
        "payload.items[1].id": "p.json:4:",
        "payload.items[1].a.b": "p.json:5:",
        "payload.url": "p.json:1:",
        "payload.ulr": "p.json:9:",
    }
