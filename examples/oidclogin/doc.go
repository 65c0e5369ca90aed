// Package oidclogin lets people log in to an App Sync server with OpenID
// Connect ID tokens, checked by github.com/coreos/go-oidc.
//
//	login, err := oidclogin.New(oidclogin.Config{Issuer: "https://accounts.example.com"})
//	h, err := syncproto.New(syncproto.Config{
//		Store:     store,
//		Verifier:  login,
//		Audiences: []string{"the-client-id-that-the-issuer-gave-the-site"},
//	})
//
// A client logs in with its ID token as the assertion and the client ID as the
// audience. Whoever holds an ID token can log in with it until it ends, so give
// it to nobody but the server, over TLS; the nonce, which ties a token to one
// login in a browser, is for the page that asked for the token to check.
package oidclogin
