"""`workerctl completion`: a script with which a shell completes commands and options."""

from typing import Literal

from pageworker_supervisor.cli.output import put

Shell = Literal["bash", "zsh", "fish"]


def completion(shell: Shell) -> None:
    """Print a script with which a shell completes commands, options and their values.

    Put it where your shell looks for such scripts: `~/.local/share/bash-completion/completions/workerctl`, a folder of
    zsh's `fpath` under the name `_workerctl`, or `~/.config/fish/completions/workerctl.fish`.

    Example: `workerctl completion bash`.

    Parameters
    ----------
    shell
        Shell that completes.
    """
    from pageworker_supervisor.cli.app import app

    put(app.generate_completion(shell=shell).rstrip("\n"))
