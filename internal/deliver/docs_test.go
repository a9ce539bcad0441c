package deliver_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/deliver"
)

// TestDocumentedVerifiers runs the verifiers of docs/deliveries/webhook.md on a
// request that was really sent, and on forged ones.
func TestDocumentedVerifiers(t *testing.T) {
	r := newReceiver(t, nil)
	s := deliver.New(deliver.Options{Dial: openDial(t)})
	if a := s.Test(t.Context(), shoal.ChannelWebhook, []byte(`{"url":"`+r.URL+`","secret":"whsec_new","former_secret":"whsec_old","former_secret_until":"2999-01-01T00:00:00Z"}`)); !a.OK {
		t.Fatal(a)
	}
	sent := r.got()[0]
	header := sent.header.Get("X-Shoal-Signature")
	cases := []map[string]any{
		{"secret": "whsec_new", "header": header, "body": sent.body, "want": true},
		{"secret": "whsec_old", "header": header, "body": sent.body, "want": true},
		{"secret": "whsec_other", "header": header, "body": sent.body, "want": false},
		{"secret": "whsec_new", "header": header, "body": sent.body + " ", "want": false},
		{"secret": "whsec_new", "header": strings.Replace(header, "t=1", "t=2", 1), "body": sent.body, "want": false},
		{"secret": "whsec_new", "header": "t=100,v1=" + strings.Repeat("0", 64), "body": sent.body, "want": false},
		{"secret": "whsec_new", "header": "", "body": sent.body, "want": false},
		{"secret": "whsec_new", "header": "nonsense,v1=zz", "body": sent.body, "want": false},
	}
	given, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/deliveries/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	for language, c := range map[string]struct {
		file, tail string
		run        []string
	}{
		"python": {"verify.py", `
import json, sys
for c in json.load(sys.stdin):
    if verify(c["secret"], c["header"], c["body"].encode()) != c["want"]:
        sys.exit("wrong about " + json.dumps(c))
`, []string{"python3", "verify.py"}},
		"javascript": {"verify.js", `
for (const c of JSON.parse(require("node:fs").readFileSync(0, "utf8"))) {
  if (verify(c.secret, c.header, Buffer.from(c.body)) !== c.want) { console.error("wrong about", c); process.exit(1); }
}
`, []string{"node", "verify.js"}},
		"go": {"verify.go", `
func main() {
	var cases []struct {
		Secret, Header, Body string
		Want                 bool
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	for _, c := range cases {
		if Verify(c.Secret, c.Header, []byte(c.Body), time.Now()) != c.Want {
			panic(c)
		}
	}
}
`, []string{"go", "run", "verify.go"}},
	} {
		t.Run(language, func(t *testing.T) {
			block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
			if block == nil {
				t.Fatalf("the page has no block of %s", language)
			}
			program := strings.Replace(string(block[1]), "package webhook", "package main", 1)
			program = strings.Replace(program, "import (\n", "import (\n\t\"encoding/json\"\n\t\"os\"\n", 1) + c.tail
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.file), []byte(program), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(c.run[0], c.run[1:]...)
			cmd.Dir, cmd.Stdin = dir, strings.NewReader(string(given))
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}
