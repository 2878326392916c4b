# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pod is shown."""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.module_utils._objects.pods import pod_state


def test_the_state_of_a_pod_is_that_of_kubectl():
    statuses = [{"ready": True, "restartCount": 2}, {"ready": False, "restartCount": 1}]
    pod = {"spec": {"containers": [{}, {}]}, "status": {"phase": "Running", "containerStatuses": statuses}}
    assert pod_state(pod) == "Running 1/2, 3 restarts"
    assert pod_state({"spec": {"containers": [{}]}, "status": {"phase": "Pending"}}) == "Pending 0/1"
