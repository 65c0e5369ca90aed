// Package client is a device: a copy of one collection of an App Sync server
// that can be read and changed at any time and is brought in line with the
// server now and then.
//
//	d, err := client.Open(ctx, client.Config{
//		URL:     "https://apps.example.com/sync",
//		Login:   login, // gives an assertion when one is needed
//		Storage: client.File("/home/ann/.apps.json"),
//		HTTP:    &http.Client{Transport: hints}, // such as a backoff.Transport
//	})
//	d.Set(ctx, doc)
//	report, err := d.Sync(ctx)
//
// A sync pulls what is newer than the device has, page by page, and then pushes
// what was changed here on the condition that nobody wrote in between
// (lastget); if somebody did, it pulls again. A push carries an Idempotency-Key
// that is stored before it is sent, so that one whose answer is lost is
// repeated and not made twice, even by the next process.
//
// What both sides changed is given to Config.Merge. A document that was removed
// here becomes a tombstone, {"origin": ..., "deleted": true}, which makes other
// devices remove it, and is removed here when one comes.
//
// A collection that was deleted is a [DeletedError]. One that another device has
// deleted and begun anew is pulled anew: documents of the old one that the new
// one doesn't have go away here too, unless they were changed here. One that
// the server has lost, which has no uuid any more and no marker either, is
// pushed again.
//
// The device obeys what servers ask of it if its http.Client does: the
// transport of the package backoff waits as long as Retry-After says, and, for
// what can wait, as long as X-Sync-Poll says. Which that is the program knows: it
// marks the context of its Run or Wait, or of a Sync that nobody waits for, with
// backoff.Deferrable. By itself the device never repeats a request that failed.
package client
