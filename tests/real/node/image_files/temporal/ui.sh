#!/bin/sh
# Stub of the entry point of temporalio/ui: the configuration from the environment, then the server of the pages.
set -eu
dockerize -template config-template.yaml:config/docker.yaml
exec ./ui-server --env docker start
