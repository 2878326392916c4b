#!/bin/sh
# Stub of the entry point of temporalio/server: the configuration from the environment, then the server.
set -eu
dockerize -template config/config_template.yaml:config/docker.yaml
exec temporal-server --env docker start
