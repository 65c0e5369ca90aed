// Package verify has the verifiers of logins that need no identity provider:
// [Tokens] for services, [Plain] for trying things out, and [Any] to have
// several beside each other. The package browserid is for the people.
package verify
