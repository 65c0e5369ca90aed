package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// busy is a service that refuses all requests for a minute.
func busy() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
}

// A client that has two seconds does not spend them on a service that has
// asked for a minute.
func ExampleTransport() {
	service := busy()
	defer service.Close()
	client := &http.Client{Transport: &backoff.Transport{Base: service.Client().Transport}}

	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, "GET", service.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		response, err := client.Do(request)
		var held *backoff.WaitError
		switch {
		case errors.As(err, &held):
			fmt.Println("not sent; come back in a minute:", time.Until(held.NotBefore) > 50*time.Second)
		case err != nil:
			log.Fatal(err)
		default:
			response.Body.Close()
			fmt.Println(response.Status)
		}
	}
	// Output:
	// 503 Service Unavailable
	// not sent; come back in a minute: true
}

// evenly is a backoff.Delays, as those of package cenkalti/backoff are.
type evenly time.Duration

func (d evenly) NextBackOff() time.Duration { return time.Duration(d) }

// A read that fails is made again: after what the service says, or else after
// what Fallback does. What may not be done twice is not.
func ExampleRetry() {
	asked := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer service.Close()
	client := &http.Client{Transport: &backoff.Transport{
		Base:  service.Client().Transport,
		Retry: &backoff.Retry{Fallback: func() backoff.Delays { return evenly(10 * time.Millisecond) }},
	}}
	for _, method := range []string{"GET", "POST"} {
		request, err := http.NewRequest(method, service.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
		fmt.Println(method, response.StatusCode, asked)
	}
	// Output:
	// GET 200 2
	// POST 503 3
}

// A client that has an HTTP stack of its own reads the hints by itself.
func ExampleReadHint() {
	service := busy()
	defer service.Close()
	response, err := service.Client().Get(service.URL)
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	fmt.Println(backoff.ReadHint(response, time.Now()).Refused)
	// Output: 1m0s
}

// A device pulls every five minutes, or when the user asks for it, but no more
// often than the service wants.
func ExamplePoller() {
	ctx, cancel := context.WithCancel(context.Background())
	service := httptest.NewServer(http.NotFoundHandler())
	defer service.Close()
	client := &http.Client{Transport: &backoff.Transport{Base: service.Client().Transport}}

	poller := &backoff.Poller{
		Every: 5 * time.Minute,
		Poll: func(ctx context.Context) error {
			request, err := http.NewRequestWithContext(ctx, "GET", service.URL, nil)
			if err != nil {
				return err
			}
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			fmt.Println(response.Status)
			cancel() // enough for an example
			return nil
		},
	}
	fmt.Println(poller.Run(ctx))
	// Output:
	// 404 Not Found
	// context canceled
}
