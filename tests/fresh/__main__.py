"""`python -m fresh`: README's commands on bare roots of distributions, as four users. Needs root, debootstrap, podman.

One line per command: release, user, exit code, seconds, last line of the output. `--keep FOLDER` keeps all output.
The exit code is 1 if a command ended otherwise than a newcomer must see it: a user who may not install anything gets
one line that says what to install, everybody else gets a working program.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fresh.roots import RELEASES, RootNotBuilt, host_options, image_of
from fresh.users import USERS, FreshUser

REPOSITORY = Path(__file__).parents[2]


def main() -> int:
    """Run the trials and return the exit code."""
    options = _options()
    failed = False
    with tempfile.TemporaryDirectory(prefix="pw-fresh-", dir="/var/tmp") as temporary:
        folder = options.keep or Path(temporary)
        for name in options.releases:
            try:
                image = image_of(RELEASES[name], options.archive_keys)
            except RootNotBuilt as error:
                sys.stdout.write(f"{name}: no root: {error}\n")
                failed = True
                continue
            for user in (USERS[key] for key in options.users):
                failed |= not _trial(name, image, user, options.commands, folder)
    return int(failed)


def _trial(release: str, image: str, user: FreshUser, commands: list[str], folder: Path) -> bool:
    """Run the commands as one user in one container. Returns whether each ended as it must."""
    place = folder / f"{release}-{user.name}"
    place.mkdir(parents=True)
    container = [
        *("podman", "--runtime", "runc", "run", "--rm", "-i", "--pull", "never", "--privileged", "--network", "host"),
        *("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000", *host_options(place)),
        *("-v", f"{REPOSITORY}:/src:ro", image, "bash", "-s"),
    ]
    with subprocess.Popen(container, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(user.setup)
        process.stdin.flush()
        good = True
        for number, command in enumerate(commands):
            began = time.monotonic()
            process.stdin.write(user.step(command))
            process.stdin.flush()
            output = []
            for line in process.stdout:
                if line.startswith(user.mark):
                    code = int(line.removeprefix(user.mark))
                    break
                output.append(line)
            else:
                code = process.wait()
            (place / f"{number}.log").write_text("".join(output))
            right = user.is_right(code, output)
            good = good and right
            last = next((line.strip() for line in reversed(output) if line.strip()), "")
            seconds = time.monotonic() - began
            word = "ok" if right else "WRONG"
            sys.stdout.write(f"{word} {release} {user.name}: {command}: exit {code}, {seconds:.0f} s: {last[:160]}\n")
            sys.stdout.flush()
        process.stdin.close()
    return good


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fresh", description=__doc__)
    parser.add_argument("commands", nargs="*", default=["make demo", "make test"], help="shell commands, in order")
    parser.add_argument("--releases", nargs="+", choices=list(RELEASES), default=["debian-12", "debian-13"])
    parser.add_argument("--users", nargs="+", choices=list(USERS), default=list(USERS))
    parser.add_argument("--archive-keys", help="keyring of the archive for debootstrap; '' accepts any archive")
    parser.add_argument("--keep", type=Path, help="an empty folder for the output of all commands")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
