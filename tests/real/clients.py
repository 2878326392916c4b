# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of what the components serve: pods beside the services, and ports that kubectl forwards to this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml
from requests_aws4auth import AWS4Auth

from .node.cluster import Cluster
from .node.processes import eventually

ROLES = Path(__file__).resolve().parent.parent.parent / "roles"
NAMESPACE = "services"
INSTANCES = "cnpg.io/cluster=cnpg-cluster"


@contextlib.contextmanager
def forwarded(cluster: Cluster, namespace: str, target: str, port: int) -> Iterator[int]:
    """Return a port of this machine that leads to one of a pod or a Service."""
    command = cluster.command("port-forward", "-n", namespace, target, f":{port}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            said = process.stdout.readline()  # Forwarding from 127.0.0.1:40001 -> 1080
            yield int(said.split()[2].rpartition(":")[2])
        finally:
            process.terminate()


class Client:
    """A pod in the namespace of the services, as one of them would be."""

    def __init__(self, cluster: Cluster, name: str, container: dict[str, Any], **spec: Any) -> None:
        self.cluster, self.name = cluster, name
        common = {"name": "main", "imagePullPolicy": "IfNotPresent", "command": ["tail", "-f", "/dev/null"]}
        self.pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"containers": [common | container], "terminationGracePeriodSeconds": 0} | spec,
        }
        self.start()

    def start(self) -> None:
        """Make the pod."""
        self.cluster.apply(self.pod)
        self.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{self.name}", "-n", NAMESPACE, "--timeout=60s")

    def restart(self) -> None:
        """Recreate the pod, with what its Secrets have by now."""
        self.remove()
        self.start()

    def remove(self) -> None:
        """Delete the pod."""
        self.cluster.kubectl("delete", "pod", self.name, "-n", NAMESPACE)

    def command(self, *command: str, **environment: str) -> list[str | Path]:
        """Return the command line that runs a command in the pod, with further variables."""
        settings = [f"{name}={value}" for name, value in environment.items()]
        return self.cluster.command("exec", "-n", NAMESPACE, self.name, "--", "env", *settings, *command)

    def attempt(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the pod and return what it did."""
        words = self.command(*command, **environment)
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    def run(self, *command: str, **environment: str) -> str:
        """Run a command in the pod and return what it prints."""
        done = self.attempt(*command, **environment)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()


class Database(Client):
    """psql in a pod that has what a service is given: login, host name, and the CA of the database's certificate."""

    def __init__(self, cluster: Cluster) -> None:
        login = {"PGUSER": "username", "PGPASSWORD": "password"}
        settings = {
            "PGHOST": "cnpg-cluster-rw",
            "PGDATABASE": "app",
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": "/tls/ca.crt",
        }
        secret = {"secretName": "cnpg-cluster-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
        container = {
            "image": cluster.get("clusters.postgresql.cnpg.io", "cnpg-cluster", NAMESPACE)["spec"]["imageName"],
            "env": [
                *({"name": name, "value": value} for name, value in settings.items()),
                *({"name": name, "valueFrom": {"secretKeyRef": reference(key)}} for name, key in login.items()),
            ],
            "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
        }
        super().__init__(cluster, "database-client", container, volumes=[{"name": "tls", "secret": secret}])

    def attempt_sql(self, statement: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a statement, with other settings than those of the pod, and return what psql did."""
        return self.attempt("psql", "--no-psqlrc", "-Atq", "-c", statement, **environment)

    def sql(self, statement: str, **environment: str) -> str:
        """Run a statement and return what it yields."""
        done = self.attempt_sql(statement, **environment)
        assert done.returncode == 0, f"{statement}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def keep(self, table: str) -> str:
        """Write a row into a new table, and return the statement that reads it."""
        self.sql(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} AS SELECT 'kept' AS word")
        return f"TABLE {table}"

    def await_sql(self, statement: str, answer: str, seconds: float = 120, **environment: str) -> None:
        """Wait until a statement yields this answer."""

        def yields() -> bool:
            done = self.attempt_sql(statement, **environment)
            return done.returncode == 0 and done.stdout.strip() == answer

        eventually(yields, f"{answer!r} as the answer to {statement!r}", seconds, pause=0.5)

    def instances(self, role: str = "") -> list[str]:
        """Return the pods of the database, or those of a role."""
        labels = INSTANCES + (f",cnpg.io/instanceRole={role}" if role else "")
        return self.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", labels, "-o", "name").split()


def reference(key: str) -> dict[str, str]:
    """Return a reference to a key of the login."""
    return {"name": "cnpg-cluster-admin", "key": key}


class Temporal(Client):
    """Temporal's command line in a pod of the tools' image, which talks to the frontend's Service."""

    def __init__(self, cluster: Cluster) -> None:
        defaults = yaml.safe_load((ROLES / "temporal" / "defaults" / "main.yml").read_text())
        address = {"name": "TEMPORAL_ADDRESS", "value": "temporal:7233"}
        super().__init__(
            cluster, "temporal-client", {"image": defaults["temporal_admin_tools_image"], "env": [address]}
        )

    def namespace(self, *words: str) -> str:
        """Run a command about namespaces of Temporal and return what it prints."""
        return self.run("temporal", "operator", "namespace", *words)

    def namespaces(self) -> list[dict[str, Any]]:
        """Return the namespaces of Temporal."""
        found: list[dict[str, Any]] = json.loads(self.namespace("list", "--output", "json"))
        return found


def bucket_login(cluster: Cluster, bucket: str) -> tuple[str, str]:
    """Return access key and secret key of a bucket's user, as a service finds them in its namespace."""
    secret = cluster.get("secret", f"minio-bucket-{bucket}", NAMESPACE)["data"]
    access_key, secret_key = (base64.b64decode(secret[key]).decode() for key in ("access-key", "secret-key"))
    return access_key, secret_key


def ask_bucket(method: str, url: str, login: tuple[str, str] | None, text: str = "") -> str:
    """Return what the S3 API answers to a request that is signed with these keys: what is read, or the error."""
    auth = AWS4Auth(*login, "us-east-1", "s3") if login else None
    with requests.Session() as session:
        session.trust_env = False  # no proxy leads there
        answer = session.request(method, url, data=text.encode(), auth=auth, timeout=20)
    code = "" if answer.ok else answer.text.partition("<Code>")[2].partition("</Code>")[0]
    return f"{answer.status_code} {code}" if code else answer.text
