# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of rehearsal clusters: free ones, and never those of another cluster."""

from __future__ import annotations

import json
import re
import socket

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import rehearsal
from ansible_collections.monorepo.gitops.plugins.module_utils.errors import GitopsError

RANGE = {*range(20000, 32000)}


def cluster(state, name):
    found = rehearsal.RehearsalCluster(name, str(state), "/", "/launch.py", "redis-server", "argocd")
    found.folder.mkdir(parents=True)
    return found


def test_a_port_is_taken_by_a_cluster_that_does_not_listen_yet(tmp_path, monkeypatch):
    seen = []
    choose = rehearsal.free_ports
    monkeypatch.setattr(rehearsal, "free_ports", lambda count, taken: seen.append(taken) or choose(count, taken))
    first, second = cluster(tmp_path, "first"), cluster(tmp_path, "second")
    chosen = {*first.ports().values()}
    assert len(chosen) == len(rehearsal.PORTS)
    assert not chosen & {*second.ports().values()}
    assert seen == [set(), chosen]
    assert {*first.ports().values()} == chosen


def test_a_cluster_that_is_being_deleted_has_no_ports(tmp_path):
    (tmp_path / "ports.json").write_text("")
    assert rehearsal.chosen_ports(tmp_path / "ports.json") == set()
    assert rehearsal.chosen_ports(tmp_path / "gone.json") == set()
    (tmp_path / "ports.json").write_text(json.dumps({"argocd-server": 20001}))
    assert rehearsal.chosen_ports(tmp_path / "ports.json") == {20001}


def test_a_port_that_somebody_listens_on_is_passed_over():
    (port,) = rehearsal.free_ports(1, set())
    assert rehearsal.free_ports(1, RANGE - {port}) == [port]
    message = "Only 0 of 1 TCP ports are free between 20000 and 32000 on 127.0.0.1."
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
            rehearsal.free_ports(1, RANGE - {port})
