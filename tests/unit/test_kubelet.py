# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet of a rehearsal: whom it serves, and which lines of a log it sends."""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.ports import free_ports
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rendering import programs

SERVER = "/containerLogs/argocd/argocd-server-5c4b/argocd-server"
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
LINES = [
    f'time="{(NOW - datetime.timedelta(hours=2)).isoformat()}" level=info msg=old',
    "  at main.go:1",
    f'{{"level":"info","time":"{NOW.isoformat()}","msg":"new"}}',
]


def certificate(folder: Path, name: str, authority: str = "") -> None:
    """Write a key and a certificate, signed by an authority or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key
    if authority:
        signer = serialization.load_pem_private_key((folder / f"{authority}.key").read_bytes(), None)
        issuer = x509.load_pem_x509_certificate((folder / f"{authority}.crt").read_bytes()).subject
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), NOW - day, NOW + day)
        .add_extension(x509.BasicConstraints(ca=not authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(key.private_bytes(*formats))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a cluster with its certificates and a log of argocd-server."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "pki").mkdir()
    for name, authority in (("ca", ""), ("admin", "ca"), ("other", "ca"), ("stranger", "")):
        certificate(folder / "pki", name, authority)
    (folder / "logs").mkdir()
    (folder / "logs" / "argocd-server.log").write_text("".join(f"{line}\n" for line in LINES))
    ports = {"kubelet": free_ports(1, set())[0]}
    (folder / "argocd.json").write_text(json.dumps({"namespace": "argocd", "ports": ports}))
    return folder


@pytest.fixture(scope="module")
def get(cluster: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """Start the kubelet and return a function that asks it for a path, with a certificate."""
    port = json.loads((cluster / "argocd.json").read_text())["ports"]["kubelet"]
    with subprocess.Popen([programs() / "bin" / "kubelet", cluster], stderr=subprocess.PIPE, text=True) as process:
        assert f"listening on 127.0.0.1:{port}" in process.stderr.readline()

        def ask(path: str, name: str = "admin", size: int | None = None) -> tuple[int, str]:
            context = ssl.create_default_context(cafile=cluster / "pki" / "ca.crt")
            if name:
                context.load_cert_chain(cluster / "pki" / f"{name}.crt", cluster / "pki" / f"{name}.key")
            connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read(size).decode()
            connection.close()
            return answer.status, text

        yield ask
        process.terminate()


@pytest.mark.parametrize("name", ["", "stranger", "other"])
def test_only_the_api_server_is_served(get, name):
    assert get(SERVER)[0] == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        get(SERVER, name)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", LINES),
        ("tailLines=2", LINES[1:]),
        ("tailLines=0", []),
        ("sinceSeconds=3600", LINES[2:]),
        ("sinceTime=NOW", LINES[2:]),
        # A line without a time belongs to the one before it.
        ("sinceSeconds=10800&tailLines=5", LINES),
    ],
)
def test_the_log_is_that_of_the_process(get, query, expected):
    query = query.replace("NOW", NOW.isoformat().replace("+00:00", "Z"))
    assert get(f"{SERVER}?{query}") == (200, "".join(f"{line}\n" for line in expected))


def test_a_limit_of_bytes_cuts_a_line(get):
    assert get(f"{SERVER}?limitBytes=10") == (200, LINES[0][:10])


def test_lines_have_the_time_that_is_in_them(get):
    times = [line.split(" ")[0] for line in get(f"{SERVER}?timestamps=true")[1].splitlines()]
    old, new = (moment.isoformat().replace("+00:00", "Z") for moment in (NOW - datetime.timedelta(hours=2), NOW))
    assert times == [old, old, new]


def test_what_is_appended_follows(get, cluster):
    def append():
        time.sleep(0.5)
        with (cluster / "logs" / "argocd-server.log").open("a") as log:
            log.write("appended\n")

    before = (cluster / "logs" / "argocd-server.log").read_text()
    writer = threading.Thread(target=append)
    writer.start()
    expected = f"{LINES[2]}\nappended\n"
    assert get(f"{SERVER}?tailLines=1&follow=true", size=len(expected)) == (200, expected)
    writer.join()
    (cluster / "logs" / "argocd-server.log").write_text(before)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/containerLogs/maildev/maildev-1/maildev", (200, "This pod is simulated by KWOK: no container runs, so")),
        ("/containerLogs/other/argocd-server-1/argocd-server", (200, "This pod is simulated by KWOK")),
        ("/containerLogs/argocd/argocd-dex-server-1/dex", (200, "This pod is simulated by KWOK")),
        ("/containerLogs/argocd/argocd-repo-server-1/copyutil", (200, "This pod is simulated by KWOK")),
        (f"{SERVER}?previous=true", (400, 'previous terminated container "argocd-server" in pod "argocd-server-5c4b"')),
        (f"{SERVER}?tailLines=x", (400, 'strconv.ParseInt: parsing "x": invalid syntax')),
        ("/runningpods/", (404, "404 page not found")),
    ],
)
def test_other_requests(get, path, expected):
    status, text = get(path)
    assert (status, text[: len(expected[1])]) == expected
