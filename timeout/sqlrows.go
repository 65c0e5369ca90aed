package timeout

import (
	"database/sql/driver"
	"io"
	"reflect"
)

// sqlRows are the rows of a call, which ends when they are closed. Where the driver's
// lack an optional interface they say what database/sql would have said without it.
type sqlRows struct {
	driver.Rows
	c      *sqlConn
	call   *call
	ended  bool
	closed bool
}

var (
	_ driver.RowsNextResultSet              = (*sqlRows)(nil)
	_ driver.RowsColumnTypeScanType         = (*sqlRows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*sqlRows)(nil)
	_ driver.RowsColumnTypeLength           = (*sqlRows)(nil)
	_ driver.RowsColumnTypeNullable         = (*sqlRows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*sqlRows)(nil)
)

func (r *sqlRows) Next(dest []driver.Value) error { return r.check(r.Rows.Next(dest)) }

// check turns an error into the limit behind it. The driver reads no more rows after one.
func (r *sqlRows) check(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return r.end(err)
}

// end settles the call, once. Its slot stays taken until Close.
func (r *sqlRows) end(err error) error {
	if r.ended {
		return err
	}
	r.ended = true
	return r.c.note(r.call.settle(err))
}

func (r *sqlRows) Close() error {
	err := r.Rows.Close()
	if !r.closed {
		r.closed = true
		defer r.call.release()
		err = r.end(err)
	}
	return err
}

func (r *sqlRows) HasNextResultSet() bool {
	n, ok := r.Rows.(driver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

func (r *sqlRows) NextResultSet() error {
	n, ok := r.Rows.(driver.RowsNextResultSet)
	if !ok {
		return io.EOF
	}
	return r.check(n.NextResultSet())
}

func (r *sqlRows) ColumnTypeScanType(i int) reflect.Type {
	if c, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return c.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}

func (r *sqlRows) ColumnTypeDatabaseTypeName(i int) string {
	if c, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return c.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

func (r *sqlRows) ColumnTypeLength(i int) (int64, bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return c.ColumnTypeLength(i)
	}
	return 0, false
}

func (r *sqlRows) ColumnTypeNullable(i int) (nullable, known bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return c.ColumnTypeNullable(i)
	}
	return false, false
}

func (r *sqlRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if c, has := r.Rows.(driver.RowsColumnTypePrecisionScale); has {
		return c.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}
