package syncproto_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"encoding/json"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// A server in five lines, and a device that logs in, pushes an app and pulls it.
func Example() {
	h, err := syncproto.New(syncproto.Config{
		Store:       new(syncproto.Memory),
		Verifier:    verify.Plain{},
		Development: true, // anyone may log in as anyone
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sync/", http.StripPrefix("/sync", h))
	srv := httptest.NewServer(mux)
	defer srv.Close()

	res, err := http.PostForm(srv.URL+"/sync/verify", url.Values{
		"assertion": {"ann@example.com?a=https://apps.example.com"},
		"audience":  {"https://apps.example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	var login struct {
		Email string `json:"email"`
		URL   string `json:"collection_url"`
		Auth  string `json:"http_authorization"`
	}
	json.NewDecoder(res.Body).Decode(&login)
	res.Body.Close()
	fmt.Println(login.Email, strings.TrimPrefix(login.URL, srv.URL))

	do := func(method, url, body string) (answer string) {
		req, _ := http.NewRequest(method, url, strings.NewReader(body))
		req.Header.Set("Authorization", login.Auth)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return string(b)
	}
	do("POST", login.URL, `[{"origin":"https://chess.example.com","name":"Chess"}]`)
	var page struct {
		Applications []struct{ Origin, Name string }
	}
	json.Unmarshal([]byte(do("GET", login.URL+"?since=0", "")), &page)
	fmt.Println(page.Applications)

	do("POST", login.URL+"?delete", `{"client_id":"phone","reason":"sold"}`)
	fmt.Println(do("GET", login.URL, ""))
	// Output:
	// ann@example.com /sync/collections/ann%40example.com/apps
	// [{https://chess.example.com Chess}]
	// {"collection_deleted":{"client_id":"phone","reason":"sold"}}
}
