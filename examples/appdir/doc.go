// Command appdir keeps a directory of app documents in line with an App Sync
// server: one file of JSON for each app, to be edited, added and removed with
// whatever one edits files with.
//
//	appdir -url https://apps.example.com/sync -login ann@example.com ~/apps
//	appdir -url https://apps.example.com/sync -login file:token -watch ~/apps
//
// Each *.json file of the directory that holds an object with an "origin" is a
// document; folders in it, and other files, are left alone. A document that
// comes from the server gets a file named after its origin, and white space to
// read it by, which is no part of the document. Files may be renamed. A file
// that cannot be taken, such as one that is not JSON yet, is reported, and
// neither it nor its document is touched until it can.
//
// The server says what it takes, at /info/configuration: documents beyond that
// are among the files that cannot be taken, and no push is larger. If it takes
// nothing more because of a quota, that is reported, the files stay, and what
// others change still comes.
//
// # When two directories change the same app
//
// The version that reached the server first keeps the file. The other one is
// put beside it, as NAME.conflict-XXXXXXXX, the X being eight digits of its
// hash, and the conflict is reported: take from it what you need, and remove
// it. Such files are not synced, and not written over if you have edited them.
//
// A change beats a removal, on whichever side: the document comes back. So does
// a file that was removed before a newer version of it was written.
//
// # What survives
//
// What appdir knows is in the folder .appdir of the directory: the session,
// readable by its owner only, the documents, and which file holds what.
// Everything in it and each document is written aside, flushed and put in place
// by renaming. An appdir that is killed at any moment goes on where it was, and
// pushes nothing twice. If .appdir is removed, or the directory is not mounted,
// nothing is taken for removed: what both sides have and differs is a conflict.
// With -watch nothing is synced until it is back.
// Two appdirs don't work on one directory: the second one says so and ends.
//
// A file that an editor saves in the instant between appdir's last look at it
// and the renaming of the new version over it is lost; that is the one race
// that file systems leave open.
//
// It waits when the server asks it to, as the package backoff does it: no
// longer than -patience for one request.
package main
