// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A stub of MinIO's server: `minio server FOLDER` serves objects by the library gofakes3, to those who sign for it. It has
// no console and no old versions of objects. Its administration below /minio/admin/ is for the stub mc beside it, and not
// that of MinIO.
package main

import (
	"flag"
	"log"
	"net/http"
	"os"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3afero"
	"github.com/spf13/afero"
)

func serve(folder, address string) error {
	accounts, err := readAccounts(folder, os.Getenv("MINIO_ROOT_USER"), os.Getenv("MINIO_ROOT_PASSWORD"))
	if err != nil {
		return err
	}
	buckets, err := s3afero.MultiBucket(afero.NewBasePathFs(afero.NewOsFs(), folder))
	if err != nil {
		return err
	}
	// A path with .. is answered by a redirection, so none leads from one bucket to another.
	paths := http.NewServeMux()
	paths.HandleFunc("/minio/health/", func(http.ResponseWriter, *http.Request) {})
	paths.Handle("/minio/admin/", accounts.only(accounts.isRoot, accounts.administration()))
	paths.Handle("/", accounts.only(accounts.mayUse, gofakes3.New(buckets).Server()))
	log.Printf("A stub of MinIO serves %s on %s.", folder, address)
	return http.ListenAndServe(address, paths)
}

func main() {
	if len(os.Args) < 3 || os.Args[1] != "server" {
		log.Fatal("minio server FOLDER [--address ADDRESS] [--console-address ADDRESS]")
	}
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	address := flags.String("address", ":9000", "where it listens")
	flags.String("console-address", "", "nothing listens there")
	_ = flags.Parse(os.Args[3:]) // it ends the program itself
	log.Fatal(serve(os.Args[2], *address))
}
