"""Lines of keys, whatever TOML allows between them."""

import tomllib

import pytest

from pageworker_supervisor.config.toml_lines import error_line, lines_of

TEXT = '''# head
top = 1
dotted.key = 2

[a]  # comment
x = """
[not.a.table]
y = 1
"""
list = [
  1, # one
  "]",
]
inline = { p = 1, q = { r = 2 } }

[a."b.c".d]
z = \'\'\'
top = 3\'\'\'

[[array]]
n = 1
[[array]]
n = 2
'''


def test_every_key_is_found_where_it_begins() -> None:
    assert lines_of(TEXT) == {
        ("top",): 2,
        ("dotted",): 3,
        ("dotted", "key"): 3,
        ("a",): 5,
        ("a", "x"): 6,
        ("a", "list"): 10,
        ("a", "inline"): 14,
        ("a", "inline", "p"): 14,
        ("a", "inline", "q"): 14,
        ("a", "inline", "q", "r"): 14,
        ("a", "b.c"): 16,
        ("a", "b.c", "d"): 16,
        ("a", "b.c", "d", "z"): 17,
        ("array",): 20,
    }


def test_a_long_file_does_not_take_long() -> None:
    text = "".join(f"[tenants.t{number}]\nweight = 2\nburst = 5\n" for number in range(2000))
    assert lines_of(text)["tenants", "t1999", "burst"] == 6000


def test_a_text_that_ends_too_early_is_wrong_at_its_end() -> None:
    text = 'a = 1\nb = """\nc'
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    assert error_line(caught.value, text)[0] == 3
