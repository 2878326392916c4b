#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_plan
short_description: Check the list of components and compute the order in which they become ready (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Finds the role of each component, reads the definition in its C(vars/main.yml) and orders the components by their
    C(depends_on).
  - A namespace belongs to the first component in this order that lives in it (C(namespace)) or needs it
    (C(more_namespaces)). When that one leaves the list, the next one is the first. The namespace of Argo CD and those
    that every cluster has belong to nobody.
  - Runs on the controller.
extends_documentation_fragment:
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  components:
    description:
      - Names of components of this collection, such as V(cert-manager), or full names of roles of other collections
        that define a component the same way.
      - A component that people wrote in Git is found without an entry. A mapping with its C(name) and C(layer) adds
        C(depends_on), C(endpoints), or C(kinds), each with C(group), C(kind) and, for one without a namespace,
        C(namespaced=false), where kustomize cannot build it.
    type: list
    elements: raw
    required: true
notes:
  - Fails when a component is unknown, when two have one name, when a name is not a DNS label, when a dependency is not
    in the list, and when dependencies form a cycle. The message names the entry.
"""

EXAMPLES = r"""
- name: Order the components
  monorepo.gitops.gitops_plan:
    components: [maildev, gateway, cert-manager]
  register: gitops_plan
"""

RETURN = r"""
components:
  description: The components in the order in which they become ready.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the component and of its Application., type: str}
    layer: {description: V(infra) or V(services)., type: str}
    namespace: {description: Namespace of its objects., type: str}
    namespaces: {description: Namespaces that it owns., type: list, elements: str}
    more_namespaces: {description: Namespaces that it needs in addition to its own., type: list, elements: str}
    depends_on: {description: Components that must be Healthy first., type: list, elements: str}
    stage: {description: 0 for what depends on nothing; otherwise one more than the latest dependency., type: int}
    endpoints: {description: "List of {name, url, protocol, purpose}.", type: list, elements: dict}
    pods: {description: "Groups of pods, each with C(labels); with C(kept), they outlive the component.", type: dict}
    flows: {description: "List of {from, to, ports, addresses, why}.", type: list, elements: dict}
    immutable:
      description:
        - Fields that a living object cannot change, each with C(api_version), C(kind), C(name), C(field), and with
          C(instead), which says what to do. With C(may) it can C(grow), or C(change within its major version).
      type: list
      elements: dict
    pod_security: {description: "List of {namespace, level, why}.", type: list, elements: dict}
    verify: {description: What M(monorepo.gitops.objects_ready) expects once it works., type: list, elements: dict}
    warnings: {description: Warnings for the report of an existing cluster., type: list, elements: str}
    manifests: {description: "Official manifests, as C(url) and C(sha256).", type: list, elements: dict}
    role: {description: Full name of the role., type: str}
    role_path: {description: Folder of the role., type: str}
    stages: {description: Files with KWOK Stages for the rehearsal cluster., type: list, elements: str}
scheme:
  description: Scheme of what the Gateway serves, C(http) or C(https).
  returned: success
  type: str
handwritten:
  description: The entries of components that people wrote, in the same order.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the component and of its Application., type: str}
    layer: {description: V(infra) or V(services)., type: str}
    namespace: {description: Namespace of objects that name none., type: str}
    depends_on: {description: Components that must be Healthy first., type: list, elements: str}
    stage: {description: 0 for what depends on nothing; otherwise one more than the latest dependency., type: int}
    endpoints: {description: "List of {name, url, protocol, purpose}.", type: list, elements: dict}
    kinds: {description: Kinds of its objects., type: list, elements: dict}
"""
