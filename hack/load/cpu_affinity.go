package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// The core of the servers under measurement, and that of everything else.
const serverCore, otherCore = 0, 1

// pinnedEnv is set when this process is where it should be.
const pinnedEnv = "KFP_PREFLIGHT_LOAD_ASIDE"

// availableCores are how many the machine has.
func availableCores() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(1, &set); err != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}

// pinToOtherCore begins again on the core that the servers don't have.
func pinToOtherCore() error {
	if os.Getenv(pinnedEnv) != "" || runtime.NumCPU() < 2 {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := pinThread(otherCore); err != nil {
		return err
	}
	return unix.Exec(program, os.Args, append(os.Environ(), pinnedEnv+"=1"))
}

// startOnServerCore starts a program on the servers' core.
func startOnServerCore(cmd *exec.Cmd) error {
	if os.Getenv(pinnedEnv) == "" {
		return cmd.Start()
	}
	runtime.LockOSThread() // whose core the program inherits
	defer runtime.UnlockOSThread()
	if err := pinThread(serverCore); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return pinThread(otherCore)
}

// pinThread moves this thread.
func pinThread(core int) error {
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("moving to core %d: %w", core, err)
	}
	return nil
}
