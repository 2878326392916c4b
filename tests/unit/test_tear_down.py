# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests tear down what they bring up, and what they find that was left."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import tear_down
from tear_down import assert_gone, cluster_folder, processes_of, torn_down

ROOT = Path(__file__).resolve().parent.parent.parent


def fail():
    raise OSError("still there")


def test_what_came_up_is_torn_down_once():
    seen = []
    with torn_down(lambda: seen.append("down")):
        seen.append("up")
    assert seen == ["up", "down"]


@pytest.mark.parametrize("error", [AssertionError, KeyboardInterrupt, pytest.skip.Exception])
def test_what_came_up_in_part_is_torn_down(error):
    seen = []
    with pytest.raises(error, match="not up"), torn_down(lambda: seen.append("down")):
        raise error("not up")
    assert seen == ["down"]


def test_a_tear_down_that_fails_does_not_hide_why_nothing_came_up():
    with pytest.raises(AssertionError, match="not up") as found, torn_down(fail):
        raise AssertionError("not up")
    assert found.value.__notes__ == ["The tear-down failed, too: still there"]


def test_a_tear_down_that_fails_is_an_error():
    with pytest.raises(OSError, match="still there"), torn_down(fail):
        pass


def test_a_tear_down_that_fails_is_an_error_also_when_nothing_was_tested():
    with pytest.raises(OSError, match="still there"), torn_down(fail):
        pytest.skip("not here")


def test_each_tear_down_of_several_is_done():
    seen = []
    with pytest.raises(OSError, match="still there"), torn_down(lambda: seen.append("second")), torn_down(fail):
        pass
    assert seen == ["second"]


def test_a_process_that_is_left_is_named(tmp_path):
    folder = tmp_path / "state" / "clusters" / "dev-abc"
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        with pytest.raises(AssertionError) as found:
            assert_gone(folder)
        assert processes_of(folder) == [f"{' '.join(command)} "]
        process.communicate("\n")
    assert str(found.value).startswith(f"Still running: ['{sys.executable} -c ")
    assert processes_of(folder) == []


@pytest.mark.parametrize("left", ["clusters/dev-abc", ".dev-abc.lock"])
def test_a_file_that_is_left_is_named(tmp_path, left):
    (tmp_path / "clusters" / "prod-def").mkdir(parents=True)
    (tmp_path / ".any-create.lock").touch()
    assert_gone(tmp_path / "clusters" / "dev-abc")
    (tmp_path / left).touch()
    with pytest.raises(AssertionError) as found:
        assert_gone(tmp_path / "clusters" / "dev-abc")
    assert str(found.value).splitlines()[0] == f"Still there: ['{tmp_path / left}']"


def test_the_folder_of_a_cluster_is_that_of_the_user(monkeypatch, tmp_path):
    name = f"dev-{hashlib.sha1(b'/inventories/dev', usedforsecurity=False).hexdigest()[:6]}"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert cluster_folder("dev", Path("/inventories/dev")) == tmp_path / "monorepo.gitops" / "clusters" / name
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cluster_folder("dev", Path("/inventories/dev")) == tmp_path / tear_down.STATE / "clusters" / name


MAKES_CLUSTERS = {"Environment", "Bench", "RehearsalCluster", "Simulation", "User"}
BRINGS_UP = {"bring_up", "find_cluster", "start"}


def called(node):
    """Return the name of the function that a node calls."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", getattr(function, "attr", None))


def unprotected(node, inside=False):
    """Return what brings a cluster up, or hands it over, where nothing tears it down afterwards."""
    if isinstance(node, ast.With):
        inside = inside or any(called(item.context_expr) in ("temporary", "torn_down") for item in node.items)
    elif not inside and (isinstance(node, ast.Yield) or called(node) in BRINGS_UP):
        return [ast.unparse(node)]
    return [text for child in ast.iter_child_nodes(node) for text in unprotected(child, inside)]


def generators(text):
    """Return the fixtures and context managers that make a cluster and hand it over."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        nodes = list(ast.walk(function))
        if any(isinstance(node, ast.Yield) for node in nodes) and MAKES_CLUSTERS & {called(node) for node in nodes}:
            yield function


def test_every_cluster_of_a_test_is_torn_down_also_when_it_does_not_come_up():
    tests = ROOT / "tests"
    files = [path for folder in ("integration", "bench", "pages") for path in (tests / folder).glob("*.py")]
    texts = {str(path.relative_to(tests)): path.read_text() for path in files}
    assert {name for name, text in texts.items() if "take_down(" in text} == {"integration/conftest.py"}
    found = {name: [unprotected(function) for function in generators(text)] for name, text in texts.items()}
    assert {name: lines for name, lines in found.items() if any(lines)} == {}
    assert sum(map(len, found.values())) >= 14  # fixtures and the cluster of the benchmarks


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "found = bring_up(Environment())\n    yield found\n    take_down(found)",
            ["bring_up(Environment())", "(yield found)"],
        ),
        ("with temporary(Environment()) as found:\n        yield bring_up(found)", []),
        ("run = Simulation()\n    with torn_down(run.end):\n        run.start()\n        yield run", []),
        ("run = Simulation()\n    run.start()\n    with torn_down(run.end):\n        yield run", ["run.start()"]),
    ],
)
def test_what_is_torn_down_in_no_case_is_found(body, expected):
    (function,) = generators(f"def fixture():\n    {body}\n")
    assert unprotected(function) == expected
