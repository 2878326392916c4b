# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a database, and the Cluster that begins from one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.monorepo.gitops.plugins.filter import database as filters
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects import database
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.database import Request

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
STORE = {"barmanObjectName": "cnpg-cluster-backups", "serverName": "cnpg-cluster"}
ARCHIVER = {"name": database.PLUGIN, "isWALArchiver": True, "parameters": STORE}
ZONE = "write it as 2026-11-27T02:55:00Z for UTC, or with an offset as in 2026-11-27T03:55:00+01:00"


def cluster(name="cnpg-cluster", uid="now", **spec):
    fields = {"instances": 3, "imageName": "postgres:17", "storage": {"size": "4Gi"}, "plugins": [ARCHIVER]}
    metadata = {"name": name, "namespace": "services", "uid": uid}
    return {"metadata": metadata, "spec": fields | {"bootstrap": {"initdb": {"database": "app", "owner": "me"}}} | spec}


def backup(name, day, phase="completed", of="cnpg-cluster", **status):
    metadata = {"name": name, "namespace": "services", "creationTimestamp": f"2026-11-{day}T02:00:00Z"}
    done = {"backupId": f"202611{day}T020000", "stoppedAt": f"2026-11-{day}T02:10:00Z"} if phase == "completed" else {}
    return {"metadata": metadata, "spec": {"cluster": {"name": of}}, "status": {"phase": phase} | done | status}


BACKUPS = [
    backup("monday", 23),
    backup("failed", 24, "failed", error="the bucket is full."),
    backup("newest", 26),
    backup("running", 27, "running"),
    backup("other", 20, of="another"),
]


def restored(source=None, backups=None, others=(), **request):
    request = {"new_cluster": "copy"} | request
    items = BACKUPS if backups is None else backups
    return database.restored(Request(**request), source or cluster(), items, list(others), NOW)


def refused(**given):
    with pytest.raises(GitopsError) as error:
        restored(**given)
    return str(error.value)


def test_the_newest_state_is_restored_into_a_cluster_that_archives_nothing():
    assert restored() == {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {
            "name": "copy",
            "namespace": "services",
            "labels": {"app.kubernetes.io/name": "copy", "app.kubernetes.io/part-of": "database-restore"},
        },
        "spec": {
            "instances": 1,
            "imageName": "postgres:17",
            "storage": {"size": "4Gi"},
            "bootstrap": {"recovery": {"source": "backup", "database": "app", "owner": "me"}},
            "externalClusters": [
                {
                    "name": "backup",
                    "plugin": {"name": database.PLUGIN, "enabled": True, "isWALArchiver": False, "parameters": STORE},
                }
            ],
        },
    }


def test_what_needs_several_instances_or_the_name_of_the_other_cluster_is_left_out():
    other = {"name": "audit.example.com"}
    spec = restored(
        cluster(
            certificates={"serverTLSSecret": "cnpg-cluster-tls"},
            plugins=[ARCHIVER, other],
            postgresql={"parameters": {"max_connections": "200"}, "synchronous": {"number": 1}},
            managed={"roles": [{"name": "admin"}], "services": {"additional": []}},
            minSyncReplicas=1,
            primaryUpdateStrategy="supervised",
        )
    )["spec"]
    assert spec["plugins"] == [other]
    # A recovery needs at least the limits of the database that was backed up.
    assert spec["postgresql"] == {"parameters": {"max_connections": "200"}}
    assert spec["managed"] == {"roles": [{"name": "admin"}]}
    assert not {"certificates", "minSyncReplicas", "primaryUpdateStrategy"} & spec.keys()


def recovery(**given):
    return restored(**given)["spec"]["bootstrap"]["recovery"].get("recoveryTarget")


def test_a_backup_is_restored_to_its_end_and_not_beyond():
    assert recovery(backup="monday") == {"backupID": "20261123T020000", "targetImmediate": True}


def test_a_time_is_given_to_the_operator_in_utc():
    assert recovery(time="2026-11-27T03:55:00+01:00") == {"targetTime": "2026-11-27T02:55:00Z"}
    assert recovery(time="2026-11-27 02:55:00Z") == {"targetTime": "2026-11-27T02:55:00Z"}


def test_a_cluster_archives_to_the_folder_of_its_name_unless_it_has_another():
    plugin = {"name": database.PLUGIN, "parameters": {"barmanObjectName": "store"}}
    assert database.archiver(cluster(plugins=[plugin])) == {"barmanObjectName": "store", "serverName": "cnpg-cluster"}
    assert database.archiver(cluster(plugins=[plugin | {"enabled": False}])) == {}
    assert database.archiver({"metadata": {"name": "x"}, "spec": {}}) == {}


OLD = backup("monday", 23, pluginMetadata={"clusterUID": "deleted"})


def test_backups_of_an_earlier_cluster_of_that_name_are_in_another_folder():
    assert refused(backups=[OLD], backup="monday") == (
        "Backup monday was made by an earlier Cluster services/cnpg-cluster: name its folder in the bucket with "
        "server_name."
    )
    assert database.oldest_state(cluster(), [OLD, BACKUPS[2]]) == "2026-11-26T02:10:00Z"
    found = restored(backups=[OLD], backup="monday", server_name="before")["spec"]
    assert found["externalClusters"][0]["plugin"]["parameters"]["serverName"] == "before"
    assert found["bootstrap"]["recovery"]["recoveryTarget"]["backupID"] == "20261123T020000"
    # Argo CD made the Cluster again, empty, after somebody deleted it: its own folder has the backups of the other one.
    assert recovery(backups=[OLD], backup="monday", server_name="cnpg-cluster")["backupID"] == "20261123T020000"
    assert recovery(backups=[OLD], server_name="cnpg-cluster") is None


def test_in_a_folder_that_is_named_the_operator_looks_for_the_backups():
    assert recovery(backups=[], server_name="before") is None
    assert recovery(backups=[], server_name="before", time="2020-01-01T00:00:00Z") == {
        "targetTime": "2020-01-01T00:00:00Z"
    }
    assert recovery(backups=[], server_name="before", backup="20261101T020000")["backupID"] == "20261101T020000"
    assert refused(backups=[], server_name="before", backup="first") == (
        "Cluster services/cnpg-cluster has no backup first; those that can be restored: none."
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"backup": "monday", "time": "2026-11-27T02:55:00Z"},
            "backup and time are both given: a restore ends with a backup or at a time, not both.",
        ),
        (
            {"backup": "sunday"},
            "Cluster services/cnpg-cluster has no backup sunday; those that can be restored: newest, monday.",
        ),
        (
            {"backup": "other"},
            "Cluster services/cnpg-cluster has no backup other; those that can be restored: newest, monday.",
        ),
        ({"backup": "failed"}, "Backup failed failed: the bucket is full. Name one that is completed."),
        ({"backup": "running"}, "Backup running is running, not completed. Wait until it is, or name another one."),
        ({"time": "yesterday"}, f"time is yesterday, which is not a time: {ZONE}."),
        ({"time": "2026-11-27 02:55"}, f"time is 2026-11-27 02:55, which has no time zone: {ZONE}."),
        (
            {"time": "2026-11-27T03:00:01Z"},
            "time is 2026-11-27T03:00:01Z, which is in the future: it is 2026-11-27T03:00:00Z now.",
        ),
        (
            {"time": "2026-11-23T02:09:59Z"},
            "time is 2026-11-23T02:09:59Z, before the first backup: monday was complete at 2026-11-23T02:10:00Z, and "
            "no earlier state can be restored.",
        ),
        (
            {"new_cluster": "cnpg-cluster"},
            "new_cluster is cnpg-cluster, the database whose backups are restored. A restore never writes over a "
            "database: give another name, such as cnpg-cluster-restored.",
        ),
        (
            {"new_cluster": "Copy"},
            "new_cluster is Copy: a name has at most 50 lower-case letters, digits and hyphens, and begins with a "
            "letter.",
        ),
        (
            {"new_cluster": "x" * 51},
            f"new_cluster is {'x' * 51}: a name has at most 50 lower-case letters, digits and hyphens, and begins "
            "with a letter.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_restored_is_refused_in_one_sentence(given, expected):
    assert refused(**given) == expected


@pytest.mark.parametrize("backups", [[], BACKUPS[1:2], [OLD], [backup("snapshot", 23, backupId="")]])
def test_without_a_usable_backup_there_is_nothing_to_restore(backups):
    assert refused(backups=backups) == (
        "There is nothing to restore: Cluster services/cnpg-cluster has no completed backup. If the bucket has those "
        "of an earlier one, name their folder with server_name."
    )
    assert database.oldest_state(cluster(), backups) == ""


def test_a_snapshot_of_a_volume_is_not_in_the_bucket():
    assert refused(backups=[backup("snapshot", 23, backupId="")], backup="snapshot") == (
        "Backup snapshot has no backupId, so it is not in the bucket. Name another one."
    )


def test_a_name_is_taken_unless_it_is_that_of_the_same_restore():
    """The operator fills in fields, and the other Cluster may have changed since."""
    first = restored(time="2026-11-27T02:55:00Z")
    first["spec"]["bootstrap"]["recovery"] |= {"database": "app", "owner": "me"}
    first["spec"]["externalClusters"][0]["plugin"].pop("enabled")
    same = restored(cluster(storage={"size": "8Gi"}), others=[first], time="2026-11-27T02:55:00Z")
    assert same["metadata"] == first["metadata"]
    taken = (
        "new_cluster is copy, and Cluster services/copy already exists with other contents. A restore never writes "
        "over a database: give another name."
    )
    assert refused(others=[first], time="2026-11-27T02:54:00Z") == taken
    assert refused(others=[first]) == taken
    assert refused(others=[cluster("copy")]) == taken


def test_a_table_of_the_backups_has_the_newest_first_with_its_age():
    begun = "2026-11-2{}T02:00:00Z"
    assert [tuple(row.values()) for row in database.rows([*BACKUPS, backup("new", 27, "")], "cnpg-cluster", NOW)] == [
        ("running", begun.format(7), "1h0m", "running", ""),
        ("new", begun.format(7), "1h0m", "not begun", ""),
        ("newest", begun.format(6), "1d1h", "completed", ""),
        ("failed", begun.format(4), "3d1h", "failed", "the bucket is full."),
        ("monday", begun.format(3), "4d1h", "completed", ""),
    ]


def test_an_age_has_two_units_and_is_never_negative():
    ages = [timedelta(seconds=seconds) for seconds in (-5, 59, 3599, 86399, 90000)]
    assert [database.age(passed) for passed in ages] == ["0m", "0m", "59m", "23h59m", "1d1h"]


def test_the_variables_restore_the_database_itself_to_the_same_state():
    found = restored(backup="monday")
    assert database.variables(cluster(), found, NOW) == {
        "common_bootstrap": found["spec"]["bootstrap"],
        "common_external_clusters": found["spec"]["externalClusters"],
        "common_backup_server_name": "cnpg-cluster-20261127030000",
    }


def test_the_filters_return_the_reason_or_what_to_do():
    found = filters.FilterModule().filters()
    arguments = {"new_cluster": "copy", "backup": "", "time": "", "server_name": "", "timeout": 1}
    restore = found["database_restore"]
    assert restore(cluster(), BACKUPS, [], arguments)["cluster"]["metadata"]["name"] == "copy"
    assert restore(cluster(), [], [], arguments)["problem"].startswith("There is nothing to restore")
    assert found["database_backups"](BACKUPS, "another")[0]["name"] == "other"
