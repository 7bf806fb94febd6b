"""Generates docs/workerctl.md. `cli/generate.py` writes it."""

import re
from typing import Literal

from pageworker_supervisor.cli.help_page import shipped_page
from pageworker_supervisor.cli.help_pages import every_command
from pageworker_supervisor.cli.json_schema import PRINTED

Need = Literal["worker", "Redis", "host", "registry", "files"]
"""`worker`: the one on this host, over its control socket. `host`: sandbox, browser. `files`: those of the caller."""

NEEDS: dict[str, Need] = {
    "audit export": "Redis",
    "audit list": "Redis",
    "audit verify": "Redis",
    "batch cancel": "Redis",
    "batch close": "Redis",
    "batch list": "Redis",
    "batch open": "Redis",
    "batch retry": "Redis",
    "batch show": "Redis",
    "blockers rules": "files",
    "blockers sign": "files",
    "blockers verify": "files",
    "cancel": "Redis",
    "completion": "files",
    "config check": "files",
    "config diff": "Redis",
    "config edit": "Redis",
    "config get": "Redis",
    "config history": "Redis",
    "config rollback": "Redis",
    "config set": "Redis",
    "config show": "files",
    "config unset": "Redis",
    "config validate": "files",
    "dead list": "Redis",
    "dead purge": "Redis",
    "dead retry": "Redis",
    "dead show": "Redis",
    "demo": "host",
    "doctor": "host",
    "drain": "worker",
    "jobs": "Redis",
    "jobs cancel": "Redis",
    "jobs follow": "Redis",
    "jobs list": "Redis",
    "jobs retry": "Redis",
    "jobs show": "Redis",
    "key import": "files",
    "key list": "files",
    "key new": "files",
    "key revoke": "files",
    "key show": "files",
    "key trusted": "files",
    "logs": "worker",
    "module channel set": "registry",
    "module dev": "host",
    "module diff": "files",
    "module lint": "files",
    "module list": "registry",
    "module new": "files",
    "module pack": "files",
    "module promote": "Redis",
    "module publish": "registry",
    "module refresh-index": "registry",
    "module reproduce": "files",
    "module rollback": "Redis",
    "module rollout": "Redis",
    "module run": "host",
    "module serial": "Redis",
    "module sign": "files",
    "module status": "Redis",
    "module test": "host",
    "module verify": "files",
    "module yank": "registry",
    "pause": "Redis",
    "profile delete": "Redis",
    "profile export": "Redis",
    "profile import": "Redis",
    "profile list": "Redis",
    "profile quarantine": "Redis",
    "profile reset": "Redis",
    "profile restore": "Redis",
    "profile show": "Redis",
    "profile unlock": "Redis",
    "redis acl": "files",
    "redis password": "files",
    "results": "Redis",
    "rollout": "Redis",
    "rollout watch": "Redis",
    "scale": "Redis",
    "schema": "files",
    "secrets check": "files",
    "status": "worker",
    "submit": "Redis",
    "tenant acl": "files",
    "tenant create": "Redis",
    "tenant create-token": "Redis",
    "tenant list": "Redis",
    "tenant list-tokens": "Redis",
    "tenant pause": "Redis",
    "tenant revoke-token": "Redis",
    "tenant rotate-token": "Redis",
    "tenant show": "Redis",
    "tenant subscribe": "Redis",
    "tenant subscriptions": "Redis",
    "tenant unpause": "Redis",
    "tenant unsubscribe": "Redis",
    "tenant usage": "Redis",
    "top": "Redis",
    "undrain": "worker",
    "unpause": "Redis",
}
"""What a command cannot work without."""

REDIS_WITH = {
    "status": "--fleet",
    "drain": "--worker, --tag, --fleet",
    "undrain": "--worker, --tag, --fleet",
    "module yank": "--fast",
}
"""Options with which a command needs Redis, and no worker on this host."""

EXAMPLE = re.compile(r"Example: `([^`]+)`")

QUESTIONS: dict[str, tuple[str, ...]] = {
    "Where is the backlog, and how old is it?": ("scale", "tenant list", "jobs --state queued --tenant acme"),
    "Who is throttled, and by what (THROTTLED, WHY)?": ("tenant list", "jobs --state queued"),
    "What eats the memory (MEMORY of workers and runners)?": ("status --fleet", "status"),
    "Why was this job slow?": ("jobs show acme/17 --timeline", "logs acme/17"),
    "What changed yesterday, and who did it?": ("audit list", "config history", "config diff"),
    "Which tenant is near its budget, and how near?": ("pause", "tenant list", "tenant show acme"),
    "Does a profile wait until it is stored as a snapshot?": ("profile show acme/main", "logs --level warning"),
    "Why does this worker take no jobs?": ("status", "logs --level warning"),
    "How many workers are wanted, and why?": ("scale",),
    "What is drained or paused, by whom?": ("status --fleet",),
    "Drain one worker, follow it, undo it.": (
        'drain --worker w1 --reason "new kernel"',
        "status --fleet",
        "undrain --worker w1",
    ),
    "Which version do jobs get, and who decided it?": ("module status acme.prices", "rollout"),
    "A new version fails. Take it away from all jobs.": ('module rollback acme.prices --reason "prices are missing"',),
    "Is the new build of the worker worse than the one that runs?": ("rollout watch --canary next",),
    "What was blocked today?": ("jobs --blocker captcha --since 1d", "jobs --status blocked --count-only"),
    "Which jobs failed? Run them again.": ("jobs --status failed --since 1h", "jobs retry --status failed --since 1h"),
    "What happens to this job now?": ("jobs follow acme/17",),
}
"""Questions of an operator, each with at most three commands that answer it."""

HEAD = """# workerctl

Generated by `python -m pageworker_supervisor.cli.generate`. `workerctl COMMAND --help` says more about each command,
and so does the man page, [workerctl.1](workerctl.1).

- **Needs** says what a command cannot work without. If the worker is away, commands that need Redis still work. If
  Redis is away, commands that need the worker of this host still work: they use its control socket. A command whose
  need is away, or frozen, ends within 2 s with exit code 3 and says what is away.
- **JSON**: the command has `--json`, and prints nothing else on stdout. `workerctl schema COMMAND` prints the JSON
  Schema of that output. `jobs follow`, `logs` and `results --follow` print one JSON object per line.
- `workerctl completion bash`, `zsh` or `fish` prints a script that completes commands and options.

| command | does | needs | JSON | example |
|---|---|---|---|---|
"""
QUESTIONS_HEAD = """
## Questions

| question | commands |
|---|---|
"""
TAIL = """
## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong usage, or an invalid configuration |
| 3 | The worker or Redis is not reachable. |
| 4 | refused |
| 5 | The deadline passed with work left. |
"""


def example_of(page: str) -> str | None:
    """The first example of a help page."""
    found = EXAMPLE.search(page)
    return found[1] if found else None


def _needs(name: str) -> str:
    need = NEEDS.get(name, "")
    return f"{need}; Redis with {REDIS_WITH[name]}" if name in REDIS_WITH else need


def reference() -> str:
    """The whole document."""
    lines = []
    for path, command in every_command():
        name = " ".join(path)
        page = shipped_page(path)
        if command.default_command is None or page is None:
            continue
        does = page.split("\n")[2]
        columns = [f"`{name}`", does, _needs(name), "yes" if name in PRINTED else "", f"`{example_of(page)}`"]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in columns) + " |\n")
    return HEAD + "".join(lines) + QUESTIONS_HEAD + "".join(map(_question, QUESTIONS)) + TAIL


def _question(question: str) -> str:
    commands = ", ".join(f"`workerctl {command}`" for command in QUESTIONS[question])
    return f"| {question} | {commands} |\n"
