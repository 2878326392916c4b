# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other components do: mail, buckets, Temporal, the proxies; and the logs of their pods.

MinIO cannot be had as an ordinary package. On a node of this suite a stub of ours answers in its place, so the test of
buckets proves what is around it: the Job, the policies and logins that it asks for, the Secrets and their copies, the
volume. MinIO itself answers on another cluster only.
"""

from __future__ import annotations

import json
import re
import smtplib
import socket
import subprocess
from email.message import EmailMessage
from urllib.request import urlopen
from uuid import uuid4

import pytest
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_logs
from integration.conftest import DEPLOY, message, words
from unit.running import run_module

from .clients import NAMESPACE, Database, ask_bucket, bucket_login, forwarded
from .environment import BUCKETS
from .node import network
from .node.cluster import Cluster

MAILER = "configmap", "mailer", NAMESPACE
# Connects to a host and port, says something, and prints the answer until the other side closes.
TALK = 'exec 3<>"/dev/tcp/$0/$1" && sleep 1 && printf "$2" >&3 && cat <&3'


@pytest.mark.usefixtures("site")
def test_a_mail_to_the_server_of_the_services_is_read_by_the_api(cluster):
    settings = cluster.get(*MAILER)["data"]
    service, namespace, _rest = settings["SMTP_HOST"].split(".", 2)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings["SMTP_SENDER"], "someone@example.com", uuid4().hex
    mail.set_content("Hello")
    with (
        forwarded(cluster, namespace, f"service/{service}", int(settings["SMTP_PORT"])) as port,
        smtplib.SMTP("127.0.0.1", port, timeout=20) as connection,
    ):
        connection.send_message(mail)
    with (
        forwarded(cluster, "maildev", "service/maildev-web", 1080) as port,
        urlopen(f"http://127.0.0.1:{port}/email", timeout=20) as answer,
    ):
        mails = {entry["subject"]: entry for entry in json.load(answer)}
    assert mails[mail["Subject"]]["text"].strip() == "Hello"
    assert mails[mail["Subject"]]["from"][0]["address"] == settings["SMTP_SENDER"]


def test_the_mail_server_is_found_by_the_name_that_the_services_are_given(cluster, database):
    settings = cluster.get(*MAILER)["data"]
    said = database.run("bash", "-c", TALK, settings["SMTP_HOST"], settings["SMTP_PORT"], "QUIT\r\n")
    assert [line[:3] for line in said.splitlines()] == ["220", "221"]


@pytest.mark.usefixtures("site")
def test_a_bucket_is_used_with_the_credentials_of_its_user_only(cluster):
    login, login_of_other = (bucket_login(cluster, bucket["name"]) for bucket in BUCKETS)

    def ask(method: str, path: str, login: tuple[str, str], text: str = "") -> str:
        with forwarded(cluster, "minio", "service/minio", 9000) as port:
            return ask_bucket(method, f"http://127.0.0.1:{port}/{path}", login, text)

    assert ask("PUT", "test/word", login, "kept") == ""
    assert ask("GET", "test/word", login) == "kept"
    assert ask("GET", "other/word", login_of_other) == "404 NoSuchKey"
    assert ask("PUT", "test/word", login_of_other, "changed") == "403 AccessDenied"
    assert ask("GET", "test/word", login_of_other) == "403 AccessDenied"
    assert ask("PUT", "test/word", (login[0], login_of_other[1]), "changed") == "403 SignatureDoesNotMatch"
    assert ask("PUT", "test/word", ("nobody", login[1]), "changed") == "403 InvalidAccessKeyId"
    cluster.kubectl("delete", "pod", "-n", "minio", "-l", "app.kubernetes.io/name=minio")
    cluster.kubectl("rollout", "status", "-n", "minio", "deployment/minio", "--timeout=120s", timeout=130)
    assert ask("GET", "test/word", login) == "kept"


def test_a_namespace_of_temporal_is_made_and_listed(temporal):
    name = f"test-{uuid4().hex[:8]}"
    temporal.namespace("create", "--namespace", name, "--retention", "24h")
    assert {"default", name} <= {entry["namespaceInfo"]["name"] for entry in temporal.namespaces()}


@pytest.mark.harms_node  # the host is the node
@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("name", "port"), [("auth", 4000), ("api", 3000)])
def test_a_proxy_reaches_a_server_on_the_host(cluster: Cluster, database: Database, name: str, port: int) -> None:
    service = cluster.get("service", f"socat-{name}", NAMESPACE)
    ask = database.command("bash", "-c", TALK, f"socat-{name}", str(service["spec"]["ports"][0]["port"]), "asked\n")
    with socket.create_server((network.NODE, port)) as server:
        server.settimeout(20)
        with subprocess.Popen(ask, stdout=subprocess.PIPE, text=True) as asking:
            connection, _address = server.accept()
            with connection:
                assert connection.recv(100) == b"asked\n"
                connection.sendall(b"the host\n")
            assert asking.communicate(timeout=20)[0] == "the host\n"


def test_the_logs_are_those_that_the_kubelet_has(site, cluster):
    (pod,) = cluster.kubectl("get", "pods", "-n", "maildev", "-o", "name").split()
    name = pod.removeprefix("pod/")
    lines = cluster.kubectl("logs", "-n", "maildev", pod).splitlines()
    found = run_module(argocd_app_logs, kubeconfig=str(cluster.kubeconfig), name="maildev")
    assert found["log"] == [f"[pod/{name}/maildev] {line}" for line in lines[-100:]]
    assert any("SMTP" in line for line in lines)
    said = words(site.playbook("playbooks/logs.yml", "-e", "app=maildev", "-e", "grep=SMTP"))
    assert f"[pod/{name}/maildev] " in said


@pytest.mark.usefixtures("site")
def test_the_logs_of_the_database_are_found_through_its_operator(cluster):
    options = {"resource": {"kind": "Cluster", "name": "cnpg-cluster"}, "container": "postgres", "grep": "listening on"}
    found = run_module(argocd_app_logs, kubeconfig=str(cluster.kubeconfig), name="common", **options)
    assert "5432" in " ".join(found["log"]), found


@pytest.mark.harms_node
def test_an_image_of_a_component_that_does_not_exist_is_named_and_the_next_run_recovers(site, real_images):
    wrong = "nowhere.invalid/maildev:1"
    real_images.set_real_images([*real_images.real_images(), wrong])
    broken = {"maildev_image": wrong, "gitops_converge_timeout": 60}
    said = message(site.site(*DEPLOY, "-e", json.dumps(broken)), site)
    pod = r"Deployment maildev/maildev: Pod maildev-\S+: container maildev: ImagePullBackOff: "
    assert re.search(rf"{pod}image {wrong} cannot be pulled: ", said), said
    words(site.site(*DEPLOY))
