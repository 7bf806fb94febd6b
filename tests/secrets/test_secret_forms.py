"""Every form in which a secret may be written that software writes is found."""

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from pageworker_supervisor.secrets.secret_forms import LEAST_BYTES, forms_of

VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"),
    min_size=LEAST_BYTES,
    max_size=30,
)
ESCAPE = re.compile("%[0-9A-F]{2}")
WRITERS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "json": json.dumps,
    "json, not only ascii": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps(json.dumps({"a": value})),
    "html text": lambda value: f"<p>{html.escape(value, quote=False)}</p>",
    "html attribute": lambda value: f'<p a="{html.escape(value)}">',
    "html in json": lambda value: json.dumps(f'<p a="{html.escape(value)}">'),
    "url": lambda value: f"http://h/?q={quote(value, safe='')}&x",
    "url path": lambda value: f"http://h/{quote(value)}/x",
    "form": lambda value: urlencode({"password": value}),
    "form in json": lambda value: json.dumps(urlencode({"password": value})),
    "encodeURIComponent": lambda value: quote(value, safe="!'()*"),
    "encodeURI": lambda value: quote(value, safe="!'()*;/?:@&=+$,#"),
    "url in lower case": lambda value: ESCAPE.sub(lambda found: found[0].lower(), quote(value, safe="")),
    "address bar, path": lambda value: "http://h/" + quote(value, safe="!$%&'()*+,/:;=@[]|"),
    "address bar, query": lambda value: "http://h/?q=" + quote(value, safe="!$%&()*+,/:;=?@[]\\^`{|}"),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 after one byte": lambda value: base64.b64encode(b":" + value.encode()).decode(),
    "base64 after two": lambda value: base64.b64encode(b"a:" + value.encode()).decode(),
    "base64 inside": lambda value: base64.b64encode(b"ada:" + value.encode() + b":more").decode(),
    "base64 for urls": lambda value: base64.urlsafe_b64encode(b"ada:" + value.encode() + b"?").decode(),
    "form in base64": lambda value: base64.b64encode(urlencode({"password": value}).encode()).decode(),
    "json in html": lambda value: f'<p data-state="{html.escape(json.dumps({"p": value}))}">',
    "json in url": lambda value: "http://h/?q=" + quote(json.dumps({"p": value}), safe=""),
    "url in url": lambda value: "http://h/?next=" + quote(f"/login?p={quote(value, safe='')}", safe=""),
    "repr": repr,
    "repr in a text with both quotes": lambda value: repr(f"'{value}' or \"{value}\""),
    "ascii": ascii,
    "repr of bytes": lambda value: repr(value.encode()),
    "json of a message with repr": lambda value: json.dumps(f"no such user: {value!r}"),
    "json in base64": lambda value: base64.b64encode(json.dumps({"p": value}).encode()).decode(),
}


@given(VALUES)
@example("correct-horse")
@example("p&ss\"w/ö rd+1<>'\\")
@example("\N{NO-BREAK SPACE}" * 6)
def test_every_form_is_found(value: str) -> None:
    forms = forms_of(value)
    for name, write in WRITERS.items():
        written = write(value).encode()
        assert any(form in written for form in forms), (name, written)


@given(VALUES)
def test_a_form_is_never_so_short_that_it_is_found_by_chance(value: str) -> None:
    assert all(len(form) >= LEAST_BYTES for form in forms_of(value))


def test_an_ordinary_password_has_few_forms() -> None:
    """Each costs a pass over the artifact."""
    assert len(forms_of("correct-horse")) == 4


def test_a_host_name_in_lower_case_is_a_form() -> None:
    assert b"geheim-wort" in forms_of("Geheim-Wort")


def test_a_short_value_has_no_form() -> None:
    assert forms_of("12345") == ()
    assert forms_of("123456")
    assert forms_of("äöü"), "six bytes"


def test_each_line_of_a_longer_value_is_a_form() -> None:
    """A key in PEM is printed line by line."""
    forms = forms_of("-----BEGIN KEY-----\nMIIEvgIBADAN\nabc\n")
    assert b"MIIEvgIBADAN" in forms
    assert b"abc" not in forms
