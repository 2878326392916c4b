# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listens on this machine is reached without the proxy of the environment, which leads nowhere here."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import threading

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._git import run_git
from ansible_collections.monorepo.gitops.plugins.module_utils._loopback import exempt_from_proxies
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.argocd import answers
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.upstream import fetch

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
LOOPBACK = "localhost,127.0.0.1,::1"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Return the address of a web server on this machine, in an environment with a proxy for everything."""
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "example.com")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_download_mirror(address, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "example.com").mkdir()
    (tmp_path / "example.com" / "x.yaml").write_bytes(b"a: 1\n")
    digest = hashlib.sha256(b"a: 1\n").hexdigest()
    assert fetch("https://example.com/x.yaml", digest, f"http://{address}").read_text() == "a: 1\n"


@pytest.mark.parametrize("isolated", [True, False])
def test_a_repository(address, tmp_path, isolated):
    assert run_git("init", "--quiet", "--bare", tmp_path / "repo.git").returncode == 0
    assert run_git("-C", tmp_path / "repo.git", "update-server-info").returncode == 0
    done = run_git("ls-remote", f"http://{address}/repo.git", isolated=isolated)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_of_a_rehearsal(address, tmp_path):
    RehearsalCluster("dev", str(tmp_path), "/", "/launch.py", "argocd")
    assert answers(f"{address}/")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, LOOPBACK),
        ({"NO_PROXY": "example.com"}, f"example.com,{LOOPBACK}"),
        ({"NO_PROXY": "a,localhost", "no_proxy": "b, a,"}, "a,localhost,b,127.0.0.1,::1"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_the_exceptions_of_the_user_stay(given, expected):
    environment = dict(given)
    exempt_from_proxies(environment)
    assert environment == {"NO_PROXY": expected, "no_proxy": expected}


@pytest.fixture
def kubeconfig(tmp_path):
    """Return the path of a kubeconfig that names a proxy for one of its two contexts."""
    config = {
        "clusters": [
            {"name": "direct", "cluster": {"server": "https://127.0.0.1:6443"}},
            {
                "name": "bastion",
                "cluster": {"server": "https://127.0.0.1:6443", "proxy-url": "socks5://127.0.0.1:1080"},
            },
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in ("direct", "bastion")],
        "users": [{"name": "me", "user": {"token": "hunter2"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    return str(tmp_path / "config")


@pytest.fixture
def proxies(monkeypatch):
    """Let a function choose the proxy, and return the variables that it changed."""
    names = ("NO_PROXY", "no_proxy", "K8S_AUTH_NO_PROXY")

    def choose(params, **variables):
        for name in names:
            monkeypatch.setenv(name, "")  # so that the end of the test restores it
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        _client.choose_proxy(params)
        return {name: os.environ[name] for name in names if os.environ.get(name) != variables.get(name)}

    return choose


@pytest.mark.parametrize(("context", "expected"), [("direct", False), ("bastion", True), (None, True)])
def test_a_proxy_that_a_kubeconfig_names_is_found(kubeconfig, monkeypatch, context, expected):
    assert _client.names_proxy({"kubeconfig": kubeconfig, "context": context}) is expected
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    assert _client.names_proxy({"context": context}) is expected


def test_a_proxy_that_a_kubeconfig_names_is_used_whatever_no_proxy_says(kubeconfig, proxies):
    bastion = {"kubeconfig": kubeconfig, "context": "bastion"}
    assert proxies(bastion, NO_PROXY="127.0.0.1") == {"K8S_AUTH_NO_PROXY": ""}
    assert proxies(bastion, K8S_AUTH_NO_PROXY="127.0.0.1") == {}
    assert proxies(bastion | {"no_proxy": "127.0.0.1"}) == {}


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(kubeconfig, proxies):
    direct = {"kubeconfig": kubeconfig, "context": "direct"}
    assert proxies(direct, NO_PROXY="a") == {"NO_PROXY": f"a,{LOOPBACK}", "no_proxy": f"a,{LOOPBACK}"}


def test_a_proxy_that_is_an_option_is_used_as_kubernetes_core_does(kubeconfig, proxies):
    direct = {"kubeconfig": kubeconfig, "context": "direct"}
    assert proxies(direct | {"proxy": "http://127.0.0.1:1"}) == {}
    assert proxies(direct, K8S_AUTH_PROXY="http://127.0.0.1:1") == {}
    assert proxies({"kubeconfig": {"clusters": []}}) == {}


def test_no_kubeconfig_names_no_proxy(tmp_path):
    assert _client.names_proxy({"kubeconfig": str(tmp_path / "missing")}) is False
