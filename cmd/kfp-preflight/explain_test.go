package main

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

const missingKey = "couldn't find key slack_token in Secret team-a/client-secrets"

func TestExplainText(t *testing.T) {
	out, stderr, err := run(t, "", "explain", missingKey)
	if err != nil || stderr != "" {
		t.Fatal(err, stderr)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil || !strings.Contains(string(readme), "$ kfp-preflight explain \""+missingKey+"\"\n"+out) {
		t.Errorf("the README shows other text than this (%v):\n%s", err, out)
	}
	for name, args := range map[string][]string{
		"-":                 {"explain", "-"},
		"no argument":       {"explain"},
		"several arguments": append([]string{"explain"}, strings.Fields(missingKey)...),
		"one argument":      {"explain", missingKey},
	} {
		if got, _, err := run(t, missingKey+"\n", args...); err != nil || got != out {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

func TestExplainByID(t *testing.T) {
	for id, want := range map[string]string{
		"workflow-secret-missing": "kfp-preflight.dev/skip: workflow-secret-missing",
		"quota-exceeded":          "kubectl -n NAMESPACE describe resourcequota QUOTA",
	} {
		if out, _, err := run(t, "", "explain", id); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", id, err, out)
		}
	}
	out, _, err := run(t, "", "explain", "--list")
	if err != nil || !strings.Contains(out, "\nsecret-missing ") || !strings.Contains(out, "\nworkflow-secret-missing ") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = run(t, "", "__complete", "explain", "")
	if err != nil || !strings.Contains(out, "\nsecret-missing\t") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestExplainStructured(t *testing.T) {
	var got struct {
		Failures []struct {
			ID, Title, Meaning string
			Found              []struct {
				Name   string
				Values []string
			}
			Check, Fix []struct{ Say, Run string }
			Rules      []string
		}
		Next []struct{ Say, Run string }
	}
	out, _, err := run(t, "", "explain", missingKey, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &got)
	}
	if err != nil || len(got.Failures) != 1 || got.Next != nil {
		t.Fatal(err, out)
	}
	f := got.Failures[0]
	if f.ID != "secret-key-missing" || f.Title == "" || f.Meaning == "" || len(f.Found) != 3 ||
		f.Fix[0].Run == "" || f.Rules[0] != "workflow-secret-missing" {
		t.Errorf("%+v", f)
	}
	var list []struct{ ID, Title string }
	out, _, err = run(t, "", "explain", "--list", "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil || len(list) < 40 || list[0].ID == "" {
		t.Error(err, out)
	}
}

func TestExplainUnknown(t *testing.T) {
	for format, want := range map[string]string{"text": "kubectl -n team-a describe pod POD", "json": `"failures": []`} {
		out, stderr, err := run(t, "", "explain", "something in namespace=team-a", "-o", format)
		var code exitCode
		if !errors.As(err, &code) || code != 1 || stderr != "" || !strings.Contains(out, want) {
			t.Errorf("%v %s\n%s", err, stderr, out)
		}
	}
}

func TestExplainRejects(t *testing.T) {
	for want, args := range map[string][]string{
		"is empty":                            {"explain", " "},
		"--list can't be combined":            {"explain", "--list", "quota"},
		`-o must be text or json, not "yaml"`: {"explain", "quota", "-o", "yaml"},
		"more than 1048576 bytes":             {"explain", strings.Repeat("x", maxTextBytes+1)},
	} {
		_, _, err := run(t, "", args...)
		var code exitCode
		if err == nil || errors.As(err, &code) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, _, err := run(t, strings.Repeat("x", maxTextBytes+1), "explain"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}
