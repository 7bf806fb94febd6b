"""Checks one Python file of a module by its syntax tree: what a sandbox refuses, and what blocks other jobs. Pure."""

import ast
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from pageworker_sandbox.launch.packages import RUNNER_SITE
from pageworker_supervisor.registry.lint_finding import LintFinding, Severity

AVAILABLE = frozenset({*sys.stdlib_module_names, *RUNNER_SITE, "pageworker"})
"""Top-level names that a sandbox has beside those of the bundle."""
PRIVATE = frozenset({"pageworker_runner", "pageworker_sandbox"})
USELESS = {
    "multiprocessing": ("a sandbox starts no processes", "use `await asyncio.to_thread(…)`"),
    "subprocess": ("a sandbox starts no processes", "use the page, `page.request` and the helpers"),
    "ftplib": ("a module has no network of its own", "use `page.request`"),
    "http": ("a module has no network of its own", "use `page.request`"),
    "smtplib": ("a module has no network of its own", "use `page.request`"),
    "socket": ("a module has no network of its own", "use `page.request`"),
    "urllib.request": ("a module has no network of its own", "use `page.request`"),
}
"""Parts of the standard library that import, and then fail."""
REFUSED = {
    "playwright.sync_api": "use the async API: `await page.goto(…)`",
    "playwright.async_api.async_playwright": "use the page that the handler gets: a job may not start another browser",
}
WEB = frozenset({"aiohttp", "httpx", "requests", "urllib3"})
CAUGHT = frozenset({"BaseException", "Exception", "ImportError", "ModuleNotFoundError"})


@dataclass(frozen=True)
class ModuleNames:
    """What a file may name. `files`: of the bundle. `sdk`: what `from pageworker import …` offers. `locked`: the
    distributions of requirements.lock, in lower case with `_`."""

    files: Collection[str]
    sdk: Collection[str]
    locked: Collection[str] = ()

    @property
    def top_level(self) -> frozenset[str]:
        """Top-level names of the bundle."""
        return frozenset(name.partition("/")[0].removesuffix(".py") for name in self.files)

    def has(self, dotted: str) -> bool:
        """Whether the bundle has this module or package, also one without `__init__.py`."""
        path = dotted.replace(".", "/")
        return f"{path}.py" in self.files or any(name.startswith(f"{path}/") for name in self.files)


def lint_source(file: str, source: bytes, names: ModuleNames) -> list[LintFinding]:
    """The findings in one file. A file that is no Python has none here: packing reports it."""
    try:
        tree = ast.parse(source, file)
    except (SyntaxError, ValueError):
        return []
    return [*_imports(file, tree, names), *_calls(file, tree)]


def lint_hooks(file: str, source: bytes) -> Iterator[LintFinding]:
    """`before_job` and `after_job` beside the handler must be coroutine functions with four parameters."""
    try:
        body = ast.parse(source, file).body
    except (SyntaxError, ValueError):
        return
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in ("before_job", "after_job"):
            second = "payload" if node.name == "before_job" else "result"
            fix = f"write `async def {node.name}(page, {second}, helpers, context)`"
            if isinstance(node, ast.FunctionDef):
                yield LintFinding(file, node.lineno, "error", "hook", f"`{node.name}` is not `async def`", fix)
            count = len(node.args.posonlyargs) + len(node.args.args)
            if count != 4 and node.args.vararg is None:
                text = f"`{node.name}` has {count} parameters, not 4"
                yield LintFinding(file, node.lineno, "error", "hook", text, fix)


def _imports(file: str, tree: ast.Module, names: ModuleNames) -> Iterator[LintFinding]:
    for node in _unguarded(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _import(file, node.lineno, alias.name, names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield from _import(file, node.lineno, node.module, names)
            for alias in node.names:
                yield from _member(file, node.lineno, node.module, alias.name, names)


def _import(file: str, line: int, dotted: str, names: ModuleNames) -> Iterator[LintFinding]:
    def found(severity: Severity, message: str, fix: str) -> LintFinding:
        return LintFinding(file, line, severity, "import", message, fix)

    top = dotted.partition(".")[0]
    if top in names.top_level:
        if not names.has(dotted):
            yield found("error", f"the folder has no module `{dotted}`", "correct the name, or add the file")
    elif dotted in REFUSED:
        yield found("error", f"`{dotted}` is refused in a job", REFUSED[dotted])
    elif top in PRIVATE:
        yield found("error", f"`{top}` is no part of the SDK, and changes without notice", "import from `pageworker`")
    elif top not in AVAILABLE and top.lower() not in names.locked:
        pure = "pin it in requirements.lock, or put its source into the folder, if it is pure Python"
        fix = "use `page.request`" if top in WEB else pure
        if names.locked:
            # A distribution may bring a package of another name.
            yield found("warning", f"no distribution of requirements.lock has the name `{top}`", fix)
        else:
            yield found("error", f"a sandbox has no package `{top}`", fix)
    else:
        what = USELESS.get(dotted) or USELESS.get(top)
        if what is not None:
            yield found("warning", f"`{dotted}` imports, and then fails: {what[0]}", what[1])


def _member(file: str, line: int, module: str, name: str, names: ModuleNames) -> Iterator[LintFinding]:
    whole = f"{module}.{name}"
    if whole in REFUSED:
        yield LintFinding(file, line, "error", "import", f"`{whole}` is refused in a job", REFUSED[whole])
    elif whole in USELESS:
        why, fix = USELESS[whole]
        yield LintFinding(file, line, "warning", "import", f"`{whole}` imports, and then fails: {why}", fix)
    elif module == "pageworker" and name != "*" and name not in names.sdk:
        near = get_close_matches(name, names.sdk, n=1, cutoff=0.6)
        fix = f"did you mean `{near[0]}`?" if near else "docs/sdk-reference.md lists all names"
        yield LintFinding(file, line, "error", "import", f"the SDK has no `{name}`", fix)


def _calls(file: str, tree: ast.Module) -> Iterator[LintFinding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called == "open":
            text, fix = "a module has no files: `open` fails", "use `importlib.resources.files(__package__)`"
            yield LintFinding(file, node.lineno, "warning", "files", text, fix)
        elif called == "time.sleep":
            text, fix = (
                "`time.sleep` stops all jobs of the runner",
                "use `await asyncio.sleep(…)`, or wait for the page",
            )
            yield LintFinding(file, node.lineno, "warning", "blocking", text, fix)


def _unguarded(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, but those whose failure the module expects: `try: import …`, and `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Try) and any(_catches_imports(handler) for handler in node.handlers):
            for part in (*node.handlers, *node.orelse, *node.finalbody):
                yield from _unguarded(part)
        elif isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            for part in node.orelse:
                yield part
                yield from _unguarded(part)
        else:
            yield node
            yield from _unguarded(node)


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(each) in CAUGHT for each in caught)
