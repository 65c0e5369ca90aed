// Package archive takes all that a store holds of a user out of it, and puts it
// into another one: to give users what is theirs, to keep a copy before
// [syncproto.Directory.Purge], to move a user to another database.
//
// An archive is lines of JSON. The first says {"format": "syncproto export 1"};
// each collection has one, with its uuid, its last time and its deletion, and
// after it one for each document, in the order of their times, with the document
// as a string, so that it comes back byte for byte; the last says {"end": true}.
package archive
