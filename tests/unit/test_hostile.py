# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a repository and an inventory may contain to make a run execute something, or write somewhere else."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import check_definition
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import NO_CONFIGURATION
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy, secrets
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.modules import gitops_repo_publish
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER, write_tree
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .repositories import git
from .running import run_module

# Measuring coverage would double the time and add nothing: other tests cover the same branches.
pytestmark = pytest.mark.no_cover

CANARY = "executed"
PIECES = [
    *(
        "a",
        "kafka",
        "é",
        "\udce9",
        " ",
        "\n",
        "\t",
        "-",
        "--",
        "..",
        ".",
        "~",
        "*",
        "?",
        "[a]",
        ":(top)",
        ":!",
        "@{-1}",
        "^",
        "#",
    ),
    *("{{ 1 % 0 }}", "{% raw %}", "{{ lookup('pipe', 'touch executed') }}", "$(touch executed)", "`touch executed`"),
    *(
        ";touch executed;",
        "|touch executed",
        "&",
        "'",
        '"',
        "\\",
        "!vault |",
        "!!python:os.system",
        "&a",
        "*a",
    ),
    *("--upload-pack=touch executed", "--exec=touch executed", "ext::touch executed", "-c", "%", "\x07"),
]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
FILES = NAMES.filter(lambda name: name not in (".", "..") and len(name.encode(errors="surrogateescape")) < 200)
LINKS = st.sampled_from(["/etc", "../../../../..", "/etc/passwd", "nowhere"])
# Ansible refuses an option that is no text.
TEXTS = NAMES.map(lambda name: name.replace("\udce9", "é"))
COMPONENT = st.tuples(FILES, FILES, NAMES, st.one_of(st.none(), LINKS))
FILTER = '[filter "run"]\n clean = touch {0}\n smudge = touch {0}\n process = touch {0}\n required = true\n'
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Return the folder that commands run in; its user has configured a filter that shows that it ran."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(FILTER.format(tmp_path / CANARY))
    yield tmp_path
    assert not list(tmp_path.rglob(CANARY))


def put(folder: Path, name: str, text: str, link: str | None) -> None:
    """Write a hostile file, or a link in its place."""
    # A name with a slash, or with dots, may be where another one is.
    with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
        folder.mkdir(parents=True, exist_ok=True)
        if link:
            (folder / name).symlink_to(link)
        else:
            (folder / name).write_text(text, errors="surrogateescape")


def hostile(folder: Path, components: list[tuple[str, str, str, str | None]]) -> None:
    """Fill a repository as somebody who may push to it can."""
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    (folder / ".gitattributes").write_text("* filter=run export-ignore\n")
    (folder / ".gitmodules").write_text('[submodule "x"]\n path = argocd/infra/x\n url = ext::touch executed\n')
    for name, file, text, link in components:
        put(folder / "argocd/infra" / name / "envs/dev", file, text, link)
        put(folder / "argocd/services" / name, "base", text, link)
    for command in (["add", "--all"], ["-c", "user.name=x", "-c", "user.email=x", "commit", "--quiet", "-m", "theirs"]):
        subprocess.run(
            ["git", "-C", folder, *command], check=True, capture_output=True, env=os.environ | NO_CONFIGURATION
        )


def everything_outside(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if not path.is_relative_to(root / "clone")}


@settings(max_examples=4, phases=[Phase.generate], derandomize=True, deadline=None, suppress_health_check=SLOW)
@given(components=st.lists(COMPONENT, min_size=250, max_size=250), author=TEXTS, branch=TEXTS)
def test_what_a_repository_contains_is_neither_executed_nor_followed(components, author, branch):
    """250 components in each of four repositories: opened, read, written to and published."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        root = Path(place)
        hostile(root / "theirs", components)
        git(root, "clone", "--quiet", "--bare", "theirs", "repo.git")
        clone = Clone(root / "clone", f"file://{root}/repo.git", "main")
        clone.open(create=False)
        history, head = History(clone), clone.head()
        listed = history.files(head)
        assert set(listed) == {name for name in git_names(root / "theirs") if name.startswith("argocd/")}
        (root / "exported").mkdir()
        history.export(head, ["argocd/infra"], root / "exported")
        assert any(entry[0] == "infra" for entry in policy.layers_and_names(listed, "dev"))
        before = everything_outside(root)
        written = {name for name, _file, _text, _link in components if wrote(clone, name)}
        assert everything_outside(root) == before
        texts = {name: (clone.path / name).read_text(errors="replace") for name in clone.staged()}
        secrets.find_secrets(texts)
        result = run_module(
            gitops_repo_publish, path=str(clone.path), url=clone.url, environment="dev", author_name=author
        )
        if not result.get("failed"):
            assert {name.split("/")[2] for name in result["files"]} == written
        with contextlib.suppress(GitopsError):
            Clone(root / "clone", clone.url, branch).open(create=False)


def git_names(folder: Path) -> list[str]:
    done = subprocess.run(["git", "-C", folder, "ls-files", "-z"], check=True, capture_output=True)
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def wrote(clone: Clone, name: str) -> bool:
    """Render a component of a hostile name; a link in its folder is refused."""
    folder = clone.path / "argocd/services" / name / "base"
    if folder.is_symlink():
        with pytest.raises(GitopsError, match="is a symbolic link, and nothing is written there: delete it in Git"):
            write_tree(folder, {"x.yaml": f"{HEADER}a: 1\n"}, write=True)
        return False
    with contextlib.suppress(FileExistsError, NotADirectoryError):  # a file of theirs has the name of our folder
        write_tree(folder, {"x.yaml": f"{HEADER}a: 1\n"}, write=True)
    return (folder / "x.yaml").exists()


@settings(max_examples=1000, deadline=None)
@given(name=NAMES, layer=NAMES, namespace=NAMES)
def test_a_component_has_names_that_mean_nothing_to_anybody(name, layer, namespace):
    with contextlib.suppress(GitopsError):
        found = check_definition("x", {"name": name, "layer": layer, "namespace": namespace})
        assert {found["name"], found["namespace"]} <= {"a", "kafka", *("a" * n + "kafka" for n in range(4))}


@pytest.fixture
def attacked(home):
    """Return a clone of a repository with attributes that run a filter and hide files, a link, and a name in quotes."""
    hostile(home / "theirs", [("a", 'é"b', "a: 1", None), ("linked", "to", "", "/etc")])
    git(home, "clone", "--quiet", "--bare", "theirs", "repo.git")
    clone = Clone(home / "clone", f"file://{home}/repo.git", "main")
    clone.open(create=False)
    return clone


def test_attributes_run_no_filter_and_hide_nothing(attacked, tmp_path):
    (attacked.path / "argocd/infra/a/envs/dev/new.yaml").write_text(f"{HEADER}a: 1\n")
    assert attacked.staged() == {"argocd/infra/a/envs/dev/new.yaml": "A"}
    (tmp_path / "exported").mkdir()
    History(attacked).export(attacked.head(), ["argocd/infra"], tmp_path / "exported")
    assert (tmp_path / "exported" / 'argocd/infra/a/envs/dev/é"b').read_text() == "a: 1"


def test_a_link_to_another_place_is_left_out_of_what_is_compared(attacked, tmp_path):
    (tmp_path / "exported").mkdir()
    History(attacked).export(attacked.head(), ["argocd/infra/linked"], tmp_path / "exported")
    assert list((tmp_path / "exported/argocd/infra/linked/envs/dev").iterdir()) == []


def test_a_file_is_listed_by_its_name_whatever_characters_it_has(attacked):
    assert 'argocd/infra/a/envs/dev/é"b' in History(attacked).files(attacked.head())


def test_nothing_is_written_through_a_link(attacked):
    folder = attacked.path / "argocd/services/linked/base"
    message = f"{folder} is a symbolic link, and nothing is written there: delete it in Git."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        write_tree(folder, {"x.yaml": f"{HEADER}a: 1\n"}, write=True)
