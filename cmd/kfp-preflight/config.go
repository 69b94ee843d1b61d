package main

import (
	"github.com/spf13/cobra"

	"github.com/kfp-preflight/kfp-preflight/webhook"
)

// addConfig adds the flag that names the configuration.
func addConfig(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "file with the configuration of the webhook; the defaults without")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// readConfig reads the configuration, or returns the defaults where no file is named.
func readConfig(file string) (webhook.Config, error) {
	if file == "" {
		return webhook.DefaultConfig(), nil
	}
	return webhook.ReadConfig(file)
}
