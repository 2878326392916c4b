# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argo CD itself: an image that does not exist, an upgrade, and the folder from which it reads."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.conftest import ARGO, message, words

from .environment import MOUNT, RealEnvironment
from .node.cluster import Cluster
from .node.image_names import ARGOCD_BEFORE, argocd_before_manifest
from .node.processes import eventually

pytestmark = pytest.mark.harms_node
WRONG = "nowhere.invalid/argocd"
OWNER = 1000


def test_an_image_that_does_not_exist_is_named_and_the_next_run_recovers(site, real_images):
    real_images.set_real_images([*real_images.real_images(), f"{WRONG}:1"])
    names = [{"name": "quay.io/argoproj/argocd", "newName": WRONG, "newTag": "1"}]
    broken = {"argocd_images": names, "argocd_rollout_timeout": 20}
    said = message(site.site("--tags", "argocd", "-e", json.dumps(broken)), site)
    image = rf"container \S+: ImagePullBackOff: image {WRONG}:1 cannot be pulled: "
    controller = r"StatefulSet argocd/argocd-application-controller: Pod argocd-application-controller-0: "
    assert re.search(controller + image, said), said
    assert re.search(r"Deployment argocd/argocd-server: Pod argocd-server-\S+: " + image, said), said

    recovered = site.site()
    words(recovered)
    # Kubernetes itself would wait for this pod forever.
    said = re.sub(r"\s+", " ", recovered.stderr)
    assert "Pod argocd/argocd-application-controller-0 was deleted: it belongs to an older revision" in said
    assert "changed=0 " in words(site.site("--tags", "argocd"))


def version(cluster: Cluster) -> str:
    """Return what the process of Argo CD says of itself."""
    command = ("exec", "-n", "argocd", "deployment/argocd-server", "--", "argocd", "version", "--client", "--short")
    return cluster.kubectl(*command).split()[-1].partition("+")[0]


def test_an_upgrade_from_the_release_before(site, cluster):
    """After the way back to it, which is the same with the other version."""
    manifest = argocd_before_manifest()
    before = {
        "argocd_version": ARGOCD_BEFORE,
        "argocd_manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        "argocd_manifest_alternatives": [str(manifest)],
    }
    now = version(cluster)
    upgrade = ("playbooks/upgrade_argocd.yml", "-e", "secrets=false")
    said = words(site.playbook(*upgrade, "-e", json.dumps(before)))
    assert f"Argo CD {now} -> {ARGOCD_BEFORE}" in said
    assert version(cluster) == ARGOCD_BEFORE
    said = words(site.playbook(*upgrade))
    assert f"Argo CD {ARGOCD_BEFORE} -> {now}" in said
    assert version(cluster) == now
    assert "changed=0 " in words(site.site())


class Owner:
    """A user who is neither root nor Argo CD's, has the folder of the repository, and works in a clone of it."""

    def __init__(self, home: Path) -> None:
        self.home, self.clone = home, home / "clone"

    def git(self, *args: str) -> str:
        """Run git as this user, who has no settings but a name, and return what it says."""
        settings = (f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL"))
        return subprocess.run(
            ["git", "-C", self.home, *args],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)} | dict.fromkeys(settings, "owner"),
            user=OWNER,
            group=OWNER,
            extra_groups=[],
            umask=0o022,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def push(self) -> str:
        """Push a commit, and return it."""
        if not self.clone.exists():
            self.git("clone", "--quiet", str(self.home / "monorepo.git"), str(self.clone))
        self.git("-C", "clone", "commit", "--quiet", "--allow-empty", "--message=By the owner")
        self.git("-C", "clone", "push", "--quiet")
        return self.git("-C", "clone", "rev-parse", "HEAD")


@pytest.fixture
def owner(site: RealEnvironment) -> Iterator[Owner]:
    """Give the folder of the repository to a user, who cannot reach where it lies, so it is mounted in his home."""
    home = Path("/run/owner")
    (home / "monorepo.git").mkdir(parents=True)
    subprocess.run(["mount", "--bind", site.repository, home / "monorepo.git"], check=True)
    give(home, OWNER)
    yield Owner(home)
    give(site.repository, 0)
    subprocess.run(["umount", home / "monorepo.git"], check=True)
    shutil.rmtree(home)


def give(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)


def test_the_folder_of_another_user_is_read_and_what_that_user_pushes_is_deployed(
    site: RealEnvironment, cluster: Cluster, owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ("HOME=/dev/null", "git", "ls-remote", f"file://{MOUNT}", "HEAD")
    server = ("exec", "-n", "argocd", "deployment/argocd-repo-server", "-c", "argocd-repo-server", "--", "env")
    assert "dubious ownership" in cluster.try_kubectl(*server, "-u", "GIT_CONFIG_GLOBAL", *ask).stderr
    before = cluster.kubectl(*server, *ask).split()[0]
    assert before == site.report()["commit"]

    commit = owner.push()
    assert commit != before
    assert {path.stat().st_uid for path in site.repository.rglob("*")} == {OWNER}
    words(site.playbook("playbooks/refresh.yml", "-e", "all=true", "-e", "hard=true"))
    eventually(lambda: revisions(site) == {commit}, "the commit in all Applications", 60, pause=1)

    # Root is another user as well: git refuses the folder, and says what root does about it.
    cure = f"git config --global --add safe.directory {site.repository}"
    assert cure in message(site.site(), site)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    subprocess.run(cure.split(), check=True)
    assert "changed=0 " in words(site.site())
    assert site.report()["commit"] == commit
    owner.push()


def revisions(site: RealEnvironment) -> set[str]:
    items = (site.live(f"{ARGO}/applications") or {})["items"]
    assert {item["status"]["sync"]["status"] for item in items} == {"Synced"}
    return {item["status"]["sync"]["revision"] for item in items}
