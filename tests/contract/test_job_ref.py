"""A job's name: tenant and id."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.job_ref import JOB_ID, TENANT_ID, JobRef, JobRefInvalid

refs = st.builds(
    JobRef,
    st.from_regex(TENANT_ID, fullmatch=True),
    st.from_regex(JOB_ID, fullmatch=True),
)


@given(refs)
def test_its_text_reads_back(ref: JobRef) -> None:
    assert JobRef.parse(str(ref)) == ref
    assert JobRef.of_text(str(ref)) == ref


@given(refs, refs)
def test_no_two_names_share_a_text_or_a_key(one: JobRef, other: JobRef) -> None:
    assert (str(one) == str(other)) is (one == other)
    assert (one.colon_form == other.colon_form) is (one == other)


@pytest.mark.parametrize(
    "text", ["17", "", "/", "acme/", "/17", "acme/1/7", "Acme/17", "acme/1 7", "acme/17\n", "a:b/1"]
)
def test_anything_else_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(JobRefInvalid, match=r"write TENANT/ID, e\.g\. acme/17"):
        JobRef.parse(text)


def test_what_is_decoded_is_checked() -> None:
    assert msgspec.convert({"tenant_id": "acme", "job_id": "17"}, JobRef) == JobRef("acme", "17")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tenant_id": "acme/x", "job_id": "17"}, JobRef)
