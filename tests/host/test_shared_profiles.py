"""Whether the profiles of a data folder may be those of other workers, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pageworker_supervisor.host.errors import HostRefused
from pageworker_supervisor.host.shared_profiles import shared_profiles

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
DEFAULTS = [None, "root"]


@pytest.mark.parametrize("wanted", DEFAULTS)
def test_profiles_in_the_data_folder_are_its_own(tmp_path: Path, wanted: str | None) -> None:
    assert shared_profiles(wanted, tmp_path) == ""
    (tmp_path / "profiles").mkdir()
    assert shared_profiles(wanted, tmp_path) == ""


@as_root
@pytest.mark.parametrize("wanted", DEFAULTS)
def test_a_link_may_lead_to_those_of_others(tmp_path: Path, wanted: str | None) -> None:
    (tmp_path / "profiles").symlink_to("elsewhere")
    assert shared_profiles(wanted, tmp_path) == f"{tmp_path}/profiles is a link to another folder"
    assert shared_profiles("ann", tmp_path) == ""


@as_root
def test_a_link_of_the_workers_user_does_not_keep_it_root(tmp_path: Path) -> None:
    (tmp_path / "profiles").symlink_to("elsewhere")
    os.chown(tmp_path / "profiles", 261_501, 261_501, follow_symlinks=False)
    with pytest.raises(HostRefused, match=r"profiles is a link that user 261501 has made; inspect it"):
        shared_profiles(None, tmp_path)


MOUNTED = """
import sys
from pathlib import Path
from pageworker_supervisor.host.shared_profiles import shared_profiles
print(shared_profiles(None, Path(sys.argv[1])), shared_profiles("ann", Path(sys.argv[1])), sep=";")
"""


@as_root
def test_a_file_system_of_its_own_may_hold_those_of_others(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    mounted = f"mount -t tmpfs profiles {tmp_path}/profiles && exec {sys.executable} -c '{MOUNTED}' {tmp_path}"
    done = subprocess.run(["unshare", "-m", "sh", "-c", mounted], capture_output=True, text=True, check=False)
    assert done.stdout == f"{tmp_path}/profiles is a file system of its own;\n", done.stderr
