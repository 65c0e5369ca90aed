-- Names are bytes here: a collation would take "Ann" for "ann". Tables are made
-- only if missing, because MySQL commits at every statement that makes one.

CREATE TABLE IF NOT EXISTS sync_accounts (
	account VARBINARY(256) NOT NULL PRIMARY KEY -- locked by whoever writes for it
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS sync_collections (
	account    VARBINARY(256) NOT NULL,
	collection VARBINARY(256) NOT NULL,
	uuid       VARBINARY(36)  NOT NULL,
	last       BIGINT         NOT NULL, -- hundredths of a second since 1970
	deleted    LONGBLOB,                -- JSON of who deleted it and why, NULL unless deleted
	apps       BIGINT         NOT NULL, -- how many records
	bytes      BIGINT         NOT NULL, -- of documents
	ids        BIGINT         NOT NULL, -- numbers given in sync_writes
	PRIMARY KEY (account, collection)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS sync_records (
	account    VARBINARY(256)  NOT NULL,
	collection VARBINARY(256)  NOT NULL,
	origin     VARBINARY(1024) NOT NULL,
	written    BIGINT          NOT NULL, -- time of the write, as sync_collections.last
	doc        LONGBLOB        NOT NULL, -- JSON as the client sent it
	PRIMARY KEY (account, collection, origin),
	KEY sync_records_written (account, collection, written)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS sync_writes (
	account    VARBINARY(256) NOT NULL,
	collection VARBINARY(256) NOT NULL,
	id         VARBINARY(64)  NOT NULL, -- chosen by the client
	number     BIGINT         NOT NULL, -- 1 for the collection's first
	written    BIGINT         NOT NULL, -- the time that was answered
	PRIMARY KEY (account, collection, id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS sync_secrets (
	name  VARBINARY(64)  NOT NULL PRIMARY KEY,
	value VARBINARY(256) NOT NULL
) ENGINE = InnoDB;
