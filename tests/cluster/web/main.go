// A web server for tests: every page is the value of NODE_NAME, so a client can tell who answered.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: web ADDRESS:PORT")
	}
	handler := func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, os.Getenv("NODE_NAME")) }
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(handler)))
}
