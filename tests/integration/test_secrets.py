# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No value of a Secret is in anything that a whole run leaves; what keeps Secrets is private; all are rotated.

The first run of the environment was a run with -vvv, with a folder of its own for temporary files.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.ports import ports_of
from ansible_collections.monorepo.gitops.plugins.modules import secret_info, secret_regenerate
from leaks import leaks, read_by_others, values_of
from tear_down import processes_of
from unit.running import run_module

from .conftest import carry_out, limited, words

# What else shows objects, or reads Secrets, with everything that -vvv shows.
PLAYBOOKS = ("verify", "status", "regenerate_secret")
# Kinds in which a value could be by mistake.
OTHER_KINDS = (
    "/api/v1/configmaps",
    "/api/v1/events",
    "/api/v1/pods",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/batch/v1/jobs",
    "/apis/argoproj.io/v1alpha1/applications",
    "/apis/argoproj.io/v1alpha1/applicationsets",
    "/apis/external-secrets.io/v1/externalsecrets",
)


@pytest.fixture(scope="module")
def values(complete_environment):
    assert complete_environment.first.returncode == 0, complete_environment.first.stdout[-6000:]
    found = values_of(complete_environment.live("/api/v1/secrets")["items"])
    names = {name.partition(" ")[0] for name in found.values()}
    generated = {"argocd/argocd-redis", "argocd/argocd-secret", "minio/minio-root", "services/cnpg-cluster-admin"}
    assert generated | {"cert-manager/selfsigned-ca", "kafka-ui/kafka-ui-login"} <= names
    return found


def whole(repository: Path) -> bytes:
    """Return every object of a Git repository, also those that no branch has any more."""
    command = ["git", "-C", repository, "cat-file", "--batch", "--batch-all-objects", "--buffer"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_nothing_that_a_run_says_has_a_value(complete, values, tmp_path):
    (tmp_path / "site").write_text(complete.first.stdout + complete.first.stderr)
    for name in PLAYBOOKS:
        done = complete.playbook(f"playbooks/{name}.yml", "-vvv")
        assert done.returncode == 0, done.stdout[-3000:]
        (tmp_path / name).write_text(done.stdout + done.stderr)
    assert "task path: " in complete.first.stdout
    assert {path.name for path in complete.reports.iterdir()} >= {"report.json", "report.html", "status.html"}
    assert leaks(values, tmp_path, [tmp_path, complete.reports]) == []


def test_no_commit_has_a_value(complete, values, tmp_path):
    clones = [path for path in _paths.cache_folder(_paths.CLONES).iterdir() if (path / ".git").exists()]
    for number, repository in enumerate([complete.folder / "monorepo.git", *clones]):
        (tmp_path / str(number)).write_bytes(whole(repository))
    assert b"kind: ExternalSecret" in (tmp_path / "0").read_bytes()
    assert clones
    assert leaks(values, tmp_path, [tmp_path]) == []


def test_no_log_has_a_value_not_even_the_audit_log(complete, values, tmp_path):
    entries = [json.loads(line) for line in (complete.folder / "logs" / "audit.log").read_text().splitlines()]
    written = {entry["objectRef"].get("name") for entry in entries if entry["objectRef"]["resource"] == "secrets"}
    assert {"argocd-secret", "minio-root"} <= written
    assert leaks(values, tmp_path, [complete.folder / "logs"]) == []


def test_no_file_of_a_run_has_a_value(complete, values, tmp_path):
    """Temporary files, what others could read of them meanwhile, the inventory, the cache, the state of the cluster."""
    folder = complete.inventory.parent.parent
    assert {"tmp", "seen", "inventories", "reports"} <= {path.name for path in folder.iterdir()}
    cache = [_paths.cache_folder(name) for name in (_paths.BUILDS, _paths.CLONES, _paths.INSTALL, _paths.DOWNLOADS)]
    places = [folder, complete.folder, *(path for path in cache if path.exists())]
    # etcd is where the cluster keeps its Secrets; Git's objects are compressed, and have a test of their own.
    assert leaks(values, tmp_path, places, "etcd", "objects") == []


def test_no_process_has_a_value_in_its_arguments_and_no_other_object_has_one(complete, values, tmp_path):
    commands = processes_of(complete.folder)
    assert commands
    (tmp_path / "commands").write_text("\n".join(commands))
    for number, path in enumerate(OTHER_KINDS):
        (tmp_path / str(number)).write_text(json.dumps(complete.live(path)["items"]))
    assert leaks(values, tmp_path, [tmp_path]) == []


def test_nobody_else_can_read_what_keeps_the_secrets_of_a_rehearsal(complete):
    folder = complete.folder
    kept = [folder / "etcd" / "member", folder / "pki" / "ca.key", folder / "pki" / "admin.key", folder / "logs"]
    assert [path for path in [*kept, Path(complete.status["kubeconfig"])] if not path.exists()] == []
    # From the folder above, so that the folder itself counts.
    assert [path for path in read_by_others(folder.parent) if path.is_relative_to(folder)] == []


def test_a_value_in_a_file_is_found(complete, values, tmp_path):
    """What the tests of this file would say if there was one."""
    secret = complete.live("/api/v1/namespaces/minio/secrets/minio-root")["data"]["root-password"]
    (tmp_path / "output").write_text(f"the password is '{secret}'\n")
    assert leaks(values, tmp_path, [tmp_path]) == [f"{tmp_path / 'output'}: minio/minio-root root-password"]


SECRETS = {
    "services/cnpg-cluster-app": "password",
    "minio/minio-root": "root-password",
    "kafka-ui/kafka-ui-login": "password",
    "services/cnpg-cluster-admin": "password",
    "services/drizzle-gateway": "masterpass",
    "kafka/rotated": "password",
    "argocd/argocd-redis": "auth",
    "argocd/argocd-secret": "admin.password",
}
USERS = "/apis/kafka.strimzi.io/v1beta2/namespaces/kafka/kafkausers"
POD_OF = {"minio": "minio", "kafka-ui": "kafka-ui", "services": "drizzle-gateway", "argocd": "argocd-server"}


def value(environment, name):
    namespace, _sep, name = name.partition("/")
    data = environment.live(f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
    return base64.b64decode(data[SECRETS.get(f"{namespace}/{name}", "password")]).decode()


def log_in(environment, password):
    """Return the status with which Argo CD answers a login of admin, once its server runs again."""
    body = json.dumps({"username": "admin", "password": password}).encode()
    address = f"http://127.0.0.1:{ports_of(environment.folder)['argocd-server']}/api/v1/session"
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.5)


def ask_redis(environment, password):
    """Return the beginning of what redis answers to a password."""
    with socket.create_connection(("127.0.0.1", ports_of(environment.folder)["argocd-redis"]), 10) as connection:
        connection.sendall(f"*2\r\n$4\r\nAUTH\r\n${len(password)}\r\n{password}\r\n".encode())
        return connection.recv(100).decode().split()[0]


def pods_of(environment):
    """Return the UIDs of the pods of some workloads."""
    found = environment.live("/api/v1/pods")["items"]
    metadata = [item["metadata"] for item in found if not item["metadata"].get("deletionTimestamp")]
    return {
        place: {one["uid"] for one in metadata if (one["namespace"], one["name"].rsplit("-", 2)[0]) == place}
        for place in POD_OF.items()
    }


def make_user(api, **metadata):
    """Make a user of Kafka with a password."""
    spec = {"authentication": {"type": "scram-sha-512"}}
    body = {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaUser", "metadata": metadata, "spec": spec}
    assert api.request("POST", USERS, body=body, content_type="application/json")[0] == 201


@pytest.fixture(scope="module")
def kafka_user(complete_environment):
    """Make a user with a password, which inventories/dev has none of."""
    api = complete_environment.api()
    make_user(api, name="rotated", labels={"strimzi.io/cluster": "kafka-cluster"})
    deadline = time.monotonic() + 30
    while complete_environment.live("/api/v1/namespaces/kafka/secrets/rotated") is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield
    api.request("DELETE", f"{USERS}/rotated")


@pytest.mark.usefixtures("kafka_user")
def test_every_generated_credential_is_rotated_and_nothing_says_its_value(complete, tmp_path):
    """Argo CD is real, so the old passwords are refused there; elsewhere the Secret changes, and its users restart."""
    before, uids = {name: value(complete, name) for name in SECRETS}, pods_of(complete)
    first = value(complete, "argocd/argocd-initial-admin-secret")
    values = values_of(complete.live("/api/v1/secrets")["items"])
    assert (log_in(complete, first), ask_redis(complete, before["argocd/argocd-redis"])) == (200, "+OK")
    writes = complete.writes()
    checked = complete.playbook("playbooks/rotate_secrets.yml", "--check", "-e", "max_age=0")
    assert "8 of 8 are 0 days old or older." in words(checked)
    assert complete.writes() == writes

    complete.settings["ANSIBLE_VERBOSITY"] = "3"
    try:
        said = carry_out(complete, "rotate_secrets", dev="test")
    finally:
        del complete.settings["ANSIBLE_VERBOSITY"]
    for text in said[:2]:
        assert "0 of 8 are 365 days old or older." in " ".join(text.split())
    assert re.search(r"changed=0 ", said[1])
    after = {name: value(complete, name) for name in SECRETS}
    assert [name for name in SECRETS if after[name] == before[name]] == []
    assert [place for place, found in pods_of(complete).items() if not found or found & uids[place]] == []
    assert (log_in(complete, first), ask_redis(complete, before["argocd/argocd-redis"])) == (401, "-WRONGPASS")
    new = value(complete, "argocd/argocd-initial-admin-secret")
    assert (log_in(complete, new), ask_redis(complete, after["argocd/argocd-redis"])) == (200, "+OK")

    (tmp_path / "said").write_text("\n".join(said) + checked.stdout)
    values |= values_of(complete.live("/api/v1/secrets")["items"])
    assert leaks(values, tmp_path, [tmp_path, complete.folder / "logs"]) == []
    again = complete.playbook("playbooks/rotate_secrets.yml", "-e", "max_age=1", "-e", "confirm=test")
    assert "0 of 8 are 1 days old or older." in words(again)
    assert "changed=0 " in again.stdout


def test_old_credentials_are_a_warning_of_the_status(complete):
    """Nothing is old here, so an object is made that says so."""
    api = complete.api()
    make_user(api, name="old", annotations={"monorepo.gitops/rotated-at": "2020-01-01T00:00:00Z"})
    try:
        text = words(complete.playbook("playbooks/status.yml"))
        page = (complete.reports / "status.html").read_text()
        off = words(complete.playbook("playbooks/status.yml", "-e", "gitops_secrets_max_age=0"))
    finally:
        api.request("DELETE", f"{USERS}/old")
    warning = "Warning: Generated credentials are older than gitops_secrets_max_age, which is 365 days: kafka/old ("
    assert warning in text
    assert warning.removeprefix("Warning: ") in page
    assert "Next: ansible-playbook monorepo.gitops.rotate_secrets" in text
    assert warning not in off


def test_ages_are_read_with_the_documented_rights_only(complete, tmp_path):
    result = run_module(secret_info, kubeconfig=limited(complete, tmp_path, "secret_info"))
    assert (result.get("msg"), result["unreadable"]) == (None, ["secrets/argocd-redis", "secrets/argocd-secret"])
    assert len(result["secrets"]) >= 5


@pytest.mark.usefixtures("kafka_user")
def test_the_secret_of_an_operator_is_rotated_with_the_documented_rights_only(complete, tmp_path):
    options = {"secret": "kafka/rotated", "made_by": "KafkaUser", "owner": "rotated"}
    result = run_module(secret_regenerate, kubeconfig=limited(complete, tmp_path, "secret_regenerate"), **options)
    assert (result.get("msg"), result["changed"]) == (None, True)
