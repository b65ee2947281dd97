// An app on Go's own server: see journal.py.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	journal, _ := os.OpenFile(os.Getenv("JOURNAL"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0666)
	note := func(sign, id string) {
		if id != "" {
			now := float64(time.Now().UnixNano()) / 1e9
			journal.WriteString(fmt.Sprintf("%s %s %.6f\n", sign, id, now))
		}
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		id := strings.Trim(r.URL.Path, "/")
		ms, _ := strconv.ParseFloat(r.URL.Query().Get("ms"), 64)
		note("+", id)
		time.Sleep(time.Duration(ms * float64(time.Millisecond)))
		note("-", id)
		fmt.Fprintf(w, "%d\n", os.Getpid())
	})
	http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
