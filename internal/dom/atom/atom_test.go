package atom

import "testing"

func TestEveryNameIsFound(t *testing.T) {
	for a := Atom(1); a < NumKnown; a++ {
		if got := Lookup([]byte(a.String())); got != a {
			t.Errorf("Lookup(%q) = %d, want %d", a.String(), got, a)
		}
		if !a.Known() {
			t.Errorf("%q is not known", a.String())
		}
	}
	for _, name := range []string{"", "x", "Div", "divv", "di", "foreignobjecT", "a-name-that-no-element-has-and-which-is-long"} {
		if a := Lookup([]byte(name)); a != 0 && a.String() != name {
			t.Errorf("Lookup(%q) = %q", name, a)
		}
	}
	if a := Lookup([]byte("Div")); a != 0 {
		t.Errorf("names are compared exactly, but Div is %q", a)
	}
	if Atom(0).Known() || Atom(NumKnown).Known() {
		t.Error("0 and the atoms of documents are not known")
	}
}

func TestConstantsBearTheirNames(t *testing.T) {
	for a, name := range map[Atom]string{A: "a", Div: "div", AnnotationXml: "annotation-xml", ForeignObject: "foreignObject",
		Foreignobject: "foreignobject", HttpEquiv: "http-equiv", XlinkHref: "xlink:href", Xmp: "xmp", ZoomAndPan: "zoomAndPan"} {
		if a.String() != name {
			t.Errorf("%d is %q, want %q", a, a.String(), name)
		}
	}
	if Xmp >= NumElements || Href < NumElements {
		t.Error("the elements come first")
	}
}

func BenchmarkLookup(b *testing.B) {
	list := [][]byte{[]byte("a"), []byte("div"), []byte("span"), []byte("href"), []byte("class"), []byte("blockquote")}
	for b.Loop() {
		for _, name := range list {
			if Lookup(name) == 0 {
				b.Fatal(string(name))
			}
		}
	}
}
