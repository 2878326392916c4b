# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventories render to. No cluster is needed, and what only a real one refuses can be held against it."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
import yaml

from .conftest import ROOT
from .overlays import build, run


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    return build(tmp_path_factory.mktemp("dev"), "dev")


@pytest.fixture(scope="module")
def prod(tmp_path_factory):
    return build(tmp_path_factory.mktemp("prod"), "prod")


# --- variables that are set with -e are strings --------------------------------------------------------------------

# Those whose default is computed.
COMPUTED = {
    "argocd_min_ready_seconds": 10,
    "argocd_rollout_timeout": 300,
    "argocd_ui_route": True,
    "gateway_tls": False,
    "kafka_ui_connect_enabled": True,
}
# Not of what is rendered, or set by the test itself.
LEFT_OUT = {"component_rehearsal", "gitops_converge_timeout", "gitops_degraded_timeout", "gitops_repo_rehearsal"}


def numbers_and_booleans():
    """Return every number and boolean of every role with its default."""
    found = dict(COMPUTED)
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        for spec in yaml.safe_load(path.read_text())["argument_specs"].values():
            for name, option in spec["options"].items():
                if option["type"] in ("int", "float", "bool") and name not in {*LEFT_OUT, *found}:
                    found[name] = option["default"]
    return found


def as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def other(name, value):
    """Return another value than the default that goes with the other ones."""
    if isinstance(value, bool):
        return not value
    return {"common_synchronous_replicas": 1, "temporal_history_shards": 8}.get(name, value + 1)


@pytest.mark.parametrize("values", ["default", "other"])
def test_numbers_and_booleans_may_be_strings(tmp_path, values):
    variables, needed = numbers_and_booleans(), {}
    assert len(variables) > 30
    if values == "other":
        variables = {name: other(name, value) for name, value in variables.items()}
        # Somebody must be able to log in without admin.
        needed = {"temporal_mode": "server", "argocd_cm": {"accounts.alice": "login"}}
    typed = build(tmp_path / "typed", "dev", **variables, **needed)
    texts = build(tmp_path / "texts", "dev", **{name: as_text(value) for name, value in variables.items()}, **needed)
    assert texts.plan == typed.plan
    assert texts.objects == typed.objects
    here, there = typed.files(), texts.files()
    assert len(here) > 30
    assert {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)} == set()


def test_an_error_is_said_once(tmp_path):
    """Ansible appends the causes of an exception to its message, which has them already."""
    done = run(tmp_path, "dev", component_stand_in="never", gitops_upstream_mirror=str(tmp_path / "empty"))
    (line,) = [line for line in done.stdout.splitlines() + done.stderr.splitlines() if line.startswith("[ERROR]")]
    assert line.count("cannot be read") == 1, line


def test_a_number_that_does_not_fit_is_refused_as_a_string_too(tmp_path):
    done = run(tmp_path, "dev", common_instances="2", common_synchronous_replicas="2")
    assert done.returncode != 0
    assert "common_synchronous_replicas is 2 and common_instances 2: it must be lower" in done.stdout


# --- production ----------------------------------------------------------------------------------------------------


def published(overlays):
    """Return the host names of all routes."""
    items = [item for objects in overlays.objects.values() for item in objects if item["kind"].endswith("Route")]
    return {host for item in items for host in item["spec"].get("hostnames", [])}


def warnings(overlays):
    return [text for entry in overlays.plan.values() for text in entry["warnings"]]


def test_production_publishes_no_interface_of_an_administrator(dev, prod):
    hidden = {"temporal", "temporal-server", "drizzle", "kafka-ui", "maildev"}
    assert {f"{name}.127.0.0.1.nip.io" for name in hidden} <= published(dev)
    assert {host.removesuffix(".prod.example.com") for host in published(prod)} & hidden == set()
    urls = " ".join(endpoint["url"] for entry in prod.plan.values() for endpoint in entry["endpoints"])
    assert not any(f"{name}.prod.example.com" in urls for name in hidden)
    assert "https://api.prod.example.com" in urls
    for name in ("temporal", "kafka-ui"):
        assert "gateway" not in prod.plan[name]["depends_on"]


def test_without_a_route_the_ui_of_temporal_works_over_a_forwarded_port(prod):
    (container,) = prod.one("temporal", "Deployment", "temporal-ui")["spec"]["template"]["spec"]["containers"]
    values = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert values["TEMPORAL_CSRF_COOKIE_INSECURE"] == "true"
    assert "TEMPORAL_CORS_ORIGINS" not in values


def test_production_sends_mail(prod):
    assert "maildev" not in prod.plan
    assert prod.one("common", "ConfigMap", "mailer")["data"]["SMTP_HOST"] == "smtp.example.com"


def test_without_maildev_an_smtp_server_must_be_named(tmp_path):
    done = run(tmp_path, "prod", common_mailer_host="")
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "common_mailer_host is empty, and maildev is not among gitops_components: set it to the SMTP server" in said


def test_what_a_real_cluster_should_not_have_is_a_warning(dev, prod):
    found = warnings(dev)
    assert [text.split(" ")[0] for text in found] == ["The", "Kafka", "maildev", "Temporal's"]
    assert found[0] == (
        "The database is not backed up: set common_backup_enabled, and common_backup_endpoint to storage outside the "
        "cluster."
    )
    assert found[1] == (
        "Kafka lets everybody who reaches kafka.127.0.0.1.nip.io:9094 read, write and delete everything: "
        "set kafka_external_authentication and kafka_users."
    )
    assert found[3].endswith("ask for no login: set temporal_route to false.")
    assert warnings(prod) == [
        "The backups of the database are in the cluster itself (http://minio.minio.svc.cluster.local:9000) and are "
        "lost with it: set common_backup_endpoint to storage outside, or copy the bucket there."
    ]


def test_production_lets_nobody_use_kafka_without_a_login(prod):
    kafka = prod.one("kafka", "Kafka", "kafka-cluster")["spec"]["kafka"]
    assert [entry["authentication"] for entry in kafka["listeners"]] == [{"type": "scram-sha-512"}] * 2
    assert kafka["authorization"] == {"type": "simple", "superUsers": []}
    users = {item["metadata"]["name"]: item["spec"] for item in prod.find("kafka", "KafkaUser")}
    assert users.keys() == {"app", "kafka-connect", "kafka-ui"}
    assert all(user["authentication"] == {"type": "scram-sha-512"} for user in users.values())
    assert all(user["authorization"]["acls"] for user in users.values())


def test_connect_and_kafka_ui_have_users_where_kafka_wants_a_login(dev, prod):
    connect = prod.one("kafka", "KafkaConnect", "kafka-cluster")["spec"]
    assert connect["authentication"] == {
        "type": "scram-sha-512",
        "username": "kafka-connect",
        "passwordSecret": {"secretName": "kafka-connect", "password": "password"},
    }
    allowed = prod.one("kafka", "KafkaUser", "kafka-connect")["spec"]["authorization"]["acls"]
    topics = {acl["resource"]["name"] for acl in allowed if acl["resource"]["type"] == "topic"}
    assert topics == {value for key, value in connect["config"].items() if key.endswith(".storage.topic")}
    assert connect["config"]["group.id"] in {acl["resource"]["name"] for acl in allowed}

    (container,) = prod.one("kafka-ui", "Deployment", "kafka-ui")["spec"]["template"]["spec"]["containers"]
    entries = {entry["name"].removeprefix("KAFKA_CLUSTERS_0_PROPERTIES_"): entry for entry in container["env"]}
    assert entries["SASL_MECHANISM"]["value"] == "SCRAM-SHA-512"
    secret = entries["SASL_JAAS_CONFIG"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": "kafka-ui", "key": "sasl.jaas.config"}
    copied = prod.one("kafka", "KafkaUser", secret["name"])["spec"]["template"]["secret"]["metadata"]["annotations"]
    assert copied["reflector.v1.k8s.emberstack.com/reflection-auto-namespaces"] == prod.plan["kafka-ui"]["namespace"]
    assert "reflector" in prod.plan["kafka-ui"]["depends_on"]

    assert dev.find("kafka", "KafkaUser") == []
    assert "authentication" not in dev.one("kafka", "KafkaConnect", "kafka-cluster")["spec"]


def test_the_certificate_of_kafka_is_copied_only_to_where_it_is_used(dev):
    template = dev.one("kafka", "Kafka", "kafka-cluster")["spec"]["kafka"]["template"]
    annotations = template["clusterCaCert"]["metadata"]["annotations"]
    assert annotations["reflector.v1.k8s.emberstack.com/reflection-auto-namespaces"] == "services"


# --- what a real kubelet refuses -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mounted(tmp_path_factory):
    mount = {"host_path": "/srv/git/monorepo.git", "mount_path": "/mnt/monorepo-template.git"}
    return build(tmp_path_factory.mktemp("mounted"), "dev", argocd_repo_mount=mount)


def test_git_trusts_the_mounted_repository_whoever_owns_it(mounted, tmp_path):
    spec = mounted.one("argocd", "Deployment", "argocd-repo-server")["spec"]["template"]["spec"]
    container = next(entry for entry in spec["containers"] if entry["name"] == "argocd-repo-server")
    mounts = {entry["name"]: entry["mountPath"] for entry in container["volumeMounts"]}
    volumes = {entry["name"]: entry for entry in spec["volumes"]}
    assert volumes["repository"]["hostPath"] == {"path": "/srv/git/monorepo.git", "type": "Directory"}
    assert mounts["repository"] == "/mnt/monorepo-template.git"

    variable = next(entry["value"] for entry in container["env"] if entry["name"] == "GIT_CONFIG_GLOBAL")
    folder, _slash, key = variable.rpartition("/")
    assert mounts["repository-git-config"] == folder
    config = mounted.one("argocd", "ConfigMap", volumes["repository-git-config"]["configMap"]["name"])
    repository, file = tmp_path / "monorepo.git", tmp_path / "gitconfig"
    subprocess.run(["git", "init", "--quiet", "--bare", repository], check=True)
    # Git asks the repository's owner of the server's side as well, as on a node.
    stranger = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    asked = ["git", "ls-remote", f"file://{repository}"]
    refused = subprocess.run(asked, env=stranger, capture_output=True, text=True, check=False)
    assert "dubious ownership" in refused.stderr
    file.write_text(config["data"][key].replace(mounts["repository"], str(repository)))
    subprocess.run(asked, env=stranger | {"GIT_CONFIG_GLOBAL": str(file)}, check=True)


def test_without_a_mount_git_has_no_settings(dev):
    assert dev.find("argocd", "ConfigMap", "repository-git-config") == []


def test_a_pod_of_argo_cd_that_crashes_at_once_replaces_none_that_works(prod):
    """Without a readiness probe a pod is ready as soon as it runs, and its rollout would be over before it crashed."""
    workloads = [*prod.find("argocd", "Deployment"), *prod.find("argocd", "StatefulSet")]
    unprobed = [
        item
        for item in workloads
        if any("readinessProbe" not in entry for entry in item["spec"]["template"]["spec"]["containers"])
    ]
    assert "argocd-dex-server" in [item["metadata"]["name"] for item in unprobed]
    assert {item["metadata"]["name"] for item in unprobed if item["spec"].get("minReadySeconds", 0) < 10} == set()


def test_argo_cd_can_be_updated_on_three_nodes(prod):
    """Pods that must not share a node leave no room for one more when there are as many as nodes."""
    found = {
        item["metadata"]["name"]: item["spec"]
        for item in prod.find("argocd", "Deployment")
        if "requiredDuringSchedulingIgnoredDuringExecution"
        in item["spec"]["template"]["spec"].get("affinity", {}).get("podAntiAffinity", {})
    }
    assert "argocd-redis-ha-haproxy" in found
    for name, spec in found.items():
        assert spec.get("replicas", 1) < 3 or spec["strategy"]["rollingUpdate"] == {
            "maxSurge": 0,
            "maxUnavailable": 1,
        }, name


def test_the_webhook_of_external_secrets_has_time_for_its_certificate(dev):
    webhook = dev.one("external-secrets", "Deployment", "external-secrets-webhook")
    (container,) = webhook["spec"]["template"]["spec"]["containers"]
    probe = container["startupProbe"]
    assert probe["tcpSocket"] == container["livenessProbe"]["tcpSocket"] == {"port": 8081}
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 150


def annotation(item, name):
    return item["metadata"].get("annotations", {}).get(f"argocd.argoproj.io/{name}", "")


def test_the_generator_of_passwords_is_there_before_the_operator_starts(dev):
    """What fails before is tried again after longer and longer pauses."""
    generator = dev.one("external-secrets", "ClusterGenerator", "password-64-length")
    operator = dev.one("external-secrets", "Deployment", "external-secrets")
    assert int(annotation(generator, "sync-wave") or 0) <= int(annotation(operator, "sync-wave") or 0)


def kept(item):
    return {"Prune=false", "Delete=false"} <= set(annotation(item, "sync-options").split(","))


def test_a_certificate_lives_as_long_as_the_database_that_uses_it(dev):
    cluster = dev.one("common", "Cluster", "cnpg-cluster")
    (certificate,) = [
        item
        for item in dev.find("common", "Certificate")
        if item["spec"]["secretName"] == cluster["spec"]["certificates"]["serverTLSSecret"]
    ]
    assert kept(cluster)
    assert kept(certificate)


def test_nothing_is_synced_after_the_database(dev, prod):
    """Argo CD does not wait for the last wave; elsewhere a database that restarts, and is Degraded, fails the sync."""
    for overlays in (dev, prod):
        waves = [int(annotation(item, "sync-wave") or 0) for item in overlays.objects["common"]]
        (cluster,) = overlays.find("common", "Cluster")
        assert max(waves) == int(annotation(cluster, "sync-wave") or 0)


def test_verify_looks_for_every_secret_that_is_made_only_once(dev, prod):
    """Argo CD and the operator stay green when such a Secret is deleted."""
    for overlays in (dev, prod):
        made = {
            (item["metadata"]["namespace"], item["spec"]["target"]["name"])
            for objects in overlays.objects.values()
            for item in objects
            if item["kind"] == "ExternalSecret" and item["spec"]["refreshPolicy"] == "CreatedOnce"
        }
        entries = [entry for component in overlays.plan.values() for entry in component["verify"]]
        checked = {(entry.get("namespace"), entry.get("name")) for entry in entries if entry["kind"] == "Secret"}
        assert made - checked == set()
    assert ("minio", "minio-bucket-cnpg-backups") in made


def test_verify_asks_for_objects_that_are_deployed(dev, prod):
    """Except for what operators make."""
    for overlays in (dev, prod):
        deployed = {
            (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])
            for objects in overlays.objects.values()
            for item in objects
        }
        entries = [entry for component in overlays.plan.values() for entry in component["verify"]]
        asked = {
            (entry["kind"], entry.get("namespace", ""), entry["name"])
            for entry in entries
            if entry["kind"] != "Secret" and "name" in entry and entry.get("required", True)
        }
        assert asked - deployed == set()


# --- small things ----------------------------------------------------------------------------------------------------


def proxies(overlays):
    for component in ("api", "auth"):
        (container,) = overlays.one(component, "Deployment", f"socat-{component}")["spec"]["template"]["spec"][
            "containers"
        ]
        yield container


def test_the_probes_of_a_proxy_do_not_connect_to_its_target(dev):
    for container in proxies(dev):
        for name in ("readinessProbe", "livenessProbe"):
            assert container[name].keys() & {"exec", "tcpSocket", "httpGet", "grpc"} == {"exec"}, container["name"]


def test_the_probes_of_a_proxy_tell_whether_it_listens(dev):
    for container in proxies(dev):
        command = container["readinessProbe"]["exec"]["command"]
        port = container["ports"][0]["containerPort"]
        assert f"TCP4-LISTEN:{port},fork,reuseaddr" in container["args"]
        assert f":{port:04X} " in command[2]
        with socket.socket() as server:
            server.bind(("0.0.0.0", 0))  # noqa: S104  as socat does
            here = [command[2].replace(f"{port:04X}", f"{server.getsockname()[1]:04X}")]
            asked = [*command[:2], *here, *command[3:]]
            assert subprocess.run(asked, check=False).returncode == 1
            server.listen()
            assert subprocess.run(asked, check=False).returncode == 0


def test_the_database_has_connections_for_all_pods_of_temporal(dev, prod):
    """Four services with a pool of 30 each in every pod, and during an update one pod more."""
    for overlays in (dev, prod):
        spec = overlays.one("temporal", "Deployment", "temporal")["spec"]
        surge = 0 if spec.get("strategy", {}).get("type") == "Recreate" else 1
        parameters = overlays.one("common", "Cluster", "cnpg-cluster")["spec"]["postgresql"]["parameters"]
        assert int(parameters["max_connections"]) - (spec["replicas"] + surge) * 120 >= 50
