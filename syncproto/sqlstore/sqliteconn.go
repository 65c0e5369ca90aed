package sqlstore

import (
	"context"
	"database/sql/driver"
)

// sqliteConn is a connection of the SQLite driver that keeps what it has
// prepared: to parse and plan a short statement takes longer than to run it.
type sqliteConn struct {
	driverConn
	kept map[string]*sqliteStmt
}

// driverConn is all that a connection of the driver offers through database/sql.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is a statement that is kept until its connection is closed.
type sqliteStmt struct {
	driverStmt
	busy bool // its rows are being read
}

type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// mostKept is how many statements a connection keeps. The store has about
// thirty; what else somebody runs on the same database is prepared each time
// once there are so many.
const mostKept = 64

// statement returns a kept statement that nobody is using, or nil if there is
// none and the connection has to run the query as it comes.
func (c *sqliteConn) statement(ctx context.Context, query string) (*sqliteStmt, error) {
	if s := c.kept[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(c.kept) >= mostKept {
		return nil, nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s, ok := prepared.(driverStmt)
	if !ok {
		return nil, prepared.Close()
	}
	kept := &sqliteStmt{driverStmt: s}
	c.kept[query] = kept
	return kept, nil
}

// ExecContext implements driver.ExecerContext.
func (c *sqliteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.driverConn.ExecContext(ctx, query, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *sqliteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.driverConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	r, ok := rows.(driverRows)
	if !ok {
		return rows, nil // when it is done will not be known: the statement stays busy
	}
	return &sqliteRows{r, s}, nil
}

// Close implements driver.Conn.
func (c *sqliteConn) Close() error {
	for _, s := range c.kept {
		s.Close() // says again what went wrong the last time it ran
	}
	clear(c.kept)
	return c.driverConn.Close()
}

// sqliteRows are the rows of a kept statement.
type sqliteRows struct {
	driverRows
	stmt *sqliteStmt
}

type driverRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// Close implements driver.Rows.
func (r *sqliteRows) Close() error {
	r.stmt.busy = false
	return r.driverRows.Close()
}
