#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_delete
short_description: Delete Argo CD Applications with what they deployed
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Deletes Applications with their objects, as C(argocd app delete --cascade) does, and waits until everything is gone.
    Objects with the sync option C(Delete=false) stay.
  - A running operation of such an Application is terminated first, because Argo CD would finish it before the
    deletion.
  - An Application that an ApplicationSet still generates would be created again at once, with new and empty objects.
    Remove its folder from Git and refresh the ApplicationSet first.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  names:
    description: Names of the Applications. One that does not exist is left alone.
    type: list
    elements: str
    required: true
  wait_timeout:
    description: Seconds to wait for all of them together.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    details: Reports which Applications would be deleted.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Applications that do not exist are not a change.
notes:
  - Needs the rights to get, patch and delete Applications, and to get what they deployed, so that it can name what
    blocks a deletion.
  - "Error C(Not deleted after ...): names each remaining object and its finalizers. Start the operator that handles
    them, or remove a finalizer that nothing handles any more; then run again."
  - The finalizer C(resources-finalizer.argocd.argoproj.io) and what it deletes are described in Argo CD's documentation
    under App Deletion.
seealso:
  - module: monorepo.gitops.argocd_appset_refresh
"""

EXAMPLES = r"""
- name: Delete an Application that Git does not have any more
  monorepo.gitops.argocd_app_delete:
    names: [maildev]
"""

RETURN = r"""
deleted:
  description: Names of the Applications that were deleted, or would be in check mode.
  returned: success
  type: list
  elements: str
elapsed:
  description: Seconds.
  returned: success
  type: float
"""

import time
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import Deletion
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to


def run(module: Any, client: Any) -> dict[str, Any]:
    """Delete and return the result of the module."""
    params, started = module.params, time.monotonic()
    deletion = Deletion(Api(client, retries=0), params["namespace"], progress_to(params["progress_file"]))
    present = deletion.present(params["names"])
    if not module.check_mode:
        deletion.delete(present, params["wait_timeout"])
    elapsed = round(time.monotonic() - started, 3)
    return {"changed": bool(present), "deleted": sorted(present), "elapsed": elapsed}


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            names={"type": "list", "elements": "str", "required": True},
            namespace={"type": "str", "default": "argocd"},
            wait_timeout={"type": "int", "default": 300},
            progress_file={"type": "path"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
