package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/floor"
)

// serverProcess is a webhook server under measurement.
type serverProcess struct {
	name    string
	address string
	cmd     *exec.Cmd
	done    chan error
}

// startServer starts a webhook server on its core and waits until it takes calls.
func startServer(ctx context.Context, name, address, logs string, command ...string) (*serverProcess, error) {
	log, err := os.Create(filepath.Join(logs, name+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p := &serverProcess{name: name, address: address, cmd: exec.Command(command[0], command[1:]...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C is for us
	if err := startOnServerCore(p.cmd); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	for {
		select {
		case err := <-p.done:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s stopped: %w\n%s", name, err, text)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), p.stop())
		case <-time.After(50 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			return p, conn.Close()
		}
	}
}

func (p *serverProcess) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("%s does not stop", p.name)
	}
}

// clockTick is what the kernel counts the time of a process in.
const clockTick = 10 * time.Millisecond

// cpuTime is how much time the process has had.
func (p *serverProcess) cpuTime() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name may have spaces
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick
}

// memory is what the process has in memory, in MiB; peak since the last call of forget.
func (p *serverProcess) memory() (now, peak float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			now = kib / 1024
		case "VmHWM:":
			peak = kib / 1024
		}
	}
	return now, peak
}

// resetPeakMemory makes what is in memory now the peak.
func (p *serverProcess) resetPeakMemory() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

// serveReference is a webhook that does less.
func serveReference(name, address, certificates string) error {
	handler := map[string]http.Handler{"transport": floor.FixedAnswer(), "yes": floor.AllowAll(), "argo-types": floor.DecodeArgoTypes()}[name]
	if handler == nil {
		return fmt.Errorf("no webhook is called %q", name)
	}
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	return server.ListenAndServeTLS(filepath.Join(certificates, "tls.crt"), filepath.Join(certificates, "tls.key"))
}
