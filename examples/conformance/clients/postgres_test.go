package clients

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

var postgres = client{
	name: "pgx",
	serve: func(c net.Conn, reply func([]byte) error) error {
		b := pgproto3.NewBackend(c, c)
		switch m, err := b.ReceiveStartupMessage(); m.(type) {
		case *pgproto3.StartupMessage:
		default: // *pgproto3.CancelRequest: the server closes, nothing more
			return err
		}
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
		b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if err := b.Flush(); err != nil {
			return err
		}
		var row []byte
		for _, m := range []pgproto3.BackendMessage{
			&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("greeting"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}},
			&pgproto3.DataRow{Values: [][]byte{[]byte("hello")}},
			&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
			&pgproto3.ReadyForQuery{TxStatus: 'I'},
		} {
			var err error
			if row, err = m.Encode(row); err != nil {
				return err
			}
		}
		for {
			m, err := b.Receive()
			if err != nil {
				return err
			}
			switch m.(type) {
			case *pgproto3.Query:
				if err := reply(row); err != nil {
					return err
				}
			case *pgproto3.Terminate:
				return nil
			}
		}
	},
	open: func(t *testing.T, addr string, dial dialFunc) func() error {
		config, err := pgx.ParseConfig("postgres://u@" + addr + "/db?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		config.DialFunc = dial
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		var conn *pgx.Conn
		t.Cleanup(func() {
			if conn != nil {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				conn.Close(ctx)
				<-conn.PgConn().CleanupDone()
			}
		})
		return func() error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if conn == nil {
				c, err := pgx.ConnectConfig(ctx, config)
				if err != nil {
					return err
				}
				conn = c
			}
			var got string
			err := conn.QueryRow(ctx, "select 'hello'").Scan(&got)
			if err == nil && got != "hello" {
				err = fmt.Errorf("got %q", got)
			}
			return err
		}
	},
}
