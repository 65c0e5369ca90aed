package syncproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// exportFormat is in the first line of an export.
const exportFormat = "syncproto export 1"

// exportLine is one line of an export: the first, one for each collection, and
// one for each of its records after it. A document is a string of JSON, so that
// it comes back byte for byte.
type exportLine struct {
	Format     string    `json:"format,omitempty"`
	Collection string    `json:"collection,omitempty"`
	UUID       string    `json:"uuid,omitempty"`
	Last       *Time     `json:"last,omitempty"`
	Deleted    *Deletion `json:"deleted,omitempty"`
	Time       *Time     `json:"time,omitempty"`
	Origin     string    `json:"origin,omitempty"`
	Doc        string    `json:"doc,omitempty"`
	End        bool      `json:"end,omitempty"`
}

// Export writes all that a store holds of a user, as lines of JSON: what the
// user may ask for, and what [Import] reads. Each collection is as it was at one
// moment. The user's name is not in it.
func Export(ctx context.Context, d Directory, user string, w io.Writer) error {
	all, err := d.Collections(ctx, user)
	if err != nil {
		return fmt.Errorf("syncproto: export: %w", err)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(exportLine{Format: exportFormat}); err != nil {
		return fmt.Errorf("syncproto: export: %w", err)
	}
	for _, u := range all {
		_, err := d.Read(ctx, Key{user, u.Collection}, 0, 0, func(st State) error {
			return enc.Encode(exportLine{Collection: u.Collection, UUID: st.UUID, Last: &st.Last, Deleted: st.Deleted})
		}, func(r Record) error {
			return enc.Encode(exportLine{Time: &r.Time, Origin: r.Origin, Doc: string(r.Doc)})
		})
		if err != nil {
			return fmt.Errorf("syncproto: export %q: %w", u.Collection, err)
		}
	}
	if err := enc.Encode(exportLine{End: true}); err != nil {
		return fmt.Errorf("syncproto: export: %w", err)
	}
	return nil
}

// importApps is how many records are held and applied at a time, or as many as
// one write had.
const importApps = 500

// ErrExport says that what [Import] reads is not an export, or not all of one.
var ErrExport = errors.New("not a whole export")

// Import gives a user what [Export] wrote, times and uuids included, so that
// devices go on as if nothing had happened. The user must not have any of its
// collections yet. If it returns an error, part of it may be there; Purge the
// user before trying again.
func Import(ctx context.Context, r Replica, user string, from io.Reader) error {
	in := importer{ctx: ctx, to: r, user: user}
	dec := json.NewDecoder(from)
	for n := 1; !in.end; n++ {
		var l exportLine
		err := dec.Decode(&l)
		if err == nil {
			err = in.line(n, l)
		} else {
			err = fmt.Errorf("%w: %w", ErrExport, err)
		}
		if err != nil {
			return fmt.Errorf("syncproto: import: line %d: %w", n, err)
		}
	}
	return nil
}

type importer struct {
	ctx  context.Context
	to   Replica
	user string

	name string
	st   State // of the collection under way
	page []Record
	last Time // applied
	end  bool
}

func (in *importer) line(n int, l exportLine) error {
	switch {
	case (n == 1) != (l.Format == exportFormat):
		return fmt.Errorf("%w: want a first line of format %q", ErrExport, exportFormat)
	case n == 1:
		return nil
	case l.End:
		in.end = true
		return in.finish()
	case l.Collection != "" && l.Last != nil:
		return in.begin(l)
	case l.Time != nil && in.name != "":
		return in.record(Record{*l.Time, App{l.Origin, json.RawMessage(l.Doc)}})
	}
	return fmt.Errorf("%w: neither a collection nor a record", ErrExport)
}

func (in *importer) begin(l exportLine) error {
	if err := in.finish(); err != nil {
		return err
	}
	if !validName(l.Collection, MaxCollection) {
		return fmt.Errorf("%w: a collection of an impossible name", ErrExport)
	}
	st, err := in.to.State(in.ctx, Key{in.user, l.Collection})
	if err != nil {
		return err
	}
	if st != (State{}) {
		return fmt.Errorf("the user has a collection %q already", l.Collection)
	}
	in.name, in.st, in.last = l.Collection, State{l.UUID, *l.Last, l.Deleted}, 0
	return nil
}

func (in *importer) record(r Record) error {
	if !validName(r.Origin, MaxOrigin) || !json.Valid(r.Doc) || r.Time <= in.last || r.Time > in.st.Last || in.st.Deleted != nil {
		return fmt.Errorf("%w: an impossible record", ErrExport)
	}
	if n := len(in.page); n > 0 && r.Time < in.page[n-1].Time {
		return fmt.Errorf("%w: records out of order", ErrExport)
	} else if n >= importApps && r.Time > in.page[n-1].Time {
		if err := in.apply(in.page[n-1].Time); err != nil {
			return err
		}
	}
	in.page = append(in.page, r)
	return nil
}

func (in *importer) finish() error {
	if in.name == "" {
		return nil
	}
	return in.apply(in.st.Last)
}

func (in *importer) apply(last Time) error {
	st := in.st
	st.Last = last
	err := in.to.Apply(in.ctx, Key{in.user, in.name}, Change{st, in.page})
	in.page, in.last = nil, last
	return err
}
