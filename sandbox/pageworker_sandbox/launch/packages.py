"""Which Python packages a sandbox gets, one by one. A package that is not named here cannot be imported inside."""

import re
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path

from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind

CODE = Path("/opt/pageworker/code")
SITE = Path("/opt/pageworker/site")

RUNNER_CODE = (
    "pageworker",
    "pageworker_runner",
    *(f"pageworker_sandbox/{name}" for name in ("wire", "confine", "blockers")),
)
GATEWAY_CODE = tuple(f"pageworker_sandbox/{name}" for name in ("wire", "egress", "dialer", "confine"))
SHARED_FILES = ("__init__.py", "memfd.py", "state_machine.py", "task_group.py")
SHARED_CODE = tuple(f"pageworker_sandbox/{name}" for name in SHARED_FILES)
RUNNER_SITE = ("playwright", "greenlet", "pyee", "msgspec", "typing_extensions")
GATEWAY_SITE = ("uvloop", "h11", "msgspec", "socksio")
OPTIONAL_SITE = frozenset({"pyee", "typing_extensions"})
"""Only older releases of the other packages need these."""
SDK_DISTRIBUTION = "pageworker-sdk"
TESTED_PLAYWRIGHT = ((1, 65), (1, 66))
"""The first release that is accepted, and the first one that is not. The runner uses private parts of Playwright."""


def code(names: tuple[str, ...]) -> list[Bind] | HostProblem:
    """Binds of our own packages, or of parts of them (`package/part`). Otherwise the problem."""
    binds = []
    for name in (*names, *SHARED_CODE):
        package, _, part = name.partition("/")
        folder = _origin(package)
        if folder is None or not (folder / part).exists():
            return HostProblem(f"{name} is not installed", "Python's search path", "install pageworker again")
        binds.append(Bind((folder / part).resolve(), CODE / name))
    return binds


def site(names: tuple[str, ...]) -> list[Bind] | HostProblem:
    """Binds of third-party packages, with the libraries that their wheels carry (`NAME.libs`), or the problem."""
    binds = []
    for name in names:
        origin = _origin(name)
        if origin is None:
            if name in OPTIONAL_SITE:
                continue
            return HostProblem(f"{name} is not installed", "Python's search path", f"pip install {name}")
        binds.append(Bind(origin.resolve(), SITE / origin.name))
        carried = origin.parent / f"{name}.libs"
        if carried.is_dir():
            binds.append(Bind(carried.resolve(), SITE / carried.name))
    return binds


def _origin(name: str) -> Path | None:
    """The folder of a package, or the file of a module. Does not import it."""
    spec = find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None


def driver() -> Path | HostProblem:
    """Path of Playwright's node on the host. Otherwise the problem: it is missing, or no tested release."""
    if (problem := _untested_playwright()) is not None:
        return problem
    origin = _origin("playwright")
    node = (origin or Path("/nonexistent")) / "driver" / "node"
    if not node.is_file():
        return HostProblem("Playwright's driver is missing", str(node), "pip install --force-reinstall playwright")
    return node.resolve()


def rival_distribution() -> HostProblem | None:
    """The problem if `pageworker-sdk` is installed beside `pageworker`: the one installed last wrote the SDK's files.

    A checkout that has built the SDK has metadata without a RECORD, and no second copy.
    """
    try:
        if distribution(SDK_DISTRIBUTION).read_text("RECORD") is None:
            return None
    except PackageNotFoundError:
        return None
    return HostProblem(
        f"{SDK_DISTRIBUTION} is installed beside pageworker, and both have the package `pageworker`",
        "the installed packages",
        f"pip uninstall {SDK_DISTRIBUTION}, then install pageworker again with --force-reinstall --no-deps",
    )


def _untested_playwright() -> HostProblem | None:
    (first, wanted), (before, limit) = TESTED_PLAYWRIGHT
    remedy = f"pip install 'playwright>={first}.{wanted},<{before}.{limit}'"
    try:
        installed = version("playwright")
    except PackageNotFoundError:
        return HostProblem("Playwright is not installed", "Python's search path", remedy)
    release = tuple(map(int, re.findall(r"\d+", installed)[:2]))
    if TESTED_PLAYWRIGHT[0] <= release < TESTED_PLAYWRIGHT[1]:
        return None
    text = f"Playwright {installed} is not a tested release: pageworker uses private parts of it"
    return HostProblem(text, "the installed package", remedy)
