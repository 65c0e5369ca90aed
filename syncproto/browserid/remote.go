package browserid

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// maxAnswer is far more than the longest honest answer of a service.
const maxAnswer = 64 << 10

// Remote asks a verification service, as most sites did: a POST of the form
// fields assertion and audience, answered by JSON whose status is "okay", with
// email, audience, expires in milliseconds and issuer, or "failure" with a
// reason. The service decides who can log in, so its URL should be https.
//
// Its okay counts for the audience that it was asked about, and until expires
// by this machine's clock, where it says expires: an answer that somebody on the
// way has kept logs nobody in for ever.
//
// The protocol is that of Mozilla's Remote Verification API. The service that
// Mozilla ran ended in 2016; others speak it.
type Remote struct {
	// URL is where to POST. Required.
	URL string
	// Client sends the request; nil means http.DefaultClient. The context bounds
	// the time, so give it one with a deadline, or a Client with a Timeout.
	Client *http.Client
}

var _ syncproto.Verifier = Remote{}

// Verify asks the service about an assertion. One that the service refuses
// is a [syncproto.ErrBadAssertion] without the service's reason, which may say
// more than a stranger should know. An okay for another audience is
// [ErrAudience], one that is past its time [ErrExpired]. A service that cannot
// be reached, or whose answer is not what the protocol says, is an error of the
// backend.
func (r Remote) Verify(ctx context.Context, assertion, audience string) (syncproto.Identity, error) {
	answer, err := r.ask(ctx, assertion, audience)
	if err != nil {
		return syncproto.Identity{}, fmt.Errorf("browserid: verification service: %w", err)
	}
	switch {
	case answer.Status == "failure":
		return syncproto.Identity{}, fmt.Errorf("browserid: refused by the verification service: %w", syncproto.ErrBadAssertion)
	case answer.Status != "okay":
		return syncproto.Identity{}, fmt.Errorf(`browserid: verification service: status %.40q, want "okay" or "failure"`, answer.Status)
	case answer.Audience != audience:
		return syncproto.Identity{}, ErrAudience
	case answer.Expires != nil && expired(answer.Expires, time.Now()):
		return syncproto.Identity{}, ErrExpired
	}
	if _, err := domainOf(answer.Email); err != nil {
		return syncproto.Identity{}, fmt.Errorf("browserid: verification service: it vouches for %.80q, which is not an e-mail address", answer.Email)
	}
	id := syncproto.Identity{Email: answer.Email, Issuer: answer.Issuer}
	if answer.Expires != nil {
		id.Expires = milliseconds(*answer.Expires)
	}
	return id, nil
}

type answer struct {
	Status, Email, Audience, Issuer string
	Expires                         *float64 // nil: it doesn't say
}

func (r Remote) ask(ctx context.Context, assertion, audience string) (a answer, err error) {
	form := url.Values{"assertion": {assertion}, "audience": {audience}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	client := r.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, err
	}
	// A refusal may come with a 4xx, but without the protocol's own words a 4xx
	// is a wrong URL and nobody's bad assertion.
	if err := json.Unmarshal(body, &a); err != nil {
		return a, fmt.Errorf("%s with a body that is not its JSON: %w", resp.Status, err)
	}
	if resp.StatusCode != http.StatusOK && a.Status != "failure" {
		return a, fmt.Errorf("answered %s", resp.Status)
	}
	return a, nil
}
