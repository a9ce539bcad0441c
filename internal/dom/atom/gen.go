//go:build ignore

// This program writes table.go from the lists below.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"go/format"
	"log"
	"math/bits"
	"os"
	"slices"
	"strings"
)

const (
	slotBits = 11
	slots    = 1 << slotBits
)

// elements are the names of elements of HTML, SVG and MathML that the parser
// or its readers ask for. They come first, so that tables by element are short.
var elements = strings.Fields(`
a abbr acronym address annotation annotation-xml applet area article aside audio b base basefont bdi bdo bgsound big
blink blockquote body br button canvas caption center cite code col colgroup command data datalist dd del desc details
dfn dialog dir div dl dt em embed fieldset figcaption figure font footer foreignObject form frame frameset h1 h2 h3 h4
h5 h6 head header hgroup hr html i iframe image img input ins isindex kbd keygen label legend li link listing main
malignmark map mark marquee math menu menuitem meta meter mglyph mi mn mo ms mtext nav nobr noembed noframes noscript
object ol optgroup option output p param picture plaintext portal pre progress q rb rp rt rtc ruby s samp script search
section select selectedcontent slot small source spacer span strike strong style sub summary sup svg table tbody td
template textarea tfoot th thead time title tr track tt u ul var video wbr xmp
g path rect circle ellipse line polyline polygon text tspan defs use symbol mask filter stop marker metadata switch view
animate set
altGlyph altGlyphDef altGlyphItem animateColor animateMotion animateTransform clipPath feBlend feColorMatrix
feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight feDropShadow feFlood
feFuncA feFuncB feFuncG feFuncR feGaussianBlur feImage feMerge feMergeNode feMorphology feOffset fePointLight
feSpecularLighting feSpotLight feTile feTurbulence glyphRef linearGradient radialGradient textPath
altglyph altglyphdef altglyphitem animatecolor animatemotion animatetransform clippath feblend fecolormatrix
fecomponenttransfer fecomposite feconvolvematrix fediffuselighting fedisplacementmap fedistantlight fedropshadow feflood
fefunca fefuncb fefuncg fefuncr fegaussianblur feimage femerge femergenode femorphology feoffset fepointlight
fespecularlighting fespotlight fetile feturbulence foreignobject glyphref lineargradient radialgradient textpath
mrow mfrac msqrt mroot msup msub msubsup munder mover munderover mtable mtr mtd mspace mstyle semantics
`)

// attributes are frequent or special names of attributes.
var attributes = strings.Fields(`
about accept accept-charset accesskey action align alink allow allowfullscreen alt archive as async autocapitalize
autocomplete autofocus autoplay axis background bgcolor blocking border cellpadding cellspacing challenge char charoff
charset checked class classid clear codebase codetype color cols colspan compact content contenteditable contextmenu
controls coords crossorigin datatype datetime declare decoding default defer dirname disabled download draggable
encoding enctype enterkeyhint face fetchpriority for formaction formenctype formmethod formnovalidate formtarget
frameborder headers height hidden high href hreflang hspace http-equiv icon id imagesizes imagesrcset inert inputmode
integrity is ismap itemid itemprop itemref itemscope itemtype kind lang language linkcolor list loading longdesc loop
low lowsrc manifest marginheight marginwidth max maxlength media method min minlength multiple muted name nohref
nomodule nonce noresize noshade novalidate nowrap open optimum part pattern ping placeholder playsinline popover
popovertarget poster prefix preload profile prompt property public radiogroup readonly referrerpolicy rel required
resource rev reversed role rows rowspan rules sandbox scheme scope scoped scrolling selected shape size sizes span spellcheck
src srcdoc srclang srcset standby start step tabindex target text translate type typeof usemap valign value valuetype
version vlink vocab vspace width wrap system
aria-atomic aria-busy aria-checked aria-controls aria-current aria-describedby aria-disabled aria-expanded
aria-haspopup aria-hidden aria-label aria-labelledby aria-level aria-live aria-modal aria-pressed aria-required
aria-selected aria-valuemax aria-valuemin aria-valuenow
data-action data-id data-index data-name data-price data-src data-srcset data-target data-title data-toggle data-type
data-url data-value
onblur onchange onclick onerror onfocus oninput onkeydown onkeypress onkeyup onload onmousedown onmousemove onmouseout
onmouseover onmouseup onscroll onsubmit onunload
xmlns xmlns:xlink xml:lang xml:space xlink:actuate xlink:arcrole xlink:href xlink:role xlink:show xlink:title xlink:type
d r x y x1 x2 y1 y2 cx cy rx ry dx dy points transform offset fill fill-opacity fill-rule clip-rule opacity
stroke stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity stroke-width stop-color stop-opacity display
focusable font-family font-size text-anchor
definitionurl definitionURL
attributename attributetype basefrequency baseprofile calcmode clippathunits diffuseconstant edgemode filterunits
gradienttransform gradientunits kernelmatrix kernelunitlength keypoints keysplines keytimes lengthadjust
limitingconeangle markerheight markerunits markerwidth maskcontentunits maskunits numoctaves pathlength
patterncontentunits patterntransform patternunits pointsatx pointsaty pointsatz preservealpha preserveaspectratio
primitiveunits refx refy repeatcount repeatdur requiredextensions requiredfeatures specularconstant specularexponent
spreadmethod startoffset stddeviation stitchtiles surfacescale systemlanguage tablevalues targetx targety textlength
viewbox viewtarget xchannelselector ychannelselector zoomandpan
attributeName attributeType baseFrequency baseProfile calcMode clipPathUnits diffuseConstant edgeMode filterUnits
gradientTransform gradientUnits kernelMatrix kernelUnitLength keyPoints keySplines keyTimes lengthAdjust
limitingConeAngle markerHeight markerUnits markerWidth maskContentUnits maskUnits numOctaves pathLength
patternContentUnits patternTransform patternUnits pointsAtX pointsAtY pointsAtZ preserveAlpha preserveAspectRatio
primitiveUnits refX refY repeatCount repeatDur requiredExtensions requiredFeatures specularConstant specularExponent
spreadMethod startOffset stdDeviation stitchTiles surfaceScale systemLanguage tableValues targetX targetY textLength
viewBox viewTarget xChannelSelector yChannelSelector zoomAndPan
`)

func main() {
	all := []string{""}
	for _, name := range slices.Concat(elements, attributes) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	var out bytes.Buffer
	out.WriteString("// Code generated by gen.go; DO NOT EDIT.\n\npackage atom\n\n// The known names, those of elements first.\nconst (\n\t_ Atom = iota\n")
	longest := 0
	for _, name := range all[1:] {
		fmt.Fprintf(&out, "\t%s // %s\n", identifier(name), name)
		longest = max(longest, len(name))
	}
	fmt.Fprintf(&out, ")\n\nconst (\n\t// NumElements is one more than the last atom of an element.\n\tNumElements = %d\n\t// NumKnown is one more than the last known atom.\n\tNumKnown = %d\n\n\tmaxLen = %d\n\tslotBits = %d\n\tslots = 1 << slotBits\n)\n\n",
		len(elements)+1, len(all), longest, slotBits)
	entries := []string{"{}"}
	table := make([]int, slots)
	for i, name := range all[1:] {
		head, tail := words([]byte(name))
		entries = append(entries, fmt.Sprintf("{%#x, %#x, %q}", head, tail, name))
		slot := hash(head, tail, len(name))
		for table[slot] != 0 {
			slot = (slot + 1) % slots
		}
		table[slot] = i + 1
	}
	out.WriteString("var entries = [NumKnown]entry{")
	list(&out, entries, func(s string) string { return s })
	out.WriteString("}\n\n// table is a hash table with open addressing.\nvar table = [slots]uint16{")
	list(&out, table, func(v int) string { return fmt.Sprint(v) })
	out.WriteString("}\n")
	text, err := format.Source(out.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("table.go", text, 0o644); err != nil {
		log.Fatal(err)
	}
}

func identifier(name string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == ':' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

func list[T any](out *bytes.Buffer, values []T, text func(T) string) {
	column := 0
	for _, v := range values {
		if column == 0 {
			out.WriteString("\n\t")
		}
		s := text(v) + ","
		out.WriteString(s + " ")
		if column += len(s) + 1; column > 110 {
			column = 0
		}
	}
	out.WriteString("\n")
}

// words and hash are those of atom.go.
func words(b []byte) (head, tail uint64) {
	if n := len(b); n > 8 {
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	}
	for i, c := range b {
		head |= uint64(c) << (8 * i)
	}
	return head, 0
}

func hash(head, tail uint64, n int) uint64 {
	const golden = 0x9e3779b97f4a7c15 // 2^64 by the golden ratio
	return (head ^ bits.RotateLeft64(tail, 27) ^ uint64(n)<<58) * golden >> (64 - slotBits)
}
