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

// aside is set when this process is where it should be.
const aside = "KFP_PREFLIGHT_LOAD_ASIDE"

// cores are how many the machine has.
func cores() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(1, &set); err != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}

// moveAside begins again on the core that the servers don't have.
func moveAside() error {
	if os.Getenv(aside) != "" || runtime.NumCPU() < 2 {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := onCore(otherCore); err != nil {
		return err
	}
	return unix.Exec(program, os.Args, append(os.Environ(), aside+"=1"))
}

// startOnCore starts a program on the servers' core.
func startOnCore(cmd *exec.Cmd) error {
	if os.Getenv(aside) == "" {
		return cmd.Start()
	}
	runtime.LockOSThread() // whose core the program inherits
	defer runtime.UnlockOSThread()
	if err := onCore(serverCore); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return onCore(otherCore)
}

// onCore moves this thread.
func onCore(core int) error {
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("moving to core %d: %w", core, err)
	}
	return nil
}
