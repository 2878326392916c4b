# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module that lists what an environment deploys, on a real repository and recorded pods."""

from __future__ import annotations

import hashlib
import json

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.modules import environment_images

from .repositories import git, publish
from .running import run_module

# Stands in for kustomize: prints the one file of an overlay.
COMMAND = ["sh", "-c", 'cat "$0/objects.yaml"']
DIGEST = f"sha256:{'a' * 64}"
OFFICIAL = "kind: List\n"


def deployment(image):
    spec = {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec})


def pod(image, digest):
    return {
        "spec": {"containers": [{"name": "main", "image": image, "env": [{"name": "A", "value": "b"}]}]},
        "status": {"containerStatuses": [{"name": "main", "imageID": f"{image.partition(':')[0]}@{digest}"}]},
    }


@pytest.fixture
def images(api_server, tmp_path, monkeypatch):
    """Return a function that lists what a repository with two components deploys, where some pods run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clone = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main", isolated=True)
    clone.open(create=True)
    publish(clone, "infra/shop/base/upstream.yaml", OFFICIAL)
    publish(clone, "infra/shop/envs/dev/objects.yaml", deployment("shop/server:1"))
    publish(clone, "services/own/envs/dev/objects.yaml", deployment("shop/own:2"))
    upstream = (clone.path / "argocd/infra/shop/base/upstream.yaml").read_bytes()
    manifest = {"url": "https://example.com/shop.yaml", "sha256": hashlib.sha256(upstream).hexdigest()}
    component = {"name": "shop", "layer": "infra", "namespace": "shop", "manifests": [manifest]}
    places = {"url": clone.url, "path": str(clone.path), "isolated": True, "environment": "dev", "command": COMMAND}

    def call(answer=(200, {"items": []}), check=False, /, **options):
        server = api_server(lambda _method, path: answer if path.startswith("/api/v1/pods") else (404, {}))
        given = places | {"components": [component]} | options
        result = run_module(environment_images, check, kubeconfig=server.kubeconfig, **given)
        return result | {"asked": [request for request in server.requests if "/pods" in request]}

    call.clone, call.component, call.folder = clone, component, tmp_path
    return call


def test_what_is_deployed_is_listed_with_what_people_wrote_and_nobody_asks_the_cluster(images):
    result = images()
    assert result == {
        "changed": False,
        "commit": images.clone.head(),
        "images": [
            {"image": "shop/own:2", "digest": "", "components": ["own"]},
            {"image": "shop/server:1", "digest": "", "components": ["shop"]},
        ],
        "manifests": [{"component": "shop", **images.component["manifests"][0]}],
        "without_digest": ["shop/own:2", "shop/server:1"],
        "ambiguous": [],
        "files": [],
        "asked": [],
    }


def test_what_is_listed_is_what_the_environment_follows(images):
    git(images.clone.path, "push", "--quiet", "origin", "HEAD:refs/heads/prod")
    images.clone.fetch()
    publish(images.clone, "services/own/envs/dev/objects.yaml", deployment("shop/own:3"))
    assert [entry["image"] for entry in images(revision="prod")["images"]] == ["shop/own:2", "shop/server:1"]
    assert [entry["image"] for entry in images()["images"]] == ["shop/own:3", "shop/server:1"]


def test_both_files_are_written_once(images):
    files = {"bom": str(images.folder / "new" / "bom.json"), "digests": str(images.folder / "digests.yml")}
    pods = (200, {"items": [pod("shop/server:1", DIGEST), pod("foreign:1", DIGEST)]})
    checked = images(pods, True, **files)
    assert (checked["changed"], checked["files"]) == (True, list(files.values()))
    assert not (images.folder / "new").exists()
    result = images(pods, **files)
    assert (result["changed"], result["files"]) == (True, list(files.values()))
    assert result["without_digest"] == ["shop/own:2"]
    assert (images.folder / "digests.yml").read_text() == (
        "---\n# Digests of the images of dev, written by images.yml.\n"
        f"gitops_image_digests:\n  shop/server:1: {DIGEST}\n"
    )
    found = json.loads((images.folder / "new" / "bom.json").read_text())
    assert sorted(entry["name"] for entry in found["components"]) == [
        "own",
        "shop",
        "shop.yaml",
        "shop/own",
        "shop/server",
    ]
    again = images(pods, **files)
    assert (again["changed"], again["files"]) == (False, [])


def test_a_digest_stays_while_no_pod_of_its_image_runs_and_goes_with_its_image(images):
    file = images.folder / "digests.yml"
    images(digests=str(file), known={"shop/own:2": DIGEST, "shop/old:1": DIGEST})
    assert yaml.safe_load(file.read_text()) == {"gitops_image_digests": {"shop/own:2": DIGEST}}


def test_a_tag_that_was_moved_gets_no_digest(images):
    pods = [pod("shop/own:2", DIGEST), pod("shop/own:2", f"sha256:{'b' * 64}")]
    result = images((200, {"items": pods}), digests=str(images.folder / "digests.yml"), known={"shop/own:2": DIGEST})
    assert result["ambiguous"] == ["shop/own:2"]
    assert "shop/own" not in (images.folder / "digests.yml").read_text()


def test_an_official_file_that_git_does_not_have_is_a_warning(images):
    manifest = {"url": "https://example.com/shop.yaml", "sha256": "b" * 64}
    assert images(components=[images.component | {"manifests": [manifest]}])["warnings"] == [
        "shop: Git does not have https://example.com/shop.yaml with the checksum of the inventory, so its images are "
        "those of another file, such as a stand-in."
    ]


def test_an_overlay_that_does_not_build_is_a_warning(images):
    publish(images.clone, "services/broken/envs/dev/other.yaml", "a: b")
    (warning,) = images()["warnings"]
    assert warning.startswith(
        "The images of an overlay are not known: kustomize build of services/broken/envs/dev failed: "
    )


def test_what_is_not_in_git_is_listed_too(images):
    file = images.folder / "argocd.json"
    file.write_text(json.dumps({"items": [yaml.safe_load(deployment("shop/server:1"))]}))
    result = images(installed=[{"name": "argocd", "path": str(file), "manifests": images.component["manifests"]}])
    assert result["images"][1]["components"] == ["argocd", "shop"]
    assert [entry["component"] for entry in result["manifests"]] == ["shop", "argocd"]


@pytest.mark.parametrize(
    ("answer", "options", "message"),
    [
        ((200, {"items": []}), {"environment": "test"}, "Git has nothing for test yet: run site.yml first."),
        (
            (403, {"message": "pods is forbidden"}),
            {"digests": "digests.yml"},
            "The pods cannot be listed, so no digest is known: pods is forbidden",
        ),
        ((200, {"items": []}), {"bom": "/dev/null/bom"}, "/dev/null/bom cannot be written: File exists."),
    ],
)
def test_what_stops_it(images, answer, options, message):
    assert images(answer, **options)["msg"] == message
