# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of role common: login, data, settings, replicas, logical replication.

No backup and no restore: the plugin that makes them cannot be had as an ordinary package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from integration.conftest import ARGO, DEPLOY, message, words

from .clients import NAMESPACE, Database
from .environment import RealEnvironment
from .node.processes import eventually

LOGGED_IN = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture
def row(database: Database) -> Iterator[str]:
    """Write a row, and return the statement that reads it."""
    yield database.keep("words")
    database.sql("DROP TABLE words")


def test_a_service_logs_in_with_the_generated_password_over_verified_tls(database):
    assert database.sql(LOGGED_IN) == "admin|t"
    assert database.sql(LOGGED_IN, PGHOST="cnpg-cluster-rw.services.svc.cluster.local") == "admin|t"


def test_a_wrong_password_and_a_host_name_that_is_not_certified_are_refused(cluster, database):
    assert "password authentication failed" in database.attempt_sql("SELECT 1", PGPASSWORD="wrong").stderr
    address = cluster.get("service", "cnpg-cluster-rw", NAMESPACE)["spec"]["clusterIP"]
    assert "does not match host name" in database.attempt_sql("SELECT 1", PGHOST=address).stderr


def test_data_outlive_a_pod_that_is_killed(site, cluster, database, row):
    """One second is too short for a shutdown: PostgreSQL recovers from its log."""
    (pod,) = database.instances("primary")
    began = database.sql("SELECT pg_postmaster_start_time()")
    cluster.kubectl("delete", pod, "-n", NAMESPACE, "--grace-period=1")
    database.await_sql(row, "kept")
    assert database.sql("SELECT pg_postmaster_start_time()") != began
    eventually(lambda: health(site) == "Healthy", "Application common")


def health(site: RealEnvironment) -> str:
    application = site.live(f"{ARGO}/applications/common")
    assert application
    return str(application["status"]["health"]["status"])


def test_a_parameter_that_needs_a_restart_does_not_fail_the_run(site, database, row):
    assert database.sql("SHOW max_connections") == "200"
    parameters = {"common_postgresql_parameters": {"max_connections": "210"}}
    words(site.site(*DEPLOY, "-e", json.dumps(parameters)))
    assert database.sql("SHOW max_connections") == "210"
    assert database.sql(row) == "kept"
    words(site.site(*DEPLOY))
    # A lower value restarts the server a little after the operator has called its Cluster healthy.
    database.await_sql("SHOW max_connections", "200")
    assert database.sql(row) == "kept"


def test_a_volume_that_cannot_shrink_stops_the_run_before_the_commit_and_the_next_run_goes_on(site, database, row):
    said = message(site.site(*DEPLOY, "-e", json.dumps({"common_storage_size": "2Gi"})), site)
    assert "spec.storage.size of Cluster services/cnpg-cluster is 4Gi and would be 2Gi. Volumes only grow" in said, said
    words(site.site(*DEPLOY))
    assert database.sql(row) == "kept"


def test_what_only_the_webhook_of_the_operator_refuses_is_named_and_the_next_run_recovers(site, database, row):
    fixed = {"common_postgresql_parameters": {"port": "5433"}, "gitops_converge_timeout": 180}
    said = message(site.site(*DEPLOY, "-e", json.dumps(fixed)), site)
    assert 'admission webhook "vcluster.cnpg.io" denied the request' in said, said
    assert 'spec.postgresql.parameters.port: Invalid value: "5433"' in said, said
    words(site.site(*DEPLOY))
    assert database.sql(row) == "kept"


def test_a_quantity_that_kubernetes_would_write_otherwise_stays_synced(site, cluster, database, row):
    def cpu() -> str:
        return cluster.kubectl(
            "get", *database.instances(), "-n", NAMESPACE, "-o", "jsonpath={.spec.containers[0].resources.requests.cpu}"
        )

    before = cpu()
    given = {
        "common_postgresql_resources": {"requests": {"cpu": "0.2", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}
    }
    words(site.site(*DEPLOY, "-e", json.dumps(given)))
    live = cluster.get("clusters.postgresql.cnpg.io", "cnpg-cluster", NAMESPACE)
    assert live["spec"]["resources"]["requests"]["cpu"] == "0.2"
    eventually(lambda: cpu() == "200m", "the new pod of the database")
    assert "changed=0 " in words(site.site(*DEPLOY, "-e", json.dumps(given)))
    words(site.site(*DEPLOY))
    eventually(lambda: cpu() == before, "the former pod of the database")
    database.await_sql(row, "kept")


def test_a_second_instance_follows_the_first_and_goes_again(site, database, row):
    words(site.site(*DEPLOY, "-e", "common_instances=2"))
    assert database.sql("SELECT pg_is_in_recovery()", PGHOST="cnpg-cluster-ro") == "t"
    database.sql("UPDATE words SET word = 'followed'")
    database.await_sql(row, "followed", seconds=30, PGHOST="cnpg-cluster-ro")
    words(site.site(*DEPLOY))
    assert len(database.instances()) == 1
    assert database.sql(row) == "followed"


def test_a_subscription_receives_the_row_of_a_publication(database, row):
    """Between two databases of one server: then the slot must exist before the subscription."""
    password = database.run("printenv", "PGPASSWORD")
    ca = "/controller/certificates/server-ca.crt"  # where CloudNativePG keeps it in the pod of the server
    source = f"host=cnpg-cluster-rw dbname=app user=admin password={password} sslmode=verify-full sslrootcert={ca}"
    subscriber = {"PGDATABASE": "subscriber"}
    database.sql("CREATE PUBLICATION words FOR TABLE words")
    database.sql("SELECT pg_create_logical_replication_slot('words', 'pgoutput')")
    database.sql("CREATE DATABASE subscriber")
    database.sql("CREATE TABLE words (word text)", **subscriber)
    options = "PUBLICATION words WITH (create_slot = false)"
    database.sql(f"CREATE SUBSCRIPTION words CONNECTION '{source}' {options}", **subscriber)
    database.await_sql(row, "kept", seconds=30, **subscriber)
    database.sql("INSERT INTO words VALUES ('published')")
    database.await_sql(row, "kept\npublished", seconds=30, **subscriber)
    database.sql("DROP SUBSCRIPTION words", **subscriber)
    database.sql("DROP DATABASE subscriber")
    database.sql("DROP PUBLICATION words")
