"""What a request says of its file, and how its body is taken."""

import pytest

from pageworker_supervisor.api.file_upload import UploadHead, stored_file, upload_head
from pageworker_supervisor.api.problem import ApiProblem

DIGEST = "0" * 64


def test_a_head_is_read_and_an_odd_type_is_plain_bytes() -> None:
    headers = {"content-type": "Text/CSV; charset=utf-8", "content-length": "5"}
    head = upload_head({"name": "a.csv", "sha256": DIGEST}, headers, 5)
    assert head == UploadHead(name="a.csv", sha256=DIGEST, content_type="text/csv", announced_bytes=5)
    assert upload_head({"name": "a"}, {"content-type": "x\ny"}, 5).content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("values", "headers", "code"),
    [
        ({}, {}, "invalid_request"),
        ({"name": "../a"}, {}, "invalid_request"),
        ({"name": "a\n"}, {}, "invalid_request"),
        ({"name": "a", "sha256": "x"}, {}, "invalid_request"),
        ({"name": "a"}, {"content-type": "multipart/form-data; boundary=x"}, "media_type"),
        ({"name": "a"}, {"content-length": "6"}, "body_too_large"),
        ({"name": "a"}, {"content-length": "0"}, "file_empty"),
    ],
)
def test_a_wrong_head_is_refused_before_the_body_is_read(
    values: dict[str, str], headers: dict[str, str], code: str
) -> None:
    with pytest.raises(ApiProblem) as refused:
        upload_head(values, headers, 5)
    assert refused.value.document.code == code


def test_a_body_is_the_one_that_was_announced() -> None:
    head = UploadHead(name="a", sha256=DIGEST, content_type="text/csv", announced_bytes=None)
    assert stored_file(head, "acme", DIGEST, 1, 60).bytes == 1
    for sha256, size, code in (("1" * 64, 1, "file_hash_mismatch"), (DIGEST, 0, "file_empty")):
        with pytest.raises(ApiProblem) as refused:
            stored_file(head, "acme", sha256, size, 60)
        assert refused.value.document.code == code
