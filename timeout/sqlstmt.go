package timeout

import (
	"context"
	"database/sql/driver"
)

// sqlStmt is a prepared statement under a backend's policy.
type sqlStmt struct {
	driver.Stmt
	c *sqlConn
}

// sqlConverterStmt is one that converts its arguments. That cannot be a method that is
// always there: database/sql takes its presence for the driver's wish.
type sqlConverterStmt struct {
	*sqlStmt
	driver.ColumnConverter
}

var (
	_ driver.StmtExecContext   = (*sqlStmt)(nil)
	_ driver.StmtQueryContext  = (*sqlStmt)(nil)
	_ driver.NamedValueChecker = (*sqlStmt)(nil)
)

// CheckNamedValue asks the statement, else the connection, as database/sql does.
func (s *sqlStmt) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return s.c.CheckNamedValue(v)
}

func (s *sqlStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	var result driver.Result
	err := s.c.run(ctx, func(ctx context.Context) (err error) {
		if e, ok := s.Stmt.(driver.StmtExecContext); ok {
			result, err = e.ExecContext(ctx, args)
			return err
		}
		values, err := positional(args)
		if err != nil {
			return err
		}
		result, err = s.Exec(values)
		return err
	})
	return result, err
}

func (s *sqlStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.query(ctx, func(ctx context.Context) (driver.Rows, error) {
		if q, ok := s.Stmt.(driver.StmtQueryContext); ok {
			return q.QueryContext(ctx, args)
		}
		values, err := positional(args)
		if err != nil {
			return nil, err
		}
		return s.Query(values)
	})
}
