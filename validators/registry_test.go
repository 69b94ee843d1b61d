package validators

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRulesHavePages checks that docs/rules has a page for each rule and no other.
func TestRulesHavePages(t *testing.T) {
	pages, err := filepath.Glob("../docs/rules/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, page := range pages {
		ids = append(ids, strings.TrimSuffix(filepath.Base(page), ".md"))
	}
	if !slices.Equal(ids, RuleIDs()) {
		t.Errorf("docs/rules has pages for %v, the rules are %v", ids, RuleIDs())
	}
}
