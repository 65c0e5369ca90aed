package manifest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/brownout-go/brownout/syncproto/manifest"
)

// Beside the handler of the protocol; the network behind the server stays out
// of reach.
func Example() {
	mux := http.NewServeMux()
	mux.Handle("/getmanifest", new(manifest.Handler))
	for _, url := range []string{"file:///etc/passwd", "http://127.0.0.1:8080/admin"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/getmanifest?url="+url, nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 400 want url=http(s)://...
	// 502 the manifest could not be fetched
}
