"""Checks what a valid module.toml leaves out or permits too widely. Pure."""

from collections.abc import Iterator, Mapping

from pageworker_sandbox.signing import Manifest
from pageworker_sandbox.signing.manifest import FILE
from pageworker_sandbox.signing.version import SDK_VERSION, fits
from pageworker_supervisor.registry.lint_finding import LintFinding, Severity

Lines = Mapping[tuple[str, ...], int]
"""The line of each key and table."""


def lint_manifest(manifest: Manifest, lines: Lines) -> Iterator[LintFinding]:
    """The findings in a module.toml. A key that is not there is reported for the whole file."""

    def found(key: str, severity: Severity, rule: str, message: str, fix: str) -> LintFinding:
        return LintFinding(FILE, lines.get((key,), 0), severity, rule, message, fix)

    if manifest.input is None:
        text = "there is no input schema: every payload is accepted, and mistakes show on the page"
        yield found("input", "warning", "input-schema", text, 'add a table [input], or `input = "package:Struct"`')
    if manifest.output is None:
        text = "there is no output schema: a change of the site may change results unnoticed"
        yield found("output", "warning", "output-schema", text, 'add a table [output], or `output = "package:Struct"`')
    if manifest.timeout_seconds is None:
        text = "there is no `timeout_seconds`: the module has as long as the worker gives to any job"
        yield found(
            "timeout_seconds", "warning", "timeout", text, "add `timeout_seconds`, some times the usual duration"
        )
    for host in manifest.egress:
        if is_wide(host):
            text = f"`{host}` permits hosts of other people"
            yield found("egress", "warning", "egress", text, "list the hosts that its pages need: `*.shop.example`")
    if not fits(manifest.sdk):
        text = f"the module needs SDK {manifest.sdk}, and this is {SDK_VERSION}"
        yield found("sdk", "error", "sdk", text, "change `sdk`, or update pageworker")
    elif not any(mark in manifest.sdk for mark in ("<", "==")):
        text = f"`{manifest.sdk}` includes major versions that do not exist yet"
        yield found("sdk", "warning", "sdk", text, f'write `sdk = ">=1,<{int(SDK_VERSION.partition(".")[0]) + 1}"`')


def is_wide(host: str) -> bool:
    """Whether a glob of hosts covers a whole top-level domain or more: `*`, `*.com`, `shop.*`."""
    labels = host.split(".")
    fixed = [label for label in labels if not set(label) & set("*?")]
    return len(fixed) < 2 and len(fixed) < len(labels)
