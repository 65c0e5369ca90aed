-- Everything begins with account: a database that spreads tables over machines
-- spreads these by it, and every statement stays on one.

CREATE TABLE sync_accounts (
	account TEXT COLLATE "C" NOT NULL PRIMARY KEY -- locked by whoever writes for it
);

CREATE TABLE sync_collections (
	account    TEXT COLLATE "C" NOT NULL,
	collection TEXT COLLATE "C" NOT NULL,
	uuid       TEXT   NOT NULL,
	last       BIGINT NOT NULL, -- hundredths of a second since 1970
	deleted    BYTEA,           -- JSON of who deleted it and why, NULL unless deleted
	apps       BIGINT NOT NULL, -- how many records
	bytes      BIGINT NOT NULL, -- of documents
	ids        BIGINT NOT NULL, -- numbers given in sync_writes
	PRIMARY KEY (account, collection)
) WITH (fillfactor = 80);

CREATE TABLE sync_records (
	account    TEXT COLLATE "C" NOT NULL,
	collection TEXT COLLATE "C" NOT NULL,
	origin     TEXT COLLATE "C" NOT NULL,
	written    BIGINT NOT NULL, -- time of the write, as sync_collections.last
	doc        BYTEA  NOT NULL, -- JSON as the client sent it
	PRIMARY KEY (account, collection, origin)
);

CREATE INDEX sync_records_written ON sync_records (account, collection, written);

CREATE TABLE sync_writes (
	account    TEXT COLLATE "C" NOT NULL,
	collection TEXT COLLATE "C" NOT NULL,
	id         BYTEA  NOT NULL, -- chosen by the client
	number     BIGINT NOT NULL, -- 1 for the collection's first
	written    BIGINT NOT NULL, -- the time that was answered
	PRIMARY KEY (account, collection, id)
);

CREATE TABLE sync_secrets (
	name  TEXT  NOT NULL PRIMARY KEY,
	value BYTEA NOT NULL
);
