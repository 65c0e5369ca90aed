CREATE TABLE sync_collections (
	account    TEXT    NOT NULL,
	collection TEXT    NOT NULL,
	uuid       TEXT    NOT NULL,
	last       INTEGER NOT NULL, -- hundredths of a second since 1970
	deleted    BLOB,             -- JSON of who deleted it and why, NULL unless deleted
	apps       INTEGER NOT NULL, -- how many records
	bytes      INTEGER NOT NULL, -- of documents
	ids        INTEGER NOT NULL, -- numbers given in sync_writes
	PRIMARY KEY (account, collection)
) WITHOUT ROWID;

CREATE TABLE sync_records (
	account    TEXT    NOT NULL,
	collection TEXT    NOT NULL,
	origin     TEXT    NOT NULL,
	written    INTEGER NOT NULL, -- time of the write, as sync_collections.last
	doc        BLOB    NOT NULL, -- JSON as the client sent it
	PRIMARY KEY (account, collection, origin)
);

CREATE INDEX sync_records_written ON sync_records (account, collection, written);

CREATE TABLE sync_writes (
	account    TEXT    NOT NULL,
	collection TEXT    NOT NULL,
	id         BLOB    NOT NULL, -- chosen by the client
	number     INTEGER NOT NULL, -- 1 for the collection's first
	written    INTEGER NOT NULL, -- the time that was answered
	PRIMARY KEY (account, collection, id)
) WITHOUT ROWID;

CREATE TABLE sync_secrets (
	name  TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;
