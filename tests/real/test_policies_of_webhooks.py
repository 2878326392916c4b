# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies and webhooks: the API server calls them as from another machine.

With the API server on the node, the traffic would be the node's own, and a missing allowance could not show.
"""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from .field import ALL, DENY, SERVICE, WEB, Field, incoming
from .lab import NODE
from .node import network, pki
from .node.connections import inside
from .node.processes import eventually

pytestmark = pytest.mark.harms_node


class Refusing(http.server.BaseHTTPRequestHandler):
    """A webhook that refuses everything, so that its answer is no other one; HTTP 1.0 keeps no connection open."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"uid": request["request"]["uid"], "allowed": False, "status": {"message": "seen by the webhook"}}
        body = json.dumps({"apiVersion": request["apiVersion"], "kind": request["kind"], "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def webhook(field: Field, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Let a pod serve a webhook for new ConfigMaps of team; return what creates one, and what the API server says."""
    folder = tmp_path_factory.mktemp("webhook")
    authority = pki.Authority(folder)
    authority.issue("webhook", "webhook", hosts=("web.shop.svc",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "webhook.crt", folder / "webhook.key")
    with inside(field.spaces[WEB]):
        server = http.server.ThreadingHTTPServer((field.addresses[WEB], 9443), Refusing)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    service = SERVICE | {"spec": SERVICE["spec"] | {"ports": [{"port": 443, "targetPort": 9443}]}}
    reached = {"service": {"name": "web", "namespace": "shop"}, "caBundle": pki.encoded(authority.certificate)}
    hook = {
        "name": "policies.example.com",
        "clientConfig": reached,
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 2,
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}

    def create() -> str:
        command = ("create", "configmap", "any", "-n", "team", "--dry-run=server")
        return field.node.try_kubectl(*command).stderr

    field.write()
    field.node.apply(service, kind | {"metadata": {"name": "policies"}, "webhooks": [hook]})
    eventually(lambda: "seen by the webhook" in create(), "the webhook")
    yield create
    field.node.kubectl("delete", "validatingwebhookconfiguration", "policies")
    field.node.kubectl("delete", "service", "web", "-n", "shop")
    server.shutdown()
    server.server_close()


def test_a_webhook_is_called_as_from_another_machine(webhook, enforce):
    assert "seen by the webhook" in webhook()
    of_node = [{"ipBlock": {"cidr": f"{NODE}/32"}}]
    of_api_server = [{"ipBlock": {"cidr": f"{network.CONTROL_PLANE}/32"}}]
    for policies, opens in (
        ([DENY], False),
        ([DENY, incoming(port=443)], False),
        ([DENY, incoming(peers=[{"namespaceSelector": ALL}], port=9443)], False),
        ([DENY, incoming(peers=of_node, port=9443)], False),
        ([DENY, incoming(peers=of_api_server, port=9443)], True),
        ([DENY, incoming(port=9443)], True),
    ):
        enforce(*policies)
        assert ("seen by the webhook" if opens else "failed calling webhook") in webhook(), policies
