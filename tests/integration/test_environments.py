# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""inventories/prod rehearsed next to dev, promotion, and Applications that nobody syncs automatically."""

from __future__ import annotations

import re
import shlex
import shutil
import textwrap
import time
from pathlib import Path

import pytest
import yaml

from .conftest import BASE, DEPLOY, Environment, bring_up, carry_out, runbook, temporary, words

PROJECT = "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects/infra"
CONNECT = "/apis/kafka.strimzi.io/v1beta2/namespaces/kafka/kafkaconnects/kafka-cluster"
NOTE = "/api/v1/namespaces/notes/configmaps/optional"
# A component of which an object may leave Git.
NOTES = {
    "base/kustomization.yaml.j2": "resources: [account.yaml]",
    "base/account.yaml.j2": "{apiVersion: v1, kind: ServiceAccount, metadata: {name: notes, namespace: notes}}",
    "overlay/kustomization.yaml.j2": "resources: [../../base{{ ', optional.yaml' if notes_optional else '' }}]",
    "overlay/optional.yaml.j2": "{% if notes_optional %}\n"
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: optional, namespace: notes}, data: {text: hello}}\n"
    "{% endif %}",
}
DEPLOYMENT = "/apis/apps/v1/namespaces/services/deployments/socat-auth"
DATABASE = "/apis/postgresql.cnpg.io/v1/namespaces/services/clusters/cnpg-cluster"
MAILDEV = "/apis/apps/v1/namespaces/maildev/deployments/maildev"


@pytest.fixture(scope="module")
def prod(tmp_path_factory):
    with temporary(Environment(tmp_path_factory.mktemp("prod"), "prod", gitops_environment="prod")) as environment:
        yield bring_up(environment)


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """Return an environment whose cluster several tests use: the first run starts it."""
    with temporary(Environment(tmp_path_factory.mktemp("second"))) as environment:
        yield environment


def test_production_comes_up_in_one_run(prod):
    assert prod.first.returncode == 0, prod.first.stdout[-5000:]
    report = prod.report()
    assert sorted(entry["name"] for entry in report["applications"]) == sorted(prod.components())
    assert {(entry["sync"], entry["health"]) for entry in report["applications"]} == {("Synced", "Healthy")}


def test_production_follows_a_branch_of_its_own(prod):
    assert prod.git("rev-parse", "prod") == prod.git("rev-parse", "main")
    applications = prod.live("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications")["items"]
    assert {entry["spec"]["source"]["targetRevision"] for entry in applications} == {"prod"}


def test_production_is_what_its_inventory_says(prod):
    cluster = prod.live(DATABASE)
    assert cluster["status"]["readyInstances"] == 3
    assert cluster["spec"]["plugins"][0]["name"] == "barman-cloud.cloudnative-pg.io"
    assert prod.live("/apis/postgresql.cnpg.io/v1/namespaces/services/scheduledbackups/cnpg-cluster")
    credentials = prod.live("/api/v1/namespaces/services/secrets/minio-bucket-cnpg-backups")
    assert sorted(credentials["data"]) == ["access-key", "secret-key"]
    containers = prod.live("/apis/apps/v1/namespaces/services/deployments/temporal")["spec"]["template"]["spec"]
    assert containers["containers"][0]["image"].startswith("temporalio/server:")
    gateway = prod.live("/apis/gateway.networking.k8s.io/v1/namespaces/gateway/gateways/cilium-gateway")
    assert [entry["name"] for entry in gateway["status"]["listeners"]] == ["http", "kafka", "https"]
    assert {entry["url"].split(":")[0] for entry in prod.report()["endpoints"] if entry["protocol"] == "HTTP"} == {
        "https"
    }
    assert "failed=0 " in words(prod.playbook("playbooks/verify.yml"))


def test_a_backup_of_the_database_is_made_and_listed(prod):
    listed, made = carry_out(prod, "database_backup")
    assert not re.search(r"cnpg-cluster-\d{14}", listed)
    assert re.search(r"cnpg-cluster-\d{14} .* completed", made)


def test_the_database_is_restored_beside_itself(prod):
    before = prod.live(DATABASE)
    listed, checked, _made = carry_out(prod, "database_restore")
    assert re.search(r"Any state since \S+Z can be restored", listed)
    assert "would have the newest state that was backed up" in checked
    copy = prod.live(f"{DATABASE}-restored")
    assert copy["metadata"]["creationTimestamp"] > before["metadata"]["creationTimestamp"]
    assert copy["status"]["readyInstances"] == 1
    assert "plugins" not in copy["spec"]
    again = runbook("database_restore")[-1]
    assert "changed=0 " in words(prod.playbook(again[1], *again[4:]))
    refused = prod.playbook(again[1], "-e", "new_cluster=cnpg-cluster")
    assert "A restore never writes over a database" in " ".join(refused.stdout.split())
    assert prod.live(DATABASE)["metadata"]["generation"] == before["metadata"]["generation"]


@pytest.mark.long("operate")
def test_the_database_itself_is_restored_by_the_steps_that_the_playbook_prints(prod):
    carry_out(prod, "database_backup")
    before, made = prod.live(DATABASE), carry_out(prod, "database_restore")[-1]
    copy = prod.live(f"{DATABASE}-restored")
    said = textwrap.dedent(
        made[made.index("To restore cnpg-cluster itself") :].partition("\n")[2].partition("PLAY RECAP")[0]
    )
    prod.set(**yaml.safe_load(said.partition("inventory:\n")[2].partition("\n3. ")[0]))
    for command in re.findall(r"^\s*\d\. ((?:ansible-playbook|kubectl) .*)", said, re.MULTILINE):
        program, first, *args = shlex.split(command)
        if program == "kubectl":
            assert (first, *args) == ("delete", "cluster.postgresql.cnpg.io", "-n", "services", "cnpg-cluster")
            assert prod.api().request("DELETE", DATABASE)[0] == 200
        else:
            name = first.removeprefix("monorepo.gitops.")
            answer = words(prod.playbook(f"playbooks/{name}.yml", *args[2:]))
            assert name != "diff" or "recovery:" in answer
    after = prod.live(DATABASE)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["bootstrap"] == copy["spec"]["bootstrap"]
    parameters = after["spec"]["plugins"][0]["parameters"]
    assert re.fullmatch(r"cnpg-cluster-\d{14}", parameters["serverName"])
    assert prod.live(f"{DATABASE}-restored")["metadata"]["uid"] == copy["metadata"]["uid"]
    assert "changed=0 " in words(prod.site())


def test_a_second_run_for_production_changes_nothing(prod):
    assert "changed=0 " in words(prod.site())


def test_a_run_for_dev_changes_no_byte_of_production(prod, second):
    """The repository of dev starts as that of prod; its base is the same, so only the overlays of dev are new.

    What production does not have at all, as maildev, comes with its base.
    """
    head = prod.git("rev-parse", "main")
    words(second.site("--tags", "publish", "-e", f"gitops_repo_url=file://{prod.folder}/monorepo.git"))
    second.find_cluster()
    changed = second.git("diff", "--name-only", head, "main").splitlines()
    assert changed
    own = re.compile(r"argocd/(appsets/test/|(infra|services)/[^/]+/envs/test/)")
    theirs = [name for name in changed if not own.match(name)]
    assert [name for name in theirs if name.split("/")[2] in prod.components()] == []
    assert prod.git("rev-parse", "main") == head


def test_a_change_reaches_production_by_promotion_only(prod):
    before = prod.git("rev-parse", "prod")
    prod.set(auth_replicas=3)
    output = words(prod.site(*DEPLOY))
    assert "prod follows prod, which is 1 commits behind main. Files that would change: 1." in output
    assert prod.git("rev-parse", "prod") == before
    assert prod.live(DEPLOYMENT)["spec"]["replicas"] == 2
    waiting = prod.report()["promotion"]
    assert (waiting["revision"], waiting["branch"], waiting["behind"], len(waiting["files"])) == ("prod", "main", 1, 1)
    assert re.search(r"^\+ *- \{name: socat-auth, count: 3\}$", waiting["difference"], re.MULTILINE)

    look, promote = runbook("promote")
    moment = time.time()
    shown = prod.playbook(look[1], *look[4:])
    said = words(shown)
    assert re.search(r"^\+ *- \{name: socat-auth, count: 3\}", shown.stdout, re.MULTILINE)
    assert "Changed: auth." in said
    assert f"{before[:12]} -> {prod.git('rev-parse', 'main')[:12]}: 1 files" in said
    assert "argocd/services/auth/envs/prod/kustomization.yaml" in said
    page = Path(re.search(r"Report: (\S+\.html)", said)[1])
    assert (page.name, page.stat().st_mtime > moment) == ("check.html", True)
    assert re.search(r"Application +Revision +Sync +Health +Seconds +Reason", shown.stdout)
    assert prod.git("rev-parse", "prod") == before

    done = prod.playbook(promote[1], *promote[4:])
    assert re.search(r"Report: \S+/report\.html", words(done))
    assert re.search(r"Application +Revision +Sync +Health +Seconds +Reason", done.stdout)
    assert prod.git("rev-parse", "prod") == prod.git("rev-parse", "main") != before
    assert prod.live(DEPLOYMENT)["status"]["availableReplicas"] == 3
    report = prod.report()
    assert (report["kind"], report["outcome"], report["promotion"]) == ("promotion", "succeeded", {})
    assert report["timeline"]["published"]
    assert "auth" in [entry["name"] for entry in report["applications"] if entry["times"]["healthy"]]


def test_what_was_published_leaves_production_with_its_promotion(prod):
    """A kind that leaves a component, and a whole component, which a promotion deletes only when it is named."""
    application = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/kafka-ui"
    deployment = "/apis/apps/v1/namespaces/kafka-ui/deployments/kafka-ui"
    kind = {"group": "kafka.strimzi.io", "kind": "KafkaConnect"}
    without = [name for name in prod.components() if name != "kafka-ui"]
    prod.set(kafka_connect_enabled=False, gitops_components=without, gitops_removals=["kafka-ui"])
    words(prod.site())
    assert prod.live(CONNECT) is not None
    assert kind in prod.live(PROJECT)["spec"]["namespaceResourceWhitelist"]
    assert prod.live(application) is not None
    assert prod.live(deployment) is not None

    prod.set(gitops_removals=[])
    done = prod.playbook("playbooks/promote.yml")
    assert done.returncode != 0
    assert "delete components that gitops_components does not have: infra/kafka-ui" in re.sub(r"\s+", " ", done.stdout)
    assert prod.report()["verdict"].startswith("The promotion stopped before it reached the Applications of prod, ")
    assert prod.live(application) is not None
    assert prod.live(CONNECT) is not None

    prod.set(gitops_removals=["infra/kafka-ui"])
    words(prod.playbook("playbooks/promote.yml"))
    assert prod.live(application) is None
    assert prod.live(deployment) is None
    assert prod.live(CONNECT) is None
    words(prod.site())  # the AppProject loses what nothing needs any more
    assert kind not in prod.live(PROJECT)["spec"]["namespaceResourceWhitelist"]

    # Both in one run: what the first one has registered is still there in the second.
    both = prod.inventory.parent / "both.yml"
    both.write_text("\n".join(f"- import_playbook: monorepo.gitops.{name}" for name in ("site", "promote")))
    assert "changed=0 " in words(prod.playbook(str(both)))


def test_applications_without_automated_sync_are_synced_and_pruned_by_a_run(second):
    """A first run, too: the cluster may be there, but Argo CD is not."""
    definition = {"name": "notes", "layer": "infra", "namespace": "notes", "depends_on": []}
    second.set(gitops_components=[*BASE, second.write_component(definition, NOTES)])
    second.set(applicationsets_automated=False, notes_optional=True)
    if second.status:  # a repository of its own, without what another test has published
        for name in ("monorepo.git", "clone"):
            shutil.rmtree(second.folder / name)
    bring_up(second)
    words(second.first)
    policy = second.live("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/maildev")["spec"]["syncPolicy"]
    assert "automated" not in policy
    assert second.live(NOTE)["data"] == {"text": "hello"}
    second.set(maildev_replicas=2, notes_optional=False)
    words(second.site(*DEPLOY))
    assert second.live(MAILDEV)["status"]["availableReplicas"] == 2
    assert second.live(NOTE) is None
    assert second.live("/api/v1/namespaces/notes/serviceaccounts/notes")
    assert "changed=0 " in words(second.site(*DEPLOY))
