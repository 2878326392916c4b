# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml from nothing, again, with changes, and with changes that break."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import time
from pathlib import Path

import pytest
from bench.figures import REFRESHED

from .conftest import make, message

DEPLOYMENT = "Deployment maildev/maildev"
APPLICATIONS = ("cert-manager", "gateway", "maildev")


def live(environment, path):
    status, item = environment.api().request("GET", path)
    assert status == 200, item
    return item


def application(environment, name):
    return live(environment, f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{name}")


def test_the_first_run_ends_with_a_table_of_the_published_commit(environment):
    commit = environment.first_commit
    for name in APPLICATIONS:
        assert re.search(rf"^ *{name} +{commit[:12]}  Synced  Healthy ", environment.first.stdout, re.MULTILINE)
    report = json.loads(environment.first_reports["report.json"])
    assert (report["succeeded"], report["commit"]) == (True, commit)
    assert {entry["revision"] for entry in report["applications"]} == {commit}
    assert f"<code>{commit}</code>" in environment.first_reports["report.html"]


def test_make_prints_the_path_of_the_kubeconfig_and_nothing_else(environment, tmp_path):
    path = environment.status["kubeconfig"]
    for args in ([], ["-s"]):
        done = make("kubeconfig", environment.inventory, *args)
        assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    # The folder of an inventory need not be called as its environment, and ARGS may name another cluster.
    moved = tmp_path / "inventories" / "another"
    shutil.copytree(environment.inventory, moved)
    named = f"ARGS=-e rehearsal_cluster_name={environment.folder.name}"
    assert make("kubeconfig", moved, "-s", named).stdout == f"{path}\n"
    done = make("kubeconfig", moved, "-s")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no rehearsal cluster another-" in done.stderr


def test_a_second_run_changes_nothing(environment):
    head, before = environment.git("rev-parse", "main"), len(environment.writes())
    done = environment.site()
    assert done.returncode == 0, done.stdout
    assert "changed=0 " in done.stdout
    assert environment.git("rev-parse", "main") == head
    assert environment.writes()[before:]
    assert beside_refreshes(environment, before) == []


def beside_refreshes(environment, before):
    """Return what was written since then, except for requests for a refresh by Argo CD."""
    return [entry for entry in environment.writes()[before:] if not REFRESHED.match(entry.removeprefix("patch "))]


VARIANT = pytest.mark.long("variants")


@pytest.mark.parametrize("tag", ["render", "argocd", "applicationsets"])
def test_a_part_leaves_to_the_others_what_they_have_to_do(environment, tag):
    """What is rendered here is published by another part; the next run begins with what Git has."""
    head, before = environment.git("rev-parse", "main"), len(environment.writes())
    done = environment.site("--tags", tag, "-e", "maildev_replicas=2")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "changed=1 " in done.stdout
    assert environment.git("rev-parse", "main") == head
    assert beside_refreshes(environment, before) == []


# Other tests have a run with each of the others.
@VARIANT
@pytest.mark.parametrize("tag", ["publish", "converge"])
def test_a_tag_cuts_the_run_and_changes_nothing(environment, tag):
    head = environment.git("rev-parse", "main")
    done = environment.site("--tags", tag)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "changed=0 " in done.stdout
    assert environment.git("rev-parse", "main") == head


TAGS = ("render", "publish", "argocd", "applicationsets", "always", "all")


def refused():
    """Return arguments that are refused; all but three are further ones of the same check."""
    for tag in TAGS:
        yield pytest.param(["--skip-tags", tag], marks=() if tag in ("publish", "always") else VARIANT)
    yield ["--tags", "publsh"]


@pytest.mark.parametrize("args", [*refused()], ids=" ".join)
def test_a_tag_with_which_no_run_can_end_well_is_refused_at_once(environment, args):
    before = len(environment.writes())
    done = environment.site(*args)
    assert done.returncode != 0
    said = re.sub(r"\s+", " ", done.stdout)
    assert "Nothing was done. The parts of a run are render, publish, argocd, applicationsets and converge" in said
    assert "ok=0 changed=0" in said
    assert len(environment.writes()) == before


@pytest.mark.parametrize(
    "args",
    [
        "--skip-tags converge",
        *(pytest.param(args, marks=VARIANT) for args in ("--tags render,converge", "--tags publish,applicationsets")),
    ],
)
def test_parts_of_a_run_change_nothing(environment, args):
    head = environment.git("rev-parse", "main")
    done = environment.site(*args.split())
    assert done.returncode == 0, done.stdout[-3000:]
    assert "changed=0 " in done.stdout
    assert environment.git("rev-parse", "main") == head


def test_another_environment_does_not_get_a_cluster_of_its_own(environment):
    said = message(environment.site("-e", "gitops_environment=staging"), environment, "staging")
    assert f"This cluster serves environment test of file://{environment.folder}/monorepo.git" in said


def test_argo_cd_keeps_its_cache_in_the_redis_that_was_built(environment):
    process = Path("/proc") / (environment.folder / "pids" / "argocd-redis.pid").read_text().strip()
    assert (process / "exe").readlink() == environment.binary("redis")
    port = environment.status["ports"]["argocd-redis"]
    password = base64.b64decode(live(environment, "/api/v1/namespaces/argocd/secrets/argocd-redis")["data"]["auth"])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for words in ([b"AUTH", password], [b"KEYS", b"*"], [b"QUIT"]):
            parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
            connection.sendall(b"*%d\r\n%s" % (len(words), parts))
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    for name in APPLICATIONS:
        assert f"app|managed-resources|{name}|" in answer
    assert "mfst|" in answer


def test_check_mode_shows_the_change_and_writes_nothing(environment):
    head, before = environment.git("rev-parse", "main"), len(environment.writes())
    settings = {"maildev_replicas": 2, "argocd_cm": {"timeout.reconciliation": "200s"}}
    done = environment.site("--check", "--diff", "-e", json.dumps(settings))
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\+ *- \{name: maildev, count: 2\}", done.stdout, re.MULTILINE)
    assert "timeout.reconciliation: 200s" in done.stdout
    assert environment.git("rev-parse", "main") == head
    assert environment.writes()[before:] == []
    check = json.loads((environment.reports / "check.json").read_text())
    assert (check["kind"], check["outcome"]) == ("check", "planned")
    assert "A run would change 1 Application in test." in check["verdict"]
    assert environment.report()["kind"] == "run"


def test_a_changed_variable_is_one_commit_that_argo_cd_runs(environment):
    count = int(environment.git("rev-list", "--count", "main"))
    done = environment.site("-e", "maildev_replicas=2")
    assert done.returncode == 0, done.stdout
    assert int(environment.git("rev-list", "--count", "main")) == count + 1
    assert environment.git("log", "-1", "--format=%s", "main") == "test: update maildev"
    assert application(environment, "maildev")["status"]["sync"]["revision"] == environment.git("rev-parse", "main")
    assert live(environment, "/apis/apps/v1/namespaces/maildev/deployments/maildev")["status"]["availableReplicas"] == 2


def test_the_certificate_of_the_simulated_ca_is_a_real_one(environment):
    secret = live(environment, "/api/v1/namespaces/cert-manager/secrets/selfsigned-ca")
    assert secret["type"] == "kubernetes.io/tls"
    assert {"tls.crt", "tls.key", "ca.crt"} <= secret["data"].keys()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"maildev_image": "registry.invalid/rehearsal-fail:1"}, ["Application maildev", DEPLOYMENT, "Progressing"]),
        ({"maildev_replicas": -1}, ["Application maildev", DEPLOYMENT, "must be greater than or equal to 0"]),
    ],
    ids=["image", "rejected"],
)
def test_a_change_that_breaks_ends_with_application_resource_and_message(environment, variables, words):
    started = time.monotonic()
    done = environment.site("-e", json.dumps(variables | {"gitops_converge_timeout": 20}))
    assert done.returncode != 0
    assert time.monotonic() - started < 300  # and not the 600 s that a wait takes without the variable
    message = done.stdout.replace("\n", " ")
    report = environment.report()
    assert report["succeeded"] is False
    for word in words:
        assert word in report["failure"]["message"], report["failure"]
        assert re.sub(r"\s+", " ", word) in re.sub(r"\s+", " ", message)


def test_the_next_run_repairs_what_was_broken(environment):
    done = environment.site()
    assert done.returncode == 0, done.stdout[-4000:]
    assert live(environment, "/apis/apps/v1/namespaces/maildev/deployments/maildev")["spec"]["replicas"] == 1


def test_a_namespace_that_was_deleted_comes_back(environment):
    status, _item = environment.api().request("DELETE", "/api/v1/namespaces/maildev")
    assert status == 200
    done = environment.site("--tags", "converge")
    assert done.returncode == 0, done.stdout[-4000:]
    assert live(environment, "/apis/apps/v1/namespaces/maildev/deployments/maildev")["status"]["availableReplicas"] == 1


def test_a_changed_setting_of_argo_cd_reaches_its_processes(environment):
    settings = {"argocd_cmd_params": {"controller.status.processors": "7"}}
    environment.set(**settings)
    done = environment.site("--tags", "argocd")
    assert done.returncode == 0, done.stdout[-4000:]
    process = environment.folder / "pids" / "argocd-application-controller.pid"
    variables = open(f"/proc/{process.read_text()}/environ").read().split("\0")  # noqa: PTH123, SIM115
    assert "ARGOCD_APPLICATION_CONTROLLER_STATUS_PROCESSORS=7" in variables
