package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// podProcess is a pod of the simulated node: its only container, run as a process.
type podProcess struct {
	node    *Node
	object  *corev1.Pod
	dir, ip string
	// ports maps ports of the container to ports of this machine.
	ports           map[int32]int
	volumes         map[string]*volume
	volumesSyncedAt time.Time
	cmd             *exec.Cmd
	exited          chan struct{} // closed when the process exits
	stopRequestedAt time.Time     // zero while it should run
	status          corev1.PodStatus
}

// newPodProcess prepares the process for a pod. advance starts it once its volumes exist.
func (n *Node) newPodProcess(object *corev1.Pod) (*podProcess, error) {
	n.podCount++
	p := &podProcess{
		node: n, object: object, dir: filepath.Join(n.dir, object.Name), ip: fmt.Sprintf("10.244.%d.%d", 1+n.podCount/250, 1+n.podCount%250),
		ports: map[int32]int{}, volumes: map[string]*volume{}, exited: make(chan struct{}),
	}
	for _, port := range object.Spec.Containers[0].Ports {
		free, err := freePort()
		if err != nil {
			return nil, err
		}
		p.ports[port.ContainerPort] = free
	}
	for _, v := range object.Spec.Volumes {
		p.volumes[v.Name] = &volume{dir: filepath.Join(p.dir, v.Name)}
	}
	return p, os.MkdirAll(p.dir, 0o700)
}

// syncVolumes refreshes the mounted volumes if VolumeSyncInterval has passed.
func (p *podProcess) syncVolumes(ctx context.Context) error {
	if time.Since(p.volumesSyncedAt) < p.node.VolumeSyncInterval {
		return nil
	}
	for _, source := range p.object.Spec.Volumes {
		if err := p.volumes[source.Name].sync(ctx, p.node.api, p.object.Namespace, source); err != nil {
			return err
		}
	}
	p.volumesSyncedAt = time.Now()
	return nil
}

// freePort returns a free TCP port. It avoids the ephemeral ports: under load, outgoing connections could take
// such a port before the process listens on it.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		listener, busy := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err = busy; err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("looking for a free port: %w", err)
}

// start starts the process with the arguments of the container, after it has replaced addresses and mount
// paths by those on this machine.
func (p *podProcess) start(ctx context.Context) error {
	container := p.object.Spec.Containers[0]
	kubeconfig, err := p.node.kubeconfig(ctx, p.object.Spec.ServiceAccountName)
	if err != nil {
		return err
	}
	args := append([]string{}, container.Args...)
	if args[0] == "serve" {
		for port, flag := range map[int32]string{9443: "--webhook-address", 8080: "--metrics-address", 8081: "--probe-address"} {
			args = append(args, fmt.Sprintf("%s=127.0.0.1:%d", flag, p.ports[port]))
		}
		args = append(args, "--tls-dir=/etc/kfp-preflight/tls") // the default; made explicit so that the path is replaced below
	}
	for i := range args {
		for _, mount := range container.VolumeMounts {
			args[i] = strings.ReplaceAll(args[i], mount.MountPath, filepath.Join(p.dir, mount.Name))
		}
	}
	log, err := os.Create(p.logFile())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(p.node.Binary, append(args, "--kubeconfig", kubeconfig)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if limit := container.Resources.Limits.Memory().Value(); limit > 0 { // as the program sets it from its cgroup
		p.cmd.Env = append(os.Environ(), fmt.Sprint("GOMEMLIMIT=", limit/10*4))
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState has the result
		close(p.exited)
	}()
	return nil
}

// logFile returns the file with the standard output and error of the process.
func (p *podProcess) logFile() string { return filepath.Join(p.dir, "log") }

// stop sends SIGTERM, and SIGKILL if the grace period is over. It does not wait.
func (p *podProcess) stop() {
	if p.cmd == nil {
		return
	}
	if p.stopRequestedAt.IsZero() {
		p.stopRequestedAt = time.Now()
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	if time.Since(p.stopRequestedAt) > time.Duration(*p.object.Spec.TerminationGracePeriodSeconds)*time.Second {
		_ = p.cmd.Process.Kill()
	}
}

// hasExited reports whether the process has exited or was never started.
func (p *podProcess) hasExited() bool {
	if p.cmd == nil {
		return true
	}
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// checkReadiness runs the readiness probe once. A container without a probe is ready.
func (p *podProcess) checkReadiness() error {
	probe := p.object.Spec.Containers[0].ReadinessProbe
	if probe == nil {
		return nil
	}
	port := int32(probe.HTTPGet.Port.IntValue())
	for _, named := range p.object.Spec.Containers[0].Ports {
		if named.Name == probe.HTTPGet.Port.StrVal {
			port = named.ContainerPort
		}
	}
	client := http.Client{Timeout: 2 * time.Second}
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", p.ports[port], probe.HTTPGet.Path))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
