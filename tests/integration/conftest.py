# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment on a rehearsal cluster of its own, brought up by site.yml as a user would."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import rights
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster
from kubernetes import config, dynamic
from leaks import Onlooker
from tear_down import assert_gone, cluster_folder, torn_down
from unit.api_server import write_kubeconfig

ROOT = Path(__file__).resolve().parent.parent.parent
# Enough to try the run itself.
BASE = ["gateway", "cert-manager", "maildev"]
MIRROR = os.environ.get("GITOPS_UPSTREAM_MIRROR", "")
# A run without the part `argocd`, which takes a third of its time: for tests that change neither Argo CD nor the kinds
# of the AppProjects.
DEPLOY = ("--tags", "publish,applicationsets,converge")
ARGO = "/apis/argoproj.io/v1alpha1/namespaces/argocd"
# How long the random rounds of `make test-long` go on.
LONG = float(os.environ.get("MINUTES", "45"))
# What the modules of this collection call themselves at the API server; kubectl and the controllers have other names.
OWN_AGENTS = ("python", "OpenAPI-Generator")


class Environment:
    """An inventory in a temporary folder, and the cluster that belongs to it."""

    def __init__(self, folder: Path, source: str = "dev", **variables: Any) -> None:
        self.inventory = folder / "inventories" / "test"
        shutil.copytree(ROOT / "inventories" / source, self.inventory)
        self.set(cluster_kind="rehearsal", gitops_upstream_mirror="", component_stand_in="always")
        self.name = variables.get("gitops_environment", "test")
        self.set(**{"gitops_environment": self.name} | variables)
        self.status: dict[str, Any] = {}
        self.settings: dict[str, str] = {}  # in the environment of every run

    def set(self, **variables: Any) -> None:
        """Set variables of the inventory; they win over those of inventories/dev."""
        path = self.inventory / "group_vars" / "all" / "zz_test.yml"
        present = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump(present | variables))

    def command(self, playbook: str, *args: str) -> dict[str, Any]:
        """Return what subprocess needs to run a playbook of the clone from another folder."""
        program = Path(sys.executable).parent / "ansible-playbook"
        # Collections of a test are next to its inventory.
        collections = f"{self.inventory.parent.parent / 'collections'}:{ROOT / 'collections'}"
        settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": collections}
        return {
            "args": [program, ROOT / playbook, "-i", self.inventory, *args],
            "cwd": self.inventory.parent.parent,
            "env": os.environ | settings | {"ANSIBLE_NOCOLOR": "1"} | self.settings,
        }

    def playbook(self, playbook: str, *args: str, timeout: int = 900) -> subprocess.CompletedProcess[str]:
        """Run a playbook and return what it said."""
        command = self.command(playbook, *args)
        return subprocess.run(**command, capture_output=True, text=True, timeout=timeout, check=False)

    def site(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run site.yml."""
        return self.playbook("site.yml", *args)

    def write_component(self, definition: dict[str, Any], templates: dict[str, str]) -> str:
        """Write a role of another collection, acme.platform, that is a component, and return its name."""
        name = definition["name"]
        tasks = [
            {
                "name": f"Render {name}",
                "ansible.builtin.import_role": {"name": "monorepo.gitops.component"},
                "vars": {"component_definition": f"{{{{ {name}_component }}}}"},
            }
        ]
        files = {
            "vars/main.yml": yaml.safe_dump({f"{name}_component": definition}),
            "tasks/main.yml": yaml.safe_dump(tasks),
        }
        role = self.inventory.parent.parent / "collections/ansible_collections/acme/platform/roles" / name
        for path, content in (files | {f"templates/{path}": text for path, text in templates.items()}).items():
            (role / path).parent.mkdir(parents=True, exist_ok=True)
            (role / path).write_text(content)
        return f"acme.platform.{name}"

    def rehearsal(self, state: str, *components: str) -> dict[str, Any]:
        """Bring the rehearsal cluster into a state and return the module's result."""
        state_dir, launcher = str(self.folder.parent.parent), str(ROOT / "roles/rehearsal_cluster/files/launch.py")
        binaries = Path(json.loads((self.folder / "argocd.json").read_text())["binaries"])
        cluster = RehearsalCluster(self.folder.name, state_dir, str(binaries.parent), launcher, "argocd")
        for component in components:
            cluster.processes.stop(component) if state == "stopped" else cluster.restart(component)
        if state == "argocd_started":
            cluster.start_argocd(60)
        return cluster.processes.status()

    @property
    def folder(self) -> Path:
        """Return the folder of the cluster."""
        return Path(self.status["folder"])

    @property
    def reports(self) -> Path:
        """Return the folder of the report."""
        return self.inventory.parent.parent / "reports" / self.name

    def report(self) -> dict[str, Any]:
        """Return the report of the last run."""
        return json.loads((self.reports / "report.json").read_text())

    def find_cluster(self) -> None:
        """Ask for the cluster's folder and ports, once it is there."""
        done = self.playbook("playbooks/rehearsal.yml", "-e", "rehearsal_cluster_state=present")
        assert done.returncode == 0, done.stdout
        text = done.stdout.split("rehearsal_cluster_status:", 1)[1].split("PLAY RECAP", 1)[0]
        self.status = yaml.safe_load("status:" + text)["status"]
        assert self.folder == cluster_folder(self.inventory.name, self.inventory)

    def api(self) -> Api:
        """Return plain requests to the cluster's API server."""
        return Api(dynamic.DynamicClient(config.new_client_from_config(self.status["kubeconfig"])), retries=0)

    def live(self, path: str) -> dict[str, Any] | None:
        """Return an object of the cluster, or None when it does not exist."""
        status, item = self.api().request("GET", path)
        return None if status == 404 else item

    def components(self) -> list[str]:
        """Return the components of the inventory."""
        folder = self.inventory / "group_vars" / "all"
        settings = [yaml.safe_load((folder / name).read_text()) for name in ("components.yml", "zz_test.yml")]
        return (settings[0] | settings[1])["gitops_components"]

    def git(self, *args: str) -> str:
        """Run git in the published repository."""
        command = ["git", "-C", self.folder / "monorepo.git", *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def git_bytes(self, *args: str) -> bytes:
        """Run git in the published repository and return its output as it is."""
        command = ["git", "-C", self.folder / "monorepo.git", *args]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def binary(self, name: str) -> Path:
        """Return the path of a program of the rehearsal cluster."""
        return Path(json.loads((self.folder / "argocd.json").read_text())["binaries"]) / name

    def writes(self) -> list[str]:
        """Return the writes of the modules that the audit log has, dry runs left out."""
        entries = [json.loads(line) for line in (self.folder / "logs" / "audit.log").read_text().splitlines()]
        return [
            f"{entry['verb']} {entry['requestURI'].split('?')[0]}"
            for entry in entries
            if any(agent in entry.get("userAgent", "") for agent in OWN_AGENTS)
            and "dryRun=All" not in entry["requestURI"]
        ]


Some = TypeVar("Some", bound=Environment)


def numbers(count: int, minutes: float) -> Iterator[int]:
    """Return the numbers of so many rounds, and of more until the minutes are over."""
    end = time.monotonic() + 60 * minutes
    yield from range(count)
    while time.monotonic() < end:
        yield count
        count += 1


def service_account(environment: Environment, path: Path, name: str, given: rights.Rights) -> str:
    """Make a ServiceAccount that has these rights and no others, and return the path of its kubeconfig."""
    api, base = environment.api(), f"/apis/{rights.RBAC}/v1"
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    made: list[tuple[str, dict[str, Any]]] = [(accounts, {})]
    for kind, where, rules in (
        ("Role", f"{base}/namespaces/argocd/", given.here),
        ("ClusterRole", f"{base}/", given.everywhere),
    ):
        role = {"apiGroup": rights.RBAC, "kind": kind, "name": name}
        made += [(f"{where}{kind.lower()}s", {"rules": rules})]
        made += [(f"{where}{kind.lower()}bindings", {"roleRef": role, "subjects": [subject]})]
    for where, item in made:
        body = {"metadata": {"name": name}} | item
        status, found = api.request("POST", where, body=body, content_type="application/json")
        assert status == 201, found
    token = api.request("POST", f"{accounts}/{name}/token", body={"spec": {}}, content_type="application/json")[1]
    admin = yaml.safe_load((environment.folder / "admin.kubeconfig").read_text())
    cluster = dict(admin["clusters"][0]["cluster"])
    return write_kubeconfig(path, cluster.pop("server"), {"token": token["status"]["token"]}, **cluster)


def limited(environment: Environment, folder: Path, module: str) -> str:
    """Return the path of a kubeconfig that has the documented rights of a module and no others."""
    name = f"{folder.name}-{module}".replace("_", "-").lower()
    return service_account(environment, folder / f"{name}.kubeconfig", name, rights.RIGHTS[module])


@contextlib.contextmanager
def acting(environment: Environment, name: str, *modules: str) -> Iterator[None]:
    """Run playbooks with the documented rights of these modules only; the cluster counts as an existing one."""
    path = environment.folder / f"{name}.kubeconfig"
    kubeconfig = str(path) if path.exists() else service_account(environment, path, name, rights.of(*modules))
    settings = environment.inventory / "group_vars" / "all" / "zz_test.yml"
    before = settings.read_text()
    environment.set(**json.loads(existing(environment, cluster_kubeconfig=kubeconfig)[1]))
    try:
        yield
    finally:
        settings.write_text(before)


def make(target, inventory, *args, **variables):
    """Run a target of the Makefile for an inventory. What setup installs is there, because the tests run in it."""
    installed = ["-o", ".venv/.done", "-o", ".venv/.done-dev"]
    command = ["make", *installed, *args, target, f"ENV={os.path.relpath(inventory, ROOT / 'inventories')}"]
    given = os.environ | {"ANSIBLE_NOCOLOR": "1"} | variables
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=120, check=False)


def runbook(page: str, **names: str) -> list[list[str]]:
    """Return the commands of a page of docs/runbooks as words, in their order; names replace those of the page."""
    text = (ROOT / "docs" / "runbooks" / f"{page}.md").read_text()
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert commands, page
    for old, new in names.items():
        name = re.compile(rf"(?<![\w/-]){re.escape(old)}(?![\w-])")
        commands = [[name.sub(new, word) for word in words] for words in commands]
    return commands


def carry_out(environment: Environment, page: str, **names: str) -> list[str]:
    """Run the commands of a page one after the other, and return what each of them said."""
    settings = {"KUBECONFIG": environment.status["kubeconfig"], "KUBECACHEDIR": str(environment.folder / "kubectl")}
    said = []
    for words in runbook(page, **names):
        if words[0] == "export":  # KUBECONFIG=$(make -s kubeconfig)
            continue
        if words[0] == "kubectl":
            command = [environment.binary("kubectl"), *words[1:]]
            done = subprocess.run(
                command, env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False
            )
        else:
            program, playbook, option, inventory, *args = words
            assert (program, option, inventory[:12]) == ("ansible-playbook", "-i", "inventories/"), words
            done = environment.playbook(playbook, *args)
        assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr}"
        said.append(done.stdout)
    return said


def existing(environment, **variables):
    """Return arguments with which a run takes the rehearsal cluster for an existing one, with the same tree."""
    settings = {
        "cluster_kind": "existing",
        "cluster_kubeconfig": environment.status["kubeconfig"],
        "gitops_repo_url": f"file://{environment.folder}/monorepo.git",
        "gitops_kustomize_command": [str(environment.binary("kustomize")), "build"],
        "argocd_manifest_alternatives": [str(environment.binary("../argocd/v3.6.1/install.yaml"))],
        "component_rehearsal": True,
        "argocd_min_ready_seconds": 0,
        "gitops_pod_security": "enforce",  # as in a rehearsal
    }
    return ["-e", json.dumps(settings | variables)]


def message(done, environment, name="test"):
    """Return why a run stopped, from the report of the environment that it ran for."""
    assert done.returncode != 0, done.stdout[-3000:]
    report = json.loads((environment.reports.parent / name / "report.json").read_text())
    return re.sub(r"\s+", " ", report["failure"]["message"])


def words(done):
    assert done.returncode == 0, done.stdout[-5000:]
    return re.sub(r"\s+", " ", done.stdout)


def applications(environment):
    """Return the UIDs of all Applications."""
    items = environment.live(f"{ARGO}/applications")["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


def bring_up(environment: Environment, *args: str) -> Environment:
    """Run site.yml where there is no cluster yet and keep what it said, whether or not it succeeded."""
    environment.first = environment.site(*args)
    environment.find_cluster()
    return environment


def take_down(environment: Environment) -> None:
    """Remove the cluster of an environment, and see that it is gone."""
    done = environment.playbook("playbooks/rehearsal.yml", "-e", "rehearsal_cluster_state=absent")
    assert done.returncode == 0, done.stdout[-3000:]
    assert_gone(cluster_folder(environment.inventory.name, environment.inventory))


@contextlib.contextmanager
def temporary(environment: Some) -> Iterator[Some]:
    """Take down in the end what a fixture brings up, also when that fails."""
    with torn_down(lambda: take_down(environment)):
        yield environment


@pytest.fixture(scope="session")
def test_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Bring up gateway, cert-manager and maildev from nothing with stand-ins; the first run's output is kept."""
    with temporary(Environment(tmp_path_factory.mktemp("environment"), gitops_components=BASE)) as environment:
        bring_up(environment)
        environment.first_commit = environment.git("rev-parse", "main")
        environment.first_reports = {path.name: path.read_text() for path in environment.reports.iterdir()}
        yield environment


@pytest.fixture
def environment(test_environment: Environment) -> Environment:
    """Return the environment after a first run that succeeded."""
    assert test_environment.first.returncode == 0, test_environment.first.stdout[-6000:]
    return test_environment


@pytest.fixture(scope="session")
def complete_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Bring up every component of inventories/dev from nothing with stand-ins, while somebody looks at its files."""
    environment = Environment(tmp_path_factory.mktemp("complete"), minio_storage_class="fast-ssd")
    folder = environment.inventory.parent.parent
    onlooker = Onlooker(folder / "tmp", folder / "seen")
    names = ("TMPDIR", "ANSIBLE_LOCAL_TEMP", "ANSIBLE_REMOTE_TEMP")
    environment.settings = dict.fromkeys(names, str(onlooker.watched))
    with temporary(environment):
        with onlooker:
            bring_up(environment, "-vvv")
        yield environment


@pytest.fixture
def complete(complete_environment: Environment) -> Environment:
    """Return the complete environment after a first run that succeeded."""
    assert complete_environment.first.returncode == 0, complete_environment.first.stdout[-6000:]
    return complete_environment
