"""What a batch is opened with, and what is wrong with other texts."""

import pytest

from pageworker_supervisor.contract.batch import BatchRef, BatchSpec, parse_batch
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import JobRefInvalid


def test_the_defaults_bound_a_batch() -> None:
    assert parse_batch({"batch_id": "b"}) == BatchSpec(batch_id="b")
    assert BatchSpec(batch_id="b").deadline_seconds == 7 * 86_400


def test_the_same_parameters_have_the_same_digest() -> None:
    given = BatchSpec(batch_id="b", size=2)
    assert given.digest == BatchSpec(batch_id="b", size=2).digest
    assert given.digest != BatchSpec(batch_id="b", size=3).digest


@pytest.mark.parametrize(
    ("fields", "type_", "field"),
    [
        ({}, "missing_field", "batch_id"),
        ({"batch_id": "a b"}, "invalid_field", "batch_id"),
        ({"batch_id": "b", "size": 100_001}, "invalid_field", "size"),
        ({"batch_id": "b", "deadline_seconds": 0}, "invalid_field", "deadline_seconds"),
        ({"batch_id": "b", "complete_on": "any"}, "invalid_field", "complete_on"),
        ({"batch_id": "b", "seize": 1}, "unknown_field", "seize"),
        (7, "invalid_field", ""),
    ],
)
def test_what_is_wrong_is_named(fields: object, type_: str, field: str) -> None:
    with pytest.raises(ContractError) as refused:
        parse_batch(fields)
    assert (refused.value.type, refused.value.field) == (type_, field)


def test_a_reference_names_tenant_and_batch() -> None:
    assert str(BatchRef.parse("acme/nightly:7")) == "acme/nightly:7"
    for wrong in ("nightly", "Acme/x", "acme/", "acme/a/b"):
        with pytest.raises(JobRefInvalid):
            BatchRef.parse(wrong)
