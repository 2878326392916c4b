# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process of Argo CD is started: as its pod would be, but for addresses, folders and its kubeconfig."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from .running import SCRIPTS, script

SOURCE = SCRIPTS / "launch.py"
COMPONENTS = ("redis", "repo-server", "application-controller", "applicationset-controller", "server")
PORTS = {f"argocd-{name}": 20000 + number for number, name in enumerate(COMPONENTS)} | {
    "argocd-notifications-controller": 20014,
    "argocd-repo-server-metrics": 20010,
    "argocd-server-metrics": 20011,
    "argocd-applicationset-probe": 20012,
    "argocd-applicationset-webhook": 20013,
}
# Answers from files, as an API server would: `get` prints the objects, `create token` a token of the account.
KUBECTL = """\
#!/bin/sh
folder=$(dirname "$0")/..
echo "$*" >> "$folder/kubectl.log"
shift 4
case "$1" in
  get) test -e "$folder/objects.json" || { echo "connection refused" >&2; exit 1; }; cat "$folder/objects.json" ;;
  create) echo "token-of-$3" ;;
esac
"""
# What a component becomes: it says who and where it is.
PROGRAM = """\
#!/bin/sh
printf '%s\\n' "$0" "$@"
echo "--"
env
"""


def item(kind: str, name: str, **more) -> dict:
    return {"kind": kind, "metadata": {"name": name}} | more


def workload(kind: str, name: str, command: list[str], *env: dict) -> dict:
    container = {"name": name, "args": command, "env": [*env]}
    return item(kind, name, spec={"template": {"spec": {"containers": [container]}}})


def reference(name: str, source: str, of: str, key: str, **more) -> dict:
    return {"name": name, "valueFrom": {source: {"name": of, "key": key} | more}}


PASSWORD = reference("REDIS_PASSWORD", "secretKeyRef", "argocd-redis", "auth")
LOG_LEVEL = reference("LOG_LEVEL", "configMapKeyRef", "params", "log.level", optional=True)
OBJECTS = [
    workload("Deployment", "argocd-repo-server", ["/usr/local/bin/argocd-repo-server"], PASSWORD, LOG_LEVEL),
    workload("StatefulSet", "argocd-application-controller", ["argocd-application-controller", "--a"], PASSWORD),
    workload("Deployment", "argocd-applicationset-controller", ["argocd-applicationset-controller"]),
    workload(
        "Deployment",
        "argocd-server",
        ["argocd-server"],
        {"name": "PLAIN", "value": "1"},
        {"name": "EMPTY"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        LOG_LEVEL,
    ),
    item("Secret", "argocd-redis", data={"auth": base64.b64encode(b"hunter2").decode()}),
    item("ConfigMap", "params", data={"log.level": "debug"}),
]


class Cluster:
    """The folder of a rehearsal cluster, and the objects of Argo CD in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "dev", folder
        (folder / "bin").mkdir()
        self.folder.mkdir()
        programs = {"kubectl": KUBECTL} | {f"argocd-{name}": PROGRAM for name in COMPONENTS}
        for name, text in programs.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        config = {
            "ports": PORTS,
            "binaries": str(folder / "bin"),
            "kubeconfig": "/admin",
            "ca": "/ca.crt",
            "server": "https://127.0.0.1:1234",
            "namespace": "delivery",
            "ask_pass_socket": str(folder / "ask.sock"),
        }
        (self.folder / "argocd.json").write_text(json.dumps(config))
        self.apply(OBJECTS)

    def apply(self, objects: list[dict]) -> None:
        (self.home / "objects.json").write_text(json.dumps({"items": objects}))

    def run(self, *words: str, name: str = "launch.py") -> subprocess.CompletedProcess[str]:
        """Run the file under the name of a component, as kwokctl does."""
        program = self.folder / name
        if not program.exists():
            program.symlink_to(SOURCE)
        return subprocess.run(
            [sys.executable, program, *words],
            env=os.environ | {"MINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, component: str) -> tuple[list[str], dict[str, str]]:
        """Return arguments and environment of what a component has become."""
        done = self.run(str(self.folder), name=component)
        assert done.returncode == 0, done.stderr
        arguments, _separator, environment = done.stdout.partition("--\n")
        return arguments.splitlines()[1:], dict(line.split("=", 1) for line in environment.splitlines() if "=" in line)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return Cluster(tmp_path)


@pytest.fixture
def launch():
    return script("launch")


def test_a_component_gets_the_arguments_of_its_pod_and_addresses_of_this_machine(cluster):
    arguments, _environment = cluster.start("argocd-application-controller")
    assert arguments == [
        *("--a", "--repo-server", "127.0.0.1:20001", "--metrics-port", "20002", "--redis", "127.0.0.1:20000"),
        *("--namespace", "delivery"),
    ]
    assert (cluster.home / "kubectl.log").read_text().splitlines()[0] == (
        "--kubeconfig /admin -n delivery get deployments,statefulsets,configmaps,secrets -o json"
    )


def test_everything_listens_on_this_machine_only(cluster, launch):
    launcher = launch.Launcher(cluster.folder)
    for component in ("argocd-repo-server", "argocd-server", "argocd-applicationset-controller"):
        given = launcher.arguments(component)
        options = dict(zip(given[::2], given[1::2], strict=True))
        addresses = [value for name, value in options.items() if name.endswith(("address", "addr"))]
        assert addresses
        assert {address.split(":")[0] for address in addresses} == {"127.0.0.1"}
    assert "--namespace" not in launcher.arguments("argocd-repo-server")


def test_a_component_gets_the_environment_of_its_pod_and_its_own_folders(cluster):
    _arguments, environment = cluster.start("argocd-repo-server")
    assert (environment["REDIS_PASSWORD"], environment["LOG_LEVEL"]) == ("hunter2", "debug")
    assert (environment["MINE"], environment["ARGOCD_FAKE_IN_CLUSTER"]) == ("1", "true")
    data = cluster.folder / "argocd"
    for name in ("HOME", "TMPDIR", "ARGOCD_TLS_DATA_PATH", "ARGOCD_GNUPGHOME"):
        assert Path(environment[name]).is_relative_to(data)
        assert Path(environment[name]).is_dir()
    first, second = environment["PATH"].split(":")[:2]
    assert (first, second) == (str(data / "bin"), str(cluster.home / "bin"))
    assert subprocess.run([data / "bin" / "git-verify-wrapper.sh"], check=False).returncode == 0
    assert "KUBECONFIG" not in environment  # it has no ServiceAccount


def test_a_component_has_the_rights_of_its_own_service_account(cluster):
    _arguments, environment = cluster.start("argocd-server")
    path = Path(environment["KUBECONFIG"])
    config = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert config["users"] == [{"name": "argocd-server", "user": {"token": "token-of-argocd-server"}}]
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:1234",
        "certificate-authority": "/ca.crt",
    }
    assert config["contexts"][0]["context"]["namespace"] == "delivery"


def test_variables_are_what_the_kubelet_makes_of_them(cluster, launch):
    assert launch.Launcher(cluster.folder).pod_environment("argocd-server") == {
        "PLAIN": "1",
        "EMPTY": "",
        "LOG_LEVEL": "debug",
    }
    cluster.apply([entry for entry in OBJECTS if entry["metadata"]["name"] != "params"])
    assert "LOG_LEVEL" not in launch.Launcher(cluster.folder).pod_environment("argocd-server")
    cluster.apply([*OBJECTS[:-2], item("Secret", "argocd-redis")])
    with pytest.raises(launch.NotThereYetError, match=r"^REDIS_PASSWORD: Secret argocd-redis has no key auth\.$"):
        launch.Launcher(cluster.folder).pod_environment("argocd-repo-server")


def test_a_component_waits_for_the_password_and_gives_up_in_the_end(cluster, launch, monkeypatch):
    cluster.apply(OBJECTS[:-2])
    launcher = launch.Launcher(cluster.folder)
    clock, pauses = iter([0, 1, launch.SECRET_SECONDS + 1]), []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(launch, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=sleep))
    with pytest.raises(SystemExit) as error:
        launcher.await_references("argocd-repo-server")
    assert (str(error.value), len(pauses)) == ("REDIS_PASSWORD: Secret argocd-redis has no key auth.", 1)

    clock = iter([0, 1])
    monkeypatch.setattr(launch.time, "sleep", lambda _seconds: cluster.apply(OBJECTS))
    launcher.await_references("argocd-repo-server")
    assert launcher.pod_environment("argocd-repo-server")["REDIS_PASSWORD"] == "hunter2"


def outdated(cluster: Cluster) -> list[str]:
    return json.loads(cluster.run("--outdated", str(cluster.folder)).stdout)


def test_only_what_runs_with_another_configuration_is_outdated(cluster):
    assert outdated(cluster) == []
    for component in ("argocd-repo-server", "argocd-server", "argocd-application-controller"):
        cluster.start(component)
    assert outdated(cluster) == []
    cluster.apply([*OBJECTS[:-1], item("ConfigMap", "params", data={"log.level": "info"})])
    assert outdated(cluster) == ["argocd-repo-server", "argocd-server"]
    cluster.start("argocd-repo-server")
    assert outdated(cluster) == ["argocd-server"]
    # Argo CD was removed and installed again: Redis makes the password when it starts.
    cluster.apply([*OBJECTS[:-2], item("Secret", "argocd-redis"), OBJECTS[-1]])
    assert "argocd-repo-server" in outdated(cluster)
    marks = [path.read_text() for path in (cluster.folder / "argocd").glob("*.fingerprint")]
    assert not [mark for mark in marks if "hunter2" in mark or len(mark) != 64]


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([], "argocd-server: Argo CD is not installed yet, there is no Deployment argocd-server."),
        (None, "kubectl get: connection refused"),
    ],
)
def test_a_cluster_without_argocd_is_named(cluster, objects, message):
    if objects is None:
        (cluster.home / "objects.json").unlink()
    else:
        cluster.apply(objects)
    done = cluster.run(str(cluster.folder), name="argocd-server")
    assert (done.returncode, done.stderr.strip()) == (1, message)


def test_redis_needs_its_password(cluster):
    (cluster.home / "bin" / "argocd").write_text("#!/bin/sh\necho no rights >&2\nexit 1\n")
    (cluster.home / "bin" / "argocd").chmod(0o755)
    cluster.apply(OBJECTS[:-2])
    done = cluster.run(str(cluster.folder), name="argocd-redis")
    message = "argocd-redis: the Secret argocd-redis could not be made: no rights"
    assert (done.returncode, done.stderr.strip()) == (1, message)


def test_redis_listens_on_its_port_with_the_password_of_the_secret(cluster):
    for name, text in {"argocd": "#!/bin/sh\n", "redis": PROGRAM}.items():
        (cluster.home / "bin" / name).write_text(text)
        (cluster.home / "bin" / name).chmod(0o755)
    arguments, environment = cluster.start("argocd-redis")
    assert arguments == []
    assert (environment["REDIS_ADDRESS"], environment["REDIS_PASSWORD"]) == ("127.0.0.1:20000", "hunter2")
    assert outdated(cluster) == []
    # Only a start of Redis makes a Secret again that somebody deleted.
    cluster.apply(OBJECTS[:-2])
    assert outdated(cluster) == ["argocd-redis"]
