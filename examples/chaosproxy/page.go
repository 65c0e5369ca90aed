package main

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"

	"github.com/brownout-go/brownout/faultconn/control"
)

// assets are what the browser gets: HTML, CSS and JavaScript modules as they are.
//
//go:embed page
var assets embed.FS

// policy lets the page load and call nothing but this server, run no script
// but its own, and be shown in nobody's frame. With trusted types no text can
// become HTML, whatever proxies and rules are called.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// site is all that is served at the control address: the API, and a page that
// uses it. The page is for everyone: it holds nothing, and asks for the token.
func site(s *control.Server, line *timeline) (http.Handler, error) {
	files, err := fs.Sub(assets, "page")
	if err != nil {
		return nil, err
	}
	form, err := json.Marshal(planForm(catalogue()))
	if err != nil {
		return nil, err
	}
	static := http.FileServerFS(files)
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		static.ServeHTTP(w, r)
	})
	m.HandleFunc("GET /page/", func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		http.StripPrefix("/page", static).ServeHTTP(w, r)
	})
	m.Handle("GET /page/form", s.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(form) // the client may be gone, which is its own affair
	})))
	m.Handle("GET /page/timeline", s.Guard(line))
	m.Handle("/", s.Handler())
	return m, nil
}

func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache") // the next release has other files under these names
}
