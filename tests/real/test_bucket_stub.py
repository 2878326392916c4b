# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stubs of MinIO and mc refuse what MinIO refuses, so that the test of buckets on a node can fail.

Requests are signed by another library than the one with which the stub checks them.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
import yaml

from .clients import ROLES, ask_bucket
from .node.parts import OwnProgram
from .node.processes import eventually
from .node.workshop import Workshop

pytestmark = pytest.mark.machine
ROOT = ("root", "password-of-root")
USERS = {name: (name, f"password-of-{name}") for name in ("test", "other")}


class Stub:
    """The server, and the command line with the login of root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.start()

    def start(self) -> None:
        """Start it, on what it has kept."""
        command = [self.programs / "minio", "server", self.folder, "--console-address", ":0", "--address", self.address]
        login = {"MINIO_ROOT_USER": ROOT[0], "MINIO_ROOT_PASSWORD": ROOT[1]}
        self.process = subprocess.Popen(command, env=login, stderr=subprocess.DEVNULL)
        eventually(self.answers, "the stub of MinIO")

    def stop(self) -> None:
        """End it as a node does that loses its power."""
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        """Return whether it says that it is ready, which anybody may ask."""
        try:
            return ask_bucket("GET", f"http://{self.address}/minio/health/ready", None) == ""
        except OSError:
            return False

    def ask(self, method: str, path: str, login: tuple[str, str] | None, text: str = "") -> str:
        """Ask the S3 API."""
        return ask_bucket(method, f"http://{self.address}/{path}", login, text)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script that calls mc."""
        variables = {"PATH": f"{self.programs}:{os.environ['PATH']}"} | environment
        variables |= {"MC_HOST_minio": f"http://{ROOT[0]}:{ROOT[1]}@{self.address}"}
        return subprocess.run(
            ["sh", "-euc", script], env=variables, capture_output=True, text=True, timeout=60, check=False
        )


def job(folder: Path) -> str:
    """Return the script of the Job that makes the buckets, with a folder for its files."""
    environment = jinja2.Environment(trim_blocks=True)  # noqa: S701  (as Ansible does)
    environment.filters |= {"to_json": json.dumps, "bool": bool, "monorepo.gitops.to_block": lambda value, _by: value}
    buckets = [{"name": name} for name in USERS]
    actions = yaml.safe_load((ROLES / "minio" / "vars" / "main.yml").read_text())["__minio_user_actions"]
    given = {"minio_component": {"namespace": "minio"}, "minio_buckets": buckets, "minio_buckets_resources": {}}
    users = {"__minio_users": buckets, "__minio_user_actions": actions}
    template = (ROLES / "minio" / "templates" / "overlay" / "buckets.yaml.j2").read_text()
    pod = yaml.safe_load(environment.from_string(template).render(given | users))["spec"]["template"]["spec"]
    script: str = pod["containers"][0]["args"][0]
    return script.replace("/tmp/", f"{folder}/")  # noqa: S108


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the two programs."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("minio", "mc"):
        (entry,) = OwnProgram(f"/usr/bin/{name}", name).entries(Workshop(folder, folder, print))
        assert entry.source
        entry.source.rename(folder / name)
    return folder


@pytest.fixture
def stub(programs: Path, tmp_path: Path) -> Iterator[Stub]:
    """Return the stub after the Job has run twice, which changes nothing."""
    (tmp_path / "data").mkdir()
    found = Stub(programs, tmp_path / "data")
    try:
        for _run in range(2):
            secrets = {f"SECRET_KEY_{place}": login[1] for place, login in enumerate(USERS.values(), 1)}
            done = found.run(job(tmp_path), **secrets)
            assert done.returncode == 0, done.stderr
        yield found
    finally:
        found.stop()


def test_a_user_uses_its_bucket_and_no_other(stub):
    assert stub.ask("PUT", "test/folder/word", USERS["test"], "kept") == ""
    assert stub.ask("GET", "test/folder/word", USERS["test"]) == "kept"
    assert "<Key>folder/word</Key>" in stub.ask("GET", "test?list-type=2", USERS["test"])
    for method, path in [
        ("PUT", "test/x"),
        ("GET", "test/folder/word"),
        ("DELETE", "test/folder/word"),
        ("GET", "test"),
    ]:
        assert stub.ask(method, path, USERS["other"]) == "403 AccessDenied", (method, path)
    for method, path in [("GET", ""), ("PUT", "third"), ("DELETE", "test")]:
        assert stub.ask(method, path, USERS["test"]) == "403 AccessDenied", (method, path)
    assert stub.ask("GET", "test/folder/word", ROOT) == "kept"


def test_who_signs_with_another_key_or_not_at_all_is_refused(stub):
    name, key = USERS["test"]
    assert stub.ask("PUT", "test/word", (name, USERS["other"][1]), "text") == "403 SignatureDoesNotMatch"
    assert stub.ask("PUT", "test/word", ("nobody", key), "text") == "403 InvalidAccessKeyId"
    assert stub.ask("PUT", "test/word", None, "text") == "403 AccessDenied"
    assert stub.ask("GET", "test/word", (name, key)) == "404 NoSuchKey"
    assert stub.ask("PUT", "minio/admin/users/test/policies/bucket-other", (name, key)) == "403 AccessDenied"


def test_buckets_users_and_objects_are_there_after_a_restart(stub):
    assert stub.ask("PUT", "test/word", USERS["test"], "kept") == ""
    stub.stop()
    stub.start()
    assert stub.ask("GET", "test/word", USERS["test"]) == "kept"
    assert stub.ask("GET", "test/word", USERS["other"]) == "403 AccessDenied"


def test_a_user_that_is_added_again_has_the_new_key_and_its_policies(stub):
    new = ("test", "another-password")
    assert stub.run(f"printf '%s\\n' {' '.join(new)} | mc admin user add minio").returncode == 0
    assert stub.ask("GET", "test/word", USERS["test"]) == "403 SignatureDoesNotMatch"
    assert stub.ask("GET", "test/word", new) == "404 NoSuchKey"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("mc mb minio/test", "409 Conflict"),
        ("mc mb --ignore-existing --with-versioning minio/test", "501 Not Implemented"),
        ("mc admin policy attach minio none --user test", "there is no such user or no such policy"),
        ("echo name | mc admin user add minio", "the standard input has no secret key"),
        ("mc cat minio/test/word", "this stub does not know the command"),
        ("mc mb --ignore-existing other/test", "MC_HOST_other is not http://USER:PASSWORD@HOST:PORT"),
    ],
)
def test_what_mc_cannot_do_fails(stub, command, said):
    done = stub.run(command)
    assert done.returncode == 1
    assert said in done.stderr
