// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A stub of dockerize: `dockerize -template SOURCE:TARGET` fills a template with the environment, and does nothing else.
package main

import (
	"flag"
	"log"
	"os"
	"strings"
	"text/template"
)

// environment returns the variables, so that a template finds one that is not set to be nil.
func environment() map[string]string {
	values := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return values
}

// first returns the first value that is set.
func first(values ...any) any {
	for _, value := range values {
		if value != nil {
			return value
		}
	}
	return ""
}

func fill(source, target string) error {
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	functions := template.FuncMap{
		"default": first, "lower": strings.ToLower, "split": strings.Split, "trim": strings.TrimSpace,
	}
	parsed, err := template.New(source).Funcs(functions).Parse(string(text))
	if err != nil {
		return err
	}
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	if err := parsed.Execute(file, map[string]any{"Env": environment()}); err != nil {
		return err
	}
	return file.Close()
}

func main() {
	files := flag.String("template", "", "SOURCE:TARGET")
	flag.Parse()
	source, target, found := strings.Cut(*files, ":")
	if !found {
		log.Fatal("dockerize -template SOURCE:TARGET")
	}
	if err := fill(source, target); err != nil {
		log.Fatal(err)
	}
}
