// Package verify has the verifiers of logins that need no identity provider:
// [Tokens] for services; [Plain], with which anyone can be anyone, for
// development; and [Any] to accept what one of several accepts. The package
// browserid checks the assertions that people log in with.
package verify
