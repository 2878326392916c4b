#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: component_render
short_description: Render one component of the GitOps repository (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Renders C(base) and C(overlay) of a role's templates to C(argocd/<layer>/<name>/base) and
    C(argocd/<layer>/<name>/envs/<environment>), adds the official manifest as C(base/upstream.yaml) and one that only
    some environments want as C(envs/<environment>/upstream.yaml), adds O(namespaces) and NetworkPolicies, and
    removes files that an earlier run rendered and this one does not. Files of others stay.
  - Runs on the controller.
extends_documentation_fragment:
  - monorepo.gitops.attributes
options:
  name:
    description: Name of the component, which is also the name of its Application.
    type: str
    required: true
  layer:
    description: The ApplicationSet that finds it.
    type: str
    choices: [infra, services]
    required: true
  namespace:
    description: Namespace of its objects.
    type: str
    required: true
  namespaces:
    description:
      - Namespaces that belong to this component, as RV(monorepo.gitops.gitops_plan#module:components) says. Those that
        are in none of its files are rendered to C(envs/<environment>/namespaces.yaml), which is added to C(resources)
        of the overlay's kustomization. They have C(Prune=false,Delete=false).
      - O(namespace) is left out where the component has a PreSync hook. Argo CD then creates it, because it applies
        nothing from Git before such a hook.
    type: list
    elements: str
    default: []
  environment:
    description: Name of the overlay.
    type: str
    required: true
  tree:
    description: Working tree of the GitOps repository.
    type: path
    required: true
  templates:
    description: Folder with the folders C(base) and C(overlay).
    type: path
    required: true
  rehearsal_templates:
    description: Folder of templates that are rendered to the folder C(rehearsal) of the overlay, in a rehearsal only.
    type: path
  upstream:
    description:
      - Official manifest of an operator. It is committed byte for byte. It is downloaded once per checksum and kept in
        the user's cache folder (C($XDG_CACHE_HOME/monorepo.gitops/upstream)); another checksum is refused.
    type: dict
    suboptions: &upstream
      url:
        description: Official URL.
        type: str
        required: true
      sha256:
        description: sha256 checksum. An empty one counts as a file that cannot be downloaded.
        type: str
        required: true
      sha256_variable:
        description: Name of the variable with the checksum, for the message when it is empty.
        type: str
        default: ""
      stand_in_deployments:
        description:
          - Deployments of a stand-in with C(name), and with the C(args) and C(env) that patches expect of their
            container.
        type: list
        elements: dict
        default: []
      kinds:
        description: "Custom resources for a stand-in: C(group), C(versions), C(kind), C(plural), C(scope)."
        type: list
        elements: dict
        default: []
      alternatives:
        description: Local files that are used instead of a download if their checksum matches.
        type: list
        elements: path
        default: []
  overlay_upstream:
    description: A second official manifest, for the overlay of this environment.
    type: dict
    suboptions: *upstream
  pins:
    description:
      - Names of variables with a pinned version. The templates of the base may use these and the definition of the
        component, C(component_definition) or C(<role>_component), and no other variable or lookup, because all
        environments share them.
    type: list
    elements: str
    default: []
  mirror:
    description: Folder or URL of a download mirror that has a file as C(<mirror>/<host>/<path of its URL>).
    type: str
    default: ""
  stand_in:
    description:
      - Whether permissive CRDs and Deployments may take the place of O(upstream) and O(overlay_upstream). V(auto)
        allows this if it cannot be downloaded; with O(mirror), for O(overlay_upstream) only. For rehearsals only.
    type: str
    choices: [never, auto, always]
    default: never
  components:
    description:
      - Components whose C(pods) and C(flows) become NetworkPolicies; without them there are none. Their
        C(pod_security) is what O(pod_security) heeds.
      - By default those of the variable C(gitops_plan), in which a task has registered
        M(monorepo.gitops.gitops_plan). A template of the whole plan would take a third of the time of each task.
    type: list
    elements: dict
  pod_security:
    description:
      - What the labels of O(namespaces) do about pods that do not keep to the Pod Security Standard C(restricted), or
        to the less strict one that C(pod_security) of O(components) allows. V(enforce) refuses them, V(warn) only
        warns, V(none) makes no labels. Templates have the labels by namespace as C(component_namespace_labels), for
        one that the official manifest contains.
    type: str
    choices: [none, warn, enforce]
    default: none
  network:
    description: What enforces NetworkPolicies, and what differs between clusters.
    type: dict
    suboptions:
      provider:
        description: V(none) for no policies, V(cilium) for those of Cilium in addition.
        type: str
        choices: [none, kubernetes, cilium]
        default: none
      api_servers:
        description: CIDRs of the API server.
        type: list
        elements: str
        default: []
      api_server_port:
        description: Port of the API server.
        type: int
        default: 6443
      gateway:
        description: Namespaces and CIDRs from which the Gateway connects.
        type: list
        elements: str
        default: []
      dns_servers:
        description: CIDRs of DNS servers besides the pods of the cluster's own.
        type: list
        elements: str
        default: []
      metrics_namespaces:
        description: Namespaces whose pods may read metrics.
        type: list
        elements: str
        default: []
  network_flows:
    description: Flows in addition to those of O(components).
    type: list
    elements: dict
    default: []
  image_digests:
    description:
      - Digests by images with their tags. Whatever the overlay builds with such an image gets its digest, by patches in
        C(envs/<environment>/image-digests.yaml), which is added to C(transformers) of the overlay's kustomization.
    type: dict
    default: {}
  command:
    description: Command that builds a folder, for O(image_digests). By default the one on PATH.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: Nothing is written to the tree.
  diff_mode:
    support: full
    details: One diff for each file; of files above 100000 characters only the size.
  idempotent:
    support: full
    details: A file that is up to date is not written.
notes:
  - Errors name the component and the template, or the URL.
  - "Error C(... has sha256 ..., expected ...): the pinned version and checksum do not match."
  - "Error C(... has no list `resources`): Namespaces and NetworkPolicies are added to that list of the overlay's
    kustomization, so give it one with C(../../base)."
  - "Error C(... cannot be read ...): no network, or the mirror does not have the file."
"""

EXAMPLES = r"""
- name: Render maildev
  monorepo.gitops.component_render:
    name: maildev
    layer: infra
    namespace: maildev
    environment: dev
    tree: ~/monorepo
    templates: "{{ role_path }}/templates"
"""

RETURN = r"""
files:
  description: Paths of files that were written or removed.
  returned: success
  type: list
  elements: str
stand_in:
  description: Whether a stand-in took the place of an official manifest.
  returned: success
  type: bool
"""
