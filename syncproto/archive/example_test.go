package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/archive"
)

// A user moves from one store to another: devices go on as if nothing had
// happened.
func Example() {
	ctx := context.Background()
	from, to := new(syncproto.Memory), new(syncproto.Memory)
	apps := syncproto.Key{User: "ann@example.com", Collection: "apps"}
	was, err := from.Write(ctx, apps, syncproto.Write{Apps: []syncproto.App{
		{Origin: "https://chess.example.com", Doc: json.RawMessage(`{"origin":"https://chess.example.com"}`)},
	}})
	if err != nil {
		log.Fatal(err)
	}

	var file bytes.Buffer
	if err := archive.Export(ctx, from, "ann@example.com", &file); err != nil {
		log.Fatal(err)
	}
	if err := archive.Import(ctx, to, "ann@example.com", &file); err != nil {
		log.Fatal(err)
	}
	if err := from.Purge(ctx, "ann@example.com"); err != nil {
		log.Fatal(err)
	}

	is, err := to.State(ctx, apps)
	fmt.Println(is.UUID == was.UUID, is.Last == was.Time, err)
	// Output: true true <nil>
}
