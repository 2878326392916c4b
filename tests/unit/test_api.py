# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain requests and watches, and what is wrong with an answer."""

from __future__ import annotations

import json
import sys
import time

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _api, _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to
from urllib3.exceptions import MaxRetryError, SSLError


def api_of(server):
    return Api(_client.client_of(server.kubeconfig, "test"))


def events(server):
    return [event["type"] for event in api_of(server).stream("/x", {"watch": "true"}, 5)]


@pytest.fixture(params=["orjson", "json"])
def _reader(request, monkeypatch):
    """Run a test with the reader of JSON that is installed, and as if it were not."""
    if request.param == "json":
        monkeypatch.setitem(sys.modules, "orjson", None)
    _api.reader.cache_clear()
    assert _api.reader().__module__.startswith(request.param)
    yield
    _api.reader.cache_clear()


ONE, TWO = (json.dumps({"type": kind}).encode() + b"\n" for kind in ("ADDED", "MODIFIED"))


@pytest.mark.usefixtures("_reader")
def test_an_event_may_come_in_two_parts_and_two_may_come_at_once(api_server):
    parts = [ONE + TWO, ONE[:5], ONE[5:] + b"\n", TWO, b""]
    assert events(api_server(lambda _method, _path: (200, parts))) == ["ADDED", "MODIFIED", "ADDED", "MODIFIED"]


@pytest.mark.usefixtures("_reader")
@pytest.mark.parametrize("parts", [[ONE], [ONE, b"{not JSON\n", b""]])
def test_a_watch_that_breaks_is_an_api_server_that_is_away(api_server, parts):
    with pytest.raises(UnavailableError, match=r"^The watch of /x ended: "):
        events(api_server(lambda _method, _path: (200, parts)))


def test_a_watch_that_is_refused_says_so_in_one_event(api_server):
    server = api_server(lambda _method, _path: (403, {}))
    assert list(api_of(server).stream("/x", {}, 5)) == [{"type": "ERROR", "object": {"code": 403}}]


def test_a_watch_that_is_put_off_can_go_on_where_it_was(api_server):
    server = api_server(lambda _method, _path: (429, {}, "application/json", {"Retry-After": "7"}))
    api, before = api_of(server), time.monotonic()
    with pytest.raises(UnavailableError, match=rf"^The API server {server.url} answers 429 to GET /x\.$"):
        list(api.stream("/x", {}, 5))
    assert 6 < api.pause.until - before < 8


def test_a_list_whose_next_page_is_not_known_any_more_begins_again(api_server):
    def page(more, *names):
        return 200, {"metadata": {"continue": more}, "items": [{"name": name} for name in names]}

    answers = script(page("b", "one"), (410, {}), page("c", "one"), page("", "two"))
    server = api_server(lambda method, path: answers(method, path.partition("?")[0]))
    assert api_of(server).list_all("/x", {"labelSelector": "a=b"})[1]["items"] == [{"name": "one"}, {"name": "two"}]
    queries = [request.partition("?")[2] for request in server.requests if "/x" in request]
    assert queries == [
        "labelSelector=a%3Db",
        "labelSelector=a%3Db&limit=500&continue=b",
        "labelSelector=a%3Db",
        "labelSelector=a%3Db&limit=500&continue=c",
    ]


def test_a_list_that_is_refused_is_returned(api_server):
    assert api_of(api_server(lambda _method, _path: (403, {"message": "no"}))).list_all("/x") == (
        403,
        {"message": "no"},
    )


def test_a_change_of_annotations_is_answered_by_metadata_only(api_server):
    item = {"metadata": {"name": "a"}, "spec": {"long": True}}
    server = api_server(lambda _method, _path: (200, item))
    assert api_of(server).annotate("/x", {}) == (200, {"kind": "PartialObjectMetadata", "metadata": {"name": "a"}})
    assert server.writes() == ["PATCH /x"]


def test_an_api_server_that_never_answers_is_away(api_server, monkeypatch):
    server = api_server(lambda _method, _path: (server.stopped.wait(5), {}))
    monkeypatch.setattr(_api, "REQUEST_SECONDS", 0.1)
    with pytest.raises(UnavailableError, match=f"^The API server {server.url} does not answer: .*timed out") as error:
        api_of(server).request("GET", "/x")
    assert "retries" not in str(error.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_api_server_that_is_busy_or_broken_is_away(api_server, status):
    server = api_server(lambda _method, _path: (status, {}))
    with pytest.raises(UnavailableError, match=rf"^The API server {server.url} answers {status} to PATCH /x\.$"):
        api_of(server).request("PATCH", "/x", body={})


def test_a_password_in_the_address_of_the_api_server_is_never_shown(api_server):
    server = api_server(lambda _method, path: (500, {}) if path == "/x" else (200, {"a": 1}))
    client = _client.client_of(server.kubeconfig, "test")
    client.client.configuration.host = server.url.replace("://", "://admin:hunter2@")
    api = Api(client, retries=0)
    assert api.request("GET", "/y") == (200, {"a": 1})
    assert api.host == server.url
    with pytest.raises(UnavailableError, match=rf"^The API server {server.url} answers 500 to GET /x\.$"):
        api.request("GET", "/x")


GONE = (200, [b"{"])  # the connection breaks


def script(*answers):
    """Give these answers, and the last one again and again."""
    left = list(answers)
    return lambda _method, _path: left.pop(0) if left[1:] else left[0]


@pytest.mark.parametrize("kind", [_api.APPLY, _api.MERGE])
@pytest.mark.parametrize("status", _api.BUSY)
def test_a_busy_api_server_is_asked_again_whatever_the_request(api_server, status, kind):
    server = api_server(script((status, {}), (status, {}), (status, {}), (200, {"a": 1})))
    assert api_of(server).request("PATCH", "/x", body={}, content_type=kind) == (200, {"a": 1})
    assert server.asked() == ["PATCH /x"] * 4


@pytest.mark.parametrize(("method", "kind"), [("GET", _api.MERGE), ("DELETE", _api.MERGE), ("PATCH", _api.APPLY)])
def test_what_is_idempotent_is_asked_again_after_a_broken_connection(api_server, method, kind):
    server = api_server(script(GONE, (200, {"a": 1})))
    assert api_of(server).request(method, "/x", content_type=kind) == (200, {"a": 1})


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_what_may_have_been_done_is_not_done_twice(api_server, method):
    server = api_server(script(GONE, (200, {})))
    with pytest.raises(UnavailableError, match=f"^The API server {server.url} does not answer: .*Connection broken"):
        api_of(server).request(method, "/x", body={})
    assert server.asked() == [f"{method} /x"]


def test_neither_is_it_when_tls_breaks():
    error = SSLError("EOF occurred in violation of protocol")
    assert _api.retry_policy(3, True).increment("GET", "/x", error=error).total == 2
    with pytest.raises(MaxRetryError):
        _api.retry_policy(3, False).increment("PATCH", "/x", error=error)


def test_an_api_server_that_breaks_is_not_asked_again(api_server):
    server = api_server(script((500, {}), (200, {})))
    with pytest.raises(UnavailableError, match=r"answers 500 to GET /x\.$"):
        api_of(server).request("GET", "/x")


def test_a_wait_asks_again_by_itself(api_server):
    server = api_server(script((503, {}), GONE, (200, {})))
    api = Api(_client.client_of(server.kubeconfig, "test"), retries=0)
    with pytest.raises(UnavailableError, match=r"answers 503 to GET /x\.$"):
        api.request("GET", "/x")
    with pytest.raises(UnavailableError, match=r"does not answer: .*Connection broken"):
        api.request("GET", "/x")
    assert server.asked() == ["GET /x"] * 2


@pytest.mark.parametrize(("header", "seconds"), [("3", 3), ("3600", _api.RETRY_AFTER_SECONDS)])
def test_a_busy_api_server_says_when_to_ask_again(api_server, monkeypatch, header, seconds):
    server = api_server(script((429, {}, "application/json", {"Retry-After": header}), (200, {})))
    api, slept = api_of(server), []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", slept.append)
    assert api.request("GET", "/x") == (200, {})
    assert slept == [seconds]


def test_the_limit_of_that_delay_is_our_own(monkeypatch):
    """Older versions of urllib3 have none."""
    monkeypatch.setattr("urllib3.Retry.get_retry_after", lambda _self, _response: 3600.0)
    assert _api.retry_policy(3, True).get_retry_after(None) == _api.RETRY_AFTER_SECONDS


def test_the_second_retry_waits_a_second_and_the_third_one_two(api_server, monkeypatch):
    monkeypatch.undo()
    server = api_server(script((503, {})))
    api, slept = api_of(server), []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", slept.append)
    with pytest.raises(UnavailableError):
        api.request("GET", "/x")
    assert slept == [1, 2]


def test_a_redirect_is_not_followed(api_server):
    server = api_server(script((302, {}, "application/json", {"Location": "/login"}), (200, {})))
    assert api_of(server).request("GET", "/x") == (302, {})


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
