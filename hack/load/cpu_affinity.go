package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// The core for the server under measurement, and the core for everything else.
const serverCore, otherCore = 0, 1

// pinnedEnv is the environment variable that tells this process that it is pinned to otherCore.
const pinnedEnv = "KFP_PREFLIGHT_LOAD_ASIDE"

// availableCores returns the number of cores of the machine, even if this process is pinned to one of them.
func availableCores() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(1, &set); err != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}

// pinToOtherCore pins this process to otherCore. To pin all threads, it pins one and executes the program again.
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

// startOnServerCore starts cmd pinned to serverCore.
func startOnServerCore(cmd *exec.Cmd) error {
	if os.Getenv(pinnedEnv) == "" {
		return cmd.Start()
	}
	runtime.LockOSThread() // the new process inherits the affinity of this thread
	defer runtime.UnlockOSThread()
	if err := pinThread(serverCore); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return pinThread(otherCore)
}

// pinThread pins the current thread to a core.
func pinThread(core int) error {
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pinning to core %d: %w", core, err)
	}
	return nil
}
