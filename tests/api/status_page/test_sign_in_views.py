"""The form, and problems in place of a page."""

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.status_page import sign_in_views
from pageworker_supervisor.api.status_page.markup import element, rendered


def test_the_form_sends_the_token_in_a_body() -> None:
    text = rendered(element("p", *sign_in_views.form("<no>").content))
    assert 'method="post"' in text
    assert 'type="password"' in text
    assert "&lt;no&gt;" in text


def test_a_problem_has_its_hint() -> None:
    view = sign_in_views.problem(ApiProblem("not_found", "There is no such job", hint="look").document)
    text = rendered(element("p", *view.content))
    assert "There is no such job" in text
    assert "look" in text
    assert "404" in text
