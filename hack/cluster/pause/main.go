// Pause is the first process of a PID namespace.
//
// Without arguments it waits until it is told to end: so a pod's namespaces
// last. With arguments it runs that program and ends when it ends, and with it
// everything else in the namespace: so nothing of a node is left behind. Either
// way it buries the processes whose parents are gone.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	child := -1
	if len(os.Args) > 1 {
		var err error
		// The fourth is what the program and its starter talk through.
		child, err = syscall.ForkExec(os.Args[1], os.Args[1:], &syscall.ProcAttr{
			Env:   os.Environ(),
			Files: []uintptr{0, 1, 2, 3},
		})
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
			os.Exit(127)
		}
	}
	for {
		if status, ended := bury(child); ended {
			os.Exit(status)
		}
		if (<-signals) != syscall.SIGCHLD && child < 0 {
			return
		}
	}
}

// Bury takes note of every process that has ended, and of the child's status.
func bury(child int) (status int, ended bool) {
	for {
		var how syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &how, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return status, ended
		}
		if pid == child {
			ended = true
			status = how.ExitStatus()
			if how.Signaled() {
				status = 128 + int(how.Signal())
			}
		}
	}
}
