package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/charset"
)

// addOptions adds what may be decided about the judgement of Workflows.
func addOptions(flags *pflag.FlagSet, options *validators.Options) {
	flags.BoolVar(&options.CacheMayHit, "kfp-cache-may-hit", false, "warn instead of deny where KFP's cache could make the failing step superfluous")
	flags.TextVar(&options.Charset, "kfp-database-charset", options.Charset, "what KFP's database can store, over KFP's connection to it: "+strings.Join(charset.Names(), ", "))
}
