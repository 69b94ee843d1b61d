package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

// measureCreates prints how long it takes to create a Workflow through the API server, and how much of it is due
// to the webhook.
func (e *environment) measureCreates(ctx context.Context, o options) error {
	if o.creates == 0 {
		return nil
	}
	fmt.Printf("\n%d Workflows created through the API server (dry-run), one at a time, webhooks in turns: "+
		"p50 in ms, and what the webhook adds\n", o.creates)
	fmt.Printf("%-8s %10s %18s %24s %8s\n", "payload", "no webhook", "says yes", preflight, "ratio")
	for _, p := range []payload.Payload{payload.Small(), payload.Medium(), payload.Large()} {
		if !o.selected(p) {
			continue
		}
		latencies, err := e.createLatencies(ctx, o, p)
		if err != nil {
			return err
		}
		median := func(name string) float64 {
			slices.Sort(latencies[name])
			return milliseconds(latencies[name][len(latencies[name])/2])
		}
		none, yes, own := median(""), median("yes"), median(preflight)
		fmt.Printf("%-8s %10.2f %10.2f (%+5.2f) %16.2f (%+5.2f) %8.2f\n",
			p.Name, none, yes, yes-none, own, own-none, (own-none)/(yes-none))
	}
	return e.useWebhook(ctx, "")
}

// createLatencies creates the allowed object of p repeatedly, and returns how long each request took, by the name
// of the webhook. The name is empty for requests without a webhook. Webhooks take turns, so that a slow moment of
// the machine affects all of them.
func (e *environment) createLatencies(ctx context.Context, o options, p payload.Payload) (map[string][]time.Duration, error) {
	const turns, warmUp = 4, 10
	latencies := map[string][]time.Duration{}
	count := o.creates * 2000 / (2000 + len(p.Allowed)/50) // fewer of the large ones, which take longer
	for turn := range turns {
		for _, name := range []string{"", "yes", preflight} {
			if err := e.useWebhook(ctx, name); err != nil {
				return nil, err
			}
			for i := range count/turns + warmUp {
				began := time.Now()
				err := e.api.RESTClient().Post().AbsPath("apis/argoproj.io/v1alpha1/namespaces", payload.Namespace, "workflows").
					Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body(p.Allowed).Do(ctx).Error()
				if err != nil {
					return nil, fmt.Errorf("creating a Workflow, turn %d, webhook %q: %w", turn, name, err)
				}
				if i >= warmUp {
					latencies[name] = append(latencies[name], time.Since(began))
				}
			}
		}
	}
	return latencies, nil
}

// useWebhook makes the API server call the named server, or no webhook if name is empty.
func (e *environment) useWebhook(ctx context.Context, name string) error {
	configurations := e.api.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if err := configurations.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	if name != "" {
		configuration := e.WebhookConfiguration()
		configuration.ResourceVersion, configuration.UID = "", ""
		fail := admissionregistrationv1.Fail
		for i := range configuration.Webhooks {
			w := &configuration.Webhooks[i]
			w.ClientConfig.URL = new(strings.Replace(*w.ClientConfig.URL, e.WebhookAddress, e.server(name).address, 1))
			w.FailurePolicy = &fail
		}
		if _, err := configurations.Create(ctx, configuration, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	time.Sleep(1500 * time.Millisecond) // until the API server has noticed
	return nil
}
