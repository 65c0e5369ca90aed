-- SQLite keeps a table in the order of its keys, and what it reads it reads in
-- pages of a few kilobytes. So that everything of a collection is in as few of
-- them as can be, its row and its records are in one table, one after the other.

CREATE TABLE sync_rows (
	id         INTEGER PRIMARY KEY, -- 2^32 * place of the collection + n
	collection INTEGER NOT NULL,    -- id of the row of the collection
	origin     TEXT,                -- NULL in the row of a collection
	written    INTEGER NOT NULL,    -- hundredths of a second since 1970; of a collection, the last time
	doc        BLOB,                -- JSON as the client sent it; of a collection, who deleted it and why, NULL unless deleted

	-- The rest is of a collection, and NULL in a record.
	account    TEXT,
	name       TEXT,
	uuid       TEXT,
	apps       INTEGER,             -- how many records
	bytes      INTEGER,             -- of documents
	ids        INTEGER,             -- numbers given in sync_writes

	CHECK (CASE WHEN origin IS NULL
		THEN account IS NOT NULL AND name IS NOT NULL AND uuid IS NOT NULL AND apps IS NOT NULL AND bytes IS NOT NULL AND ids IS NOT NULL
		ELSE doc IS NOT NULL AND account IS NULL END)
);

-- Before there are rows, so that nothing has to be sorted: that would take a
-- folder for temporary files, or memory, of the size of what is in the file.
CREATE UNIQUE INDEX sync_rows_by_origin ON sync_rows (collection, origin);

CREATE UNIQUE INDEX sync_rows_by_name ON sync_rows (account, name) WHERE account IS NOT NULL;

-- The place of a collection is a hash of its name and this key. Without it
-- nothing is found again.
CREATE TABLE sync_place (
	key BLOB NOT NULL
);

INSERT INTO sync_place (key) VALUES (randomblob(32));

-- Who moves where: filled, and dropped together with the tables of version 1, by
-- the store, for SQL has no such hash. See move.go.
CREATE TABLE sync_moving (
	id         INTEGER PRIMARY KEY,
	account    TEXT NOT NULL,
	collection TEXT NOT NULL
);
