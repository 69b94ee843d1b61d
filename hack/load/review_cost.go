package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

// measureReviews measures what a review costs the servers.
func (s *environment) measureReviews(ctx context.Context, o options) error {
	fmt.Printf("\nAdmissionReviews over TLS and HTTP/2, %d requests or %s each; CPU and memory are the server's\n", o.count, o.duration)
	fmt.Printf("%-8s %-8s %-14s %9s %10s %9s %9s %9s %9s %7s\n", "payload", "verdict", "server", "in flight", "requests/s", "p50 ms", "p99 ms", "CPU ms", "peak MiB", "ratio")
	for _, p := range payload.All() {
		if !o.selected(p) {
			continue
		}
		for _, inFlight := range []int{1, 8, 32} {
			var argoTypesCPU float64 // what the decoding into Argo's types costs
			for _, server := range s.servers {
				for _, verdict := range []string{"allowed", "denied"} {
					m := measurement{server: server, payload: p, body: p.Review(p.Allowed), inFlight: inFlight, wantInAnswer: []byte(`"allowed":true`)}
					if verdict == "denied" {
						if server.name != preflight {
							continue // they deny nothing
						}
						m.body, m.wantInAnswer = p.Review(p.Denied), []byte(`"allowed":false`)
					}
					if p.Kind.Kind != "Workflow" && server.name == "argo-types" {
						continue
					}
					r, err := m.run(ctx, o)
					if err != nil {
						return fmt.Errorf("%s %s at %s: %w", p.Name, verdict, server.name, err)
					}
					ratio := ""
					if server.name == "argo-types" {
						argoTypesCPU = r.cpu
					} else if server.name == preflight && argoTypesCPU > 0 {
						ratio = fmt.Sprintf("%.2f", r.cpu/argoTypesCPU)
					}
					fmt.Printf("%-8s %-8s %-14s %9d %10.0f %9.2f %9.2f %9.3f %9.0f %7s\n", p.Name, verdict, server.name, inFlight, r.rate,
						r.p50, r.p99, r.cpu, r.peak, ratio)
				}
			}
		}
	}
	return nil
}

// measurement is many requests of one kind to one server.
type measurement struct {
	server       *serverProcess
	payload      payload.Payload
	body         []byte
	inFlight     int
	wantInAnswer []byte // what each answer has
}

// result is what came of it: rate per second, milliseconds, MiB.
type result struct{ rate, p50, p99, cpu, peak float64 }

func (m measurement) run(ctx context.Context, o options) (result, error) {
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, // our own server on this machine
	}}
	defer client.CloseIdleConnections()
	for range 2 * m.inFlight { // warm
		if err := m.post(ctx, client); err != nil {
			return result{}, err
		}
	}
	m.server.resetPeakMemory()
	var remaining atomic.Int64
	remaining.Store(int64(o.count))
	var lock sync.Mutex
	var latencies []time.Duration
	var firstErr error
	before, began := m.server.cpuTime(), time.Now()
	var workers sync.WaitGroup
	for range m.inFlight {
		workers.Go(func() {
			var ownLatencies []time.Duration
			var err error
			for err == nil && remaining.Add(-1) >= 0 && time.Since(began) < o.duration && ctx.Err() == nil {
				began := time.Now()
				err = m.post(ctx, client)
				ownLatencies = append(ownLatencies, time.Since(began))
			}
			lock.Lock()
			defer lock.Unlock()
			latencies = append(latencies, ownLatencies...)
			if firstErr == nil {
				firstErr = err
			}
		})
	}
	workers.Wait()
	elapsed, cpu := time.Since(began), m.server.cpuTime()-before
	if firstErr == nil {
		firstErr = ctx.Err()
	}
	if firstErr != nil {
		return result{}, firstErr
	}
	slices.Sort(latencies)
	_, peak := m.server.memory()
	n := float64(len(latencies))
	return result{rate: n / elapsed.Seconds(), p50: milliseconds(latencies[len(latencies)/2]), p99: milliseconds(latencies[len(latencies)*99/100]), cpu: milliseconds(cpu) / n, peak: peak}, nil
}

func (m measurement) post(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+m.server.address+m.payload.Path+"?timeout=10s", bytes.NewReader(m.body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !bytes.Contains(answer, m.wantInAnswer) || bytes.Contains(answer, []byte(`"warnings"`)) {
		return fmt.Errorf("answered %s %.500s", response.Status, answer)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
