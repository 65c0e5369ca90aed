package syncproto

import (
	"fmt"
	"io"
	"net/http"
)

// heartbeat says that the process answers, and looks at nothing else: a load
// balancer that restarted servers for a slow database would make it worse.
func (x *exchange) heartbeat() {
	h := x.w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("Content-Length", "2")
	x.event.Status = http.StatusOK
	io.WriteString(x.w, "OK")
}

// ready says whether requests can be served now.
func (x *exchange) ready() {
	x.w.Header().Set("Cache-Control", "no-store")
	if err := x.cfg.Store.Ping(x.r.Context()); err != nil {
		x.unavailable(fmt.Errorf("syncproto: ready: %w", err))
		return
	}
	x.send(http.StatusOK, []byte(`{"status":"okay"}`))
}

// configuration tells clients what the limits are.
func (x *exchange) configuration() {
	l, q := x.cfg.Limits, x.cfg.Quota
	x.w.Header().Set("Cache-Control", "no-cache")
	x.json(http.StatusOK, struct {
		MaxBody        int64 `json:"max_body_bytes"`
		MaxApps        int   `json:"max_push_apps"`
		MaxDoc         int   `json:"max_document_bytes"`
		MaxDepth       int   `json:"max_document_depth"`
		MaxOrigin      int   `json:"max_origin_bytes"`
		MaxPage        int   `json:"max_page_apps"`
		QuotaColl      int   `json:"quota_collections,omitempty"`
		QuotaApps      int   `json:"quota_apps,omitempty"`
		QuotaBytes     int64 `json:"quota_bytes,omitempty"`
		MaxWait        int   `json:"max_wait_seconds"`
		IdempotencyAge int   `json:"idempotency_seconds"`
	}{l.Body, l.Apps, l.Doc, l.Depth, l.Origin, l.Page, q.Collections, q.Apps, q.Bytes, int(x.cfg.Watch.Max.Seconds()), int(IDRetention.Seconds())})
}
