# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A component of another collection, and its removal."""

from __future__ import annotations

import json

import pytest
import yaml

from .conftest import BASE

COMPONENT = {"name": "widgets", "layer": "infra", "namespace": "widgets", "depends_on": []}
WIDGET = {
    "apiVersion": "example.com/v1",
    "kind": "Widget",
    "metadata": {"name": "first", "namespace": "widgets"},
    "spec": {"size": 1},
}


@pytest.fixture
def widgets(environment):
    """Write a collection with a component whose CustomResourceDefinition nobody brings."""
    templates = {
        "base/kustomization.yaml.j2": "resources: [widget.yaml]",
        "base/widget.yaml.j2": yaml.safe_dump(WIDGET),
        "overlay/kustomization.yaml.j2": "resources: [../../base]",
    }
    environment.write_component(COMPONENT, templates)
    return environment


def run(environment, **variables):
    done = environment.site("-e", json.dumps(variables))
    return done, environment.report()


def test_a_missing_crd_is_named_and_the_component_can_be_removed(widgets):
    done, report = run(widgets, gitops_components=[*BASE, "acme.platform.widgets"], gitops_converge_timeout=25)
    assert done.returncode != 0
    message = report["failure"]["message"]
    assert "Application widgets" in message
    assert "Widget widgets/first" in message
    assert "could not find" in message or "no matches for kind" in message

    done, report = run(widgets)
    assert done.returncode != 0
    assert (
        "infra/widgets (in Git: argocd/infra/widgets/envs/test; in the cluster: Application widgets with"
        in report["failure"]["message"]
    )

    done, report = run(widgets, gitops_removals=["widgets"])
    assert done.returncode == 0, done.stdout[-3000:]
    assert "widgets" not in widgets.git("ls-tree", "-r", "--name-only", "main")
    status, _item = widgets.api().request("GET", "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/widgets")
    assert status == 404
