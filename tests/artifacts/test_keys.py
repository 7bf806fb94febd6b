"""Keys of artifacts: always below the tenant's folder, and never two for one or one for two."""

import datetime as dt
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.artifacts.keys import EXTENSIONS, content_type_of_key, is_key, key_of, key_of_url
from pageworker_supervisor.contract.job import JobRef


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=100), st.text(max_size=30))
def test_a_key_never_leaves_its_place(job_id: str, kind: str, content_type: str) -> None:
    key = key_of(JobRef("acme", job_id), dt.date(2030, 1, 31), 1, kind, content_type, "ab" * 32)
    parts = key.split("/")
    assert parts[:2] == ["acme", "2030-01-31"]
    assert len(parts) == 4
    assert all(part not in ("", ".", "..") and part.isascii() and len(part) < 255 for part in parts)
    assert not set(key) & set("\\:%?#\0\n ")


@given(st.text(min_size=1, max_size=150), st.text(min_size=1, max_size=150))
def test_two_jobs_never_share_a_folder(one: str, two: str) -> None:
    def folder(job_id: str) -> str:
        return key_of(JobRef("t", job_id), dt.date(2030, 1, 1), 1, "x", "a/b", "ab" * 32).split("/")[2]

    assert (folder(one) == folder(two)) == (one == two)


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [*EXTENSIONS.items(), ("Image/PNG; charset=x", "png"), ("", "bin"), ("application/x-unknown", "bin")],
)
def test_the_content_type_chooses_the_extension(content_type: str, extension: str) -> None:
    key = key_of(JobRef("t", "j"), dt.date(2030, 1, 1), 3, "shot", content_type, "ab" * 32)
    assert key == f"t/2030-01-01/j/3-shot-abababababab.{extension}"


def test_several_artifacts_of_one_kind_have_keys_of_their_own() -> None:
    keys = {key_of(JobRef("t", "j"), dt.date(2030, 1, 1), 1, "x", "a/b", digest * 32) for digest in ("ab", "cd")}
    assert len(keys) == 2


@pytest.mark.parametrize(
    "url", ["file:///a/b/{}", "s3://bucket/{}", "https://bucket.s3.example/prefix/{}?X-Amz-Signature=0a&X=/../.."]
)
@pytest.mark.parametrize("ref", [JobRef("acme", "17"), JobRef("acme", "a:b"), JobRef("acme", "x" * 128)])
def test_the_key_behind_an_url_of_the_same_job(url: str, ref: JobRef) -> None:
    key = key_of(ref, dt.date(2030, 1, 31), 2, "my kind", "text/html; charset=utf-8", "0a" * 32)
    assert key_of_url(url.format(quote(key)), ref) == key
    assert key_of_url(url.format(quote(key)), JobRef("beta", ref.job_id)) is None
    assert key_of_url(url.format(quote(key)), JobRef(ref.tenant_id, "other")) is None


@pytest.mark.parametrize(
    "url",
    [
        *("", "file:///etc/passwd", "s3://b/acme/2030-01-31/17/../../1-a-0a0a0a0a0a0a.html"),
        *("s3://b/acme/2030-01-31/17/1-a-0a0a0a0a0a0a.html/x", "s3://b/acme/%2e%2e/17/1-a-0a0a0a0a0a0a.html"),
        "s3://b/acme/2030-01-31/17/1-..%2f..%2fa-0a0a0a0a0a0a.html",
    ],
)
def test_what_is_no_key_of_the_job(url: str) -> None:
    assert key_of_url(url, JobRef("acme", "17")) is None


def test_only_a_key_that_stays_in_the_store_is_one() -> None:
    key = key_of(JobRef("acme", ".job:1"), dt.date(2026, 11, 28), 1, "shot", "image/png", "0" * 64)
    assert is_key(key)
    assert content_type_of_key(key) == "image/png"
    assert content_type_of_key("a/b.exe") == "application/octet-stream"
    for text in ("", "/etc/passwd", key.replace("acme", ".."), key.replace("acme", ""), f"x/{key}", f"{key}\n"):
        assert not is_key(text), text
