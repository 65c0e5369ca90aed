package main

import (
	"io"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // part of the error; "" for none
	}{
		{"", ""},
		{"-addr localhost:0 -db memory: -memcached a:1,b:2 -statsd s:8125", ""},
		{"-addr [::1]:5000", ""},
		{"-addr :5000 -verifier remote=https://verifier.example/verify", ""},
		{"-addr 5000", "want host:port"},
		{"-addr :5000", "serves loopback only"},
		{"-addr 10.0.0.1:5000", "serves loopback only"},
		{"-addr example.com:5000", "serves loopback only"},
		{"-db postgres://ann:secret@db.example/appsync", ""},
		{"-db mysql://ann:secret@db.example/appsync", ""},
		{"-db oracle:x", "want sqlite:FILE, postgres://HOST/DATABASE or mysql://HOST/DATABASE, or memory:"},
		{"-db sqlite:", "name a file"},
		{"-memcached cache", "want host:port"},
		{"-statsd here", "want host:port"},
		{"-verifier any", "want dev or remote=URL"},
		{"-verifier remote=ftp://x", "an http or https URL"},
		{"-verifier remote=https://v.example -audience https://a.example,https://b.example:81", ""},
		{"-verifier remote=https://v.example -audience a.example", "want scheme://host"},
		{"-audience https://a.example", "goes with -verifier remote"},
		{"-budget 0s", "above zero"},
		{"-budget soon", "invalid value"},
		{"-wait 0", ""},
		{"-wait -1s", "a second or more, or 0"},
		{"-retry-after 10ms", "a second or more"},
		{"-cache 0", ""},
		{"-cache 1m -db memory:", ""},
		{"-cache 10ms", "a second or more, or 0"},
		{"-cache -1s", "a second or more, or 0"},
		{"-cache 1m -db postgres://h/d", "name it with -memcached"},
		{"-cache 1m -db postgres://h/d -memcached m:1", ""},
		{"-url https://apps.example.com/sync -quota-bytes 1000000 -quota-collections 100", ""},
		{"-url apps.example.com", "want an http or https URL"},
		{"-url https://apps.example.com/?a=b", "want an http or https URL"},
		{"-quota-bytes -1", "0 for no bound"},
		{"-quota-collections -1", "0 for no bound"},
		{"serve", "takes flags only"},
	} {
		_, err := parseFlags(strings.Fields(c.args), io.Discard)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.args, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: error %v, want one that says %q", c.args, err, c.want)
		}
	}
}

func TestDatabaseShowsNoPassword(t *testing.T) {
	for db, want := range map[string]string{
		"memory:":           "memory:",
		"sqlite:appsync.db": "sqlite:appsync.db",
		"postgres://ann:secret@db.example:5432/appsync?sslmode=disable": "postgres://db.example:5432/appsync",
		"mysql:ann:secret@unix(/run/s)/appsync":                         "mysql",
	} {
		if got := (config{db: db}).database(); got != want {
			t.Errorf("%s is shown as %s, want %s", db, got, want)
		}
	}
}

func TestEveryWrongFlagIsNamedAtOnce(t *testing.T) {
	_, err := parseFlags(strings.Fields("-db x -budget -1s -retry-after 0s"), io.Discard)
	for _, flag := range []string{"-db", "-budget", "-retry-after"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("error %v does not name %s", err, flag)
		}
	}
}
