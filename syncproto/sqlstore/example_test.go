package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

func Example() {
	dir, err := os.MkdirTemp("", "sqlstore")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	apps := syncproto.Key{User: "ann@example.com", Collection: "apps"}

	store, err := sqlstore.Open(ctx, "sqlite:"+filepath.Join(dir, "appsync.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	written, err := store.Write(ctx, apps, syncproto.Write{Apps: []syncproto.App{
		{Origin: "https://game.example", Doc: []byte(`{"origin":"https://game.example","level":7}`)},
	}})
	fmt.Println(err, store.Close())

	// Another process, another day.
	store, err = sqlstore.Open(ctx, "sqlite:"+filepath.Join(dir, "appsync.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	_, err = store.Read(ctx, apps, 0, 0,
		func(st syncproto.State) error {
			fmt.Println("nothing after that write:", st.Last == written.Time)
			return nil
		},
		func(r syncproto.Record) error {
			fmt.Println(r.Origin, string(r.Doc))
			return nil
		})
	fmt.Println(err)
	// Output:
	// <nil> <nil>
	// nothing after that write: true
	// https://game.example {"origin":"https://game.example","level":7}
	// <nil>
}
