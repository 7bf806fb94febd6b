"""A switched-off check has a reason beside it: `type: ignore`, `noqa`, `pragma`, `cast(...)`, `name: Any = ...`."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from repository.sources import relative, tracked

SWITCH = re.compile(r"#\s*(type:\s*ignore|noqa|pragma)\b(\[[\w, -]*\]|:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?")
WORD = re.compile(r"[a-z]{2}")
CANDIDATE = re.compile(rf"{SWITCH.pattern}|\bcast\(|:\s*Any\s*=")
"""What each of them contains. Most files are not looked at more closely."""


def without_reason(text: str) -> list[int]:
    """Numbers of the lines that switch a check off without a comment that says why, on the line or above it."""
    if not CANDIDATE.search(text):
        return []
    lines = text.splitlines()
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    found = [
        number
        for number, comment in comments.items()
        if SWITCH.search(comment) and not WORD.search(SWITCH.sub("", comment))
    ]
    whole = {number for number in comments if lines[number - 1].lstrip().startswith("#")}
    explained = comments.keys() | {number + 1 for number in whole}
    return sorted({*found, *(line for line in _type_escapes(ast.parse(text)) if line not in explained)})


def _type_escapes(module: ast.Module) -> Iterator[int]:
    """Lines of casts, and of variables that are declared as Any. A field of a class may hold anything: no escape."""
    nodes = list(ast.walk(module))
    fields = {id(node) for kind in nodes if isinstance(kind, ast.ClassDef) for node in kind.body}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name("cast") | ast.Attribute(ast.Name("typing"), "cast")):
                yield node.lineno
            case ast.AnnAssign(annotation=ast.Name("Any"), value=ast.expr()) if id(node) not in fields:
                yield node.lineno


def test_each_says_why() -> None:
    found = [
        f"{relative(file)}:{number}"
        for file in tracked("*.py", "**/*.py")
        for number in without_reason(file.read_text())
    ]
    assert found == [], f"{len(found)} lines without a reason beside them or above them:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "a = b  # type: ignore",
        "a = b  # type: ignore[misc, arg-type]",
        "a = b  # noqa",
        "a = b  # noqa: S101, E501",
        "a = b  # pragma: S101",
        "a = b  # type: ignore[misc]  # noqa: E501",
        "a = cast(int, b)",
        'a = typing.cast("int", b)',
        "a: Any = b",
        "def f():\n    self.a: Any = b",
        'text = "# why"\na: Any = b',
    ],
)
def test_one_without_a_reason_is_found(line: str) -> None:
    assert without_reason(line) == [line.count("\n") + 1]


@pytest.mark.parametrize(
    "line",
    [
        "a = b  # type: ignore[misc]  # the library has no types",
        "a = b  # noqa: S101, E501 - the point",
        "a = b  # type: ignore[misc]  # noqa: E501 - a long text",
        "# Any: whatever was sent.\na: Any = b",
        "a = cast(int, b)  # compared above",
        "class A:\n    a: Any = 1",
        "a = memory.cast(b)",
        'a = "# noqa"',
    ],
)
def test_one_with_a_reason_is_permitted(line: str) -> None:
    assert without_reason(line) == []
