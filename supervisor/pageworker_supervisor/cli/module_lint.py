"""`workerctl module lint`: checks the folder of a module without importing it. It imports the SDK, which is large."""

from pathlib import Path

import pageworker
from pageworker.deprecations import announced
from pageworker_supervisor.cli.output import CommandExit, Json, show
from pageworker_supervisor.cli.registry_access import registry_errors
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.lint import lint
from pageworker_supervisor.registry.lint_finding import LintReport


def lint_folder(folder: Path, *, json: Json = False) -> CommandExit:
    """Check the folder of a module: imports, schemas, timeout, hosts, deprecated names. Imports nothing of it.

    An error is what a worker or a sandbox would refuse. A warning is what works, and could be better. The exit code is
    1 if there is an error, else 0.

    Example: `workerctl module lint acme.prices`.

    Parameters
    ----------
    folder
        Folder with a module.toml.
    """
    with registry_errors():
        findings = lint(folder, pageworker.__all__, announced)
    errors = sum(found.severity == "error" for found in findings)
    answer = LintReport(errors, len(findings) - errors, findings)
    lines = [printable(found) + (f"\n    {printable(found.fix)}" if found.fix else "") for found in findings]
    show(answer, "\n".join([*lines, f"{errors} errors, {answer.warnings} warnings"]), json)
    return CommandExit.FAILED if errors else CommandExit.DONE
