// Command demo shows kfp-preflight on a real API server: kubectl immediately reports mistakes that otherwise take hours to
// find. Run it with 'make demo'.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
)

func main() {
	hold := flag.Bool("hold", false, "keep everything running until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *hold); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; everything is stopped")
		}
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, hold bool) (err error) {
	say("Starting etcd and kube-apiserver, installing the CRDs of Argo and Kubeflow ...")
	began := time.Now()
	c, err := cluster.Start(ctx, ".")
	defer func() { err = errors.Join(err, c.Stop()) }()
	if err != nil {
		return err
	}
	say("Installing manifests/base, starting kfp-preflight as its ServiceAccount ...")
	if err := c.Install(ctx, "manifests/base"); err != nil {
		return err
	}
	stop, err := startWebhook(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	say("Ready after %.0f s.", time.Since(began).Seconds())

	if err := playStory(ctx, kubectlRunner{c}); err != nil {
		return err
	}
	if hold {
		kubectl, err := filepath.Abs(c.Kubectl())
		if err != nil {
			return err
		}
		say("\nEverything keeps running until Ctrl-C. To try your own objects:\n\n  export KUBECONFIG=%s\n  export PATH=%s:$PATH",
			filepath.Join(c.Dir, "admin.kubeconfig"), filepath.Dir(kubectl))
		<-ctx.Done()
		return nil
	}
	say("\nDone. 'make demo HOLD=1' keeps the cluster running.")
	return nil
}

// startWebhook starts bin/kfp-preflight and waits until it accepts connections.
func startWebhook(ctx context.Context, c *cluster.Cluster) (stop func() error, err error) {
	log, err := os.Create(filepath.Join(c.Dir, "kfp-preflight.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("bin/kfp-preflight", "serve",
		"--kubeconfig", filepath.Join(c.Dir, "webhook.kubeconfig"), "--tls-dir", c.CertDir,
		"--webhook-address", c.WebhookAddress, "--probe-address", "127.0.0.1:0", "--metrics-address", "0")
	cmd.Stdout, cmd.Stderr = log, log
	// Ctrl-C must reach only the demo, which then stops the program before the API server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	stop = func() error {
		defer log.Close()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return <-done
	}
	for {
		select {
		case err := <-done:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("kfp-preflight exited: %w\n%s", err, text)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), stop())
		case <-time.After(50 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", c.WebhookAddress); err == nil {
			return stop, conn.Close()
		}
	}
}

// playStory runs all steps. It returns an error if a step does not end as expected.
func playStory(ctx context.Context, k kubectlRunner) error {
	const profiles, workflows = "testdata/profile/profile-quota-compute/", "testdata/workflow/workflow-secret-missing/"
	if err := k.mustSucceed(ctx, "create", "configmap", "workflow-controller-configmap", "-n", "kubeflow"); err != nil {
		return err
	}
	for _, step := range []step{
		{"1. An admin adds a quota on cpu and memory to a Profile. Every pipeline in the namespace would fail.",
			"apply -f " + profiles + "deny-cpu-and-memory.yaml", "must specify cpu for: init,main,wait"},
		{"2. Without the quota, the Profile is accepted.",
			"apply -f " + profiles + "allow-empty.yaml", ""},
		{"3. A quota on GPUs and storage is accepted too: it requires nothing of containers.",
			"apply -f " + profiles + "allow-gpu-and-storage.yaml", ""},
		{"4. In a real cluster, the Profile controller now creates the namespace.",
			"create namespace team-a", ""},
		{"", "create namespace team-b", ""},
		{"5. Four steps of a pipeline read 13 keys of a Secret, but the Secret is in another namespace.",
			"apply -f " + workflows + "deny-secret-absent.yaml", "create Secret 'client-secrets' in namespace 'team-a'"},
		{"6. The Secret is created in the right namespace, but one key is missing.",
			"apply -f " + workflows + "deny-key-absent.yaml", "add key 'slack_token' to Secret 'client-secrets'"},
		{"7. With all keys, the pipeline is accepted.",
			"apply -f " + workflows + "allow-secret-present.yaml", ""},
		{"", "get workflows,secrets -n team-a", ""},
	} {
		if err := k.runStep(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// step is one command of the story.
type step struct {
	title   string
	command string // kubectl's arguments
	denied  string // text in the denial; empty if the command must succeed
}

// kubectlRunner runs kubectl as cluster admin.
type kubectlRunner struct{ cluster *cluster.Cluster }

// runStep prints and runs one step, and checks its result.
func (k kubectlRunner) runStep(ctx context.Context, s step) error {
	if s.title != "" {
		say("\n%s", s.title)
	}
	fmt.Printf("$ kubectl %s\n", s.command)
	out, err := k.kubectl(ctx, strings.Fields(s.command)...)
	fmt.Print(out)
	switch denied := strings.Contains(out, "is invalid:") && strings.Contains(out, s.denied); {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.denied == "" && err != nil:
		return fmt.Errorf("the command should have succeeded: %w", err)
	case s.denied != "" && (err == nil || !denied):
		return fmt.Errorf("the command should have been denied with %q", s.denied)
	}
	return nil
}

// mustSucceed runs kubectl and discards its output.
func (k kubectlRunner) mustSucceed(ctx context.Context, args ...string) error {
	if out, err := k.kubectl(ctx, args...); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (k kubectlRunner) kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, k.cluster.Kubectl(), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(k.cluster.Dir, "admin.kubeconfig"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// say prints a line of the narration, in bold on a terminal.
func say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Println(text)
}
