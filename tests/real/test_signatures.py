# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A commit without a signature is refused where the AppProjects ask for one."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.conftest import ARGO, message, words

from .clients import NAMESPACE, Client
from .environment import RealEnvironment
from .node.cluster import Cluster

pytestmark = pytest.mark.harms_node
GPG = ("gpg", "--homedir", "/home/argocd/signer", "--batch")


class Signer(Client):
    """A key in a pod of Argo CD's image, and a clone on this machine, whose commits can be signed with it."""

    def __init__(self, cluster: Cluster, repository: Path, folder: Path) -> None:
        deployment = cluster.get("deployment", "argocd-repo-server", "argocd")
        super().__init__(cluster, "signer", {"image": deployment["spec"]["template"]["spec"]["containers"][0]["image"]})
        self.run("mkdir", "-m", "700", GPG[2])
        self.run(*GPG, "--passphrase", "", "--quick-generate-key", "Tests <x@x>", "ed25519", "sign", "never")
        listed = self.run(*GPG, "--list-keys", "--with-colons").splitlines()
        (self.key,) = [line.split(":")[4] for line in listed if line.startswith("pub:")]
        self.public = self.run(*GPG, "--armor", "--export", self.key)
        self.program, self.clone = folder / "gpg", folder / "clone"
        command = shlex.join(map(str, cluster.command("exec", "-i", "-n", NAMESPACE, self.name, "--", *GPG)))
        self.program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        self.program.chmod(0o755)
        subprocess.run(["git", "clone", "--quiet", repository, self.clone], check=True)

    def push(self, sign: str) -> str:
        """Push an empty commit, and return it."""
        self.git("pull", "--quiet", "--ff-only")
        self.git("commit", "--quiet", "--allow-empty", "--message=An empty commit", sign)
        self.git("push", "--quiet")
        return self.git("rev-parse", "HEAD")

    def git(self, *args: str) -> str:
        """Run git in the clone, with the key, and return what it says."""
        settings = {"gpg.program": self.program, "user.signingKey": self.key, "user.name": "x", "user.email": "x@x"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        done = subprocess.run(
            ["git", "-C", self.clone, *options, *args], umask=0o022, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def signer(site: RealEnvironment, cluster: Cluster, tmp_path: Path) -> Iterator[Signer]:
    found = Signer(cluster, site.repository, tmp_path)
    yield found
    found.remove()
    words(site.site("--tags", "argocd,converge"))


def test_a_commit_without_a_signature_is_refused(site: RealEnvironment, signer: Signer) -> None:
    asked = ("-e", json.dumps({"argocd_signature_keys": {signer.key: signer.public}}))
    signer.push("--gpg-sign")
    words(site.site("--tags", "argocd,converge", *asked))

    unsigned = signer.push("--no-gpg-sign")
    said = message(site.site("--tags", "converge", *asked), site)
    assert f"GIT/GPG: Failed verifying revision {unsigned} by 'x <x@x>': unsigned (key_id=)" in said
    assert "0 of 14 Applications are ready" in said

    signed = signer.push("--gpg-sign")
    words(site.site("--tags", "converge", *asked))
    items = (site.live(f"{ARGO}/applications") or {})["items"]
    assert {item["status"]["sync"]["revision"] for item in items} == {signed}
