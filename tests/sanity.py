# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity` on this clone without its tests, and without containers.

ansible-test needs the folder ansible_collections/<namespace>/<name>, next to kubernetes.core, so it gets a copy.
It keeps its own virtual environments, one for each test, below a home folder in the user's cache. Each version of
ansible-core has one, until another version is used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAY = 24 * 3600
PACKAGES = Path(sysconfig.get_path("purelib"))
# ansible-test would download the installer of pip; Python includes one. Its pip must read pip's configuration.
GET_PIP = """
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", *options])
"""


def copy_clone(target: Path) -> None:
    """Copy the files that Git tracks or would add, in their present state.

    Tests are not shipped, and ruff and ansible-lint check them. Most of the time would be theirs.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def write_pip_configuration(file: Path) -> None:
    """Write the settings for package access: ansible-test passes no variables on, and has another home folder."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = dict(re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", text, re.MULTILINE))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["[global]", *(f"{name} = {value}" for name, value in options.items()), ""]))


def prepare_home(home: Path) -> None:
    """Create the home folder for ansible-test."""
    source = (PACKAGES / "ansible_test" / "_internal" / "python_requirements.py").read_text()
    pip = re.findall(r"\bpip='([0-9.]+)'", source)[0].replace(".", "_")
    installer = home / ".ansible" / "test" / "cache" / f"get_pip_{pip}.py"
    installer.parent.mkdir(parents=True, exist_ok=True)
    installer.write_text(GET_PIP)
    write_pip_configuration(home / ".config" / "pip" / "pip.conf")


def remove_others(home: Path) -> None:
    """Remove what other versions of ansible-core have left; a run in another clone may use what was used today."""
    home.touch()
    for other in home.parent.iterdir():
        if other != home and time.time() - other.stat().st_mtime > DAY:
            shutil.rmtree(other)


def main() -> int:
    """Run the tests, or those that the arguments name, and return the exit code of ansible-test."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "monorepo.gitops" / "sanity"
    home = cache / version("ansible-core")
    prepare_home(home)
    remove_others(home)
    with tempfile.TemporaryDirectory() as folder:
        collections = Path(folder) / "ansible_collections"
        copy_clone(collections / "monorepo" / "gitops")
        (collections / "kubernetes").mkdir()
        (collections / "kubernetes" / "core").symlink_to(PACKAGES / "ansible_collections" / "kubernetes" / "core")
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        command = [str(Path(sys.executable).parent / "ansible-test"), "sanity", "--local", "--python", python]
        environment = os.environ | {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        where = collections / "monorepo" / "gitops"
        return subprocess.run([*command, *sys.argv[1:]], cwd=where, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
