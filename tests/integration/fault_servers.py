# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on this machine that fail when they are told to: Git over HTTP, and an admission webhook.

What the Git server answers to a case is in a file, because the cases run in other processes: `503`, `401`, `404`, or
`silence`, which keeps a client waiting.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SILENCE, SILENT_SECONDS = "silence", 120
DENIAL = "the label team is missing"


class QuietHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class GitServer(ThreadingHTTPServer):
    """Serves a repository as `<url>/<case>/<name of the repository>`."""

    daemon_threads = True

    def __init__(self, repository: Path, answers: Path) -> None:
        super().__init__(("127.0.0.1", 0), GitHandler)
        self.repository, self.answers = repository, answers
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class GitHandler(QuietHandler):
    server: GitServer

    def do_GET(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def serve(self) -> None:
        body = self.body()
        case, _sep, rest = self.path.lstrip("/").partition("/")
        told = self.server.answers / case
        order = told.read_text() if told.exists() else ""
        if order == SILENCE:
            self.keep_waiting(told)
        elif order:
            self.answer(int(order), b"", **({"WWW_Authenticate": 'Basic realm="git"'} if order == "401" else {}))
            return
        path, _sep, query = rest.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.server.repository.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": f"/{path}",
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        command = ["git", "http-backend"]
        done = subprocess.run(command, env=os.environ | variables, input=body, capture_output=True, check=False)
        head, _sep, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = headers.pop("Status", "200").split()[0]
        self.answer(int(status), content, **headers)

    def keep_waiting(self, told: Path) -> None:
        """Say nothing until the order is taken back."""
        deadline = time.monotonic() + SILENT_SECONDS
        while told.exists() and told.read_text() == SILENCE and time.monotonic() < deadline:
            time.sleep(0.2)


class Webhook(ThreadingHTTPServer):
    """An admission webhook that denies whatever it is asked about; `ca` is in base64."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), WebhookHandler)
        certificate = certificate_in(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server_port}/"
        self.ca = base64.b64encode(certificate.read_bytes().partition(b"-----BEGIN PRIVATE")[0]).decode()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WebhookHandler(QuietHandler):
    def do_POST(self) -> None:
        review = json.loads(self.body())
        response = {"uid": review["request"]["uid"], "allowed": False, "status": {"code": 403, "message": DENIAL}}
        body = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}
        self.answer(200, json.dumps(body).encode(), Content_Type="application/json")


def certificate_in(folder: Path) -> Path:
    """Return a file with a certificate for 127.0.0.1, which signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "webhook.pem"
    path.touch(mode=0o600)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
