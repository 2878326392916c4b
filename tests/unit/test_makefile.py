# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads when make cannot set up anything on a machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# Answers as a Python of this version would; without ensurepip as that of Debian without python3-venv.
PYTHON = """\
#!/bin/sh
case "$*" in
  --version) echo "Python {version}" ;;
  *version_info*) exit {old} ;;
  *ensurepip*) test {ensurepip} = yes || {{ echo "ModuleNotFoundError: No module named 'ensurepip'" >&2; exit 1; }} ;;
  *) echo "called with $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def setup(tmp_path):
    """Return a function that runs make setup in a fresh clone with these programs only, and returns what it says."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("Makefile", "requirements.txt", "requirements-rehearsal.txt"):
        shutil.copy(ROOT / name, tmp_path)

    def run(**texts):
        for name, text in texts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        done = subprocess.run(
            [shutil.which("make"), "setup"],
            cwd=tmp_path,
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        said, end = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (2, "")
        assert end.startswith("make: *** ")
        assert not (tmp_path / ".venv").exists()
        return said

    return run


GIT = "#!/bin/sh\n"


def test_git_is_missing(setup):
    said = setup(python3=PYTHON.format(version="3.11.2", old=0, ensurepip="yes"))
    assert said == "git is missing. Install it, for example: sudo apt-get install git"


def test_python_is_missing(setup):
    said = setup(git=GIT)
    assert said == "python3 is missing. Install it, for example: sudo apt-get install python3 python3-venv"


def test_python_is_too_old(setup):
    said = setup(git=GIT, python3=PYTHON.format(version="3.9.2", old=1, ensurepip="yes"))
    assert said == (
        "Python 3.11 or newer is needed, this is Python 3.9.2. Install it, for example: "
        "sudo apt-get install python3.11 python3.11-venv, and put it first on PATH"
    )


def test_python_cannot_make_a_virtual_environment(setup):
    said = setup(git=GIT, python3=PYTHON.format(version="3.11.2", old=0, ensurepip="no"))
    assert said == "Python's venv module is missing. Install it, for example: sudo apt-get install python3-venv"
