// Package syncproto is the App Sync protocol as one http.Handler to mount in
// any server.
//
// App Sync keeps a user's collections of small JSON documents, such as the web
// apps they have installed, the same on all of their devices. A device logs in
// with an assertion about an e-mail address, pulls what changed since the
// last time it looked, and pushes what changed at its end. Mozilla ran it in
// 2011; the clients of that time work against this handler unchanged.
package syncproto
