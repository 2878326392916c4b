#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_appset_refresh
short_description: Refresh ApplicationSets from Git and wait for their Applications
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Argo CD polls Git for an ApplicationSet every three minutes, and its cache may answer for another three. This module
    forces a reconcile that bypasses the cache, waits until it is done, and checks that the expected Applications exist.
  - A failed generation, which Argo CD would retry after three minutes, is retried with growing delays.
  - An Application whose folder disappeared and came back stays C(Unknown) until it is refreshed; this module does so.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  names:
    description: Names of the ApplicationSets.
    type: list
    elements: str
    required: true
  expected:
    description: Names of Applications that must have been generated. One that is being deleted must have come back.
    type: list
    elements: str
    default: []
  min_applications:
    description: Applications that each ApplicationSet must have. A wrong path generates none without an error.
    type: int
    default: 1
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    details: Nothing is written and nothing is waited for; returns the Applications as they are.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: A refresh is not a change.
notes:
  - Needs the rights to get and patch ApplicationSets, and to list and patch Applications.
  - "Error C(no Applications were generated): the message of the generator, such as a repository that cannot be read, or
    an AppProject that does not exist."
  - "Error C(is being deleted): names what blocks that; see M(monorepo.gitops.argocd_app_delete)."
  - "Error C(did not process a refresh): the ApplicationSet controller is not running or not serving this namespace."
"""

EXAMPLES = r"""
- name: Check that the new component has its Application
  monorepo.gitops.argocd_appset_refresh:
    names: [infra]
    expected: [maildev]
"""

RETURN = r"""
applications:
  description: Names of the Applications by name of the ApplicationSet.
  returned: always
  type: dict
  sample: {infra: [cert-manager, gateway, maildev]}
elapsed:
  description: Seconds.
  returned: success
  type: float
"""

import time
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.applicationset import ApplicationSets
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to


def run(module: Any, client: Any) -> dict[str, Any]:
    """Refresh and return the result of the module."""
    params, started = module.params, time.monotonic()
    api, say = Api(client, retries=0), progress_to(params["progress_file"])
    sets = ApplicationSets(api, params["namespace"], params["names"], params["wait_timeout"], say)
    wanted = (params["min_applications"], params["expected"])
    found = sets.present() if module.check_mode else sets.refresh(*wanted)
    return {"changed": False, "applications": found, "elapsed": round(time.monotonic() - started, 3)}


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            names={"type": "list", "elements": "str", "required": True},
            namespace={"type": "str", "default": "argocd"},
            expected={"type": "list", "elements": "str", "default": []},
            min_applications={"type": "int", "default": 1},
            wait_timeout={"type": "int", "default": 120},
            progress_file={"type": "path"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
