"""What attempts share."""

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.dispatch.attempt_services import AttemptServices


def test_a_change_of_the_settings_leaves_an_attempt_that_runs_what_it_began_with() -> None:
    given: dict[str, Any] = {field.name: object() for field in fields(AttemptServices)}
    began_with = AttemptServices(**{**given, "jobs": JobSettings(max_retries=1)})
    changed = replace(began_with, jobs=JobSettings(max_retries=2))
    assert (began_with.jobs.max_retries, changed.jobs.max_retries) == (1, 2)
    assert changed.registry is began_with.registry
    with pytest.raises(FrozenInstanceError):
        began_with.jobs = JobSettings()  # type: ignore[misc]  # mypy sees the error that the test expects
