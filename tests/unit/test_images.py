# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images objects name, what runs of them, and how they are pinned by digest."""

from __future__ import annotations

import json
import sys

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import bom, images
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from .environments import DIGEST, REGISTRY, built, pinned

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "operator", "namespace": "shop"},
    "spec": {
        "template": {
            "spec": {
                "initContainers": [{"name": "init", "image": f"registry.example.com:5000/init:1@{A}"}],
                "containers": [
                    {
                        "name": "operator",
                        "image": "quay.io/shop/operator:1.0",
                        "args": ["--solver-image=quay.io/shop/solver:1.0", "--image-policy=Always", "--port=80:80"],
                        "env": [
                            {"name": "SHOP_IMAGES", "value": "1=quay.io/shop/a:1.0\n2=quay.io/shop/a:1.0-2\n"},
                            {"name": "SHOP_URL", "value": "quay.io/shop/none:1.0"},
                        ],
                    }
                ],
            }
        }
    },
}
CLUSTER = {
    "apiVersion": "postgresql.cnpg.io/v1",
    "kind": "Cluster",
    "metadata": {"name": "db"},
    "spec": {"imageName": "ghcr.io/shop/postgres:17.5"},
}
SECRET = {"kind": "Secret", "data": {"SIDECAR_IMAGE": "Z2hjci5pby9zaG9wL3NpZGVjYXI6MQ==", "password": "YTpi"}}
CONFIG = {"kind": "ConfigMap", "data": {"proxy-image": "shop/proxy:2", "text": "shop/none:1"}}
CRD = {"kind": "CustomResourceDefinition", "spec": {"image": "shop/none:1"}}


def test_images_are_found_wherever_an_object_names_them():
    assert images.named([DEPLOYMENT, CLUSTER, SECRET, CONFIG, CRD]) == [
        "ghcr.io/shop/postgres:17.5",
        "ghcr.io/shop/sidecar:1",
        "quay.io/shop/a:1.0",
        "quay.io/shop/a:1.0-2",
        "quay.io/shop/operator:1.0",
        "quay.io/shop/solver:1.0",
        f"registry.example.com:5000/init:1@{A}",
        "shop/proxy:2",
    ]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("busybox", ("busybox", "", "")),
        ("maildev/maildev:2.2.1", ("maildev/maildev", "2.2.1", "")),
        (f"localhost:5000/a:1@{A}", ("localhost:5000/a", "1", A)),
        (f"quay.io/a@{A}", ("quay.io/a", "", A)),
    ],
)
def test_parts_of_an_image(image, expected):
    assert images.parts(image) == expected


def pod(image, image_id, group="container"):
    """Return what the kubelet reports of a pod."""
    return {
        "spec": {f"{group}s": [{"name": "main", "image": image}]},
        "status": {f"{group}Statuses": [{"name": "main", "image": "other:1", "imageID": image_id}]},
    }


def test_the_digest_that_runs_is_that_of_a_registry():
    pods = [
        pod("shop/a:1", f"docker.io/shop/a@{A}"),
        pod("shop/a:1", f"docker-pullable://shop/a@{A}"),
        pod(f"shop/pinned:1@{B}", f"docker.io/shop/pinned@{B}", "initContainer"),
        pod("shop/loaded:1", A),
        pod("shop/waiting:1", ""),
        {"spec": {"containers": [{"name": "main", "image": "shop/new:1"}]}},
    ]
    assert images.running(pods) == ({"shop/a:1": A, "shop/pinned:1": B}, [])


def test_a_tag_of_which_two_images_run_gets_no_digest():
    assert images.running([pod("shop/a:1", f"shop/a@{A}"), pod("shop/a:1", f"shop/a@{B}")]) == ({}, ["shop/a:1"])


@pytest.mark.parametrize(("image", "digest"), [("shop/a:1", "sha256:1"), (f"shop/a:1@{A}", A), ("Shop A", A)])
def test_what_is_no_digest_is_refused(image, digest):
    with pytest.raises(GitopsError) as raised:
        images.check_digests({"shop/b:1": A, image: digest})
    assert str(raised.value) == (
        f"gitops_image_digests: {image}: {digest} is not an image with its tag, and sha256: with 64 hexadecimal digits."
    )


def test_a_patch_tests_what_it_replaces_and_pins_exactly_that_tag():
    found = images.transformers([DEPLOYMENT, CLUSTER, SECRET], {"quay.io/shop/a:1.0": A, "shop/sidecar:1": A})
    path = "/spec/template/spec/containers/0/env/0/value"
    assert found == [
        {
            "name": "digests-apps-v1-deployment-operator-shop",
            "target": {
                "group": "apps",
                "version": "v1",
                "kind": "Deployment",
                "name": "operator",
                "namespace": "shop",
            },
            "operations": [
                {"op": "test", "path": path, "value": "1=quay.io/shop/a:1.0\n2=quay.io/shop/a:1.0-2\n"},
                {"op": "replace", "path": path, "value": f"1=quay.io/shop/a:1.0@{A}\n2=quay.io/shop/a:1.0-2\n"},
            ],
        }
    ]


def test_every_image_of_an_environment_can_be_pinned_and_another_tag_pins_nothing(rendered):
    """Also with images of a registry of one's own, which patches put in last."""
    environment = pinned(rendered)
    digests = {image: digest for image, digest in environment[1]["gitops_image_digests"].items() if digest == DIGEST}
    assert {"postgres", "argocd", "kafka"} <= {images.parts(image)[0].rpartition("/")[2] for image in digests}
    after = images.named(item for objects in built(rendered, environment).values() for item in objects)
    assert {image for image in after if REGISTRY in image}
    assert {image for image in after if images.parts(image)[2] != DIGEST} == set()
    assert {images.tagged(image) for image in after} == digests.keys()


ENTRIES = [
    {"image": "maildev/maildev:2.2.1", "digest": A, "components": ["maildev"]},
    {"image": f"busybox@{B}", "digest": "", "components": ["argocd", "maildev"]},
]
MANIFESTS = [{"component": "argocd", "url": "https://example.com/v1/install.yaml", "sha256": "c" * 64}]


def test_the_bill_of_materials_names_images_and_manifests_and_is_always_the_same():
    text = bom.document("dev", "0123", ENTRIES, MANIFESTS)
    assert text == bom.document("dev", "0123", ENTRIES, MANIFESTS)
    found = json.loads(text)
    components = {entry["bom-ref"]: entry for entry in found["components"]}
    assert components["image:maildev/maildev:2.2.1"] == {
        "bom-ref": "image:maildev/maildev:2.2.1",
        "name": "maildev/maildev",
        "purl": f"pkg:oci/maildev@{A}?repository_url=docker.io/maildev/maildev&tag=2.2.1",
        "type": "container",
        "version": "2.2.1",
    }
    assert components[f"image:busybox@{B}"]["purl"] == (f"pkg:oci/busybox@{B}?repository_url=docker.io/library/busybox")
    assert components["manifest:argocd:https://example.com/v1/install.yaml"] == {
        "bom-ref": "manifest:argocd:https://example.com/v1/install.yaml",
        "externalReferences": [{"type": "distribution", "url": "https://example.com/v1/install.yaml"}],
        "hashes": [{"alg": "SHA-256", "content": "c" * 64}],
        "name": "install.yaml",
        "type": "file",
    }
    assert found["metadata"] == {
        "component": {"bom-ref": "dev", "name": "dev", "type": "application", "version": "0123"}
    }
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in found["dependencies"]}
    assert needs["dev"] == ["component:argocd", "component:maildev"]
    assert needs["component:maildev"] == [f"image:busybox@{B}", "image:maildev/maildev:2.2.1"]


def test_the_bill_of_materials_keeps_the_schema_of_its_format():
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(bom.document("dev", "0123", ENTRIES, MANIFESTS)) is None


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cyclonedx.model", None)
    with pytest.raises(GitopsError) as raised:
        bom.library()
    assert str(raised.value) == (
        "cyclonedx-python-lib is missing, which writes CycloneDX: install requirements-images.txt of the collection "
        "with pip, into the environment of ansible-playbook."
    )
