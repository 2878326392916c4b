# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ordinary user on a machine as people have them.

The user is not root, reads the binaries that somebody else built, has blanks in every path, a umask that keeps others
out, no terminal, a Git configuration whose hooks fail and which signs, and a proxy for everything.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path

import pytest
import yaml
from tear_down import STATE, assert_gone, processes_of, torn_down

from .conftest import BASE, ROOT

NAME = f"gitops-{os.getpid()}"
HOOKS = ("pre-commit", "post-commit", "pre-push", "post-checkout", "reference-transaction", "pre-receive", "update")
GIT = """
[core]
    hooksPath = "{home}/hooks"
    autocrlf = true
[commit]
    gpgSign = true
[gpg]
    program = false
[init]
    templateDir = "{home}/template"
[color]
    ui = always
[push]
    default = nothing
[clone]
    defaultRemoteName = upstream
[diff]
    noprefix = true
    external = false
"""


def reachable(path: Path) -> bool:
    """Return whether everybody may read a path."""
    resolved = path.resolve()
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (resolved, *resolved.parents))


class Proxy:
    """A proxy that writes down who asks, and leads nowhere."""

    def __init__(self):
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(200).decode(errors="replace"))


class User:
    """An unprivileged user with a home, a clone, and a virtual environment."""

    def __init__(self, folder: Path, proxy: Proxy) -> None:
        self.folder, self.home = folder, folder / "home of some body"
        self.clone = self.home / "my work" / "gitops"
        self.identity = {"user": NAME, "group": NAME, "extra_groups": []} if os.getuid() == 0 else {}
        names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
        self.environment = {
            "HOME": str(self.home),
            "PATH": f"{self.clone}/.venv/bin:/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": str(self.home / "tmp"),
            "GITOPS_REHEARSAL_CACHE": str(folder / "binaries"),
        } | dict.fromkeys(names, proxy.url)

    def run(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, without a terminal."""
        return subprocess.run(
            [str(part) for part in command],
            **self.identity,
            umask=0o077,
            cwd=cwd or self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            timeout=900,
            check=False,
        )

    def playbook(self, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a playbook from a folder that has nothing to do with the clone."""
        return self.run("ansible-playbook", "-i", self.clone / "inventories/dev", *args, cwd="/")

    def down(self) -> None:
        """Remove the clusters, and see that they are gone."""
        clusters = list((self.home / STATE / "clusters").glob("*"))
        for done in (self.run("make", "down"), self.run("molecule", "destroy", "-s", "default")):
            assert done.returncode == 0, done.stdout[-5000:]
        for folder in clusters:
            assert_gone(folder)
        assert processes_of(self.folder) == []

    def leave(self) -> None:
        """Remove the user, and every file."""
        if self.identity:
            subprocess.run(["userdel", NAME], check=True)
        for binaries in self.folder.glob("binaries"):
            binaries.chmod(0o755)
        shutil.rmtree(self.folder)

    def give(self, path: Path) -> None:
        """Let a folder with its content belong to this user."""
        if self.identity:
            subprocess.run(["chown", "-R", f"{NAME}:{NAME}", path], check=True)


def share_python(user: User) -> None:
    """Make the user's virtual environment of the packages of this one, as pip would write it for a path with blanks."""
    python, packages = Path(sys._base_executable), Path(os.__file__).parent
    if not reachable(python):
        target = user.folder / "python" / packages.relative_to(sys.base_prefix)
        shutil.copytree(packages, target, ignore=shutil.ignore_patterns("test", "site-packages", "__pycache__"))
        for library in Path(sys.base_prefix).glob("lib/libpython*"):
            shutil.copy(library, user.folder / "python" / "lib")
        (user.folder / "python" / "bin").mkdir()
        python = Path(shutil.copy(python, user.folder / "python" / "bin"))
        user.environment["LD_LIBRARY_PATH"] = str(user.folder / "python" / "lib")
    venv = user.clone / ".venv"
    subprocess.run([python, "-m", "venv", "--without-pip", venv], check=True, env=user.environment)
    own = Path(pytest.__file__).parent.parent
    if not reachable(own):
        own = shutil.copytree(own, user.folder / "packages")
    (next(venv.glob("lib/python*/site-packages")) / "shared.pth").write_text(f"{own}\n")
    for name in ("ansible", "ansible-playbook", "ansible-config", "ansible-galaxy", "molecule"):
        text = (Path(sys.executable).parent / name).read_text().partition("\n")[2]
        (venv / "bin" / name).write_text(f"#!/bin/sh\n'''exec' \"{venv}/bin/python\" \"$0\" \"$@\"\n' '''\n{text}")
        (venv / "bin" / name).chmod(0o755)
    (venv / ".done").touch()


def share_binaries(user: User) -> None:
    """Put the binaries where this user can read them."""
    script = ROOT / "roles/rehearsal_cluster/files/build.py"
    built = Path(
        subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout.split()[-1]
    )
    shutil.copytree(built, user.folder / "binaries" / built.name, symlinks=True, copy_function=link_or_copy)
    if os.getuid():
        (user.folder / "binaries").chmod(0o555)


def link_or_copy(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def copy_clone(user: User) -> None:
    """Copy what Git would have in a fresh clone, with what is not committed yet."""
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0"):
        if (ROOT / name).is_file():
            (user.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, user.clone / name)
    # Molecule looks for its settings in the root of a repository.
    subprocess.run(["git", "init", "--quiet", user.clone], check=True)
    # A scenario of Molecule takes away the topics of another one, unless it has topics itself.
    settings = {"gitops_components": BASE, "component_stand_in": "always", "kafka_topics": []}
    (user.clone / "inventories/dev/group_vars/all/zz_test.yml").write_text(yaml.safe_dump(settings))


def install_collection(user: User) -> None:
    """Install the collection into a tree of its own, as root or somebody else would."""
    galaxy = Path(sys.executable).parent / "ansible-galaxy"
    subprocess.run([galaxy, "collection", "build", ROOT, "--output-path", user.folder], check=True, capture_output=True)
    (tarball,) = user.folder.glob("monorepo-gitops-*.tar.gz")
    command = [galaxy, "collection", "install", tarball, "-p", user.folder / "installed", "--no-deps", "--force"]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def proxy():
    made = Proxy()
    yield made
    made.listener.close()


@pytest.fixture(scope="module")
def user(proxy):
    folder = Path(tempfile.mkdtemp(prefix="gitops-"))
    folder.chmod(0o755)
    made = User(folder, proxy)
    if made.identity:
        subprocess.run(["useradd", "--user-group", "--no-create-home", "--home-dir", made.home, NAME], check=True)
    with torn_down(made.leave), torn_down(made.down):
        for place in ("tmp", "hooks", "template/hooks"):
            (made.home / place).mkdir(parents=True)
        for hook in (made.home / place / name for place in ("hooks", "template/hooks") for name in HOOKS):
            hook.write_text(f"#!/bin/sh\necho {hook.name} >> '{made.home}/ran'\nexit 1\n")
            hook.chmod(0o755)
        (made.home / ".gitconfig").write_text(GIT.format(home=made.home))
        copy_clone(made)
        share_python(made)
        share_binaries(made)
        install_collection(made)
        made.give(made.home)
        done = made.run("make", "setup")
        assert done.returncode == 0, done.stdout
        yield made


def test_make_up(user):
    done = user.run("make", "up")
    assert done.returncode == 0, done.stdout[-5000:]
    for name in BASE:
        assert re.search(rf"^ *{name} +[0-9a-f]{{12}} +Synced +Healthy ", done.stdout, re.MULTILINE)


def test_a_second_run_changes_nothing_from_an_installed_collection(user):
    user.environment["ANSIBLE_COLLECTIONS_PATH"] = str(user.folder / "installed")
    try:
        done = user.playbook("monorepo.gitops.site")
    finally:
        del user.environment["ANSIBLE_COLLECTIONS_PATH"]
    assert done.returncode == 0, done.stdout[-5000:]
    assert "changed=0 " in done.stdout


def test_the_playbooks_of_the_clone_run_from_everywhere(user):
    done = user.playbook(user.clone / "playbooks/verify.yml", user.clone / "playbooks/status.yml")
    assert done.returncode == 0, done.stdout[-5000:]
    assert "changed=0 " in done.stdout


def test_molecule_finds_its_settings_and_the_collection(user):
    done = user.run("molecule", "syntax", "-s", "maildev")
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.long("molecule")
def test_a_scenario_of_molecule(user):
    done = user.run("molecule", "test", "-s", "maildev")
    assert done.returncode == 0, done.stdout[-5000:]


def test_nothing_stays_behind(user):
    assert processes_of(user.folder)
    user.down()
    assert list((user.home / STATE / "clusters").iterdir()) == []


def test_no_hook_ran_and_no_proxy_was_asked(user, proxy):
    assert not (user.home / "ran").exists()
    assert proxy.asked == []


def test_the_tarball_has_no_link_to_itself(user):
    (tarball,) = user.folder.glob("monorepo-gitops-*.tar.gz")
    with tarfile.open(tarball) as file:
        assert [name for name in file.getnames() if "collections" in name.split("/")] == []
