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

// serverProcess is a running webhook server, kfp-preflight or a reference.
type serverProcess struct {
	name    string
	address string
	cmd     *exec.Cmd
	done    chan error
}

// startServer starts a webhook server on serverCore and waits until it accepts connections. It writes the log to
// the directory logs.
func startServer(ctx context.Context, name, address, logs string, command ...string) (*serverProcess, error) {
	log, err := os.Create(filepath.Join(logs, name+".log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p := &serverProcess{name: name, address: address, cmd: exec.Command(command[0], command[1:]...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // Ctrl-C must reach only this process
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

// stop terminates the server and waits until it has exited, for at most a minute.
func (p *serverProcess) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("%s did not stop within a minute", p.name)
	}
}

// clockTick is the unit of the times in /proc/PID/stat (USER_HZ).
const clockTick = 10 * time.Millisecond

// cpuTime returns the user and system CPU time of the process so far.
func (p *serverProcess) cpuTime() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name of the program may contain spaces
	fields := strings.Fields(after)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick
}

// memory returns the resident memory of the process in MiB: now, and the peak since resetPeakMemory.
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

// resetPeakMemory sets the peak to the current resident memory.
func (p *serverProcess) resetPeakMemory() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

// serveReference serves one of the reference webhooks until the process ends.
func serveReference(name, address, certificates string) error {
	handler := map[string]http.Handler{
		"transport": floor.FixedAnswer(), "yes": floor.AllowAll(), "argo-types": floor.DecodeArgoTypes(),
	}[name]
	if handler == nil {
		return fmt.Errorf("unknown reference webhook %q", name)
	}
	server := &http.Server{
		Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	return server.ListenAndServeTLS(filepath.Join(certificates, "tls.crt"), filepath.Join(certificates, "tls.key"))
}
