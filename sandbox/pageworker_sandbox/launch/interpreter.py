"""The Python that runs inside a sandbox: where it is on the host, and where the sandbox shows it."""

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch import elf
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind, Mask, Mount
from pageworker_sandbox.launch.run_program import run_program

DESCRIBE_SECONDS = 10.0
DESCRIBE_ITSELF = """
import json, sys, sysconfig
print(json.dumps([sys.base_prefix, sysconfig.get_config_var("SOABI"),
                  sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]))
"""
RELOCATED = Path("/opt/pageworker/python")
PUBLIC_PREFIXES = (Path("/usr"), Path("/usr/local"))
"""An interpreter elsewhere (a home, a tool's cache) gets another path inside, so that its path reveals nothing."""


@dataclass(frozen=True)
class Interpreter:
    """`executable` is the path inside the sandbox, `source` the path on the host."""

    executable: Path
    source: Path
    mounts: tuple[Mount, ...]


def find_interpreter(wanted: Path | None) -> Interpreter | HostProblem:
    """The interpreter to use: `wanted`, or the base of our own virtual environment. Otherwise the problem."""
    base = str(getattr(sys, "_base_executable", None) or sys.executable)
    source = (wanted or Path(base)).resolve()
    where = str(source)
    mend = f"set sandbox.python to a CPython {sys.version_info.major}.{sys.version_info.minor}"
    try:
        answer = run_program([source, "-I", "-S", "-c", DESCRIBE_ITSELF], DESCRIBE_SECONDS, env={})
        answer.check_returncode()
        base_prefix, abi, *folders = json.loads(answer.stdout)
        elf.loader(source)
    except (subprocess.SubprocessError, ValueError):
        return HostProblem("this is no Python interpreter, or it does not run", where, mend)
    except (OSError, elf.NotElf) as error:
        return HostProblem(f"no usable Python: {error}", where, mend)
    if abi != sysconfig.get_config_var("SOABI"):
        ours = sysconfig.get_config_var("SOABI")
        return HostProblem(f"the Python has ABI {abi}, the installed packages need {ours}", where, mend)
    prefix = Path(base_prefix)
    home = prefix if prefix in PUBLIC_PREFIXES else RELOCATED
    executable = home / "bin" / source.name if home == RELOCATED else source
    mounts: list[Mount] = [Bind(source, executable)]
    for folder in dict.fromkeys(Path(folder) for folder in folders):
        inside = home / folder.relative_to(prefix) if home == RELOCATED else folder
        mounts += [Bind(folder.resolve(), inside), *masks(folder, inside)]
    return Interpreter(executable, source, tuple(mounts))


def masks(folder: Path, inside: Path) -> list[Mount]:
    """Masks over the installed packages within a folder of the standard library or of system libraries."""
    hidden = ("site-packages", "dist-packages", "python3*/site-packages", "python3*/dist-packages")
    found = (path for name in hidden for path in folder.glob(name) if path.is_dir())
    return [Mask(inside / path.relative_to(folder)) for path in found]
