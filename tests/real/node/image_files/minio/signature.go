// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var authorization = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$`)

// refusal is an error of S3.
type refusal struct {
	status int
	code   string
}

var (
	denied       = &refusal{http.StatusForbidden, "AccessDenied"}
	unknown      = &refusal{http.StatusForbidden, "InvalidAccessKeyId"}
	wrong        = &refusal{http.StatusForbidden, "SignatureDoesNotMatch"}
	otherContent = &refusal{http.StatusBadRequest, "XAmzContentSHA256Mismatch"}
)

// only lets pass what somebody has signed who may do it.
func (a *accounts) only(may func(string, *http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		name, refused := a.caller(request)
		if refused == nil && !may(name, request) {
			refused = denied
		}
		if refused != nil {
			answer.Header().Set("Content-Type", "application/xml")
			answer.WriteHeader(refused.status)
			fmt.Fprintf(answer, "<Error><Code>%s</Code></Error>", refused.code)
			return
		}
		next.ServeHTTP(answer, request)
	})
}

// caller returns who has signed a request, in its headers: who knows the secret makes the same signature.
func (a *accounts) caller(request *http.Request) (string, *refusal) {
	given := authorization.FindStringSubmatch(request.Header.Get("Authorization"))
	if given == nil {
		return "", denied
	}
	name, region, headers, signature := given[1], given[2], given[3], given[4]
	secret, known := a.secret(name)
	if !known {
		return "", unknown
	}
	again, err := signed(request, aws.Credentials{AccessKeyID: name, SecretAccessKey: secret}, region, headers)
	if err != nil || subtle.ConstantTimeCompare([]byte(again), []byte(signature)) == 0 {
		return "", wrong
	}
	if !hasContent(request) {
		return "", otherContent
	}
	return name, nil
}

// signed returns the signature of a request that covers these headers.
func signed(request *http.Request, login aws.Credentials, region, headers string) (string, error) {
	date, err := time.Parse("20060102T150405Z", request.Header.Get("X-Amz-Date"))
	if err != nil {
		return "", err
	}
	again := request.Clone(context.Background())
	again.Header, again.ContentLength = http.Header{}, 0
	for name := range strings.SplitSeq(headers, ";") {
		switch name {
		case "host": // it is none of the headers here, and always covered
		case "content-length":
			again.ContentLength = request.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = request.Header.Values(name)
		}
	}
	signer := v4.NewSigner(func(options *v4.SignerOptions) { options.DisableURIPathEscaping = true })
	hash := request.Header.Get("X-Amz-Content-Sha256")
	if err := signer.SignHTTP(context.Background(), login, again, hash, "s3", region, date); err != nil {
		return "", err
	}
	return authorization.FindStringSubmatch(again.Header.Get("Authorization"))[4], nil
}

// hasContent says whether the content is what was signed. One that is signed in pieces, or not at all, is taken as it is.
func hasContent(request *http.Request) bool {
	expected, err := hex.DecodeString(request.Header.Get("X-Amz-Content-Sha256"))
	if err != nil {
		return true
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return false
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	found := sha256.Sum256(body)
	return bytes.Equal(found[:], expected)
}
