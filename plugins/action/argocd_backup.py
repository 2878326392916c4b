# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of argocd_backup: the file is written where Ansible knows the password of its vault."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.vault import match_encrypt_secret
from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.modules import argocd_backup
from ansible_collections.monorepo.gitops.plugins.plugin_utils.k8s_action import K8sAction


class ActionModule(K8sAction):
    """See K8sAction."""

    module = argocd_backup

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read the state and write it into a file. Its objects never become part of the result."""
        secrets = boolean(self._task.args.get("secrets", True), strict=False)
        vault = self._vault() if secrets else None
        result = super().run(tmp, task_vars)
        objects = result.pop("objects", None)
        if result.get("failed") or objects is None:
            return result
        result |= {"encrypted": secrets, "path": ""}
        if not self._task.check_mode:
            text = f"---\n{'---'.join(chr(10) + _yaml.dump(item) for item in objects).lstrip()}"
            data = vault(text) if vault else text.encode()
            result["path"] = str(write(Path(self._task.args["folder"]).expanduser(), data))
        return result

    def _vault(self) -> Any:
        """Return a function that encrypts a text with the password that Ansible was started with."""
        vault = self._loader._vault
        found = match_encrypt_secret(vault.secrets, constants.DEFAULT_VAULT_ENCRYPT_IDENTITY) if vault.secrets else None
        if not found:
            raise AnsibleActionFail(
                "No backup was made, because there is no vault password, and Secrets are written encrypted only: give "
                "one, for example with --vault-password-file, or leave Secrets out with -e secrets=false."
            )
        name, secret = found
        return lambda text: vault.encrypt(text, secret, vault_id=name)


def write(folder: Path, data: bytes) -> Path:
    """Write a file that only its owner can read, and that is never there in part."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.yml"
    # Made with mode 0600.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)  # unlike a rename it never replaces another backup
    except FileExistsError:
        raise AnsibleActionFail(f"{path} exists already: another backup was made in the same second.") from None
    finally:
        Path(name).unlink()
    return path.absolute()
