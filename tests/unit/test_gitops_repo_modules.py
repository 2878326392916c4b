# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that open, publish to and promote in a repository, run by main() against real repositories."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER, Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time
from ansible_collections.monorepo.gitops.plugins.modules import (
    gitops_repo_checkout,
    gitops_repo_promote,
    gitops_repo_publish,
)

from .repositories import AUTHOR, git, publish, somebody_else_pushes, write
from .running import run_module

KAFKA = "infra/kafka/base/kafka.yaml"
DEV = "infra/kafka/envs/dev/kustomization.yaml"
UPSTREAM = "infra/kafka/base/upstream.yaml"
PROD = "infra/kafka/envs/prod/kustomization.yaml"
# So long that what is filled in has the same letters in Base64 as alone.
KEY = f"key: |\n  -----BEGIN RSA PRIVATE{' '}KEY-----\n  xx{{}}\n  -----END RSA PRIVATE{' '}KEY-----\n"
PROMOTED = sorted(f"argocd/{name}" for name in (KAFKA, PROD, UPSTREAM, "appsets/prod/infra.yaml"))


@pytest.fixture
def where(tmp_path):
    return {"url": f"file://{tmp_path}/repo.git", "path": str(tmp_path / "clone")}


@pytest.fixture
def clone(where):
    made = Clone(where["path"], where["url"], "main")
    made.open(create=True)
    return made


@pytest.fixture
def remote(tmp_path):
    return lambda *args: git(tmp_path / "repo.git", *args).strip()


class TestCheckout:
    def test_a_repository_is_made_once(self, where, remote):
        assert run_module(gitops_repo_checkout, **where, create=True) == {"changed": True, "commit": ""}
        assert remote("rev-parse", "--is-bare-repository") == "true"
        assert run_module(gitops_repo_checkout, **where, create=True) == {"changed": False, "commit": ""}

    def test_the_head_of_the_branch_is_the_result(self, tmp_path, where, clone):
        publish(clone, KAFKA, "a: 1")
        other = where | {"path": str(tmp_path / "other")}
        assert run_module(gitops_repo_checkout, **other) == {"changed": False, "commit": clone.head()}
        assert (tmp_path / "other" / "argocd" / KAFKA).read_text() == f"{HEADER}\na: 1\n"

    def test_a_made_repository_starts_with_the_history_of_its_seed(self, tmp_path, where, clone):
        publish(clone, KAFKA, "a: 1")
        copy = {"url": f"file://{tmp_path}/copy.git", "path": str(tmp_path / "copy"), "seed_url": where["url"]}
        assert run_module(gitops_repo_checkout, **copy, create=True) == {"changed": True, "commit": clone.head()}
        publish(clone, KAFKA, "a: 2")
        again = run_module(gitops_repo_checkout, **copy, create=True)
        assert (again["changed"], again["commit"]) == (False, git(tmp_path / "copy.git", "rev-parse", "main").strip())
        assert again["commit"] != clone.head()

    def test_a_seed_that_does_not_answer_is_named_without_its_password(self, tmp_path, where):
        seed = "https://bob:hunter2@127.0.0.1:1/x.git"
        result = run_module(gitops_repo_checkout, **where, create=True, seed_url=seed)
        assert result["failed"]
        assert result["msg"].startswith("https://127.0.0.1:1/x.git cannot be cloned: fatal: unable to access ")
        assert "hunter2" not in result["msg"]
        assert not (tmp_path / "repo.git").exists()

    def test_a_missing_repository_is_an_error(self, tmp_path, where):
        assert run_module(gitops_repo_checkout, **where) == {
            "failed": True,
            "msg": f"The repository {where['url']} does not exist: correct gitops_repo_url and gitops_repo_push_url, "
            f"or create it with git init --bare {tmp_path}/repo.git.",
        }

    def test_a_folder_with_something_else_is_left_alone(self, tmp_path, where, clone):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "notes.txt").write_text("mine")
        result = run_module(gitops_repo_checkout, **where | {"path": str(tmp_path / "mine")})
        assert result["msg"].startswith(f"{tmp_path}/mine exists ")
        assert "set gitops_repo_path to another folder or remove it" in result["msg"]
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
        assert clone.head() == ""

    def test_a_repository_elsewhere_is_not_made(self, tmp_path):
        result = run_module(
            gitops_repo_checkout, url="https://127.0.0.1:1/x.git", path=str(tmp_path / "clone"), create=True
        )
        assert result["msg"].startswith("git fetch failed for https://127.0.0.1:1/x.git: ")

    def test_check_mode_does_nothing(self, tmp_path, where):
        result = run_module(gitops_repo_checkout, True, **where, create=True)
        assert result["skipped"]
        assert list(tmp_path.iterdir()) == []


class TestPublish:
    @pytest.fixture
    def publish_dev(self, where):
        return lambda check=False, **more: run_module(
            gitops_repo_publish, check, **where, **{"environment": "dev"} | more
        )

    def test_what_was_rendered_becomes_one_pushed_commit(self, publish_dev, clone, remote):
        write(clone, KAFKA, "a: 1")
        write(clone, DEV, "b: 1")
        before = write_time()
        result = publish_dev()
        assert before <= result.pop("published_at") <= write_time()
        message = "dev: update kafka\n\n- infra/kafka: 2 added\n"
        assert result == {
            "changed": True,
            "commit": remote("rev-parse", "main"),
            "message": message,
            "files": [f"argocd/{KAFKA}", f"argocd/{DEV}"],
            "components": ["kafka"],
            "other_environments": [],
            "removed": [],
            "diff": {"prepared": message},
        }
        assert remote("log", "--format=%an <%ae>", "main") == "monorepo.gitops <monorepo.gitops@localhost>"

    def test_a_second_time_changes_nothing(self, publish_dev, clone):
        publish(clone, KAFKA, "a: 1")
        assert publish_dev() == {
            "changed": False,
            "commit": clone.head(),
            "message": "",
            "published_at": "",
            "files": [],
            "components": [],
            "other_environments": [],
            "removed": [],
            "diff": {"prepared": ""},
        }

    def test_the_message_tells_what_people_changed_from_what_they_wrote(self, publish_dev, clone):
        write(clone, KAFKA, "a: 7")
        write(clone, DEV, "b: 7")
        (clone.path / "argocd" / DEV).write_text("b: 7\n")
        publish_dev()
        write(clone, KAFKA, "a: 1")
        write(clone, DEV, "b: 1")
        assert publish_dev(replaced=[f"argocd/{KAFKA}", f"argocd/{DEV}"])["message"] == (
            "dev: update kafka\n\n- infra/kafka: 2 changed\n"
            f"- argocd/{KAFKA}: changed by hand before (gitops_adopt)\n"
            f"- argocd/{DEV}: written by hand before (gitops_adopt)\n"
        )

    def test_check_mode_tells_the_same_and_commits_nothing(self, publish_dev, clone, remote):
        publish(clone, KAFKA, "a: 1")
        before = clone.head()
        write(clone, KAFKA, "a: 2")
        result = publish_dev(check=True)
        assert (result["changed"], result["files"], result["commit"]) == (True, [f"argocd/{KAFKA}"], before)
        assert result["diff"] == {"prepared": "dev: update kafka\n\n- infra/kafka: 1 changed\n"}
        assert (clone.head(), remote("rev-parse", "main")) == (before, before)

    def test_without_push_the_commit_stays_in_the_clone(self, publish_dev, clone, remote):
        publish(clone, KAFKA, "a: 1")
        before = clone.head()
        write(clone, KAFKA, "a: 2")
        assert publish_dev(push=False)["commit"] == clone.head() != before
        assert remote("rev-parse", "main") == before

    def test_author_and_other_environments(self, publish_dev, clone, remote):
        publish(clone, PROD, "b: 1")
        write(clone, KAFKA, "a: 1")
        result = publish_dev(author_name="Ann", author_email="ann@example.com")
        assert (result["components"], result["other_environments"]) == (["kafka"], ["prod"])
        assert remote("log", "-1", "--format=%an <%ae> %cn", "main") == "Ann <ann@example.com> Ann"

    def test_a_secret_is_refused_before_the_commit(self, publish_dev, clone):
        write(clone, KAFKA, "uri: https://bob:hunter2@git.example.com/x.git")
        write(clone, DEV, "kind: Secret\nmetadata: {name: db}\ndata: {password: c2VjcmV0}")
        assert publish_dev() == {
            "failed": True,
            "msg": f"Nothing was committed: argocd/{KAFKA} contains a password in a URL; argocd/{DEV} contains the "
            "data of Secret db. Keep secrets out of Git: generate them in the cluster.",
        }
        assert clone.head() == ""

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            ("uri: https://bob:hunter2@git.example.com/x.git", "contains a password in a URL"),
            ("kind: Secret\nmetadata: {name: db}\ndata: {password: c2VjcmV0}", "contains the data of Secret db"),
            (KEY.format("hunter2"), "contains a private key"),
            (f"key: {base64.b64encode(KEY.format('secret').encode()).decode()}", "contains a private key"),
        ],
    )
    def test_a_secret_that_the_file_had_before_is_a_warning(self, publish_dev, clone, before, now):
        publish(clone, KAFKA, before)
        write(clone, KAFKA, f"{before}\nmore: 1")
        result = publish_dev()
        assert (result["changed"], result["warnings"]) == (
            True,
            [f"Git had a secret before: argocd/{KAFKA} {now}."],
        )
        write(clone, KAFKA, before.replace("hunter2", "hunter3").replace("c2VjcmV0", "c2VjcmV1"))
        assert publish_dev()["msg"] == (
            f"Nothing was committed: argocd/{KAFKA} {now}. Keep secrets out of Git: generate them in the cluster."
        )

    def test_a_tree_that_was_not_compared_is_refused(self, publish_dev, clone):
        write(clone, KAFKA, "a: 1")
        compared = clone.staged_tree()
        write(clone, KAFKA, "a: 2")
        assert publish_dev(tree=compared) == {
            "failed": True,
            "msg": "Nothing was committed. The working tree is not the one that was compared: another run for this "
            "repository is working in the same clone. Run again when it has finished.",
        }
        write(clone, KAFKA, "a: 1")
        assert publish_dev(tree=compared)["changed"]

    def test_an_overlay_is_removed_and_its_base_with_the_last_one(self, publish_dev, clone, remote):
        for name in (KAFKA, DEV, PROD, "infra/maildev/envs/dev/kustomization.yaml"):
            publish(clone, name, "a: 1")
        result = publish_dev(removals=["infra/kafka", "services/gone"])
        assert (result["removed"], result["files"]) == (["kafka"], [f"argocd/{DEV}"])
        assert result["message"].endswith("- infra/kafka: 1 removed\n- kafka: removed from dev (gitops_removals)\n")
        assert remote("ls-tree", "-r", "--name-only", "main", "argocd/infra/kafka").split() == [
            f"argocd/{KAFKA}",
            f"argocd/{PROD}",
        ]
        result = run_module(
            gitops_repo_publish, url=clone.url, path=str(clone.path), environment="prod", removals=["infra/kafka"]
        )
        assert result["files"] == [f"argocd/{KAFKA}", f"argocd/{PROD}"]
        assert remote("ls-tree", "--name-only", "main", "argocd/infra/") == "argocd/infra/maildev"

    def test_an_overlay_with_a_file_of_a_person_is_not_removed(self, publish_dev, tmp_path, clone):
        publish(clone, DEV, "a: 1")
        somebody_else_pushes(tmp_path, "argocd/infra/kafka/envs/dev/notes.yaml", "mine\n")
        clone.open(create=False)
        assert publish_dev(removals=["infra/kafka"]) == {
            "failed": True,
            "msg": "Nothing was committed. infra/kafka cannot be removed, because no run wrote "
            "argocd/infra/kafka/envs/dev/notes.yaml: move or delete these files in Git first.",
        }
        assert clone.staged() == {}

    def test_an_official_file_counts_as_rendered(self, publish_dev, clone):
        path = clone.path / "argocd/infra/kafka/envs/dev/upstream.yaml"
        path.parent.mkdir(parents=True)
        path.write_text("kind: List\n")
        assert publish_dev()["changed"]
        assert publish_dev(removals=["infra/kafka"])["removed"] == ["kafka"]


class TestPromote:
    @pytest.fixture
    def promote(self, where):
        return lambda check=False, **more: run_module(
            gitops_repo_promote, check, **where, **{"environment": "prod", "revision": "prod"} | more
        )

    @pytest.fixture
    def history(self, clone):
        """Return the commits of a repository with two states of prod; the second has a new official file, too."""
        commits = []
        for text in ("a: 1", "a: 2"):
            for name in (KAFKA, PROD, DEV):
                write(clone, name, text)
            write(clone, UPSTREAM, text)
            write(clone, "appsets/prod/infra.yaml", text)
            publish(clone, "appsets/dev/infra.yaml", text)
            commits.append(clone.head())
        return commits

    FILES = sorted(
        f"argocd/{name}" for name in (KAFKA, PROD, "infra/kafka/base/upstream.yaml", "appsets/prod/infra.yaml")
    )

    def test_a_branch_is_made_and_then_moved(self, promote, remote, history):
        first, second = history
        before = write_time()
        made = promote(commit=first)
        assert before <= made.pop("moved_at") <= write_time()
        assert made == {
            "changed": True,
            "before": "",
            "commit": first,
            "files": [],
            "components": ["kafka"],
            "behind": 1,
            "difference": "",
            "diff": {"prepared": ""},
        }
        assert remote("rev-parse", "prod") == first
        result = promote()
        assert before <= result.pop("moved_at") <= write_time()
        diff = result.pop("diff")["prepared"]
        assert result.pop("difference") == diff
        assert result == {
            "changed": True,
            "before": first,
            "commit": second,
            "files": PROMOTED,
            "components": ["kafka"],
            "behind": 0,
        }
        assert [line for line in diff.splitlines() if line.startswith("+++")] == [
            f"+++ b/{name}" for name in PROMOTED if "upstream" not in name
        ]
        assert "-a: 1\n+a: 2\n" in diff
        assert remote("rev-parse", "prod") == second

    def test_of_a_file_with_a_secret_nothing_is_shown(self, promote, clone, history):
        promote(commit=history[1])
        for number, value in enumerate(("hunter2", "hunter3")):
            write(clone, KAFKA, f"a: {number + 3}")
            publish(clone, "infra/kafka/base/login.yaml", f"kind: Secret\nstringData: {{password: {value}}}")
            shown = promote()["difference"]
            assert f"+a: {number + 3}\n" in shown
            assert "hunter" not in shown
            assert shown.endswith("argocd/infra/kafka/base/login.yaml has a Secret: what differs is not shown\n")

    def test_what_is_there_already_is_not_moved(self, promote, history):
        promote()
        result = promote()
        assert (result["changed"], result["commit"], result["files"]) == (False, history[1], [])
        assert result["diff"] == {"prepared": ""}

    def test_check_mode_shows_and_moves_nothing(self, promote, remote, history):
        promote(commit=history[0])
        result = promote(check=True)
        assert (result["changed"], result["commit"], result["files"]) == (True, history[1], PROMOTED)
        assert result["moved_at"] == ""
        assert "+a: 2\n" in result["diff"]["prepared"]
        assert remote("rev-parse", "prod") == history[0]

    def test_create_only_leaves_a_revision_and_tells_what_it_lacks(self, promote, remote, history):
        assert promote(create_only=True, commit=history[0])["changed"]
        result = promote(create_only=True)
        assert "-a: 1\n+a: 2\n" in result.pop("difference")
        assert result == {
            "changed": False,
            "before": history[0],
            "commit": history[0],
            "files": PROMOTED,
            "components": ["kafka"],
            "behind": 1,
            "moved_at": "",
            "diff": {"prepared": ""},
        }
        assert remote("rev-parse", "prod") == history[0]

    def test_a_tag_goes_back(self, promote, remote, history):
        remote("tag", "v1", "main")
        result = promote(revision="v1", commit=history[0])
        assert (result["before"], result["commit"]) == (history[1], history[0])
        assert remote("rev-parse", "v1") == history[0]

    def test_a_branch_does_not_go_back(self, promote, clone, history):
        promote()
        assert promote(commit=history[0]) == {
            "failed": True,
            "msg": f"{clone.url}: branch prod is ahead of {history[0][:12]}, and a branch is only moved forward: "
            "revert the change on main, or let the environment follow a tag.",
        }

    def test_only_what_was_published_is_promoted(self, promote, clone):
        assert promote() == {"failed": True, "msg": "main has no commit yet: publish first."}
        publish(clone, KAFKA, "a: 1")
        unknown = "0" * 40
        assert promote(commit=unknown) == {"failed": True, "msg": f"main has no commit {unknown}: publish first."}
        write(clone, KAFKA, "a: 2")
        clone.staged()
        clone.commit("not pushed", *AUTHOR)
        assert promote(commit=clone.head())["msg"] == f"main has no commit {clone.head()}: publish first."

    def test_a_commit_is_not_a_revision_to_move(self, promote, history):
        result: dict[str, Any] = promote(revision=history[0])
        assert result["failed"]
        assert result["msg"].startswith(f"{history[0]} is ")

    def test_without_a_clone_nothing_is_promoted(self, promote, where):
        message = f"{where['path']} is not a Git clone: let gitops_repo_checkout make one there first."
        assert promote() == {"failed": True, "msg": message}
