// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A stub of MinIO's mc, with what role minio runs, each time as often as one likes. The paths of its administration are
// those of the stub of the server beside it, and not MinIO's.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	attempts   = 10
)

// put sends a request with the login that the variable of an alias has, and returns the status of the answer.
func put(alias, path string, body []byte) (int, error) {
	server, err := url.Parse(os.Getenv("MC_HOST_" + alias))
	if err != nil || server.User == nil {
		return 0, fmt.Errorf("MC_HOST_%s is not http://USER:PASSWORD@HOST:PORT", alias)
	}
	password, _ := server.User.Password()
	login := aws.Credentials{AccessKeyID: server.User.Username(), SecretAccessKey: password}
	request, err := http.NewRequest(http.MethodPut, "http://"+server.Host+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(options *v4.SignerOptions) { options.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(context.Background(), login, request, hash, "s3", "us-east-1", time.Now()); err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	// The network may not know a new pod yet.
	for tries := 1; err != nil && tries < attempts; tries++ {
		time.Sleep(time.Second)
		if request.Body, err = request.GetBody(); err != nil {
			return 0, err
		}
		answer, err = http.DefaultClient.Do(request)
	}
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, fmt.Errorf("%s: %s", answer.Status, text)
	}
	return answer.StatusCode, nil
}

func administer(alias, path string, body []byte) error {
	_, err := put(alias, "/minio/admin/"+path, body)
	return err
}

func makeBucket(target string, ignoreExisting, versions bool) error {
	alias, bucket, _ := strings.Cut(target, "/")
	status, err := put(alias, "/"+bucket, nil)
	if err != nil && (status != http.StatusConflict || !ignoreExisting) {
		return err
	}
	if versions {
		_, err := put(alias, "/"+bucket+"?versioning=", []byte(versioning))
		return err
	}
	return nil
}

func createPolicy(alias, name, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return administer(alias, "policies/"+name, text)
}

// addUser reads name and secret key, each a line.
func addUser(alias string) error {
	lines := bufio.NewScanner(os.Stdin)
	if !lines.Scan() {
		return errors.New("the standard input has no name")
	}
	name := lines.Text()
	if !lines.Scan() {
		return errors.New("the standard input has no secret key")
	}
	return administer(alias, "users/"+name, lines.Bytes())
}

func run(words, flags []string) error {
	command := strings.Join(words[:min(3, len(words))], " ")
	switch {
	case words[0] == "mb" && len(words) == 2:
		existing, versions := slices.Contains(flags, "--ignore-existing"), slices.Contains(flags, "--with-versioning")
		return makeBucket(words[1], existing, versions)
	case command == "admin policy create" && len(words) == 6:
		return createPolicy(words[3], words[4], words[5])
	case command == "admin user add" && len(words) == 4:
		return addUser(words[3])
	case command == "admin policy attach" && len(words) == 6 && slices.Equal(flags, []string{"--user"}):
		return administer(words[3], "users/"+words[5]+"/policies/"+words[4], nil)
	}
	return errors.New("this stub does not know the command")
}

func main() {
	var words, flags []string
	for _, word := range os.Args[1:] {
		if strings.HasPrefix(word, "--") {
			flags = append(flags, word)
		} else {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		log.Fatal("mc COMMAND")
	}
	if err := run(words, flags); err != nil {
		log.Fatalf("mc %s: %v", strings.Join(os.Args[1:], " "), err)
	}
}
