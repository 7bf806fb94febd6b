"""What recordings hide: headers that authenticate, cookies, and secret options of the browser context."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pageworker_runner.pages.redaction import Redaction, redaction
from pageworker_sandbox.wire.page_options import HIDDEN, HttpCredentials, PageOptions

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_headers_that_authenticate_lose_their_value() -> None:
    headers = [{"name": "Cookie", "value": "a=1"}, {"name": "accept", "value": "*/*"}]
    expected = [{"name": "Cookie", "value": HIDDEN}, {"name": "accept", "value": "*/*"}]
    assert Redaction().of({"headers": headers}) == {"headers": expected}


def test_cookies_keep_their_names() -> None:
    entry = {"cookies": [{"name": "session", "value": "abc", "path": "/"}]}
    assert Redaction().of(entry) == {"cookies": [{"name": "session", "value": HIDDEN, "path": "/"}]}


def test_secret_options_are_hidden_wherever_they_occur() -> None:
    hidden = redaction(
        PageOptions(
            http_credentials=HttpCredentials(username="u", password="pass-word"),
            extra_http_headers={"X-Key": "key-key-long", "x-long": "key-key-longer", "x-short": "ab"},
        )
    )
    assert hidden.of(["?p=pass-word&k=key-key-longer"]) == [f"?p={HIDDEN}&k={HIDDEN}"]
    assert hidden.of({"name": "x-key", "value": "key-key-long"}) == {"name": "x-key", "value": HIDDEN}
    # Too short to be looked for in other texts.
    assert hidden.of({"name": "X-Short", "value": "ab"}) == {"name": "X-Short", "value": HIDDEN}
    assert hidden.of("table") == "table"


@given(PLAIN)
def test_what_is_no_secret_stays(value: object) -> None:
    nothing = Redaction(headers=frozenset())
    expected = value if "cookies" not in json.dumps(value) else nothing.of(value)
    assert nothing.of(value) == expected


@given(PLAIN, st.text(min_size=6))
def test_no_text_contains_a_secret(value: object, secret: str) -> None:
    def texts(part: object) -> list[str]:
        if isinstance(part, dict):
            return [text for inner in part.values() for text in texts(inner)]
        if isinstance(part, list):
            return [text for inner in part for text in texts(inner)]
        return [part] if isinstance(part, str) else []

    left = texts(Redaction(values=(secret,)).of([value, f"before {secret} after"]))
    assert secret in HIDDEN or not [text for text in left if secret in text and secret not in HIDDEN]
