# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Official files: cache, mirror, checksum, stand-in."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import upstream

URL = "https://example.invalid/releases/v1/operator.yaml"
TEXT = b"kind: List\n"
SHA = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def mirror(tmp_path):
    path = tmp_path / "mirror" / "example.invalid" / "releases" / "v1" / "operator.yaml"
    path.parent.mkdir(parents=True)
    path.write_bytes(TEXT)
    return path


def test_a_file_is_read_from_the_mirror_once(tmp_path, mirror):
    path = upstream.fetch(URL, SHA, str(tmp_path / "mirror"))
    assert path.read_bytes() == TEXT
    mirror.unlink()
    assert upstream.fetch(URL, SHA, str(tmp_path / "mirror")) == path


def test_a_wrong_checksum_is_refused_with_both_values(tmp_path, mirror):
    with pytest.raises(
        GitopsError,
        match=re.escape(f"{mirror} has sha256 {SHA}, expected {'0' * 64}: correct the pinned checksum or the file."),
    ):
        upstream.fetch(URL, "0" * 64, str(tmp_path / "mirror"))


def test_what_is_no_checksum_is_refused():
    with pytest.raises(
        GitopsError, match=re.escape(f"'abc' is not a SHA-256 checksum for {URL}: expected 64 hexadecimal digits.")
    ):
        upstream.fetch(URL, "abc")


def test_a_missing_file_is_unreachable(tmp_path):
    with pytest.raises(upstream.UnreachableError, match="cannot be read"):
        upstream.fetch(URL, SHA, str(tmp_path))


def test_a_damaged_cache_is_replaced(tmp_path, mirror):
    path = upstream.fetch(URL, SHA, str(tmp_path / "mirror"))
    path.write_text("damaged")
    assert upstream.fetch(URL, SHA, str(tmp_path / "mirror")).read_bytes() == mirror.read_bytes()


def test_an_alternative_counts_only_with_the_right_checksum(tmp_path, mirror):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("other")
    with pytest.raises(upstream.UnreachableError):
        upstream.fetch(URL, SHA, str(tmp_path), [str(wrong)])
    assert upstream.fetch(URL, SHA, str(tmp_path), [str(wrong), str(mirror)]).read_bytes() == TEXT


def test_the_file_in_the_tree_is_not_read_again(tmp_path, mirror):
    file = {"url": URL, "sha256": SHA}
    assert upstream.official(file, mirror) == TEXT.decode()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("other")
    assert upstream.official(file, wrong, str(tmp_path / "mirror")) == TEXT.decode()


def test_an_empty_checksum_names_its_variable(tmp_path):
    file = {"url": URL, "sha256": "", "sha256_variable": "operator_sha256"}
    message = f"No checksum is set: pin operator_sha256 to the sha256 checksum of {URL}."
    with pytest.raises(upstream.UnreachableError, match=re.escape(message)):
        upstream.official(file, tmp_path / "missing.yaml")


def test_a_stand_in_has_the_kinds_and_deployments():
    kinds = [
        {"group": "gateway.networking.k8s.io", "versions": ["v1alpha2", "v1"], "kind": "Gateway", "plural": "gateways"}
    ]
    file = {"kinds": kinds, "stand_in_deployments": [{"name": "controller", "args": ["--a=1"]}]}
    crd, deployment = upstream.stand_in(file, "gateway")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == ["--a=1"]
    assert crd["metadata"]["name"] == "gateways.gateway.networking.k8s.io"
    assert "api-approved.kubernetes.io" in crd["metadata"]["annotations"]
    assert [(version["name"], version["storage"]) for version in crd["spec"]["versions"]] == [
        ("v1alpha2", False),
        ("v1", True),
    ]
    assert deployment["metadata"] == {
        "name": "controller",
        "namespace": "gateway",
        "labels": {"app.kubernetes.io/name": "controller", "app.kubernetes.io/component": "stand-in"},
    }


@pytest.fixture
def server(monkeypatch):
    """Serve the file on loopback, with all that a mirror may answer; `asked` are the paths of the requests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            if self.path.startswith("/moved/"):
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/moved"))
            elif self.path.endswith("/operator.yaml"):
                self.send_response(200)
            else:
                self.send_response(404)
            self.end_headers()
            if self.path == "/example.invalid/releases/v1/operator.yaml":
                self.wfile.write(TEXT)

        def log_message(self, *_args):
            pass

    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.asked = []
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{found.server_port}"
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def test_a_file_is_downloaded_once(server):
    url = f"{server.url}/moved/example.invalid/releases/v1/operator.yaml"
    assert upstream.fetch(url, SHA).read_bytes() == TEXT
    path = upstream.fetch(url, SHA)
    assert path.name == f"{SHA}-operator.yaml"
    assert path.parent == upstream.cache_folder()
    assert server.asked == [
        "/moved/example.invalid/releases/v1/operator.yaml",
        "/example.invalid/releases/v1/operator.yaml",
    ]


def test_a_mirror_on_a_server_is_asked_instead_of_the_origin(server):
    assert upstream.fetch(URL, SHA, f"{server.url}/").read_bytes() == TEXT
    assert server.asked == ["/example.invalid/releases/v1/operator.yaml"]


def test_what_a_server_does_not_have_is_named(server):
    message = f"{server.url}/example.invalid/gone.yaml cannot be read (HTTP Error 404: Not Found)."
    with pytest.raises(upstream.UnreachableError, match=re.escape(message)):
        upstream.fetch("https://example.invalid/gone.yaml", SHA, server.url)


def test_another_file_is_not_kept(server):
    source = f"{server.url}/other/operator.yaml"
    empty = hashlib.sha256(b"").hexdigest()
    with pytest.raises(GitopsError, match=re.escape(f"{source} has sha256 {empty}, expected {SHA}: ")):
        upstream.fetch(source, SHA)
    assert not upstream.cache_folder().exists()


def test_a_mirror_may_lie_in_the_home_folder(tmp_path, mirror, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    path = upstream.fetch(URL, SHA, "~/mirror")
    assert path.read_bytes() == mirror.read_bytes()
    assert path.parent == tmp_path / ".cache" / "monorepo.gitops" / "upstream"


def test_a_stand_in_of_an_ordinary_group_needs_no_approval():
    kind = {"group": "example.com", "versions": ["v1"], "kind": "Widget", "plural": "widgets", "scope": "Cluster"}
    (crd,) = upstream.stand_in({"kinds": [kind]}, "shop")
    assert crd["metadata"] == {"name": "widgets.example.com"}
    assert crd["spec"]["scope"] == "Cluster"
    assert crd["spec"]["names"] == {
        "kind": "Widget",
        "listKind": "WidgetList",
        "plural": "widgets",
        "singular": "widget",
    }
