// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const pollInterval = 200 * time.Millisecond

// processState says of the process that writes a log whether it is still the one that wrote it at first.
type processState int

const (
	running processState = iota
	ended
	replaced
)

var (
	errLimit = errors.New("the limit of bytes is reached")
	// As Argo CD's processes write it, in text and in JSON.
	timeOfLine = regexp.MustCompile(`^(?:time=|\{.*?"time":)"([^"]+)"`)
)

// logOptions are those of the API; limit and tail are -1 without a limit.
type logOptions struct {
	follow, timestamps, previous bool
	tail, limit                  int64
	since, last                  time.Time
	rest                         string // the beginning of a line
}

func parseLogOptions(query url.Values, now time.Time) (*logOptions, error) {
	options := &logOptions{tail: -1, limit: -1, last: now}
	for name, target := range map[string]*bool{
		"follow": &options.follow, "timestamps": &options.timestamps, "previous": &options.previous,
	} {
		*target, _ = strconv.ParseBool(query.Get(name))
	}
	seconds := int64(-1)
	for name, target := range map[string]*int64{
		"tailLines": &options.tail, "limitBytes": &options.limit, "sinceSeconds": &seconds,
	} {
		if text := query.Get(name); text != "" {
			number, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, err
			}
			*target = number
		}
	}
	if seconds >= 0 {
		options.since = now.Add(-time.Duration(seconds) * time.Second)
	}
	if text := query.Get("sinceTime"); text != "" {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, err
		}
		options.since = moment
	}
	return options, nil
}

// copy writes a log, and what is appended to it as long as the client stays and the process that writes it runs.
func (o *logOptions) copy(ctx context.Context, out *flushing, file *os.File, process func() processState) error {
	for first := true; ctx.Err() == nil; first = false {
		// Asked before the log is read, so that what the process writes last is not missed.
		state := process()
		if first || state != replaced { // a process that starts empties the log
			if err := o.write(out, file, !o.follow || state != running); err != nil {
				return err
			}
		}
		if first {
			// The answer begins now, also where nothing is written for a while; what is written from here on is new.
			out.Flush()
		}
		if !o.follow || state != running {
			return o.end(out)
		}
		// What is appended is wanted, whatever time is in it.
		o.tail, o.since = -1, time.Time{}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
		o.last = time.Now()
		if err := rewindIfEmptied(file); err != nil {
			return err
		}
	}
	return nil
}

// rewindIfEmptied returns to the beginning of a log that is shorter than what was read.
func rewindIfEmptied(file *os.File) error {
	offset, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() < offset {
		_, err = file.Seek(0, io.SeekStart)
	}
	return err
}

// write writes the lines that a reader has now. One without a line break may go on, so it is kept unless it is the last.
func (o *logOptions) write(out io.Writer, in io.Reader, last bool) error {
	var kept []string
	reader := bufio.NewReader(in)
	for {
		line, err := reader.ReadString('\n')
		o.rest += line
		if err != nil && (err != io.EOF || !last) {
			break
		}
		if line, ok := o.selected(o.rest); o.rest != "" && ok {
			if o.tail < 0 {
				if err := o.put(out, line); err != nil {
					return err
				}
			} else if o.tail > 0 {
				kept = append(kept, line)
				kept = kept[max(0, len(kept)-int(o.tail)):]
			}
		}
		o.rest = ""
		if err != nil {
			break
		}
	}
	for _, line := range kept {
		if err := o.put(out, line); err != nil {
			return err
		}
	}
	return nil
}

// end writes what has never got its line break.
func (o *logOptions) end(out io.Writer) error {
	return o.write(out, strings.NewReader(""), true)
}

// selected returns a line as it is shown; one without a time has that of the line before.
func (o *logOptions) selected(line string) (string, bool) {
	if found := timeOfLine.FindStringSubmatch(line); found != nil {
		if moment, err := time.Parse(time.RFC3339, found[1]); err == nil {
			o.last = moment
		}
	}
	if o.timestamps {
		line = o.last.UTC().Format(time.RFC3339Nano) + " " + line
	}
	return line, !o.last.Before(o.since)
}

func (o *logOptions) put(out io.Writer, line string) error {
	cut := o.limit >= 0 && int64(len(line)) > o.limit
	if cut {
		line = line[:o.limit]
	}
	if _, err := io.WriteString(out, line); err != nil {
		return err
	}
	if cut {
		return errLimit
	}
	if o.limit >= 0 {
		o.limit -= int64(len(line))
	}
	return nil
}

// flushing sends every line at once.
type flushing struct{ http.ResponseWriter }

func (f *flushing) Write(text []byte) (int, error) {
	written, err := f.ResponseWriter.Write(text)
	f.Flush()
	return written, err
}

func (f *flushing) Flush() {
	if flusher, ok := f.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}
