# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to one rehearsal cluster: its ports, its Redis, and a removal that leaves nothing behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal import cluster as rehearsal
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal import ports, processes
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.configuration import kwokctl_configuration
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.ports import chosen_ports, free_ports, ports_of
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.programs import last_lines
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.stages import (
    SIMULATE,
    TROUBLE,
    adapted,
    simulated_groups,
    storage_class,
)
from rendering import programs

RANGE = {*range(20000, 32000)}
CONTROLLED = ("kubeApiserver", "kubeControllerManager", "kubeScheduler")


def cluster(state, name, build="/"):
    found = rehearsal.RehearsalCluster(name, str(state), str(build), "/launch.py", "argocd")
    found.paths.folder.mkdir(parents=True)
    return found


def test_a_port_is_taken_by_a_cluster_that_does_not_listen_yet(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(ports, "free_ports", lambda count, taken: seen.append(taken) or free_ports(count, taken))
    first, second = cluster(tmp_path, "first"), cluster(tmp_path, "second")
    chosen = {*ports_of(first.paths.folder).values()}
    assert len(chosen) == len(ports.PORTS)
    assert not chosen & {*ports_of(second.paths.folder).values()}
    assert seen == [set(), chosen]
    assert {*ports_of(first.paths.folder).values()} == chosen


@pytest.mark.parametrize(("own", "seen"), [("", "400 1GiB"), ("50", "50 1GiB")])
def test_processes_collect_garbage_less_often_unless_told_otherwise(tmp_path, monkeypatch, own, seen):
    monkeypatch.delenv("GOGC", raising=False)
    monkeypatch.delenv("GOMEMLIMIT", raising=False)
    if own:
        monkeypatch.setenv("GOGC", own)
    assert cluster(tmp_path, "first").programs.run("/bin/sh", "-c", "echo $GOGC $GOMEMLIMIT") == f"{seen}\n"


def test_kwokctl_does_not_choose_the_ports_itself(tmp_path):
    """It takes what is free at that moment, also the port of another cluster's API server that restarts."""
    paths = cluster(tmp_path, "first").paths
    options = kwokctl_configuration(paths)["options"]
    names = [name for name in options if name.endswith("Port")]
    assert names == ["etcdPeerPort", "etcdPort", *(f"{name}Port" for name in (*CONTROLLED, "kwokController"))]
    assert {name: options[name] for name in names}.items() <= ports_of(paths.folder).items()


def test_a_cluster_that_is_being_deleted_has_no_ports(tmp_path):
    (tmp_path / "ports.json").write_text("")
    assert chosen_ports(tmp_path / "ports.json") == set()
    assert chosen_ports(tmp_path / "gone.json") == set()
    (tmp_path / "ports.json").write_text(json.dumps({"argocd-server": 20001}))
    assert chosen_ports(tmp_path / "ports.json") == {20001}


def test_a_port_that_somebody_listens_on_is_passed_over():
    (port,) = free_ports(1, set())
    assert free_ports(1, RANGE - {port}) == [port]
    message = "Only 0 of 1 TCP ports are free between 20000 and 32000 on 127.0.0.1."
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
            free_ports(1, RANGE - {port})


def stage(name, *expressions, group="v1"):
    selector = {"matchExpressions": [{"key": ".status.phase", "operator": "In", "values": ["Pending"]}, *expressions]}
    return yaml.safe_dump(
        {
            "kind": "Stage",
            "metadata": {"name": name},
            "spec": {"resourceRef": {"apiGroup": group}, "selector": selector, "delay": {"durationMilliseconds": 1}},
        }
    )


def expressions_of(text):
    return yaml.safe_load(text)["spec"]["selector"]["matchExpressions"]


def test_a_pod_that_is_told_to_have_a_trouble_is_left_to_its_stage():
    """One that comes later lets the pod run at first, and some keep a pod that is deleted."""
    names = ("pod-ready", "pod-complete", "pod-delete")
    ready, complete, delete = (expressions_of(adapted(stage(name)))[1:] for name in names)
    unless = '. == "evicted" or . == "node-gone" or . == "stuck-finalizer"'
    assert ready == [{"key": f"({TROUBLE}) | select(({unless}) | not)", "operator": "DoesNotExist"}]
    assert complete == [{"key": TROUBLE, "operator": "DoesNotExist"}]
    assert delete == [{"key": TROUBLE, "operator": "NotIn", "values": ["node-gone", "stuck-finalizer"]}]
    assert yaml.safe_load(adapted(stage("pod-other"))) == yaml.safe_load(stage("pod-other"))


def test_a_storage_class_gets_its_volumes_from_the_stages():
    item = yaml.safe_load(storage_class("fast-ssd"))
    assert (item["kind"], item["metadata"]) == ("StorageClass", {"name": "fast-ssd"})
    assert item["provisioner"] == "kwok.x-k8s.io/volume"


def test_volumes_of_every_class_are_provided_and_a_claim_may_fail_or_be_slow():
    own = {"cel": {"expression": "self.spec.storageClassName == 'kwok-volume'"}}
    text = adapted(stage("pvc-provision", own))
    assert expressions_of(text)[1:] == [{"key": SIMULATE, "operator": "NotIn", "values": ["fail"]}]
    delay = yaml.safe_load(text)["spec"]["delay"]["durationFrom"]["jq"]["expression"]
    assert delay == f'if {SIMULATE} == "slow" then "20s" else "200ms" end'


def test_what_is_not_a_stage_stays_but_for_a_class_that_may_be_missing():
    text = "kind: StorageClass\nmetadata: {name: kwok}\nx: '{{ .spec.storageClassName }}'\n"
    assert adapted(text) == text.replace("{{ .spec", '{{ default "" .spec')


def test_the_groups_of_simulated_resources_are_those_of_stages_in_lists_too():
    one, other = stage("a", group="kafka.strimzi.io/v1"), stage("b", group="apps/v1")
    lists = yaml.safe_dump({"kind": "List", "items": [yaml.safe_load(stage("c", group="cert-manager.io/v1"))]})
    assert simulated_groups([f"{one}---\n{other}", lists]) == ["cert-manager.io", "kafka.strimzi.io"]
    assert simulated_groups([other]) == ["none.invalid"]


@pytest.mark.parametrize(("text", "line"), [("", "no output"), ("a\n b\nc\nd\n", "b | c | d"), ("\n", "no output")])
def test_the_end_of_an_output_is_one_line(text, line):
    assert last_lines(text) == line


def as_somebody(function):
    """Run a function as an unprivileged user, in a process of its own, and return what it says."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(writer, repr(function()).encode())
        except GitopsError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        return file.read()


@pytest.fixture
def shared():
    """Return a folder that an unprivileged user can reach."""
    folder = Path(as_somebody(lambda: subprocess.check_output(["mktemp", "-d"], text=True).strip()).strip("'"))
    yield folder
    subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)
    subprocess.run(["rm", "-r", folder], check=True)


def test_a_folder_without_any_rights_is_removed_by_its_owner(shared):
    def remove():
        found = cluster(shared, "dev")
        checkout = found.paths.folder / "argocd" / "tmp" / "_argocd-repo"
        (checkout / "one" / ".git").mkdir(parents=True)
        (found.paths.folder / "elsewhere").symlink_to("/usr")
        (checkout / "one").chmod(0)
        checkout.chmod(0)
        return found.delete(), found.paths.folder.exists()

    assert as_somebody(remove) == "(True, False)"


def test_what_cannot_be_removed_is_said(shared):
    def remove():
        found = cluster(shared, "dev")
        rehearsal.make_removable = lambda _folder: None  # in this process only
        (found.paths.folder / "logs" / "old").mkdir(parents=True)
        (found.paths.folder / "logs").chmod(0o500)
        return found.delete()

    assert as_somebody(remove) == f"{shared}/clusters/dev cannot be removed: Permission denied (old)."


def test_a_process_that_still_runs_is_said(tmp_path):
    found = cluster(tmp_path, "dev")
    (found.paths.folder / "pids").mkdir()
    with subprocess.Popen(["/bin/sh", "-c", "read line", "etcd"], stdin=subprocess.PIPE) as etcd:
        (found.paths.folder / "pids" / "etcd.pid").write_text(str(etcd.pid))
        with pytest.raises(
            GitopsError, match=rf"^The cluster dev was removed, .* still running: etcd \({etcd.pid}\)\.$"
        ):
            found.delete()
        etcd.communicate(b"\n")


def test_a_cluster_that_is_removed_leaves_no_lock(tmp_path):
    found = cluster(tmp_path, "dev")
    assert (found.delete(), found.delete()) == (True, False)
    assert [path.name for path in tmp_path.iterdir()] == ["clusters"]


@pytest.mark.parametrize("again", [True, False])
def test_who_waited_for_a_lock_that_was_removed_waits_for_the_next_one(tmp_path, monkeypatch, again):
    """Its file is not the one any more that other runs lock."""
    first, second, third = (
        rehearsal.RehearsalCluster("dev", str(tmp_path), "/", "/launch.py", "argocd") for _number in range(3)
    )
    asked, entered, lock = queue.Queue(), threading.Event(), fcntl.flock
    monkeypatch.setattr(rehearsal.fcntl, "flock", lambda file, how: asked.put(file) or lock(file, how))

    def wait():
        with second.locked():
            entered.set()

    waiting = threading.Thread(target=wait)
    with contextlib.ExitStack() as meanwhile:
        with first.locked():
            waiting.start()
            for _who in (first, second):
                asked.get(timeout=10)
            first.paths.lock().unlink()
            if again:
                meanwhile.enter_context(third.locked())
                asked.get(timeout=10)
            assert not entered.is_set()
        asked.get(timeout=10)  # the second one asks again
        assert not (again and entered.is_set())
    waiting.join(10)
    assert entered.is_set()


@pytest.fixture
def redis():
    """Start the Redis of a rehearsal and return a function that sends it commands."""
    port = free_ports(1, set())[0]
    settings = {"REDIS_ADDRESS": f"127.0.0.1:{port}", "REDIS_PASSWORD": "hunter2"}
    with subprocess.Popen([programs() / "bin" / "redis"], env=settings, stderr=subprocess.PIPE, text=True) as process:
        assert f"listening on 127.0.0.1:{port}" in process.stderr.readline()

        def send(*commands):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                for words in [command.split() for command in (*commands, "QUIT")]:
                    parts = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
                    connection.sendall(f"*{len(words)}\r\n{parts}".encode())
                return b"".join(iter(lambda: connection.recv(4096), b"")).decode().splitlines()[:-1]

        yield send
        process.terminate()


def test_redis_asks_for_the_password(redis):
    assert redis("GET a") == ["-NOAUTH Authentication required."]
    assert redis("AUTH hunter1")[0].startswith("-WRONGPASS")
    assert redis("AUTH hunter2", "SET a 1", "GET a") == ["+OK", "+OK", "$1", "1"]


def test_redis_forgets_a_key_in_time(redis):
    redis("AUTH hunter2", "SET a 1 PX 2500", "SET b 2")
    assert redis("AUTH hunter2", "GET a")[1:] == ["$1", "1"]
    time.sleep(4.5)
    assert redis("AUTH hunter2", "GET a", "GET b")[1:] == ["$-1", "$1", "2"]


@pytest.mark.parametrize("settings", [{}, {"REDIS_ADDRESS": "127.0.0.1:0", "REDIS_PASSWORD": ""}])
def test_redis_never_runs_without_a_password(settings):
    done = subprocess.run(
        [programs() / "bin" / "redis"], env=settings, capture_output=True, text=True, timeout=10, check=False
    )
    assert done.returncode == 1
    assert "REDIS_PASSWORD is empty" in done.stderr


def test_a_build_knows_the_clusters_that_have_its_binaries(tmp_path):
    (tmp_path / "build").mkdir()
    first, second = (cluster(tmp_path / "state", name, tmp_path / "build") for name in ("first", "second"))
    for one in (first, second, first):
        rehearsal.keep_build(one.paths)
    references = sorted(path.read_text() for path in (tmp_path / "build" / "clusters").iterdir())
    assert references == [str(first.paths.folder), str(second.paths.folder)]


def test_a_build_of_somebody_else_is_used_without_a_reference(tmp_path):
    one = cluster(tmp_path / "state", "first", tmp_path / "build")
    (tmp_path / "build").write_text("cannot be written to")
    rehearsal.keep_build(one.paths)
    assert (tmp_path / "build").read_text() == "cannot be written to"


@pytest.mark.parametrize(
    ("status", "flags", "command", "runs"),
    [
        ("S", 0x400000, "argocd-server\0--port\0", True),
        ("R", 0x400000, "", True),
        ("R", 0x40040C, "", False),
        ("S", 0x400000, "sleep\0", False),
        ("Z", 0x40040C, "", False),
    ],
)
def test_a_process_without_a_command_becomes_another_program_or_ends(
    tmp_path, monkeypatch, status, flags, command, runs
):
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "stat").write_text(f"7 (argocd server) {status} 1 7 7 0 -1 {flags} 76 0")
    (tmp_path / "proc" / "7" / "cmdline").write_text(command)
    monkeypatch.setattr(processes, "Path", lambda text: tmp_path / text.lstrip("/"))
    assert processes.is_running(7, "argocd-server") == runs


def test_a_killed_process_does_not_count_while_it_ends():
    memory = "x = bytearray(300_000_000); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", memory], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert processes.is_running(process.pid, "python")
        process.kill()
        while Path(f"/proc/{process.pid}/cmdline").read_bytes():
            pass
        assert not processes.is_running(process.pid, "python")
