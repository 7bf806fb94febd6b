"""`workerctl`: the root of all commands. A command is imported when it is called, so that `--help` is quick."""

import gc
import inspect
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError, UnusedCliTokensError

from pageworker_supervisor.cli.help_page import asked_page, columns, rendered
from pageworker_supervisor.cli.output import CommandError, CommandExit, complain, put
from pageworker_supervisor.contract.printable import printable


def _version() -> str:
    from importlib.metadata import version  # takes as long as half of `--help`

    return version("pageworker")


app = App(
    name="workerctl",
    help="Operate pageworker workers, and write, sign and publish modules.",
    version=_version,
    result_action="return_value",
    exit_on_error=False,
)

# Command or group, where it is (a function or an App), its line in `--help`.
COMMANDS = (
    ("demo", "pageworker_supervisor.cli.demo:demo", "Run about thirty demonstration jobs on a temporary worker."),
    (
        "status",
        "pageworker_supervisor.cli.worker:status",
        "Show the state, runners and running jobs of the worker; all workers.",
    ),
    ("top", "pageworker_supervisor.cli.top:top", "Show workers, runners, tenants and failures of the fleet, live."),
    ("drain", "pageworker_supervisor.cli.worker:drain", "Stop claiming jobs, and wait until the running ones end."),
    ("undrain", "pageworker_supervisor.cli.worker:undrain", "Let the worker claim jobs again after a drain."),
    ("pause", "pageworker_supervisor.cli.pause:pause", "Stop the claims of one tenant, module or domain; list pauses."),
    ("unpause", "pageworker_supervisor.cli.pause:unpause", "Let jobs of what is paused start again."),
    ("tenant", "pageworker_supervisor.cli.tenant:app", "Show, create and pause tenants; usage, tokens, subscriptions."),
    ("profile", "pageworker_supervisor.cli.profile:app", "List, show, restore and delete browser profiles."),
    ("submit", "pageworker_supervisor.cli.submit:submit", "Push one job. With --wait, also print its result."),
    ("results", "pageworker_supervisor.cli.results:results", "Show the result of one job, or the newest results."),
    ("logs", "pageworker_supervisor.cli.logs:logs", "Show the newest log lines of the worker, or of one job."),
    ("jobs", "pageworker_supervisor.cli.jobs:app", "List, show, follow, cancel and retry jobs."),
    ("batch", "pageworker_supervisor.cli.batch:app", "Open, show, close, cancel and retry batches of jobs."),
    ("cancel", "pageworker_supervisor.cli.cancel:cancel", "Cancel one job that has not ended."),
    ("dead", "pageworker_supervisor.cli.dead_letters:app", "Inspect, retry or delete dead-lettered jobs."),
    ("scale", "pageworker_supervisor.cli.scale:scale", "Show or serve how many workers the fleet needs."),
    ("redis", "pageworker_supervisor.cli.redis:app", "Show how clients reach Redis."),
    ("config", "pageworker_supervisor.cli.config:app", "Show and check settings; change the central configuration."),
    ("secrets", "pageworker_supervisor.cli.secrets:app", "Check the secrets that the configuration names."),
    ("doctor", "pageworker_supervisor.cli.doctor:doctor", "Check whether this host can run a worker."),
    (
        "schema",
        "pageworker_supervisor.cli.schema:schema",
        "Print the JSON Schema of the output of a command.",
    ),
    ("completion", "pageworker_supervisor.cli.completion:completion", "Print a script for the completion of a shell."),
    ("audit", "pageworker_supervisor.cli.audit:app", "List, verify and export the log of who changed what."),
    ("module", "pageworker_supervisor.cli.module:app", "Write, run, pack, sign, verify and publish modules."),
    ("blockers", "pageworker_supervisor.cli.blockers:app", "Show, sign and check blocker rules of your own."),
    (
        "rollout",
        "pageworker_supervisor.cli.rollout_group:app",
        "List the rollouts of all modules; watch a new build of the worker.",
    ),
    ("key", "pageworker_supervisor.cli.key:app", "Create, show and revoke the keys that sign modules."),
)

for name, place, line in COMMANDS:
    app.command(place, name=name, help=line)

OLD_NAMES = (("resume", "pageworker_supervisor.cli.worker:undrain", "Run `undrain`: the old name works until 1.0."),)
"""Commands under the name that they had before. `--help` of the root does not list them."""

for name, place, line in OLD_NAMES:
    app.command(place, name=name, help=line, show=False)

OLD_OPTIONS: dict[tuple[str, ...], dict[str, str]] = {
    ("config", name): {"--why": "--reason"}  # works until 1.0
    for name in ("set", "unset", "edit", "rollback")
}
"""By command: options under the name that they had before. `--help` and completion do not list them."""

NEW_OBJECTS = 100_000
"""New objects that start a garbage collection. Python's own number is 700: then collections take 10 % of the time of a
short command, because each looks again at what was imported."""

CALLED = frozenset(name for name, _, _ in COMMANDS)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's own). Returns the exit code.

    A command returns None or a CommandExit, or raises CommandError.
    """
    words = _with_new_options(sys.argv[1:] if arguments is None else arguments)
    try:
        page = asked_page(words)
        if page is not None:
            put(rendered(page, columns()))
            sys.stdout.flush()
            return CommandExit.DONE
        if words and words[0] in CALLED:
            _show_whole_help(app[words[0]])
            if len(words) > 1 and words[1] in app[words[0]]:
                _show_whole_help(app[words[0]][words[1]])
        result = app(words, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        complain(
            printable(_usage(error)),
            "Run `workerctl --help` or `workerctl COMMAND --help` for the commands and options.",
        )
        return CommandExit.USAGE
    except CommandError as error:
        complain(str(error), error.mend)
        return error.exit_code
    except UnicodeEncodeError as error:
        if error.reason != "surrogates not allowed":
            raise
        complain("an argument has bytes that are not UTF-8", "Type it in a terminal with a UTF-8 locale.")
        return CommandExit.USAGE
    except BrokenPipeError:
        # The reader of `workerctl … | head` has closed the pipe. Python would fail again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CommandExit.FAILED
    except KeyboardInterrupt:
        return 130
    return result if isinstance(result, int) else CommandExit.DONE


def _with_new_options(words: Sequence[str]) -> Sequence[str]:
    """The command line with each option under its new name. What follows `--` is no option."""
    new = OLD_OPTIONS.get(tuple(words[:2]), {})
    end = words.index("--") if "--" in words else len(words)
    renamed = [f"{new.get(name, name)}{equals}{value}" for name, equals, value in map(_parted, words[:end])]
    return [*renamed, *words[end:]]


def _parted(word: str) -> tuple[str, str, str]:
    return word.partition("=")


def _usage(error: CycloptsError) -> str:
    """What is wrong with the command line. For cyclopts, an option that is not there "requires an argument"."""
    if isinstance(error, UnusedCliTokensError):
        words = ", ".join(f"`{word}`" for word in error.unused_tokens or ())
        return f"{' '.join(error.command_chain or ())}: {words} is too much: no command or argument is expected there"
    if not isinstance(error, MissingArgumentError) or error.keyword is not None:
        return str(error)
    if error.argument is None or error.argument.tokens:
        return str(error)
    name = error.argument.name
    shown = name if error.argument.index is None else name.lstrip("-").upper()
    return f"{' '.join(error.command_chain or ())}: {shown} is missing"


def _show_whole_help(command: App) -> None:
    """A line in the `--help` of a group stands in for a command that is not imported. Its docstring has more to say."""
    if command.default_command is not None:
        command.help = inspect.getdoc(command.default_command)


def main() -> None:
    """Entry point of the console script."""
    gc.set_threshold(NEW_OBJECTS)
    sys.exit(run())
