# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet of a rehearsal: whom it serves, and which lines of a log it sends."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import shutil
import ssl
import subprocess
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


class Kubelet:
    """The kubelet of a cluster, and requests to it."""

    def __init__(self, cluster: Path, pid: int) -> None:
        self.cluster, self.pid = cluster, pid
        self.port = json.loads((cluster / "argocd.json").read_text())["ports"]["kubelet"]

    @contextlib.contextmanager
    def answer(self, path: str, name: str = "admin") -> Iterator[http.client.HTTPResponse]:
        """Ask for a path, with a certificate; the connection ends with the block."""
        context = ssl.create_default_context(cafile=self.cluster / "pki" / "ca.crt")
        if name:
            context.load_cert_chain(self.cluster / "pki" / f"{name}.crt", self.cluster / "pki" / f"{name}.key")
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=context)
        connection.request("GET", path)
        with contextlib.closing(connection), connection.getresponse() as answer:
            yield answer

    def get(self, path: str, name: str = "admin") -> tuple[int, str]:
        """Return status and text."""
        with self.answer(path, name) as answer:
            return answer.status, answer.read().decode()

    def reads(self, log: Path) -> bool:
        """Return whether it has a log open."""
        folder = Path(f"/proc/{self.pid}/fd")
        return str(log) in [str(entry.readlink()) for entry in folder.iterdir() if entry.is_symlink()]


@pytest.fixture(scope="module")
def kubelet(cluster: Path) -> Iterator[Kubelet]:
    """Start the kubelet."""
    with subprocess.Popen([programs() / "bin" / "kubelet", cluster], stderr=subprocess.PIPE, text=True) as process:
        found = Kubelet(cluster, process.pid)
        assert f"listening on 127.0.0.1:{found.port}" in process.stderr.readline()
        yield found
        process.terminate()


@pytest.fixture
def get(kubelet: Kubelet) -> Callable[..., tuple[int, str]]:
    """Return a function that asks the kubelet."""
    return kubelet.get


class Server:
    """What stands for argocd-server: its process, and its log, which a new process empties."""

    def __init__(self, cluster: Path) -> None:
        self.log, self.pid_file = cluster / "logs" / "argocd-server.log", cluster / "pids" / "argocd-server.pid"
        self.pid_file.parent.mkdir(exist_ok=True)
        self.process = None

    def start(self) -> None:
        self.end()
        self.log.write_text("")
        self.process = subprocess.Popen(["argocd-server", "60"], executable=shutil.which("sleep"))
        self.pid_file.write_text(str(self.process.pid))

    def write(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(text)

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server(cluster: Path) -> Iterator[Server]:
    found = Server(cluster)
    found.start()
    found.write("".join(f"{line}\n" for line in LINES))
    yield found
    found.end()
    found.pid_file.unlink()
    found.log.write_text("".join(f"{line}\n" for line in LINES))


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


def test_what_is_appended_follows_until_the_process_ends(kubelet, server):
    with kubelet.answer(f"{SERVER}?tailLines=1&follow=true") as answer:
        assert answer.readline().decode() == f"{LINES[2]}\n"
        server.write("appended\n")
        assert answer.readline() == b"appended\n"
        server.write("last words\nand half a line")
        server.end()
        assert answer.read() == b"last words\nand half a line"


def test_a_line_that_is_written_in_parts_is_one(kubelet, server):
    with kubelet.answer(f"{SERVER}?tailLines=0&follow=true&timestamps=true") as answer:
        for part in ("begins, ", "goes on", " and ends\nnext\n"):
            server.write(part)
            time.sleep(0.5)
        assert answer.readline().decode().partition(" ")[2] == "begins, goes on and ends\n"
        assert answer.readline().decode().partition(" ")[2] == "next\n"


def test_the_answer_begins_before_anything_is_written(kubelet, server):
    with kubelet.answer(f"{SERVER}?tailLines=0&follow=true") as answer:
        assert answer.status == 200
        server.write("late\n")
        assert answer.readline() == b"late\n"


def test_the_log_of_a_new_process_is_another_one(kubelet, server):
    with kubelet.answer(f"{SERVER}?follow=true") as answer:
        for line in LINES:
            assert answer.readline().decode() == f"{line}\n"
        server.start()
        server.write("new\n")
        assert answer.read() == b""
    with kubelet.answer(f"{SERVER}?follow=true") as answer:
        assert answer.readline() == b"new\n"


def test_what_is_appended_to_an_emptied_log_follows(kubelet, server):
    with kubelet.answer(f"{SERVER}?tailLines=1&follow=true") as answer:
        answer.readline()
        server.log.write_text("")
        time.sleep(0.5)
        server.write("from the beginning\n")
        assert answer.readline() == b"from the beginning\n"


def test_what_is_appended_without_a_time_is_no_older_than_wanted(kubelet, server):
    server.log.write_text(f"{LINES[0]}\n")
    with kubelet.answer(f"{SERVER}?sinceSeconds=60&follow=true") as answer:
        server.write("panic: without a time\n")
        assert answer.readline() == b"panic: without a time\n"


def test_nothing_is_read_for_a_client_that_is_gone(kubelet, server):
    with kubelet.answer(f"{SERVER}?tailLines=0&follow=true"):
        assert kubelet.reads(server.log)
    until = time.monotonic() + 5
    while kubelet.reads(server.log):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_the_log_of_a_process_that_has_ended_ends(kubelet, server):
    server.end()
    assert kubelet.get(f"{SERVER}?follow=true") == (200, "".join(f"{line}\n" for line in LINES))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/containerLogs/maildev/maildev-1/maildev", (200, "This pod is simulated by KWOK: no container runs, so")),
        ("/containerLogs/other/argocd-server-1/argocd-server", (200, "This pod is simulated by KWOK")),
        ("/containerLogs/argocd/argocd-dex-server-1/dex", (200, "This pod is simulated by KWOK")),
        ("/containerLogs/argocd/argocd-repo-server-1/copyutil", (200, "This pod is simulated by KWOK")),
        (
            "/containerLogs/argocd/argocd-redis-1/redis",
            (400, 'container "redis" in pod "argocd-redis-1" is waiting to'),
        ),
        (f"{SERVER}?previous=true", (400, 'previous terminated container "argocd-server" in pod "argocd-server-5c4b"')),
        (f"{SERVER}?tailLines=x", (400, 'strconv.ParseInt: parsing "x": invalid syntax')),
        ("/runningpods/", (404, "404 page not found")),
    ],
)
def test_other_requests(get, path, expected):
    status, text = get(path)
    assert (status, text[: len(expected[1])]) == expected
