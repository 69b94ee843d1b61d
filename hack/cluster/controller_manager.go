package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// StartControllers starts kube-controller-manager with only the named controllers. It runs until Stop.
func (c *Cluster) StartControllers(names ...string) error {
	cmd := exec.Command(filepath.Join(c.root, "bin", "kube-controller-manager"), "--kubeconfig", filepath.Join(c.Dir, "admin.kubeconfig"),
		"--controllers", strings.Join(names, ","), "--leader-elect=false", "--secure-port=0")
	log, err := os.Create(filepath.Join(c.Dir, "kube-controller-manager.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting kube-controller-manager (run 'make controlplane' to build it): %w", err)
	}
	c.cleanups = append(c.cleanups, func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it reports the signal as an error
		return nil
	})
	return nil
}
