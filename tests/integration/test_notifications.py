# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications of a real controller to an HTTP and an SMTP server on this machine."""

from __future__ import annotations

import base64
import email
import email.policy
import http.server
import json
import socketserver
import threading
import time
from pathlib import Path

import pytest

from .conftest import carry_out
from .test_wait import ARGO, Repository, apply, specification

NAME = "notified"
CONFIG, SECRET = (f"/api/v1/namespaces/argocd/{kind}s/argocd-notifications-{kind}" for kind in ("configmap", "secret"))
CONFIG = CONFIG.removesuffix("configmap") + "cm"
TOKEN, PASSWORD = "t0ken-of-the-webhook", "p$ssword: of the mail server"


class Receivers:
    """What arrived, in the order in which it did."""

    def __init__(self):
        self.received, outer = [], self

        class Web(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append((self.path, self.headers.get("Authorization"), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_args):
                pass

        class Mail(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(f"{text}\r\n".encode())

            def handle(self):
                self.say("220 ready")
                for raw in self.rfile:
                    line = raw.decode().rstrip()
                    verb = line.split(" ")[0].upper()
                    if verb == "DATA":
                        self.say("354 go ahead")
                        lines = iter(self.rfile.readline, b".\r\n")
                        outer.received.append(("mail", self.login, email.message_from_bytes(b"".join(lines))))
                    if verb == "AUTH":
                        self.login = base64.b64decode(line.split(" ")[2]).decode()
                    self.say(
                        {"EHLO": "250-test\r\n250 AUTH PLAIN", "AUTH": "235 welcome", "QUIT": "221 bye"}.get(
                            verb, "250 ok"
                        )
                    )

        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        self.mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
        for server in (self.web, self.mail):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def declaration(self):
        url = f"http://127.0.0.1:{self.web.server_port}"
        host = {"host": "127.0.0.1", "port": self.mail.server_address[1]}
        login = {"username": "argocd", "password": PASSWORD}
        return [
            {"name": "hook", "type": "webhook", "url": f"{url}/hook", "token": TOKEN, "events": EVENTS},
            {"name": "chat", "type": "slack", "url": f"{url}/chat?a=b&c", "layers": ["services"]},
            {"name": "team", "type": "teams", "url": f"{url}/powerautomate/team", "layers": ["services"]},
            {"name": "ops", "type": "email", "from": "argocd@test", "to": ["a@test", "b@test"]} | host | login,
            {"name": "other", "type": "mattermost", "url": f"{url}/other", "layers": ["infra"], "events": EVENTS},
        ]

    def await_messages(self, count):
        """Return the next messages; one more than expected would be among those of the next call."""
        end = time.monotonic() + 120
        while len(self.received) < count:
            assert time.monotonic() < end, self.received
            time.sleep(0.1)
        found, self.received[:] = list(self.received), []
        return found

    def await_silence(self):
        """Return what comes until nothing has come for some seconds."""
        found = self.await_messages(1)
        while True:
            time.sleep(5)
            if not self.received:
                return found
            found += self.await_messages(1)

    def close(self):
        for server in (self.web, self.mail):
            server.shutdown()
            server.server_close()


EVENTS = ["synced", "sync_failed", "degraded", "recovered"]


class Branch(Repository):
    """A branch of the environment's own repository, whose URL its AppProjects allow."""

    def __init__(self, environment, folder):
        self.bare, self.work = environment.folder / "monorepo.git", folder / "notified"
        self.run("clone", "--quiet", "--no-checkout", self.bare, self.work, cwd=folder)
        self.run("checkout", "--quiet", "--orphan", NAME)
        self.url = f"file://{self.bare}"

    def run(self, *args, cwd=None):
        return super().run(*(f"HEAD:{NAME}" if word == "HEAD:main" else word for word in args), cwd=cwd)


class Notified:
    """An Application of the layer services, whose receivers are told what happens to it."""

    def __init__(self, environment, folder):
        self.environment, self.api = environment, environment.api()
        self.repository = Branch(environment, folder)
        self.repository.state = {NAME: {"image": "web:1", "replicas": 1, "broken": "", "value": "0", "more": []}}
        self.push("first")
        # A run keeps what an AppProject allows already until it is narrowed.
        any_kind = [{"group": "*", "kind": "*"}]
        project = {"clusterResourceWhitelist": any_kind, "namespaceResourceWhitelist": any_kind}
        project["namespaceResourceBlacklist"] = []  # that of a layer without components has all kinds
        project |= {"sourceRepos": [self.repository.url], "destinations": [{"server": "*", "namespace": "*"}]}
        apply(self.api, "AppProject", "appprojects", "services", project)
        spec = specification(self.repository.url, NAME) | {"project": "services"}
        spec["source"]["targetRevision"] = NAME
        apply(self.api, "Application", "applications", NAME, spec)

    def push(self, value, broken="", stuck=False):
        self.repository.state[NAME] |= {"value": value, "broken": broken, "more": [deployment(stuck)]}
        commit = self.repository.push(value)
        refresh = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
        self.api.request("PATCH", f"{ARGO}/applications/{NAME}", body=refresh)
        return commit

    def settle(self, commit, health):
        """Wait until the Application has been synced to a commit and has this health."""
        end, found, status = time.monotonic() + 120, (), {}
        while found != (commit, "Succeeded", health):
            assert time.monotonic() < end, json.dumps(status, indent=1)
            time.sleep(0.1)
            status = self.api.request("GET", f"{ARGO}/applications/{NAME}")[1].get("status") or {}
            state = status.get("operationState") or {}
            revision = (state.get("syncResult") or {}).get("revision")
            found = (revision, state.get("phase"), (status.get("health") or {}).get("status"))

    def switch(self, receivers):
        """Run the part of site.yml that configures Argo CD."""
        self.environment.set(argocd_notifications=receivers)
        done = self.environment.site("--tags", "argocd", "-v")
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout


def deployment(stuck):
    """Return a Deployment that Kubernetes gives up after a second, or one that works."""
    labels = {"app": "second"}
    image = "rehearsal-fail:1" if stuck else "web:1"
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"progressDeadlineSeconds": 1, "selector": {"matchLabels": labels}, "template": pod}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "second"}, "spec": spec}


@pytest.fixture(scope="module")
def receivers():
    found = Receivers()
    yield found
    found.close()


@pytest.fixture(scope="module")
def notified(test_environment, tmp_path_factory):
    assert test_environment.first.returncode == 0, test_environment.first.stdout[-3000:]
    found = Notified(test_environment, tmp_path_factory.mktemp("notified"))
    yield found
    found.api.request("DELETE", f"{ARGO}/applications/{NAME}")
    found.repository.run("push", "--quiet", "origin", f":{NAME}")
    if found.environment.live(CONFIG).get("data"):
        found.switch([])


def test_the_past_is_not_told_and_what_follows_is(notified, receivers):
    old = notified.push("stuck", stuck=True)
    notified.settle(old, "Degraded")
    output = notified.switch(receivers.declaration())
    config = notified.environment.live(CONFIG)["data"]
    for secret in (TOKEN, PASSWORD, "/chat?a", "/powerautomate"):
        assert secret not in output
        assert secret not in json.dumps(config)
    found = {key: base64.b64decode(value).decode() for key, value in notified.environment.live(SECRET)["data"].items()}
    assert (found["hook-token"], found["ops-password"]) == (TOKEN, PASSWORD)

    # It is still degraded, and has been synced. The first message is about what comes now.
    commit = notified.push("second", stuck=True)
    (message,) = receivers.await_messages(1)
    assert message == (
        "/hook",
        f"Bearer {TOKEN}",
        {
            "event": "synced",
            "environment": notified.environment.name,
            "application": NAME,
            "layer": "services",
            "revision": commit[:12],
            "message": f"{notified.environment.name}: {NAME} was synced to {commit[:12]}.",
            "url": message[2]["url"],
        },
    )
    assert message[2]["url"].endswith(f"://argocd.127.0.0.1.nip.io/applications/argocd/{NAME}")

    # Who was not told that it is degraded is not told that it is over.
    good = notified.push("good")
    notified.settle(good, "Healthy")
    told = [body["event"] for path, _login, body in receivers.await_silence() if path == "/hook"]
    # On a busy machine its health changes in between, and is told, too.
    assert told == ["synced"] or "degraded" in told[: told.index("recovered") if "recovered" in told else None]


def test_every_receiver_gets_every_event_once_in_its_own_form(notified, receivers):
    bad = notified.push("bad", broken="rejected")
    found = {path: (login, body) for path, login, body in receivers.await_messages(4)}
    assert set(found) == {"/hook", "/chat?a=b&c", "/powerautomate/team", "mail"}
    words = f"{notified.environment.name}: {NAME} could not be synced to {bad[:12]}: "
    assert found["/hook"][1]["event"] == "sync_failed"
    assert found["/chat?a=b&c"][1]["text"].startswith(words)
    assert "must be greater than or equal to 0" in found["/chat?a=b&c"][1]["text"]
    assert found["/powerautomate/team"][1]["attachments"][0]["content"]["body"][0]["text"].startswith(words)
    login, mail = found["mail"]
    assert login == f"\0argocd\0{PASSWORD}"
    assert (mail["From"], mail["To"]) == ("argocd@test", "a@test, b@test")
    message = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert message["Subject"].startswith(words[:60])
    assert message.get_content().startswith(words)

    notified.push("stuck again", stuck=True)
    events = [(path, body.get("event")) for path, _login, body in receivers.await_messages(5) if path != "mail"]
    assert sorted(events, key=str) == [
        ("/chat?a=b&c", None),
        ("/hook", "degraded"),
        ("/hook", "synced"),
        ("/powerautomate/team", None),
    ]
    good = notified.push("good again")
    notified.settle(good, "Healthy")
    texts = [body["text"] for path, _login, body in receivers.await_messages(5) if path.startswith("/chat")]
    assert texts[0].startswith(f"{notified.environment.name}: {NAME} is Healthy again.\n")


def test_who_is_added_is_not_told_the_past_and_nobody_is_told_when_it_is_off(notified, receivers):
    stuck = notified.push("stuck once more", stuck=True)
    notified.settle(stuck, "Degraded")
    told = sorted(str(body.get("event", path)) for path, _login, body in receivers.await_messages(5))
    assert told == ["/chat?a=b&c", "/powerautomate/team", "degraded", "mail", "synced"]
    web = receivers.declaration()[1]
    notified.switch([*receivers.declaration(), web | {"name": "late", "url": web["url"].replace("chat", "late")}])
    commit = notified.push("for the late one too", broken="rejected", stuck=True)
    # Nobody is told again that it is degraded.
    found = receivers.await_messages(5)
    assert sorted(path[:5] for path, _login, _body in found) == ["/chat", "/hook", "/late", "/powe", "mail"]
    assert all(commit[:12] in json.dumps(body) for path, _login, body in found if path != "mail")

    notified.switch([])
    assert "data" not in notified.environment.live(CONFIG)
    assert "data" not in notified.environment.live(SECRET)
    folder = Path(notified.environment.folder)
    assert "argocd-notifications-controller" not in notified.environment.rehearsal("present")
    assert (
        "argocd-notifications-controller exited"
        not in (folder / "logs/argocd-notifications-controller.log").read_text()
    )
    good = notified.push("nobody listens")
    notified.settle(good, "Healthy")
    assert receivers.received == []


def test_the_commands_of_the_runbook(notified):
    carry_out(notified.environment, "notifications")
