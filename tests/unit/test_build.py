# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build of the rehearsal binaries: what a user reads when it cannot be done."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from .running import SCRIPTS, script

SOURCE = SCRIPTS / "build.py"


@pytest.fixture
def build():
    return script("build")


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "go: reading https://proxy.invalid/x.zip: dial tcp: lookup proxy.invalid: no such host\n",
            "Go modules cannot be downloaded: check the network or set GOPROXY to a reachable proxy.",
        ),
        ("write /tmp/x: no space left on device\n", "The build ran out of disk space: free 9 GB and run again."),
        ("x.go:1: syntax error\n", "The build of the rehearsal binaries failed: x.go:1: syntax error"),
    ],
)
def test_a_failed_build_is_one_sentence(build, output, sentence):
    assert build.explain(output).startswith(sentence)
    assert "\n" not in build.explain(output)


def run(*args, **variables):
    environment = os.environ | variables
    done = subprocess.run([sys.executable, SOURCE, *args], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_too_little_disk_is_said_before_the_build(build, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _path: usage(2_000_000_000))
    for name in ("GOCACHE", "GOMODCACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    with pytest.raises(SystemExit) as error:
        build.build(tmp_path / "cache" / "abc")
    where = f"{tmp_path}/GOCACHE, {tmp_path}/GOMODCACHE, {tmp_path}/cache"
    assert str(error.value) == f"The build needs 9 GB of disk space in {where}, but only 2.0 GB are free."
    assert not (tmp_path / "cache").exists()


def test_too_little_memory_is_said_before_the_build(build, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _path: usage(100_000_000_000))
    monkeypatch.setattr(build, "MEMORY", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal:   8000000 kB\nMemFree:     500000 kB\nMemAvailable:   1500000 kB\n")
    for name in ("GOCACHE", "GOMODCACHE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    with pytest.raises(SystemExit) as error:
        build.build(tmp_path / "cache" / "abc")
    said = "A rehearsal cluster and its build need 2 GB of memory each, but only 1.5 GB are available."
    assert str(error.value) == said
    assert not (tmp_path / "cache").exists()


def test_git_is_missed_before_the_build(tmp_path):
    code, said, error = run(PATH=str(tmp_path), GITOPS_REHEARSAL_CACHE=str(tmp_path / "cache"))
    assert (code, said) == (1, "")
    assert error == "git is missing. Install it, for example: sudo apt-get install git"


@pytest.mark.parametrize("name", ["GOCACHE", "GOMODCACHE", "GITOPS_REHEARSAL_CACHE"])
def test_a_folder_that_cannot_be_written_is_said_before_the_build(tmp_path, name):
    (tmp_path / "file").write_text("")
    wanted = {
        "GOCACHE": tmp_path,
        "GOMODCACHE": tmp_path,
        "GITOPS_REHEARSAL_CACHE": tmp_path,
        name: tmp_path / "file" / "x",
    }
    code, said, error = run(**{key: str(value) for key, value in wanted.items()})
    assert (code, said) == (1, "")
    assert error == f"The build needs to write to {tmp_path}/file/x, which is not writable: set {name}."


def test_a_proxy_for_go_modules_that_does_not_answer_is_said_in_seconds(tmp_path):
    settings = {name: str(tmp_path / name) for name in ("GOCACHE", "GOMODCACHE", "GITOPS_REHEARSAL_CACHE")}
    before = time.monotonic()
    code, said, error = run(GOPROXY="http://127.0.0.1:1", GOFLAGS="-modcacherw", **settings)
    assert (code, "done" in said) == (1, False)
    assert error.startswith("Go modules cannot be downloaded: check the network or set GOPROXY to a reachable proxy.")
    assert time.monotonic() - before < 30


def test_a_folder_of_somebody_else_is_used_when_it_is_complete(build, tmp_path, monkeypatch):
    monkeypatch.setenv("GITOPS_REHEARSAL_CACHE", str(tmp_path))
    folder = build.cache_folder()
    assert folder.parent == tmp_path
    (folder / "bin").mkdir(parents=True)
    tmp_path.chmod(0o555)
    assert run(PATH="", GITOPS_REHEARSAL_CACHE=str(tmp_path)) == (0, str(folder), "")


def test_our_own_program_is_part_of_the_key(build, tmp_path, monkeypatch):
    first = build.cache_folder()
    shutil.copytree(SOURCE.parent, tmp_path / "files")
    monkeypatch.setattr(build, "HERE", tmp_path / "files")
    assert build.cache_folder() == first
    with (tmp_path / "files" / "redis" / "main.go").open("a") as file:
        file.write("// changed")
    assert build.cache_folder() != first


def test_the_folder_depends_on_the_pinned_modules_only(build, tmp_path, monkeypatch):
    monkeypatch.delenv("GITOPS_REHEARSAL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = build.cache_folder()
    assert first.parent == tmp_path / "monorepo.gitops" / "rehearsal"
    monkeypatch.setattr(build, "KUBERNETES", "v1.99.0")
    assert build.cache_folder() != first


# Makes what the real one would, and writes what it was asked for and with which environment.
GO = """\
#!/bin/sh
echo "$GOFLAGS $CGO_ENABLED: $*" >> "{folder}/go.log"
case "$1" in
  build)
    test -e "{folder}/fails" && {{ cat "{folder}/fails" >&2; exit 1; }}
    for word; do case "$word" in */) target=$word ;; esac; done
    for name in cmd server kubectl; do echo "$name" > "$target/$name"; done
    echo "go: downloading example.com/module v1.0.0" >&2
    echo "example.com/package" >&2
    ;;
  list)
    for module; do :; done
    test -e "{folder}/modules/$module" || {{ echo "go: module $module: dial tcp: no route" >&2; exit 1; }}
    echo "{folder}/modules/$module"
    ;;
  env) echo '{{"GOCACHE": "{folder}/gocache", "GOMODCACHE": "{folder}/gomodcache"}}' ;;
esac
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def go(build, tmp_path, monkeypatch):
    """Put another Go into the Python environment, with modules that have what is copied from them."""
    monkeypatch.setattr(build.sys, "prefix", str(tmp_path))
    write(tmp_path / "bin" / "go", GO.format(folder=tmp_path))
    (tmp_path / "bin" / "go").chmod(0o755)
    kwok = tmp_path / "modules" / "sigs.k8s.io" / "kwok" / "kustomize" / "stage"
    for stage in build.STAGES:
        write(kwok / stage / "first.yaml", stage)
        write(kwok / stage / "kustomization.yaml", "no stage")
    for name in ("install.yaml", "ha/install.yaml"):
        write(tmp_path / "modules" / "github.com" / "argoproj" / "argo-cd" / "v3" / "manifests" / name, name)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(build.shutil, "disk_usage", lambda _path: usage(100_000_000_000))
    monkeypatch.setattr(build, "MEMORY", tmp_path / "meminfo")
    write(tmp_path / "meminfo", f"MemAvailable: {build.MEMORY_NEEDED_GB * 1_000_000} kB\n")
    return tmp_path


def test_a_build_that_waits_for_another_one_says_so(build, go, capsys):
    folder = go / "cache" / "abc"
    folder.parent.mkdir()
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(target=build.build, args=(folder,))
        waiting.start()
        while "Waiting for another build to end." not in capsys.readouterr().out:
            assert waiting.is_alive()
            time.sleep(0.01)
        (folder / "bin").mkdir(parents=True)
    waiting.join()
    assert "build -v" not in (go / "go.log").read_text()


def test_a_build_has_the_programs_by_their_names_the_stages_and_the_manifests(build, go, capsys):
    folder = go / "cache" / "abc"
    build.build(folder)
    programs = {path.name: path.read_text() for path in (folder / "bin").iterdir()}
    argocd = [f"argocd-{name}" for name in build.ARGOCD_PROGRAMS]
    expected = {"argocd": "cmd\n", "etcd": "server\n", "kubectl": "kubectl\n"} | dict.fromkeys(argocd, "cmd\n")
    assert programs == expected
    assert sorted(path.name for path in (folder / "stages").iterdir()) == sorted(
        f"{stage.replace('/', '-')}-first.yaml" for stage in build.STAGES
    )
    assert (folder / "argocd" / f"v{build.ARGOCD}" / "ha" / "install.yaml").read_text() == "ha/install.yaml"
    assert [path.name for path in folder.parent.iterdir() if not path.name.startswith(".lock")] == ["abc"]
    assert "Building the rehearsal binaries, once per version" in capsys.readouterr().out
    calls = (go / "go.log").read_text().splitlines()
    (call,) = [line for line in calls if "build -v" in line]
    assert call.startswith("-mod=readonly")
    assert f"-X k8s.io/component-base/version.gitVersion={build.KUBERNETES}" in call
    build.build(folder)
    assert (go / "go.log").read_text().count("build -v") == 1


def test_a_build_shows_how_far_it_is(build, go, monkeypatch, capsys):
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(build, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    build.build(go / "cache" / "abc")
    shown = capsys.readouterr().out
    assert "s: downloading Go modules\n" in shown
    assert f"s: compiled 1 of about {build.PACKAGES} packages\n" in shown


def test_a_build_that_fails_leaves_nothing(build, go):
    (go / "fails").write_text("x.go:1: syntax error\n")
    with pytest.raises(SystemExit) as error:
        build.build(go / "cache" / "abc")
    assert str(error.value) == "The build of the rehearsal binaries failed: x.go:1: syntax error"
    assert [path for path in (go / "cache").iterdir() if path.name != ".lock"] == []


def test_a_module_that_cannot_be_had_is_said(build, go):
    (go / "modules" / "sigs.k8s.io" / "kwok").rename(go / "gone")
    with pytest.raises(SystemExit, match=r"^Go modules cannot be downloaded: check the network or set GOPROXY"):
        build.build(go / "cache" / "abc")


def test_without_go_it_is_said_how_to_get_it(build, tmp_path, monkeypatch):
    monkeypatch.setattr(build.sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"^No Go toolchain found\. Run: pip install -r requirements-rehearsal\.txt"):
        build.find_go()
    (tmp_path / "go").write_text("#!/bin/sh\n")
    (tmp_path / "go").chmod(0o755)
    assert build.find_go() == str(tmp_path / "go")


def test_the_last_line_is_the_folder_and_with_where_nothing_is_built(build, go, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(go / "cache"))
    folder = build.cache_folder()
    monkeypatch.setattr(build.sys, "argv", ["build.py", "--where"])
    build.main()
    assert (capsys.readouterr().out, folder.exists()) == (f"{folder}\n", False)
    monkeypatch.setattr(build.sys, "argv", ["build.py"])
    build.main()
    assert (capsys.readouterr().out.splitlines()[-1], folder.exists()) == (str(folder), True)
    build.main()
    assert capsys.readouterr().out == f"{folder}\n"


def test_the_file_is_a_program(tmp_path):
    done = subprocess.run(
        [sys.executable, SOURCE, "--where"], env={"XDG_CACHE_HOME": str(tmp_path)}, capture_output=True, check=True
    )
    assert done.stdout.decode().startswith(f"{tmp_path}/monorepo.gitops/rehearsal/")


def test_old_builds_go_unless_a_cluster_has_them(build, tmp_path, monkeypatch):
    monkeypatch.delenv("GITOPS_REHEARSAL_CACHE", raising=False)

    def made(name, seconds_ago, cluster=None):
        folder = tmp_path / "rehearsal" / name
        (folder / "clusters").mkdir(parents=True)
        if cluster:
            (folder / "clusters" / "reference").write_text(str(cluster))
        os.utime(folder, (time.time() - seconds_ago,) * 2)
        return folder

    old = build.UNUSED_SECONDS + 60
    (tmp_path / "stopped").mkdir()
    ours = made("ours", old)
    made("unused", old)
    made("of-a-cluster", old, tmp_path / "stopped")
    made("of-a-cluster-that-is-gone", old, tmp_path / "gone")
    made("recent", build.UNUSED_SECONDS - 60)
    made(".build-interrupted", 60)
    (tmp_path / "rehearsal" / ".lock").touch()
    build.prune(ours)
    left = {path.name for path in (tmp_path / "rehearsal").iterdir()}
    assert left == {"ours", "of-a-cluster", "recent", ".lock"}


def test_old_builds_stay_in_a_folder_for_several_users(build, tmp_path, monkeypatch):
    monkeypatch.setenv("GITOPS_REHEARSAL_CACHE", str(tmp_path))
    for name in ("old", ".build-interrupted"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    build.prune(tmp_path / "ours")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_asking_for_a_build_counts_as_a_use(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = build.cache_folder()
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    monkeypatch.setattr(build.sys, "argv", ["build.py", "--where"])
    build.main()
    assert (capsys.readouterr().out.strip(), time.time() - folder.stat().st_mtime < 60) == (str(folder), True)
