# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node with real pods, as far as it can be checked without one."""

from __future__ import annotations

import os
import re
import string
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from real.node import __main__ as program
from real.node import cluster, configuration, keeper, machine, pki, processes, programs, simulation, traces

ROOT = Path(__file__).resolve().parent.parent.parent


def versions(folder):
    """Return the version of each module that a go.mod has, and what replaces it."""
    lines = (line.split(" // ")[0].split() for line in (folder / "go.mod").read_text().splitlines())
    return {tuple(words[:-1]): words[-1] for words in lines if len(words) > 1 and re.match(r"v\d", words[-1])}


def test_the_node_has_the_versions_of_the_rehearsal():
    """So a build shares the compiled packages, and a kubelet has the version of its API server."""
    node, rehearsal = versions(programs.HERE), versions(programs.REHEARSAL)
    common = node.keys() & rehearsal.keys()
    assert len(common) > 150
    assert {name: node[name] for name in common} == {name: rehearsal[name] for name in common}
    assert node["k8s.io/kubernetes",] == programs.builder().KUBERNETES


def test_programs_of_another_version_go_when_new_ones_are_built(monkeypatch, tmp_path):
    version = ["one"]
    script = SimpleNamespace(
        version_of=lambda _module: version[0],
        find_go=lambda: "go",
        compile_tools=lambda _go, target, _module, _packages: (target / "kubelet").write_text(version[0]),
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(programs, "builder", lambda: script)
    said = []

    def compiled(name):
        return programs.compiled(name, tmp_path, 1, lambda: said.append(name))

    (compiled("judge").parent / ".build-interrupted").mkdir()
    assert compiled("programs") == compiled("programs") == programs.cache_folder() / "programs" / "one"
    version[0] = "two"
    for name in ("programs", "judge"):
        folder = compiled(name)
        assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", "two"]
        assert (folder / "kubelet").read_text() == "two"
    assert said == ["judge", "programs", "programs", "judge"]


def test_what_is_missing_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name, **_more: None if name in ("runc", "nft") else name)
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    root, packages = machine.missing()[:2]
    assert "needs root" in root
    assert packages.endswith("Install them: apt-get install nftables runc")
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    assert machine.missing() == ["A real node needs Linux, this is Darwin."]


def test_nothing_begins_on_a_machine_that_lacks_something(monkeypatch):
    monkeypatch.setattr(machine, "missing", lambda: ["First.", "Second."])
    with pytest.raises(SystemExit) as end:
        machine.check()
    assert end.value.code == "First.\nSecond."
    monkeypatch.setattr(machine, "missing", list)
    machine.check()


def test_what_is_missing_is_said_without_any_package(tmp_path):
    """`make test-real` asks before it installs or builds anything."""
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.append(sys.argv[1]); import real.node.machine"]
    subprocess.run([*command, ROOT / "tests"], check=True, cwd=tmp_path)
    makefile = (ROOT / "Makefile").read_text().partition("\ntest-real:")[2].partition("\n\n")[0]
    assert makefile.index("real.node.machine") < makefile.index("build setup-dev") < makefile.index("--prepare")


def workload(*images, init=()):
    containers = {"containers": [{"image": image} for image in images]}
    return {"spec": {"template": {"spec": containers | {"initContainers": [{"image": image} for image in init]}}}}


@pytest.mark.parametrize(
    ("objects", "simulated"),
    [
        ([workload("a:1")], []),
        ([workload("a:1", init=["b:1"])], ["cert-manager"]),
        ([workload("a:1"), workload("c:1")], ["cert-manager"]),
        ([{"kind": "CustomResourceDefinition"}], ["cert-manager"]),
    ],
)
def test_an_operator_is_real_if_all_its_images_are_there(objects, simulated):
    assert simulation.simulated_operators({"cert-manager": objects}, {"a:1"}) == simulated


def test_a_component_without_an_operator_is_not_simulated():
    assert simulation.simulated_operators({"maildev": [workload("b:1")]}, {"a:1"}) == []


def test_every_process_has_a_command(tmp_path):
    """And every file in its command line belongs to what is written before it starts, or to the process itself."""
    pki.create(tmp_path / "pki", processes.SERVER, "real", ("localhost", "127.0.0.1"), ("real",))
    configuration.write(tmp_path, "real", "pause:1")
    own = {"etcd", "kubelet", "volumes"}
    for name, command in processes.COMMANDS.items():
        for word in command(tmp_path):
            path = word.partition("=")[2]
            if path.startswith(str(tmp_path)) and not own & {*path.split("/")}:
                assert (tmp_path / path).exists(), f"{name}: {word}"
    assert {*processes.CONTROL_PLANE, *processes.NODE, "volumes"} == {*processes.COMMANDS}


def test_the_objects_of_a_node_are_complete():
    values = dict.fromkeys(("images", "node", "dns", "coredns"), "x")
    for path in sorted(cluster.OBJECTS.glob("*.yaml")):
        documents = list(yaml.safe_load_all(string.Template(path.read_text()).substitute(values)))
        assert all(document["kind"] for document in documents), path


def test_the_keys_of_a_node_are_private(tmp_path):
    pki.create(tmp_path / "pki", processes.SERVER, "real", ("localhost",), ("real",))
    for path in (tmp_path / "pki").iterdir():
        if path.suffix in (".key", ".kubeconfig"):
            assert path.stat().st_mode & 0o77 == 0, path


def test_what_a_node_leaves_fails_its_run(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(program, "STATE", tmp_path)
    before = {"files": {"/run/lock"}, "mounts": {"/"}}
    monkeypatch.setattr(traces, "found", lambda _state: {"files": {"/run/lock"}, "mounts": set()})
    assert not program.says_what_is_left(before)
    monkeypatch.setattr(traces, "found", lambda _state: {"files": {"/run/cni", "/run/lock"}, "mounts": {"/", "/x"}})
    assert program.says_what_is_left(before)
    assert capsys.readouterr().err == (
        "This came to the machine while the node ran, from it or from something else:\nfiles: /run/cni\nmounts: /x\n"
    )


@pytest.mark.parametrize(("ended", "expected"), [(0, 1), (124, 124)])
def test_what_a_node_leaves_is_said_also_when_its_tests_fail(monkeypatch, capsys, tmp_path, ended, expected):
    now = {"files": set()}
    monkeypatch.setattr(program, "STATE", tmp_path)
    monkeypatch.setattr(program, "prepare", lambda: None)
    monkeypatch.setattr(machine, "missing", list)
    monkeypatch.setattr(traces, "found", lambda _state: {kind: {*names} for kind, names in now.items()})
    monkeypatch.setattr(keeper, "start", lambda _state, _main: now["files"].add("/run/cni") or ended)
    monkeypatch.setattr(sys, "argv", ["real.node", "--shell", "true"])
    monkeypatch.setenv("PATH", os.environ["PATH"])
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == expected
    assert capsys.readouterr().err.endswith("files: /run/cni\n")


def test_what_another_run_has_is_not_left_by_this_one(tmp_path):
    """It holds its lock as long as it goes on."""
    other = keeper.Run(tmp_path / "20260101-000000-2")
    other.folder.mkdir()
    after = {"cgroups": {f"/sys/fs/cgroup/memory/gitops-real-node/{name}" for name in (other.folder.name, "mine")}}
    with other.locked() as mine:
        assert mine
        assert program.others(tmp_path) == [other.folder.name]
        assert traces.left({"cgroups": set()}, after, program.others(tmp_path)) == [
            "cgroups: /sys/fs/cgroup/memory/gitops-real-node/mine"
        ]
    assert program.others(tmp_path) == []


def test_what_a_firewall_has_counted_is_no_change():
    text = "# Generated\n*filter\n:INPUT ACCEPT [{0}:{0}]\n[{0}:{0}] -A INPUT -j DROP\nCOMMIT\n"
    assert {*traces.rules(text.format(1))} == {*traces.rules(text.format(20))}
