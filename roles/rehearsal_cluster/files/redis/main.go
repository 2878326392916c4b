// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Redis for one rehearsal cluster: a cache in memory, which Argo CD fills again after a restart.
package main

import (
	"log"
	"os"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	server := miniredis.NewMiniRedis()
	// An empty password would let every user of this machine in.
	password := os.Getenv("REDIS_PASSWORD")
	if password == "" {
		log.Fatal("REDIS_PASSWORD is empty")
	}
	server.RequireAuth(password)
	if err := server.StartAddr(os.Getenv("REDIS_ADDRESS")); err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", server.Addr())
	// Time stands still for keys unless it is told to go on.
	last := time.Now()
	for now := range time.Tick(time.Second) {
		server.FastForward(now.Sub(last))
		last = now
	}
}
