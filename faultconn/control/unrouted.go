package control

import (
	"fmt"
	"net/http"
)

// unrouted says no in the words of the native API where m would in its own: to
// a path that there is not, and to a method that a path does not take.
func unrouted(m *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := m.Handler(r); pattern == "" {
			w = &reworded{ResponseWriter: w, request: r}
		}
		m.ServeHTTP(w, r)
	})
}

// reworded takes the text of a 404 or 405 out of a reply. Its status stays, and
// so does Allow.
type reworded struct {
	http.ResponseWriter
	request *http.Request
	done    bool
}

func (w *reworded) WriteHeader(code int) {
	var err error
	switch code {
	case http.StatusNotFound:
		err = fmt.Errorf("path %.100q: there are those under /v1/proxies, /v1/events and /v1/scenario", w.request.URL.Path)
	case http.StatusMethodNotAllowed:
		err = fmt.Errorf("method %.20q: this path takes %s", w.request.Method, w.Header().Get("Allow"))
	default: // a redirect to a cleaner path
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.done = true
	reply(w.ResponseWriter, 0, nil, &refusal{code, err})
}

func (w *reworded) Write(data []byte) (int, error) {
	if w.done {
		return len(data), nil
	}
	return w.ResponseWriter.Write(data)
}
