"""The Containerfile copies what an installation needs, and nothing is in it that ties it to a machine."""

import configparser
import re
import subprocess
from pathlib import Path

from pageworker_sandbox.launch import fonts

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text()
PACKAGES = (ROOT / "deploy/container/packages.sh").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
INSTRUCTIONS = re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.MULTILINE).replace("\\\n", " ")


def shown() -> list[str]:
    """The files and folders of the checkout that a build sees, and copies into its first stage."""
    return [line.removeprefix("!") for line in IGNORED if line.startswith("!")]


def sources() -> set[str]:
    """What setup.cfg reads: the folders of packages, and the files of `data_files`."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = [line.partition("=")[2].strip() for line in setup["options"]["package_dir"].split("\n") if line]
    data = [line.strip() for text in setup["options.data_files"].values() for line in text.split("\n") if line]
    return {*folders, *data, *setup["metadata"]["license_files"].split(), "README.md"}


def test_a_build_sees_every_source_of_the_installation() -> None:
    lacking = {name for name in sources() if not any(name == path or name.startswith(f"{path}/") for path in shown())}
    assert lacking == set()
    assert re.search(r"^COPY \. /src$", INSTRUCTIONS, re.MULTILINE)


def test_a_build_sees_what_exists_and_nothing_else() -> None:
    assert IGNORED[1] == "*"
    assert [path for path in shown() if not (ROOT / path).exists()] == []
    # `make-secrets.sh` writes passwords beside compose.yaml.
    assert not any("deploy/container/secrets/users.acl".startswith(f"{path}/") for path in shown())


def test_no_line_names_an_architecture_or_a_tag() -> None:
    for text in (INSTRUCTIONS, PACKAGES):
        assert not re.search(r"amd64|arm64|aarch64|x86|linux-gnu", text)
    assert re.search(r"^ARG BASE$", INSTRUCTIONS, re.MULTILINE), "a base without a digest would be a default"


def test_the_default_target_is_the_last_one() -> None:
    stages = re.findall(r"^FROM \S+ AS (\w+)$", INSTRUCTIONS, re.MULTILINE)
    assert stages == ["builder", "system", "full", "headless"]


def test_every_stage_that_installs_has_the_date_of_all_files() -> None:
    """A default would not be that of `--timestamp`, and the caches of fonts would not fit."""
    for stage in re.split(r"^FROM ", INSTRUCTIONS, flags=re.MULTILINE)[1:]:
        assert "packages.sh" not in stage or re.search(r"^ARG SOURCE_DATE_EPOCH$", stage, re.MULTILINE)


def test_the_image_ends_as_an_ordinary_user_with_a_health_check() -> None:
    assert re.findall(r"^USER (.*)$", INSTRUCTIONS, re.MULTILINE)[-1] == "10001:10001"
    assert "HEALTHCHECK" in INSTRUCTIONS
    assert "STOPSIGNAL SIGTERM" in INSTRUCTIONS


def test_the_image_has_the_fonts_that_doctor_asks_for() -> None:
    assert set(fonts.PACKAGES) <= set(INSTRUCTIONS.split())


def test_a_base_without_a_digest_is_refused() -> None:
    build = ROOT / "deploy/container/build.sh"
    ended = subprocess.run([str(build), "debian:bookworm-slim", "headless"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "Give a digest" in ended.stderr


def test_folders_of_fonts_have_their_final_date_before_the_caches_are_made() -> None:
    """fc-cache deletes a cache that does not fit the date of its folder."""
    assert PACKAGES.index('touch -h -d "@$SOURCE_DATE_EPOCH"') < PACKAGES.index("\n  fc-cache -f")
