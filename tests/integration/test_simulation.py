# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Stages write in place of operators, on a rehearsal cluster without Argo CD.

All objects are created at once and watched together, so that the 20 seconds of `slow` are spent once. The real CRDs
judge the Stages when GITOPS_UPSTREAM_MIRROR is a folder, permissive stand-ins take their place otherwise.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError, group_path
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.stages import stages_in
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.upstream import stand_in
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from kubernetes import config, dynamic
from tear_down import remove, torn_down

from .conftest import MIRROR, ROOT

REFLECTOR = "reflector.v1.k8s.emberstack.com"
NIGHTLY = {"metadata": {"name": "nightly", "namespace": "one"}}
CLUSTER_SCOPED = ("ClusterIssuer", "ClusterSecretStore", "GatewayClass")
SIMULATE = "rehearsal.monorepo.gitops/simulate"
STAGES = sorted(ROOT.glob("roles/*/files/stages/*.yaml"))
# A spec per kind, and its states: at first, in the end, when told to fail, and when it flaps where that differs.
KINDS = yaml.safe_load("""
Issuer: &issuer
  version: cert-manager.io/v1
  spec: {selfSigned: {}}
  states: [Ready=Unknown, Ready=True, Ready=False]
ClusterIssuer: *issuer
Certificate:
  version: cert-manager.io/v1
  spec:
    secretName: NAME
    dnsNames: [a.example, b.example]
    issuerRef: {name: ca}
    secretTemplate: {labels: {cnpg.io/reload: "true"}}
  states: [Ready=False Issuing=True, Ready=True, Ready=False]
SecretStore: &store
  version: external-secrets.io/v1
  spec: {provider: {fake: {data: [{key: a, value: b}]}}}
  states: [Ready=Unknown, Ready=True, Ready=False]
ClusterSecretStore: *store
ExternalSecret:
  version: external-secrets.io/v1
  spec:
    refreshPolicy: CreatedOnce
    target:
      name: NAME
      creationPolicy: Orphan
      template:
        type: kubernetes.io/basic-auth
        metadata: {labels: {cnpg.io/reload: "true"}}
        data: {username: admin, password: "{{ .password }}", uri: "pg://admin:{{ .password | urlquery }}@db"}
    dataFrom:
      - sourceRef: &password
          generatorRef: {apiVersion: generators.external-secrets.io/v1alpha1, kind: ClusterGenerator, name: long}
  states: [Ready=Unknown, Ready=True, Ready=False]
Cluster:
  version: postgresql.cnpg.io/v1
  spec: {instances: 2, enableSuperuserAccess: true, storage: {size: 1Gi}}
  states: [Setting up primary, Cluster in healthy state, Waiting for user action, Failing over]
Database:
  version: postgresql.cnpg.io/v1
  spec: {name: app, owner: app, cluster: {name: cluster-good}}
  states: [applied=False old, applied=True, applied=False]
Backup:
  version: postgresql.cnpg.io/v1
  spec: {cluster: {name: cluster-good}}
  states: [running, completed, failed]
Pooler:
  version: postgresql.cnpg.io/v1
  spec: {cluster: {name: cluster-good}, pgbouncer: {poolMode: session}}
  states: [inactive, active, failed]
Kafka:
  version: kafka.strimzi.io/v1beta2
  spec:
    kafka:
      template: {clusterCaCert: {metadata: {annotations: {example.com/a: b}, labels: {example.com/c: d}}}}
      listeners:
        - {name: plain, port: 9092, type: internal, tls: false}
        - {name: external, port: 9094, type: cluster-ip, tls: true}
  states: [NotReady=True Creating, Ready=True, NotReady=True FatalProblem]
KafkaNodePool:
  version: kafka.strimzi.io/v1beta2
  spec: {replicas: 2, roles: [controller, broker], storage: {type: ephemeral}}
  states: [observed, "nodes=[0, 1]", NotReady=True FatalProblem]
KafkaConnect:
  version: kafka.strimzi.io/v1beta2
  spec: {bootstrapServers: "kafka:9092", replicas: 1}
  states: &kafka [observed, Ready=True, NotReady=True FatalProblem]
KafkaConnector:
  version: kafka.strimzi.io/v1beta2
  spec: {class: example.Sink, tasksMax: 1}
  states: *kafka
KafkaTopic:
  version: kafka.strimzi.io/v1beta2
  spec: {partitions: 1, replicas: 1}
  states: *kafka
KafkaUser:
  version: kafka.strimzi.io/v1beta2
  spec: {authentication: {type: tls}}
  states: *kafka
GatewayClass:
  version: gateway.networking.k8s.io/v1
  spec: {controllerName: io.cilium/gateway-controller}
  states: [Accepted=Unknown, Accepted=True, Accepted=False]
Gateway:
  version: gateway.networking.k8s.io/v1
  spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}
  states: [Accepted=Unknown Programmed=Unknown, Accepted=True Programmed=True, Accepted=False Programmed=False]
HTTPRoute: &route
  version: gateway.networking.k8s.io/v1
  spec: {parentRefs: [{name: gateway}], hostnames: [a.example], rules: [{backendRefs: [{name: backend, port: 80}]}]}
  states: [ResolvedRefs=Unknown old, ResolvedRefs=True, ResolvedRefs=False]
GRPCRoute: *route
TLSRoute:
  version: gateway.networking.k8s.io/v1alpha2
  spec: {parentRefs: [{name: gateway}], hostnames: [a.example], rules: [{backendRefs: [{name: backend, port: 80}]}]}
  states: [ResolvedRefs=Unknown old, ResolvedRefs=True, ResolvedRefs=False]
""")
MORE = """
apiVersion: v1
kind: Namespace
metadata: {name: one}
---
apiVersion: v1
kind: Namespace
metadata: {name: two}
---
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: one}
spec: {ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: without-backend, namespace: one}
spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: backend, port: 80}, {name: late, port: 80}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: redirect, namespace: one}
spec:
  parentRefs: [{name: gateway}]
  rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: ca, namespace: one}
spec:
  isCA: true
  commonName: Example CA
  secretName: ca
  issuerRef: {name: bootstrap, kind: ClusterIssuer}
  secretTemplate:
    annotations:
      reflector.v1.k8s.emberstack.com/reflection-allowed: "true"
      reflector.v1.k8s.emberstack.com/reflection-auto-enabled: "true"
      reflector.v1.k8s.emberstack.com/reflection-auto-namespaces: one, two,three
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: from-store, namespace: one}
spec:
  secretStoreRef: {name: store, kind: ClusterSecretStore}
  data: [{secretKey: username, remoteRef: {key: a}}, {secretKey: password, remoteRef: {key: a}}]
---
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaUser
metadata: {name: scram, namespace: one, labels: {strimzi.io/cluster: kafka-good}}
spec: {authentication: {type: scram-sha-512}}
---
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: {name: nightly, namespace: one}
spec: {cluster: {name: cluster-good}, schedule: 0 0 0 * * *}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: fast, namespace: one}
spec: {storageClassName: fast-ssd, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: default, namespace: one}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: fails, namespace: one, annotations: {rehearsal.monorepo.gitops/simulate: fail}}
spec: {storageClassName: fast-ssd, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def simulated_kinds():
    """Return what the roles say of the kinds that their Stages simulate."""
    references = [stage["spec"]["resourceRef"] for stage in stages_in([path.read_text() for path in STAGES])]
    simulated = {(reference["apiGroup"].split("/")[0], reference["kind"]) for reference in references}
    roles = [yaml.safe_load(path.read_text()) for path in ROOT.glob("roles/*/vars/main.yml")]
    # Official files are described in `upstream` of a component, or in a variable of their own.
    values = [value for role in roles for value in role.values() if isinstance(value, dict)]
    files = [value.get("upstream", value) for value in values]
    known = [kind for file in files for kind in file.get("kinds", [])]
    return [kind for kind in known if (kind["group"], kind["kind"]) in simulated]


def simulated_crds():
    """Return the CRDs of the simulated kinds as text: the real ones of the mirror, or stand-ins."""
    kinds = simulated_kinds()
    if not Path(MIRROR or "/nowhere").is_dir():
        return yaml.safe_dump_all(stand_in({"kinds": kinds}, ""))
    names = {f"{kind['plural']}.{kind['group']}" for kind in kinds}
    documents = [text for path in Path(MIRROR).rglob("*.yaml") for text in re.split("(?m)^---\n", path.read_text())]
    crds = [text for text in documents if re.search("(?m)^kind: CustomResourceDefinition$", text)]
    return "---\n".join(text for text in crds if re.search('(?m)^  name: "?([^"\n]+)', text)[1] in names)


def named(kind, variant):
    """Return the object of a kind that is told to fail, to be slow, to flap, or nothing (`good`)."""
    name = f"{kind.lower()}-{variant}"
    metadata = {"name": name, "namespace": "one", "labels": {"strimzi.io/cluster": "kafka-good"}}
    if variant != "good":
        metadata["annotations"] = {SIMULATE: variant}
    if kind in CLUSTER_SCOPED:
        del metadata["namespace"]
    spec = json.loads(json.dumps(KINDS[kind]["spec"]).replace("NAME", name))
    return {"apiVersion": KINDS[kind]["version"], "kind": kind, "metadata": metadata, "spec": spec}


def state(item):
    """Return what the status says, in short."""
    status, generation = item.get("status"), item["metadata"].get("generation")
    if not status:
        return "new"
    if "phase" in status:
        return status["phase"]
    if "applied" in status:
        return f"applied={status['applied']}" + ("" if status.get("observedGeneration") == generation else " old")
    if "parents" in status:
        refs = status["parents"][0]["conditions"][0]
        return f"{refs['type']}={refs['status']}" + ("" if refs["observedGeneration"] == generation else " old")
    conditions = status.get("conditions") or []
    told = " ".join(f"{one['type']}={one['status']}" for one in conditions)
    if told.startswith("NotReady"):
        return f"{told} {conditions[0]['reason']}"
    return told or (f"nodes={status['nodeIds']}" if status.get("nodeIds") else "observed")


class Simulation:
    """A cluster with the Stages, and the history of each object's states."""

    def __init__(self, folder):
        build = ROOT / "roles/rehearsal_cluster/files/build.py"
        built = subprocess.run([sys.executable, build], check=True, capture_output=True, text=True).stdout.split()[-1]
        launcher = str(ROOT / "roles/rehearsal_cluster/files/launch.py")
        self.cluster = RehearsalCluster("simulation", str(folder), built, launcher, "argocd")
        self.folder, self.history = folder, {}

    def start(self):
        self.cluster.start(STAGES, ["fast-ssd"])
        self.apply(simulated_crds())
        self.cluster.programs.kubectl("wait", "--for=condition=Established", "crd", "--all")
        self.api = Api(
            dynamic.DynamicClient(config.new_client_from_config(str(self.cluster.paths.kubeconfig))), retries=0
        )
        for kind in simulated_kinds():
            if kind["kind"] in KINDS:
                path = f"{group_path(KINDS[kind['kind']]['version'])}/{kind['plural']}"
                self.wait(20, lambda path=path: self.served(path))
                threading.Thread(target=self.watch, args=(path,), daemon=True).start()

    def served(self, path):
        """Return whether a kind is served: a moment after its CRD is established."""
        with contextlib.suppress(GitopsError):
            return self.api.request("GET", path)[0] == 200

    def apply(self, text):
        path = self.folder / "objects.yaml"
        path.write_text(text)
        # Validation by the client would read the description of all kinds again after every CRD.
        self.cluster.programs.kubectl("apply", "--server-side", "--validate=false", "-f", path)

    def watch(self, path):
        with contextlib.suppress(UnavailableError):  # the end of the cluster
            for event in self.api.stream(path, {"watch": "true"}, 300):
                self.remember(event["object"])

    def remember(self, item):
        states, now = self.history.setdefault(item["metadata"]["name"], []), state(item)
        if not states or states[-1][1] != now:
            states.append((time.monotonic(), now))

    def change(self, kind, name, spec):
        path = self.api.path(
            {"apiVersion": KINDS[kind]["version"], "kind": kind} | {"metadata": {"name": name, "namespace": "one"}}
        )
        assert self.api.request("PATCH", path, body={"spec": spec})[0] == 200

    def states(self, kind, variant):
        return [now for _when, now in self.history.get(f"{kind.lower()}-{variant}", [])]

    def wait(self, seconds, condition):
        """Wait for a condition; the tests tell what was missing."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.2)

    def get(self, kind, name, namespace="one"):
        item = {"apiVersion": KINDS.get(kind, {}).get("version", "v1"), "kind": kind}
        status, found = self.api.request(
            "GET", self.api.path(item | {"metadata": {"name": name, "namespace": namespace}})
        )
        return found if status == 200 else None

    def data(self, name, namespace="one"):
        data = self.get("Secret", name, namespace)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}


def goes_through(states, *wanted):
    """Return whether the wanted states occur in this order."""
    rest = iter(states)
    return all(one in rest for one in wanted)


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    """Create everything, let it run, take the annotations away, and let it run again."""
    run = Simulation(tmp_path_factory.mktemp("simulation"))
    with torn_down(lambda: remove(run.cluster)):
        run.start()
        objects = [named(kind, variant) for kind in KINDS for variant in ("good", "fail", "slow", "flap")]
        run.apply("---\n".join([MORE, yaml.safe_dump_all(objects)]))
        run.wait(
            25,
            lambda: all(
                goes_through(run.states(kind, "flap"), spec["states"][1], spec["states"][-1], spec["states"][1])
                and spec["states"][2] in run.states(kind, "fail")
                for kind, spec in KINDS.items()
            ),
        )
        run.late_route = run.get("HTTPRoute", "without-backend")
        run.passwords = {name: run.data(name) for name in ("externalsecret-good", "cluster-good-app")}
        run.before = {kind: run.states(kind, "fail") for kind in KINDS}
        run.certificate = run.data("certificate-good")
        run.apply("""
            apiVersion: v1
            kind: List
            items:
              - {apiVersion: v1, kind: Namespace, metadata: {name: three}}
              - apiVersion: v1
                kind: Service
                metadata: {name: late, namespace: one}
                spec: {ports: [{port: 80}]}
        """)
        healed = yaml.safe_dump_all([named(kind, variant) for kind in KINDS for variant in ("fail", "flap")])
        (run.folder / "healed.yaml").write_text(healed)
        run.cluster.programs.kubectl("annotate", "-f", run.folder / "healed.yaml", f"{SIMULATE}-")
        run.healed = time.monotonic()
        run.change("Cluster", "cluster-good", {"instances": 3})
        run.change("Certificate", "certificate-good", {"dnsNames": ["c.example"]})
        run.change("ExternalSecret", "externalsecret-good", {"refreshInterval": "2h"})
        run.wait(
            30,
            lambda: all(
                run.states(kind, variant)[-1] == spec["states"][1]
                for kind, spec in KINDS.items()
                for variant in ("good", "fail", "slow", "flap")
            ),
        )
        yield run


@pytest.mark.parametrize("kind", KINDS)
def test_becomes_ready_through_an_intermediate_state(simulation, kind):
    first, ready, *others = KINDS[kind]["states"]
    states = simulation.states(kind, "good")
    assert goes_through(states, first, ready)
    assert states[-1] == ready
    assert not set(others) - {first} & set(states)


@pytest.mark.parametrize("kind", KINDS)
def test_fails_when_told_to_and_recovers_when_the_annotation_goes(simulation, kind):
    _first, ready, failed, *_flapped = KINDS[kind]["states"]
    assert simulation.before[kind][-1] == failed
    assert ready not in simulation.before[kind]
    assert simulation.states(kind, "fail")[-1] == ready


@pytest.mark.parametrize("kind", KINDS)
def test_flaps_when_told_to_and_settles_when_the_annotation_goes(simulation, kind):
    _first, ready, *_failed, flapped = KINDS[kind]["states"]
    history = simulation.history[f"{kind.lower()}-flap"]
    assert goes_through([now for _when, now in history], ready, flapped, ready)
    assert history[-1][1] == ready
    assert history[-1][0] < simulation.healed + 6


@pytest.mark.parametrize("kind", KINDS)
def test_slow_takes_20_seconds(simulation, kind):
    history = simulation.history[f"{kind.lower()}-slow"]
    assert history[-1][1] == KINDS[kind]["states"][1]
    assert 19 < history[-1][0] - history[0][0] < 30


def signed(leaf, authority):
    certificate = x509.load_pem_x509_certificate(leaf.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    return certificate


def test_a_certificate_is_signed_and_fits_its_key(simulation):
    data = simulation.data("certificate-good")
    certificate = signed(data["tls.crt"], data["ca.crt"])
    assert load_pem_private_key(data["tls.key"].encode(), None).public_key() == certificate.public_key()
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == ["c.example"]
    assert data["tls.crt"] != simulation.certificate["tls.crt"]
    signed(data["tls.crt"], simulation.certificate["ca.crt"])  # one CA for the cluster
    assert simulation.get("Secret", "certificate-good")["metadata"]["labels"] == {"cnpg.io/reload": "true"}
    assert simulation.get("Certificate", "certificate-good")["status"]["revision"] == 2


def test_a_ca_is_self_signed(simulation):
    data = simulation.data("ca")
    certificate = signed(data["tls.crt"], data["ca.crt"])
    assert certificate.subject == certificate.issuer
    assert certificate.subject.rfc4514_string() == "CN=Example CA"
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_external_secret_gets_what_its_template_says(simulation):
    secret, data = simulation.get("Secret", "externalsecret-good"), simulation.data("externalsecret-good")
    assert secret["type"] == "kubernetes.io/basic-auth"
    assert secret["metadata"]["labels"]["cnpg.io/reload"] == "true"
    assert re.fullmatch("[A-Za-z0-9]{64}", data["password"])
    assert data | {"password": ""} == {"username": "admin", "password": "", "uri": f"pg://admin:{data['password']}@db"}
    assert simulation.data("externalsecret-slow")["password"] != data["password"]
    assert simulation.data("from-store").keys() == {"username", "password"}


def test_a_secret_that_is_created_once_never_changes(simulation):
    item = simulation.get("ExternalSecret", "externalsecret-good")
    assert item["metadata"]["generation"] == 2
    assert simulation.data("externalsecret-good") == simulation.passwords["externalsecret-good"]
    simulation.cluster.programs.kubectl("delete", "externalsecret", "externalsecret-good", "-n", "one")
    simulation.history.pop("externalsecret-good")
    simulation.apply(yaml.safe_dump(named("ExternalSecret", "good")))
    simulation.wait(10, lambda: simulation.states("ExternalSecret", "good")[-1:] == ["Ready=True"])
    assert simulation.states("ExternalSecret", "good")[-1] == "Ready=True"
    assert simulation.data("externalsecret-good") == simulation.passwords["externalsecret-good"]


def test_a_database_cluster_has_services_and_secrets_and_grows(simulation):
    assert all(simulation.get("Service", f"cluster-good-{role}") for role in ("rw", "ro", "r"))
    data = simulation.data("cluster-good-app")
    assert data == simulation.passwords["cluster-good-app"]
    assert data["uri"] == f"postgresql://app:{data['password']}@cluster-good-rw.one:5432/app"
    assert simulation.data("cluster-good-superuser")["username"] == "postgres"
    healthy, replica = "Cluster in healthy state", "Creating a new replica"
    assert goes_through(simulation.states("Cluster", "good"), "Setting up primary", replica, healthy, replica, healthy)
    assert simulation.get("Cluster", "cluster-good")["status"]["readyInstances"] == 3
    path = simulation.api.path({"apiVersion": "postgresql.cnpg.io/v1", "kind": "ScheduledBackup"} | NIGHTLY)
    assert simulation.api.request("GET", path)[1]["status"]["nextScheduleTime"]


def test_kafka_has_services_and_clients_trust_its_ca(simulation):
    ports = {
        name: [port["port"] for port in simulation.get("Service", f"kafka-good-{name}")["spec"]["ports"]]
        for name in ("kafka-bootstrap", "kafka-external-bootstrap", "kafka-brokers", "kafkanodepool-good-1")
    }
    assert ports == {
        "kafka-bootstrap": [9091, 9092],
        "kafka-external-bootstrap": [9094],
        "kafka-brokers": [9091],
        "kafkanodepool-good-1": [9094],
    }
    assert simulation.get("Service", "kafka-good-kafkanodepool-good-2") is None
    metadata = simulation.get("Secret", "kafka-good-cluster-ca-cert")["metadata"]
    assert metadata["annotations"]["example.com/a"] == "b"
    assert metadata["labels"]["example.com/c"] == "d"
    user = simulation.data("kafkauser-good")
    assert user.keys() == {"ca.crt", "user.crt", "user.key"}
    signed(user["user.crt"], simulation.data("kafka-good-clients-ca-cert")["ca.crt"])
    scram = simulation.data("scram")
    assert f'password="{scram["password"]}"' in scram["sasl.jaas.config"]
    assert simulation.get("Service", "kafkaconnect-good-connect-api")["spec"]["ports"][0]["port"] == 8083


def test_a_route_waits_for_its_backend(simulation):
    assert simulation.late_route["status"]["parents"][0]["conditions"][0]["reason"] == "BackendNotFound"
    history = simulation.history["without-backend"]
    assert [now for _when, now in history] == [
        "new",
        "ResolvedRefs=Unknown old",
        "ResolvedRefs=False",
        "ResolvedRefs=True",
    ]
    assert history[-1][0] < simulation.healed + 3
    assert simulation.history["redirect"][-1][1] == "ResolvedRefs=True"


def test_a_secret_is_reflected_and_followed(simulation):
    simulation.wait(20, lambda: simulation.get("Secret", "ca", "three"))
    for namespace in ("two", "three"):
        assert simulation.data("ca", namespace) == simulation.data("ca")
        annotations = simulation.get("Secret", "ca", namespace)["metadata"]["annotations"]
        assert annotations[f"{REFLECTOR}/reflects"] == "one/ca"
    before = simulation.data("ca")
    simulation.change("Certificate", "ca", {"commonName": "Other CA"})
    simulation.wait(10, lambda: before not in (simulation.data("ca"), simulation.data("ca", "three")))
    assert before != simulation.data("ca") == simulation.data("ca", "two") == simulation.data("ca", "three")


def test_volumes_of_any_class_are_bound_and_removed(simulation):
    claims = {name: simulation.get("PersistentVolumeClaim", name) for name in ("fast", "default", "fails")}
    assert {name: claim["status"]["phase"] for name, claim in claims.items()} == {
        "fast": "Bound",
        "default": "Bound",
        "fails": "Pending",
    }
    # As the provisioner of a class that exists.
    events = simulation.api.request("GET", "/api/v1/namespaces/one/events")[1]["items"]
    about = {(event["involvedObject"]["name"], event["reason"]) for event in events}
    assert not about & {("fast", "ProvisioningFailed"), ("fails", "ProvisioningFailed")}
    assert ("fails", "ExternalProvisioning") in about
    volume = claims["fast"]["spec"]["volumeName"]
    simulation.cluster.programs.kubectl("delete", "persistentvolumeclaim", "fast", "-n", "one")
    simulation.wait(10, lambda: simulation.get("PersistentVolume", volume) is None)
    assert simulation.get("PersistentVolume", volume) is None
