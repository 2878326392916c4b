# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report says, put together from what a playbook knows."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jsonschema
import pytest
import reference
from ansible_collections.monorepo.gitops.plugins.module_utils._report import changes, history, timeline, words
from ansible_collections.monorepo.gitops.plugins.module_utils._report.assembly import assemble, clean

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "roles" / "report" / "files" / "report.schema.json").read_text())
COMMIT, OTHER = "1" * 40, "2" * 40
START = "2026-11-27T21:10:00Z"
COMMANDS = {
    name: f"ansible-playbook monorepo.gitops.{name} -i inventories/dev" for name in ("status", "resume", "verify")
}


def at(second: int) -> str:
    return f"2026-11-27T21:{10 + second // 60}:{second % 60:02d}Z"


def component(name, *needs, stage=0, **more):
    return {"name": name, "layer": "infra", "stage": stage, "depends_on": list(needs)} | more


def waited(name, state="ready", reason="", **more):
    healthy = {"ready": "Healthy", "waiting": "Progressing", "failed": "Degraded"}[state]
    return {
        "name": name,
        "state": state,
        "reason": reason,
        "paused": "",
        "sync": "Synced",
        "health": healthy,
        "revision": COMMIT,
        "seconds": 4.0,
    } | more


def found(name, begun=None, ended=None, healthy=None, **more):
    operation = {"running": False, "started_at": at(begun) if begun else "", "finished_at": at(ended) if ended else ""}
    return {
        "name": name,
        "state": "Healthy",
        "reasons": [],
        "created_at": at(begun - 1) if begun else "2026-11-01T00:00:00Z",
        "health_changed_at": at(healthy) if healthy else "",
        "phase": "Succeeded",
        "operation": operation,
        "images": [f"registry.example.com/{name}:1.2.3"],
    } | more


FACTS = {
    "kind": "run",
    "environment": "dev",
    "rehearsal": False,
    "simulated": False,
    "started": START,
    "time": at(95),
    "published": at(20),
    "commit": COMMIT,
    "repository": {"url": "https://git.example.com/platform/monorepo.git", "branch": "main", "revision": "HEAD"},
    "cluster": {
        "server": "https://h",
        "uid": "u",
        "version": "v1.37.0",
        "context": "c",
        "kubeconfig": "/k",
        "other": "x",
    },
    "plan": {},
    "failure": {},
    "components": [
        component("strimzi"),
        component("kafka", "strimzi", stage=1),
        component("kafka-ui", "kafka", stage=2),
    ],
    "waited": [waited("kafka"), waited("kafka-ui"), waited("strimzi")],
    "found": [found("strimzi", 30, 34, 40), found("kafka", 31, 45, 80), found("kafka-ui", 31, 50, 85)],
    "promotion": {},
    "warnings": [],
    "versions": {"Kubernetes": "v1.37.0", "Argo CD": "v3.6.1"},
    "commands": COMMANDS,
}
FAILURE = {"task": "Wait", "message": "kafka is not ready"}


def report(last=None, **facts):
    made = assemble(FACTS | facts, last)
    jsonschema.validate(made, SCHEMA)
    return made


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "tests/pages/fixtures").glob("*.json")))
def test_a_recorded_report_is_what_the_schema_says(name):
    jsonschema.validate(json.loads((ROOT / "tests/pages/fixtures" / name).read_text()), SCHEMA)


def test_the_reference_of_the_report_is_current():
    assert reference.REPORT.read_text() == reference.report(), "run python tests/reference.py"


def test_the_schema_refuses_what_it_does_not_name():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for change in ({"more": 1}, {"kind": "other"}, {"time": "yesterday"}, {"seconds": "1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(report() | change, SCHEMA)


PAUSED = "paused since 2026-11-27T20:00:00Z by anna (drill)"


@pytest.mark.parametrize(
    ("facts", "outcome", "verdict"),
    [
        ({}, "succeeded", "All 3 Applications of dev run commit 111111111111 and are healthy."),
        ({"commit": ""}, "succeeded", "All 3 Applications of dev are healthy."),
        (
            {"waited": [waited("kafka")]},
            "succeeded",
            "The only Application of dev runs commit 111111111111 and is healthy.",
        ),
        (
            {"waited": [waited("kafka", "failed", "x"), waited("strimzi", "waiting", "y")], "failure": FAILURE},
            "failed",
            "2 of 2 Applications of dev did not become ready: kafka and strimzi.",
        ),
        (
            {"failure": FAILURE},
            "failed",
            "The run failed in the step 'Wait', although all 3 Applications of dev are ready.",
        ),
        (
            {"failure": FAILURE, "kind": "promotion", "waited": [], "found": []},
            "failed",
            "The promotion stopped before it reached the Applications of dev, in the step 'Wait'.",
        ),
        (
            {"waited": [waited("kafka", "ready", f"{PAUSED}; OutOfSync", paused=PAUSED), waited("strimzi")]},
            "attention",
            "1 of 2 Applications of dev are ready; people have paused kafka.",
        ),
        (
            {"kind": "status", "found": [found("kafka", state="Degraded", reasons=["a", "b"]), found("strimzi")]},
            "attention",
            "1 of 2 Applications of dev needs attention: kafka.",
        ),
        ({"kind": "status"}, "succeeded", "All 3 Applications of dev are in sync with Git and healthy."),
        ({"kind": "status", "found": []}, "succeeded", "dev has no Applications."),
        (
            {"kind": "check", "plan": {"counts": {"created": 1, "changed": 2, "deleted": 0, "pruned": 4}}},
            "planned",
            "This was only a check, and nothing was changed. A run would create 1 Application, change 2 Applications "
            "and prune 4 objects in dev.",
        ),
        (
            {"kind": "check"},
            "planned",
            "This was only a check, and nothing was changed. A run would change nothing in dev.",
        ),
        (
            {"kind": "check", "failure": FAILURE},
            "failed",
            "The check of dev stopped in the step 'Wait'.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(facts, outcome, verdict):
    made = report(**facts)
    assert (made["verdict"], made["outcome"]) == (verdict, outcome)


def test_the_applications_come_by_layer_and_order_with_what_is_wrong_and_what_to_do():
    logs = "kubectl logs -n kafka kafka-0 --previous"
    late = waited("kafka", "failed", "Pod kafka/kafka-0: CrashLoopBackOff", paused=PAUSED, next_step=logs)
    made = report(waited=[late, waited("kafka-ui"), waited("strimzi")], failure=FAILURE)
    assert [entry["name"] for entry in made["applications"]] == ["strimzi", "kafka", "kafka-ui"]
    assert made["counts"] == {"applications": 3, "ready": 2, "waiting": 0, "failed": 1, "paused": 1}
    kafka = made["applications"][1]
    assert (kafka["state"], kafka["reason"]) == ("failed", "Pod kafka/kafka-0: CrashLoopBackOff")
    assert kafka["next"] == [logs, f"{COMMANDS['status']} -e app=kafka", f"{COMMANDS['resume']} -e app=kafka"]
    assert kafka["depends_on"] == ["strimzi"]
    assert made["applications"][0]["next"] == []


def test_a_status_knows_the_reasons_of_argo_cd_and_no_duration():
    made = report(kind="status", started="", found=[found("kafka", state="OutOfSync", reasons=["a", "b"])])
    assert (made["applications"][0]["state"], made["applications"][0]["reason"]) == ("waiting", "a\nb")
    assert (made["seconds"], made["applications"][0]["seconds"], made["timeline"]["summary"]) == (None, None, [])


def test_what_the_run_did_when_and_what_took_longest():
    found_times = report()["timeline"]
    assert found_times == {
        "published": at(20),
        "generated": at(30),
        "healthy": at(85),
        "unchanged": 0,
        "critical_path": ["strimzi", "kafka", "kafka-ui"],
        "summary": [
            "The run took 1 min 35 s: 20 s until commit 111111111111 was published, then 10 s until Argo CD had "
            "generated the Applications, then 55 s until the last Application was healthy.",
            "kafka-ui took longest: 54 s, of which 19 s to sync and 35 s until its objects were healthy.",
            "The critical path, the chain of dependencies that ended last, is strimzi → kafka → kafka-ui.",
        ],
    }


def test_what_was_there_before_the_run_is_not_in_its_timeline():
    made = report(published="2026-11-27T20:00:00Z", found=[found("strimzi"), found("kafka", 31, 45, 80)])
    times = {entry["name"]: entry["times"] for entry in made["applications"]}
    assert times["strimzi"] == timeline.UNTOUCHED
    assert times["kafka"] == {"generated": at(30), "sync_started": at(31), "synced": at(45), "healthy": at(80)}
    assert (made["timeline"]["published"], made["timeline"]["unchanged"]) == ("", 2)
    assert report(found=[])["timeline"]["summary"] == ["The run took 1 min 35 s. Argo CD had nothing to sync."]


def test_an_application_that_was_healthy_all_the_time_is_healthy_when_it_is_synced():
    times = timeline.of_application(
        found("kafka", 31, 45) | {"health_changed_at": "2026-11-01T00:00:00Z"}, "ready", START
    )
    assert times["healthy"] == at(45)
    assert timeline.of_application(found("kafka", 31, 45, 50), "failed", START)["healthy"] == ""
    running = found("kafka", 31) | {"operation": {"running": True, "started_at": at(31), "finished_at": at(33)}}
    assert timeline.of_application(running, "waiting", START)["synced"] == ""


def test_the_critical_path_of_a_failure_ends_with_what_the_others_waited_for():
    made = report(waited=[waited("kafka", "failed", "x"), waited("kafka-ui", "waiting", "y"), waited("strimzi")])
    assert made["timeline"]["critical_path"] == ["strimzi", "kafka"]
    assert timeline.critical_path([]) == []


def test_a_rehearsal_is_said_in_words_and_its_endpoints_are_simulated():
    endpoint = {"name": "Kafka UI", "url": "http://kafka.example.com", "protocol": "HTTP", "purpose": "Browse topics"}
    components = [component("kafka-ui", endpoints=[endpoint])]
    real, simulated = report(components=components), report(components=components, rehearsal=True, simulated=True)
    assert (real["note"], simulated["note"]) == ("", words.REHEARSAL)
    assert real["endpoints"] == [endpoint | {"application": "kafka-ui", "simulated": False}]
    assert simulated["endpoints"] == [endpoint | {"application": "kafka-ui", "simulated": True}]


def test_what_waits_for_promotion_has_its_difference_in_part():
    promotion = {"revision": "prod", "branch": "main", "behind": 2, "files": ["a"], "difference": "+x\n" * 450}
    made = report(promotion=promotion)["promotion"]
    assert made["difference"].splitlines()[399:] == ["+x", "… and 50 more lines"]
    assert {key: made[key] for key in ("revision", "branch", "behind", "files")} == {
        "revision": "prod",
        "branch": "main",
        "behind": 2,
        "files": ["a"],
    }
    assert report(promotion=promotion | {"behind": 0})["promotion"] == {}


def test_nothing_secret_is_in_a_report():
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    made = report(
        repository={"url": "https://anna:s3cret@git.example.com/platform.git"},
        failure={"task": "Push", "message": f"glpat-{'a' * 20} and {key} at https://token@git.example.com"},
        warnings=["-----BEGIN PRIVATE KEY-----\nMIIE"],
    )
    assert made["repository"]["url"] == "https://git.example.com/platform.git"
    assert made["failure"]["message"] == "(hidden) and (hidden) at https://git.example.com"
    assert made["warnings"] == ["(hidden)"]
    body = "\n".join(["MIIEowIBAAKCAQEA" * 4] * 2)
    keys = {
        "PGP": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{body}\n-----END PGP PRIVATE KEY BLOCK-----",
        "PuTTY": f"PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 2\n{body}\nPrivate-MAC: 0a1b",
        "Base64": base64.b64encode(key.encode()).decode(),
        "lines": base64.encodebytes(f"{key}{body}".encode()).decode().strip(),
        "difference": f"LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0t\n+    {'MIIE' * 10}\n-    {'MIIF' * 10}",
    }
    assert clean({name: f"a {text} of b" for name, text in keys.items()}) == dict.fromkeys(keys, "a (hidden) of b")
    assert clean("a PuTTY-User-Key-File-3: ssh-rsa\nMIIE") == "a (hidden)"
    assert clean({"a": [1, None, True]}) == {"a": [1, None, True]}


def test_what_changed_since_the_last_report():
    last = report()
    assert report()["changes"] == {"since": "", "texts": []}
    assert report(last)["changes"] == {"since": at(95), "texts": []}
    newer = found("strimzi") | {"images": ["registry.example.com/strimzi:1.10.0"]}
    made = report(
        last,
        commit=OTHER,
        versions={"Kubernetes": "v1.37.0", "Argo CD": "v3.5.9"},
        waited=[waited("kafka", "failed", "x"), waited("strimzi", paused=PAUSED), waited("minio")],
        found=[newer, found("minio")],
        failure=FAILURE,
        warnings=["Kafka is open."],
    )
    assert made["changes"]["texts"] == [
        "Commit 111111111111 → 222222222222.",
        "The last one succeeded; this one failed.",
        "New: minio.",
        "No longer there: kafka-ui.",
        "strimzi is paused.",
        "kafka has failed; it was ready.",
        "Argo CD v3.6.1 → v3.5.9 (older).",
        "registry.example.com/strimzi 1.2.3 → 1.10.0 (newer).",
        "New image: registry.example.com/minio 1.2.3.",
        "New warning: Kafka is open.",
    ]
    assert report(made, commit=OTHER)["changes"]["texts"][-1] == "No longer warned of: Kafka is open."


def test_a_run_that_stops_early_does_not_say_that_everything_is_gone():
    assert report(report(), waited=[], found=[], failure=FAILURE)["changes"]["texts"] == [
        "The last one succeeded; this one failed."
    ]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("v1.2.3", "v1.2.3", ""),
        ("v1.9.0", "v1.10.0", "newer"),
        ("1.10", "1.9.9", "older"),
        ("latest", "1.0", "changed"),
        ("1.0-alpine", "1.0-debian", "changed"),
        ("sha256:1", "sha256:2", "changed"),
    ],
)
def test_which_of_two_versions_is_newer(before, now, expected):
    assert changes.change(before, now) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nginx", ("nginx", "latest")),
        ("registry:5000/nginx", ("registry:5000/nginx", "latest")),
        ("registry:5000/nginx:1.2@sha256:aa", ("registry:5000/nginx", "1.2")),
        ("nginx@sha256:aa", ("nginx", "sha256:aa")),
    ],
)
def test_an_image_has_a_name_and_a_version(image, expected):
    assert changes.split(image) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (2.26, "2.3 s"),
        (9.97, "10 s"),
        (59.6, "1 min"),
        (95, "1 min 35 s"),
        (3600, "1 h 0 min"),
        (7380, "2 h 3 min"),
    ],
)
def test_durations_are_said_in_the_units_that_matter(seconds, expected):
    assert words.duration(seconds) == expected


def test_long_lists_name_the_first():
    assert words.names([]) == ""
    assert words.names(["a"]) == "a"
    assert words.names(list("abcd")) == "a, b, c and d"
    assert words.names(list("abcde")) == "a, b, c and 2 more"


def test_the_last_ten_are_kept():
    names = [f"report-202611{day:02d}T100000Z.{suffix}" for day in range(1, 13) for suffix in ("html", "json")]
    others = ["index.html", "report.json", "status.html", "report-mine.html"]
    assert history.outdated([*others, *names]) == names[:4]
    assert history.kept_as({"kind": "promotion", "time": at(95)}) == "report-20261127T211135Z"
    assert history.kept_as({"kind": "status", "time": at(95)}) == ""
    assert history.compared_with("promotion") == ["report"]
    assert history.compared_with("status") == ["report", "status"]
