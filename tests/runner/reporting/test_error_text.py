"""Text of foreign errors: no host path, bounded, and no `__str__` can do harm."""

import pytest

from pageworker_runner.reporting.error_text import (
    MAX_FRAMES,
    MAX_MESSAGE_CHARS,
    calling_line,
    describe,
    frames,
    redact,
    text_of,
)

LABEL = "shop.product@1.0.0"


def raised_in(source: str, file: str = f"{LABEL}/shop/parse.py") -> BaseException:
    """The error that a module's file raises."""
    try:
        exec(compile(source, file, "exec"), {})
    except BaseException as error:  # noqa: BLE001 - a module may raise anything
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("no such file: '/usr/lib/python3.11/x.py'", "no such file: '<path>'"),
        ("in /profile/Default and /tmp", "in <path> and <path>"),
        ("GET https://shop.example/usr/lib/1 failed", "GET https://shop.example/usr/lib/1 failed"),
        ("path /chairs/blue is gone", "path /chairs/blue is gone"),
        ("(/opt/pageworker/site/a.py, /root)", "(<path>, <path>)"),
        ("redirected to /home/offers, /run and /media/1", "redirected to /home/offers, /run and /media/1"),
    ],
)
def test_host_paths_are_redacted_and_urls_are_not(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_an_endless_text_is_cut() -> None:
    assert len(redact("x" * 10**6)) == MAX_MESSAGE_CHARS


@pytest.mark.parametrize("raises", ["1 / 0", "raise SystemExit", "raise KeyboardInterrupt"])
def test_an_error_whose_text_cannot_be_read_is_still_described(raises: str) -> None:
    source = f"class Mute(Exception):\n    def __str__(self):\n        {raises}\nraise Mute"
    error = raised_in(source)
    assert text_of(error).startswith("(no text: its __str__ raised ")
    assert describe(error, LABEL).startswith("Mute: (no text:")


def test_an_error_is_described_by_type_text_and_the_modules_innermost_line() -> None:
    error = raised_in("def price():\n    raise ValueError('no price in /etc/x')\nprice()")
    assert describe(error, LABEL) == "ValueError: no price in <path> (shop/parse.py:2 in price)"
    assert describe(ValueError(), LABEL) == "ValueError"


def test_only_lines_of_the_module_are_named_outermost_first() -> None:
    error = raised_in("import json\ndef parse():\n    json.loads('{')\nparse()")
    assert frames(error, LABEL) == ["shop/parse.py:4 in <module>", "shop/parse.py:3 in parse"]
    assert frames(error, "another@1.0.0") == []


def test_the_line_that_runs_now_is_the_modules_innermost_one() -> None:
    seen: list[str | None] = []
    source = "def price(look):\n    look()\n\nprice(look)\n"
    exec(compile(source, f"{LABEL}/shop/parse.py", "exec"), {"look": lambda: seen.append(calling_line(LABEL))})
    assert seen == ["shop/parse.py:2 in price"]
    assert calling_line(LABEL) is None


def test_a_syntax_error_is_named_by_its_own_line() -> None:
    assert frames(raised_in("x = 1\ndef handler(:"), LABEL) == ["shop/parse.py:2"]


def test_a_deep_recursion_names_its_innermost_lines() -> None:
    lines = frames(raised_in("def deep():\n    deep()\ndeep()"), LABEL)
    assert len(lines) == MAX_FRAMES
    assert set(lines) == {"shop/parse.py:2 in deep"}
