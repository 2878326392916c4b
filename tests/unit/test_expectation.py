# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What falls short of an expectation, in sentences that never have the value of a Secret."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.expectation import Expectation, Reader, judge

KINDS = {
    "Secret": ("secrets", True),
    "ConfigMap": ("configmaps", True),
    "Service": ("services", True),
    "ClusterIssuer": ("clusterissuers", False),
}


class Api:
    """Has objects by path."""

    def __init__(self, **objects):
        self.objects, self.asked = objects, []

    def resource(self, item):
        return KINDS.get(item["kind"])

    def request(self, _method, path, query=None):
        self.asked.append(path + (f"?{query['labelSelector']}" if query else ""))
        found = self.objects.get(path.removeprefix("/api/v1/").removeprefix("/apis/cert-manager.io/v1/"))
        if isinstance(found, int):
            return found, {"message": "no rights"}
        return (200, found) if found is not None else (404, {"message": "not found"})


def secret(namespace="minio", **values):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}, "data": data}


def service(**spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def sentences(api, **expected):
    answers = judge(Reader(api), Expectation(**expected))
    return [answer.sentence for answer in answers]


def of_secret(*objects, **expected):
    paths = {f"namespaces/{item['metadata']['namespace']}/secrets/s": item for item in objects}
    (sentence,) = sentences(Api(**paths), kind="Secret", name="s", namespace="minio", **expected)
    assert "hunter2" not in sentence
    return sentence


def test_what_is_missing_is_named_with_the_next_command():
    assert of_secret() == "Secret minio/s: it does not exist. kubectl get secrets -n minio"
    assert of_secret(hint="Make it") == "Secret minio/s: it does not exist. Make it"


def test_what_need_not_exist_is_fine_without():
    assert sentences(Api(), kind="Secret", name="s", namespace="minio", required=False) == []
    assert sentences(Api(), api_version="x.io/v1", kind="Unknown", name="s", required=False) == []


def test_a_kind_that_the_cluster_does_not_know():
    assert sentences(Api(), api_version="x.io/v1", kind="Unknown", name="s") == [
        "Unknown s: the cluster does not know the kind Unknown of x.io/v1. Is its operator installed?"
    ]


def test_what_cannot_be_read():
    denied = {"namespaces/minio/secrets/s": 403, "namespaces/minio/secrets": 403}
    assert sentences(Api(**denied), kind="Secret", name="s", namespace="minio") == [
        "Secret minio/s: it cannot be read: no rights. Does the kubeconfig have the right to get it?"
    ]
    assert sentences(Api(**denied), kind="Secret", namespace="minio") == [
        "Secret minio/*: they cannot be listed: no rights. Does the kubeconfig have the right to list them?"
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"password": "hunter2hunter2", "user": "admin"}, ""),
        ({"user": "admin"}, "it has no password"),
        ({"password": "", "user": "admin"}, "it has no password"),
        ({"password": "hunter2", "user": "admin"}, "its password is not what it must be"),
        ({"password": "hunter2hunter2", "user": "administrator"}, "its user is not what it must be"),
    ],
)
def test_the_keys_of_a_secret(values, expected):
    said = of_secret(secret(**values), data={"password": ".{8}", "user": "^admin$"})
    assert said == (f"Secret minio/s: {expected}. kubectl describe secrets -n minio s" if expected else "")


def test_no_field_of_a_secret_is_shown():
    said = of_secret(secret(password="hunter2"), fields={"data.password": "x"})
    assert said.startswith("Secret minio/s: its data.password is not what it must be.")
    assert of_secret(secret() | {"type": "Opaque"}, fields={"type": "Other"}).startswith(
        "Secret minio/s: type is Opaque, not Other."
    )


def test_a_value_that_is_not_base64_is_missing():
    assert "it has no password" in of_secret(secret() | {"data": {"password": "x"}}, data={"password": "."})


def test_a_copy():
    copy_of = {"namespace": "kafka", "name": "s", "keys": ["ca.crt"]}
    original = secret("kafka", **{"ca.crt": "hunter2"})
    assert of_secret(secret(**{"ca.crt": "hunter2"}), original, same_data=copy_of) == ""
    said = of_secret(secret(**{"ca.crt": "old hunter2"}), original, same_data=copy_of)
    assert said.startswith("Secret minio/s: its ca.crt is not that of Secret kafka/s.")
    said = of_secret(secret(**{"ca.crt": "hunter2"}), same_data=copy_of)
    assert said.startswith("Secret minio/s: its source Secret kafka/s cannot be read.")


def test_every_namespace_that_matches_but_that_of_the_original():
    names = ["kafka", "services", "services-eu", "kube-system"]
    api = Api(namespaces={"items": [{"metadata": {"name": name}} for name in names]})
    copy_of = {"namespace": "kafka", "name": "s", "keys": ["ca.crt"]}
    said = sentences(api, kind="Secret", name="s", namespaces=("services.*", "kafka"), same_data=copy_of)
    assert [sentence.split(":")[0] for sentence in said] == ["Secret services/s", "Secret services-eu/s"]
    with pytest.raises(GitopsError, match=r"^Namespaces cannot be listed: no rights$"):
        sentences(Api(namespaces=403), kind="Secret", name="s", namespaces=(".*",))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"spec.ports.0.port": 80, "spec.ports.*.port": 443}, ""),
        ({"spec.ports.*.port": [80, 443]}, ""),
        ({"spec.ports.0.port": 81}, "spec.ports.0.port is 80, not 81"),
        ({"spec.ports.*.port": 81}, "no spec.ports.*.port is 81"),
        ({"spec.ports.*.port": [80]}, "no spec.ports.*.port is [80]"),
        ({"spec.ports.7.port": 81}, "it has no spec.ports.7.port, which must be 81"),
        ({"spec.ports.x": 81}, "it has no spec.ports.x, which must be 81"),
        ({"spec.type.x": 81}, "it has no spec.type.x, which must be 81"),
    ],
)
def test_fields(fields, expected):
    api = Api(**{"namespaces/default/services/web": service(type="x", ports=[{"port": 80}, {"port": 443}])})
    (said,) = sentences(api, kind="Service", name="web", namespace="default", fields=fields)
    assert said == (f"Service default/web: {expected}. kubectl describe services -n default web" if expected else "")


def test_host_names():
    api = Api(**{"namespaces/default/services/web": service(hostnames=["a.example.com"])})
    (said,) = sentences(api, kind="Service", name="web", namespace="default", hostnames=("a.example.com", "b"))
    assert said.startswith("Service default/web: it has no host name b, only a.example.com.")


def test_a_condition_that_must_be_there():
    issuer = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "ca"}}
    expected = {"api_version": "cert-manager.io/v1", "kind": "ClusterIssuer", "name": "ca"}
    api = Api(**{"clusterissuers/ca": issuer})
    assert sentences(api, **expected) == [""]
    assert sentences(api, **expected, conditions=("Ready",)) == [
        "ClusterIssuer ca: condition Ready is missing: no controller has reported it. "
        "kubectl describe clusterissuers.cert-manager.io ca"
    ]
    assert sentences(api, **expected, conditions=("Ready",), ready=False)[0]


def test_all_objects_of_a_kind_are_read_by_one_request():
    items = [{"metadata": {"name": name, "namespace": "default"}, "spec": {"type": name}} for name in ("a", "b")]
    api = Api(**{"namespaces/default/services": {"items": items}})
    expected = {"kind": "Service", "namespace": "default", "fields": {"spec.type": "a"}}
    assert sentences(api, **expected, label_selectors=("x=y", "z")) == [
        "",
        "Service default/b: spec.type is b, not a. kubectl describe services -n default b",
    ]
    assert api.asked == ["/api/v1/namespaces/default/services?x=y,z"]


def test_an_object_is_read_once():
    api = Api(**{"namespaces/default/services/web": service()})
    reader, expected = Reader(api), Expectation(kind="Service", name="web", namespace="default")
    judge(reader, expected)
    judge(reader, expected)
    assert api.asked == ["/api/v1/namespaces/default/services/web"]
