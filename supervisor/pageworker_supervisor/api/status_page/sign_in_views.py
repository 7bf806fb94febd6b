"""Pages without a visitor: the form to sign in, and problems. Pure."""

from pageworker_supervisor.api.problem import ProblemDocument
from pageworker_supervisor.api.status_page.layout import PageView, facts, link
from pageworker_supervisor.api.status_page.markup import Address, element

FOREIGN = "The form did not come from this page. A proxy before the API has to pass the header Host on unchanged."
NO_COOKIE = (
    "Your browser has not kept the cookie. It keeps it over HTTPS, or over HTTP from the host of the API itself."
)


def form(refusal: str = "") -> PageView:
    """Where a visitor gives a token. `refusal`: why the last one was refused."""
    content = (
        element("p", refusal, class_="refusal", role="alert") if refusal else None,
        element(
            "form",
            element("label", "Access token", for_="token"),
            element(
                "input",
                id="token",
                name="token",
                type="password",
                required="required",
                autocomplete="off",
                maxlength="400",
            ),
            element("button", "Sign in", type="submit"),
            method="post",
            action=Address("/sign-in"),
            class_="sign-in",
        ),
        element(
            "p",
            *("An operator makes one with ", element("code", "workerctl tenant create-token")),
            *(". It needs the scope ", element("code", "viewer"), " or ", element("code", "producer"), "."),
            class_="hint",
        ),
    )
    return PageView("Sign in", Address("/sign-in"), content)


def problem(document: ProblemDocument) -> PageView:
    """What a request got in place of its page."""
    content = (
        element("p", document.detail, role="alert", class_="refusal"),
        facts((("Field", document.field), ("Hint", document.hint), ("Status", document.status))),
        element("p", link(Address("/"), "Overview")),
    )
    return PageView(document.title, Address(""), content)
