package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// operator shows, sets and removes the poll interval over HTTP, for a server that
// has no memcached to read it from: GET answers with the number of seconds in
// force, 0 if there is none; PUT takes one as the body; DELETE. It is mounted on loopback listeners only, and no page of another site
// can make a browser call it.
func operator(store backoff.Store, source *backoff.Source) http.Handler {
	mux := http.NewServeMux()
	done := func(w http.ResponseWriter, r *http.Request, err error) {
		if err == nil {
			err = source.Refresh(r.Context())
		}
		switch {
		case errors.Is(err, backoff.ErrInvalid):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}
	mux.HandleFunc("GET /backoff", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, int64(source.Current().Interval/time.Second))
	})
	mux.HandleFunc("PUT /backoff", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64))
		if err != nil {
			http.Error(w, "want a number of seconds as the body", http.StatusBadRequest)
			return
		}
		seconds, err := strconv.ParseUint(strings.TrimSpace(string(body)), 10, 32)
		if err != nil || time.Duration(seconds)*time.Second > backoff.MaxInterval {
			http.Error(w, "want a number of seconds from 0 to 172800 as the body", http.StatusBadRequest)
			return
		}
		done(w, r, store.Set(r.Context(), backoff.Value{Interval: time.Duration(seconds) * time.Second}))
	})
	mux.HandleFunc("DELETE /backoff", func(w http.ResponseWriter, r *http.Request) {
		done(w, r, store.Del(r.Context()))
	})
	return http.NewCrossOriginProtection().Handler(mux)
}
