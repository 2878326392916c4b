# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials and certificates that are regenerated: what was valid before is refused, and nothing stands still.

The operators that make them are simulated on a node of this suite; who takes them up is not: PostgreSQL with its
operator, the Job that makes users of MinIO (which is a stub there), Temporal.
"""

from __future__ import annotations

import base64
import socket
import ssl
import struct

import pytest
from integration.conftest import words

from .clients import NAMESPACE, Database, Temporal, ask_bucket, bucket_login, forwarded
from .environment import BUCKETS, RealEnvironment
from .node.cluster import Cluster
from .node.processes import eventually

pytestmark = pytest.mark.harms_node
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # how a client of PostgreSQL asks for TLS


def certificate(cluster: Cluster) -> str:
    """Return the certificate that the database shows its clients."""
    with (
        forwarded(cluster, NAMESPACE, "service/cnpg-cluster-rw", 5432) as port,
        socket.create_connection(("127.0.0.1", port), 10) as connection,
    ):
        connection.sendall(SSL_REQUEST)
        assert connection.recv(1) == b"S"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(connection) as encrypted:
            return ssl.DER_cert_to_PEM_cert(encrypted.getpeercert(binary_form=True) or b"")


def test_a_renewed_certificate_is_taken_up_without_a_restart(cluster: Cluster, database: Database) -> None:
    before, began = certificate(cluster), database.sql("SELECT pg_postmaster_start_time()")
    again = ("--subresource=status", "--type=json", '--patch=[{"op": "remove", "path": "/status"}]')
    cluster.kubectl("patch", "certificates.cert-manager.io", "cnpg-cluster-tls", "-n", NAMESPACE, *again)
    eventually(lambda: certificate(cluster) != before, "the renewed certificate", 120, pause=1)
    renewed = base64.b64decode(cluster.get("secret", "cnpg-cluster-tls", NAMESPACE)["data"]["tls.crt"]).decode()
    assert certificate(cluster).split() == renewed.split()
    # Clients trust the CA, which has its key as before.
    assert database.sql("SELECT pg_postmaster_start_time()") == began


def bucket(cluster: Cluster, name: str, login: tuple[str, str]) -> str:
    """Return what MinIO answers to the user of a bucket."""
    with forwarded(cluster, "minio", "service/minio", 9000) as port:
        return ask_bucket("GET", f"http://127.0.0.1:{port}/{name}/nothing", login)


def test_what_was_valid_before_a_rotation_is_refused(
    site: RealEnvironment, cluster: Cluster, database: Database, temporal: Temporal
) -> None:
    name = BUCKETS[0]["name"]
    old = bucket_login(cluster, name)
    assert (database.sql("SELECT 1"), bucket(cluster, name, old)) == ("1", "404 NoSuchKey")
    said = words(site.playbook("playbooks/rotate_secrets.yml", "-e", "max_age=0", "-e", "confirm=test"))
    assert "are 0 days old or older." in said
    try:
        assert "password authentication failed" in database.attempt_sql("SELECT 1").stderr
        assert bucket(cluster, name, old) == "403 SignatureDoesNotMatch"
    finally:
        database.restart()  # its pod has the password from its start
    assert (database.sql("SELECT 1"), bucket(cluster, name, bucket_login(cluster, name))) == ("1", "404 NoSuchKey")
    assert temporal.namespaces()
    assert "failed=0 " in words(site.playbook("playbooks/verify.yml"))
