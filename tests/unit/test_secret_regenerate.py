# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module secret_regenerate, against what a real API server said, and the decisions behind it."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _progress
from ansible_collections.monorepo.gitops.plugins.module_utils._apply import deleting
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import generated
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import application_of
from ansible_collections.monorepo.gitops.plugins.modules import secret_regenerate

from .running import run_module

SECRET = "/api/v1/namespaces/services/secrets/drizzle-gateway"
WRITER = "/apis/external-secrets.io/v1/namespaces/services/externalsecrets/drizzle-gateway"


def regenerate(server, check=False, **arguments):
    return run_module(secret_regenerate, check, kubeconfig=server.kubeconfig, **arguments)


def test_all_that_a_generator_fills_are_listed_with_those_that_are_missing(api_server):
    server = api_server("secrets_list")
    result = regenerate(server)
    found = {(entry["namespace"], entry["name"], entry["application"]): entry["state"] for entry in result["secrets"]}
    assert found == {
        ("minio", "minio-root", "minio"): "present",
        ("services", "cnpg-cluster-admin", "common"): "present",
        ("services", "drizzle-gateway", "common"): "missing",
    }
    assert (result["changed"], server.writes()) == (False, [])


def test_the_secret_goes_before_its_external_secret_and_no_value_is_returned(api_server):
    server = api_server("secrets_delete")
    result = regenerate(server, secret="drizzle-gateway")
    entry = {"namespace": "services", "name": "drizzle-gateway", "external_secret": "drizzle-gateway"}
    assert result == {"changed": True, "secrets": [entry | {"application": "common", "state": "present"}]}
    assert server.writes() == [f"DELETE {SECRET}", f"DELETE {WRITER}"]


def test_check_mode_deletes_nothing(api_server):
    server = api_server("secrets_check")
    assert regenerate(server, secret="services/drizzle-gateway", check=True)["changed"] is True
    assert server.writes() == []


def test_a_secret_that_nothing_generates_is_refused_with_those_that_are(api_server):
    assert regenerate(api_server("secrets_list"), secret="services/cnpg-cluster-tls")["msg"] == (
        "No ExternalSecret generates Secret services/cnpg-cluster-tls; those that can be regenerated are "
        "minio/minio-root, services/cnpg-cluster-admin, services/drizzle-gateway. If its ExternalSecret is missing, "
        "sync the Application that has it first."
    )


def test_a_cluster_without_external_secrets(api_server):
    assert regenerate(api_server(lambda _method, _path: (404, {})))["msg"] == (
        "The cluster does not know the kind ExternalSecret: External Secrets is not installed."
    )


def test_a_finalizer_that_holds_the_external_secret_is_named(api_server, monkeypatch, tmp_path):
    monkeypatch.setattr(deleting, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(_progress, "QUIET_SECONDS", 0)
    held = external("minio", "root")
    held["metadata"] |= {"uid": "1", "finalizers": ["example.com/hold"]}
    status = {"resources": [{"kind": "ExternalSecret", "namespace": "minio", "name": "root"}]}

    def script(_method, path):
        if path.endswith("/externalsecrets"):
            return 200, {"items": [held]}
        if path.endswith("/v1"):
            return 200, {"resources": [{"kind": "ExternalSecret", "name": "externalsecrets", "namespaced": True}]}
        if "/applications/" in path:
            return 200, {"metadata": {"name": "minio"}, "status": status}
        return (404, {}) if "/secrets/" in path else (200, held)

    progress = tmp_path / "progress"
    result = regenerate(api_server(script), secret="root", wait_timeout=1, progress_file=str(progress))
    assert progress.read_text().splitlines()[0] == (
        "   0 s: ExternalSecret minio/root is being deleted; its finalizers are example.com/hold"
    )
    assert result["msg"] == (
        "ExternalSecret minio/root was not deleted after 1 s; its finalizers are example.com/hold."
    )


def external(namespace, name, target="", application="minio"):
    tracking = f"{application}:external-secrets.io/ExternalSecret:{namespace}/{name}"
    annotations = {"argocd.argoproj.io/tracking-id": tracking} if application else {}
    source = {"sourceRef": {"generatorRef": {"kind": "ClusterGenerator", "name": "password"}}}
    spec = {"target": {"name": target} if target else {}, "dataFrom": [source]}
    return {"metadata": {"namespace": namespace, "name": name, "annotations": annotations}, "spec": spec}


def test_what_comes_from_a_store_is_not_generated():
    assert not generated.is_generated({"spec": {"dataFrom": [{"extract": {"key": "mailer"}}]}})
    assert generated.is_generated(external("minio", "root"))


def test_a_name_in_several_namespaces_needs_one():
    items = [external("one", "password"), external("two", "writer", target="password")]
    with pytest.raises(GitopsError) as error:
        generated.pick(items, "password")
    assert str(error.value) == ("Several namespaces have a Secret password: name one of one/password, two/password.")
    assert generated.pick(items, "two/password") is items[1]
    assert generated.pick(items, "writer") is items[1]


ENTRY = {"kind": "ExternalSecret", "namespace": "minio", "name": "root"}
GONE = (
    "Nothing was done. Application minio no longer has ExternalSecret minio/root in Git, so nothing would recreate it."
)


@pytest.mark.parametrize(
    ("application", "status", "deleted", "expected"),
    [
        (
            "",
            None,
            False,
            "Nothing was done. ExternalSecret minio/root belongs to no Application, so nothing would recreate it.",
        ),
        (
            "minio",
            None,
            False,
            "Nothing was done. ExternalSecret minio/root belongs to Application minio, which does not exist.",
        ),
        (
            "minio",
            [ENTRY],
            True,
            "Nothing was done. Application minio, which has ExternalSecret minio/root, is being deleted.",
        ),
        ("minio", [], False, GONE),
        ("minio", [ENTRY | {"requiresPruning": True}], False, GONE),
        ("minio", [ENTRY], False, None),
    ],
)
def test_an_external_secret_that_would_not_come_back_stays(application, status, deleted, expected):
    metadata = {"name": application} | ({"deletionTimestamp": "2026-11-27T09:00:00Z"} if deleted else {})
    owner = None if status is None else {"metadata": metadata, "status": {"resources": status}}
    item = external("minio", "root", application=application)
    if expected is None:
        generated.refuse(item, owner)
        return
    with pytest.raises(GitopsError) as error:
        generated.refuse(item, owner)
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("tracking", "application"),
    [
        ("shop:batch/Job:shop/migrate", "shop"),
        ("shop:batch/Job:shop/other", ""),
        ("shop:batch/Job:elsewhere/migrate", ""),
        ("shop:batch/CronJob:shop/migrate", ""),
        ("", ""),
    ],
)
def test_a_copied_annotation_does_not_make_an_object_one_of_an_application(tracking, application):
    metadata = {"name": "migrate", "namespace": "shop", "annotations": {"argocd.argoproj.io/tracking-id": tracking}}
    assert application_of({"kind": "Job", "metadata": metadata}) == application
    # The items of a list do not say their kind.
    assert application_of({"metadata": metadata}) == application or tracking == "shop:batch/CronJob:shop/migrate"


def test_an_object_without_a_namespace_may_be_tracked_in_that_of_its_application():
    annotations = {"argocd.argoproj.io/tracking-id": "shop:/Namespace:shop/data"}
    assert application_of({"kind": "Namespace", "metadata": {"name": "data", "annotations": annotations}}) == "shop"
    other_group = {
        "apiVersion": "x.io/v1",
        "kind": "Namespace",
        "metadata": {"name": "data", "annotations": annotations},
    }
    assert application_of(other_group) == ""
    copied = {"kind": "Namespace", "metadata": {"name": "copy", "annotations": annotations}}
    assert application_of(copied) == ""
