# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain requests and watches, and what is wrong with an answer."""

from __future__ import annotations

import json

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _api, _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to


def api_of(server):
    return Api(_client.client_of(server.kubeconfig, "test"))


def events(server):
    return [event["type"] for event in api_of(server).stream("/x", {"watch": "true"}, 5)]


ONE, TWO = (json.dumps({"type": kind}).encode() + b"\n" for kind in ("ADDED", "MODIFIED"))


def test_an_event_may_come_in_two_parts_and_two_may_come_at_once(api_server):
    parts = [ONE + TWO, ONE[:5], ONE[5:] + b"\n", TWO, b""]
    assert events(api_server(lambda _method, _path: (200, parts))) == ["ADDED", "MODIFIED", "ADDED", "MODIFIED"]


@pytest.mark.parametrize("parts", [[ONE], [ONE, b"{not JSON\n", b""]])
def test_a_watch_that_breaks_is_an_api_server_that_is_away(api_server, parts):
    with pytest.raises(UnavailableError, match=r"^The watch of /x ended: "):
        events(api_server(lambda _method, _path: (200, parts)))


def test_a_watch_that_is_refused_says_so_in_one_event(api_server):
    server = api_server(lambda _method, _path: (403, {}))
    assert list(api_of(server).stream("/x", {}, 5)) == [{"type": "ERROR", "object": {"code": 403}}]


def test_an_api_server_that_never_answers_is_away(api_server, monkeypatch):
    server = api_server(lambda _method, _path: (server.stopped.wait(5), {}))
    monkeypatch.setattr(_api, "REQUEST_SECONDS", 0.1)
    with pytest.raises(UnavailableError, match=f"^The API server {server.url} does not answer: .*timed out"):
        api_of(server).request("GET", "/x")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_api_server_that_is_busy_or_broken_is_away(api_server, status):
    server = api_server(lambda _method, _path: (status, {}))
    with pytest.raises(UnavailableError, match=rf"^The API server {server.url} answers {status} to PATCH /x\.$"):
        api_of(server).request("PATCH", "/x", body={})


def test_a_group_that_does_not_exist_is_answered_in_plain_text(api_server):
    server = api_server(lambda _method, _path: (404, "404 page not found\n", "text/plain"))
    assert api_of(server).request("GET", "/apis/x/v1") == (404, {"message": "/apis/x/v1 does not exist"})
    item = {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a"}}
    assert api_of(server).path(item) is None


def test_an_answer_that_is_not_json_is_not_that_of_an_api_server(api_server):
    server = api_server(lambda _method, _path: (200, "<html>", "text/html"))
    with pytest.raises(GitopsError, match=server.url):
        api_of(server).request("GET", "/x")


def test_progress_is_appended_to_a_file(tmp_path):
    (tmp_path / "file").write_text("first\n")
    progress_to(str(tmp_path / "file"))("second")
    progress_to(None)("third")
    assert (tmp_path / "file").read_text() == "first\nsecond\n"
