# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No value of a Secret is in anything that a whole run leaves; what keeps Secrets is private; old ones are named.

The first run of the environment was a run with -vvv, with a folder of its own for temporary files.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.modules import secret_info
from leaks import leaks, read_by_others, values_of
from unit.running import run_module

from .conftest import limited, processes_of, words

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


USERS = "/apis/kafka.strimzi.io/v1beta2/namespaces/kafka/kafkausers"


def make_user(api, **metadata):
    """Make a user of Kafka with a password."""
    spec = {"authentication": {"type": "scram-sha-512"}}
    body = {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaUser", "metadata": metadata, "spec": spec}
    assert api.request("POST", USERS, body=body, content_type="application/json")[0] == 201


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
    assert "Next: docs/runbooks/regenerate_secret.md" in text
    assert warning not in off


def test_ages_are_read_with_the_documented_rights_only(complete, tmp_path):
    result = run_module(secret_info, kubeconfig=limited(complete, tmp_path, "secret_info"))
    assert (result.get("msg"), result["unreadable"]) == (None, ["secrets/argocd-redis", "secrets/argocd-secret"])
    assert len(result["secrets"]) >= 5
