# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each run reaches the cluster that the inventory names, whatever kubeconfig and environment say of another one."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT

SHELL = yaml.safe_load((ROOT / "playbooks" / "vars" / "connection.yml").read_text())["ansible_shell_executable"]
VARIABLES = re.findall("-u (\\w+)", SHELL)


class OtherCluster:
    """Listens on loopback and remembers what was sent; as a proxy it also passes it on."""

    def __init__(self, folder):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.received = []
        self.folder = folder
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection = self.listener.accept()[0]
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        data = connection.recv(65536)
        self.received.append(data)
        tunnel = re.match(rb"CONNECT ([^ :]+):(\d+) ", data)
        if not tunnel:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            connection.close()
            return
        server = socket.create_connection((tunnel[1].decode(), int(tunnel[2])))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self._copy, args=(server, connection), daemon=True).start()
        self._copy(connection, server)

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side is gone

    def variables(self):
        """Return each variable of kubernetes.core with a value for this cluster."""
        kubeconfig = self.folder / "other.kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(self.kubeconfig()))
        file = self.folder / "other.pem"
        file.write_text("other")
        special = {
            "HOST": f"http://{self.address}",
            "PROXY": f"http://{self.address}",
            "KUBECONFIG": str(kubeconfig),
            "VERIFY_SSL": "false",
            "VALIDATE_CERTS": "false",
            "PERSIST_CONFIG": "true",
            "NO_PROXY": "127.0.0.1",
            "IMPERSONATE_GROUPS": "nobody,nothing",
        }
        special |= dict.fromkeys(
            ("CA_CERT", "CERT_FILE", "CLIENT_CERT", "CLIENT_KEY", "KEY_FILE", "SSL_CA_CERT"), str(file)
        )
        return {name: special.get(name.removeprefix("K8S_AUTH_"), "other") for name in VARIABLES}

    def kubeconfig(self):
        return {
            "clusters": [{"name": "other", "cluster": {"server": f"http://{self.address}"}}],
            "contexts": [{"name": "other", "context": {"cluster": "other", "user": "other"}}],
            "users": [{"name": "other", "user": {"token": "other"}}],
            "current-context": "other",
        }


@pytest.fixture
def other(tmp_path):
    cluster = OtherCluster(tmp_path)
    yield cluster
    cluster.listener.close()


class Kubeconfig:
    """A copy of the administrator's kubeconfig that a test changes, with the certificates next to it."""

    def __init__(self, folder, source):
        self.folder, self.path = folder, folder / "config"
        self.content = yaml.safe_load(Path(source).read_text())
        self.cluster, self.user = self.content["clusters"][0]["cluster"], self.content["users"][0]["user"]
        self.context = self.content["contexts"][0]["name"]
        self.pem = {}
        for part, key in (
            (self.cluster, "certificate-authority"),
            (self.user, "client-certificate"),
            (self.user, "client-key"),
        ):
            self.pem[key] = Path(part[key]).read_text()
            (folder / key).write_text(self.pem[key])
            part[key] = f"./{key}"

    def write(self):
        self.path.write_text(yaml.safe_dump(self.content))
        return str(self.path)

    def use_plugin(self, script=""):
        """Take the credentials from an exec plugin, which appends its environment to the file seen."""
        status = {"clientCertificateData": self.pem["client-certificate"], "clientKeyData": self.pem["client-key"]}
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        (self.folder / "answer.json").write_text(json.dumps(answer))
        (self.folder / "plugin").write_text(script or "#!/bin/sh\nenv >> seen\nexec cat answer.json\n")
        (self.folder / "plugin").chmod(0o755)
        self.user.clear()
        self.user["exec"] = {"apiVersion": answer["apiVersion"], "command": "./plugin"}

    def seen(self):
        return (self.folder / "seen").read_text()


@pytest.fixture
def kubeconfig(environment, tmp_path):
    (tmp_path / "kube").mkdir()
    return Kubeconfig(tmp_path / "kube", environment.status["kubeconfig"])


def existing(kubeconfig, **variables):
    """Return the arguments for the test cluster as an existing one."""
    return ["-e", json.dumps({"cluster_kind": "existing", "cluster_kubeconfig": kubeconfig.write()} | variables)]


def lists(environment, *args):
    """List the Applications, and return the output."""
    done = environment.playbook("playbooks/status.yml", *args)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert re.search(r"^ *maildev +Synced +Healthy ", done.stdout, re.MULTILINE)
    return done.stdout


def refused(environment, *args, playbook="playbooks/status.yml"):
    """Run a playbook that must fail, and return its output in one line."""
    done = environment.playbook(playbook, *args)
    assert done.returncode != 0, done.stdout
    return re.sub(r"\s+", " ", done.stdout + done.stderr)


@pytest.mark.parametrize(
    "names", [VARIABLES, *(pytest.param([name], marks=pytest.mark.long("connection"), id=name) for name in VARIABLES)]
)
def test_a_variable_for_another_cluster_has_no_effect(environment, kubeconfig, other, monkeypatch, names):
    kubeconfig.use_plugin()
    for name in names:
        monkeypatch.setenv(name, other.variables()[name])
    lists(environment, *existing(kubeconfig))
    # Every module asks the plugin, and the plugin has the environment of the module.
    assert len(re.findall("^KUBERNETES_EXEC_INFO=", kubeconfig.seen(), re.MULTILINE)) >= 2
    assert [name for name in names if f"{name}=" in kubeconfig.seen()] == []
    assert other.received == []


def test_all_variables_together_have_no_effect_on_kubernetes_core(environment, kubeconfig, other, monkeypatch):
    for name, value in other.variables().items():
        monkeypatch.setenv(name, value)
    done = environment.playbook("playbooks/verify.yml", *existing(kubeconfig))
    assert done.returncode == 0, done.stdout[-3000:]
    assert other.received == []


def test_the_whole_run_stays_at_its_cluster_and_its_repository(environment, other, monkeypatch, tmp_path):
    """The rehearsal of the inventory, started inside a Git hook, with everything exported for another cluster."""
    repository = tmp_path / "repository"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-C"]
    subprocess.run([*git, tmp_path, "init", "--quiet", repository], check=True)
    subprocess.run([*git, repository, "commit", "--quiet", "--allow-empty", "-m", "theirs"], check=True)
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    variables = {"GIT_DIR": ".git", "GIT_WORK_TREE": "", "GIT_INDEX_FILE": ".git/index"}
    variables = {name: str(repository / value) for name, value in variables.items()}
    for name, value in (other.variables() | variables).items():
        monkeypatch.setenv(name, value)
    done = environment.site("-e", "maildev_replicas=2")
    assert done.returncode == 0, done.stdout[-3000:]
    for name in variables:
        monkeypatch.delenv(name)
    assert environment.git("log", "-1", "--format=%s", "main") == "test: update maildev"
    assert environment.live("/apis/apps/v1/namespaces/maildev/deployments/maildev")["spec"]["replicas"] == 2
    assert other.received == []
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


def test_the_report_says_which_cluster_was_reached(environment):
    uid = environment.live("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    server = environment.api().host
    cluster = json.loads(environment.first_reports["report.json"])["cluster"]
    assert (cluster["server"], cluster["uid"]) == (server, uid)
    assert cluster["kubeconfig"] == environment.status["kubeconfig"]
    assert f"<code>{server}</code>, UID <code>{uid}</code>" in environment.first_reports["report.html"]
    assert f"{server}, UID {uid}" in environment.first.stdout


def test_modules_alone_keep_the_conventions_of_kubernetes_core(environment, tmp_path, monkeypatch):
    playbook = tmp_path / "alone.yml"
    task = {"monorepo.gitops.argocd_app_info": {}}
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", environment.status["kubeconfig"])
    done = environment.playbook(str(playbook))
    assert done.returncode == 0, done.stdout


def test_a_variable_that_reaches_the_modules_stops_the_run(environment, kubeconfig, other, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_HOST", f"http://{other.address}")
    said = refused(environment, *existing(kubeconfig), "-e", "ansible_shell_executable=/bin/sh")
    assert "The environment has K8S_AUTH_HOST, which would override what the inventory says about the cluster" in said
    assert other.received == []


def test_a_kubeconfig_with_several_contexts_needs_the_name(environment, kubeconfig, other):
    for key, entries in other.kubeconfig().items():
        kubeconfig.content[key] = kubeconfig.content[key] + entries if isinstance(entries, list) else entries
    names = ", ".join(sorted([kubeconfig.context, "other"]))
    said = refused(environment, *existing(kubeconfig))
    assert f"{kubeconfig.path} has several contexts ({names}): set cluster_context to the one to use." in said
    said = refused(environment, *existing(kubeconfig, cluster_context="prd"))
    assert f"cluster_context is prd, but {kubeconfig.path} has only these contexts: {names}." in said
    # The other one is the current one.
    lists(environment, *existing(kubeconfig, cluster_context=kubeconfig.context))
    assert other.received == []


def test_the_only_context_is_used_although_it_is_not_current(environment, kubeconfig):
    del kubeconfig.content["current-context"]
    lists(environment, *existing(kubeconfig))


def test_a_context_alone_is_looked_up_in_the_kubeconfig_of_kubectl(environment, kubeconfig, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", f"/nowhere/config:{kubeconfig.write()}")
    lists(environment, *existing(kubeconfig, cluster_kubeconfig="", cluster_context=kubeconfig.context))


def test_a_kubeconfig_relative_to_the_current_folder(environment, kubeconfig):
    path = os.path.relpath(kubeconfig.path, environment.inventory.parent.parent)
    lists(environment, *existing(kubeconfig, cluster_kubeconfig=path))


def test_an_encrypted_kubeconfig(environment, kubeconfig, tmp_path, monkeypatch):
    (tmp_path / "password").write_text("password\n")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "password"))
    for part in (kubeconfig.cluster, kubeconfig.user):
        for key in kubeconfig.pem.keys() & part.keys():
            part[f"{key}-data"] = base64.b64encode(kubeconfig.pem[key].encode()).decode()
            del part[key]
    args = existing(kubeconfig)
    vault = Path(sys.executable).parent / "ansible-vault"
    subprocess.run([vault, "encrypt", kubeconfig.path], check=True, capture_output=True)
    lists(environment, *args)
    said = refused(environment, *args, "-e", "cluster_context=x")
    assert f"cluster_context is x, but {kubeconfig.path} has only these contexts" in said


def test_the_name_in_the_certificate_of_the_server(environment, kubeconfig):
    kubeconfig.cluster["tls-server-name"] = "wrong.invalid"
    assert "certificate verify failed" in refused(environment, *existing(kubeconfig))
    kubeconfig.cluster["tls-server-name"] = "kubernetes.default.svc"
    lists(environment, *existing(kubeconfig))


def test_a_kubeconfig_that_does_not_verify(environment, kubeconfig, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_VERIFY_SSL", "true")
    del kubeconfig.cluster["certificate-authority"]
    assert "certificate verify failed" in refused(environment, *existing(kubeconfig))
    kubeconfig.cluster["insecure-skip-tls-verify"] = True
    lists(environment, *existing(kubeconfig))


def test_the_proxy_of_the_kubeconfig(environment, kubeconfig, other, monkeypatch):
    proxy = OtherCluster(other.folder)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "localhost,127.0.0.1")
    monkeypatch.setenv("K8S_AUTH_PROXY", f"http://{other.address}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{other.address}")
    kubeconfig.cluster["proxy-url"] = f"http://{proxy.address}"
    lists(environment, *existing(kubeconfig))
    assert proxy.received
    assert all(data.startswith(b"CONNECT ") for data in proxy.received)
    assert other.received == []


def test_a_credential_plugin_that_fails_is_named(environment, kubeconfig):
    kubeconfig.use_plugin("#!/bin/sh\necho hunter2 >&2\nexit 1\n")
    said = refused(environment, *existing(kubeconfig), "-vvv")
    assert (
        f"The credential plugin ./plugin of context {kubeconfig.context} in {kubeconfig.path} returned no credentials"
        in said
    )
    assert "hunter2" not in said


def test_credentials_that_are_not_accepted_do_not_reach_the_output(environment, kubeconfig):
    kubeconfig.user.clear()
    kubeconfig.user["token"] = "hunter2"
    said = refused(environment, *existing(kubeconfig), "-vvv")
    server = kubeconfig.cluster["server"]
    assert (
        f"The API server {server} answers 401 to context {kubeconfig.context} of {kubeconfig.path}: Unauthorized"
        in said
    )
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "playbook", ["site", "playbooks/promote", "playbooks/verify", "playbooks/status", "playbooks/rehearsal"]
)
def test_two_inventories_are_refused(environment, playbook):
    head, before = environment.git("rev-parse", "main"), len(environment.writes())
    said = refused(environment, "-i", str(ROOT / "inventories" / "prod"), playbook=f"{playbook}.yml")
    assert f"Several inventories of this run set gitops_environment: {environment.inventory} (test), " in said
    assert f"{ROOT}/inventories/prod (prod). An inventory is one environment" in said
    assert (environment.git("rev-parse", "main"), len(environment.writes())) == (head, before)


def test_an_inventory_that_only_adds_variables_is_welcome(environment, tmp_path):
    (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: }, vars: {gitops_removal_timeout: many}}\n")
    args = ["-i", str(tmp_path / "hosts.yml"), "-e", "gitops_environment=test"]
    assert 'gitops_removal_timeout is "many"' in refused(environment, *args, playbook="playbooks/status.yml")
    (tmp_path / "hosts.yml").write_text("all: {hosts: {localhost: }, vars: {gitops_removal_timeout: 1}}\n")
    assert lists(environment, *args)


def test_a_missing_repository_of_an_existing_cluster_is_not_created(environment, kubeconfig, tmp_path):
    url = f"file://{tmp_path}/missing.git"
    before = len(environment.writes())
    clone = {"gitops_repo_path": str(tmp_path / "clone")}
    refused(environment, *existing(kubeconfig, gitops_repo_url=url, **clone), playbook="site.yml")
    message = f"The repository {url} does not exist: correct gitops_repo_url and gitops_repo_push_url, or create it"
    assert message in environment.report()["failure"]["message"]
    assert not (tmp_path / "missing.git").exists()
    assert not (tmp_path / "clone").exists()
    assert len(environment.writes()) == before
