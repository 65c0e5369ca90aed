// Package browserid verifies BrowserID assertions, the proof of an e-mail
// address that App Sync clients log in with.
//
// An assertion is a bundle: one or more identity certificates, in which an
// issuer says that a public key belongs to an e-mail address, and a short-lived
// statement, signed with that key, that its holder wants to enter one web site
// (the audience). Verifying takes the issuer's public key and nothing else, so
// no request leaves the process unless the caller's [Verifier.Keys] sends one.
//
// Both encodings in use are read: certificates and statement joined by "~", and
// the older base64url of {"certificates": [...], "assertion": "..."}. Signatures
// may be RS128, RS256, DS128 or DS256, and RS64 where a caller insists.
//
// # Differences from the verifiers it replaces
//
// It follows PyVEP and the verifier of browserid.org, and is stricter where
// they were not:
//
//   - A chain of certificates may only delegate through hosts. PyVEP let any
//     certificate sign the next, so that alice@example.com could certify
//     bob@example.com with her own; browserid.org refused all chains.
//   - DSA keys must use one of the two groups that BrowserID clients generate,
//     and the key must have the size that the algorithm names.
//   - The issuers trusted for every address are listed by the caller. There is
//     no built-in list: the hosts on the original's no longer exist.
//
// # Development
//
// [Development] accepts test assertions in PyVEP's dummy format, which anyone
// can write, so that tests and people trying a server can log in without an
// identity provider. [TestAssertion] makes them. A [Verifier] accepts none.
package browserid
