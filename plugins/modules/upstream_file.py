#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: upstream_file
short_description: Have an official file of a pinned version in the user's cache
version_added: "1.0.0"
author:
  - The monorepo.gitops authors
description:
  - Downloads a file once per checksum and keeps it in the user's cache folder
    (C($XDG_CACHE_HOME/monorepo.gitops/upstream)). A file with another checksum is refused.
options:
  url:
    description: Official URL of the file.
    type: str
    required: true
  sha256:
    description: Its sha256 checksum, 64 hexadecimal digits.
    type: str
    required: true
  mirror:
    description: Folder or URL of a download mirror that has the file as C(<mirror>/<host>/<path of the URL>).
    type: str
    default: ""
  alternatives:
    description: Local files that are used instead of a download when their checksum is right.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    support: full
    description: The cache is filled in check mode too; nothing else is written.
  diff_mode:
    support: none
    description: Has no diff.
  idempotent:
    support: full
    description: A file in the cache is not downloaded again.
notes:
  - "Error C(... has sha256 ..., expected ...): the version and the checksum of a pin do not belong together."
  - "Error C(... cannot be read ...): no network, or the mirror does not have the file."
"""

EXAMPLES = r"""
- name: Have the manifest of Argo CD
  monorepo.gitops.upstream_file:
    url: https://raw.githubusercontent.com/argoproj/argo-cd/v3.6.1/manifests/install.yaml
    sha256: 7be23ca7d9ca3d3074dee8332f1ca92a933b990cee7c9cf22cf3843ee8c2913e
  register: manifest
"""

RETURN = r"""
path:
  description: Path of the file in the cache.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monorepo.gitops.plugins.module_utils.errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils.upstream import fetch


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "sha256": {"type": "str", "required": True},
            "mirror": {"type": "str", "default": ""},
            "alternatives": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        path = fetch(**module.params)
    except GitopsError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, path=str(path))


if __name__ == "__main__":
    main()
