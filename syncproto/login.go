package syncproto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
)

// maxLogin bounds the form of a login, and so an assertion.
const maxLogin = 64 << 10

// loginAnswer is what a login returns. Clients keep it whole and come back with
// it after a restart. Two of its fields have two names, one written down and
// one in use.
type loginAnswer struct {
	Email         string `json:"email"`
	Audience      string `json:"audience"`
	Status        string `json:"status"`
	ValidUntil    int64  `json:"valid-until"` // seconds since 1970
	Issuer        string `json:"issuer"`
	CollectionURL string `json:"collection_url"`
	Authorization string `json:"http_authorization"`
	AuthHeader    string `json:"authentication_header"`
}

func (x *exchange) login() {
	x.w.Header().Set("Cache-Control", "no-store")
	form, bad := x.loginForm()
	if bad != nil {
		x.refuse(bad)
		return
	}
	assertion, audience := form.Get("assertion"), form.Get("audience")
	if !slices.Contains(x.cfg.Audiences, "*") && !slices.Contains(x.cfg.Audiences, audience) {
		x.unauthorized("audience not accepted here", fmt.Errorf("syncproto: audience %q: %w", audience, ErrBadAssertion))
		return
	}
	id, err := x.cfg.Verifier.Verify(x.r.Context(), assertion, audience)
	switch {
	case errors.Is(err, ErrBadAssertion):
		x.unauthorized(err.Error(), err)
		return
	case err != nil:
		x.unavailable(fmt.Errorf("syncproto: verify: %w", err))
		return
	case id.Development && !x.cfg.Development:
		x.unauthorized("development assertions are not accepted here", ErrBadAssertion)
		return
	case !validName(id.Email, MaxUser):
		x.unauthorized("the assertion names no usable e-mail address", ErrBadAssertion)
		return
	}
	x.event.User = id.Email
	s, err := x.cfg.Sessions.Issue(x.r.Context(), id.Email)
	if err == nil {
		err = s.check(true)
	}
	if err != nil {
		x.unavailable(fmt.Errorf("syncproto: issue a session: %w", err))
		return
	}
	auth := formatAuthorization(id.Email, s.Token)
	x.json(http.StatusOK, loginAnswer{
		Email:         id.Email,
		Audience:      audience,
		Status:        "okay",
		ValidUntil:    s.Expires.Unix(),
		Issuer:        id.Issuer,
		CollectionURL: x.baseURL() + "/collections/" + quote(id.Email) + "/apps",
		Authorization: auth,
		AuthHeader:    auth,
	})
}

// loginForm reads the body only: an assertion in a URL ends up in logs. What
// counts is that both keys are there; whether they make sense is the verifier's
// to say.
func (x *exchange) loginForm() (url.Values, *refusal) {
	body, refused := x.body(maxLogin)
	if refused != nil {
		return nil, refused
	}
	x.r.Body = io.NopCloser(bytes.NewReader(body))
	if x.r.Header.Get("Content-Type") == "" {
		x.r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	err := x.r.ParseForm()
	if err == nil {
		// Nothing of the size allowed goes to a file.
		if err = x.r.ParseMultipartForm(maxLogin); errors.Is(err, http.ErrNotMultipart) {
			err = nil
		}
	}
	if err != nil {
		return nil, bad(CodeParameter, "the body is not a form")
	}
	for _, k := range []string{"assertion", "audience"} {
		if !x.r.PostForm.Has(k) {
			return nil, bad(CodeMissing, "the form has no "+k)
		}
	}
	return x.r.PostForm, nil
}
