# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private clone, against real repositories."""

from __future__ import annotations

import base64
import http.server
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import CONFIGURATION, public
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER, Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.modules.gitops_repo_checkout import seed
from ansible_collections.monorepo.gitops.plugins.modules.gitops_repo_promote import promote

from .repositories import AUTHOR, git, publish, somebody_else_pushes


@pytest.fixture
def clone(tmp_path):
    made = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main")
    made.open(create=True)
    return made


def test_a_missing_repository_is_created_once(tmp_path, clone):
    assert (tmp_path / "repo.git" / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert clone.head() == ""
    assert clone.open(create=True) is False


def test_a_missing_repository_is_not_created_unasked(tmp_path):
    url = f"file://{tmp_path}/repo.git"
    message = (
        f"The repository {url} does not exist: correct gitops_repo_url and gitops_repo_push_url, "
        f"or create it with git init --bare {tmp_path}/repo.git."
    )
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        Clone(tmp_path / "clone", url, "main").open(create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def other_repository(tmp_path, monkeypatch):
    """Return another repository, to which every variable points that git knows for it, as in a hook."""
    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(other))
    git(other, "commit", "--quiet", "--allow-empty", "-m", "theirs")
    names = git(other, "rev-parse", "--local-env-vars").split()
    assert {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"} <= set(names)
    for name in set(names) - CONFIGURATION:
        monkeypatch.setenv(name, str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_QUARANTINE_PATH", str(other / ".git" / "objects"))
    monkeypatch.setenv("GIT_NAMESPACE", "theirs")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Theirs")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
    return other


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_variables_of_another_repository_do_not_reach_the_clone(tmp_path, other_repository, monkeypatch):
    before = files_of(other_repository)
    made = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main")
    made.open(create=True)
    publish(made, "infra/a/base/x.yaml", "a: 1")
    made.open(create=False)
    assert files_of(other_repository) == before
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    assert git(tmp_path / "repo.git", "log", "--format=%s %an", "main") == "change infra/a/base/x.yaml Test\n"
    assert "2001" not in git(tmp_path / "repo.git", "log", "--format=%cI", "main")


@pytest.mark.usefixtures("other_repository")
def test_a_repository_is_seeded_in_spite_of_variables_of_another_one(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    assert seed(f"file://{tmp_path}/copy.git", clone.url, "")
    assert Clone(tmp_path / "clone2", f"file://{tmp_path}/copy.git", "main").open(create=False) is False
    assert (tmp_path / "clone2/argocd/infra/a/base/x.yaml").is_file()


def test_configuration_and_command_for_ssh_are_passed_on(tmp_path, monkeypatch):
    (tmp_path / "ssh").write_text(f"#!/bin/sh\necho ssh > {tmp_path}/used\nexit 1\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(tmp_path / "ssh"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.ssh://git@host.invalid/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://host.invalid/")
    with pytest.raises(GitopsError, match=r"^git fetch failed for https://host\.invalid/x\.git: "):
        Clone(tmp_path / "clone", "https://host.invalid/x.git", "main").open(create=False)
    assert (tmp_path / "used").read_text() == "ssh\n"


def test_nothing_staged_when_nothing_changed(clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    assert clone.staged() == {}


def test_a_rejected_push_is_put_on_top_of_the_other_one(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    somebody_else_pushes(tmp_path, "README.md", "theirs")
    publish(clone, "infra/a/base/x.yaml", "a: 2")
    assert git(tmp_path / "repo.git", "log", "--format=%s", "main").splitlines() == [
        "change infra/a/base/x.yaml",
        "theirs",
        "change infra/a/base/x.yaml",
    ]


def test_a_conflict_is_reported_and_leaves_no_rebase_behind(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    somebody_else_pushes(tmp_path, "argocd/infra/a/base/x.yaml", f"{HEADER}\na: 7\n")
    with pytest.raises(GitopsError, match="somebody pushed a change to the same lines below argocd/"):
        publish(clone, "infra/a/base/x.yaml", "a: 2")
    assert not (clone.path / ".git" / "rebase-merge").exists()
    clone.open(create=False)
    assert (clone.path / "argocd/infra/a/base/x.yaml").read_text() == f"{HEADER}\na: 7\n"


def refuse(tmp_path, *lines, name="pre-receive"):
    """Let the server refuse every push with some words, and count the tries."""
    hook = tmp_path / "repo.git" / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "\n".join(["#!/bin/sh", "echo once >> tries", *(f"echo '{line}' >&2" for line in lines), "exit 1\n"])
    )
    hook.chmod(0o755)


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize(
    "words",
    [
        ("main is protected",),
        ("error: GH006: Protected branch update failed", "", "Commits must have verified signatures"),
        # Words of a hook that git uses as well when somebody else was faster.
        ("[rejected] cannot lock ref: incorrect old value",),
        (),
    ],
)
def test_a_push_that_the_server_refuses_is_told_in_its_words_and_not_tried_again(tmp_path, clone, empty, words):
    if not empty:
        publish(clone, "infra/a/base/x.yaml", "a: 1")
    refuse(tmp_path, *words)
    said = f"{' '.join(filter(None, words))} (pre-receive hook declined)" if words else "pre-receive hook declined"
    message = f"Nothing was published. {clone.url} refuses the push to main: {said}."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        publish(clone, "infra/a/base/x.yaml", "a: 2")
    assert (tmp_path / "repo.git" / "tries").read_text() == "once\n"


def test_a_promotion_that_the_server_refuses_is_told_in_its_words(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    refuse(tmp_path, "prod is protected")
    message = (
        f"Nothing was published. {clone.url} refuses the push to prod: prod is protected (pre-receive hook declined)."
    )
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        remote.move(clone, "refs/remotes/origin/prod", clone.head())


def test_a_push_that_others_overtake_again_and_again_ends(clone, monkeypatch):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    tries, really = [], clone.attempt

    def attempt(*args, **options):
        if args[0] != "push":
            return really(*args, **options)
        tries.append(args)
        line = " ! [remote rejected] HEAD -> main (failed to update ref)"
        return subprocess.CompletedProcess(args, 1, "", f"To {clone.url}\n{line}\nerror: failed to push some refs")

    monkeypatch.setattr(clone, "attempt", attempt)
    message = f"{clone.url}: the push was rejected 5 times because others pushed; run again."
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        publish(clone, "infra/a/base/x.yaml", "a: 2")
    assert len(tries) == 5


@pytest.mark.parametrize(("mode", "readable"), [(0o755, 0o444), (0o750, 0o440), (0o700, 0o400)])
def test_new_objects_can_be_read_by_whoever_can_read_the_repository(tmp_path, clone, mode, readable):
    """Argo CD may read a repository on this machine as another user, whatever the umask of the one who pushes."""
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    objects = tmp_path / "repo.git" / "objects"
    objects.chmod(mode)
    before = set(objects.rglob("*"))
    mask = os.umask(0o027)
    try:
        publish(clone, "infra/a/base/x.yaml", "a: 2")
    finally:
        os.umask(mask)
    added = set(objects.rglob("*")) - before
    assert {path.stat().st_mode & 0o777 for path in added if path.is_file()} == {readable}
    assert {path.stat().st_mode & 0o777 for path in added if path.is_dir()} <= {mode}


def test_leftovers_of_an_interrupted_run_are_dropped(clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    (clone.path / "argocd/infra/a/base/x.yaml").write_text(f"{HEADER}\nhalf")
    (clone.path / "argocd/infra/b.yaml").write_text(f"{HEADER}\nnew")
    (clone.path / ".git/index.lock").touch()
    clone.open(create=False)
    assert (clone.path / "argocd/infra/a/base/x.yaml").read_text() == f"{HEADER}\na: 1\n"
    assert not (clone.path / "argocd/infra/b.yaml").exists()


def test_leftovers_are_dropped_in_an_empty_repository_too(clone):
    path = clone.path / "argocd" / "infra" / "a" / "x.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(f"{HEADER}\na: 1\n")
    clone.staged()
    clone.open(create=False)
    assert not path.exists()
    assert clone.staged() == {}


def test_a_branch_is_made_and_moved_forward(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    first = clone.head()
    reference = History(clone).reference("prod")
    assert History(clone).commit_of(reference) == ""
    remote.move(clone, reference, first)
    publish(clone, "infra/a/base/x.yaml", "a: 2")
    remote.check_move(clone, reference, first, clone.head())
    remote.move(clone, reference, clone.head())
    assert git(tmp_path / "repo.git", "rev-parse", "prod").strip() == clone.head()


def test_a_branch_is_not_moved_back(clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    first = clone.head()
    publish(clone, "infra/a/base/x.yaml", "a: 2")
    remote.move(clone, History(clone).reference("prod"), clone.head())
    message = f"branch prod is ahead of {first[:12]}, and a branch is only moved forward: revert the change on main"
    with pytest.raises(GitopsError, match=re.escape(message)):
        remote.check_move(clone, History(clone).reference("prod"), clone.head(), first)


def test_a_branch_with_commits_of_its_own_is_not_moved(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", f"file://{tmp_path}/repo.git", "other")
    git(other, "commit", "--quiet", "--allow-empty", "-m", "hotfix")
    git(other, "push", "--quiet", "origin", "HEAD:prod")
    clone.fetch()
    reference = History(clone).reference("prod")
    assert History(clone).is_published(clone.head())
    assert not History(clone).is_published(History(clone).commit_of(reference))
    with pytest.raises(GitopsError, match=r"branch prod has 1 commits that main does not have\. Merge them"):
        remote.check_move(clone, reference, History(clone).commit_of(reference), clone.head())


def test_a_tag_is_moved_to_any_commit(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    first = clone.head()
    publish(clone, "infra/a/base/x.yaml", "a: 2")
    git(tmp_path / "repo.git", "tag", "prod", "main")
    clone.fetch()
    reference = History(clone).reference("prod")
    assert reference == "refs/tags/prod"
    remote.check_move(clone, reference, History(clone).commit_of(reference), first)
    remote.move(clone, reference, first)
    assert git(tmp_path / "repo.git", "rev-parse", "prod").strip() == first


def test_a_commit_that_was_not_pushed_is_made_again(clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    pushed = clone.head()
    (clone.path / "argocd/infra/a/base/x.yaml").write_text(f"{HEADER}\na: 2\n")
    clone.staged()
    clone.commit("not pushed", *AUTHOR)
    clone.open(create=False)
    assert clone.head() == pushed


@pytest.mark.parametrize("name", ["README.md", "argocd/infra/a/base/by-hand.yaml"])
def test_work_by_hand_stops_the_run(clone, name):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    (clone.path / name).write_text("mine\n")
    with pytest.raises(GitopsError, match=re.escape(f"has changes that no run of this collection made: {name}.")):
        clone.open(create=False)
    assert (clone.path / name).read_text() == "mine\n"


def test_a_clone_that_somebody_else_made_is_not_touched(tmp_path, clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    git(tmp_path, "clone", "--quiet", f"file://{tmp_path}/repo.git", "theirs")
    (tmp_path / "theirs" / ".git" / "index.lock").touch()  # a git of theirs is at work
    before = files_of(tmp_path / "theirs")
    with pytest.raises(GitopsError, match="is a Git clone that this collection did not create"):
        Clone(tmp_path / "theirs", clone.url, "main").open(create=False)
    assert files_of(tmp_path / "theirs") == before


@pytest.mark.parametrize("theirs", [False, True])
def test_nothing_works_outside_a_clone_of_this_collection(tmp_path, clone, theirs):
    folder = tmp_path / "theirs"
    message = f"{folder} is not a Git clone: let gitops_repo_checkout make one there first."
    if theirs:
        git(tmp_path, "clone", "--quiet", clone.url, str(folder))
        message = f"{folder} is a Git clone that this collection did not create"
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}"), Clone(folder, clone.url, "main").locked():
        pytest.fail("somebody's folder was locked")


def test_a_wrong_branch_is_named(clone):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    with pytest.raises(GitopsError, match="has no branch 'release': create it or correct gitops_repo_branch"):
        Clone(clone.path, clone.url, "release").open(create=False)


def test_an_unreachable_repository_is_named_without_its_password(tmp_path):
    url = "https://bob:hunter2@127.0.0.1:1/x.git"
    with pytest.raises(GitopsError) as error:
        Clone(tmp_path / "clone", url, "main").open(create=False)
    assert str(error.value).startswith("git fetch failed for https://127.0.0.1:1/x.git: ")
    assert "hunter2" not in str(error.value)


def test_credentials_are_cut_out_of_urls():
    assert public("fatal: https://bob:pw@host/x and ssh://git@host/y") == "fatal: https://host/x and ssh://host/y"


@pytest.mark.parametrize(
    "password", ["pq/hunter2", "pq#hunter2", "pq@hunter2", "pq?hunter2", "12/hunter2", "p:q@hunter2"]
)
@pytest.mark.parametrize("scheme", ["https", "ssh"])
def test_no_part_of_a_password_that_should_have_been_encoded_is_shown(tmp_path, password, scheme):
    """Git takes a part of such a password for the host, and says so."""
    url = f"{scheme}://bob:{password}@127.0.0.1:1/x.git"
    with pytest.raises(GitopsError) as error:
        Clone(tmp_path / "clone", url, "main").open(create=False)
    text = str(error.value)
    assert text.startswith(f"git fetch failed for {scheme}://127.0.0.1:1/x.git: ")
    assert "hunter2" not in text
    assert password not in text


def test_what_was_split_off_a_password_is_hidden():
    url = "ssh://bob:pq/hunter2@host/x.git"
    assert public("Could not resolve hostname bob:pq, or hunter2", url) == (
        "Could not resolve hostname (hidden), or (hidden)"
    )
    assert public("the user git is not allowed", "ssh://git@host/x.git") == "the user git is not allowed"


@pytest.fixture
def http_server(tmp_path):
    """Serve the repositories of a folder over HTTP with git's own server program."""
    (tmp_path / "cgi-bin").mkdir()
    program = tmp_path / "cgi-bin" / "git"
    program.write_text(
        f"#!/bin/sh\nGIT_PROJECT_ROOT={tmp_path} GIT_HTTP_EXPORT_ALL=1 exec git -c http.receivepack=true http-backend\n"
    )
    program.chmod(0o755)

    class Handler(http.server.CGIHTTPRequestHandler):
        have_fork = False  # else it becomes the user nobody

        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def translate_path(self, path):
            return str(tmp_path / path.split("?")[0].lstrip("/"))

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/cgi-bin/git"
    server.shutdown()


def test_a_repository_behind_http(tmp_path, http_server):
    Clone(tmp_path / "first", f"file://{tmp_path}/repo.git", "main").open(create=True)
    clone = Clone(tmp_path / "clone", f"{http_server}/repo.git", "main")
    clone.open(create=False)
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    clone.open(create=False)
    assert git(tmp_path / "repo.git", "rev-parse", "main").strip() == clone.head()


def test_a_repository_behind_ssh(tmp_path):
    """The SSH client is replaced by one that runs the command here; URL, options and command are git's own."""
    Clone(tmp_path / "first", f"file://{tmp_path}/repo.git", "main").open(create=True)
    client = tmp_path / "ssh"
    client.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\nfor last; do :; done\nexec sh -c "$last"\n')
    client.chmod(0o755)
    clone = Clone(tmp_path / "clone", f"ssh://git@git.example.com{tmp_path}/repo.git", "main", f"{client} -i /key")
    clone.open(create=False)
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    assert git(tmp_path / "repo.git", "rev-parse", "main").strip() == clone.head()
    assert "-i /key" in (tmp_path / "log").read_text()
    assert "git@git.example.com git-receive-pack" in (tmp_path / "log").read_text()


# What people set, each of which changes what git does or prints.
TASTE = """
[core]
    autocrlf = true
    eol = crlf
    safecrlf = true
    quotePath = true
    fileMode = false
    pager = less
    editor = false
    fsmonitor = {hooks}/fsmonitor
    excludesFile = {folder}/ignore
    attributesFile = {folder}/attributes
    logAllRefUpdates = false
[color]
    ui = always
    grep = always
    diff = always
    branch = always
[column]
    ui = always
[push]
    default = nothing
    followTags = true
    autoSetupRemote = true
[pull]
    ff = only
    rebase = true
[clone]
    defaultRemoteName = upstream
    filterSubmodules = true
[checkout]
    defaultRemote = upstream
    guess = false
[remote]
    pushDefault = upstream
[diff]
    noprefix = true
    mnemonicPrefix = true
    external = false
    renames = copies
    relative = true
    submodule = log
    orderFile = {folder}/order
    colorMoved = zebra
    wordRegex = .
    context = 0
[merge]
    ff = only
    conflictStyle = diff3
[rebase]
    autoStash = true
    autoSquash = true
    updateRefs = true
    missingCommitsCheck = error
[branch]
    autoSetupMerge = always
    autoSetupRebase = always
    sort = -committerdate
[tag]
    sort = -creatordate
    gpgSign = true
[log]
    decorate = full
    showSignature = true
    date = relative
    follow = true
    abbrevCommit = true
[format]
    pretty = oneline
[status]
    showUntrackedFiles = no
    short = true
    branch = true
    relativePaths = true
[grep]
    lineNumber = true
    column = true
    fullName = true
    patternType = perl
[commit]
    verbose = 2
    cleanup = scissors
    template = {folder}/message
    status = false
[fetch]
    prune = false
    pruneTags = true
    all = true
    writeCommitGraph = true
    output = compact
[init]
    defaultBranch = trunk
    defaultObjectFormat = sha256
    templateDir = {folder}/template
[advice]
    detachedHead = false
[submodule]
    recurse = true
[index]
    version = 4
[feature]
    manyFiles = true
    experimental = true
[clean]
    requireForce = true
[apply]
    whitespace = error
[transfer]
    fsckObjects = true
[filter "shout"]
    clean = tr a-z A-Z
    smudge = tr a-z A-Z
[alias]
    commit = !false
    push = !false
[user]
    useConfigOnly = true
"""
HOOKS = ("pre-commit", "commit-msg", "prepare-commit-msg", "post-commit", "pre-push", "pre-rebase", "post-checkout")
HOOKS += ("post-rewrite", "post-index-change", "reference-transaction", "fsmonitor")


@pytest.fixture
def taste(tmp_path, monkeypatch):
    """Return a Git configuration of a user whose hooks all fail, and which nothing of this repository knows."""
    folder = tmp_path / "home"
    for place in ("hooks", "template/hooks"):
        (folder / place).mkdir(parents=True)
        for name in HOOKS:
            (folder / place / name).write_text(f"#!/bin/sh\necho {name} >> {folder}/ran\nexit 1\n")
            (folder / place / name).chmod(0o755)
    (folder / "ignore").write_text("*.yaml\nenvs/\n")
    (folder / "attributes").write_text("*.yaml filter=shout text eol=crlf\n")
    (folder / "order").write_text("*z\n")
    (folder / "message").write_text("ticket: \n")
    (folder / ".gitconfig").write_text(TASTE.format(folder=folder, hooks=folder / "hooks"))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return folder


def publish_and_look(folder, monkeypatch, isolated):
    """Publish before and after somebody else, promote, and return all that was seen of it."""
    folder.mkdir()
    made = Clone(folder / "clone", f"file://{folder}/repo.git", "main", isolated=isolated)
    with monkeypatch.context() as somebody:
        somebody.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        somebody.delenv("GIT_DEFAULT_HASH")
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "repo.git")
    made.open(create=False)
    publish(made, "infra/a/envs/dev/kustomization.yaml", "a: 1")
    with monkeypatch.context() as somebody:
        somebody.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        somebody_else_pushes(folder, "theirs", "theirs")
    before = made.head()
    publish(made, "services/\u00fc b/base/x.yaml", "b: 2")
    publish(made, "infra/a/envs/dev/kustomization.yaml", "a: 3")
    made.open(create=False)
    promotion = {"environment": "dev", "revision": "prod", "create_only": False}
    promote(made, promotion | {"commit": before}, check_mode=False)
    promoted = promote(made, promotion | {"commit": made.head()}, check_mode=False)
    assert "\n+a: 3\n" in promoted.pop("diff")["prepared"]
    del promoted["before"], promoted["commit"], promoted["moved_at"]
    history = History(made)
    seen = [
        history.files(made.head()),
        history.rendered(made.head(), "dev"),
        history.past("dev"),
        history.changed_files(before),
    ]
    history.export(made.head(), ["argocd"], folder)
    seen += [files_of(folder / "argocd"), files_of(made.path / "argocd")]
    (made.path / "argocd/infra/a/envs/dev/kustomization.yaml").unlink()
    return [*seen, promoted, made.staged(), history.is_reachable(before), history.has(before, made.head())]


@pytest.mark.parametrize("isolated", [True, False])
def test_what_a_user_has_set_for_git_changes_nothing(tmp_path, taste, monkeypatch, isolated):
    seen = publish_and_look(tmp_path / "with", monkeypatch, isolated)
    assert not (taste / "ran").exists()
    (taste / ".gitconfig").write_text("")
    assert publish_and_look(tmp_path / "without", monkeypatch, isolated) == seen
    assert seen[1] == ["argocd/infra/a/envs/dev/kustomization.yaml"]
    assert seen[4]["infra/a/envs/dev/kustomization.yaml"] == f"{HEADER}\na: 3\n".encode()


@pytest.mark.parametrize("works", [True, False])
def test_only_a_commit_for_a_real_repository_is_signed(tmp_path, clone, taste, works):
    program = taste / "gpg"
    made = 'echo "[GNUPG:] SIG_CREATED " >&2; echo "-----BEGIN PGP SIGNATURE-----"'
    program.write_text(f"#!/bin/sh\ncat > /dev/null\n{made if works else 'exit 1'}\n")
    program.chmod(0o755)
    (taste / ".gitconfig").write_text(f"[commit]\ngpgSign = true\n[gpg]\nprogram = {program}\n")
    rehearsed = Clone(tmp_path / "rehearsed", f"file://{tmp_path}/rehearsal.git", "main", isolated=True)
    rehearsed.open(create=True)
    publish(rehearsed, "infra/a/base/x.yaml", "a: 1")
    assert "gpgsig" not in git(rehearsed.path, "cat-file", "commit", "HEAD")
    if works:
        publish(clone, "infra/a/base/x.yaml", "a: 1")
        assert "gpgsig -----BEGIN PGP SIGNATURE" in git(clone.path, "cat-file", "commit", "HEAD")
    else:
        message = (
            f"Nothing was published, because the commit failed. git commit failed for {clone.url}: error: gpg failed "
            "to sign the data"
        )
        advice = " The Git configuration of this user signs commits (commit.gpgSign)."
        with pytest.raises(GitopsError, match=rf"(?s)^{re.escape(message)}.*{re.escape(advice)}$"):
            publish(clone, "infra/a/base/x.yaml", "a: 1")


@pytest.fixture
def gate():
    """Start a proxy that asks who somebody is, and knows no repository: `asked` has the addresses and the answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            login = self.headers.get("Authorization", "")
            self.server.asked.append((self.path.partition("?")[0], base64.b64decode(login.partition(" ")[2]).decode()))
            self.send_response(404 if login else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_only_a_real_repository_is_asked_for_through_a_proxy_and_with_credentials_of_the_user(tmp_path, taste, gate):
    proxy = f"[http]\nproxy = http://127.0.0.1:{gate.server_port}\n"
    helper = '[credential]\nhelper = "!f() { echo username=anna; echo password=hunter2; }; f"\n'
    (taste / ".gitconfig").write_text(proxy + helper)
    with pytest.raises(GitopsError) as found:
        Clone(tmp_path / "rehearsed", "http://git.invalid/x.git", "main", isolated=True).open(create=False)
    assert gate.asked == []
    with pytest.raises(GitopsError) as found:
        Clone(tmp_path / "real", "http://git.invalid/x.git", "main").open(create=False)
    assert gate.asked[:2] == [
        ("http://git.invalid/x.git/info/refs", ""),
        ("http://git.invalid/x.git/info/refs", "anna:hunter2"),
    ]
    assert "hunter2" not in str(found.value)


def test_only_a_real_repository_is_reached_as_the_user_has_configured(tmp_path, clone, taste, monkeypatch):
    publish(clone, "infra/a/base/x.yaml", "a: 1")
    (taste / ".gitconfig").write_text(f'[url "file://{tmp_path}/repo.git"]\ninsteadOf = https://git.invalid/x.git\n')
    assert Clone(tmp_path / "real", "https://git.invalid/x.git", "main").open(create=False) is False
    assert seed(f"file://{tmp_path}/seeded.git", "https://git.invalid/x.git", "")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/repo.git.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.invalid/x.git")
    rehearsed = Clone(tmp_path / "rehearsed", "https://git.invalid/x.git", "main", isolated=True)
    with pytest.raises(GitopsError, match=r"git\.invalid"):
        rehearsed.open(create=False)
