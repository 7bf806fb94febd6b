"""Generates docs/sdk-reference.md from the docstrings of the SDK:

    python -m pageworker_supervisor.sdk_reference > docs/sdk-reference.md

It reads the SDK's sources and imports none of them.
"""

import ast
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from inspect import cleandoc
from pathlib import Path

HEAD = """# SDK reference

Generated from docstrings by `python -m pageworker_supervisor.sdk_reference`. This is `pageworker` {version}: what
`from pageworker import …` offers. [sdk.md](sdk.md) explains how to write a module with it.
"""
FOREIGN = """
## From Playwright

{names} are [Playwright's own](https://playwright.dev/python/docs/api/class-playwright). `PageTimeout` is its
`TimeoutError`.
[sdk.md](sdk.md#what-differs-from-plain-playwright) lists what differs inside of a job.
"""
FIRST = (
    "Helpers",
    "Log",
    "Context",
    "Each",
    "Pages",
    "PagesEnd",
    "Once",
    "DownloadedFile",
    "Failed",
    "RetryLater",
    "Blocked",
    "BlockerKind",
    "devices",
    "Sink",
)
"""In this order: what a handler uses, then what tests use."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sdk_folder() -> Path:
    """The folder of the installed SDK. Does not import it."""
    spec = find_spec("pageworker")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pageworker")
    return Path(next(iter(spec.submodule_search_locations)))


def exported(folder: Path) -> dict[str, str]:
    """Each name that `from pageworker import …` offers, and the module that it comes from."""
    places: dict[str, str] = {}
    for node in ast.parse((folder / "__init__.py").read_text()).body:
        if isinstance(node, ast.ImportFrom):
            places |= {alias.asname or alias.name: node.module or "" for alias in node.names}
    return places


def reference(folder: Path) -> str:
    """The whole document."""
    places = exported(folder)
    own = [name for name, place in places.items() if place.startswith("pageworker.")]
    texts = [_entry(folder, places[name], name) for name in sorted(own, key=_order)]
    foreign = ", ".join(f"`{name}`" for name in sorted(set(places) - set(own)))
    return HEAD.format(version=version_of(folder)) + "".join(texts) + FOREIGN.format(names=foreign)


def version_of(folder: Path) -> str:
    """`pageworker.__version__`."""
    for node in ast.parse((folder / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise LookupError("__version__ is not in the SDK")


def _order(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)


def _entry(folder: Path, place: str, name: str) -> str:
    body = ast.parse((folder / f"{place.rpartition('.')[2]}.py").read_text()).body
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _class(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            if isinstance(node.value, ast.Call):
                wanted = ast.unparse(node.value.func)
                made = next(each for each in body if isinstance(each, ast.ClassDef) and each.name == wanted)
                return f"\n## `{name}`\n\n{_doc(made)}\n"
            return f"\n## `{name}`\n\n{_literal(node.value)}\n"
    raise LookupError(f"{place} has no {name}")


def _literal(value: ast.expr) -> str:
    """`Literal["captcha", …]` as a sentence."""
    members = ast.literal_eval(value.slice) if isinstance(value, ast.Subscript) else ()
    return "One of " + ", ".join(f"`{member}`" for member in members) + "."


def _class(node: ast.ClassDef) -> str:
    methods = [each for each in node.body if isinstance(each, Function)]
    init = next((each for each in methods if each.name == "__init__"), None)
    bases = ", ".join(map(ast.unparse, node.bases))
    raised = bases in ("Exception", "Failed")
    call = f"raise {node.name}({_parameters(init)})" if raised and init else node.name
    text = f"\n## `{call}`\n\n{_doc(node)}\n"
    if fields := list(_fields(node)):
        text += "\n| field | type | meaning |\n|---|---|---|\n" + "".join(fields)
    for method in methods:
        if not method.name.startswith("_"):
            text += f"\n### `{_call(method)}`\n\n{_doc(method)}\n"
    return text


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """Rows of annotated fields. A text behind a field is its docstring."""
    for at, each in enumerate(node.body):
        if isinstance(each, ast.AnnAssign):
            after = node.body[at + 1] if at + 1 < len(node.body) else None
            told = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            words = " ".join(cleandoc(str(told)).split())
            kind = ast.unparse(each.annotation).replace("|", "\\|")
            yield f"| `{ast.unparse(each.target)}` | `{kind}` | {words} |\n"


def _call(method: Function) -> str:
    awaited = "await " if isinstance(method, ast.AsyncFunctionDef) else ""
    returns = f" -> {ast.unparse(method.returns)}" if method.returns is not None else ""
    return f"{awaited}{method.name}({_parameters(method)}){returns}"


def _parameters(method: Function) -> str:
    """The parameters without `self`, as they are written."""
    text = ast.unparse(method.args)
    return text.removeprefix("self").removeprefix(", ")


def _doc(node: ast.ClassDef | Function) -> str:
    return ast.get_docstring(node) or ""


if __name__ == "__main__":
    sys.stdout.write(reference(sdk_folder()))
