package main

import (
	"github.com/spf13/cobra"

	"github.com/kfp-preflight/kfp-preflight/webhook"
)

// addConfig adds the flag --config.
func addConfig(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "configuration file of the webhook (default: the built-in configuration)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// readConfig reads a configuration file. Without a file, it returns the default configuration.
func readConfig(file string) (webhook.Config, error) {
	if file == "" {
		return webhook.DefaultConfig(), nil
	}
	return webhook.ReadConfig(file)
}
