package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/brownout-go/brownout/syncproto"
)

// step and stepBytes are how much is held and applied at a time: so many records,
// and of one write that is larger all.
const (
	step      = 500
	stepBytes = 4 << 20
)

// ErrInvalid says that what [Import] reads is no archive, or not all of one.
var ErrInvalid = errors.New("not a whole archive")

// Import gives a user what [Export] wrote, times and uuids included, so that
// devices go on as if nothing had happened. The user must not have any of its
// collections yet. If it returns an error, part of it may be there; Purge the
// user before trying again.
func Import(ctx context.Context, r syncproto.Replica, user string, from io.Reader) error {
	if !possible(user, syncproto.MaxUser) {
		return fmt.Errorf("archive: import: nobody can log in as %q", user)
	}
	in := importer{ctx: ctx, to: r, user: user}
	dec := json.NewDecoder(from)
	for n := 1; !in.end; n++ {
		var l line
		err := dec.Decode(&l)
		if err == nil {
			err = in.take(n, l)
		} else {
			err = fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if err != nil {
			return fmt.Errorf("archive: import: line %d: %w", n, err)
		}
	}
	return nil
}

type importer struct {
	ctx  context.Context
	to   syncproto.Replica
	user string

	name string
	st   syncproto.State // of the collection under way
	page []syncproto.Record
	size int            // of the documents in it
	last syncproto.Time // applied
	end  bool
}

func (in *importer) take(n int, l line) error {
	switch {
	case (n == 1) != (l.Format == format):
		return fmt.Errorf("%w: want a first line of format %q", ErrInvalid, format)
	case n == 1:
		return nil
	case l.End:
		in.end = true
		return in.finish()
	case l.Collection != "" && l.Last != nil:
		return in.begin(l)
	case l.Time != nil && in.name != "":
		return in.record(syncproto.Record{Time: *l.Time, App: syncproto.App{Origin: l.Origin, Doc: json.RawMessage(l.Doc)}})
	}
	return fmt.Errorf("%w: neither a collection nor a record", ErrInvalid)
}

func (in *importer) begin(l line) error {
	if err := in.finish(); err != nil {
		return err
	}
	if !possible(l.Collection, syncproto.MaxCollection) {
		return fmt.Errorf("%w: a collection of an impossible name", ErrInvalid)
	}
	if !lived(l) {
		return fmt.Errorf("%w: a collection in an impossible state", ErrInvalid)
	}
	st, err := in.to.State(in.ctx, syncproto.Key{User: in.user, Collection: l.Collection})
	if err != nil {
		return err
	}
	if st != (syncproto.State{}) {
		return fmt.Errorf("the user has a collection %q already", l.Collection)
	}
	in.name, in.st, in.last = l.Collection, syncproto.State{UUID: l.UUID, Last: *l.Last, Deleted: l.Deleted}, 0
	return nil
}

func (in *importer) record(r syncproto.Record) error {
	if !possible(r.Origin, syncproto.MaxOrigin) || !json.Valid(r.Doc) || r.Doc[0] != '{' || r.Time <= in.last || r.Time > in.st.Last || in.st.Deleted != nil {
		return fmt.Errorf("%w: an impossible record", ErrInvalid)
	}
	if n := len(in.page); n > 0 && r.Time < in.page[n-1].Time {
		return fmt.Errorf("%w: records out of order", ErrInvalid)
	} else if (n >= step || in.size >= stepBytes) && r.Time > in.page[n-1].Time {
		if err := in.apply(in.page[n-1].Time); err != nil {
			return err
		}
	}
	in.page, in.size = append(in.page, r), in.size+len(r.Doc)
	return nil
}

func (in *importer) finish() error {
	if in.name == "" {
		return nil
	}
	return in.apply(in.st.Last)
}

func (in *importer) apply(last syncproto.Time) error {
	st := in.st
	st.Last = last
	err := in.to.Apply(in.ctx, syncproto.Key{User: in.user, Collection: in.name}, syncproto.Change{State: st, Records: in.page})
	in.page, in.size, in.last = nil, 0, last
	return err
}

// maxUUID is the length of a uuid as the stores write it, and as some may hold it.
const maxUUID = 36

// lived says whether a collection can have come to be as the line has it. A time
// that nobody's clock will show would be the last: no write comes after it.
func lived(l line) bool {
	if *l.Last < 0 || l.Last.Std().Year() > 9999 || l.UUID != "" && !possible(l.UUID, maxUUID) {
		return false
	}
	return *l.Last == 0 || (l.Deleted == nil) == (l.UUID != "")
}

// possible says whether the handler could have let the name through to a store.
func possible(name string, most int) bool {
	return name != "" && len(name) <= most && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsControl(r) || r == utf8.RuneError
	})
}
