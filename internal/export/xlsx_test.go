package export_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"shoal"
	"shoal/internal/export"
)

// workbook opens what was written with a reader of somebody else's.
func workbook(t *testing.T, data []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("no workbook: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	wellFormed(t, data)
	return f
}

// wellFormed holds every part of the workbook against a strict XML parser.
func wellFormed(t *testing.T, data []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(r)
		for err == nil {
			_, err = d.Token()
		}
		if err != io.EOF {
			t.Errorf("%s is no XML: %v", part.Name, err)
		}
		r.Close()
	}
}

func xlsxCell(t *testing.T, f *excelize.File, at string) (value string, typ excelize.CellType) {
	t.Helper()
	value, err := f.GetCellValue("Results", at, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	typ, err = f.GetCellType("Results", at)
	if err != nil {
		t.Fatal(err)
	}
	return value, typ
}

func TestXLSXCellsHaveTheTypeOfTheirValue(t *testing.T) {
	const number, text = excelize.CellTypeUnset, excelize.CellTypeInlineString
	cols := export.Columns{Attributes: named("v", "end"), Select: []string{"v", "end"}}
	for _, c := range []struct {
		json string
		want string
		typ  excelize.CellType
	}{
		{`51.77`, "51.77", number},
		{`-0.5e-7`, "-0.5e-7", number},
		{`123456789012345`, "123456789012345", number},
		{`0.30000000000000004`, "0.30000000000000004", number},
		{`9007199254740993`, "9007199254740993", text},
		{`1234567890123456`, "1234567890123456", text},
		{`1e400`, "1e400", text},
		{`1e-400`, "1e-400", text},
		{`true`, "1", excelize.CellTypeBool},
		{`false`, "0", excelize.CellTypeBool},
		{`"007"`, "007", text},
		{`"12"`, "12", text},
		{`"=HYPERLINK(\"https://example.com\")"`, `=HYPERLINK("https://example.com")`, text},
		{`"@SUM(1)"`, "@SUM(1)", text},
		{`"https://example.com/?a=1&b=2"`, "https://example.com/?a=1&b=2", text},
		{`"2025-02-10T14:31:05Z"`, "2025-02-10T14:31:05Z", text},
		{`"<b>&amp;\"'</b>]]>"`, `<b>&amp;"'</b>]]>`, text},
		{`" a\nb\r\nc\rd\t "`, " a\nb\r\nc\rd\t ", text},
		{`"\u0000\u0001\u001f\u007f\u2028\ufffe\uffff"`, "\x00\x01\x1f\x7f\u2028\ufffe\uffff", text},
		{`"_x0041_ _x41_ _X0041_ _"`, "_x0041_ _x41_ _X0041_ _", text},
		{`"\ud83d\ude00 \ud83d x"`, "😀 \ufffd x", text},
		{`{"a":["<",1]}`, `{"a":["<",1]}`, text},
		{`[]`, `[]`, text},
		{`null`, "", number},
		{`""`, "", number},
	} {
		data := write(t, shoal.FormatXLSX, cols, `{"v":`+c.json+`,"end":1}`)
		f := workbook(t, []byte(data))
		if value, typ := xlsxCell(t, f, "A2"); value != c.want || typ != c.typ {
			t.Errorf("%s is %q of type %d, want %q of type %d", c.json, value, typ, c.want, c.typ)
		}
		if value, _ := xlsxCell(t, f, "B2"); value != "1" {
			t.Errorf("%s: the next cell is %q", c.json, value)
		}
		if formula, _ := f.GetCellFormula("Results", "A2"); formula != "" {
			t.Errorf("%s is the formula %q", c.json, formula)
		}
	}
}

func TestXLSXSheet(t *testing.T) {
	f := workbook(t, []byte(write(t, shoal.FormatXLSX, export.Columns{Attributes: named("title", "url")}, `{"url":"u","title":"a"}`, `{}`)))
	if got := f.GetSheetList(); !slices.Equal(got, []string{"Results"}) {
		t.Errorf("sheets %q", got)
	}
	all, err := f.GetRows("Results")
	if err != nil || len(all) != 3 {
		t.Fatalf("%d rows, %v", len(all), err)
	}
	if want := []string{"title", "url", "id", "squid", "run", "task", "scraping_time"}; !slices.Equal(all[0], want) {
		t.Errorf("header %q, want %q", all[0], want)
	}
	r := result("")
	if want := []string{"a", "u", r.ID(), "s", "r", "t", "2025-02-10 14:31:05"}; !slices.Equal(all[1], want) {
		t.Errorf("row %q, want %q", all[1], want)
	}
	panes, err := f.GetPanes("Results")
	if err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("the header is not frozen: %+v, %v", panes, err)
	}
	index, err := f.GetCellStyle("Results", "A1")
	if err != nil {
		t.Fatal(err)
	}
	if style, err := f.GetStyle(index); err != nil || style.Font == nil || !style.Font.Bold {
		t.Errorf("the header is not bold: %+v, %v", style, err)
	}
	if width, err := f.GetColWidth("Results", "B"); err != nil || width < 40 {
		t.Errorf("the column of addresses is %v wide, %v", width, err)
	}
}

func TestXLSXCutsLongCellsAndSaysSo(t *testing.T) {
	const most = 32767
	cols := export.Columns{Attributes: named("a", "b", "c"), Omit: export.Envelope()}
	fits, over := strings.Repeat("x", most), strings.Repeat("é😀", 15_000)
	row := fmt.Sprintf(`{"a":%q,"b":"%s","c":"end"}`, fits, over)
	f := workbook(t, []byte(write(t, shoal.FormatXLSX, cols, row, row, `{"a":"`+strings.Repeat(`\n`, 10<<20)+`","c":3}`)))
	if value, _ := xlsxCell(t, f, "A2"); value != fits {
		t.Errorf("a text of the greatest length is changed: %d characters", len(value))
	}
	value, _ := xlsxCell(t, f, "B2")
	kept, mark, marked := strings.Cut(value, " … [cut: 45,000 characters; csv, json and parquet have them all]")
	if !marked || mark != "" || !strings.HasPrefix(over, kept) || len(kept) < 60_000 {
		t.Errorf("a long text keeps %d bytes and ends %q", len(kept), value[max(0, len(value)-80):])
	}
	if value, _ := xlsxCell(t, f, "C2"); value != "end" {
		t.Errorf("after a long text: %q", value)
	}
	if value, _ := xlsxCell(t, f, "C4"); value != "3" {
		t.Errorf("after a text of 10 MB: %q", value)
	}
	notes, err := f.GetRows("Cut cells")
	if err != nil || len(notes) != 4 {
		t.Fatalf("notes %q, %v", notes, err)
	}
	if !slices.Equal(notes[2], []string{"a", "1"}) || !slices.Equal(notes[3], []string{"b", "2"}) {
		t.Errorf("notes %q", notes)
	}
}

func TestXLSXRefusesWhatASheetCannotHold(t *testing.T) {
	var out bytes.Buffer
	refused := func(cols export.Columns, rows export.Rows) {
		t.Helper()
		out.Reset()
		_, err := export.Write(t.Context(), &out, shoal.FormatXLSX, cols, rows)
		if e, ok := errors.AsType[*shoal.Error](err); !ok || e.Kind != shoal.KindInvalid || !strings.Contains(e.Message, "csv") {
			t.Errorf("%v: want a refusal with the remedy", err)
		}
	}
	refused(export.Columns{Attributes: named("a"), Rows: 1_048_576}, rows(`{}`))
	if out.Len() > 0 {
		t.Errorf("%d bytes before the refusal", out.Len())
	}
	wide := make([]string, 16_385)
	for i := range wide {
		wide[i] = fmt.Sprint("f", i)
	}
	refused(export.Columns{Select: wide}, rows(`{}`))
	if out.Len() > 0 {
		t.Errorf("%d bytes before the refusal", out.Len())
	}
	// Where the number of rows was not known, the row too many is an error.
	many, _, _ := benchRows(1_048_576)
	refused(export.Columns{Select: []string{"status"}}, many)
	all, _, _ := benchRows(1_048_575)
	if n, err := export.Write(t.Context(), io.Discard, shoal.FormatXLSX, export.Columns{Select: []string{"status"}, Rows: 1_048_575}, all); err != nil || n != 1_048_575 {
		t.Errorf("a full sheet: %d rows, %v", n, err)
	}
}

func TestXLSXOfNothing(t *testing.T) {
	f := workbook(t, []byte(write(t, shoal.FormatXLSX, export.Columns{Attributes: named("a"), Select: []string{"a"}})))
	if all, err := f.GetRows("Results"); err != nil || len(all) != 1 || all[0][0] != "a" {
		t.Errorf("rows %q, %v", all, err)
	}
	workbook(t, []byte(write(t, shoal.FormatXLSX, export.Columns{Omit: export.Envelope()}, `{}`)))
}
