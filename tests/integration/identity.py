# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider of OpenID Connect on this machine: its tokens say in which groups somebody is."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT = "argocd"


def encoded(data: bytes) -> str:
    """Return bytes as JOSE writes them."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    """Return a number as JOSE writes it."""
    return encoded(value.to_bytes((value.bit_length() + 7) // 8))


class Provider:
    """Serves its configuration and its key, and makes tokens."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = json.dumps(provider.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> dict[str, Any]:
        """Return the configuration or the keys."""
        if path == "/keys":
            numbers = self.key.public_key().public_numbers()
            key = {
                "kty": "RSA",
                "use": "sig",
                "alg": "RS256",
                "kid": "1",
                "n": number(numbers.n),
                "e": number(numbers.e),
            }
            return {"keys": [key]}
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "groups"],
        }

    def settings(self) -> str:
        """Return what Argo CD has to know of it."""
        return json.dumps({"name": "SSO", "issuer": self.issuer, "clientID": CLIENT})

    def token(self, *groups: str, key: Any = None, **claims: Any) -> str:
        """Return the token of somebody who is in these groups; another key is that of somebody else."""
        now = int(time.time())
        body = {"iss": self.issuer, "aud": CLIENT, "sub": "somebody", "iat": now, "exp": now + 3600, "groups": groups}
        parts = [{"alg": "RS256", "typ": "JWT", "kid": "1"}, body | claims]
        text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
        signature = (key or self.key).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{encoded(signature)}"
