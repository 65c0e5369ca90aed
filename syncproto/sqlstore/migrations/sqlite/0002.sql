-- SQLite keeps a table in the order of its keys, and what it reads it reads in
-- pages of a few kilobytes. So that a collection is in as few of them as can be,
-- its records have numbers that begin with its own, and follow each other in the
-- order in which they were written: a record that is written again gets a new
-- one, behind the others.

CREATE TABLE sync_collections_2 (
	account    TEXT    NOT NULL,
	collection TEXT    NOT NULL,
	number     INTEGER NOT NULL UNIQUE, -- 1 to 2^31-2
	uuid       TEXT    NOT NULL,
	last       INTEGER NOT NULL, -- hundredths of a second since 1970
	deleted    BLOB,             -- JSON of who deleted it and why, NULL unless deleted
	apps       INTEGER NOT NULL, -- how many records
	bytes      INTEGER NOT NULL, -- of documents
	ids        INTEGER NOT NULL, -- numbers given in sync_writes
	sequence   INTEGER NOT NULL, -- numbers given in sync_records
	PRIMARY KEY (account, collection)
) WITHOUT ROWID;

INSERT INTO sync_collections_2
	SELECT account, collection, ROW_NUMBER() OVER (ORDER BY account, collection), uuid, last, deleted, apps, bytes, ids, apps
	FROM sync_collections;

CREATE TABLE sync_records_2 (
	id      INTEGER PRIMARY KEY,  -- number * 2^32 + 1 to 2^32-1
	number  INTEGER NOT NULL,     -- of the collection
	origin  TEXT    NOT NULL,
	written INTEGER NOT NULL,     -- time of the write, as sync_collections.last
	doc     BLOB    NOT NULL      -- JSON as the client sent it
);

-- Before there are records, so that nothing has to be sorted: that would take a
-- folder for temporary files, or memory, of the size of what is in the file.
CREATE UNIQUE INDEX sync_records_of_origin ON sync_records_2 (number, origin);

CREATE INDEX sync_records_since ON sync_records_2 (number, written);

INSERT INTO sync_records_2
	SELECT (c.number << 32) + o.n, c.number, r.origin, r.written, r.doc
	FROM (
		SELECT account, collection, rowid AS row, ROW_NUMBER() OVER (PARTITION BY account, collection ORDER BY written) AS n
		FROM sync_records INDEXED BY sync_records_written
	) o
	CROSS JOIN sync_collections_2 c ON c.account = o.account AND c.collection = o.collection
	CROSS JOIN sync_records r ON r.rowid = o.row;

DROP TABLE sync_records;

DROP TABLE sync_collections;

-- Without it no table is renamed while a view of somebody's, or a trigger, speaks
-- of one that is not there at this moment, or never was.
PRAGMA legacy_alter_table = ON;

ALTER TABLE sync_collections_2 RENAME TO sync_collections;

ALTER TABLE sync_records_2 RENAME TO sync_records;

PRAGMA legacy_alter_table = OFF;
