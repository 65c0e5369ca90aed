package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/client"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// Two devices of one user.
func Example() {
	h, err := syncproto.New(syncproto.Config{
		Store:       new(syncproto.Memory),
		Verifier:    verify.Plain{},
		Development: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()

	ctx := context.Background()
	device := func() *client.Device {
		d, err := client.Open(ctx, client.Config{
			URL: srv.URL,
			Login: func(context.Context) (assertion, audience string, err error) {
				return "ann@example.com?a=https://apps.example.com", "https://apps.example.com", nil
			},
			HTTP: srv.Client(),
		})
		if err != nil {
			log.Fatal(err)
		}
		return d
	}
	phone, laptop := device(), device()

	if err := phone.Set(ctx, json.RawMessage(`{"origin":"https://chess.example.com","level":3}`)); err != nil {
		log.Fatal(err)
	}
	report, err := phone.Sync(ctx)
	fmt.Println("phone pushed", report.Pushed, err)

	report, err = laptop.Sync(ctx)
	fmt.Println("laptop pulled", report.Pulled, err)
	fmt.Printf("%s\n", laptop.Get("https://chess.example.com"))
	// Output:
	// phone pushed 1 <nil>
	// laptop pulled 1 <nil>
	// {"origin":"https://chess.example.com","level":3}
}
