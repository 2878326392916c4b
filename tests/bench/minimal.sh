#!/bin/sh
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What site.yml is compared with: the same cluster by kubectl and the argocd CLI alone. The monorepo is there already, and so
# are the manifests: install.yaml (Argo CD with the same settings), projects.yaml, applicationsets.yaml, route.yaml. Needs
# kubectl and argocd on PATH, KUBECONFIG, SERVER (host:port of argocd-server), TLS (how to reach it),
# OPERATORS, PLATFORM, SERVICES (names of the Applications of each tier).
set -u

kubectl apply --server-side --force-conflicts -f install.yaml || exit 1
kubectl wait --for=condition=Established --timeout=60s \
  crd/applications.argoproj.io crd/applicationsets.argoproj.io crd/appprojects.argoproj.io || exit 1
kubectl apply --server-side --force-conflicts -f projects.yaml || exit 1
for workload in $(kubectl -n argocd get deployments,statefulsets -o name); do
  kubectl -n argocd rollout status --timeout=300s "$workload" || exit 1
done
until password=$(kubectl -n argocd get secret argocd-initial-admin-secret -o 'jsonpath={.data.password}' | base64 -d) &&
  test -n "$password" &&
  argocd login "$SERVER" "$TLS" --username admin --password "$password"; do
  sleep 1
done
kubectl apply --server-side --force-conflicts -f applicationsets.yaml || exit 1

# shellcheck disable=SC2086  # lists of names
for tier in "$OPERATORS" "$PLATFORM" "$SERVICES"; do
  for name in $tier; do
    until argocd app get "$name" > /dev/null; do
      sleep 1
    done
  done
  # Automated sync may be at work already, then a sync is refused and the wait tells. One that failed is tried again.
  until argocd app wait $tier --sync --health --operation --timeout 60; do
    for name in $tier; do
      argocd app sync "$name" --async
    done
  done
done
kubectl apply --server-side --force-conflicts -f route.yaml
