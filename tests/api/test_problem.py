"""Problem documents."""

import msgspec
import pytest

from pageworker_supervisor.api.problem import MEDIA_TYPE, PROBLEMS, ApiProblem, problem_of_job
from pageworker_supervisor.intake.admission import RejectedText


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_has_the_form_of_rfc_9457(code: str) -> None:
    response = ApiProblem(code, "why").response()
    status, title = PROBLEMS[code]
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    assert msgspec.json.decode(response.body) == {
        "type": f"urn:pageworker:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": "why",
    }


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1.5, "2"), (60, "60")])
def test_the_time_to_wait_is_in_whole_seconds(seconds: float, header: str) -> None:
    assert ApiProblem("overloaded", "", retry_after=seconds).response().headers["retry-after"] == header


def test_foreign_text_is_made_safe() -> None:
    document = ApiProblem("invalid_request", "a\x1b[2J", field="b\n", hint="c\u202e").document
    assert (document.detail, document.field, document.hint) == ("a\\x1b[2J", "b\\n", "c\\u202e")


def test_a_rejected_job_keeps_its_error_type() -> None:
    document = problem_of_job(RejectedText(b"", "not_supported", "why", field="files", hint="how")).document
    assert (document.status, document.code, document.field, document.hint) == (422, "not_supported", "files", "how")
    assert document.title == PROBLEMS["job_invalid"][1]


def test_a_full_tenant_is_a_429() -> None:
    problem = problem_of_job(RejectedText(b"", "queue_full", "why"))
    assert (problem.document.status, problem.document.code) == (429, "queue_full")
    assert "Retry-After" in problem.headers
