"""Fields of a job that are planned."""

import pytest

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.not_yet import JOB_FIELDS


@pytest.mark.parametrize("name", JOB_FIELDS)
def test_a_planned_field_does_not_exist_and_has_an_alternative(name: str) -> None:
    assert name not in Job.__struct_fields__
    assert JOB_FIELDS[name].startswith("leave it out")
