# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of Stages without a cluster."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.stages import (
    adapted,
    simulated_groups,
    stages_in,
)

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(ROOT.glob("roles/*/files/stages/*.yaml"))
STAGES = stages_in([path.read_text() for path in FILES])
OPERATORS = stages_in([path.read_text() for path in FILES if path.parent.parent.parent.name != "rehearsal_cluster"])
PROVISION = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: pvc-provision}
spec:
  resourceRef: {apiGroup: v1, kind: PersistentVolumeClaim}
  selector:
    matchExpressions:
      - cel: {expression: self.spec.storageClassName == 'kwok-volume'}
      - cel: {expression: self.status.phase != 'Bound'}
  steps:
    - apply:
        template: |
          storageClassName: {{ .spec.storageClassName | Quote }}
"""


def test_files_and_stages_have_names_of_their_own():
    names = Counter([path.name for path in FILES] + [stage["metadata"]["name"] for stage in STAGES])
    assert [name for name, count in names.items() if count > 1] == []


def test_stages_in_lists_count_too():
    assert simulated_groups([(ROOT / "roles/cert_manager/files/stages/cert-manager.yaml").read_text()]) == [
        "cert-manager.io"
    ]


@pytest.mark.parametrize("stage", OPERATORS, ids=lambda stage: stage["metadata"]["name"])
def test_an_object_that_is_being_deleted_is_left_alone(stage):
    assert "deletionTimestamp" in str(stage["spec"]["selector"])


def test_volumes_of_any_class_are_provided():
    stage = yaml.safe_load(adapted(PROVISION))
    expressions = stage["spec"]["selector"]["matchExpressions"]
    assert expressions[0] == {"cel": {"expression": "self.status.phase != 'Bound'"}}
    assert expressions[1]["values"] == ["fail"]
    assert '{{ default "" .spec.storageClassName | Quote }}' in stage["spec"]["steps"][0]["apply"]["template"]


def test_what_is_no_stage_stays_as_it_is():
    text = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: kwok-volume}\n"
    assert adapted(text) == text
