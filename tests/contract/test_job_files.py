"""The files of a job: what is refused, with field and rule."""

import json
from typing import Any

import pytest

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.contract.job_files import MAX_FILES, NamedFile

FILE_ID = "f_1796000000_" + "a" * 32
ONE = {"name": "claim.pdf", "file_id": FILE_ID}
FORM = "a file has `name`, and `file_id` or `url`; `sha256` is optional"


def parsed(files: Any) -> tuple[NamedFile, ...]:
    job = {"job_id": "1", "tenant_id": "acme", "endpoint_module": "claim.upload", "files": files}
    return parse_job(json.dumps(job).encode()).files


def test_a_file_is_an_upload_or_a_url() -> None:
    of_url = {"name": "ä b.csv", "url": "https://store.example/x?y=1", "sha256": "0" * 64}
    assert parsed([ONE, of_url]) == (
        NamedFile(name="claim.pdf", file_id=FILE_ID),
        NamedFile(name="ä b.csv", url="https://store.example/x?y=1", sha256="0" * 64),
    )


@pytest.mark.parametrize(
    ("files", "type_", "field"),
    [
        ("claim.pdf", "invalid_field", "files"),
        (None, "invalid_field", "files"),
        ([7], "invalid_field", "files[0]"),
        ([ONE, {"file_id": FILE_ID}], "invalid_field", "files[1]"),
        ([{**ONE, "folder": "x"}], "invalid_field", "files[0]"),
        ([{"name": "a"}], "invalid_field", "files[0]"),
        ([{**ONE, "url": "https://store.example/x"}], "invalid_field", "files[0]"),
        ([ONE, ONE], "invalid_field", "files[1].name"),
        ([{**ONE, "file_id": "../../etc/passwd"}], "invalid_field", "files[0].file_id"),
        ([{**ONE, "sha256": "A" * 64}], "invalid_field", "files[0].sha256"),
        ([{"name": "a", "url": "file:///etc/passwd"}], "invalid_field", "files[0].url"),
        ([{"name": "a", "url": "https://u@store.example/x"}], "invalid_field", "files[0].url"),
        ([{**ONE, "name": str(n)} for n in range(MAX_FILES + 1)], "too_large", "files"),
        ([{"name": str(n), "url": "https://x.example/" + "a" * 4000} for n in range(9)], "too_large", "files"),
    ],
)
def test_what_is_wrong_is_named(files: Any, type_: str, field: str) -> None:
    with pytest.raises(ContractError) as refused:
        parsed(files)
    assert (refused.value.type, refused.value.field) == (type_, field)


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a\\b", ".", "..", ".bashrc", "a\0", "a\nb", "x" * 129, "a\n", "a\x7f"]
)
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(ContractError) as refused:
        parsed([{**ONE, "name": name}])
    assert (refused.value.field, refused.value.hint) == ("files[0].name", FORM)
    assert "characters without a dot in front" in refused.value.rule
