// Package manifest fetches the manifests of web apps for pages of other sites,
// which a browser would not let read them: the route /getmanifest of the first
// App Sync server, without the way into the network behind the server.
//
//	mux.Handle("/getmanifest", new(manifest.Handler))
package manifest
