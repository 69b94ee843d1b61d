package selfsigned

import (
	"bytes"
	"cmp"
	"context"
	"net/url"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// updateCABundles sets the CA bundle of each webhook in the configuration, and writes the configuration if it changed.
// It returns the host names by which the API server calls the webhooks, sorted and without duplicates.
func (r *Rotator) updateCABundles(
	ctx context.Context, configuration *admissionregistrationv1.ValidatingWebhookConfiguration, bundle []byte,
) (names []string, err error) {
	changed := false
	for i := range configuration.Webhooks {
		client := &configuration.Webhooks[i].ClientConfig
		hosts, err := serverNames(*client)
		if err != nil {
			return nil, err
		}
		names = append(names, hosts...)
		if !bytes.Equal(client.CABundle, bundle) {
			client.CABundle, changed = bundle, true
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if !changed {
		return names, nil
	}
	_, err = r.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Update(ctx, configuration, metav1.UpdateOptions{})
	if err == nil {
		r.Log.Info("updated the CA bundle of the webhook configuration", "name", r.WebhookConfiguration)
	} else if apierrors.IsConflict(err) {
		r.Log.V(1).Info("another client changed the webhook configuration; retrying", "name", r.WebhookConfiguration)
	}
	return names, err
}

// serverNames returns the host names by which the API server calls a webhook.
func serverNames(config admissionregistrationv1.WebhookClientConfig) ([]string, error) {
	if s := config.Service; s != nil {
		host := s.Name + "." + s.Namespace + ".svc"
		return []string{host, host + ".cluster.local"}, nil
	}
	address, err := url.Parse(*cmp.Or(config.URL, new(string)))
	if err != nil {
		return nil, err
	}
	return []string{address.Hostname()}, nil
}
