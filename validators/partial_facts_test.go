package validators

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
)

// partialFacts is a cluster of which some facts can't be read.
type partialFacts struct {
	State
	unreadable string // the kind that can't be read
	version    string // of Kubernetes; unknown if empty
}

var errUnreadable = errors.New("it can't be read")

func (p *partialFacts) ForRule(string) Facts { return p }

func (p *partialFacts) ServerVersion() (string, error) {
	if p.version == "" {
		return "", errUnreadable
	}
	return p.version, nil
}

func (p *partialFacts) PriorityClasses() ([]schedulingv1.PriorityClass, error) {
	if p.unreadable == "PriorityClass" {
		return nil, errUnreadable
	}
	return p.State.PriorityClasses()
}

func (p *partialFacts) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	if p.unreadable == "ResourceQuota" {
		return nil, errUnreadable
	}
	return p.State.ResourceQuotas(namespace)
}

func (p *partialFacts) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	if p.unreadable == "LimitRange" {
		return nil, errUnreadable
	}
	return p.State.LimitRanges(namespace)
}

// summarize lists findings by certainty and rule.
func summarize(findings []Finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s", f.Certainty, f.Rule))
	}
	return strings.Join(out, ", ")
}
