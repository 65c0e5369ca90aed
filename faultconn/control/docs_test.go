package control

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNamedTestsExist looks for the tests that TOXIPROXY.md and VAURIEN.md name
// for what they say. A page that names one which is gone proves nothing.
func TestNamedTestsExist(t *testing.T) {
	var sources strings.Builder
	for _, dir := range []string{"..", "../../examples"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, "_test.go") {
				var text []byte
				text, err = os.ReadFile(path)
				sources.Write(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	named := regexp.MustCompile("`((?:Test|Benchmark)\\w+)(?:/(\\w+))?`")
	for _, page := range []string{"TOXIPROXY.md", "VAURIEN.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all := named.FindAllStringSubmatch(string(text), -1)
		if len(all) < 5 {
			t.Errorf("%s: names %d tests: this one does not find them", page, len(all))
		}
		for _, m := range all {
			if !strings.Contains(sources.String(), "\nfunc "+m[1]+"(") {
				t.Errorf("%s: there is no %s", page, m[1])
			}
			if m[2] != "" && !strings.Contains(sources.String(), `t.Run("`+m[2]+`"`) {
				t.Errorf("%s: %s has no %s", page, m[1], m[2])
			}
		}
	}
}

// TestDocumentedConfigs reads the configuration files that the pages show.
func TestDocumentedConfigs(t *testing.T) {
	block := func(page, language string) string {
		t.Helper()
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "```"+language+"\n")
		code, _, found := strings.Cut(rest, "```")
		if !found {
			t.Fatalf("%s: has no block of %s", page, language)
		}
		return code
	}
	all, warnings, err := FromToxiproxy([]byte(block("TOXIPROXY.md", "json")))
	if err != nil || len(warnings) > 0 || len(all) != 1 || all[0].Toxics[0].Attributes["latency"] != 100 {
		t.Errorf("%+v, %q, %v", all, warnings, err)
	}
	p, warnings, err := FromVaurien([]byte(block("VAURIEN.md", "ini")), func(name string) (string, bool) { return "db", name == "DB_HOST" })
	if err != nil || len(warnings) > 0 || p.Upstream != "db:3306" || p.Behavior != "20:delay,10:error" || p.Protocol != "mysql" || p.BehaviorOptions["delay"]["sleep"] != 2.0 {
		t.Errorf("%+v, %q, %v", p, warnings, err)
	}
}
