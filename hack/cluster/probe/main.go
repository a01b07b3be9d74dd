// Probe is the application in pods of tests, and what asks it.
//
//	probe serve ADDRESS TEXT   answers every HTTP request with TEXT and the host's name
//	probe get URL              prints the answer; status 1 unless it is a 200
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "serve":
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		fmt.Printf("serving on %s\n", args[1])
		return http.ListenAndServe(args[1], http.HandlerFunc(
			func(writer http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(writer, "%s %s\n", args[2], host)
			},
		))
	case len(args) == 2 && args[0] == "get":
		client := http.Client{Timeout: 5 * time.Second}
		response, err := client.Get(args[1])
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(os.Stdout, response.Body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", response.StatusCode)
		}
		return nil
	default:
		return fmt.Errorf("say serve ADDRESS TEXT or get URL")
	}
}
