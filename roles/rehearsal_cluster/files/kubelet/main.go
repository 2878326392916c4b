// Copyright (c) 2026, the monorepo.gitops authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The part of a kubelet that `kubectl logs`, `exec` and `port-forward` need: it maps the pods of Argo CD to the processes
// that really run, and says of every other pod that it is simulated.
//
// KWOK has kinds for the same, but its server lets everybody on this machine in, and reads logs in the format of a
// container runtime only. This one answers the API server alone, which shows its certificate.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/creack/pty"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

const (
	idleTimeout   = time.Hour
	createTimeout = 30 * time.Second
	simulated     = "This pod is simulated by KWOK: no container runs, so there is no log."
)

// Names in ports.json of the ports of the pods.
var portNames = map[string]map[int32]string{
	"argocd-redis":                     {6379: "argocd-redis"},
	"argocd-repo-server":               {8081: "argocd-repo-server", 8084: "argocd-repo-server-metrics"},
	"argocd-application-controller":    {8082: "argocd-application-controller"},
	"argocd-applicationset-controller": {7000: "argocd-applicationset-webhook", 8080: "argocd-applicationset-controller"},
	"argocd-server":                    {8080: "argocd-server", 8083: "argocd-server-metrics"},
}

// Containers of these pods that do not run.
var notRunning = map[string]bool{"copyutil": true, "secret-init": true, "haproxy": true, "sentinel": true}

type kubelet struct {
	folder    string
	Namespace string         `json:"namespace"`
	Ports     map[string]int `json:"ports"`
}

// component returns the process that stands for a pod; none when the pod is simulated.
func (k *kubelet) component(namespace, pod string) string {
	for name := range portNames {
		if namespace == k.Namespace && strings.HasPrefix(pod, name+"-") {
			return name
		}
	}
	return ""
}

func (k *kubelet) logs(w http.ResponseWriter, r *http.Request) {
	namespace, pod, container := r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")
	options, err := parseLogOptions(r.URL.Query(), time.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if options.previous {
		text := fmt.Sprintf("previous terminated container %q in pod %q not found", container, pod)
		http.Error(w, text, http.StatusBadRequest)
		return
	}
	out := &flushing{ResponseWriter: w}
	component := k.component(namespace, pod)
	if component == "" || notRunning[container] {
		err = options.write(out, strings.NewReader(simulated+"\n"), true)
	} else {
		err = k.copyLog(r.Context(), out, component, options)
	}
	if errors.Is(err, fs.ErrNotExist) {
		text := fmt.Sprintf("container %q in pod %q is waiting to start", container, pod)
		http.Error(w, text, http.StatusBadRequest)
	} else if err != nil && err != errLimit && r.Context().Err() == nil {
		log.Printf("logs of %s/%s: %v", namespace, pod, err)
	}
}

func (k *kubelet) copyLog(ctx context.Context, out *flushing, component string, options *logOptions) error {
	file, err := os.Open(filepath.Join(k.folder, "logs", component+".log"))
	if err != nil {
		return err
	}
	defer file.Close()
	before := k.pid(component)
	return options.copy(ctx, out, file, func() processState {
		switch now := k.pid(component); {
		case now == "":
			return ended
		case now != before:
			return replaced
		}
		return running
	})
}

// pid returns the process of a component as long as it runs; neither a zombie nor another process with its number counts.
func (k *kubelet) pid(component string) string {
	text, err := os.ReadFile(filepath.Join(k.folder, "pids", component+".pid"))
	if err != nil {
		return ""
	}
	pid := strings.TrimSpace(string(text))
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return ""
	}
	command, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
	_, state, _ := strings.Cut(string(stat), ") ")
	if err != nil || strings.HasPrefix(state, "Z") || !strings.Contains(string(command), component) {
		return ""
	}
	return pid
}

// ExecInContainer runs a command with the environment of the process that stands for the pod.
func (k *kubelet) ExecInContainer(ctx context.Context, name, _, container string, command []string, in io.Reader,
	out, errOut io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	namespace, pod, _ := strings.Cut(name, "/")
	component := k.component(namespace, pod)
	if component == "" || notRunning[container] {
		return fmt.Errorf("pod %s is simulated: no container runs in which a command could be executed", name)
	}
	environment, err := k.environment(component)
	if err != nil {
		return err
	}
	process, err := prepared(ctx, command, environment)
	if err != nil {
		return err
	}
	process.Dir = filepath.Join(k.folder, "argocd")
	if tty {
		err = runWithTerminal(process, in, out, resize)
	} else {
		err = runWithPipes(process, in, out, errOut)
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return utilexec.CodeExitError{Err: exit, Code: exit.ExitCode()}
	}
	return err
}

func (k *kubelet) environment(component string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", k.pid(component), "environ"))
	if err != nil {
		return nil, fmt.Errorf("%s does not run", component)
	}
	return strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00"), nil
}

// prepared looks for the program where the process would, not where this one does.
func prepared(ctx context.Context, command, environment []string) (*exec.Cmd, error) {
	program := command[0]
	if !strings.Contains(program, "/") {
		for _, entry := range environment {
			if path, ok := strings.CutPrefix(entry, "PATH="); ok {
				program = find(program, filepath.SplitList(path))
			}
		}
	}
	if program == "" {
		return nil, fmt.Errorf("exec: %q: executable file not found in $PATH", command[0])
	}
	process := exec.CommandContext(ctx, program, command[1:]...)
	process.Args[0], process.Env, process.WaitDelay = command[0], environment, 5*time.Second
	return process, nil
}

func find(program string, folders []string) string {
	for _, folder := range folders {
		path := filepath.Join(folder, program)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

func runWithPipes(process *exec.Cmd, in io.Reader, out, errOut io.Writer) error {
	process.Stdout, process.Stderr = out, errOut
	if in != nil {
		// With Stdin, Wait would not return before the client closes its end.
		pipe, err := process.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			defer pipe.Close()
			io.Copy(pipe, in)
		}()
	}
	return process.Run()
}

func runWithTerminal(process *exec.Cmd, in io.Reader, out io.Writer, resize <-chan remotecommand.TerminalSize) error {
	terminal, err := pty.Start(process)
	if err != nil {
		return err
	}
	defer terminal.Close()
	go func() {
		for size := range resize {
			pty.Setsize(terminal, &pty.Winsize{Rows: size.Height, Cols: size.Width})
		}
	}()
	if in != nil {
		go io.Copy(terminal, in)
	}
	io.Copy(out, terminal) // ends with an error when the program does
	return process.Wait()
}

// PortForward connects a port of a pod with the port on which its process listens.
func (k *kubelet) PortForward(ctx context.Context, name, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	namespace, pod, _ := strings.Cut(name, "/")
	component := k.component(namespace, pod)
	if component == "" {
		return fmt.Errorf("pod %s is simulated: nothing listens on its ports", name)
	}
	own, ok := k.Ports[portNames[component][port]]
	if !ok {
		return fmt.Errorf("nothing listens on port %d of pod %s", port, name)
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(own)))
	if err != nil {
		return err
	}
	defer connection.Close()
	done := make(chan error, 2)
	go func() { _, err := io.Copy(connection, stream); done <- err }()
	go func() { _, err := io.Copy(stream, connection); done <- err }()
	return <-done
}

func (k *kubelet) exec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name, command := r.PathValue("namespace")+"/"+r.PathValue("pod"), r.URL.Query()["command"]
	if len(command) == 0 {
		http.Error(w, "a command is missing", http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, k, name, "", r.PathValue("container"), command, options,
		idleTimeout, createTimeout, remotecommand.SupportedStreamingProtocols)
}

func (k *kubelet) portForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name := r.PathValue("namespace") + "/" + r.PathValue("pod")
	portforward.ServePortForward(w, r, k, name, "", options, idleTimeout, createTimeout, portforward.SupportedProtocols)
}

func (k *kubelet) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.logs)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", k.exec)
	mux.HandleFunc("/portForward/{namespace}/{pod}", k.portForward)
	return mux
}

// tlsConfig accepts the API server's own certificate and no other client.
func tlsConfig(folder string) (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(filepath.Join(folder, "pki", "admin.crt"), filepath.Join(folder, "pki", "admin.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(folder, "pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	verify := func(state tls.ConnectionState) error {
		if !bytes.Equal(state.PeerCertificates[0].Raw, own.Certificate[0]) {
			return fmt.Errorf("only the API server is served")
		}
		return nil
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		MinVersion: tls.VersionTLS12, VerifyConnection: verify,
		NextProtos: []string{"http/1.1"}, // an upgrade to SPDY needs it
	}, nil
}

func main() {
	k := &kubelet{folder: os.Args[1]}
	config, err := os.ReadFile(filepath.Join(k.folder, "argocd.json"))
	if err == nil {
		err = json.Unmarshal(config, k)
	}
	if err != nil {
		log.Fatal(err)
	}
	settings, err := tlsConfig(k.folder)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(k.Ports["kubelet"])))
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	server := &http.Server{Handler: k.handler(), TLSConfig: settings, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ServeTLS(listener, "", ""))
}
