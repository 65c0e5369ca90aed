package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/brownout-go/brownout/syncproto"
)

// format is in the first line.
const format = "syncproto export 1"

// line is any line of an archive.
type line struct {
	Format     string              `json:"format,omitempty"`
	Collection string              `json:"collection,omitempty"`
	UUID       string              `json:"uuid,omitempty"`
	Last       *syncproto.Time     `json:"last,omitempty"`
	Deleted    *syncproto.Deletion `json:"deleted,omitempty"`
	Time       *syncproto.Time     `json:"time,omitempty"`
	Origin     string              `json:"origin,omitempty"`
	Doc        string              `json:"doc,omitempty"`
	End        bool                `json:"end,omitempty"`
}

// Export writes all that a store holds of a user. Each collection is as it was
// at one moment, and deleted ones are there with their markers. The user's name
// is not in it. What it wrote before an error is no whole archive, and [Import]
// says so.
func Export(ctx context.Context, d syncproto.Directory, user string, w io.Writer) error {
	all, err := d.Collections(ctx, user)
	if err != nil {
		return fmt.Errorf("archive: export: %w", err)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line{Format: format}); err != nil {
		return fmt.Errorf("archive: export: %w", err)
	}
	for _, u := range all {
		key := syncproto.Key{User: user, Collection: u.Collection}
		_, err := d.Read(ctx, key, 0, 0, func(st syncproto.State) error {
			return enc.Encode(line{Collection: u.Collection, UUID: st.UUID, Last: &st.Last, Deleted: st.Deleted})
		}, func(r syncproto.Record) error {
			return enc.Encode(line{Time: &r.Time, Origin: r.Origin, Doc: string(r.Doc)})
		})
		if err != nil {
			return fmt.Errorf("archive: export %q: %w", u.Collection, err)
		}
	}
	if err := enc.Encode(line{End: true}); err != nil {
		return fmt.Errorf("archive: export: %w", err)
	}
	return nil
}
