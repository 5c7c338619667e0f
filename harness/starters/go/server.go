// The lab's routes on Go's net/http: go run server.go PORT
package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func handle(w http.ResponseWriter, r *http.Request) {
	reply := func(body []byte) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}
	// "/bytes/10" is "", "bytes" and "10".
	parts := strings.Split(r.URL.Path, "/")
	n, err := strconv.Atoi(parts[len(parts)-1])
	isNumber := len(parts) == 3 && err == nil && n >= 0
	switch {
	case r.Method == "GET" && r.URL.Path == "/":
		reply([]byte("Hello, World!"))
	case r.Method == "GET" && isNumber && parts[1] == "bytes":
		reply(bytes.Repeat([]byte("x"), n))
	case r.Method == "GET" && isNumber && parts[1] == "sleep":
		time.Sleep(time.Duration(n) * time.Millisecond)
		reply([]byte("slept"))
	case r.Method == "POST" && r.URL.Path == "/echo":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reply(body)
	default:
		http.NotFound(w, r)
	}
}

func main() {
	server := &http.Server{Addr: "127.0.0.1:" + os.Args[1], Handler: http.HandlerFunc(handle)}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		go func() { <-signals; os.Exit(143) }()
		server.Shutdown(context.Background())
		os.Exit(0)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		panic(err)
	}
	select {}
}
