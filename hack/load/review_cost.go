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

// measureReviews prints the throughput, latency, CPU and memory of each server for each payload. Its last column
// is kfp-preflight's CPU per review, relative to decoding the object into Argo's types.
func (e *environment) measureReviews(ctx context.Context, o options) error {
	fmt.Printf("\nAdmissionReviews over TLS and HTTP/2: %d requests or %s per row; CPU and memory are the server's\n", o.count, o.duration)
	fmt.Printf("%-8s %-8s %-14s %9s %10s %9s %9s %9s %9s %7s\n",
		"payload", "verdict", "server", "in flight", "requests/s", "p50 ms", "p99 ms", "CPU ms", "peak MiB", "ratio")
	for _, p := range payload.All() {
		if !o.selected(p) {
			continue
		}
		for _, inFlight := range []int{1, 8, 32} {
			if err := e.measurePayload(ctx, o, p, inFlight); err != nil {
				return err
			}
		}
	}
	return nil
}

// measurePayload prints a row for each server and verdict.
func (e *environment) measurePayload(ctx context.Context, o options, p payload.Payload, inFlight int) error {
	var argoTypesCPU float64
	for _, server := range e.servers {
		if server.name == "argo-types" && p.Kind.Kind != "Workflow" {
			continue
		}
		for _, verdict := range []string{"allowed", "denied"} {
			m := measurement{
				server: server, payload: p, body: p.Review(p.Allowed), inFlight: inFlight, wantInAnswer: []byte(`"allowed":true`),
			}
			if verdict == "denied" {
				if server.name != preflight {
					continue // reference servers deny nothing
				}
				m.body, m.wantInAnswer = p.Review(p.Denied), []byte(`"allowed":false`)
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
			fmt.Printf("%-8s %-8s %-14s %9d %10.0f %9.2f %9.2f %9.3f %9.0f %7s\n",
				p.Name, verdict, server.name, inFlight, r.rate, r.p50, r.p99, r.cpu, r.peak, ratio)
		}
	}
	return nil
}

// measurement sends the same review to one server many times.
type measurement struct {
	server       *serverProcess
	payload      payload.Payload
	body         []byte
	inFlight     int
	wantInAnswer []byte // each answer must contain it
}

// result of a measurement.
type result struct {
	rate     float64 // reviews per second
	p50, p99 float64 // latency in milliseconds
	cpu      float64 // milliseconds per review
	peak     float64 // resident memory in MiB
}

// run sends reviews until options.count or options.duration is reached.
func (m measurement) run(ctx context.Context, o options) (result, error) {
	client := newReviewClient()
	defer client.CloseIdleConnections()
	for range 2 * m.inFlight { // warm up
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
	return result{
		rate: n / elapsed.Seconds(),
		p50:  milliseconds(latencies[len(latencies)/2]), p99: milliseconds(latencies[len(latencies)*99/100]),
		cpu: milliseconds(cpu) / n, peak: peak,
	}, nil
}

// newReviewClient returns an HTTP/2 client that accepts any certificate: it only calls servers of this program.
func newReviewClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
	}}
}

// post sends one review, and returns an error if the answer is not the expected one or contains a warning.
func (m measurement) post(ctx context.Context, client *http.Client) error {
	url := "https://" + m.server.address + m.payload.Path + "?timeout=10s"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.body))
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
