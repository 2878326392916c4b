# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server that modules talk to, a recording of a real one, and roles of another collection."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _api

from .api_server import ApiServer, Recorder, Replay, Scripted


@pytest.fixture
def api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ApiServer]]:
    """Start API servers: `api_server("name")` replays fixtures/exchanges/name.json, `api_server(function)` asks it.

    With GITOPS_RECORD=<kubeconfig> in the environment the exchange is recorded anew from that cluster.
    """
    for name in [name for name in os.environ if name.startswith("K8S_AUTH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # kubernetes.core keeps a cache there for each address
    monkeypatch.setattr(_api, "BACKOFF_SECONDS", 0)
    servers: list[ApiServer] = []

    def start(source: Any, replaced: dict[str, str] | None = None) -> ApiServer:
        if callable(source):
            servers.append(Scripted(tmp_path, source))
        elif os.environ.get("GITOPS_RECORD"):
            servers.append(Recorder(tmp_path, os.environ["GITOPS_RECORD"], source, replaced))
        else:
            servers.append(Replay(tmp_path, source, replaced))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
        if isinstance(server, Recorder):
            server.save()
        elif isinstance(server, Replay):
            assert (server.unexpected, server.missing()) == ([], [])


@pytest.fixture
def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Make roles of the collection acme.platform, which is found as every other: `role("shop", vars="a: 1")`."""
    package = sys.modules["ansible_collections"]
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])

    def make(name: str, **files: str) -> Path:
        folder = tmp_path / "acme" / "platform" / "roles" / name
        for key, text in files.items():
            file = folder / ("meta/argument_specs.yml" if key == "specs" else f"{key}/main.yml")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return folder

    yield make
    for name in [name for name in sys.modules if name.startswith("ansible_collections.acme")]:
        del sys.modules[name]
