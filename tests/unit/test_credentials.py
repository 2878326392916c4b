# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials are generated, how old they are, and how each kind is rotated; the modules against made answers."""

from __future__ import annotations

import base64
import re
from datetime import datetime

import pytest
from ansible_collections.monorepo.gitops.plugins.filter.status import old_secrets
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import credentials
from ansible_collections.monorepo.gitops.plugins.modules import secret_info, secret_regenerate

from .running import run_module
from .test_secret_regenerate import external

NOW = datetime.fromisoformat("2026-11-27T12:00:00Z")
MADE = "2026-11-20T12:00:00Z"
SECRETS = "/api/v1/namespaces/argocd/secrets"
SECRET_KINDS = [{"name": "secrets", "kind": "Secret", "namespaced": True}]


def item(namespace, name, *, made=MADE, rotated="", **more):
    annotations = {credentials.ROTATED: rotated} if rotated else {}
    metadata = {"namespace": namespace, "name": name, "creationTimestamp": made, "annotations": annotations, "uid": "1"}
    return {"metadata": metadata} | more


def generated(namespace, name, made=MADE):
    found = external(namespace, name, application=name)
    found["metadata"]["creationTimestamp"] = made
    return found


def encoded(text):
    return base64.b64encode(text.encode()).decode()


KAFKA = item("kafka", "app", rotated="2026-11-27T11:00:00Z", spec={"authentication": {"type": "scram-sha-512"}})
CERTIFICATE = item("kafka", "pipeline", spec={"authentication": {"type": "tls"}})
DATABASE = item("services", "database", spec={"bootstrap": {"initdb": {"owner": "app"}}})
REDIS = item("argocd", "argocd-redis", data={"auth": encoded("old password of redis")})
ADMIN = {"admin.password": encoded("$2a$10$hash"), "admin.passwordMtime": encoded("2026-11-26T12:00:00Z")}
ARGOCD = item("argocd", "argocd-secret", data=ADMIN | {"server.secretkey": encoded("key")})
ANSWERS = {
    "/apis/external-secrets.io/v1/externalsecrets": {
        "items": [generated("minio", "minio-bucket-a"), generated("minio", "minio-root"), generated("a", "login")]
    },
    "/apis/kafka.strimzi.io/v1beta2/kafkausers": {"items": [KAFKA, CERTIFICATE]},
    "/apis/postgresql.cnpg.io/v1/clusters": {"items": [DATABASE]},
    f"{SECRETS}/argocd-redis": REDIS,
    f"{SECRETS}/argocd-secret": ARGOCD,
}


def names(entries):
    return [f"{entry['namespace']}/{entry['name']}" for entry in entries]


def answering(**changed):
    """Return what answers requests; an answer that is changed has its status."""
    answers = {path: (200, found) for path, found in ANSWERS.items()}
    answers |= {path: found for path in ANSWERS for name, found in changed.items() if path.endswith(name)}
    return lambda _method, path: answers.get(path, (404, {}))


def read(server, **options):
    return run_module(secret_info, kubeconfig=server.kubeconfig, **options)


def test_they_are_found_in_the_order_in_which_they_are_rotated(api_server):
    result = read(api_server(answering()))
    assert names(result["secrets"]) == [
        "services/database-app",
        "minio/minio-root",
        "a/login",
        "minio/minio-bucket-a",
        "kafka/app",
        "argocd/argocd-redis",
        "argocd/argocd-secret",
    ]
    assert (result["changed"], result["unreadable"]) == (False, [])
    values = re.compile("old password|" + "|".join([encoded("old password of redis"), *ADMIN.values()]))
    assert not values.search(str(result))
    assert result["secrets"][4] | {"age": 0, "due": True} == {
        "namespace": "kafka",
        "name": "app",
        "made_by": "KafkaUser",
        "owner": "app",
        "application": "",
        "made_at": "2026-11-27T11:00:00Z",
        "age": 0,
        "due": True,
        "restarts": [],
    }
    assert result["secrets"][6]["restarts"] == [{"kind": "Deployment", "namespace": "argocd", "name": "argocd-server"}]


def test_a_right_that_is_missing_is_named_and_the_rest_is_returned(api_server):
    forbidden = (403, {"message": "forbidden"})
    result = read(api_server(answering(kafkausers=forbidden, **{"argocd-secret": forbidden})))
    assert result["unreadable"] == ["kafkausers", "secrets/argocd-secret"]
    assert {"kafka/app", "argocd/argocd-secret"} & {*names(result["secrets"])} == set()
    assert len(result["secrets"]) == 5


def test_an_answer_that_nobody_expects_is_not_taken_for_an_empty_cluster(api_server):
    assert read(api_server(answering(kafkausers=(405, {"message": "not allowed"}))))["msg"] == (
        "/apis/kafka.strimzi.io/v1beta2/kafkausers cannot be read: not allowed"
    )


def test_some_can_be_chosen_and_a_name_that_nothing_generates_is_refused(api_server):
    server = api_server(answering(clusters=(404, {}), kafkausers=(404, {}), externalsecrets=(404, {})))
    assert names(read(server, secrets=["argocd/argocd-redis"])["secrets"]) == ["argocd/argocd-redis"]
    assert read(server, secrets=["argocd/argocd-redis", "shop/login"])["msg"] == (
        "No credential shop/login is generated in this cluster, only argocd/argocd-redis, argocd/argocd-secret."
    )
    with pytest.raises(GitopsError, match=re.escape("nor any other.")):
        credentials.only([], ["a/b"])


@pytest.mark.parametrize(
    ("bootstrap", "expected"),
    [
        (None, ["services/database-app"]),
        ({"initdb": None}, ["services/database-app"]),
        ({"initdb": {"secret": {"name": "own"}}}, []),
        ({"recovery": {"source": "other"}}, []),
    ],
)
def test_the_owner_of_a_database_has_a_generated_password_unless_somebody_provides_it(bootstrap, expected):
    spec = {"bootstrap": bootstrap} if bootstrap else {}
    assert names(credentials.of_clusters([item("services", "database", spec=spec)])) == expected


def test_an_admin_that_is_switched_off_has_no_password():
    assert credentials.of_argocd(None, item("argocd", "argocd-secret", data={"server.secretkey": "a2V5"})) == []
    assert credentials.of_argocd(None, item("argocd", "argocd-secret")) == []


def test_what_is_due_is_decided_to_the_second():
    entries = credentials.of_external([generated("a", "login")])
    later = NOW.replace(second=1)
    assert [entry["due"] for age in (7, 8) for entry in credentials.with_ages(entries, age, NOW)] == [True, False]
    assert credentials.with_ages(entries, 7, later)[0]["age"] == 7
    # The clock of this machine may be behind that of the cluster.
    assert credentials.with_ages(entries, 0, NOW.replace(year=2025))[0] == entries[0] | {"age": 0, "due": True}


def test_the_warning_names_what_is_due():
    entries = [{"namespace": "a", "name": name, "age": 400, "due": due} for name, due in (("b", True), ("c", False))]
    assert old_secrets(entries, 365) == [
        "Generated credentials are older than gitops_secrets_max_age, which is 365 days: a/b (400 days). Next: "
        "ansible-playbook monorepo.gitops.rotate_secrets"
    ]
    assert old_secrets(entries[1:], 365) == []


def rotate(server, check=False, **options):
    return run_module(secret_regenerate, check, kubeconfig=server.kubeconfig, **options)


class Recorder:
    """An API server that has one Secret, which is gone once it was deleted."""

    def __init__(self, secret):
        self.secret, self.gone = secret, False

    def __call__(self, method, path):
        if path == "/api/v1":
            return 200, {"resources": SECRET_KINDS}
        if method == "PATCH":
            return 200, {"metadata": {}}
        self.gone = self.gone or method == "DELETE"
        return (404, {}) if self.gone else (200, self.secret)


SECRET_OBJECT = {"apiVersion": "v1", "kind": "Secret"} | item("kafka", "app")
OWNER = "/apis/kafka.strimzi.io/v1beta2/namespaces/kafka/kafkausers/app"


def test_the_secret_of_an_operator_is_deleted_before_its_object_changes(api_server):
    server = api_server(Recorder(SECRET_OBJECT))
    result = rotate(server, secret="kafka/app", made_by="KafkaUser", owner="app")
    assert server.writes() == ["DELETE /api/v1/namespaces/kafka/secrets/app", f"PATCH {OWNER}"]
    assert (result["changed"], result["secrets"][0]["state"]) == (True, "present")


def test_a_secret_that_is_missing_is_made_again(api_server):
    server = api_server(lambda method, _path: (200, {}) if method == "PATCH" else (404, {}))
    assert rotate(server, secret="kafka/app", made_by="KafkaUser", owner="app")["secrets"][0]["state"] == "missing"
    assert server.writes() == [f"PATCH {OWNER}"]


@pytest.mark.parametrize("name", ["argocd-redis", "argocd-secret"])
def test_those_of_argocd_are_changed_in_place(api_server, name):
    server = api_server(lambda method, _path: (200, REDIS if method == "GET" else {}))
    result = rotate(server, secret=f"argocd/{name}", made_by="Argo CD")
    assert server.writes() == [f"PATCH {SECRETS}/{name}"]
    assert result["changed"] is True


def test_new_data():
    first, second = (secret_regenerate.new_data("argocd-redis")["auth"] for _number in range(2))
    assert first != second
    assert re.fullmatch("[A-Za-z0-9]{64}", base64.b64decode(first).decode())
    assert secret_regenerate.new_data("argocd-secret") == {"admin.password": None, "admin.passwordMtime": None}


def test_a_refused_change_is_said_without_what_was_sent(api_server):
    server = api_server(lambda method, _path: (200, REDIS) if method == "GET" else (403, {"message": "no patch"}))
    assert rotate(server, secret="argocd/argocd-redis", made_by="Argo CD")["msg"] == (
        f"{SECRETS}/argocd-redis cannot be changed: no patch"
    )


def test_check_mode_rotates_nothing(api_server):
    server = api_server(Recorder(SECRET_OBJECT))
    assert rotate(server, True, secret="kafka/app", made_by="KafkaUser", owner="app")["changed"] is True
    assert server.writes() == []


def test_the_secret_is_named_with_its_namespace(api_server):
    server = api_server(Recorder(SECRET_OBJECT))
    assert rotate(server, secret="app", made_by="KafkaUser", owner="app")["msg"] == (
        "secret is 'app': with made_by it must be <namespace>/<name>."
    )
    assert server.writes() == []
