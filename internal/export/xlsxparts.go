package export

import (
	"strconv"
	"strings"

	"shoal"
)

// part is a file of the workbook.
type part struct{ name, text string }

const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

// leadingParts say nothing of the rows, and come first so that what looks into
// a zip file's beginning finds a workbook.
var leadingParts = []part{
	{"_rels/.rels", xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	// The cell formats: 0 general, 1 the header's, bold, 2 a time to the second.
	{"xl/styles.xml", xmlHead + `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
		`<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/></numFmts>` +
		`<fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font><font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		`<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>` +
		`<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>` +
		`<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>` +
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`},
}

const (
	sheetXMLNS = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`
	// sheetHead freezes the header.
	sheetHead = xmlHead + sheetXMLNS + `<sheetViews><sheetView tabSelected="1" workbookViewId="0">` +
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/></sheetView></sheetViews>`
)

// closingParts name the sheets, of which there are two when there are notes.
func closingParts(notes bool) []part {
	sheets := []string{"Results"}
	if notes {
		sheets = append(sheets, "Cut cells")
	}
	var list, rels, types strings.Builder
	for i, name := range sheets {
		n := strconv.Itoa(i + 1)
		list.WriteString(`<sheet name="` + name + `" sheetId="` + n + `" r:id="rId` + n + `"/>`)
		rels.WriteString(`<Relationship Id="rId` + n + `" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet` + n + `.xml"/>`)
		types.WriteString(`<Override PartName="/xl/worksheets/sheet` + n + `.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`)
	}
	return []part{
		{"xl/workbook.xml", xmlHead + `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
			`<bookViews><workbookView/></bookViews><sheets>` + list.String() + `</sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + rels.String() +
			`<Relationship Id="rId9" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`},
		{"[Content_Types].xml", xmlHead + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` + types.String() +
			`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>`},
	}
}

// appendWidths appends the columns' widths, in characters.
func (x *xlsx) appendWidths(b []byte) []byte {
	if len(x.columns) == 0 {
		return b
	}
	b = append(b, "<cols>"...)
	for i, c := range x.columns {
		n := strconv.Itoa(i + 1)
		b = append(b, `<col min="`+n+`" max="`+n+`" width="`...)
		b = strconv.AppendInt(b, int64(max(min(len(c.name)+2, 40), widthOf(c))), 10)
		b = append(b, `" customWidth="1"/>`...)
	}
	return append(b, "</cols>"...)
}

func widthOf(c column) int {
	switch {
	case c.member == memberTime:
		return 20
	case c.member >= 0:
		return 34 // an id
	case c.typ == shoal.AttrInteger || c.typ == shoal.AttrFloat || c.typ == shoal.AttrBoolean:
		return 11
	case c.typ == shoal.AttrText || c.typ == shoal.AttrJSON:
		return 50
	case c.name == "url" || strings.HasSuffix(c.name, "_url"):
		return 45
	}
	return 25
}

// notes returns the sheet that says which columns have cells that were cut;
// empty: none have.
func (x *xlsx) notes() string {
	var rows []byte
	n := 1
	line := func(cells ...string) {
		rows = append(rows, `<row r="`+strconv.Itoa(n)+`">`...)
		for i, text := range cells {
			rows = append(rows, `<c r="`+columnLetters(i)+strconv.Itoa(n)+`" t="inlineStr"><is><t`...)
			rows = append(appendXMLText(rows, []byte(text)), "</t></is></c>"...)
		}
		rows = append(rows, "</row>"...)
		n++
	}
	line("A cell holds " + grouped(maxCell) + " characters. These columns have longer values, which are cut and end with a mark; csv, json and parquet have them whole.")
	line("column", "cells cut")
	for i, count := range x.cut {
		if count > 0 {
			line(x.columns[i].name, grouped(count))
		}
	}
	if n == 3 {
		return ""
	}
	return xmlHead + sheetXMLNS + "<sheetData>" + string(rows) + "</sheetData></worksheet>"
}
