package syncproto

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations"
	"github.com/pocketbase/pocketbase/tools/types"
)

// pocketBase is a PocketBase server with one user and that user's apps, ready
// for requests: a collection with the owner, the origin and the document, an
// index for each question, and rules that show a user nothing but their own. Its
// log of requests, which it keeps in a second database, is off.
type pocketBase struct {
	srv   *httptest.Server
	user  string   // the token of the user
	admin string   // of a superuser
	owner string   // the id of the user
	apps  []string // their ids
	last  string   // when the last of them was changed
}

func openPocketBase(b *testing.B) *pocketBase {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatalf("pocketbase: %v", err)
		}
	}
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: b.TempDir()})
	must(app.Bootstrap())
	b.Cleanup(func() {
		if err := app.ResetBootstrapState(); err != nil {
			b.Error(err)
		}
	})
	must(app.RunAllMigrations())
	app.Settings().Logs.MaxDays = 0
	must(app.Save(app.Settings()))

	users, err := app.FindCollectionByNameOrId("users")
	must(err)
	ann := core.NewRecord(users)
	ann.SetEmail("ann@example.com")
	ann.SetPassword("a password of ann's")
	ann.SetVerified(true)
	must(app.Save(ann))
	token, err := ann.NewAuthToken()
	must(err)

	apps := core.NewBaseCollection("apps")
	apps.Fields.Add(
		&core.RelationField{Name: "owner", CollectionId: users.Id, MaxSelect: 1, Required: true},
		&core.TextField{Name: "origin", Required: true},
		&core.JSONField{Name: "doc"},
		&core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true},
	)
	apps.AddIndex("apps_origin", true, "owner, origin", "")
	apps.AddIndex("apps_updated", false, "owner, updated", "")
	mine := types.Pointer("owner = @request.auth.id")
	apps.ListRule, apps.UpdateRule = mine, mine
	must(app.Save(apps))

	superusers, err := app.FindCollectionByNameOrId(core.CollectionNameSuperusers)
	must(err)
	admin := core.NewRecord(superusers)
	admin.SetEmail("admin@example.com")
	admin.SetPassword("a password of the admin's")
	must(app.Save(admin))
	adminToken, err := admin.NewAuthToken()
	must(err)

	p := &pocketBase{user: token, admin: adminToken, owner: ann.Id}
	for i := range 10 {
		r := core.NewRecord(apps)
		r.Set("owner", ann.Id)
		r.Set("origin", origin(i))
		r.Set("doc", types.JSONRaw(document(i)))
		must(app.Save(r))
		p.apps = append(p.apps, r.Id)
		p.last = r.GetString("updated")
	}
	router, err := apis.NewRouter(app)
	must(err)
	mux, err := router.BuildMux()
	must(err)
	p.srv = server(b, mux)
	return p
}

// poller asks for what is newer than the last change. It asks as a superuser,
// with the owner in the filter in place of the rule: users whose filter finds
// nothing, more than three times in three seconds, wait for up to half a second,
// so that nobody learns from the time that it takes.
func (p *pocketBase) poller(b *testing.B) func(int) error {
	q := url.Values{"filter": {fmt.Sprintf("owner = %q && updated > %q", p.owner, p.last)}, "sort": {"updated"}, "perPage": {"500"}, "skipTotal": {"1"}}
	client, get := dial(b, p.srv), request("GET", "/api/collections/apps/records?"+q.Encode(), p.admin, "")
	return func(int) error {
		n, err := client.send(get)
		if err == nil && n > 100 {
			err = fmt.Errorf("%d bytes, want an empty list", n)
		}
		return err
	}
}

// upserts changes a batch of apps from so many clients.
func (p *pocketBase) upserts(b *testing.B, clients int) func(int) error {
	patches := make([][]byte, len(p.apps))
	for i, id := range p.apps {
		patches[i] = request("PATCH", "/api/collections/apps/records/"+id, p.user, `{"doc":`+document(i)+`}`)
	}
	return split(b, clients, func() *wire { return dial(b, p.srv) }, func(turn, i int) []byte { return patches[(turn*batch+i)%len(patches)] })
}
