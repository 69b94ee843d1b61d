package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/hack/payload"
)

// measureCreates measures what a webhook adds to the creation of a Workflow through the API server.
func (s *environment) measureCreates(ctx context.Context, o options) error {
	if o.creates == 0 {
		return nil
	}
	fmt.Printf("\n%d Workflows created through the API server (dry-run), one at a time, in turns: p50 in ms, and what the webhook adds\n", o.creates)
	fmt.Printf("%-8s %10s %18s %24s %8s\n", "payload", "no webhook", "webhook of a yes", preflight, "ratio")
	config := rest.CopyConfig(s.Admin)
	config.QPS = -1
	client := s.api.RESTClient()
	for _, p := range []payload.Payload{payload.Small(), payload.Medium(), payload.Large()} {
		if !o.selected(p) {
			continue
		}
		latencies := map[string][]time.Duration{}
		count := o.creates * 2000 / (2000 + len(p.Allowed)/50) // large ones take longer
		const turns = 4
		for turn := range turns {
			for _, name := range []string{"", "yes", preflight} {
				if err := s.useWebhook(ctx, name); err != nil {
					return err
				}
				for i := range count/turns + 10 {
					began := time.Now()
					err := client.Post().AbsPath("apis/argoproj.io/v1alpha1/namespaces", payload.Namespace, "workflows").
						Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body(p.Allowed).Do(ctx).Error()
					if err != nil {
						return fmt.Errorf("creating a Workflow, turn %d, webhook %q: %w", turn, name, err)
					}
					if i >= 10 { // warm
						latencies[name] = append(latencies[name], time.Since(began))
					}
				}
			}
		}
		median := func(name string) float64 {
			slices.Sort(latencies[name])
			return milliseconds(latencies[name][len(latencies[name])/2])
		}
		withoutWebhook, withAllowAll, withPreflight := median(""), median("yes"), median(preflight)
		fmt.Printf("%-8s %10.2f %10.2f (%+5.2f) %16.2f (%+5.2f) %8.2f\n", p.Name, withoutWebhook, withAllowAll, withAllowAll-withoutWebhook, withPreflight, withPreflight-withoutWebhook, (withPreflight-withoutWebhook)/(withAllowAll-withoutWebhook))
	}
	return s.useWebhook(ctx, "")
}

// useWebhook makes the API server call one of the webhooks, or none.
func (s *environment) useWebhook(ctx context.Context, name string) error {
	configurations := s.api.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if err := configurations.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return err
	}
	if name != "" {
		configuration := s.WebhookConfiguration()
		configuration.ResourceVersion, configuration.UID = "", ""
		fail := admissionregistrationv1.Fail
		for i := range configuration.Webhooks {
			w := &configuration.Webhooks[i]
			w.ClientConfig.URL = new(strings.Replace(*w.ClientConfig.URL, s.WebhookAddress, s.server(name).address, 1))
			w.FailurePolicy = &fail
		}
		if _, err := configurations.Create(ctx, configuration, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	time.Sleep(1500 * time.Millisecond) // until the API server has heard of it
	return nil
}
