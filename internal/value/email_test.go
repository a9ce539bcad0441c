package value

import (
	"slices"
	"strings"
	"testing"
)

func TestEmail(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"name@example.com", "name@example.com"}, {" Name@Example.COM ", "Name@example.com"}, {"mailto:info@shop.example", "info@shop.example"}, {"mailto:info@shop.de?subject=Hi%20there", "info@shop.de"}, {"MAILTO:info@shop.de", "info@shop.de"},
		{"mailto:name%40example.com", "name@example.com"}, {"mailto:%20name@example.com", "name@example.com"}, {"Ann Lee <ann.lee@example.org>", "ann.lee@example.org"}, {"\"Lee, Ann\" <ann@example.org>", "ann@example.org"}, {"first.last+tag@sub.example.co.uk", "first.last+tag@sub.example.co.uk"},
		{"o'brien@example.ie", "o'brien@example.ie"}, {"'ann@example.org'", "ann@example.org"}, {"user_name-1@my-site.io", "user_name-1@my-site.io"}, {"a@b.co", "a@b.co"}, {"info@münchen.de", "info@münchen.de"}, {"jörg@example.de", "jörg@example.de"}, {"info@пример.рф", "info@пример.рф"}, {"info@xn--mnchen-3ya.de", "info@xn--mnchen-3ya.de"},
		{"&#105;&#110;&#102;&#111;&#64;&#101;&#120;&#97;&#109;&#112;&#108;&#101;&#46;&#99;&#111;&#109;", "info@example.com"}, {"info&#x40;example.com", "info@example.com"}, {"info&commat;example&period;com", "info@example.com"}, {"info&amp;#64;example.com", "info@example.com"}, {"info＠example.com", "info@example.com"}, {"info@exam\u00adple.com", "info@example.com"},
		{"name [at] example [dot] com", "name@example.com"}, {"name(at)example.com", "name@example.com"}, {"name (at) example (dot) com", "name@example.com"}, {"name{at}example{dot}com", "name@example.com"}, {"name<at>example.com", "name@example.com"}, {"name AT example DOT com", "name@example.com"}, {"name at example dot com", "name@example.com"}, {"name[@]example.com", "name@example.com"},
		{"first [dot] last [at] example [dot] co [dot] uk", "first.last@example.co.uk"}, {"name [ät] beispiel [punkt] de", "name@beispiel.de"}, {"nombre (arroba) ejemplo (punto) es", "nombre@ejemplo.es"}, {"name[at]example dot com", "name@example.com"}, {"name@example[dot]com", "name@example.com"}, {"name @ example.com", "name@example.com"}, {"name [[at]] example.com", "name@example.com"}, {"E-Mail: name (at) example.com", "name@example.com"},
		{"name@nospam.example.com", "name@nospam.example.com"}, {"Email:info@example.com.", "info@example.com"}, {"info@example.comTel", "info@example.com"}, {"info@example.com.Then", "info@example.com"}, {`\u003einfo@example.com`, "info@example.com"}, {"(info@example.com)", "info@example.com"}, {"info@example.com,sales@example.com", "info@example.com"}, {"write to info@example.com!", "info@example.com"}, {"x=info@example.com&y", "info@example.com"},
	} {
		if got, ok := Email(c.in); !ok || got != c.want {
			t.Errorf("Email(%q) = %q, %v; want %q", c.in, got, ok, c.want)
		}
	}
	for _, in := range []string{"", "@", "a@", "@b.com", "foo@bar", "logo@2x.png", "image@3x.jpg", "logo@2x.zip", "icon-120@2x.io", "package@1.2.3", "lodash@4.17.21", "@media screen", "@import.com", "git@github.com:user/repo.git", "https://user:secret@example.com/", "ftp://user@example.com/file",
		"@user@mastodon.social", "https://mastodon.social/@user", "https://medium.com/@name.com/post", "a..b@example.com", "a@-b.com", "a@b.notatld", "name@example.png", "605a7baede844d278b89dc95ae0a9123@sentry-next.wixpress.com", "meet us at example dot", "user@example.c", "look at this dot", "call (at) 5.00", "name@.com", "a@b..com"} {
		if got, ok := Email(in); ok {
			t.Errorf("Email(%q) = %q; want none", in, got)
		}
	}
}

func TestEmails(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Write to a@example.com or B@example.com, or a@Example.com again; not to logo@2x.png.", "a@example.com B@example.com"},
		{"meet us at example dot com", ""}, {"sales [at] shop [dot] de, info(at)shop.de and x@y.de", "sales@shop.de info@shop.de x@y.de"}, {"Ann AT example DOT org (office)", "Ann@example.org"},
		{"<a href='mailto:a@b.com'>a@b.com</a><img src=x@2x.png>", "a@b.com"}, {"see (a) below and (at) noon", ""}, {"npm i react@18.2.0 vue@3.4.1 @types/node@20.1.0", ""}, {"a@b.com;c@d.org|e@f.net", "a@b.com c@d.org e@f.net"},
		{"I'm at google.com (at) the moment", ""},
		{"see https://lists.example.org/message-id/CAJV+Xa=DxR7kF@mail.example.com, and https://a.example/groups?selm=34A.CF9@b.example", ""},
		{"ftp://joe:secret@a.example or ssh://git@b.example/x", ""},
		{"Web:https://acme.de E-Mail:info@acme.de", "info@acme.de"}, {"https://acme.de/|post@acme.de", "post@acme.de"}, {"https://acme.de,post@acme.de", "post@acme.de"},
		{"https://mail.example/compose?to=ann@b.example&subject=x", "ann@b.example"}, {"mailto://ann@b.example", "ann@b.example"},
	} {
		if got := Emails(c.in); strings.Join(got, " ") != c.want {
			t.Errorf("Emails(%q) = %q; want %q", c.in, got, c.want)
		}
	}
	var b strings.Builder
	for i := range 3 * maxEmails {
		b.WriteString(strings.Repeat("x", i%7+1) + string(rune('a'+i%26)) + strings.Repeat("y", i/200) + "@example.com ")
	}
	got := Emails(b.String())
	if n := len(got); n == 0 || n > maxEmails {
		t.Errorf("%d addresses; want at most %d", n, maxEmails)
	}
	if slices.Contains(got, "") {
		t.Error("an empty address")
	}
}

func TestDecodeCFEmail(t *testing.T) {
	// 7e is the key: each byte of name@example.com is XORed with it.
	var code strings.Builder
	code.WriteString("7e")
	for _, c := range []byte("name@example.com") {
		const digits = "0123456789abcdef"
		code.WriteByte(digits[(c^0x7e)>>4])
		code.WriteByte(digits[(c^0x7e)&15])
	}
	if got, ok := DecodeCFEmail(code.String()); !ok || got != "name@example.com" {
		t.Errorf("got %q, %v", got, ok)
	}
	for _, in := range []string{"", "7e", "zz", "7e0", "00000000000000", strings.Repeat("ab", 1000)} {
		if got, ok := DecodeCFEmail(in); ok {
			t.Errorf("DecodeCFEmail(%q) = %q", in, got)
		}
	}
}
