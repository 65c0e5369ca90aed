package timeout

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Problem answers with application/problem+json (RFC 9457), where "instance" is the
// incident's id as a URN. It is for Config.Respond.
func Problem(w http.ResponseWriter, r *http.Request, err *Error) {
	status, detail := http.StatusServiceUnavailable, "The server cannot answer in time. Please try again later."
	if err.Reason == ReasonBody {
		status, detail = http.StatusRequestTimeout, "The request took too long to arrive."
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// What cannot be encoded here does not exist, and the writer is memory.
	_ = json.NewEncoder(w).Encode(struct {
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Instance string `json:"instance"`
	}{http.StatusText(status), status, detail, "urn:incident:" + strings.ToLower(err.Incident)})
}
