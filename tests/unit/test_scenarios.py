# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's scenarios can pass on a cluster with real pods, too: they name no image there that nobody can pull."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(ROOT.glob("molecule/*/vars/main.yml"))
# Domains that are reserved for examples, RFC 2606, where an image or the registry of images is named.
NOWHERE = re.compile(r"\b(?:[\w-]+\.)*(?:example\.(?:com|net|org)|[\w-]+\.(?:example|invalid|test))/[\w/-]+")
OF_IMAGES = re.compile(r"image|registry", re.IGNORECASE)


def unreachable(text, rehearsal):
    """Return the images of the variables of a scenario that do not exist, by the name of the variable."""
    templar = Templar(DataLoader(), {"component_rehearsal": rehearsal})
    found = {}
    for name, value in yaml.safe_load(text).items():
        if OF_IMAGES.search(name):
            text = str(templar.template(trust_as_template(value) if isinstance(value, str) else value))
            found |= {name: images} if (images := NOWHERE.findall(text)) else {}
    return found


def test_no_scenario_names_an_image_that_a_real_cluster_cannot_pull():
    found = {path.parent.parent.name: unreachable(path.read_text(), rehearsal=False) for path in FILES}
    assert {scenario: images for scenario, images in found.items() if images} == {}


def test_a_rehearsal_has_images_of_a_private_registry():
    found = {path.parent.parent.name: unreachable(path.read_text(), rehearsal=True) for path in FILES}
    assert {scenario: images for scenario, images in found.items() if images} == {
        "argocd": {"argocd_images": ["registry.example.com/argocd"]},
        "cert_manager": {"cert_manager_images": ["registry.example.com/cert-manager-webhook"]},
        "strimzi": {"strimzi_registry": ["registry.example.com/strimzi"]},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_registry: registry.example.com/a", {"a_registry": ["registry.example.com/a"]}),
        ("a_images: [{name: quay.io/a, newName: images.test/a}]", {"a_images": ["images.test/a"]}),
        ("a_image: quay.io/a:1", {}),
        ("a_url: http://maildev.example.com/a", {}),
        ("a_image: \"{{ 'x.invalid/a' if component_rehearsal | bool else 'quay.io/a' }}\"", {}),
    ],
)
def test_an_image_that_does_not_exist_is_found(text, expected):
    assert unreachable(text, rehearsal=False) == expected


@pytest.mark.parametrize(("images", "image"), [([{"newName": "a.example/argocd"}], "a.example/argocd:v1"), ([], None)])
def test_the_check_of_argo_cd_expects_the_image_of_the_scenario(images, image):
    tasks = yaml.safe_load((ROOT / "molecule" / "argocd" / "checks.yml").read_text())
    condition = tasks[-1]["ansible.builtin.assert"]["that"]

    def holds(name):
        pod = {"spec": {"template": {"spec": {"containers": [{"image": name}]}}}}
        variables = {"argocd_images": images, "controller": {"resources": [pod]}}
        return Templar(DataLoader(), variables).evaluate_conditional(trust_as_template(condition))

    assert holds(image or "quay.io/argoproj/argocd:v1")
    assert not holds("registry.example.com/argocd:v1")


@pytest.mark.parametrize("registry", ["registry.example.com/strimzi", ""])
def test_the_check_of_strimzi_expects_the_registry_of_the_scenario(registry):
    tasks = yaml.safe_load((ROOT / "molecule" / "strimzi" / "checks.yml").read_text())
    condition = tasks[-1]["ansible.builtin.assert"]["that"]

    def holds(*images):
        pod = {"spec": {"template": {"spec": {"containers": [{"image": images[0], "env": [*images[1:]]}]}}}}
        variables = {"strimzi_registry": registry, "found": {"resources": [pod]}}
        return Templar(DataLoader(), variables).evaluate_conditional(trust_as_template(condition))

    assert holds(f"{registry or 'quay.io/strimzi'}/operator:1", "x")
    assert holds("quay.io/strimzi/operator:1", "x") == (not registry)
    assert holds(f"{registry}/operator:1", "a=quay.io/strimzi/kafka:1") == (not registry)
