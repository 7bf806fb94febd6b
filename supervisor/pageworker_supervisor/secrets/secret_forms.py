"""How a secret may be written: as it is, escaped for JSON, HTML, a URL or by Python, or in base64. Pure."""

import base64
import html
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

LEAST_BYTES = 6
"""A shorter value is not masked: it would be found by chance, and results would be damaged (docs/secrets.md)."""

URL_SAFE = (
    "",
    "/",  # Python
    "*",  # forms, application/x-www-form-urlencoded
    "!'()*",  # encodeURIComponent
    "!'()*;/?:@&=+$,#",  # encodeURI
    "!$%&'()*+,/:;=@[]|",  # a browser, in a path (URL Standard, path percent-encode set)
    "!$%&()*+,/:;=?@[]\\^`{|}",  # a browser, in a query (special-query percent-encode set)
)
"""What is left as it is in a URL, beside letters, digits and `_.-~`, by who writes it."""


def forms_of(value: str) -> tuple[bytes, ...]:
    """Every form to search for, the longest first. Empty if the value is too short to be masked."""
    # A value of several lines may be printed line by line.
    texts = {value, *value.splitlines()} - {""}
    found: set[bytes] = set()
    for text in texts:
        if len(text.encode()) < LEAST_BYTES:
            continue
        plain = {text, text.lower()}  # a host name in lower case
        once = {form for one in plain for form in _escaped(one)} | plain
        # A JSON body inside a HAR, a URL inside JSON, HTML inside JSON.
        twice = {form for one in (*once, *_python(text)) for form in (one, *_json(one))}
        # JSON in an attribute of HTML, JSON in a URL.
        for form in {form for one in plain for form in _json(one)}:
            twice |= {*_html(form), *_url(form)}
        # A URL that is a parameter of another one, such as the page to go to after a login.
        twice |= {form.replace("%", "%25") for one in plain for form in _url(one)}
        found |= {form.encode() for form in twice}
        found |= {form for one in once for form in _base64(one.encode())}
    return tuple(sorted((form for form in found if len(form) >= LEAST_BYTES), key=lambda form: (-len(form), form)))


def _escaped(text: str) -> Iterator[str]:
    yield from _json(text)
    yield from _url(text)
    yield from _html(text)


def _html(text: str) -> Iterator[str]:
    quoted = html.escape(text, quote=True)
    yield from (
        quoted,
        html.escape(text, quote=False),
        quoted.replace("&#x27;", "'"),
        quoted.replace("&#x27;", "&#39;"),
    )
    # As a browser serialises text and attributes (HTML, "escaping a string").
    yield html.escape(text, quote=False).replace("\N{NO-BREAK SPACE}", "&nbsp;").replace('"', "&quot;")
    yield html.escape(text, quote=False).replace("\N{NO-BREAK SPACE}", "&nbsp;")


def _json(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        form = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (form, form.replace("/", "\\/"))
        # Go's and some JavaScript libraries' way to make JSON safe in HTML.
        yield form.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _url(text: str) -> Iterator[str]:
    for form in (*(quote(text, safe=safe) for safe in URL_SAFE), quote_plus(text, safe="*"), quote_plus(text)):
        yield from (form, _lower_escapes(form))


def _python(text: str) -> Iterator[str]:
    """`repr` and `ascii` of the text, and `repr` of its bytes: `{value!r}`, and messages of exceptions."""
    # Which quotes are escaped depends on the others in the same text.
    for form in (repr(text + '"')[1:-2], ascii(text + '"')[1:-2], repr(text.encode() + b'"')[2:-2]):
        yield from (form, form.replace("\\'", "'"), form.replace("\\'", "'").replace("'", "\\'"))


def _lower_escapes(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _base64(data: bytes) -> Iterable[bytes]:
    """The characters that depend on `data` alone, for each of its three positions: base64 codes three bytes at once."""
    for before in range(3):
        # Leading characters mix in what stands before, trailing ones what follows.
        first = (0, 2, 3)[before]
        whole, rest = divmod(before + len(data), 3)
        last = whole * 4 + (0, 1, 2)[rest]
        coded = base64.b64encode(bytes(before) + data)[first:last]
        yield from (coded, coded.replace(b"+", b"-").replace(b"/", b"_"))
