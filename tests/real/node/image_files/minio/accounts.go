// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const arn = "arn:aws:s3:::"

type user struct {
	Secret   string
	Policies []string
}

// accounts are root, and users with the policies that root has attached to them. They are kept beside the buckets.
type accounts struct {
	root, password string
	file           string
	mutex          sync.Mutex
	Users          map[string]user
	Policies       map[string][]string // the resources of each; what its actions are plays no part
}

func readAccounts(folder, root, password string) (*accounts, error) {
	if root == "" || password == "" {
		return nil, errors.New("MINIO_ROOT_USER and MINIO_ROOT_PASSWORD must be set")
	}
	read := &accounts{
		root: root, password: password, file: filepath.Join(folder, "accounts.json"),
		Users: map[string]user{}, Policies: map[string][]string{},
	}
	text, err := os.ReadFile(read.file)
	if errors.Is(err, fs.ErrNotExist) {
		return read, nil
	}
	if err != nil {
		return nil, err
	}
	return read, json.Unmarshal(text, read)
}

// secret returns what somebody signs with.
func (a *accounts) secret(name string) (string, bool) {
	if name == a.root {
		return a.password, true
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	found, known := a.Users[name]
	return found.Secret, known
}

func (a *accounts) isRoot(name string, _ *http.Request) bool {
	return name == a.root
}

// mayUse says whether somebody may do what a request wants: root all, a user what concerns one object of a bucket that a
// policy names, or reads the bucket. A copy would concern two.
func (a *accounts) mayUse(name string, request *http.Request) bool {
	if a.isRoot(name, request) {
		return true
	}
	bucket, object, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	resource := arn + bucket
	if object != "" {
		resource += "/*"
	} else if request.Method != http.MethodGet && request.Method != http.MethodHead {
		return false
	}
	if request.Header.Get("X-Amz-Copy-Source") != "" {
		return false
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return slices.ContainsFunc(a.Users[name].Policies, func(policy string) bool {
		return slices.Contains(a.Policies[policy], resource)
	})
}

// administration returns what root asks for by mc.
func (a *accounts) administration() http.Handler {
	paths := http.NewServeMux()
	paths.HandleFunc("PUT /minio/admin/policies/{policy}", a.changed(a.setPolicy))
	paths.HandleFunc("PUT /minio/admin/users/{user}", a.changed(a.setUser))
	paths.HandleFunc("PUT /minio/admin/users/{user}/policies/{policy}", a.changed(a.attach))
	return paths
}

// changed returns what makes a change and keeps it.
func (a *accounts) changed(change func(*http.Request, []byte) error) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err == nil {
			a.mutex.Lock()
			defer a.mutex.Unlock()
			if err = change(request, body); err == nil {
				err = a.keep()
			}
		}
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
		}
	}
}

func (a *accounts) keep() error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(a.file+".new", a.file)
}

func (a *accounts) setPolicy(request *http.Request, body []byte) error {
	var policy struct {
		Statement []struct {
			Effect   string
			Resource []string
		}
	}
	if err := json.Unmarshal(body, &policy); err != nil {
		return err
	}
	resources := []string{}
	for _, statement := range policy.Statement {
		if statement.Effect != "Allow" {
			return errors.New("this stub only knows statements with the effect Allow")
		}
		resources = append(resources, statement.Resource...)
	}
	a.Policies[request.PathValue("policy")] = resources
	return nil
}

func (a *accounts) setUser(request *http.Request, body []byte) error {
	if len(body) < 8 {
		return errors.New("a secret key has at least 8 characters")
	}
	name := request.PathValue("user")
	a.Users[name] = user{string(body), a.Users[name].Policies}
	return nil
}

func (a *accounts) attach(request *http.Request, _ []byte) error {
	name, policy := request.PathValue("user"), request.PathValue("policy")
	found, known := a.Users[name]
	if _, there := a.Policies[policy]; !known || !there {
		return errors.New("there is no such user or no such policy")
	}
	if !slices.Contains(found.Policies, policy) {
		found.Policies = append(found.Policies, policy)
	}
	a.Users[name] = found
	return nil
}
