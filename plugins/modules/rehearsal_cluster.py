#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: rehearsal_cluster
short_description: Run a throw-away Kubernetes control plane with a real Argo CD on this machine
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Starts, stops and removes a cluster of ordinary processes of the current user; etcd, kube-apiserver,
    kube-controller-manager, kube-scheduler and Argo CD are real, nodes and pods are simulated by KWOK.
  - kwokctl supervises all processes. They listen on 127.0.0.1, except the metrics ports of Argo CD's application
    and notifications controllers, which have no option for their address.
  - The processes of Argo CD take their arguments and environment from the workloads, ConfigMaps and Secrets in the
    cluster, and run with tokens of their own ServiceAccounts.
extends_documentation_fragment:
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  name:
    description: Name of the cluster, a DNS label.
    type: str
    required: true
  state:
    description:
      - V(started) creates the cluster if it is missing and starts processes that are not running.
      - V(argocd_started) also starts Argo CD's processes, and restarts those whose configuration changed. Argo CD must
        be installed in the cluster.
      - V(restarted) ends the processes of O(components) and starts them again.
      - V(stopped) ends the processes of O(components), or all when none is given, and keeps the state.
      - V(absent) ends all processes and removes the cluster.
      - V(present) only reports the status and changes nothing.
    type: str
    choices: [started, argocd_started, restarted, stopped, absent, present]
    default: started
  state_dir:
    description: Folder that holds the state of all rehearsal clusters of this user.
    type: path
    required: true
  builder:
    description:
      - Command that prints the folder of the programs in its last line, and builds them before if this user has none,
        also in check mode. C(build.py) of the role C(rehearsal_cluster) does. A cluster that exists is stopped or
        removed with the programs that it was made with. Required for all states except V(present).
    type: list
    elements: str
  launcher:
    description: Path of C(launch.py) of the role C(rehearsal_cluster).
    type: path
    required: true
  stages:
    description: Files with KWOK Stages that simulate operators, in addition to KWOK's own for nodes, pods and volumes.
    type: list
    elements: path
    default: []
  storage_classes:
    description:
      - Names of StorageClasses that the cluster has, in addition to its default one. A claim gets a volume whichever
        class it names, also one that does not exist.
    type: list
    elements: str
    default: []
  components:
    description:
      - Components to restart or stop, such as V(argocd-repo-server) or V(kube-apiserver). Only with O(state=restarted)
        or O(state=stopped).
    type: list
    elements: str
    default: []
  argocd_namespace:
    description: Namespace in which Argo CD is, or will be, installed.
    type: str
    default: argocd
  timeout:
    description: Seconds that Argo CD's processes may take to become ready.
    type: int
    default: 60
attributes:
  async:
    support: full
  check_mode:
    support: full
    details: Reports whether anything would change, and starts nothing. It does build the programs.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: A cluster in the requested state is left alone; V(restarted) always restarts.
notes:
  - Needs Linux; root is not needed.
  - The first build takes about 9 minutes on 2 cores; it needs the Go toolchain and access to Go modules, see the role.
  - "Error C(... exited): the last lines of the process's log are in the message; the log is in RV(folder)/logs."
"""

EXAMPLES = r"""
- name: Start a rehearsal cluster
  monorepo.gitops.rehearsal_cluster:
    name: dev
    state_dir: ~/.local/state/monorepo.gitops
    builder: ["{{ ansible_playbook_python }}", "{{ role_path }}/files/build.py"]
    launcher: "{{ role_path }}/files/launch.py"
"""

RETURN = r"""
kubeconfig:
  description: Path of the administrator's kubeconfig.
  returned: always
  type: str
folder:
  description: Folder of this cluster with logs, process ids and the audit log.
  returned: always
  type: str
components:
  description: V(running) or V(stopped) for each component.
  returned: always
  type: dict
ports:
  description: TCP ports on 127.0.0.1 of Argo CD's processes by component; C(argocd-server) serves UI and API.
  returned: when the cluster exists
  type: dict
binaries:
  description: Folder of the programs; empty where none were needed.
  returned: always
  type: str
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.configuration import build_of
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.paths import Paths
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.ports import ports_of
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.processes import ARGOCD, CONTROL_PLANE
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.programs import build

STATES = ("started", "argocd_started", "restarted", "stopped", "absent")


def would_change(cluster: RehearsalCluster, state: str) -> bool:
    """Return whether a run without check mode would do something."""
    if state == "absent":
        return cluster.paths.folder.exists()
    running = {name: value == "running" for name, value in cluster.processes.status().items()}
    if state in ("started", "argocd_started"):
        return not all(runs for name, runs in running.items() if name in CONTROL_PLANE or state == "argocd_started")
    return state == "restarted" or (state == "stopped" and any(running.values()))


def apply_state(cluster: RehearsalCluster, params: dict[str, Any]) -> bool:
    """Bring the cluster into the wanted state and return whether anything changed."""
    state, components = params["state"], params["components"]
    if state == "absent":
        return cluster.delete()
    if state == "stopped":
        return bool([name for name in components if cluster.processes.stop(name)]) if components else cluster.stop_all()
    if state == "restarted":
        return bool([name for name in components or ARGOCD if cluster.restart(name)])
    if state == "present":
        return False
    changed = cluster.start([Path(stage) for stage in params["stages"]], params["storage_classes"])
    if state == "argocd_started":
        changed = cluster.start_argocd(params["timeout"]) or changed
    return changed


def programs(params: dict[str, Any], say: Callable[[str], None]) -> tuple[str, bool]:
    """Return the folder of the programs that a state needs, if any, and whether they were built for that."""
    state, paths = params["state"], Paths(params["name"], Path(params["state_dir"]), Path())
    if state not in ("started", "argocd_started"):
        if (paths.folder / "argocd.json").exists() and (made_with := build_of(paths)).is_dir():
            return str(made_with), False
        if state == "present" or (state != "restarted" and not paths.folder.exists()):
            return "", False
    return build(params["builder"], say)


def run(module: Any) -> dict[str, Any]:
    """Bring the cluster into the wanted state and return the result of the module."""
    params = module.params
    if params["components"] and params["state"] not in ("restarted", "stopped"):
        raise GitopsError(
            f"components names single processes, and state {params['state']} is for the whole cluster: "
            "use restarted or stopped, or leave components out."
        )
    binaries, built = programs(params, progress_to(params["progress_file"]))
    keys = ("name", "state_dir", "launcher", "argocd_namespace")
    cluster = RehearsalCluster(binaries=binaries, **{key: params[key] for key in keys})
    changed = would_change(cluster, params["state"]) if module.check_mode else apply_state(cluster, params)
    return {
        "changed": changed or built,
        "kubeconfig": str(cluster.paths.kubeconfig),
        "folder": str(cluster.paths.folder),
        "components": cluster.processes.status(),
        "ports": ports_of(cluster.paths.folder) if cluster.created() else {},
        "binaries": binaries,
    }


def main() -> None:
    """Run the module."""
    _run.run_module(
        run,
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": [*STATES, "present"], "default": "started"},
            "state_dir": {"type": "path", "required": True},
            "builder": {"type": "list", "elements": "str"},
            "launcher": {"type": "path", "required": True},
            "stages": {"type": "list", "elements": "path", "default": []},
            "storage_classes": {"type": "list", "elements": "str", "default": []},
            "components": {"type": "list", "elements": "str", "default": []},
            "argocd_namespace": {"type": "str", "default": "argocd"},
            "timeout": {"type": "int", "default": 60},
            "progress_file": {"type": "path"},
        },
        required_if=[("state", state, ("builder",)) for state in STATES],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
